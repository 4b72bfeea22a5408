//! The compiled config: what is mirrored, how it maps, and who wins. Built from TOML (`config`) or in code
//! ([`Rules::builder`]); checked completely when built, so that everything after can trust it.

pub mod advice;
mod builder;
#[cfg(feature = "config")]
pub mod config;
pub mod drift;
mod entity_check;
mod error;
mod field;
mod fingerprint;
mod group;
mod join;
mod life;
mod limits;
mod links;
mod lists;
mod mapping;
mod nearest;
mod owners;
mod policy;
mod record_url;
mod references;
mod rule;
mod scope;
mod shared;
mod shown;
mod spec;
#[cfg(test)]
mod tests;
mod ties;
mod transform;
mod values;
mod what_if;

pub use builder::RulesBuilder;
pub use error::{Fault, RulesError, RulesErrors};
pub use field::Amiss;
pub use join::{Cut, Join};
pub use life::{EditAgainstDelete, MAX_DELETES, OnDelete};
pub use limits::{Limits, Mismatch, TooFine, TooLong, Unfit, Unknown};
pub use links::{LinkField, LinkFieldSpec};
pub use mapping::{Mapping, MappingChange, Remap};
pub use owners::{Owners, check_fallbacks};
pub use policy::{ConflictSpec, LinkSpec, PolicyError};
pub use record_url::RecordUrl;
pub use rule::{Rule, RuleEdit, Ruling};
pub use scope::{Leaves, Scope, ScopeSpec, Test};
pub use shared::SHARED_DOMAINS;
pub use shown::{HIDDEN, Shown};
pub use spec::{CreateSpec, DefaultSpec, EntitySpec, FieldSpec, GroupSpec, ObjectSpec, SystemSpec, ValueRow};
pub use transform::{Custom, Transform};
pub use what_if::{WhatIf, WhatIfError};

use crate::model::{
    ASSOCIATION, Ability, EntityId, FieldId, FieldKind, Home, LIST, ObjectId, People, Raw, SystemId, Value, is_ties,
};
use std::ops::Range;
use std::sync::Arc;

/// Everything that the engine must know about the systems and what is kept equal between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The systems, highest rank first: the first named wins a tie.
    pub systems: Vec<System>,
    /// The entities, in the order of the config, but what is referred to stands before what refers to it (where references run
    /// in a circle, one of them leads forward).
    pub entities: Vec<Entity>,
    /// How often within an hour a system may answer our writes of one field with another value before the field is left alone
    /// there.
    pub write_budget: u32,
    /// How far ahead of its system's clock a record or an edit may be dated, in milliseconds; what is further ahead is not believed.
    pub max_drift_ms: i64,
}

/// One remote account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Its id.
    pub id: SystemId,
    /// Its name in the config.
    pub name: String,
    /// Whether anything may be written there.
    pub mode: Mode,
    /// What it can do; set from its connector before the engine runs.
    pub ability: Ability,
    /// How many records may be deleted there in an hour. More wait for a person.
    pub max_deletes: u32,
}

/// Whether a system may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read and write.
    ReadWrite,
    /// Nothing is ever written there.
    Read,
}

/// A canonical type and where it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its id.
    pub id: EntityId,
    /// Its name in the config.
    pub name: String,
    /// Its objects: one a system, or several.
    pub bindings: Vec<Binding>,
    /// The fields, ascending by id.
    pub fields: Vec<Field>,
    /// Match keys in the order in which they are tried.
    pub match_keys: Vec<FieldId>,
    /// When our external id is written to a record.
    pub stamp: StampPolicy,
    /// Whether an edit keeps what is to be deleted.
    pub edit_against_delete: EditAgainstDelete,
}

/// One of an entity's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The system.
    pub system: SystemId,
    /// The object's name there.
    pub object: String,
    /// The object's id.
    pub object_id: ObjectId,
    /// Are records created there that exist elsewhere? True of one object of a system at most.
    pub create: bool,
    /// The unique property that holds our external id, if the object has one.
    pub external_id: Option<String>,
    /// Properties and values that are written once, when we create a record there, and neither read nor changed after.
    pub on_create: Vec<(String, Raw)>,
    /// Which of its records take part; none = all.
    pub scope: Option<Scope>,
    /// What a delete there does to the counterparts elsewhere.
    pub on_delete: OnDelete,
    /// Fields in which another tool keeps the ids of counterparts, in the order in which they are tried.
    pub links: Vec<LinkField>,
}

