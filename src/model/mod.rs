//! The nouns: ids, values, digests, time, registers, records, observations. No I/O.

mod decimal;
mod digest;
mod host;
mod id;
mod id_form;
mod kind;
mod observation;
mod people;
mod phone;
mod record;
mod record_form;
mod schema;
mod text;
mod ties;
mod time;
mod value;
mod wide;
mod write;

pub use decimal::Decimal;
pub use digest::{Digest, RawDigest};
pub use id::{EntityId, FieldId, Home, ObjectId, OpId, RecordId, RemoteId, RemoteKey, SystemId};
pub use id_form::{IdForm, checksum};
pub use kind::FieldKind;
pub use observation::{
    Ability, BatchLimits, Departure, Mark, PageEnd, PastValue, Raw, RawPage, RawRow, ReadRow, RowDecoder, SourceKind,
    Timing,
};
pub use people::{People, User, address};
pub use phone::{NoRegion, Region};
pub use record::{Apart, Conflicting, Differs, Record, Register, Side, SideState};
pub use record_form::Body;
pub(crate) use record_form::BodyOf;
pub use schema::{ASSOCIATION, LIST, ObjectSchema, PropertySchema, PropertyType, SeenSchema};
pub use text::Text;
pub use ties::{ASSOCIATIONS, JUNCTION, TieChange, Tied, is_ties, lay_ties, parse_tie, spoken};
pub use time::{ClockOffset, Hlc, Millis, Origin, Place, Stamp};
pub use value::{Value, ValueError};
pub use wide::RawBatch;
pub use write::{Creates, Outcome, Target, WriteItem};
