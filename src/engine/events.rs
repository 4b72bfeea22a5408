//! Events of an ordered stream, which may tell of a part of a field only.

use super::txn::{Delivered, Txn};
use super::{Event, Events, ViewError};
use crate::merge::{Evidence, SideField};
use crate::model::{Mark, Raw, RecordId, RemoteKey, SideState, ValueError};
use crate::rules::{Amiss, Entity, Field, FieldBinding};

impl Txn<'_> {
    /// Events of an ordered stream.
    pub fn events(&mut self, events: Events) -> Result<(), ViewError> {
        let entity = self.entity(events.entity)?;
        let (home, system) = (events.home, events.home.system);
        if entity.binding(home).is_none() {
            return Ok(());
        }
        for event in &events.events {
            let remote = event.remote.clone();
            let key = RemoteKey { entity: entity.id, system, object: home.object, remote };
            let Some(id) = self.index_of(&key)? else { continue };
            if !self.is_side(&key, id)? {
                self.told_of_loser(entity, event, &key, id)?;
                continue;
            }
            let Some(mut work) = self.take(entity.id, id)? else { continue };
            if work.record.side(system).is_some_and(|side| matches!(side.state, SideState::Frozen | SideState::Outside))
            {
                // Only a whole row says whether it is back in scope.
                self.put(work);
                self.read_again(&key, 0)?;
                continue;
            }
            let known = self.field_problems(entity.id, id)?;
            for (field, binding) in entity.fields_at(home) {
                let Some(told) = Told::of(event, binding) else { continue };
                let mut state = work.state(field);
                let Some(ix) = state.ix(system) else { continue };
                let told = match told {
                    Told::Part(told) => own_value(event, &told, field, binding, &state.sides[ix]),
                    Told::All(raws) => Some(raws),
                };
                let Some(raws) = told else {
                    // What the others show now may be newer than this event, so no value can be made of both.
                    if state.sides[ix].settled.before(&event.place) {
                        self.read_again(&key, 0)?;
                    }
                    continue;
                };
                let mut read = field.read(binding, &raws);
                if let Ok(value) = &read {
                    let found = self.resolved(field, system, value.clone())?;
                    if found.is_none() {
                        // Who it is that it refers to is found by a read.
                        self.read_again(&key, 0)?;
                    }
                    read = found.ok_or(Amiss { field: field.id, error: ValueError::UNRESOLVED });
                }
                let known = known.get(&(system, field.id));
                self.note_field(entity, &work, (system, field), read.as_ref().err(), known);
                let Ok(value) = read else { continue };
                let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
                let evidence = Evidence { place: event.place, value, mark: event.mark };
                state.evidence(&context, ix, &evidence, false, &mut fates);
                work.put_state(field, state, fates);
            }
            self.put(work);
        }
        self.advance(home, entity.id, Delivered { place: events.delivered, begun: self.now })
    }

    /// Of a record that has lost a merge an event tells late what of ours had landed there: whoever merged had seen it.
    fn told_of_loser(
        &mut self,
        entity: &Entity,
        event: &Event,
        key: &RemoteKey,
        id: RecordId,
    ) -> Result<(), ViewError> {
        if event.mark != Mark::Ours {
            return Ok(());
        }
        let Some(mut work) = self.take(entity.id, id)? else { return Ok(()) };
        for (field, binding) in entity.fields_at(key.home()) {
            let Some(told) = Told::of(event, binding) else { continue };
            let mut state = work.state(field);
            let Some(ix) = state.ix(key.system) else { continue };
            let raws = match told {
                Told::Part(told) => own_value(event, &told, field, binding, &state.sides[ix]),
                Told::All(raws) => Some(raws),
            };
            let Some(value) = raws.and_then(|raws| field.read(binding, &raws).ok()) else { continue };
            let Some(value) = self.resolved(field, key.system, value)? else { continue };
            let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
            state.landed_before(&context, ix, (event.place, &value), &mut fates);
            work.put_state(field, state, fates);
        }
        self.put(work);
        Ok(())
    }
}

/// What an event tells of a field that may be several properties.
enum Told {
    /// Some of them: none where it does not name the property.
    Part(Vec<Option<Raw>>),
    All(Vec<Raw>),
}

impl Told {
    /// None = nothing.
    fn of(event: &Event, binding: &FieldBinding) -> Option<Self> {
        let of = |property: &String| event.fields.iter().find(|(name, _)| name == property).map(|(_, raw)| raw.clone());
        let told: Vec<Option<Raw>> = binding.properties.iter().map(of).collect();
        let all: Option<Vec<Raw>> = told.iter().cloned().collect();
        match all {
            Some(raws) => Some(Self::All(raws)),
            None => told.iter().any(Option::is_some).then_some(Self::Part(told)),
        }
    }
}

/// The event of a write of ours tells only of the properties that it changed. It was sent with all of them, so where those are
/// as it carried them, the others are, too.
fn own_value(
    event: &Event,
    told: &[Option<Raw>],
    field: &Field,
    binding: &FieldBinding,
    side: &SideField,
) -> Option<Vec<Raw>> {
    if event.mark == Mark::Theirs {
        return None;
    }
    let known = side.late.ours.iter().filter(|own| own.place == event.place || own.until > own.place.time);
    let outstanding = side.late.flight.iter().map(|flight| (flight.sent, &flight.value));
    let outstanding = outstanding.chain(side.late.strays.iter().map(|stray| (stray.sent, &stray.value)));
    let sent = outstanding.chain(known.map(|own| (own.place.time, &own.value)));
    sent.filter(|(sent, _)| event.place.time >= *sent).find_map(|(_, value)| {
        let mut raws = field.write(binding, value).ok()?;
        for (raw, told) in raws.iter_mut().zip(told) {
            *raw = told.clone().unwrap_or_else(|| raw.clone());
        }
        (field.read(binding, &raws).as_ref() == Ok(value)).then_some(raws)
    })
}