/// When our external id is written to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampPolicy {
    /// Only when we create the record: linking equal records writes nothing.
    OnCreate,
}

/// A canonical field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its id.
    pub id: FieldId,
    /// Its name in the config.
    pub name: String,
    /// Its type.
    pub kind: FieldKind,
    /// Its counterparts, one an object at most.
    pub bindings: Vec<FieldBinding>,
    /// Who wins a conflict.
    pub conflict: ConflictPolicy,
    /// What happens to two values when two records are linked.
    pub on_link: LinkPolicy,
    /// What becomes of a value that a system cannot hold.
    pub mismatch: Mismatch,
    /// Its values are stored and synced, but never shown: see [`Field::shown`].
    pub sensitive: bool,
    /// The fields of an atomic group, by name: they are decided together, as one value, and stand in all its systems. Empty =
    /// the field stands by itself.
    pub members: Vec<Field>,
    /// Of a domain: those that match nobody, since many share them; none = [`SHARED_DOMAINS`].
    pub shared_domains: Option<Vec<String>>,
}

/// A field's counterpart in one object of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldBinding {
    /// The system.
    pub system: SystemId,
    /// The object.
    pub object: ObjectId,
    /// The names of its properties there: one; several, of which a text is joined; or those of a group's members.
    pub properties: Vec<String>,
    /// How one text is several properties.
    pub join: Option<Join>,
    /// Value map of an enumeration: (canonical, this system's), in the order of the config. Empty = as it is.
    pub values: Vec<(String, String)>,
    /// Written where the field is blank and the system requires a value.
    pub default: Option<Value>,
    /// What the system can hold.
    pub limits: Limits,
    /// From the canonical value to what the system holds.
    pub transforms: Vec<Transform>,
    /// The e-mail address of whom an owner becomes who is no active user there.
    pub fallback: Option<String>,
    /// The system's users, where the field is an owner: told by [`Rules::set_people`], once they have been read.
    pub people: Arc<People>,
    /// It is the address of the record there, and no property.
    pub record_url: Option<RecordUrl>,
}

impl FieldBinding {
    /// Does the system keep no history of it, although it may of other properties, and not say when it changed?
    pub fn is_unrecorded(&self) -> bool {
        let beside =
            |property: &String| property.starts_with(ASSOCIATION) || property.starts_with(LIST) || is_ties(property);
        self.is_record_url() || self.properties.iter().any(beside)
    }

    /// A property that shows each value as it is.
    pub fn new(home: Home, property: impl Into<String>) -> Self {
        let (values, limits, transforms) = (Vec::new(), Limits::default(), Vec::new());
        let properties = vec![property.into()];
        let Home { system, object } = home;
        let (default, fallback, people, record_url) = (None, None, Arc::default(), None);
        let join = None;
        Self { system, object, properties, join, values, default, limits, transforms, fallback, people, record_url }
    }

    /// The object that it is a property of.
    pub fn home(&self) -> Home {
        Home { system: self.system, object: self.object }
    }

    /// The property, if it is one alone.
    pub fn property(&self) -> Option<&str> {
        match &*self.properties {
            [property] => Some(property),
            _ => None,
        }
    }
}

