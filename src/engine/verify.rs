//! Comparing what systems show with each other through the mirror's links: equal, or the list of what differs.

use super::held::is_held;
use super::record::shown;
use super::refs::resolve;
use super::row::{canonical, digest_of};
use super::ties::{owed_ties, resolve_ties};
use super::{View, ViewError};
use crate::model::{
    Apart, Digest, EntityId, FieldId, Home, ObjectId, Raw, Record, RecordId, RemoteId, RemoteKey, Side, SideState,
    SystemId, Value,
};
use crate::rules::{Entity, Field, Rules};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What one system shows of one record, in the order of the fields that it holds; none = its type cannot hold it.
pub type ShownRow = Vec<Option<Value>>;

/// Everything that the systems show, read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remotes(BTreeMap<(EntityId, Home), BTreeMap<RemoteId, Row>>);

/// A row, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Row {
    /// All of it.
    Shown(ShownRow),
    /// Enough to see whether it shows what the mirror holds.
    Digest(Digest),
}

impl Remotes {
    /// Takes in a row.
    pub fn put(&mut self, entity: &Entity, home: Home, remote: RemoteId, raws: &[Raw]) {
        let shown = canonical(entity, (home, &remote), raws).values.into_iter().map(Result::ok).collect();
        self.put_shown(entity.id, home, remote, shown);
    }

    /// Takes in a digest of a row in its place. That is enough where it shows what the mirror holds; where it does not, [`verify`] doubts
    /// it, and wants all of it. A row of which some value cannot be read is taken in as it is, and so is one with ties.
    pub fn note(&mut self, entity: &Entity, home: Home, remote: RemoteId, raws: &[Raw]) {
        let shown = canonical(entity, (home, &remote), raws);
        let has_ties = entity.fields_at(home).any(|(field, _)| field.ties_to().is_some());
        match digest_of(entity, home, &shown).filter(|_| !has_ties) {
            Some(digest) => drop(self.0.entry((entity.id, home)).or_default().insert(remote, Row::Digest(digest))),
            None => self.put_shown(entity.id, home, remote, shown.values.into_iter().map(Result::ok).collect()),
        }
    }

    /// Takes in all that another reading has.
    pub fn join(&mut self, other: Self) {
        for (of, mut rows) in other.0 {
            self.0.entry(of).or_default().append(&mut rows);
        }
    }

    /// The record is not there any more.
    pub fn remove(&mut self, entity: EntityId, home: Home, remote: &RemoteId) {
        if let Some(rows) = self.0.get_mut(&(entity, home)) {
            rows.remove(remote);
        }
    }

    /// Takes in what a row is known to show.
    pub(super) fn put_shown(&mut self, entity: EntityId, home: Home, remote: RemoteId, shown: ShownRow) {
        self.0.entry((entity, home)).or_default().insert(remote, Row::Shown(shown));
    }

    /// The rows of an object of which all is kept, ascending by id.
    pub(super) fn rows(&self, entity: EntityId, home: Home) -> impl Iterator<Item = (&RemoteId, &ShownRow)> {
        self.0.get(&(entity, home)).into_iter().flatten().filter_map(|(remote, row)| match row {
            Row::Shown(shown) => Some((remote, shown)),
            Row::Digest(_) => None,
        })
    }

    /// Is a record there?
    pub(super) fn has(&self, entity: EntityId, home: Home, remote: &RemoteId) -> bool {
        self.row(entity, home, remote).is_some()
    }

    fn row(&self, entity: EntityId, home: Home, remote: &RemoteId) -> Option<&Row> {
        self.0.get(&(entity, home))?.get(remote)
    }
}

/// Fields of compared records that are left out of every root, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Excluded {
    /// The first link left both values.
    pub split: u64,
    /// A person has to decide.
    pub review: u64,
    /// A system refused our write.
    pub parked: u64,
    /// The field goes one way.
    pub one_way: u64,
    /// A value that its type cannot hold, or a create that was refused.
    pub problem: u64,
    /// A patch is on its way, or a row was not read as a whole.
    pub pending: u64,
}

/// A field whose values differ without a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The record.
    pub record: RecordId,
    /// Where it stands.
    pub remotes: Vec<(SystemId, RemoteId)>,
    /// The field; none = a whole record is missing somewhere.
    pub field: Option<FieldId>,
    /// What each system shows; none = nothing is there.
    pub shown: Vec<(SystemId, Option<Value>)>,
}

