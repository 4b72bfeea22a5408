//! What can happen to the engine, and what it asks for: two closed enums.

use super::clock::Paced;
use super::ignore::Ignore;
use super::operate::{Hindrance, Operate, Operation};
use super::txn::Txn;
use super::{Cause, Change, View, ViewError};
use crate::model::{
    ClockOffset, Departure, Digest, EntityId, Home, Mark, Millis, ObjectId, OpId, Outcome, Place, Raw, RawRow, ReadRow,
    RecordId, RemoteId, RowDecoder, SystemId, Target, Timing, WriteItem,
};
use crate::rules::{Owners, Remap, Rules};

/// The time of a step: ours, and how far each system's clock may be from it.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    /// Our clock.
    pub now: Millis,
    /// Offsets of the systems' clocks; a system without one counts as equal to ours.
    pub offsets: Vec<(SystemId, ClockOffset)>,
}

impl Clocks {
    /// The offset of a system's clock.
    pub fn offset(&self, system: SystemId) -> ClockOffset {
        self.offsets.iter().find(|(s, _)| *s == system).map(|(_, offset)| *offset).unwrap_or_default()
    }
}

/// Which reading a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The first full read: unknown records are mirrored, and linked later, when all systems have been read.
    Backfill,
    /// What changed lately: unknown records are linked or created at once.
    Changes,
}

/// A page of rows; [`RawPage`](crate::model::RawPage) without the transport.
pub struct PageRows<'a> {
    /// The entity.
    pub entity: EntityId,
    /// The system and the object.
    pub home: Home,
    /// The reading.
    pub pass: Pass,
    /// The rows, in any order.
    pub rows: &'a [RawRow],
    /// Decodes the rows that the digests cannot dismiss.
    pub decoder: &'a dyn RowDecoder,
    /// When the page was asked for.
    pub timing: Timing,
    /// A cursor to commit with the page.
    pub cursor: Option<(String, Vec<u8>)>,
    /// Set on the last page: when the pass as a whole was begun. From then on everything older has been delivered.
    pub complete: Option<Timing>,
}

/// Records read by id.
#[derive(Debug, Clone)]
pub struct Reads {
    /// The entity.
    pub entity: EntityId,
    /// The system and the object.
    pub home: Home,
    /// Which ids were asked for.
    pub asked: Vec<RemoteId>,
    /// What was found.
    pub rows: Vec<ReadRow>,
    /// When they were asked for.
    pub timing: Timing,
}

/// One event of an ordered stream.
#[derive(Debug, Clone)]
pub struct Event {
    /// The record.
    pub remote: RemoteId,
    /// Where in the stream, and when.
    pub place: Place,
    /// The properties that changed, with their values.
    pub fields: Vec<(String, Raw)>,
    /// Whose change it was.
    pub mark: Mark,
}

/// A run of a stream's events.
#[derive(Debug, Clone)]
pub struct Events {
    /// The entity.
    pub entity: EntityId,
    /// The system and the object.
    pub home: Home,
    /// The events, in the order of the stream.
    pub events: Vec<Event>,
    /// Everything up to here has been delivered.
    pub delivered: Place,
}

/// Records that a system says are deleted.
#[derive(Debug, Clone)]
pub struct DeletedRows {
    /// The entity.
    pub entity: EntityId,
    /// The system and the object.
    pub home: Home,
    /// The ids, and what became of them.
    pub rows: Vec<(RemoteId, Departure)>,
    /// A cursor to commit with them.
    pub cursor: Option<(String, Vec<u8>)>,
}

/// What became of one write.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The operation.
    pub op: OpId,
    /// The record that was written.
    pub record: RecordId,
    /// The remote record that it was sent to; none = a new one.
    pub target: Option<RemoteId>,
    /// The outcome.
    pub outcome: Outcome,
}

impl Answer {
    /// What became of a write, whose record it was built from.
    pub fn of(record: RecordId, item: &WriteItem, outcome: Outcome) -> Self {
        let target = match &item.target {
            Target::Update(remote) => Some(remote.clone()),
            Target::Create { .. } => None,
        };
        Self { op: item.op, record, target, outcome }
    }

    /// What became of a delete.
    pub fn of_delete(record: RecordId, item: &DeleteItem, outcome: Outcome) -> Self {
        Self { op: item.op, record, target: Some(item.remote.clone()), outcome }
    }

    /// The remote record that was written, as far as it is known: that of the answer, where it names one.
    pub(super) fn written(&self) -> Option<&RemoteId> {
        match &self.outcome {
            Outcome::Done { remote, .. } | Outcome::Partly { remote, .. } => Some(remote),
            _ => self.target.as_ref(),
        }
    }
}

/// Answers to a batch of writes.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The entity.
    pub entity: EntityId,
    /// The system.
    pub system: SystemId,
    /// One per write.
    pub answers: Vec<Answer>,
}