/// Who wins among concurrent edits of one field: edits whose people had not seen each other. One that has no rival is taken,
/// unless the policy guards single edits (`owns`, one-way, `forward only`).
///
/// Each is a pure function of the set of edits and of what the register had shown to their authors; the order in which the
/// edits become known is no argument. In the examples both sides showed the value before the colon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictPolicy {
    /// `latest`: the latest edit by the total order. (`old`: HubSpot `a` at 9:00, Salesforce `b` at 9:01 → `b`)
    Latest,
    /// `prefer X`: the edit of this system, if it made one; else the latest. (`old`: HubSpot, preferred, `a` at 9:00,
    /// Salesforce `b` at 9:01 → `a`)
    Prefer(SystemId),
    /// `X owns`: only this system's edits count; others are reverted. (`old`: Salesforce, no owner, `b` alone → `old`,
    /// written back to Salesforce)
    Owns(SystemId),
    /// One way: only this system's edits count, and the field is never written there.
    OneWay {
        /// The source.
        from: SystemId,
        /// What an edit elsewhere leads to.
        edits: OneWayEdits,
    },
    /// `prefer X unless blank`: as `prefer X`, but where this system's edit clears the field, the others decide among
    /// themselves by `latest`. (`old`: HubSpot, preferred, clears it, Salesforce `b` → `b`)
    PreferUnlessBlank(SystemId),
    /// `blank never wins`: the latest edit that is not blank. Who clears a field without a rival clears it everywhere.
    /// (`old`: Salesforce `b` at 9:00, HubSpot clears it at 9:01 → `b`)
    BlankNeverWins,
    /// `max`: the largest value; a blank is smaller than any. (`10`: HubSpot `12`, Salesforce `15` → `15`)
    Max,
    /// `min`: the smallest value that is not blank. (`10`: HubSpot `12`, Salesforce `15` → `12`)
    Min,
    /// `forward only A, B, C`: the edit furthest along this order of options. One that is not named or lies before what its
    /// author had seen never holds, even alone: the side is written back. (`A`: HubSpot `C`, Salesforce `B` → `C`; later HubSpot
    /// `B` alone → `C`, written back to HubSpot)
    ForwardOnly(Arc<[String]>),
    /// `union`: what either side added is in, what either removed is out, compared with what both had seen. (`a;b`: HubSpot
    /// `a;b;c`, Salesforce `b` → `b;c`, a value that nobody entered)
    Union,
    /// `append`: of a text, what either side added is in, line by line, in the order of the edits, and what either took out is out,
    /// compared with what both had seen. What both added is there once. (`called`: HubSpot adds `no answer`, Salesforce adds
    /// `mail sent` → `called`, `no answer`, `mail sent`)
    Append,
    /// A function in code, or an expression of a config.
    Rule(Rule),
    /// `review`: a person decides. Until then each side keeps its own value, and nothing is written; the register holds what
    /// all had seen. An operator decides, or, where that is said, a policy once nobody has for so long. (`old`: HubSpot `a`,
    /// Salesforce `b` → HubSpot shows `a`, Salesforce `b`, until somebody says which)
    Review(Option<Arc<Lapse>>),
}

/// When a review ends by itself, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lapse {
    /// So long after it was asked last, in milliseconds.
    pub after_ms: i64,
    /// By this policy.
    pub then: ConflictPolicy,
}

/// What an edit leads to where a one-way field only arrives. Its value is journaled in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OneWayEdits {
    /// It is overwritten at once.
    #[default]
    Overwrite,
    /// It stays until the source is edited.
    Keep,
    /// As `Keep`, and it is listed as a problem.
    Problem,
}

impl ConflictPolicy {
    /// The system whose edits alone count.
    pub fn owner(&self) -> Option<SystemId> {
        match self {
            Self::Owns(system) | Self::OneWay { from: system, .. } => Some(*system),
            _ => None,
        }
    }

    /// May the field be written to a system?
    pub fn writes_to(&self, system: SystemId) -> bool {
        !matches!(self, Self::OneWay { from, .. } if *from == system)
    }

    /// Does an edit at `system` stay there although it does not count?
    pub fn keeps_edits_of(&self, system: SystemId) -> bool {
        matches!(self, Self::OneWay { from, edits: OneWayEdits::Keep | OneWayEdits::Problem } if *from != system)
    }

    /// Does it compare edits with what their authors had seen? Then that is kept for as long as an edit may rest on it.
    pub fn is_three_way(&self) -> bool {
        matches!(self, Self::ForwardOnly(_) | Self::Union | Self::Append | Self::Rule(_) | Self::Review(_))
    }

    /// Can it decide about values of this type?
    pub fn suits(&self, kind: &FieldKind) -> bool {
        match self {
            Self::Max | Self::Min => matches!(
                kind,
                FieldKind::Integer | FieldKind::Decimal { .. } | FieldKind::Date | FieldKind::DateTime { .. }
            ),
            Self::ForwardOnly(_) => *kind == FieldKind::Enum,
            Self::Union => *kind == FieldKind::Set,
            Self::Append => *kind == FieldKind::Text,
            Self::Rule(_) => !matches!(kind, FieldKind::Group | FieldKind::Ref { .. }),
            Self::Review(Some(lapse)) => lapse.then.suits(kind),
            _ => true,
        }
    }
}

/// What happens to two different values when two records are linked. A blank never beats a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkPolicy {
    /// This system's value goes everywhere.
    Prefer(SystemId),
    /// Each side keeps its own until somebody edits.
    FillBlanks,
    /// Each side keeps its own until a person decides.
    Review,
    /// Whichever was entered last goes everywhere, by the histories of both: each side keeps its own until those are read.
    Latest,
}

