//! Carrying out a plan: real connectors behind a gate that lets through what is planned and holds back everything else.

use super::overlay::planned;
use super::{PlanFile, refer};
use crate::connector::{BoxFuture, Connector, ConnectorError, DeletedPage, Keys, Outcome, ReadAnswer, ReadSpec};
use crate::connector::{Rate, Target, WriteAnswer, WriteItem};
use crate::daemon::DaemonError;
use crate::daemon::connect::Connectors;
use crate::daemon::driver::{Leaving, Watch};
use crate::daemon::status::HELD_MS;
use crate::engine::Change;
use crate::model::{Ability, ClockOffset, ObjectSchema, OpId, Raw, RawPage, RemoteId, Timing};
use crate::rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which part of a plan is to be carried out; by default all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// So many records, the first of the plan.
    pub limit: Option<usize>,
    /// These records, by our id or by one of a system's: `person:hubspot:123`, `hubspot:123` or `123`.
    pub only: Vec<String>,
}

/// A write of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// Digest of where it goes.
    pub target: u128,
    /// Digest of where it goes and what it writes.
    pub hash: u128,
    /// Is it to be carried out?
    pub selected: bool,
}

impl Planned {
    pub fn of(system: &str, object: &str, target: &Target, fields: &[(String, Raw)]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("syncline 2026 planned write");
        let text = |hasher: &mut blake3::Hasher, text: &str| {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        text(&mut hasher, system);
        text(&mut hasher, object);
        let (kind, key, value) = match target {
            Target::Update(id) => (0, "", id.as_str()),
            Target::Create { property, value } => (1, property.as_str(), value.as_str()),
        };
        hasher.update(&[kind]);
        text(&mut hasher, key);
        text(&mut hasher, value);
        let target = first(&hasher);
        for (property, raw) in fields {
            let (kind, value) = match raw {
                Raw::Absent => continue,
                Raw::Null => (0, ""),
                Raw::Text(value) => (1, value.as_str()),
                Raw::Number(value) => (2, value.as_str()),
                Raw::Bool(value) => (3, if *value { "1" } else { "0" }),
            };
            text(&mut hasher, property);
            hasher.update(&[kind]);
            text(&mut hasher, value);
        }
        Self { target, hash: first(&hasher), selected: true }
    }
}

impl Planned {
    /// A delete.
    pub fn delete(system: &str, object: &str, id: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("syncline 2026 planned delete");
        for text in [system, object, id] {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        let target = first(&hasher);
        Self { target, hash: target, selected: true }
    }
}

fn first(hasher: &blake3::Hasher) -> u128 {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    u128::from_be_bytes(bytes)
}

/// A write that was held back, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// Where it would have gone.
    pub system: String,
    /// The object.
    pub object: String,
    /// The record's id there; for a create our external id.
    pub target: String,
    /// Would the record have been made?
    pub create: bool,
    /// Would it have been deleted?
    pub delete: bool,
    /// The properties.
    pub properties: Vec<String>,
    /// Does the plan write something else there?
    pub planned_otherwise: bool,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Writes of the plan.
    pub planned: u64,
    /// Those that were done.
    pub done: u64,
    /// Those that a system refused.
    pub refused: u64,
    /// Those that were not needed any more.
    pub not_needed: u64,
    /// Those in whose place something else would have been written: it was held back.
    pub moved: u64,
    /// Those that were not selected.
    pub left_out: u64,
    /// Writes that are not in the plan, the first 1,000 of them.
    pub held_back: Vec<HeldBack>,
    /// How many that were in all.
    pub held_back_total: u64,
}

/// The gates of a plan, one before each system.
pub struct Gates(Arc<Shared>);

struct Shared {
    /// Ascending by target, then by hash.
    writes: Vec<Planned>,
    state: Mutex<State>,
}

struct State {
    /// What became of each write.
    fates: Vec<Fate>,
    /// By digest, records that were created and that the plan writes to again: the ids that it calls them by.
    created: BTreeMap<u128, RemoteId>,
    /// What is about to be sent with references, as the plan names them.
    referring: BTreeMap<OpId, Vec<(String, Raw)>>,
    held: BTreeSet<u128>,
    listed: Vec<HeldBack>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unasked,
    Sent,
    Refused,
    Moved,
}

impl Gates {
    /// Of a plan.
    pub fn new(plan: PlanFile) -> Self {
        let fates = vec![Fate::Unasked; plan.writes.len()];
        let (created, referring, held, listed) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new(), Vec::new());
        let state = State { fates, created, referring, held, listed };
        Self(Arc::new(Shared { writes: plan.writes, state: Mutex::new(state) }))
    }

    /// The systems behind their gates.
    pub fn before(&self, rules: &Rules, connectors: &Connectors) -> Connectors {
        let gate = |(id, real): &(_, Arc<dyn Connector>)| {
            let name = rules.system(*id).map(|system| system.name.clone()).unwrap_or_default();
            let gate: Arc<dyn Connector> = Arc::new(Gate { name, real: real.clone(), shared: self.0.clone() });
            (*id, gate)
        };
        connectors.iter().map(gate).collect()
    }

