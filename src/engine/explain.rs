//! Why a record is as it is: where it stands, why each field has its value, and why a side shows another.

use super::history::known_authors;
use super::record::shown;
use super::{Books, Happening, Ignored, JournalEntry, Problem, ProblemPlace, ViewError};
use crate::merge::{Flight, FlightState, Lately};
use crate::model::{Apart, EntityId, FieldId, Millis, Record, RecordId, RemoteId, SideState, Stamp, SystemId, Value};
use crate::rules::{Field, Mode, Rules};

/// All that is known of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The entity.
    pub entity: EntityId,
    /// The record.
    pub record: RecordId,
    /// Where it stands, in the order of the rules' systems; a system without an entry has none.
    pub sides: Vec<SideAccount>,
    /// Its fields, in the order of the rules.
    pub fields: Vec<FieldAccount>,
    /// What keeps it, or some of its fields, from being synced.
    pub problems: Vec<(SystemId, Option<FieldId>, Problem)>,
    /// Those of them that somebody ignores.
    pub ignored: Vec<(SystemId, Option<FieldId>, Ignored)>,
    /// The entries that brought it here or ended a link, ascending.
    pub story: Vec<(u64, JournalEntry)>,
}

/// Where a record stands in one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideAccount {
    /// The system.
    pub system: SystemId,
    /// The object's name.
    pub object: String,
    /// Its id there; of a create under way our external id.
    pub remote: RemoteId,
    /// Whether it takes part.
    pub state: SideState,
    /// The condition of its object, where there is one.
    pub condition: Option<String>,
    /// It is about to be read again.
    pub rereads: bool,
}

/// Why a field has its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAccount {
    /// The field.
    pub field: FieldId,
    /// The register's value.
    pub value: Value,
    /// Its stamp.
    pub stamp: Stamp,
    /// The entry that gave it this value; none = it is as it was first read.
    pub because: Option<(u64, JournalEntry)>,
    /// What lost against it since, ascending.
    pub lost: Vec<(u64, JournalEntry)>,
    /// What each side shows.
    pub sides: Vec<(SystemId, Value, Standing)>,
}

/// How a side's value stands to the register's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It shows what it should.
    Shows,
    /// A write is about to leave.
    Owed,
    /// A write has left, and it is not known yet whether it landed.
    Flies {
        /// It was answered with "done".
        answered: bool,
    },
    /// Nothing is ever written to that system.
    ReadOnly,
    /// The first link kept both; the next edit anywhere ends it.
    Split,
    /// A person has to decide.
    Review,
    /// The system refused it; tried again not before this time (our clock).
    Parked(Millis),
    /// The field only goes the other way.
    OneWay,
    /// It was not read since it was mapped: what it shows is linked when it is.
    Unread,
    /// The system cannot hold the value: see its problem.
    Unfit,
    /// Its record takes no part there now.
    Away,
}

