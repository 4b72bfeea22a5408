//! In some histories one system holds a second record of the same thing, and somebody there merges the two: one id leads to the other from
//! then on, and what the survivor shows is what that person chose, having seen what both had shown.

use super::audit::Sight;
use super::setup::{ENTITY, home, system_id, system_name};
use super::{Doing, Run};
use crate::engine::{DeletedRows, Input};
use crate::model::{Departure, OpId, RecordId, RemoteId, RemoteKey, SourceKind, Value};
use crate::sim::Also;
use crate::sim::oracle::Edited;
use crate::sim::world::{EditSet, FIELDS, Past, Remote, World};
use std::ops::Range;

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
    /// What its author chose.
    edits: Range<usize>,
    at: i64,
    /// Has a list told of it?
    told: bool,
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
        let edits: Vec<(usize, Edited)> = ids.clone().map(|id| (id, self.edits[id].clone())).collect();
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
        self.merge =
            Some(Merge { side, loser, winner, before: twin_wins.then_some(main), edits: ids, at: now, told: false });
    }

    /// A list of what was deleted tells of the merge.
    pub(super) fn tell_merge(&mut self, side: usize) {
        let Some(merge) = self.merge.clone().filter(|merge| merge.side == side) else { return };
        self.say(|| format!("{} tells that {} was merged", system_name(side), merge.loser));
        let closed = (0..FIELDS).filter(|field| self.is_closed(*field)).collect::<Vec<_>>();
        let rows = vec![(merge.loser, Departure::Merged(merge.winner))];
        self.feed(|_, _| Input::Deleted(DeletedRows { entity: ENTITY, home: home(side), rows, cursor: None }));
        if merge.told || !self.committed {
            return;
        }
        for id in merge.edits {
            let field = self.edits[id].field;
            if closed.contains(&field) {
                // What all sides had agreed on, as far as they had told, is forgotten: a choice that is told of later is newer.
                let own = |bit: &usize| self.edits[*bit].side == side;
                let own = (0..self.edits.len()).filter(own).fold(0, |set, bit| set | (1 << bit));
                self.edits[id].may |= self.edits_of(field) & self.delivered & !own;
            }
        }
        if let Some(merge) = &mut self.merge {
            merge.told = true;
        }
    }

    /// Is nothing of the recent past of a field kept?
    fn is_closed(&self, field: usize) -> bool {
        let ids = self.view().lately_scan(ENTITY, None, 4).unwrap_or_default();
        let kept = |id: &RecordId| {
            let lately = self.view().lately(ENTITY, *id).ok().flatten();
            lately.is_some_and(|lately| lately.fields.iter().any(|kept| kept.field.0 as usize == field + 1))
        };
        !ids.iter().filter(|id| self.is_main(**id)).any(kept)
    }

    /// What the record that lost a merge on a side had been, if it is the one that stands elsewhere too.
    pub(super) fn loser(&self, side: usize) -> Option<&Remote> {
        self.merge.as_ref().filter(|merge| merge.side == side).and_then(|merge| merge.before.as_ref())
    }

    /// Was it written to a record that has lost a merge since, and whose history went with it?
    pub(super) fn went_with_loser(&self, side: usize, field: usize, op: OpId) -> bool {
        let history = self.worlds[side].source == SourceKind::History;
        history && self.loser(side).is_some_and(|lost| lost.history[field].iter().any(|past| past.op == Some(op)))
    }

    /// Edits of a record that has lost a merge since, and whose history went with it before it was read.
    pub(super) fn unread_of_loser(&self) -> EditSet {
        let Some(merge) = self.merge.as_ref().filter(|merge| merge.before.is_some()) else { return 0 };
        let history = self.worlds[merge.side].source == SourceKind::History;
        let own = (0..merge.edits.start).filter(|id| history && self.edits[*id].side == merge.side);
        own.fold(0, |set, id| set | (1 << id)) & !self.delivered
    }

    /// Edits of which what a row shows cannot tell, since it is of the winner of a merge, and they were made on the loser.
    pub(super) fn lost_at(&self, sight: &Sight) -> Range<usize> {
        let merge = self.merge.as_ref().filter(|merge| merge.side == sight.side && merge.before.is_some());
        merge.filter(|merge| sight.at >= merge.at).map_or(0..0, |merge| 0..merge.edits.start)
    }

    /// What the author of a merge chose, and what was entered there since.
    pub(super) fn of_winner(&self) -> EditSet {
        let Some(merge) = &self.merge else { return 0 };
        let since = (merge.edits.start..self.edits.len()).filter(|id| self.edits[*id].side == merge.side);
        since.fold(0, |set, id| set | (1 << id))
    }

    /// Is it what the author of a merge chose?
    pub(super) fn is_of_merge(&self, id: usize) -> bool {
        self.merge.as_ref().is_some_and(|merge| merge.edits.contains(&id))
    }

    /// The mirrored record of the thing, as another system than that of the merge knows it.
    pub(super) fn is_main(&self, record: RecordId) -> bool {
        let Also::Merges = self.options.also else { return true };
        let at = |side: usize| {
            let (system, object, remote) = (system_id(side), super::OBJECT, self.id(side));
            let key = RemoteKey { entity: ENTITY, system, object, remote };
            self.view().index(&key) == Ok(Some(record))
        };
        // What the winner was by itself nobody elsewhere had seen before the two were one here, too.
        let merged = self.merge.as_ref().map(|merge| merge.side);
        (0..self.worlds.len()).filter(|side| Some(*side) != merged).any(at)
    }
}