    /// Looks on at the driver behind the gates, which must be told: only the mirror knows to whom references lead.
    pub fn watch(&self, rules: &Rules) -> Arc<dyn Watch> {
        Arc::new(Onlooker { rules: rules.clone(), shared: self.0.clone() })
    }

    /// What became of the plan so far.
    pub fn applied(&self) -> Applied {
        let state = self.0.state();
        let mut applied = Applied {
            planned: self.0.writes.len() as u64,
            held_back: state.listed.clone(),
            held_back_total: state.held.len() as u64,
            ..Applied::default()
        };
        for (write, fate) in self.0.writes.iter().zip(&state.fates) {
            let count = match fate {
                Fate::Sent => &mut applied.done,
                Fate::Refused => &mut applied.refused,
                _ if !write.selected => &mut applied.left_out,
                Fate::Moved => &mut applied.moved,
                Fate::Unasked => &mut applied.not_needed,
            };
            *count += 1;
        }
        applied
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a write in the plan, if it may pass. What may not is noted.
    fn admit(&self, system: &str, object: &str, item: &WriteItem) -> Option<usize> {
        let mut state = self.state();
        // The plan could not know the ids of records that it creates.
        let target = match &item.target {
            Target::Update(id) => {
                let here = Planned::of(system, object, &item.target, &[]).target;
                Target::Update(state.created.get(&here).unwrap_or(id).clone())
            }
            create => create.clone(),
        };
        let referring = state.referring.remove(&item.op);
        let wanted = Planned::of(system, object, &target, referring.as_ref().unwrap_or(&item.fields));
        let from = self.writes.partition_point(|write| write.target < wanted.target);
        let there = self.writes[from..].iter().take_while(|write| write.target == wanted.target).count();
        let there = from..from + there;
        if let Some(at) = there.clone().find(|at| self.writes[*at].hash == wanted.hash) {
            return self.writes[at].selected.then_some(at);
        }
        // A record that was left out is left out whatever would be written to it.
        if !there.is_empty() && there.clone().all(|at| !self.writes[at].selected) {
            return None;
        }
        for at in there.clone().filter(|at| self.writes[*at].selected) {
            if state.fates[at] == Fate::Unasked {
                state.fates[at] = Fate::Moved;
            }
        }
        if state.held.insert(wanted.hash) && state.listed.len() < LISTED_MAX {
            let (target, create) = match &item.target {
                Target::Update(id) => (id.as_str().to_owned(), false),
                Target::Create { value, .. } => (value.clone(), true),
            };
            let properties = item.fields.iter().map(|(property, _)| property.clone()).collect();
            let planned_otherwise = !there.is_empty();
            let (system, object) = (system.to_owned(), object.to_owned());
            let delete = false;
            state.listed.push(HeldBack { system, object, target, create, delete, properties, planned_otherwise });
        }
        None
    }

    /// The place of a delete in the plan, if it may pass. What may not is noted.
    fn admit_delete(&self, system: &str, object: &str, id: &RemoteId) -> Option<usize> {
        let wanted = Planned::delete(system, object, id.as_str());
        if let Ok(at) = self.writes.binary_search_by_key(&wanted.target, |write| write.target) {
            return self.writes[at].selected.then_some(at);
        }
        let mut state = self.state();
        if state.held.insert(wanted.hash) && state.listed.len() < LISTED_MAX {
            let (system, object, target) = (system.to_owned(), object.to_owned(), id.as_str().to_owned());
            let (create, delete, properties, planned_otherwise) = (false, true, Vec::new(), false);
            state.listed.push(HeldBack { system, object, target, create, delete, properties, planned_otherwise });
        }
        None
    }

    fn note_delete(&self, at: usize, outcome: &Outcome) {
        let fate = match outcome {
            Outcome::Refused { .. } => Fate::Refused,
            Outcome::Retry { .. } => return,
            _ => Fate::Sent,
        };
        self.state().fates[at] = fate;
    }

    fn note(&self, system: &str, object: &str, at: usize, item: &WriteItem, outcome: &Outcome) {
        let mut state = self.state();
        match outcome {
            Outcome::Refused { .. } | Outcome::Gone(_) => state.fates[at] = Fate::Refused,
            // Without an answer it is read back, and sent again where it has not landed.
            // One that is there already was made by an earlier attempt.
            Outcome::Done { .. } | Outcome::Partly { .. } | Outcome::Unknown | Outcome::Taken => {
                state.fates[at] = Fate::Sent
            }
            Outcome::Retry { .. } => {}
        }
        if let (Outcome::Done { remote, .. } | Outcome::Partly { remote, .. }, Target::Create { value, .. }) =
            (outcome, &item.target)
            && let Some(stand_in) = planned(value)
        {
            let again = Planned::of(system, object, &Target::Update(stand_in.clone()), &[]).target;
            if self.writes.binary_search_by_key(&again, |write| write.target).is_ok() {
                let here = Planned::of(system, object, &Target::Update(remote.clone()), &[]).target;
                state.created.insert(here, stand_in);
            }
        }
    }
}

struct Onlooker {
    rules: Rules,
    shared: Arc<Shared>,
}

impl Watch for Onlooker {
    fn committed(&self, _: &[Change]) {}

