//! What a plan comes to.

use super::collect::{Collector, EntityPlan};
use crate::connector::Rate;
use crate::daemon::connect::Connectors;
use crate::daemon::status::Counts;
use crate::daemon::{BackfillReport, problems};
use crate::rules::Rules;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What a plan comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanReport {
    /// By system, in the order of the rules.
    pub systems: Vec<SystemPlan>,
    /// By entity, in the order of the rules.
    pub entities: Vec<EntityPlan>,
    /// The mirror as it would be in the end.
    pub counts: Counts,
    /// Outbox rows that the mirror alone cannot judge: something has to be read first.
    pub waiting: u64,
    /// How long the dry run took.
    pub took: Duration,
}

/// What would happen to one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPlan {
    /// Its name.
    pub name: String,
    /// Records created.
    pub create: u64,
    /// Records updated.
    pub update: u64,
    /// Records deleted.
    pub delete: u64,
    /// API calls, from the start of `apply` to its end.
    pub calls: u64,
    /// Calls that the account has a day, where it says so.
    pub daily_limit: Option<u64>,
    /// How fast calls may follow each other, where it says so.
    pub rate: Option<Rate>,
}

impl SystemPlan {
    /// The least time that the account's rate leaves for the calls; none = no rate is known.
    pub fn least(&self) -> Option<Duration> {
        let Rate { calls, per_ms } = self.rate?;
        let ms = u128::from(self.calls) * u128::from(per_ms) / u128::from(calls.max(1));
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
    }
}

impl PlanReport {
    pub(super) fn new(
        rules: &Rules,
        connectors: &Connectors,
        backfill: &BackfillReport,
        collector: &Collector,
        took: Duration,
    ) -> Self {
        let system = |(id, connector): &(_, std::sync::Arc<dyn crate::connector::Connector>)| {
            let name = rules.system(*id).map(|system| system.name.clone()).unwrap_or_default();
            let count = |counts: &std::collections::BTreeMap<String, u64>| counts.get(&name).copied().unwrap_or(0);
            SystemPlan {
                create: count(&backfill.created),
                update: count(&backfill.updated),
                delete: count(&backfill.deleted),
                calls: connector.calls(),
                daily_limit: connector.daily_limit(),
                rate: connector.rate(),
                name,
            }
        };
        Self {
            systems: connectors.iter().map(system).collect(),
            entities: collector.entities(),
            counts: backfill.counts.clone(),
            waiting: 0,
            took,
        }
    }

    /// Writes in all.
    pub fn writes(&self) -> u64 {
        self.systems.iter().map(|system| system.create + system.update + system.delete).sum()
    }

    /// The document that `plan --json` prints; without values of records.
    pub fn document(&self) -> Value {
        let by_system = |value: &dyn Fn(&SystemPlan) -> Value| -> Map<String, Value> {
            self.systems.iter().map(|system| (system.name.clone(), value(system))).collect()
        };
        let entities: Map<String, Value> =
            self.entities.iter().map(|entity| (entity.name.clone(), self.entity(entity))).collect();
        json!({
            "writes": by_system(&|system| {
                json!({ "create": system.create, "update": system.update, "delete": system.delete })
            }),
            "calls": by_system(&|system| system.calls.into()),
            "minutes": by_system(&|system| system.least().map(|least| least.as_secs_f64() / 60.0).into()),
            "daily_limit": by_system(&|system| system.daily_limit.into()),
            "entities": entities,
            "problems": self.counts.problems,
            "problem_causes": problems::document(&self.counts.causes),
            "waiting": self.waiting,
            "seconds": self.took.as_secs_f64(),
        })
    }

    fn entity(&self, entity: &EntityPlan) -> Value {
        let counts = self.counts.entities.iter().find(|counts| counts.name == entity.name);
        let initial: Map<String, Value> = entity
            .initial
            .iter()
            .map(|(field, (decided, split))| (field.clone(), json!({ "overwritten": decided, "split": split })))
            .collect();
        let conflicts: Vec<Value> = entity
            .conflicts
            .iter()
            .map(|(kind, count)| json!({ "policy": kind.policy, "winner": kind.winner, "count": count }))
            .collect();
        let link: Map<String, Value> = entity
            .link
            .iter()
            .map(|(by, count)| (if by.is_empty() { "external id".to_owned() } else { by.clone() }, (*count).into()))
            .collect();
        json!({
            "create": entity.create,
            "update": entity.update,
            "delete": entity.delete,
            "refused": entity.refused,
            "link": link,
            "initial": initial,
            "conflicts": conflicts,
            "ambiguous": entity.ambiguous,
            "detached": entity.detached,
            "records": counts.map(|counts| counts.records),
            "linked": counts.map(|counts| counts.linked),
            "out_of_scope": counts.map(|counts| counts.outside),
        })
    }
}
