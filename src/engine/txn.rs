//! One step's overlay: what it read, what it changed, and the changes that come out of it.

use super::ascending::Ascending;
use super::record::Work;
use super::rest::Stood;
use super::{
    Begin, Cause, Change, Clocks, DigestRow, Effect, Happening, Ignored, JournalEntry, KeyHolder, Meta, Notice,
    OutboxRow, Problem, ProblemPlace, RereadRow, Run, Step, View, ViewError,
};
use crate::codec::{Decode, Encode};
use crate::model::{EntityId, FieldId, Home, Mark, Millis, OpId, Place, RecordId, RemoteKey, SystemId};
use crate::rules::{Entity, Rules};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

type Key = (EntityId, Vec<u8>);
/// A row as it stands in the store, and as this step leaves it.
type Moved<T> = (Option<T>, Option<T>);

/// Who holds a match key.
#[derive(Default)]
struct KeyRow {
    /// Those whom the store names, ascending; none = not asked yet, since adding a holder needs no look at the others.
    stood: Option<Vec<KeyHolder>>,
    /// Those whom this step added or removed, ascending: nearly always one.
    moved: Vec<(KeyHolder, bool)>,
    /// What both come to, where the others were asked for.
    now: Vec<KeyHolder>,
}

impl KeyRow {
    fn hold(&mut self, holder: KeyHolder, holds: bool) {
        match self.moved.binary_search_by_key(&holder, |(of, _)| *of) {
            Ok(at) => self.moved[at].1 = holds,
            Err(at) => self.moved.insert(at, (holder, holds)),
        }
        if self.stood.is_some() {
            match (self.now.binary_search(&holder), holds) {
                (Err(at), true) => self.now.insert(at, holder),
                (Ok(at), false) => drop(self.now.remove(at)),
                _ => {}
            }
        }
    }

    /// The holders, as this step leaves them.
    fn all(&mut self, ask: impl FnOnce() -> Result<Vec<KeyHolder>, ViewError>) -> Result<&[KeyHolder], ViewError> {
        if self.stood.is_none() {
            self.now = ask()?;
            self.stood = Some(self.now.clone());
            for (holder, holds) in std::mem::take(&mut self.moved) {
                self.hold(holder, holds);
            }
        }
        Ok(&self.now)
    }

    /// Holders that have come or gone.
    fn changes(self) -> impl Iterator<Item = (KeyHolder, bool)> {
        let stood = self.stood;
        let is_news = move |(holder, holds): &(KeyHolder, bool)| {
            stood.as_ref().is_none_or(|stood| stood.binary_search(holder).is_ok() != *holds)
        };
        self.moved.into_iter().filter(is_news)
    }
}

/// A step in the making.
pub(super) struct Txn<'a> {
    pub rules: &'a Rules,
    pub view: &'a dyn View,
    pub clocks: &'a Clocks,
    pub now: Millis,
    pub effects: Vec<Effect>,
    pub notices: Vec<Notice>,
    pub next: Option<RecordId>,
    /// Remote records that have become known, or a side of their record, in this step.
    pub arrived: Vec<(RemoteKey, RecordId)>,
    /// Records to which somebody does not refer any more in a system.
    pub released: Vec<(SystemId, EntityId, RecordId)>,
    meta: Meta,
    pub run: Run,
    pub cause: Cause,
    pub journal: Vec<JournalEntry>,
    works: Ascending<(EntityId, RecordId), Option<Work>>,
    index: Ascending<RemoteKey, Option<RecordId>>,
    keys: BTreeMap<Key, KeyRow>,
    digests: Ascending<RemoteKey, Option<DigestRow>>,
    /// Digest rows as they stand, of which this step knows.
    digests_read: Ascending<RemoteKey, Option<DigestRow>>,
    outbox: BTreeMap<(SystemId, EntityId, RecordId), Moved<OutboxRow>>,
    rereads: BTreeMap<RemoteKey, Moved<RereadRow>>,
    /// Does the store list any remote record to read again?
    any_rereads: OnceCell<bool>,
    pub problems: BTreeMap<(EntityId, RecordId, SystemId), Option<Problem>>,
    /// Does the store list any problem?
    any_problems: OnceCell<bool>,
    pub field_problems: BTreeMap<(EntityId, RecordId, SystemId, FieldId), Option<Problem>>,
    /// Who a system says made an edit, for the journal.
    authors: BTreeMap<(RecordId, SystemId), Vec<Author>>,
    pub ignored: BTreeMap<ProblemPlace, Option<Ignored>>,
    cursors: Vec<(String, Option<Vec<u8>>)>,
    delivered: BTreeMap<(Home, EntityId), Option<Place>>,
    pub record_changes: Vec<Change>,
    /// Records as they stood before they were saved.
    pub stood: Vec<Stood>,
    /// Records that a first full reading has mirrored.
    pub unread: u32,
}

