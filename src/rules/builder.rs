//! From names to [`Rules`]: everything is checked here, in one pass, so that nothing after has to.

use super::entity_check::EntityCheck;
use super::error::{Fault, RulesError, RulesErrors};
use super::nearest::nearest;
use super::spec::{EntitySpec, SystemSpec};
use super::{ConflictSpec, FieldBinding, LinkSpec, MAX_DELETES, Mode, Rules, System, references};
use crate::model::{Ability, EntityId, SystemId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Rules in the making.
#[derive(Debug, Clone, Default)]
pub struct RulesBuilder {
    systems: Vec<SystemSpec>,
    pub(super) entities: Vec<EntitySpec>,
    rank: Vec<String>,
    /// (system, object, address with `{id}`).
    pub(super) record_urls: Vec<(String, String, String)>,
    pub(super) conflict: ConflictSpec,
    pub(super) on_link: LinkSpec,
    write_budget: Option<u32>,
    max_drift: Option<Duration>,
}

impl RulesBuilder {
    /// Adds a system that may be written to.
    #[must_use]
    pub fn system(self, name: impl Into<String>, ability: Ability) -> Self {
        self.system_with(SystemSpec { name: name.into(), ability, mode: Mode::ReadWrite, max_deletes: MAX_DELETES })
    }

    /// Adds a system.
    #[must_use]
    pub fn system_with(mut self, system: SystemSpec) -> Self {
        self.systems.push(system);
        self
    }

    /// Ranks the systems, the highest first; those not named follow by the alphabet.
    #[must_use]
    pub fn rank(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rank = names.into_iter().map(Into::into).collect();
        self
    }

    /// Who wins a conflict where neither entity nor field says so. `latest` if not told.
    #[must_use]
    pub fn conflict(mut self, conflict: ConflictSpec) -> Self {
        self.conflict = conflict;
        self
    }

    /// What a first link does where neither entity nor field says so. `fill blanks` if not told.
    #[must_use]
    pub fn on_link(mut self, on_link: LinkSpec) -> Self {
        self.on_link = on_link;
        self
    }

    /// Where people find the records of an object: an address with `{id}` in it. Unless told, the system's connector says so.
    #[must_use]
    pub fn record_url(
        mut self,
        system: impl Into<String>,
        object: impl Into<String>,
        template: impl Into<String>,
    ) -> Self {
        self.record_urls.push((system.into(), object.into(), template.into()));
        self
    }

    /// How often within an hour a system may answer our writes of one field with another value before the field is left alone
    /// there. 5 if not told.
    #[must_use]
    pub fn write_budget(mut self, writes: u32) -> Self {
        self.write_budget = Some(writes);
        self
    }

    /// How far ahead of its system's clock a record or an edit may be dated; what is further ahead is not believed. A minute if not told.
    #[must_use]
    pub fn max_drift(mut self, drift: Duration) -> Self {
        self.max_drift = Some(drift);
        self
    }

    /// Adds an entity.
    #[must_use]
    pub fn entity(mut self, entity: EntitySpec) -> Self {
        self.entities.push(entity);
        self
    }

    /// Checks everything and compiles it.
    ///
    /// # Errors
    /// All that is wrong, in one pass.
    pub fn build(self) -> Result<Rules, RulesErrors> {
        let mut checks = Checks { systems: Vec::new(), faults: Vec::new() };
        checks.systems = self.compile_systems(&mut checks.faults);
        checks.system("conflict", self.conflict.system());
        checks.system("on_link", self.on_link.system());
        if self.entities.is_empty() {
            checks.fault("entities", Fault::NoEntities);
        }
        checks.names("entities", "an entity", self.entities.iter().map(|entity| &*entity.name), |n| EntityId::of(n).0);
        let mut objects = BTreeMap::new();
        let entities =
            self.entities.iter().map(|spec| EntityCheck::new(&self, spec, &mut checks).compile(&mut objects)).collect();
        if checks.faults.is_empty() {
            let write_budget = self.write_budget.unwrap_or(Rules::WRITE_BUDGET);
            let drift = self.max_drift.map(|drift| i64::try_from(drift.as_millis()).unwrap_or(i64::MAX));
            let max_drift_ms = drift.unwrap_or(Rules::MAX_DRIFT_MS);
            Ok(Rules { systems: checks.systems, entities: references::order(entities), write_budget, max_drift_ms })
        } else {
            Err(RulesErrors(checks.faults))
        }
    }

    /// The systems by rank.
    fn compile_systems(&self, faults: &mut Vec<RulesError>) -> Vec<System> {
        let mut checks = Checks { systems: Vec::new(), faults: std::mem::take(faults) };
        if self.systems.len() < 2 {
            checks.fault("systems", Fault::FewSystems { found: self.systems.len() });
        }
        checks.names("systems", "a system", self.systems.iter().map(|system| &*system.name), |n| SystemId::of(n).0);
        for spec in &self.systems {
            if RESERVED.contains(&&*spec.name) || SystemId::of(&spec.name).is_operator() {
                checks.fault(format!("systems.{}", spec.name), Fault::ReservedName { name: spec.name.clone() });
            }
            checks.systems.push(System {
                id: SystemId::of(&spec.name),
                name: spec.name.clone(),
                mode: spec.mode,
                ability: spec.ability.clone(),
                max_deletes: spec.max_deletes,
            });
        }
        for (index, name) in self.rank.iter().enumerate() {
            checks.system(format!("rank[{index}]"), Some(name));
            if self.rank[..index].contains(name) {
                checks.fault(format!("rank[{index}]"), Fault::Twice { what: "system", name: name.clone() });
            }
        }
        let rank = |name: &str| self.rank.iter().position(|ranked| ranked == name).unwrap_or(self.rank.len());
        checks.systems.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
        *faults = checks.faults;
        checks.systems
    }
}

/// The systems, once known, and the faults found so far.
pub(super) struct Checks {
    pub(super) systems: Vec<System>,
    faults: Vec<RulesError>,
}

impl Checks {
    pub(super) fn fault(&mut self, at: impl Into<String>, fault: Fault) {
        self.faults.push(RulesError { at: at.into(), fault });
    }

    /// One fault is enough for all objects of a system.
    pub(super) fn fault_once(&mut self, at: &str, fault: Fault) {
        let error = RulesError { at: at.to_owned(), fault };
        if !self.faults.contains(&error) {
            self.faults.push(error);
        }
    }

    /// Does `name` name a system? No name is fine.
    pub(super) fn system(&mut self, at: impl Into<String>, name: Option<&str>) -> bool {
        let Some(name) = name.filter(|name| self.find(name).is_none()) else { return true };
        let near = nearest(name, self.systems.iter().map(|system| &*system.name)).map(str::to_owned);
        let known = self.systems.iter().map(|system| system.name.clone()).collect();
        self.fault(at, Fault::UnknownSystem { name: name.to_owned(), near, known });
        false
    }

    /// A system's name.
    pub(super) fn name(&self, id: SystemId) -> String {
        self.systems.iter().find(|system| system.id == id).map_or_else(String::new, |system| system.name.clone())
    }

    pub(super) fn find(&self, name: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.name == name)
    }

    /// Names are well formed, and neither they nor their ids repeat.
    pub(super) fn names<'a>(
        &mut self,
        at: &str,
        what: &'static str,
        names: impl Iterator<Item = &'a str>,
        id: impl Fn(&str) -> u32,
    ) {
        let mut seen = BTreeMap::new();
        for name in names {
            let at = format!("{at}.{name}");
            if !is_name(name) {
                self.fault(at, Fault::BadName { what, name: name.to_owned() });
                continue;
            }
            match seen.insert(id(name), name) {
                Some(other) if other == name => self.fault(at, Fault::Twice { what, name: name.to_owned() }),
                Some(other) => {
                    self.fault(at, Fault::SameId { what, name: name.to_owned(), other: other.to_owned() });
                }
                None => {}
            }
        }
    }
}

/// The coarsest step of the times that a field's systems can hold.
pub(super) fn step_ms(systems: &[System], bindings: &[FieldBinding]) -> i64 {
    let holds = |system: &&System| bindings.iter().any(|binding| binding.system == system.id);
    systems.iter().filter(holds).map(|system| system.ability.resolution_ms).max().unwrap_or(1).max(1)
}

/// 1 to 64 letters, digits, `_` and `-`.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Words that no system can be named: the options that stand beside system names, those planned, and words of policies.
pub(crate) const RESERVED: [&str; 33] = [
    "type",
    "to",
    "conflict",
    "on_link",
    "default",
    "scale",
    "values",
    "sensitive",
    "is",
    "length",
    "precision",
    "options",
    "too_long",
    "too_fine",
    "unknown",
    "group",
    "join",
    "split",
    "direction",
    "edits",
    "transform",
    "fallback",
    "region",
    "from",
    "required",
    "timeout",
    "scope",
    "label",
    "prefer",
    "owns",
    "unless",
    "latest",
    "review",
];