/// One entity, compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// `compared + detached + unmatched + scope`.
    pub records: u64,
    /// Records that stand, or are about to stand, in several systems.
    pub compared: u64,
    /// Records whose link a delete ended.
    pub detached: u64,
    /// Records that stand in one system only.
    pub unmatched: u64,
    /// Records that stand in one system at most but for those where they are out of scope.
    pub scope: u64,
    /// Fields left out.
    pub excluded: Excluded,
    /// A hash of all compared fields, by system.
    pub roots: Vec<(SystemId, Digest)>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Records on which something differs or is pending: worth a second look.
    pub doubtful: Vec<(Home, RemoteId)>,
}

impl Verdict {
    /// No difference, and nothing on its way.
    pub fn equal(&self) -> bool {
        self.differences.is_empty() && self.excluded.pending == 0
    }

    /// Equal, and nothing that a person has to mend.
    pub fn sound(&self) -> bool {
        self.equal() && self.excluded.problem == 0 && self.excluded.parked == 0
    }
}

/// Compares one entity.
///
/// # Errors
/// The view cannot be read.
pub fn verify(rules: &Rules, view: &dyn View, remotes: &Remotes, id: EntityId) -> Result<Verdict, ViewError> {
    let Some(entity) = rules.entity(id) else { return Err(ViewError(format!("the config names no entity {id:?}"))) };
    let mut work = Work {
        rules,
        view,
        remotes,
        entity,
        roots: entity.systems().map(|system| (system, blake3::Hasher::new())).collect(),
        known: BTreeMap::new(),
        verdict: Verdict::default(),
    };
    let mut after = None;
    loop {
        let page = view.record_scan(id, after, PAGE)?;
        for record in &page {
            work.record(record)?;
        }
        after = page.last().map(|record| record.id);
        if page.len() < PAGE {
            break;
        }
    }
    Ok(work.finish())
}

struct Work<'a> {
    rules: &'a Rules,
    view: &'a dyn View,
    remotes: &'a Remotes,
    entity: &'a Entity,
    roots: Vec<(SystemId, blake3::Hasher)>,
    /// How many rows of each object are of records that are mirrored.
    known: BTreeMap<Home, usize>,
    verdict: Verdict,
}

/// One side of a record under comparison.
struct Seen<'a> {
    system: SystemId,
    remote: &'a RemoteId,
    object: ObjectId,
    row: Read<'a>,
    /// Something is to be sent there or read there.
    busy: bool,
}

/// What is known of a row.
enum Read<'a> {
    /// It is not there.
    Missing,
    /// It is there, and shows something else than the mirror holds.
    Unread,
    /// What it shows.
    Shown(Cow<'a, ShownRow>),
}

impl Seen<'_> {
    fn home(&self) -> Home {
        Home { system: self.system, object: self.object }
    }
}

impl<'a> Work<'a> {
    fn record(&mut self, record: &Record) -> Result<(), ViewError> {
        let id = record.id;
        for side in record.standing_sides() {
            let is_there = self.remotes.has(self.entity.id, side.home(), &side.remote);
            *self.known.entry(side.home()).or_default() += usize::from(is_there);
        }
        let mut sides = Vec::new();
        for side in record.live_sides() {
            let key = RemoteKey {
                entity: record.entity,
                system: side.system,
                object: side.object,
                remote: side.remote.clone(),
            };
            let busy = self.sends(side.system, id)? || self.view.reread(&key)?.is_some();
            let row = self.read(record, side)?;
            sides.push(Seen { system: side.system, remote: &side.remote, object: side.object, row, busy });
        }
        let mut creating = None;
        for system in self.entity.systems() {
            let there = record.side(system).is_some_and(|side| side.state != SideState::Creating);
            if let Some(row) = self.view.outbox(system, self.entity.id, id)?.filter(|_| !there) {
                creating = Some(Home { system, object: row.object });
            }
        }
        self.verdict.records += 1;
        if let Some(home) = creating.filter(|_| sides.len() < 2) {
            self.verdict.compared += 1;
            let fields = self.entity.fields_at(home).filter(|(field, _)| field.systems_len() > 1).count() as u64;
            match self.view.problem(self.entity.id, id, home.system)? {
                Some(_) => self.verdict.excluded.problem += fields,
                None => {
                    self.verdict.excluded.pending += fields;
                    self.doubt(&sides);
                }
            }
        } else if sides.len() > 1 {
            self.verdict.compared += 1;
            self.compare(record, &sides)?;
        } else if record.sides.iter().any(|side| side.state == SideState::Detached) {
            self.verdict.detached += 1;
        } else if record.standing_sides().any(|side| side.state != SideState::Live) {
            self.verdict.scope += 1;
        } else {
            self.verdict.unmatched += 1;
        }
        Ok(())
    }

