//! What a dry run decides and would send, counted, and written down as it leaves.

use super::file::{Line, PlanError, Writer};
use super::foresee::Schemas;
use super::refer;
use crate::connector::{Target, WriteItem};
use crate::daemon::DaemonError;
use crate::daemon::driver::{Deleting, Leaving, Watch};
use crate::engine::{AT_HOME, Change, Happening, JournalEntry, View};
use crate::model::{EntityId, FieldId, FieldKind, Home, Record, RecordId, SystemId, Value};
use crate::rules::{ConflictPolicy, Entity, Field, FieldBinding, HIDDEN, LinkPolicy, Rules};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What would happen to one entity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntityPlan {
    /// Its name.
    pub name: String,
    /// Records created, by system.
    pub create: BTreeMap<String, u64>,
    /// Records updated, by system.
    pub update: BTreeMap<String, u64>,
    /// Records deleted, by system.
    pub delete: BTreeMap<String, u64>,
    /// Writes that a system will refuse, as its schema says; they are no part of the others.
    pub refused: BTreeMap<String, u64>,
    /// Remote records found to be one, by the field that says so; "" = our external id.
    pub link: BTreeMap<String, u64>,
    /// Fields in which linked records differ: by field, how many are overwritten and how many stay apart.
    pub initial: BTreeMap<String, (u64, u64)>,
    /// Fields that were edited on several sides.
    pub conflicts: BTreeMap<Conflict, u64>,
    /// Records that match several.
    pub ambiguous: u64,
    /// Links that a delete ends.
    pub detached: u64,
    /// Some of the writes.
    pub samples: Vec<Sample>,
    /// Some of the initial decisions.
    pub link_samples: Vec<LinkSample>,
}

/// A kind of conflict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The policy that decides.
    pub policy: String,
    /// The system whose edit wins.
    pub winner: String,
}

/// A write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Where to.
    pub system: String,
    /// Is it a create?
    pub create: bool,
    /// Is it a delete?
    pub delete: bool,
    /// Where its record stands, by system.
    pub remote: BTreeMap<String, String>,
    /// Property, what it shows, what is written; a blank is none.
    pub fields: Vec<(String, Option<String>, Option<String>)>,
}

/// A field of two records that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSample {
    /// The field.
    pub field: String,
    /// What counts from then on.
    pub kept: String,
    /// What the other side shows.
    pub other: String,
    /// Does that stay as it is?
    pub split: bool,
}

/// Counts, and writes down.
pub(super) struct Collector {
    rules: Rules,
    schemas: Arc<Schemas>,
    state: Mutex<State>,
}

struct State {
    entities: BTreeMap<EntityId, EntityPlan>,
    out: Option<Writer>,
    /// Values of first links that stay apart until the histories are read.
    undated: BTreeSet<(EntityId, Option<RecordId>, FieldId)>,
}

impl Collector {
    pub fn new(rules: &Rules, schemas: Arc<Schemas>, out: Option<&Path>) -> Result<Self, PlanError> {
        let out = out.map(|path| Writer::create(path, rules.fingerprint())).transpose()?;
        let entity = |entity: &Entity| {
            let none = |bindings: &Entity| -> BTreeMap<String, u64> {
                bindings.systems().map(|system| (name(rules, system), 0)).collect()
            };
            let (create, update, delete, refused) = (none(entity), none(entity), none(entity), none(entity));
            (
                entity.id,
                EntityPlan { name: entity.name.clone(), create, update, delete, refused, ..EntityPlan::default() },
            )
        };
        let entities = rules.entities.iter().map(entity).collect();
        Ok(Self { rules: rules.clone(), schemas, state: Mutex::new(State { entities, out, undated: BTreeSet::new() }) })
    }

    /// The entities in the order of the rules.
    pub fn entities(&self) -> Vec<EntityPlan> {
        let state = self.state();
        self.rules.entities.iter().filter_map(|entity| state.entities.get(&entity.id).cloned()).collect()
    }