/// Explains a record; none = there is no such record.
///
/// # Errors
/// The store cannot be read.
pub fn explain(
    rules: &Rules,
    books: &dyn Books,
    entity: EntityId,
    id: RecordId,
) -> Result<Option<Explanation>, ViewError> {
    let Some(entity) = rules.entity(entity) else { return Ok(None) };
    let Some(record) = books.record(entity.id, id)? else { return Ok(None) };
    let lately = books.lately(entity.id, id)?.unwrap_or_default();
    let entries = known_authors(books.entries_of(entity.id, id)?);
    let mut sides = Vec::new();
    for system in &rules.systems {
        let Some(side) = record.side(system.id) else { continue };
        let binding = entity.binding(side.home());
        sides.push(SideAccount {
            system: system.id,
            object: binding.map(|binding| binding.object.clone()).unwrap_or_default(),
            remote: side.remote.clone(),
            state: side.state,
            condition: binding.and_then(|binding| binding.scope.as_ref()).map(|scope| scope.text.clone()),
            rereads: books.reread(&super::record::remote_key(entity.id, side))?.is_some(),
        });
    }
    let fields = entity.fields.iter().map(|field| account(rules, field, &record, &lately, &entries)).collect();
    let mut problems = Vec::new();
    for system in entity.systems() {
        problems.extend(books.problem(entity.id, id, system)?.map(|problem| (system, None, problem)));
    }
    let of_fields = books.field_problems(entity.id, id)?.into_iter();
    problems.extend(of_fields.map(|(system, field, problem)| (system, Some(field), problem)));
    let mut ignored = Vec::new();
    for (system, field, _) in &problems {
        let place = ProblemPlace { entity: entity.id, record: id, system: *system, field: *field };
        ignored.extend(books.ignored(place)?.map(|ignored| (*system, *field, ignored)));
    }
    let tells = |what: &Happening| {
        use Happening::*;
        matches!(
            what,
            Mirrored { .. }
                | Linked { .. }
                | Ambiguous { .. }
                | Detached { .. }
                | LeftScope { .. }
                | Returned { .. }
                | DeleteDue { .. }
                | DeleteDropped { .. }
                | Deleted { .. }
                | Merged { .. }
                | Ignored { .. }
                | Heeded { .. }
                | Converted { .. }
        ) || matches!(what, Sent { create: true, .. })
    };
    let story = entries.into_iter().filter(|(_, entry)| tells(&entry.what)).collect();
    Ok(Some(Explanation { entity: entity.id, record: id, sides, fields, problems, ignored, story }))
}

fn account(
    rules: &Rules,
    field: &Field,
    record: &Record,
    lately: &Lately,
    entries: &[(u64, JournalEntry)],
) -> FieldAccount {
    let register = record.register(field.id);
    let (value, stamp) = register.map_or((Value::Null, Stamp::ZERO), |reg| (reg.val.clone(), reg.marker));
    let gave = |(_, entry): &&(u64, JournalEntry)| entry.what.moved().is_some_and(|(of, ..)| of == field.id);
    let because = entries.iter().rev().find(gave);
    let since = because.map_or(0, |(number, _)| *number);
    let lost = entries.iter().filter(|(number, entry)| {
        // The loser of a conflict is journaled right behind its winner.
        *number > since && matches!(entry.what, Happening::Lost { field: of, .. } if of == field.id)
    });
    let sides = rules.systems.iter().filter_map(|system| {
        let side = record.side(system.id)?;
        let binding = field.binding(side.home())?;
        let shows = shown(record, field, system.id);
        let flight = flight(lately, field.id, system.id);
        let standing = match side.state {
            SideState::Detached | SideState::Frozen | SideState::Outside => Standing::Away,
            SideState::Creating => Standing::Owed,
            SideState::Live if side.unbased.binary_search(&field.id).is_ok() => Standing::Unread,
            SideState::Live => match (flight, side.differs(field.id)) {
                (Some(flight), _) => Standing::Flies { answered: matches!(flight.state, FlightState::Answered(_)) },
                (None, None) => Standing::Shows,
                (None, Some(differs)) => match differs.apart {
                    Some(Apart::Split) => Standing::Split,
                    Some(Apart::Review) => Standing::Review,
                    Some(Apart::Parked { until }) => Standing::Parked(until),
                    Some(Apart::OneWay) => Standing::OneWay,
                    None if field.is_content(side.home(), &value, &shows) => Standing::Shows,
                    None if system.mode != Mode::ReadWrite => Standing::ReadOnly,
                    None if field.fits(binding, &value).is_err() => Standing::Unfit,
                    None if !field.conflict.writes_to(side.system) => Standing::OneWay,
                    None => Standing::Owed,
                },
            },
        };
        Some((system.id, shows, standing))
    });
    let sides = sides.collect();
    FieldAccount { field: field.id, value, stamp, because: because.cloned(), lost: lost.cloned().collect(), sides }
}

fn flight(lately: &Lately, field: FieldId, system: SystemId) -> Option<&Flight> {
    let at = lately.fields.binary_search_by_key(&field, |kept| kept.field).ok()?;
    let (_, late) = lately.fields[at].sides.iter().find(|(of, _)| *of == system)?;
    late.flight.as_deref()
}
