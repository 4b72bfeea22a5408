//! What is going on: the counts of a mirror, and whether anything is left to do.

use super::problems::{self, Cause, causes};
use crate::engine::{self, OutboxRow, View, ViewError, WRITE_QUARREL, awaits_mend};
use crate::model::{Apart, Differs, EntityId, Millis, Record, SideState};
use crate::rules::Rules;
use crate::store::Snapshot;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a driver is doing, and the state as of its last commit.
#[derive(Debug, Clone)]
pub struct Live {
    /// Nothing is left to do about what has been read.
    pub quiet: bool,
    /// The systems.
    pub systems: Vec<SystemStatus>,
    pub(super) snapshot: Snapshot,
    /// Number of that commit.
    pub(super) commit: u64,
}

/// What is going on, without the mirror's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Was a running daemon asked?
    pub daemon: bool,
    /// Nothing is left to do about what has been read.
    pub quiet: bool,
    /// The systems.
    pub systems: Vec<SystemStatus>,
}

/// What is going on with one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemStatus {
    /// Its name.
    pub name: String,
    /// Complete reads of all its objects since the start.
    pub polls: u64,
    /// When (our clock) the last complete read was begun.
    pub passed: Option<Millis>,
    /// How long that is ago.
    pub lag_ms: Option<i64>,
    /// Calls since the start.
    pub calls: u64,
    /// What failed last, if it has not worked since.
    pub last_error: Option<String>,
}

/// The mirror, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// By entity, in the order of the rules.
    pub entities: Vec<EntityStatus>,
    /// Problems of records and of single fields, but for those that are ignored.
    pub problems: u64,
    /// Problems that somebody ignores.
    pub ignored: u64,
    /// The most frequent causes of them.
    pub causes: Vec<Cause>,
    /// Fields that wait for a person.
    pub reviews: u64,
}

/// One entity of the mirror, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntityStatus {
    /// Its name.
    pub name: String,
    /// Records.
    pub records: u64,
    /// Those that stand in at least two systems.
    pub linked: u64,
    /// Those that are out of scope where they stand, but for one system at most.
    pub outside: u64,
    /// (record, system) pairs with something to send or to settle.
    pub pending: u64,
    /// Fields that the first link left apart.
    pub split: u64,
    /// Fields that wait for a person.
    pub review: u64,
}

impl Live {
    /// Without the state.
    pub fn status(&self, daemon: bool) -> Status {
        Status { daemon, quiet: self.quiet, systems: self.systems.clone() }
    }
}

/// Calls `each` for every record of an entity.
pub(super) fn each_record(
    view: &dyn View,
    entity: EntityId,
    mut each: impl FnMut(Record) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    let mut after = None;
    loop {
        let page = view.record_scan(entity, after, PAGE)?;
        let more = page.len() == PAGE;
        after = page.last().map(|record| record.id);
        page.into_iter().try_for_each(&mut each)?;
        if !more {
            return Ok(());
        }
    }
}

/// Counts a mirror.
///
/// # Errors
/// It cannot be read.
pub fn count(rules: &Rules, view: &dyn View) -> Result<Counts, ViewError> {
    let (problems, ignored, causes) = (problems::heeded_len(view)?, view.ignored_len()?, causes(rules, view)?);
    let mut counts = Counts { problems, ignored, causes, ..Counts::default() };
    for entity in &rules.entities {
        let mut status = EntityStatus { name: entity.name.clone(), ..EntityStatus::default() };
        status.pending = view.outbox_len(entity.id)?;
        each_record(view, entity.id, |record| {
            status.records += 1;
            let live = record.live_sides().count();
            status.linked += u64::from(live > 1);
            status.outside += u64::from(live < 2 && record.standing_sides().count() > live);
            let differs = || record.sides.iter().flat_map(|side| &side.differs);
            status.split += differs().filter(|differs| differs.apart == Some(Apart::Split)).count() as u64;
            // Several sides wait for one decision.
            let waiting = differs().filter(|differs| differs.apart == Some(Apart::Review));
            status.review += waiting.map(|differs| differs.field).collect::<BTreeSet<_>>().len() as u64;
            Ok(())
        })?;
        counts.reviews += status.review;
        counts.entities.push(status);
    }
    Ok(counts)
}