    /// The plan's file is whole.
    pub fn finish(&self) -> Result<(), PlanError> {
        self.state().out.take().map_or(Ok(()), Writer::finish)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        &self,
        state: &mut State,
        (entity, home): (&Entity, Home),
        record: &Record,
        item: &WriteItem,
        view: &dyn View,
    ) -> Result<(), DaemonError> {
        let (Some(binding), system) = (entity.binding(home), home.system) else { return Ok(()) };
        let system_name = name(&self.rules, system);
        let remote =
            record.live_sides().map(|side| (name(&self.rules, side.system), side.remote.to_string())).collect();
        let create = matches!(item.target, Target::Create { .. });
        let before = |property: &str| if create { None } else { shown(entity, home, record, property) };
        let referring = refer::by_record(&self.rules, view, (entity, home), item)?;
        let named = referring.map(|fields| WriteItem { fields, ..item.clone() });
        let names = (system_name.as_str(), entity.name.as_str(), binding.object.as_str());
        let sensitive = |property: &str| leaf_of(entity, home, property).is_some_and(|(field, _)| field.sensitive);
        let mut line = Line::of(names, record.id, remote, named.as_ref().unwrap_or(item), before, sensitive);
        line.refused = self.schemas.refusal(system, &binding.object, item).map(|foreseen| foreseen.code.to_owned());
        let Some(plan) = state.entities.get_mut(&entity.id) else { return Ok(()) };
        let counts = match (&line.refused, create) {
            (Some(_), _) => &mut plan.refused,
            (None, true) => &mut plan.create,
            (None, false) => &mut plan.update,
        };
        *counts.entry(system_name.clone()).or_default() += 1;
        let like = |known: &&Sample| known.system == system_name && known.create == create && !known.delete;
        let known = plan.samples.iter().filter(like).count();
        if known < SAMPLES && line.refused.is_none() {
            let fields = line.fields.iter().map(|(property, before, after)| {
                let after = match after {
                    serde_json::Value::Null => None,
                    serde_json::Value::String(text) => Some(text.clone()),
                    serde_json::Value::Object(other) => {
                        let number = other.get("number").and_then(|number| number.as_str());
                        Some(number.unwrap_or(HIDDEN).to_owned())
                    }
                    other => Some(other.to_string()),
                };
                (property.clone(), before.clone(), after.filter(|text| !text.is_empty()))
            });
            // A group goes as a whole; what does not change of it is no news.
            let fields = fields.filter(|(_, before, after)| before != after || after.as_deref() == Some(HIDDEN));
            // References as people know them.
            let mut fields: Vec<(String, Option<String>, Option<String>)> = fields.collect();
            for (property, before, after) in &mut fields {
                let of = leaf_of(entity, home, property).map(|(field, _)| field);
                if let (Some(to), Some(text)) = (of.and_then(Field::ties_to), after.as_mut()) {
                    (*before, *text) = (None, refer::readable_ties(&self.rules, view, to, text)?);
                    continue;
                }
                let to = of.and_then(Field::refers_to);
                for text in [before, after].into_iter().flatten() {
                    if let (Some(to), Some(id)) = (to, refer::record(text).or_else(|| RecordId::parse(text))) {
                        *text = refer::readable(&self.rules, view, to, id)?;
                    }
                }
            }
            let remote = line.remote.clone();
            plan.samples.push(Sample { system: system_name, create, delete: false, remote, fields });
        }
        match &mut state.out {
            Some(out) => Ok(out.write(&line)?),
            None => Ok(()),
        }
    }

    /// A commit's decisions about one record's field: taken and lost edits are one conflict.
    fn decided(&self, state: &mut State, entries: &[&JournalEntry]) {
        let mut conflicts: BTreeMap<(EntityId, Option<RecordId>, FieldId), Conflict> = BTreeMap::new();
        for entry in entries {
            let Some(entity) = entry.entity.and_then(|id| self.rules.entity(id)) else { continue };
            let Some(plan) = state.entities.get_mut(&entity.id) else { continue };
            let field = |id: FieldId| entity.field(id).map(|field| field.name.clone()).unwrap_or_default();
            match &entry.what {
                Happening::Linked { by, .. } => *plan.link.entry(by.map(field).unwrap_or_default()).or_default() += 1,
                Happening::LinkDecided { field: id, to, other, split, .. } => {
                    let Some(of) = entity.field(*id) else { continue };
                    let count = plan.initial.entry(field(*id)).or_default();
                    let at = (entity.id, entry.record, *id);
                    let (kept, other) = (of.shown(to).to_string(), of.shown(other).to_string());
                    if *split {
                        count.1 += 1;
                        if of.on_link == LinkPolicy::Latest {
                            state.undated.insert(at);
                        }
                    } else {
                        count.0 += 1;
                        if state.undated.remove(&at) {
                            count.1 -= 1;
                            let values = [&kept, &other];
                            plan.link_samples.retain(|sample| {
                                let same = values.contains(&&sample.kept) && values.contains(&&sample.other);
                                !(sample.split && sample.field == of.name && same)
                            });
                        }
                    }
                    if plan.link_samples.len() < SAMPLES {
                        plan.link_samples.push(LinkSample { field: of.name.clone(), kept, other, split: *split });
                    }
                }
                // The register goes back to what both had seen: nobody has won.
                Happening::Review { field, .. } if is_reviewed(entity, *field) => {
                    let conflict = Conflict { policy: "review".into(), winner: "nobody yet".into() };
                    conflicts.insert((entity.id, entry.record, *field), conflict);
                }
                Happening::Value { field, rule: Some(rule), .. }
                    if rule.starts_with("review") && conflicts.contains_key(&(entity.id, entry.record, *field)) => {}
                Happening::Value { field, rule: Some(rule), system, .. } => {
                    let conflict = Conflict { policy: rule.clone(), winner: name(&self.rules, *system) };
                    conflicts.insert((entity.id, entry.record, *field), conflict);
                }
                // A later word of the same side is no conflict.
                Happening::Lost { field, rule, system, .. } if rule != AT_HOME => {
                    let others = entity.systems().filter(|other| other != system);
                    let others: Vec<String> = others.map(|other| name(&self.rules, other)).collect();
                    let conflict = Conflict { policy: rule.clone(), winner: others.join(" or ") };
                    conflicts.entry((entity.id, entry.record, *field)).or_insert(conflict);
                }
                Happening::Ambiguous { .. } => plan.ambiguous += 1,
                Happening::Detached { .. } => plan.detached += 1,
                _ => {}
            }
        }
        for ((entity, ..), conflict) in conflicts {
            if let Some(plan) = state.entities.get_mut(&entity) {
                *plan.conflicts.entry(conflict).or_default() += 1;
            }
        }
    }
}