    /// What a side shows: where only a digest is kept, what the mirror says, if that has the same.
    fn read(&self, record: &Record, side: &Side) -> Result<Read<'a>, ViewError> {
        let digest = match self.remotes.row(self.entity.id, side.home(), &side.remote) {
            None => return Ok(Read::Missing),
            Some(Row::Shown(row)) => return Ok(Read::Shown(Cow::Borrowed(row))),
            Some(Row::Digest(digest)) => digest,
        };
        let Some(row) = self.mirrored(record, side)? else { return Ok(Read::Unread) };
        let fields = self.entity.fields_at(side.home()).map(|(field, _)| field.id);
        Ok(match Digest::of_fields(fields.zip(&row)) == *digest {
            true => Read::Shown(Cow::Owned(row.into_iter().map(Some).collect())),
            false => Read::Unread,
        })
    }

    /// What the mirror says that a side shows, with references by the system's own ids; none where such an id is not known.
    fn mirrored(&self, record: &Record, side: &Side) -> Result<Option<Vec<Value>>, ViewError> {
        let mut row = Vec::new();
        for (field, _) in self.entity.fields_at(side.home()) {
            let value = match (shown(record, field, side.system), field.refers_to()) {
                (Value::Ref(id), Some(to)) => {
                    let target = self.view.record(to, id)?;
                    let there = target.as_ref().and_then(|target| target.side(side.system));
                    let Some(there) = there else { return Ok(None) };
                    Value::Text(there.remote.as_str().into())
                }
                (value, _) => value,
            };
            row.push(value);
        }
        Ok(Some(row))
    }

    /// Is something to be sent to this side?
    fn sends(&self, system: SystemId, id: RecordId) -> Result<bool, ViewError> {
        Ok(self.view.outbox(system, self.entity.id, id)?.is_some())
    }

    fn doubt(&mut self, sides: &[Seen<'_>]) {
        self.verdict.doubtful.extend(sides.iter().map(|side| (side.home(), side.remote.clone())));
    }

    fn compare(&mut self, record: &Record, sides: &[Seen<'_>]) -> Result<(), ViewError> {
        let is_there = |side: &Seen<'_>| !matches!(side.row, Read::Missing);
        if !sides.iter().all(is_there) {
            let there = |side| is_there(side).then_some(Value::Bool(true));
            let shown = sides.iter().map(|side| (side.system, there(side))).collect();
            self.differs(record, sides, None, shown);
            return Ok(());
        }
        if sides.iter().any(|side| matches!(side.row, Read::Unread)) {
            let shared = |field: &&Field| sides.iter().filter(|side| field.binding(side.home()).is_some()).count() > 1;
            self.verdict.excluded.pending += self.entity.fields.iter().filter(shared).count() as u64;
            self.doubt(sides);
            return Ok(());
        }
        let mut unreadable = Vec::new();
        for side in sides {
            unreadable.extend(self.view.problem(self.entity.id, record.id, side.system)?.map(|problem| problem.fields));
        }
        let of_fields = self.view.field_problems(self.entity.id, record.id)?;
        unreadable.extend(of_fields.iter().map(|(_, _, problem)| problem.fields.clone()));
        let entity = self.entity;
        for field in &entity.fields {
            let at: Vec<&Seen<'_>> = sides.iter().filter(|side| field.binding(side.home()).is_some()).collect();
            if at.len() > 1 {
                let named = |name: &String| field.leaves().iter().chain([field]).any(|field| field.name == *name);
                let listed = unreadable.iter().flatten().any(named);
                // What a side cannot hold is not shown by it.
                let held = of_fields.iter().any(|(_, id, problem)| *id == field.id && is_held(problem));
                self.field(record, sides, &at, field, (listed, held))?;
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        record: &Record,
        sides: &[Seen<'_>],
        at: &[&Seen<'_>],
        field: &Field,
        (listed, held): (bool, bool),
    ) -> Result<(), ViewError> {
        let register = record.register(field.id).map(|reg| reg.val.clone()).unwrap_or_default();
        let shown: Vec<(SystemId, Option<Value>)> =
            at.iter().map(|side| Ok((side.system, self.shown(field, side)?))).collect::<Result<_, ViewError>>()?;
        let right = at.iter().zip(&shown).map(|(side, (_, shown))| {
            let binding = field.binding(side.home());
            let content = || shown.as_ref().is_some_and(|shown| field.is_content(side.home(), &register, shown));
            binding.is_some_and(|binding| shown.as_ref() == Some(&field.project(binding, &register))) || content()
        });
        let mut right: Vec<bool> = right.collect();
        for ((right, side), (_, shown)) in right.iter_mut().zip(at).zip(&shown) {
            // Ties whose other end does not stand there are no part of what it should show.
            let (Some(shown), true, false) = (shown, field.ties_to().is_some(), *right) else { continue };
            *right = owed_ties(self.view, record, field, (side.home(), shown))?.is_empty();
        }
        let equal = right.iter().all(|right| *right);
        let apart = |wanted: fn(Apart) -> bool| {
            let differs = at.iter().filter_map(|side| record.side(side.system)?.differs(field.id)?.apart);
            differs.into_iter().any(wanted)
        };
        let excluded = &mut self.verdict.excluded;
        if !equal && apart(|apart| apart == Apart::Split) {
            excluded.split += 1;
        } else if !equal && apart(|apart| apart == Apart::OneWay) {
            excluded.one_way += 1;
        } else if !equal && apart(|apart| apart == Apart::Review) {
            excluded.review += 1;
        } else if !equal && apart(|apart| matches!(apart, Apart::Parked { .. })) {
            excluded.parked += 1;
        } else if !equal && (held || listed && shown.iter().any(|(_, shown)| shown.is_none())) {
            excluded.problem += 1;
        } else if !equal && at.iter().any(|side| side.busy) {
            excluded.pending += 1;
            self.doubt(sides);
        } else {
            for ((side, (_, shown)), right) in at.iter().zip(&shown).zip(&right) {
                let value = if *right { Some(&register) } else { shown.as_ref() };
                self.hash(side.system, record.id, field.id, value.unwrap_or(&Value::Null));
            }
            if !equal {
                self.differs(record, sides, Some(field.id), shown);
            }
        }
        Ok(())
    }

    fn shown(&self, field: &Field, side: &Seen<'_>) -> Result<Option<Value>, ViewError> {
        let at = self.entity.fields_at(side.home()).position(|(other, _)| other.id == field.id);
        let row = if let Read::Shown(row) = &side.row { Some(row) } else { None };
        let shown = at.and_then(|at| row?.get(at)?.clone());
        if let (Some(to), Some(told)) = (field.ties_to(), &shown) {
            let (ties, _) = resolve_ties(self.rules, (to, side.system), told, |key| self.view.index(key))?;
            return Ok(Some(ties));
        }
        match (field.refers_to(), shown) {
            // What was read is the system's own id.
            (Some(to), Some(Value::Text(id))) => {
                Ok(resolve(self.rules, (to, side.system), &id, |key| self.view.index(key))?.map(Value::Ref))
            }
            (_, shown) => Ok(shown),
        }
    }

    fn hash(&mut self, system: SystemId, record: RecordId, field: FieldId, value: &Value) {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&record.0);
        bytes.extend_from_slice(&field.0.to_be_bytes());
        value.canonical_bytes(&mut bytes);
        if let Some((_, root)) = self.roots.iter_mut().find(|(of, _)| *of == system) {
            root.update(&bytes);
        }
    }

    fn differs(
        &mut self,
        record: &Record,
        sides: &[Seen<'_>],
        field: Option<FieldId>,
        shown: Vec<(SystemId, Option<Value>)>,
    ) {
        debug_assert!(sides.iter().all(|side| record.side(side.system).is_some_and(|own| own.object == side.object)));
        self.doubt(sides);
        let remotes = sides.iter().map(|side| (side.system, side.remote.clone())).collect();
        self.verdict.differences.push(Difference { record: record.id, remotes, field, shown });
    }

    fn finish(mut self) -> Verdict {
        for ((entity, home), rows) in &self.remotes.0 {
            if *entity == self.entity.id {
                let unknown = rows.len().saturating_sub(self.known.get(home).copied().unwrap_or_default());
                self.verdict.unmatched += unknown as u64;
                self.verdict.records += unknown as u64;
            }
        }
        self.verdict.doubtful.sort_unstable();
        self.verdict.doubtful.dedup();
        let mut roots: Vec<(SystemId, Digest)> = Vec::new();
        for (system, root) in self.roots {
            let mut digest = Digest::default();
            digest.0.copy_from_slice(&root.finalize().as_bytes()[..16]);
            roots.push((system, digest));
        }
        roots.sort_by_key(|(system, _)| self.rules.rank(*system));
        self.verdict.roots = roots;
        self.verdict
    }
}

const PAGE: usize = 1_000;

#[cfg(test)]
mod tests;
