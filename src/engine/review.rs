//! What waits for a person: one row for each field that is in review, with what its sides show and when it was asked.

use super::record::Work;
use super::txn::Txn;
use super::{Change, Happening, ViewError};
use crate::codec::{Decode, Encode};
use crate::merge::FieldState;
use crate::model::{Apart, EntityId, Millis, Place, Record, RecordId, SystemId, Value};
use crate::rules::{ConflictPolicy, Entity, Field};

/// A field about which a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Review {
    /// Another whenever it is asked again, and never one that was there before.
    pub version: u64,
    /// When it was first asked.
    pub since: Millis,
    /// When the policy's default decides.
    pub expires: Option<Millis>,
    /// What there is to choose from, ascending by system.
    pub sides: Vec<ReviewSide>,
}

/// What one system has in a review.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReviewSide {
    /// The system.
    pub system: SystemId,
    /// Its value.
    pub value: Value,
    /// Where its people entered that; none = it was there, as far as is known.
    pub place: Option<Place>,
}

impl Txn<'_> {
    /// Writes the rows of a record's reviews, and removes those that are over.
    pub fn note_reviews(&mut self, entity: &Entity, before: Option<&Record>, work: &Work) -> Result<(), ViewError> {
        let any =
            |record: &Record| record.sides.iter().flat_map(|side| &side.differs).any(|differs| waits(differs.apart));
        if !any(&work.record) && !before.is_some_and(any) {
            return Ok(());
        }
        let id = work.record.id;
        let known = self.view.reviews_of(entity.id, id)?;
        let mut open = Vec::new();
        for field in &entity.fields {
            let state = work.state(field);
            if !state.is_in_review() {
                continue;
            }
            open.push(field.id);
            let sides = sides(&state);
            let old = known.iter().find(|(of, _)| *of == field.id).map(|(_, review)| review);
            if old.is_some_and(|old| old.sides == sides) {
                continue;
            }
            let (version, since) = (self.mint_op().0, old.map_or(self.now, |old| old.since));
            let expires = match &field.conflict {
                ConflictPolicy::Review(Some(lapse)) if !state.recent.is_empty() => Some(self.now.plus(lapse.after_ms)),
                _ => None,
            };
            let values = sides.iter().map(|side| (side.system, side.value.clone())).collect();
            self.journal(entity.id, Some(id), Happening::Review { field: field.id, version, values });
            let review = Box::new(Review { version, since, expires, sides });
            self.record_changes.push(Change::SetReview(entity.id, id, field.id, Some(review)));
        }
        for (field, _) in known.iter().filter(|(field, _)| !open.contains(field)) {
            self.record_changes.push(Change::SetReview(entity.id, id, *field, None));
        }
        Ok(())
    }

    /// Another record stands for this one.
    pub fn drop_reviews(&mut self, entity: EntityId, id: RecordId) -> Result<(), ViewError> {
        for (field, _) in self.view.reviews_of(entity, id)? {
            self.record_changes.push(Change::SetReview(entity, id, field, None));
        }
        Ok(())
    }

    /// Ends reviews of a record whose time is over.
    pub fn lapse_reviews(&mut self, entity: &Entity, work: &mut Work) -> Result<(), ViewError> {
        for (id, review) in self.view.reviews_of(entity.id, work.record.id)? {
            let Some(field) = entity.field(id) else { continue };
            let ConflictPolicy::Review(Some(lapse)) = &field.conflict else { continue };
            if review.expires.is_none_or(|expires| expires > self.now) {
                continue;
            }
            let mut state = work.state(field);
            let (mut fates, context) = (Vec::new(), self.context(entity, field, &state));
            if state.lapse(&context, &lapse.then, &mut fates) {
                work.put_state(field, state, fates);
                work.recheck = true;
            }
        }
        Ok(())
    }

    /// The version of a review as it stands; none = nothing is asked.
    pub fn review_version(&self, entity: EntityId, record: RecordId, field: &Field) -> Result<Option<u64>, ViewError> {
        let rows = self.view.reviews_of(entity, record)?;
        Ok(rows.into_iter().find(|(of, _)| *of == field.id).map(|(_, review)| review.version))
    }
}

fn waits(apart: Option<Apart>) -> bool {
    apart == Some(Apart::Review)
}

/// What each side has: its people's newest word, or what it shows.
fn sides(state: &FieldState) -> Vec<ReviewSide> {
    let of = |side: &crate::merge::SideField| {
        let own = state.recent.iter().filter(|taken| taken.system == side.system);
        match own.max_by(|a, b| a.edit.place.order(&b.edit.place).then(a.turn.cmp(&b.turn))) {
            Some(taken) => (taken.edit.value.clone(), Some(taken.edit.place)),
            None => (side.shown.clone(), None),
        }
    };
    let based = state.sides.iter().filter(|side| !side.unbased);
    based
        .map(|side| {
            let (value, place) = of(side);
            ReviewSide { system: side.system, value, place }
        })
        .collect()
}