/// How far a listing has been taken in.
#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) struct Delivered {
    /// By the system's clock.
    pub place: Place,
    /// When the pass was begun, by ours.
    pub begun: Millis,
}

/// Name of the cursor that holds how far an object's listing has been taken in completely.
pub(super) fn delivered_cursor(home: Home, entity: EntityId) -> String {
    format!("delivered:{:08x}:{:08x}:{:08x}", home.system.0, entity.0, home.object.0)
}

/// Who a system says made the edits of a record at a time.
struct Author {
    /// None = those of all its fields.
    field: Option<FieldId>,
    at: Millis,
    who: String,
}

impl<'a> Txn<'a> {
    pub fn new(rules: &'a Rules, view: &'a dyn View, clocks: &'a Clocks, cause: Cause) -> Result<Self, ViewError> {
        let mut meta = view.meta()?;
        // Never back; see [`Paced`](super::clock::Paced).
        meta.now_max = meta.now_max.max(clocks.now);
        Ok(Self {
            rules,
            view,
            clocks,
            now: meta.now_max,
            effects: Vec::new(),
            notices: Vec::new(),
            next: None,
            arrived: Vec::new(),
            run: meta.run,
            cause,
            released: Vec::new(),
            meta,
            journal: Vec::new(),
            works: Ascending::default(),
            index: Ascending::default(),
            keys: BTreeMap::new(),
            digests: Ascending::default(),
            digests_read: Ascending::default(),
            outbox: BTreeMap::new(),
            rereads: BTreeMap::new(),
            any_rereads: OnceCell::new(),
            problems: BTreeMap::new(),
            any_problems: OnceCell::new(),
            field_problems: BTreeMap::new(),
            authors: BTreeMap::new(),
            ignored: BTreeMap::new(),
            cursors: Vec::new(),
            delivered: BTreeMap::new(),
            record_changes: Vec::new(),
            stood: Vec::new(),
            unread: 0,
        })
    }