/// Fields of linked records that do not show what they should, although nothing keeps them apart.
///
/// # Errors
/// The mirror cannot be read.
pub(super) fn unequal(rules: &Rules, view: &dyn View, ours: Millis) -> Result<u64, ViewError> {
    let (mut count, now) = (0, engine::time(view, ours)?);
    for entity in &rules.entities {
        each_record(view, entity.id, |record| {
            for side in record.present_sides().filter(|side| side.state != SideState::Frozen) {
                let differs = side.differs.iter().filter(|differs| match differs.apart {
                    None => true,
                    Some(Apart::Parked { until }) => until <= now,
                    Some(Apart::Split) => differs.wanted.is_some(),
                    Some(Apart::Review | Apart::OneWay) => false,
                });
                let content = |differs: &&Differs| {
                    let value = record.register(differs.field).map_or(&crate::model::Value::Null, |reg| &reg.val);
                    let field = entity.field(differs.field);
                    field.is_some_and(|field| field.is_content(side.home(), value, &differs.shown))
                };
                let differs = differs.filter(|differs| !content(differs));
                let differs = differs.filter(|differs| !awaits_mend(entity, &record, side, differs.field));
                for differs in differs {
                    if let Some(field) = entity.field(differs.field).filter(|field| field.ties_to().is_some()) {
                        let owed = crate::engine::owed_ties(view, &record, field, (side.home(), &differs.shown))?;
                        count += u64::from(!owed.is_empty());
                        continue;
                    }
                    // A reference that leads nowhere there is listed as a problem.
                    let refers = entity.field(differs.field).is_some_and(|field| field.refers_to().is_some());
                    let listed = |(system, field, _): &(_, _, _)| (*system, *field) == (side.system, differs.field);
                    let listed = refers && view.field_problems(entity.id, record.id)?.iter().any(listed);
                    count += u64::from(!listed);
                }
            }
            Ok(())
        })?;
    }
    Ok(count)
}

/// Is nothing left to do? What was refused and is tried again much later does not count: it is listed as a problem.
///
/// # Errors
/// The mirror cannot be read.
pub(super) fn quiet(view: &dyn View, rules: &Rules, now: Millis) -> Result<bool, ViewError> {
    if view.reread_len()? > 0 {
        return Ok(false);
    }
    for entity in &rules.entities {
        if !quiet_entity(view, rules, entity.id, now)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Is nothing of this entity left to send or to settle?
pub(super) fn quiet_entity(view: &dyn View, rules: &Rules, entity: EntityId, ours: Millis) -> Result<bool, ViewError> {
    let (rows, now) = (view.outbox_len(entity)?, engine::time(view, ours)?);
    if rows == 0 {
        return Ok(true);
    }
    let mut parked = 0;
    for system in &rules.systems {
        if !view.outbox_due(system.id, entity, now.plus(SOON_MS), 1)?.is_empty() {
            return Ok(false);
        }
    }
    for system in &rules.systems {
        let limit = usize::try_from(rows).unwrap_or(usize::MAX);
        for (record, row) in view.outbox_due(system.id, entity, Millis(i64::MAX - 1), limit)? {
            let quarrels = || -> Result<bool, ViewError> {
                let listed = view.field_problems(entity, record)?;
                Ok(listed.iter().any(|(of, _, problem)| *of == system.id && problem.code == WRITE_QUARREL))
            };
            let listed = view.problem(entity, record, system.id)?.is_some();
            parked += u64::from(is_held(&row, now) || listed || quarrels()?);
        }
    }
    Ok(parked == rows)
}

/// Was this write held back because it is in no plan? It is due again when the driver that held it back ends, or the next one
/// begins.
pub(super) fn is_held(row: &OutboxRow, now: Millis) -> bool {
    row.flying.is_none() && row.due > now.plus(HELD_MS / 2)
}

pub(super) use crate::engine::HELD_MS;

/// The document that `status --json` prints.
pub fn document(status: &Status, counts: &Counts) -> Value {
    let systems: Map<String, Value> = status
        .systems
        .iter()
        .map(|system| {
            let cursor = system.passed.and_then(|passed| jiff::Timestamp::from_millisecond(passed.0).ok());
            let value = json!({
                "polls": system.polls,
                "cursor": cursor.map(|cursor| cursor.to_string()),
                "lag_ms": system.lag_ms,
                "calls": system.calls,
                "last_error": system.last_error,
            });
            (system.name.clone(), value)
        })
        .collect();
    let entities: Map<String, Value> = counts
        .entities
        .iter()
        .map(|entity| {
            let value = json!({
                "records": entity.records,
                "linked": entity.linked,
                "pending": entity.pending,
                "split": entity.split,
                "review": entity.review,
                "out_of_scope": entity.outside,
            });
            (entity.name.clone(), value)
        })
        .collect();
    json!({
        "daemon": status.daemon,
        "quiet": status.quiet,
        "systems": systems,
        "entities": entities,
        "problems": counts.problems,
        "ignored": counts.ignored,
        "problem_causes": problems::document(&counts.causes),
        "reviews": counts.reviews,
    })
}

/// The state of a store that no daemon runs on.
///
/// # Errors
/// It cannot be read.
pub fn offline(rules: &Rules, view: &dyn View, now: Millis) -> Result<Value, ViewError> {
    let systems = rules.systems.iter().map(|system| SystemStatus {
        name: system.name.clone(),
        polls: 0,
        passed: None,
        lag_ms: None,
        calls: 0,
        last_error: None,
    });
    let status = Status { daemon: false, quiet: quiet(view, rules, now)?, systems: systems.collect() };
    Ok(document(&status, &count(rules, view)?))
}

/// Records read at once.
const PAGE: usize = 1_000;
/// A row that is due sooner is work, not one that was put off, in milliseconds.
const SOON_MS: i64 = 2_000;