impl Rules {
    /// [`Self::write_budget`] where nothing is said.
    pub const WRITE_BUDGET: u32 = 5;
    /// [`Self::max_drift_ms`] where nothing is said.
    pub const MAX_DRIFT_MS: i64 = 60_000;

    /// Rules in code, with the same checks as a config has.
    pub fn builder() -> RulesBuilder {
        RulesBuilder::default()
    }

    /// Sets what a system can do, once its connector is there to say so; the steps of moments follow. An unknown system is
    /// left alone.
    pub fn set_ability(&mut self, system: SystemId, ability: Ability) {
        let Some(known) = self.systems.iter_mut().find(|known| known.id == system) else { return };
        known.ability = ability;
        let fields = self.entities.iter_mut().flat_map(|entity| &mut entity.fields);
        for field in fields.flat_map(Field::leaves_mut) {
            if let FieldKind::DateTime { step_ms } = &mut field.kind {
                *step_ms = builder::step_ms(&self.systems, &field.bindings);
            }
        }
    }

    /// The system with this id.
    pub fn system(&self, id: SystemId) -> Option<&System> {
        self.systems.iter().find(|system| system.id == id)
    }

    /// The system with this name.
    pub fn system_named(&self, name: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.name == name)
    }

    /// The entity with this id.
    pub fn entity(&self, id: EntityId) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.id == id)
    }

    /// Do records of any entity refer to those of this one?
    pub fn is_referred_to(&self, id: EntityId) -> bool {
        self.entities.iter().any(|entity| entity.leads_to().any(|(_, to)| to == id))
    }

    /// Place in the ranking, 0 = highest. Unknown systems rank last.
    pub fn rank(&self, system: SystemId) -> usize {
        self.systems.iter().position(|s| s.id == system).unwrap_or(self.systems.len())
    }
}

impl Entity {
    /// The binding to an object.
    pub fn binding(&self, home: Home) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.home() == home)
    }

    /// The bindings to a system's objects; none = it does not live there.
    pub fn bindings_in(&self, system: SystemId) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.system == system)
    }

    /// The systems in which it lives, each once.
    pub fn systems(&self) -> impl Iterator<Item = SystemId> {
        let first = |at: usize| self.bindings[..at].iter().all(|other| other.system != self.bindings[at].system);
        (0..self.bindings.len()).filter(move |at| first(*at)).map(|at| self.bindings[at].system)
    }

    /// The field with this id.
    pub fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.binary_search_by_key(&id, |field| field.id).ok().map(|at| &self.fields[at])
    }

    /// The references of its records, with the entity that each leads to.
    pub fn references(&self) -> impl Iterator<Item = (&Field, EntityId)> {
        self.fields.iter().filter_map(|field| field.refers_to().map(|to| (field, to)))
    }

    /// The fields that an object holds, with their bindings, ascending by field id.
    pub fn fields_at(&self, home: Home) -> impl Iterator<Item = (&Field, &FieldBinding)> {
        self.fields.iter().filter_map(move |field| field.binding(home).map(|binding| (field, binding)))
    }

    /// As [`Self::fields_at`], each with the places of its properties in a row that was asked for
    /// [`Self::properties_at`].
    pub fn placed_at(&self, home: Home) -> impl Iterator<Item = (&Field, &FieldBinding, Range<usize>)> {
        let mut from = 0;
        self.fields_at(home).map(move |(field, binding)| {
            let place = from..from + binding.properties.len();
            from = place.end;
            (field, binding, place)
        })
    }

    /// As [`Self::fields_at`], with the members of a group in its place.
    pub fn leaves_at(&self, home: Home) -> impl Iterator<Item = (&Field, &FieldBinding)> {
        let leaves = self.fields.iter().flat_map(Field::leaves);
        leaves.filter_map(move |field| field.binding(home).map(|binding| (field, binding)))
    }

    /// The properties of all fields that an object holds, in the order of [`Self::fields_at`].
    pub fn properties_at(&self, home: Home) -> impl Iterator<Item = &String> {
        self.fields_at(home).flat_map(|(_, binding)| &binding.properties)
    }
}

impl Binding {
    /// The object.
    pub fn home(&self) -> Home {
        Home { system: self.system, object: self.object_id }
    }
}