    /// The entity's rules; an entity that the config no longer names is left alone.
    pub fn entity(&self, id: EntityId) -> Result<&'a Entity, ViewError> {
        self.rules.entity(id).ok_or_else(|| ViewError(format!("the config names no entity {id:?}")))
    }

    pub fn mint_op(&mut self) -> OpId {
        self.meta.last_op += 1;
        OpId(self.meta.last_op)
    }

    /// Who made an edit, as far as this step was told.
    pub fn author(&self, record: RecordId, (system, field): (SystemId, FieldId), place: Place) -> Option<String> {
        let made = |author: &&Author| author.at == place.time && author.field.is_none_or(|of| of == field);
        self.authors.get(&(record, system))?.iter().rev().find(made).map(|author| author.who.clone())
    }

    /// A system says who made the edits of a record, or of one of its fields, at a time.
    pub fn note_author(
        &mut self,
        (record, system): (RecordId, SystemId),
        field: Option<FieldId>,
        at: Millis,
        who: String,
    ) {
        self.authors.entry((record, system)).or_default().push(Author { field, at, who });
    }

    /// Whoever changed a record last made what a row of it shows as an edit; of what we changed last somebody else made it.
    pub fn note_last(&mut self, record: RecordId, system: SystemId, (at, mark): (Millis, Mark), who: Option<&String>) {
        if let Some(who) = who.filter(|_| mark != Mark::Ours) {
            self.note_author((record, system), None, at, who.clone());
        }
    }

    pub fn journal(&mut self, entity: EntityId, record: Option<RecordId>, what: Happening) {
        let (at, run, cause) = (self.now, self.run, self.cause);
        self.journal.push(JournalEntry { at, run, cause, entity: Some(entity), record, what });
    }

    /// From now on everything belongs to a run of its own.
    pub fn begin(&mut self, begin: Begin) {
        self.begin_within(begin);
        self.meta.run = self.run;
    }

    /// What this step decides is a run of its own, within the one that is under way.
    pub fn begin_within(&mut self, Begin { what, config }: Begin) {
        self.meta.last_run = Run(self.meta.last_run.0.saturating_add(1));
        self.run = self.meta.last_run;
        let (at, run, cause) = (self.now, self.run, self.cause);
        let what = Happening::Began { what, config };
        self.journal.push(JournalEntry { at, run, cause, entity: None, record: None, what });
    }

    /// What this step decides belongs to the run that was begun last.
    pub fn go_on(&mut self) {
        self.run = self.meta.last_run;
    }

    /// Takes a record out for work; it must be put back with [`Self::put`].
    pub fn take(&mut self, entity: EntityId, id: RecordId) -> Result<Option<Work>, ViewError> {
        if let Some(work) = self.works.get_mut(&(entity, id)) {
            let gone = work.as_ref().is_some_and(Work::is_gone);
            return Ok(if gone { None } else { work.take() });
        }
        let Some(record) = self.view.record(entity, id)? else { return Ok(None) };
        let lately = self.view.lately(entity, id)?.unwrap_or_default();
        Ok(Some(Work::loaded(record, lately)))
    }

    pub fn put(&mut self, work: Work) {
        self.works.insert((work.record.entity, work.record.id), Some(work));
    }

    /// Records that refer to others, and that this step has moved.
    pub fn moved_referrers(&self) -> Vec<(EntityId, RecordId)> {
        self.moved_of(|id| self.rules.entity(id).is_some_and(|entity| entity.leads_to().next().is_some()))
    }

    /// Records of some entities that this step has moved.
    pub fn moved_of(&self, of: impl Fn(EntityId) -> bool) -> Vec<(EntityId, RecordId)> {
        let works = self.works.iter().filter(|(key, work)| of(key.0) && work.as_ref().is_some_and(Work::is_moved));
        works.map(|(key, _)| *key).collect()
    }

    /// The record was absorbed by another one.
    pub fn remove(&mut self, work: Work) {
        let (entity, id) = (work.record.entity, work.record.id);
        self.works.insert((entity, id), Some(work.removed()));
    }

    pub fn index_of(&self, key: &RemoteKey) -> Result<Option<RecordId>, ViewError> {
        match self.index.get(key) {
            Some(id) => Ok(*id),
            None => self.view.index(key),
        }
    }

    pub fn set_index(&mut self, key: RemoteKey, id: Option<RecordId>) {
        if let Some(id) = id
            && self.rules.is_referred_to(key.entity)
        {
            self.arrived.push((key.clone(), id));
        }
        self.index.insert(key, id);
    }

    pub fn holders(&mut self, entity: EntityId, key: &[u8]) -> Result<&[KeyHolder], ViewError> {
        let view = self.view;
        self.keys.entry((entity, key.to_vec())).or_default().all(|| view.keys(entity, key))
    }

    pub fn hold_key(&mut self, entity: EntityId, key: Vec<u8>, holder: KeyHolder, holds: bool) {
        self.keys.entry((entity, key)).or_default().hold(holder, holds);
    }

    pub fn set_digest(&mut self, key: RemoteKey, row: Option<DigestRow>) {
        self.digests.insert(key, row);
    }

    /// A digest row stands so in the store.
    pub fn note_digest(&mut self, key: RemoteKey, row: Option<DigestRow>) {
        self.digests_read.insert(key, row);
    }

    /// The digest row as this step left it, or as it stands.
    pub fn digest(&self, key: &RemoteKey) -> Result<Option<DigestRow>, ViewError> {
        match self.digests.get(key).or_else(|| self.digests_read.get(key)) {
            Some(row) => Ok(*row),
            None => {
                let rows = self.view.digests(key.entity, key.system, key.object, &[&key.remote])?;
                Ok(rows.into_iter().next().flatten())
            }
        }
    }

    /// The digest row of a side whose record is first mirrored in this step: the store can have none.
    pub fn digest_of_new(&self, key: &RemoteKey) -> Option<DigestRow> {
        self.digests.get(key).copied().flatten()
    }

    pub fn outbox(&self, at: (SystemId, EntityId, RecordId)) -> Result<Option<OutboxRow>, ViewError> {
        match self.outbox.get(&at) {
            Some((_, row)) => Ok(*row),
            None => self.view.outbox(at.0, at.1, at.2),
        }
    }

    /// The outbox row of a pair whose record is first mirrored in this step: the store can have none.
    pub fn outbox_of_new(&self, at: (SystemId, EntityId, RecordId)) -> Option<OutboxRow> {
        self.outbox.get(&at).and_then(|(_, row)| *row)
    }

    pub fn set_outbox(&mut self, at: (SystemId, EntityId, RecordId), row: Option<OutboxRow>) -> Result<(), ViewError> {
        match self.outbox.entry(at) {
            Entry::Occupied(mut known) => known.get_mut().1 = row,
            Entry::Vacant(new) => drop(new.insert((self.view.outbox(at.0, at.1, at.2)?, row))),
        }
        Ok(())
    }

    /// As [`Self::set_outbox`], of a row that is known as it stands.
    pub fn change_outbox(
        &mut self,
        at: (SystemId, EntityId, RecordId),
        known: Option<OutboxRow>,
        row: Option<OutboxRow>,
    ) {
        self.outbox.entry(at).or_insert((known, known)).1 = row;
    }

    pub fn reread(&mut self, key: &RemoteKey) -> Result<Option<RereadRow>, ViewError> {
        if let Some((_, row)) = self.rereads.get(key) {
            return Ok(*row);
        }
        // Mostly there are none at all, and this is asked of every record that moves.
        if !once(&self.any_rereads, || Ok(self.view.reread_len()? > 0))? {
            return Ok(None);
        }
        let row = self.view.reread(key)?;
        self.rereads.insert(key.clone(), (row, row));
        Ok(row)
    }

    pub fn set_reread(&mut self, key: RemoteKey, row: Option<RereadRow>) -> Result<(), ViewError> {
        if self.reread(&key)? != row {
            // Where none is known there was none.
            self.rereads.entry(key).or_default().1 = row;
        }
        Ok(())
    }

    /// The problem of a record as a whole, as this step leaves it.
    pub fn problem(&self, entity: EntityId, record: RecordId, system: SystemId) -> Result<Option<Problem>, ViewError> {
        match self.problems.get(&(entity, record, system)) {
            Some(problem) => Ok(problem.clone()),
            None => self.view.problem(entity, record, system),
        }
    }

    pub fn set_problem(&mut self, entity: EntityId, record: RecordId, system: SystemId, problem: Option<Problem>) {
        self.problems.insert((entity, record, system), problem);
    }

    /// Is anything listed as a problem, or about to be?
    pub fn any_problems(&self) -> Result<bool, ViewError> {
        Ok(!self.field_problems.is_empty() || once(&self.any_problems, || Ok(self.view.problems_len()? > 0))?)
    }

    /// The problems of a record's single fields, as this step leaves them.
    pub fn field_problems(
        &self,
        entity: EntityId,
        record: RecordId,
    ) -> Result<BTreeMap<(SystemId, FieldId), Problem>, ViewError> {
        if !self.any_problems()? {
            return Ok(BTreeMap::new());
        }
        let rows = self.view.field_problems(entity, record)?;
        let mut rows: BTreeMap<_, _> = rows.into_iter().map(|(system, field, row)| ((system, field), row)).collect();
        let from = (entity, record, SystemId(0), FieldId(0));
        let own = self.field_problems.range(from..).take_while(|((e, r, ..), _)| (*e, *r) == (entity, record));
        for ((_, _, system, field), problem) in own {
            match problem {
                Some(problem) => rows.insert((*system, *field), problem.clone()),
                None => rows.remove(&(*system, *field)),
            };
        }
        Ok(rows)
    }

    pub fn set_field_problem(
        &mut self,
        (entity, record): (EntityId, RecordId),
        (system, field): (SystemId, FieldId),
        problem: Option<Problem>,
    ) {
        self.field_problems.insert((entity, record, system, field), problem);
    }

    /// A named cursor, as this step leaves it.
    pub fn cursor(&self, name: &str) -> Result<Option<Vec<u8>>, ViewError> {
        match self.cursors.iter().rev().find(|(known, _)| known == name) {
            Some((_, bytes)) => Ok(bytes.clone()),
            None => self.view.cursor(name),
        }
    }

    pub fn set_cursor(&mut self, name: String, bytes: Option<Vec<u8>>) {
        self.cursors.push((name, bytes));
    }

    /// Up to where everything of an object was delivered by complete passes, as committed before this step.
    pub fn delivered(&mut self, home: Home, entity: EntityId) -> Result<Option<Place>, ViewError> {
        if let Some(place) = self.delivered.get(&(home, entity)) {
            return Ok(*place);
        }
        let place = self.known_delivered(home, entity)?.map(|known| known.place);
        self.delivered.insert((home, entity), place);
        Ok(place)
    }

    /// When (our clock) the last complete pass over an object was begun.
    pub fn passed(&mut self, home: Home, entity: EntityId) -> Result<Option<Millis>, ViewError> {
        Ok(self.known_delivered(home, entity)?.map(|known| known.begun))
    }

    /// How far a listing had been taken in before this step.
    pub fn known_delivered(&self, home: Home, entity: EntityId) -> Result<Option<Delivered>, ViewError> {
        let bytes = self.view.cursor(&delivered_cursor(home, entity))?;
        let decode = |bytes: Vec<u8>| crate::codec::decode::<Delivered>(1, &bytes);
        bytes.map(decode).transpose().map_err(|error| ViewError(format!("cursor of {home:?}: {error}")))
    }

    /// The step: every change of the overlay, in an order that depends on nothing but its content.
    pub fn finish(mut self) -> Result<Step, ViewError> {
        self.follow_links()?;
        self.wake()?;
        self.look_ahead_all()?;
        let works = std::mem::take(&mut self.works);
        for work in works.into_all().filter_map(|(_, work)| work) {
            self.save(work)?;
        }
        self.tell_rest();
        self.hasten_deletes()?;
        let ignored = self.save_ignored()?;
        let mut changes = std::mem::take(&mut self.record_changes);
        changes.extend(self.index.into_all().map(|(key, id)| Change::SetIndex(key, id)));
        for ((entity, key), row) in self.keys {
            changes.extend(row.changes().map(|(holder, holds)| match holds {
                true => Change::AddKey(entity, key.clone(), holder),
                false => Change::RemoveKey(entity, key.clone(), holder),
            }));
        }
        changes.extend(self.digests.into_all().map(|(key, row)| Change::SetDigest(key, row)));
        let moved = self.outbox.into_iter().filter(|(_, (before, after))| before != after);
        changes
            .extend(moved.map(|((system, entity, record), (_, row))| Change::SetOutbox(system, entity, record, row)));
        let moved = self.rereads.into_iter().filter(|(_, (before, after))| before != after);
        changes.extend(moved.map(|(key, (_, row))| Change::SetReread(key, row)));
        changes.extend(self.problems.into_iter().map(|((entity, record, system), problem)| {
            Change::SetProblem(entity, record, system, problem.map(Box::new))
        }));
        changes.extend(self.field_problems.into_iter().map(|((entity, record, system, field), problem)| {
            Change::SetFieldProblem(entity, record, system, field, problem.map(Box::new))
        }));
        changes.extend(ignored);
        changes.extend(self.cursors.into_iter().map(|(name, bytes)| Change::SetCursor(name, bytes)));
        changes.extend(self.journal.into_iter().map(|entry| Change::Journal(Box::new(entry))));
        if !changes.is_empty() {
            changes.push(Change::SetMeta(self.meta));
        }
        Ok(Step { changes, effects: self.effects, notices: self.notices, next: self.next })
    }
}

/// What the store says does not change within a step.
fn once(known: &OnceCell<bool>, ask: impl FnOnce() -> Result<bool, ViewError>) -> Result<bool, ViewError> {
    match known.get() {
        Some(known) => Ok(*known),
        None => ask().map(|any| *known.get_or_init(|| any)),
    }
}