/// The answer to a fresh look-up before creates.
#[derive(Debug, Clone)]
pub struct LookedUp {
    /// The entity.
    pub entity: EntityId,
    /// The system.
    pub system: SystemId,
    /// The records for which it was asked.
    pub records: Vec<RecordId>,
    /// What was found, and of which object.
    pub rows: Vec<(ObjectId, ReadRow)>,
    /// When it was asked.
    pub timing: Timing,
}

/// A run of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Which command, and for whom.
    pub what: String,
    /// Digest of the mapping in force.
    pub config: Digest,
}

/// Everything that can happen.
pub enum Input<'a> {
    /// A page of rows.
    Page(PageRows<'a>),
    /// Records read by id.
    Read(Reads),
    /// Events of a stream.
    Events(Events),
    /// Deletes.
    Deleted(DeletedRows),
    /// Answers to writes.
    Answers(Answers),
    /// The answer to a look-up.
    LookedUp(LookedUp),
    /// A run begins: what is journaled from now on is a part of it.
    Begin(Begin),
    /// The program starts: what was in flight has an unknown outcome.
    Start,
    /// Links what matches after a first full read; call until the step says that nothing is left.
    Link {
        /// The entity.
        entity: EntityId,
        /// Go on after this record.
        after: Option<RecordId>,
        /// Queue creates as well?
        create: bool,
        /// Records a step.
        limit: usize,
    },
    /// The mapping has changed: what it no longer names is forgotten, and what it names anew is without a base, so that the next
    /// full read links it. Call until the step says that nothing is left; the store's match keys of the entity are gone by
    /// then if the remap says so.
    Remap {
        /// The entity.
        entity: EntityId,
        /// What has changed.
        remap: &'a Remap,
        /// Go on after this record.
        after: Option<RecordId>,
        /// Records a step.
        limit: usize,
    },
    /// The table of a system's users has changed, and the rules have the new one: what its sides show is kept as it was known.
    /// Call until the step says that nothing is left.
    People {
        /// The entity.
        entity: EntityId,
        /// The system.
        system: SystemId,
        /// Whom owners meant there until now.
        older: &'a Owners,
        /// Go on after this record.
        after: Option<RecordId>,
        /// Records a step.
        limit: usize,
    },
    /// Looks after records with a recent past: closes, forgets, times out.
    Sweep {
        /// The entity.
        entity: EntityId,
        /// Go on after this record.
        after: Option<RecordId>,
        /// Records a step.
        limit: usize,
    },
    /// Somebody who operates Syncline decides about fields.
    Operate(Operate),
    /// Forgets records that have been gone from all their systems for longer than [`TOMBSTONE_MS`](super::TOMBSTONE_MS).
    Forget {
        /// The entity.
        entity: EntityId,
        /// Go on after this record.
        after: Option<RecordId>,
        /// Records a step.
        limit: usize,
    },
    /// Tries again now what was refused, put off or could not be read: somebody says that the cause is gone.
    Retry {
        /// The records.
        records: Vec<(EntityId, RecordId)>,
    },
    /// Somebody who operates Syncline ignores problems, or no longer does.
    Ignore(Ignore),
    /// Asks what is to be done for one entity on one system.
    Work {
        /// The entity.
        entity: EntityId,
        /// The system.
        system: SystemId,
        /// May records be created? Not before all systems have been read once.
        create: bool,
    },
}

impl Input<'_> {
    fn cause(&self) -> Cause {
        match self {
            Input::Begin(_) => Cause::Begin,
            Input::Page(PageRows { pass: Pass::Backfill, .. }) => Cause::Backfill,
            Input::Page(PageRows { pass: Pass::Changes, .. }) => Cause::Poll,
            Input::Read(_) => Cause::Read,
            Input::Events(_) => Cause::Event,
            Input::Deleted(_) => Cause::Deletes,
            Input::Answers(_) => Cause::Answer,
            Input::LookedUp(_) => Cause::LookUp,
            Input::Start => Cause::Start,
            Input::Link { .. } => Cause::Link,
            Input::Remap { .. } => Cause::Mapping,
            Input::People { .. } => Cause::Users,
            Input::Sweep { .. } | Input::Forget { .. } => Cause::Time,
            Input::Operate(_) | Input::Retry { .. } | Input::Ignore(_) => Cause::Operator,
            Input::Work { .. } => Cause::Work,
        }
    }
}

