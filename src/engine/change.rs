//! Rows of the store and the closed set of changes to them. One step's changes are one write transaction.

use super::delete::{DELETE_LIMIT, HAS_CHILDREN};
use super::fuse::MERGED_ELSEWHERE;
use super::held::{NOT_SHOWN, ONE_WAY_EDIT, OWNER_UNKNOWN, UNREADABLE};
use super::identify::{AMBIGUOUS, NO_EXTERNAL_ID};
use super::journal::{JournalEntry, Run};
use super::quarrel::WRITE_QUARREL;
use super::refs::{MISSING_TARGET, UNKNOWN_TARGET};
use super::review::Review;
use super::ruled::RULE_FAILED;
use super::send::UNSEEN;
use crate::codec::{Decode, Encode};
use crate::merge::Lately;
use crate::model::{
    Digest, EntityId, FieldId, Millis, ObjectId, OpId, RawDigest, Record, RecordId, RemoteKey, SystemId,
};
use crate::rules::Unfit;
use std::sync::Arc;

/// What a side showed when it was last read: enough to see that nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct DigestRow {
    /// Of the remote's own bytes; 0 = not known (we wrote it and have not read it since).
    pub raw: RawDigest,
    /// Of the canonical values of the mapped properties, where the mirror does not hold them: what takes part is compared with its
    /// record, value by value.
    pub canonical: Option<Digest>,
}

/// Who holds a match key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct KeyHolder {
    /// The system that shows the key.
    pub system: SystemId,
    /// The record.
    pub record: RecordId,
}

/// A (system, record) pair with something to send or to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct OutboxRow {
    /// The object in which the record stands there, or is to stand.
    pub object: ObjectId,
    /// Not before this, by our clock. [`Millis`] of `i64::MAX` while a write is in flight.
    pub due: Millis,
    /// What is to be done there.
    pub task: Task,
    /// Creates: when (our clock) the record was first seen elsewhere; the target must have been read since. Updates and deletes: when
    /// that was decided.
    pub seen: Millis,
    /// Creates: when (our clock) the target was last asked freshly for a record with these keys, and had none. Updates: when it was last
    /// asked what it shows, before it is written over.
    pub looked: Option<Millis>,
    /// Creates only: the create whose answer was lost; the target is asked for it before anything else.
    pub probe: Option<OpId>,
    /// The write in flight; such a row is not due.
    pub flying: Option<OpId>,
    /// Attempts so far.
    pub attempts: u32,
}

/// What is to be done with a record in a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Task {
    /// Its fields are to be written.
    Update,
    /// It has to be created.
    Create,
    /// It is to be deleted, since it was elsewhere.
    Delete,
}

impl OutboxRow {
    /// Does the record have to be created there?
    pub fn is_create(&self) -> bool {
        self.task == Task::Create
    }

    /// Is it to be deleted there?
    pub fn is_delete(&self) -> bool {
        self.task == Task::Delete
    }
}

/// A remote record to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RereadRow {
    /// Not before this, by our clock.
    pub due: Millis,
    /// Until then (our clock) the side was known to show what it should.
    pub known: Millis,
    /// When (our clock) something was last seen that calls for it: a read that left earlier may not show that.
    pub since: Millis,
    /// Attempts so far.
    pub attempts: u32,
}

/// Why a record or some of its fields cannot be synced now.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Problem {
    /// Since when, by our clock.
    pub since: Millis,
    /// The remote's own code, or ours.
    pub code: String,
    /// What was wrong, without field values.
    pub message: String,
    /// The properties or fields concerned.
    pub fields: Vec<String>,
}

/// What a problem is of: at most one stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProblemPlace {
    /// The entity.
    pub entity: EntityId,
    /// The record.
    pub record: RecordId,
    /// The system.
    pub system: SystemId,
    /// The field; none = the record as a whole.
    pub field: Option<FieldId>,
}

/// That somebody wants no more to be told of a problem, until it is another one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ignored {
    /// When it was said, by our clock.
    pub at: Millis,
    /// The run that it was; its beginning names who.
    pub run: Run,
    /// Why.
    pub reason: String,
}

impl Problem {
    /// Is it the same as another one, whenever that was found?
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.code, &self.message, &self.fields) == (&other.code, &other.message, &other.fields)
    }

    /// Is the message ours, and not the remote's? Ours repeat no value.
    pub fn is_ours(&self) -> bool {
        let ours = [
            AMBIGUOUS,
            NO_EXTERNAL_ID,
            UNSEEN,
            UNREADABLE,
            NOT_SHOWN,
            ONE_WAY_EDIT,
            UNKNOWN_TARGET,
            MISSING_TARGET,
            OWNER_UNKNOWN,
            HAS_CHILDREN,
            DELETE_LIMIT,
            MERGED_ELSEWHERE,
            RULE_FAILED,
            WRITE_QUARREL,
        ];
        ours.contains(&&*self.code) || Unfit::is_code(&self.code)
    }
}

/// Counters that survive restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Default)]
pub struct Meta {
    /// The last operation id that was minted.
    pub last_op: u64,
    /// The highest time (our clock) that a step ran at: time never goes back.
    pub now_max: Millis,
    /// The run that is under way.
    pub run: Run,
    /// The last run that was begun; an operator's command counts as one of its own, and begins within another.
    pub last_run: Run,
}

/// One change to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a record's body.
    PutRecord(Arc<Record>),
    /// Removes a record: it was absorbed by another, or has been gone from everywhere for long.
    RemoveRecord(EntityId, RecordId),
    /// Writes or removes what is kept of a record's recent past.
    SetLately(EntityId, RecordId, Option<Arc<Lately>>),
    /// Writes or removes a digest row.
    SetDigest(RemoteKey, Option<DigestRow>),
    /// Points a remote record to its record, or removes the pointer.
    SetIndex(RemoteKey, Option<RecordId>),
    /// Adds a holder of a match key (entity, key bytes).
    AddKey(EntityId, Vec<u8>, KeyHolder),
    /// Removes a holder of a match key.
    RemoveKey(EntityId, Vec<u8>, KeyHolder),
    /// Writes or removes an outbox row.
    SetOutbox(SystemId, EntityId, RecordId, Option<OutboxRow>),
    /// Writes or removes a reread row.
    SetReread(RemoteKey, Option<RereadRow>),
    /// Writes or removes a problem of a record on a system.
    SetProblem(EntityId, RecordId, SystemId, Option<Box<Problem>>),
    /// Writes or removes a problem of one field of a record on a system.
    SetFieldProblem(EntityId, RecordId, SystemId, FieldId, Option<Box<Problem>>),
    /// Writes or removes what a person is asked about one field.
    SetReview(EntityId, RecordId, FieldId, Option<Box<Review>>),
    /// Writes or removes a named cursor.
    SetCursor(String, Option<Vec<u8>>),
    /// Writes the counters.
    SetMeta(Meta),
    /// Says that a problem is ignored, or no longer.
    SetIgnored(ProblemPlace, Option<Box<Ignored>>),
    /// Appends to the journal.
    Journal(Box<JournalEntry>),
}