/// Do persons decide its conflicts?
fn is_reviewed(entity: &Entity, field: FieldId) -> bool {
    entity.field(field).is_some_and(|field| matches!(field.conflict, ConflictPolicy::Review(_)))
}

impl Watch for Collector {
    fn committed(&self, changes: &[Change]) {
        let entries: Vec<&JournalEntry> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Journal(entry) => Some(&**entry),
                _ => None,
            })
            .collect();
        if !entries.is_empty() {
            self.decided(&mut self.state(), &entries);
        }
    }

    fn leaving(&self, leaving: Leaving<'_>) -> Result<(), DaemonError> {
        let Some(entity) = self.rules.entity(leaving.entity) else { return Ok(()) };
        let mut state = self.state();
        for (id, item) in leaving.items {
            let Some(record) = leaving.view.record(entity.id, *id)? else { continue };
            self.write(&mut state, (entity, leaving.home), &record, item, leaving.view)?;
        }
        Ok(())
    }

    fn deleting(&self, leaving: Deleting<'_>) -> Result<(), DaemonError> {
        let Some(entity) = self.rules.entity(leaving.entity) else { return Ok(()) };
        let Some(binding) = entity.binding(leaving.home) else { return Ok(()) };
        let (mut state, system) = (self.state(), name(&self.rules, leaving.home.system));
        for (id, item) in leaving.items {
            let Some(record) = leaving.view.record(entity.id, *id)? else { continue };
            let remote: BTreeMap<String, String> =
                record.live_sides().map(|side| (name(&self.rules, side.system), side.remote.to_string())).collect();
            let names = (system.as_str(), entity.name.as_str(), binding.object.as_str());
            let line = Line::deleting(names, *id, remote.clone(), item.remote.as_str());
            if let Some(plan) = state.entities.get_mut(&entity.id) {
                *plan.delete.entry(system.clone()).or_default() += 1;
                if plan.samples.iter().filter(|known| known.delete && known.system == system).count() < SAMPLES {
                    let (system, fields) = (system.clone(), Vec::new());
                    plan.samples.push(Sample { system, create: false, delete: true, remote, fields });
                }
            }
            if let Some(out) = &mut state.out {
                out.write(&line)?;
            }
        }
        Ok(())
    }
}

/// The field behind a property: a group's member, or one by itself.
fn leaf_of<'e>(entity: &'e Entity, home: Home, property: &str) -> Option<(&'e Field, &'e FieldBinding)> {
    entity.leaves_at(home).find(|(_, binding)| binding.properties.iter().any(|name| name == property))
}

/// What a side shows of a property now, as far as the mirror knows and as people may see it; none = blank.
fn shown(entity: &Entity, home: Home, record: &Record, property: &str) -> Option<String> {
    let holds = |binding: &FieldBinding| binding.properties.iter().position(|name| name == property);
    let (field, binding, at) =
        entity.fields_at(home).find_map(|(field, binding)| Some((field, binding, holds(binding)?)))?;
    let value = match record.side(home.system)?.differs(field.id) {
        Some(differs) => differs.shown.clone(),
        None => field.project(binding, &record.register(field.id)?.val),
    };
    let (field, value) = match (field.members.get(at), &binding.join) {
        (Some(member), _) => (member, value.member(at).clone()),
        // As far as can be told: the text may be split elsewhere than we would.
        (None, Some(_)) => (field, FieldKind::Text.read(field.write(binding, &value).ok()?.get(at)?).ok()?),
        (None, None) => (field, value),
    };
    (value != Value::Null).then(|| field.shown(&value).to_string())
}

fn name(rules: &Rules, system: SystemId) -> String {
    rules.system(system).map(|system| system.name.clone()).unwrap_or_default()
}

/// Samples of each kind.
const SAMPLES: usize = 2;
