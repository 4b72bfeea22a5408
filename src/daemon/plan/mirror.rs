//! What the mirror alone says is to be sent, without asking anybody.

use super::collect::Collector;
use super::report::{PlanReport, SystemPlan};
use crate::connector::WriteItem;
use crate::daemon::DaemonError;
use crate::daemon::connect::{Connectors, read_spec};
use crate::daemon::driver::{Deleting, Leaving, Watch, wall_clock};
use crate::daemon::status;
use crate::engine::{self, Answer, Answers, Ask, Clocks, DeleteItem, Effect, Input, LookedUp, View};
use crate::model::{ClockOffset, Home, Outcome, SourceKind, Target, Timing};
use crate::rules::Rules;
use crate::store::Store;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Takes what the outbox of a scratch copy would send, batch by batch. Look-ups count as finding nothing; what has to be
/// read before it can be judged is only counted.
///
/// # Errors
/// The copy cannot be used, was made with another mapping, or the plan cannot be written down.
pub fn from_mirror(
    rules: &Rules,
    connectors: &Connectors,
    mirror: &Store,
    out: Option<&Path>,
) -> Result<PlanReport, DaemonError> {
    let began = Instant::now();
    if mirror.fingerprint()?.is_some_and(|known| known != rules.fingerprint().0) {
        return Err(DaemonError::Mapping);
    }
    let collector = Collector::new(rules, Arc::default(), out)?;
    let mut systems = Vec::new();
    for (id, connector) in connectors {
        let name = rules.system(*id).map(|system| system.name.clone()).unwrap_or_default();
        let (daily_limit, rate) = (connector.daily_limit(), connector.rate());
        let mut plan = SystemPlan { name, create: 0, update: 0, delete: 0, calls: 0, daily_limit, rate };
        for entity in rules.entities.iter().filter(|entity| entity.bindings_in(*id).next().is_some()) {
            let history = connector.ability().source == SourceKind::History;
            loop {
                let effects = step(rules, mirror, Input::Work { entity: entity.id, system: *id, create: true })?;
                let mut moved = false;
                for effect in effects {
                    match effect {
                        Effect::Read { .. } => {}
                        Effect::LookUp { asks, records, .. } => {
                            for Ask { object, property, values } in &asks {
                                let home = Home { system: *id, object: *object };
                                let Some(binding) = entity.binding(home) else { continue };
                                let keys = crate::connector::Keys::Values { property, values };
                                plan.calls += connector.calls_to_read(&read_spec(entity, binding), keys, false);
                            }
                            let timing = Timing { sent: wall_clock(), offset: ClockOffset::default() };
                            let (entity, system, rows) = (entity.id, *id, Vec::new());
                            step(rules, mirror, Input::LookedUp(LookedUp { entity, system, records, rows, timing }))?;
                            moved = true;
                        }
                        Effect::Delete { home, items, .. } => {
                            collector.deleting(Deleting { entity: entity.id, home, items: &items, view: mirror })?;
                            let object = entity.binding(home).map(|binding| binding.object.clone()).unwrap_or_default();
                            plan.calls += connector.calls_to_delete(&object, items.len());
                            plan.delete += items.len() as u64;
                            let later = |(record, item): (_, DeleteItem)| Answer::of_delete(record, &item, retry());
                            let answers = items.into_iter().map(later).collect();
                            let (entity, system) = (entity.id, *id);
                            step(rules, mirror, Input::Answers(Answers { entity, system, answers }))?;
                            moved = true;
                        }
                        Effect::Write { home, items, .. } => {
                            let Some(binding) = entity.binding(home) else { continue };
                            let spec = read_spec(entity, binding);
                            collector.leaving(Leaving { entity: entity.id, home, items: &items, view: mirror })?;
                            let (records, items): (Vec<_>, Vec<WriteItem>) = items.into_iter().unzip();
                            plan.calls += connector.calls_to_write(&items, &[]);
                            let updated: Vec<_> = items
                                .iter()
                                .filter_map(|item| match &item.target {
                                    Target::Update(remote) => Some(remote.clone()),
                                    Target::Create { .. } => None,
                                })
                                .collect();
                            plan.create += (items.len() - updated.len()) as u64;
                            plan.update += updated.len() as u64;
                            // Each update is read back.
                            let limits = connector.ability().batch;
                            let batch = if history { limits.read_history } else { limits.read };
                            for ids in updated.chunks(batch.max(1)) {
                                plan.calls += connector.calls_to_read(&spec, crate::connector::Keys::Ids(ids), history);
                            }
                            // It is put off, so that it is not asked for again.
                            let later = |(record, item): (_, WriteItem)| Answer::of(record, &item, retry());
                            let answers = records.into_iter().zip(items).map(later).collect();
                            let (entity, system) = (entity.id, *id);
                            step(rules, mirror, Input::Answers(Answers { entity, system, answers }))?;
                            moved = true;
                        }
                    }
                }
                if !moved {
                    break;
                }
            }
        }
        systems.push(plan);
    }
    let mut waiting = mirror.reread_len()?;
    for entity in &rules.entities {
        for system in &rules.systems {
            let soon = engine::time(mirror, wall_clock())?.plus(WAITING_MS);
            waiting += mirror.outbox_due(system.id, entity.id, soon, WAITING_MAX)?.len() as u64;
        }
    }
    collector.finish()?;
    let (entities, counts, took) = (collector.entities(), status::count(rules, mirror)?, began.elapsed());
    Ok(PlanReport { systems, entities, counts, waiting, took })
}

/// Put off for longer than anything here takes.
fn retry() -> Outcome {
    Outcome::Retry { code: "PLANNED".to_owned(), after_ms: status::HELD_MS }
}

fn step(rules: &Rules, mirror: &Store, input: Input<'_>) -> Result<Vec<Effect>, DaemonError> {
    let clocks = Clocks { now: wall_clock(), offsets: Vec::new() };
    let step = engine::step(rules, &mirror.snapshot()?, &clocks, input)?;
    mirror.apply(&step.changes)?;
    Ok(step.effects)
}

/// What is due by then waits for something to be read, in milliseconds.
const WAITING_MS: i64 = 3_600_000;
/// Such rows are counted up to here, by entity and system.
const WAITING_MAX: usize = 100_000;