    fn leaving(&self, leaving: Leaving<'_>) -> Result<(), DaemonError> {
        let Some(entity) = self.rules.entity(leaving.entity) else { return Ok(()) };
        for (_, item) in leaving.items {
            if let Some(fields) = refer::by_record(&self.rules, leaving.view, (entity, leaving.home), item)? {
                self.shared.state().referring.insert(item.op, fields);
            }
        }
        Ok(())
    }
}

/// One system behind its gate.
struct Gate {
    name: String,
    real: Arc<dyn Connector>,
    shared: Arc<Shared>,
}

impl Gate {
    async fn pass(&self, object: &str, items: &[WriteItem]) -> WriteAnswer {
        let places: Vec<Option<usize>> = items.iter().map(|item| self.shared.admit(&self.name, object, item)).collect();
        let passing = items.iter().zip(&places).filter(|(_, place)| place.is_some());
        let passing: Vec<WriteItem> = passing.map(|(item, _)| item.clone()).collect();
        let answer = match passing.is_empty() {
            true => WriteAnswer { outcomes: Vec::new(), timing: self.timing() },
            false => self.real.write(object, &passing).await,
        };
        let mut answered = answer.outcomes.into_iter();
        let outcomes = items.iter().zip(places).map(|(item, place)| match place {
            Some(place) => {
                let outcome = answered.next().unwrap_or(Outcome::Unknown);
                self.shared.note(&self.name, object, place, item, &outcome);
                outcome
            }
            None => Outcome::Retry { code: "NOT_PLANNED".to_owned(), after_ms: HELD_MS },
        });
        WriteAnswer { outcomes: outcomes.collect(), timing: answer.timing }
    }

    async fn pass_deletes(&self, object: &str, ids: &[RemoteId]) -> WriteAnswer {
        let places: Vec<Option<usize>> =
            ids.iter().map(|id| self.shared.admit_delete(&self.name, object, id)).collect();
        let passing: Vec<RemoteId> =
            ids.iter().zip(&places).filter(|(_, place)| place.is_some()).map(|(id, _)| id.clone()).collect();
        let answer = match passing.is_empty() {
            true => WriteAnswer { outcomes: Vec::new(), timing: self.timing() },
            false => self.real.delete(object, &passing).await,
        };
        let mut answered = answer.outcomes.into_iter();
        let outcomes = places.into_iter().map(|place| match place {
            Some(place) => {
                let outcome = answered.next().unwrap_or(Outcome::Unknown);
                self.shared.note_delete(place, &outcome);
                outcome
            }
            None => Outcome::Retry { code: "NOT_PLANNED".to_owned(), after_ms: HELD_MS },
        });
        WriteAnswer { outcomes: outcomes.collect(), timing: answer.timing }
    }

    fn timing(&self) -> Timing {
        Timing { sent: crate::daemon::driver::wall_clock(), offset: self.real.offset() }
    }
}

impl Connector for Gate {
    fn ability(&self) -> &Ability {
        self.real.ability()
    }

    fn offset(&self) -> ClockOffset {
        self.real.offset()
    }

    fn calls(&self) -> u64 {
        self.real.calls()
    }

    fn daily_limit(&self) -> Option<u64> {
        self.real.daily_limit()
    }

    fn rate(&self) -> Option<Rate> {
        self.real.rate()
    }

    fn calls_to_write(&self, items: &[WriteItem], refused: &[bool]) -> u64 {
        self.real.calls_to_write(items, refused)
    }

    fn calls_to_read(&self, spec: &ReadSpec, keys: Keys<'_>, history: bool) -> u64 {
        self.real.calls_to_read(spec, keys, history)
    }

    fn record_urls<'a>(&'a self, objects: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectorError>> {
        self.real.record_urls(objects)
    }

    fn users(&self) -> BoxFuture<'_, Result<Option<Vec<crate::model::User>>, ConnectorError>> {
        self.real.users()
    }

    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>> {
        self.real.schema(object)
    }

    fn scan<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        self.real.scan(spec, cursor)
    }

    fn changes<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        self.real.changes(spec, cursor)
    }

    fn deleted<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>> {
        self.real.deleted(spec, cursor)
    }

    fn read<'a>(
        &'a self,
        spec: &'a ReadSpec,
        keys: Keys<'a>,
        history: bool,
    ) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>> {
        self.real.read(spec, keys, history)
    }

    fn write<'a>(&'a self, object: &'a str, items: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer> {
        Box::pin(self.pass(object, items))
    }

    fn delete<'a>(&'a self, object: &'a str, ids: &'a [RemoteId]) -> BoxFuture<'a, WriteAnswer> {
        Box::pin(self.pass_deletes(object, ids))
    }

    fn calls_to_delete(&self, object: &str, records: usize) -> u64 {
        self.real.calls_to_delete(object, records)
    }
}

/// Writes held back that are listed one by one.
const LISTED_MAX: usize = 1_000;