/// What the engine asks for, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read these records by id, with history where the source has one.
    Read {
        /// The entity.
        entity: EntityId,
        /// The system and the object.
        home: Home,
        /// The ids.
        ids: Vec<RemoteId>,
    },
    /// Ask freshly for records with these values of a property.
    LookUp {
        /// The entity.
        entity: EntityId,
        /// The system.
        system: SystemId,
        /// What to ask, of each object in which the records may stand. The answers come back as one.
        asks: Vec<Ask>,
        /// The records that wait for it.
        records: Vec<RecordId>,
    },
    /// Write these records.
    Write {
        /// The entity.
        entity: EntityId,
        /// The system and the object.
        home: Home,
        /// What to write, and for which record; all updates or all creates.
        items: Vec<(RecordId, WriteItem)>,
    },
    /// Delete these records; the answers come back as those to writes.
    Delete {
        /// The entity.
        entity: EntityId,
        /// The system and the object.
        home: Home,
        /// Which, each as an operation of its own.
        items: Vec<(RecordId, DeleteItem)>,
    },
}

/// One record to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteItem {
    /// Names the intent.
    pub op: OpId,
    /// Its id there.
    pub remote: RemoteId,
}

/// A look-up in one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The object.
    pub object: ObjectId,
    /// The property.
    pub property: String,
    /// Its values.
    pub values: Vec<String>,
}

/// Something worth telling while it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A record is no more in a system; the link ended, the other sides are left alone.
    Detached {
        /// The entity.
        entity: EntityId,
        /// The record.
        record: RecordId,
        /// Where that was.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
        /// What became of it.
        why: Departure,
    },
    /// A record was deleted by us, since it was deleted elsewhere or has left the scope there.
    Deleted {
        /// The entity.
        entity: EntityId,
        /// The record.
        record: RecordId,
        /// Where that was.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
    },
    /// A linked record has left the scope: nothing is read there or written until it is back.
    LeftScope {
        /// The entity.
        entity: EntityId,
        /// The record.
        record: RecordId,
        /// Where that was.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
    },
    /// A record became one of another object of its system, and goes on as that.
    Converted {
        /// The entity.
        entity: EntityId,
        /// The record.
        record: RecordId,
        /// Where that was.
        system: SystemId,
        /// What its id was.
        remote: RemoteId,
        /// What its id is now.
        into: RemoteId,
    },
    /// An operator's decision was not carried out.
    NotOperated {
        /// The decision.
        operation: Operation,
        /// Why.
        why: Hindrance,
    },
    /// A row could not be decoded; it was left out.
    Undecodable {
        /// The system.
        system: SystemId,
        /// The row's id.
        remote: RemoteId,
        /// What was wrong.
        cause: String,
    },
    /// A record, or something in its history, is dated ahead of its system's clock: that time was not believed.
    Ahead {
        /// The system.
        system: SystemId,
        /// The record's id.
        remote: RemoteId,
        /// The time.
        at: Millis,
    },
}

/// What a step decided.
#[derive(Debug, Default)]
pub struct Step {
    /// To commit, all or nothing.
    pub changes: Vec<Change>,
    /// To do, after the commit.
    pub effects: Vec<Effect>,
    /// To tell.
    pub notices: Vec<Notice>,
    /// [`Input::Link`] and [`Input::Sweep`]: where to go on; none = done.
    pub next: Option<RecordId>,
}

/// Decides about one input. Pure: the same view, input and clocks give the same step.
///
/// # Errors
/// The view cannot be read. Nothing was decided.
pub fn step(rules: &Rules, view: &dyn View, clocks: &Clocks, input: Input<'_>) -> Result<Step, ViewError> {
    let paced = Paced::new(rules, view, clocks)?;
    let mut txn = Txn::new(rules, view, &paced.clocks, input.cause())?;
    match paced.told(input) {
        Input::Begin(begin) => txn.begin(begin),
        Input::Page(page) => txn.page(page)?,
        Input::Read(reads) => txn.reads(reads)?,
        Input::Events(events) => txn.events(events)?,
        Input::Deleted(rows) => txn.deleted(rows)?,
        Input::Answers(answers) => txn.answers(answers)?,
        Input::LookedUp(looked) => txn.looked_up(looked)?,
        Input::Start => txn.start()?,
        Input::Link { entity, after, create, limit } => txn.link_records(entity, after, create, limit)?,
        Input::Remap { entity, remap, after, limit } => txn.remap(entity, remap, after, limit)?,
        Input::People { entity, system, older, after, limit } => txn.people(entity, (system, older), after, limit)?,
        Input::Sweep { entity, after, limit } => txn.sweep(entity, after, limit)?,
        Input::Operate(operate) => txn.operate(operate)?,
        Input::Forget { entity, after, limit } => txn.forget(entity, after, limit)?,
        Input::Retry { records } => txn.retry(records)?,
        Input::Ignore(ignore) => txn.ignore(ignore)?,
        Input::Work { entity, system, create } => txn.work(entity, system, create)?,
    }
    let mut step = txn.finish()?;
    if let Some((name, bytes, always)) = paced.kept
        && (always || !step.changes.is_empty())
    {
        step.changes.push(Change::SetCursor(name, Some(bytes)));
    }
    Ok(step)
}
