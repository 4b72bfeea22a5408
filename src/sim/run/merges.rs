//! In some histories one system holds a second record of the same thing, and somebody there merges the two: one id leads to the other from
//! then on, and what the survivor shows is what that person chose, having seen what both had shown.

use super::setup::{ENTITY, home, system_id, system_name};
use super::{Doing, Run};
use crate::engine::{DeletedRows, Input};
use crate::model::{Departure, RecordId, RemoteId, RemoteKey, Value};
use crate::sim::Also;
use crate::sim::oracle::Edited;
use crate::sim::world::{Past, Remote, World};

/// The second record of a system, which nobody edits.
#[derive(Clone)]
pub(super) struct Twin {
    pub(super) side: usize,
    pub(super) remote: Remote,
    /// Do listings show it? Else it was made a moment before it was merged.
    pub(super) listed: bool,
}

/// What a merge left behind.
#[derive(Clone)]
pub(super) struct Merge {
    side: usize,
    loser: RemoteId,
    winner: RemoteId,
    /// What the loser had been, if it was the record that stands elsewhere too.
    pub(super) before: Option<Remote>,
}

pub(super) fn twin_id() -> RemoteId {
    RemoteId::parse("r2").expect("a constant")
}

impl Run {
    /// A second record, before anything is read.
    pub(super) fn bear_twin(&mut self) {
        if self.options.also != Also::Merges {
            return;
        }
        let side = self.rng.range(0, self.worlds.len() as i64) as usize;
        let text = |text: &str| Value::Text(text.into());
        let values = [0, 1].map(|field| match &self.first[field] {
            Value::Group(_) => Value::group([text("twin"), text("other")]),
            _ => text(["twin", "other"][field]),
        });
        let now = self.now;
        let world: &mut World = &mut self.worlds[side];
        let main = world.remote.take();
        world.create(now, &values, None, None);
        let twin = std::mem::replace(&mut world.remote, main);
        let listed = self.rng.percent(60);
        self.twin = twin.map(|remote| Twin { side, remote, listed });
    }

    pub(super) fn plan_merge(&mut self) {
        let at = self.rng.range(0, 30_000);
        self.after(at, Doing::Merge);
    }

    /// The id of the record in a system.
    pub(super) fn id(&self, side: usize) -> RemoteId {
        let lost = self.merge.as_ref().filter(|merge| merge.side == side && merge.before.is_some());
        lost.map_or_else(super::remote_id, |merge| merge.winner.clone())
    }

    /// Is it an id of before a merge?
    pub(super) fn is_led_on(&self, side: usize, id: &RemoteId) -> bool {
        self.merge.as_ref().is_some_and(|merge| merge.side == side && merge.loser == *id)
    }

    /// A person merges the two.
    pub(super) fn merge(&mut self) {
        let Some(twin) = self.twin.take() else { return };
        let side = twin.side;
        let Some(main) = self.worlds[side].remote.clone().filter(|_| self.linked(side)) else { return };
        let twin_wins = self.rng.percent(60);
        let theirs = [0, 1].map(|_| self.rng.percent(50));
        let (now, first) = (self.now, self.edits.len());
        for (field, of_theirs) in theirs.into_iter().enumerate() {
            let value = if of_theirs { twin.remote.value(field) } else { main.value(field) }.clone();
            let changed = twin_wins || value != *main.value(field);
            if changed {
                // As in any other edit: whoever merged saw what somebody had entered elsewhere if that was there before, and where all
                // show the same he may count as having seen how that came about.
                let before = main.value(field);
                let same = |(at, edit): (usize, &Edited)| {
                    (edit.field == field && edit.side != side && edit.value == *before).then_some(1u64 << at)
                };
                let same = self.edits.iter().enumerate().filter_map(same).fold(0, |set, bit| set | bit);
                let (saw, may) = (main.seen[field], main.may[field] | same);
                let time = self.worlds[side].clock(now);
                self.edits.push(Edited { side, field, time, value, saw, may });
                self.told.push(main.told[field].clone());
            }
        }
        let name = system_name(side);
        self.say(|| format!("merged on {name}, the other wins: {twin_wins}, edits {:?}", &self.edits[first..]));
        let ids = first..self.edits.len();
        let edits: Vec<(usize, Edited)> = ids.map(|id| (id, self.edits[id].clone())).collect();
        let world = &mut self.worlds[side];
        if twin_wins {
            let Remote { seen, told, may, .. } = main.clone();
            world.remote = Some(Remote { seen, told, may, ..twin.remote.clone() });
        }
        let (modified, position) = (world.clock(now), world.position + 1);
        world.position = position;
        let Some(remote) = &mut world.remote else { return };
        (remote.modified, remote.ours) = (modified, false);
        for (id, edit) in edits {
            remote.seen[edit.field] |= 1 << id;
            let history = &mut remote.history[edit.field];
            match history.last_mut().filter(|past| past.value == edit.value && twin_wins) {
                // What the survivor had anyway leaves no trace of the merge.
                Some(past) => past.edit = Some(id),
                None => history.push(Past { time: modified, position, value: edit.value, op: None, edit: Some(id) }),
            }
        }
        let (r1, r2) = (super::remote_id(), twin_id());
        let (loser, winner) = if twin_wins { (r1, r2) } else { (r2, r1) };
        self.merge = Some(Merge { side, loser, winner, before: twin_wins.then_some(main) });
    }

    /// A list of what was deleted tells of the merge.
    pub(super) fn tell_merge(&mut self, side: usize) {
        let Some(merge) = self.merge.clone().filter(|merge| merge.side == side) else { return };
        self.say(|| format!("{} tells that {} was merged", system_name(side), merge.loser));
        let rows = vec![(merge.loser, Departure::Merged(merge.winner))];
        self.feed(|_, _| Input::Deleted(DeletedRows { entity: ENTITY, home: home(side), rows, cursor: None }));
    }

    /// The mirrored record of the thing, as another system than that of the merge knows it.
    pub(super) fn is_main(&self, record: RecordId) -> bool {
        let Also::Merges = self.options.also else { return true };
        let at = |side: usize| {
            let (system, object, remote) = (system_id(side), super::OBJECT, self.id(side));
            let key = RemoteKey { entity: ENTITY, system, object, remote };
            self.view().index(&key) == Ok(Some(record))
        };
        (0..self.worlds.len()).any(at)
    }
}
