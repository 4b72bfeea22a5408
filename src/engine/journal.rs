//! The journal: every decision, append-only, with what is needed to take it back.

use crate::codec::{Decode, Encode};
use crate::merge::SettledBy;
use crate::model::{
    Digest, EntityId, FieldId, Home, Millis, ObjectId, OpId, Place, RecordId, RemoteId, SideState, Stamp, SystemId,
    Value,
};
use std::fmt;

/// The rule by which an edit lost to a later one of its own side: no conflict.
pub const AT_HOME: &str = "a later edit of its own side";

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct JournalEntry {
    /// When it was decided, by our clock.
    pub at: Millis,
    /// In which run of the program; its [`Happening::Began`] says more of it.
    pub run: Run,
    /// What the engine was told when it decided so.
    pub cause: Cause,
    /// Of which entity; none = of a run as a whole.
    pub entity: Option<EntityId>,
    /// Of which record; none = of a page or a run as a whole.
    pub record: Option<RecordId>,
    /// What happened.
    pub what: Happening,
}

/// Number of a run: a start of the program, or an operator's command. They begin at 1; 0 = before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
pub struct Run(pub u32);

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the engine was told when it decided something: the kind of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Cause {
    /// A run began.
    Begin,
    /// A page of a first full reading.
    Backfill,
    /// A page of what changed lately.
    Poll,
    /// A read of single records.
    Read,
    /// An event of a stream.
    Event,
    /// A list of deleted records.
    Deletes,
    /// An answer to a write.
    Answer,
    /// An answer to a look-up by key.
    LookUp,
    /// The program started: what was in flight has an unknown outcome.
    Start,
    /// The first link of all that was read.
    Link,
    /// A changed mapping.
    Mapping,
    /// A changed table of users.
    Users,
    /// Time passed.
    Time,
    /// A write was built.
    Work,
    /// Somebody who operates Syncline decided it.
    Operator,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Happening {
    /// A page of a backfill was mirrored.
    Page {
        /// Whose.
        system: SystemId,
        /// Rows in it.
        rows: u32,
        /// Records first mirrored from it, those out of scope among them: their first values are in no entry.
        mirrored: u32,
        /// Records that it linked to known ones.
        linked: u32,
    },
    /// A remote record became a record of the mirror.
    Mirrored {
        /// Where.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
    },
    /// A remote record was found to be a known record.
    Linked {
        /// Where.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
        /// The match key; none = our external id.
        by: Option<FieldId>,
    },
    /// A record could not be linked without a guess.
    Ambiguous {
        /// Where.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
        /// The match key.
        by: FieldId,
    },
    /// The first link decided a field.
    LinkDecided {
        /// The field.
        field: FieldId,
        /// The register's value before.
        from: Value,
        /// The register's value from now on.
        to: Value,
        /// The value that stays apart or is overwritten.
        other: Value,
        /// The linked system.
        system: SystemId,
        /// Both values stay.
        split: bool,
        /// What is written over because it lost, and where: it can be restored from here.
        over: Vec<(SystemId, Value)>,
    },
    /// A register took a value.
    Value {
        /// The field.
        field: FieldId,
        /// Before.
        from: Value,
        /// After.
        to: Value,
        /// The new stamp.
        stamp: Stamp,
        /// Whose edit it is.
        system: SystemId,
        /// Where on that side.
        place: Place,
        /// The policy that decided, when there were rivals.
        rule: Option<String>,
        /// The remote user or source that the system names; of a polled row whoever changed the record last.
        who: Option<String>,
    },
    /// An edit lost, or was overtaken by a later one of its own side: it can be restored from here.
    Lost {
        /// The field.
        field: FieldId,
        /// The losing value.
        value: Value,
        /// Whose.
        system: SystemId,
        /// Where on that side.
        place: Place,
        /// The policy that decided, or [`AT_HOME`].
        rule: String,
        /// As of a value that held.
        who: Option<String>,
    },
    /// A write is about to leave.
    Sent {
        /// Where to.
        system: SystemId,
        /// The operation.
        op: OpId,
        /// The fields in it.
        fields: Vec<FieldId>,
        /// Is it a create?
        create: bool,
    },
    /// A write of a field settled.
    Settled {
        /// Where.
        system: SystemId,
        /// The operation.
        op: OpId,
        /// The field.
        field: FieldId,
        /// How that was found out.
        by: SettledBy,
    },
    /// A write was refused.
    Refused {
        /// Where.
        system: SystemId,
        /// The operation.
        op: OpId,
        /// The system's code.
        code: String,
    },
    /// A value carries our mark, but the journal knows no such write.
    Alarm {
        /// Where.
        system: SystemId,
        /// The field.
        field: FieldId,
        /// Where on that side.
        place: Place,
    },
    /// A record was deleted in a system: the link ended, the other sides are left alone.
    Detached {
        /// Where.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
    },
    /// The mapping of an entity's fields was changed: nobody's edit.
    Remapped {
        /// Fields whose registers were dropped.
        dropped: Vec<FieldId>,
        /// Fields that sides link anew.
        rebound: Vec<(Home, FieldId)>,
    },
    /// A record has left the scope of a system: nothing is read there or written until it is back.
    LeftScope {
        /// Where.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
    },
    /// It is back in scope: what its people changed meanwhile are edits now. Or it was restored, and is linked as for the first time.
    Returned {
        /// Where.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
    },
    /// A run began.
    Began {
        /// Which command, and for whom.
        what: String,
        /// Digest of the mapping that was in force.
        config: Digest,
    },
    /// A register took a value that is nobody's edit: the first link filled a blank, or a reference followed its record.
    Filled {
        /// The field.
        field: FieldId,
        /// Before.
        from: Value,
        /// After.
        to: Value,
        /// The new stamp.
        stamp: Stamp,
    },
    /// A side is given a value of its own back, apart from the others, until the next edit anywhere.
    Parted {
        /// The field.
        field: FieldId,
        /// Where.
        system: SystemId,
        /// The value.
        value: Value,
    },
    /// A record is to be deleted here, since it was elsewhere, or has left the scope there.
    DeleteDue {
        /// Where it is to be deleted.
        system: SystemId,
        /// Its id there.
        remote: RemoteId,
        /// Where it went.
        from: SystemId,
    },
    /// It is not to be deleted any more: somebody had edited it unseen, it was restored, or the rules are other ones.
    DeleteDropped {
        /// Where it stays.
        system: SystemId,
        /// Why.
        why: Keeping,
    },
    /// A delete is about to leave.
    DeleteSent {
        /// Where to.
        system: SystemId,
        /// The operation.
        op: OpId,
        /// Its id there.
        remote: RemoteId,
    },
    /// A record was deleted by us, or was gone already.
    Deleted {
        /// Where.
        system: SystemId,
        /// The operation.
        op: OpId,
        /// Its id there.
        remote: RemoteId,
    },
    /// A remote record lost a merge in its system.
    Merged {
        /// Where.
        system: SystemId,
        /// The loser's id there.
        remote: RemoteId,
        /// The winner's id there.
        into: RemoteId,
        /// The loser's record, which this one has absorbed; its own where the winner is new.
        record: RecordId,
    },
    /// A record that has been gone from everywhere for long is forgotten.
    Forgotten {
        /// Where it was, and its ids there.
        sides: Vec<(SystemId, RemoteId)>,
    },
    /// A person is asked about a field; each side keeps its own value until then.
    Review {
        /// The field.
        field: FieldId,
        /// Another whenever it is asked again.
        version: u64,
        /// What there is to choose from.
        values: Vec<(SystemId, Value)>,
    },
    /// Somebody wants no more to be told of a problem, until it is another one.
    Ignored {
        /// The system that it is with.
        system: SystemId,
        /// The field; none = the record as a whole.
        field: Option<FieldId>,
        /// The problem's code.
        code: String,
        /// Why.
        reason: String,
    },
    /// Somebody wants to be told of it again.
    Heeded {
        /// The system that it is with.
        system: SystemId,
        /// The field; none = the record as a whole.
        field: Option<FieldId>,
        /// The problem's code.
        code: String,
    },
    /// How a record begins: with these values, and where it stands. Not of those of a first full reading, whose page counts them.
    First {
        /// What its registers hold, ascending by field.
        values: Vec<(FieldId, Value, Stamp)>,
        /// Where it stands, ascending by system.
        sides: Vec<Stand>,
    },
    /// What a step's other entries leave unsaid of how its records stand from now on. Who folds the journal needs it.
    Rest {
        /// Ascending by record.
        records: Vec<(RecordId, Rest)>,
    },
    /// A remote record became one of another object of its system, and its side goes on as that.
    Converted {
        /// Where.
        system: SystemId,
        /// What its id was.
        remote: RemoteId,
        /// What it is now.
        object: ObjectId,
        /// Its id as that.
        into: RemoteId,
    },
}

/// Where a record stands in one system.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Stand {
    /// The system.
    pub system: SystemId,
    /// The object within the system.
    pub object: ObjectId,
    /// The record's id there.
    pub remote: RemoteId,
    /// Whether it takes part.
    pub state: SideState,
}

/// What other entries leave unsaid of a record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Rest {
    /// It is gone: absorbed by another one.
    Gone,
    /// It stands otherwise than they say.
    Changed {
        /// Registers, ascending by field.
        registers: Vec<(FieldId, Now)>,
        /// Sides, ascending by system; none = there is none any more.
        sides: Vec<(SystemId, Option<Stand>)>,
    },
}

/// What a register holds from now on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Now {
    /// This value, of this time.
    Value(Value, Stamp),
    /// The value that it has, of this time.
    Stamp(Stamp),
    /// Nothing: there is no such register any more.
    Nothing,
}

/// Why a record is not deleted after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Keeping {
    /// Somebody edited it, and whoever deleted it elsewhere had not seen that.
    Edited,
    /// It is there again where it had been deleted.
    Restored,
    /// The rules do not ask for it any more.
    Rules,
}
