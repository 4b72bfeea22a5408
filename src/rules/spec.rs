//! What [`Rules::builder`](super::Rules::builder) is told: the config by names, before anything is checked.

use super::{
    ConflictSpec, EditAgainstDelete, Join, Limits, LinkFieldSpec, LinkSpec, Mismatch, Mode, OnDelete, OneWayEdits,
    ScopeSpec, Transform,
};
use crate::model::{Ability, EntityId, FieldKind, Raw};

/// A system, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemSpec {
    /// Its name.
    pub name: String,
    /// What it can do.
    pub ability: Ability,
    /// Whether anything may be written there.
    pub mode: Mode,
    /// How many records may be deleted there in an hour ([`MAX_DELETES`](super::MAX_DELETES)).
    pub max_deletes: u32,
}

/// An entity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntitySpec {
    /// Its name.
    pub name: String,
    /// Where it lives: one object a system, or several.
    pub objects: Vec<ObjectSpec>,
    /// (system, object): as which object records are created where there are several.
    pub create_as: Vec<(String, String)>,
    /// Its fields.
    pub fields: Vec<FieldSpec>,
    /// The policies of its atomic groups, where those differ from its own.
    pub groups: Vec<GroupSpec>,
    /// Names of the fields by which records are matched, in the order in which they are tried.
    pub match_keys: Vec<String>,
    /// Where records are created; none = everywhere if a match key is an e-mail address or a domain, else nowhere.
    pub create: Option<CreateSpec>,
    /// Who wins a conflict; none = as all rules have it.
    pub conflict: Option<ConflictSpec>,
    /// What a first link does; none = as all rules have it.
    pub on_link: Option<LinkSpec>,
    /// What a delete in one of its systems does in the others, unless the object says otherwise.
    pub on_delete: OnDelete,
    /// Whether an edit keeps what is to be deleted.
    pub edit_against_delete: EditAgainstDelete,
}

/// The policies of an atomic group of fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSpec {
    /// Its name, which its fields give as [`FieldSpec::group`].
    pub name: String,
    /// Who wins a conflict; none = as the entity has it.
    pub conflict: Option<ConflictSpec>,
    /// What a first link does; none = as the entity has it.
    pub on_link: Option<LinkSpec>,
}

/// Where records that exist elsewhere are created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateSpec {
    /// In every system that may be written to and has a place for our external id.
    Everywhere,
    /// In no system.
    Nowhere,
    /// In these systems.
    At(Vec<String>),
}

/// An entity's object in one system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectSpec {
    /// The system's name.
    pub system: String,
    /// The object's name there.
    pub object: String,
    /// The unique property that holds our external id.
    pub external_id: Option<String>,
    /// Properties and values that a new record gets once, when we create it.
    pub on_create: Vec<(String, Raw)>,
    /// Which of its records take part; none = all.
    pub scope: Option<ScopeSpec>,
    /// What a delete there does in the other systems; none = as the entity has it.
    pub on_delete: Option<OnDelete>,
    /// Fields in which another tool keeps the ids of counterparts.
    pub links: Vec<LinkFieldSpec>,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: String,
    /// Its type. The step of a moment is set from its systems when the rules are built.
    pub kind: FieldKind,
    /// The entity that a reference leads to, by its name.
    pub to: Option<String>,
    /// (system, properties), one a system: of each of its objects; a text can be several.
    pub properties: Vec<(String, Vec<String>)>,
    /// (system, object, properties), where a system's objects differ. An object that is not named here, in a system without an
    /// entry in `properties`, does not have the field.
    pub of_objects: Vec<(String, String, Vec<String>)>,
    /// It is the address of the record in this system.
    pub record_url_of: Option<String>,
    /// How a text is several properties, wherever it is.
    pub join: Option<Join>,
    /// The atomic group to which it belongs: its fields are decided together, as one value.
    pub group: Option<String>,
    /// Who wins a conflict; none = as the entity has it.
    pub conflict: Option<ConflictSpec>,
    /// What a first link does; none = as the entity has it.
    pub on_link: Option<LinkSpec>,
    /// What is written where the field is blank.
    pub default: Option<DefaultSpec>,
    /// The value map of an enumeration; empty = the systems use the same options.
    pub values: Vec<ValueRow>,
    /// What systems can hold, by their names; what is said twice of one system is taken together.
    pub limits: Vec<(String, Limits)>,
    /// What becomes of a value that a system cannot hold.
    pub mismatch: Mismatch,
    /// From the canonical value to what a system holds, by the system's name.
    pub transforms: Vec<(String, Vec<Transform>)>,
    /// (system, e-mail address): whom an owner becomes who is no active user there.
    pub fallback: Vec<(String, String)>,
    /// Its values are never shown to people, in logs or in errors.
    pub sensitive: bool,
    /// Of a domain that is matched by: domains that many share, in place of those of mail providers.
    pub shared_domains: Option<Vec<String>>,
}

/// What is written where a field is blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultSpec {
    /// In every system of the field.
    Everywhere(Raw),
    /// In these systems, as each of them writes it.
    At(Vec<(String, Raw)>),
}

/// One row of a value map: options that mean the same.
///
/// Reading takes the first row that names the value, writing the first row of the canonical name. Several rows may share
/// a value or a canonical name: many-to-one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValueRow {
    /// The canonical name; none = the value of the row's alphabetically first system.
    pub is: Option<String>,
    /// (system, its option).
    pub at: Vec<(String, String)>,
}

impl EntitySpec {
    /// An entity with nothing in it yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// It lives in `system` as `object`; no record is created there, for want of an external id.
    #[must_use]
    pub fn at(mut self, system: impl Into<String>, object: impl Into<String>) -> Self {
        self.objects.push(ObjectSpec { system: system.into(), object: object.into(), ..ObjectSpec::default() });
        self
    }

    /// It lives in `system` as `object`, whose unique property `external_id` holds our external id.
    #[must_use]
    pub fn at_with_id(
        mut self,
        system: impl Into<String>,
        object: impl Into<String>,
        external_id: impl Into<String>,
    ) -> Self {
        let external_id = Some(external_id.into());
        let (system, object) = (system.into(), object.into());
        self.objects.push(ObjectSpec { system, object, external_id, ..ObjectSpec::default() });
        self
    }

    /// A property of `system` that a new record gets once, when we create it there. The system comes first, by [`Self::at`].
    #[must_use]
    pub fn on_create(mut self, system: &str, property: impl Into<String>, value: Raw) -> Self {
        if let Some(object) = self.objects.iter_mut().find(|object| object.system == system) {
            object.on_create.push((property.into(), value));
        }
        self
    }

    /// Only these records of `system` take part. The system comes first, by [`Self::at`].
    #[must_use]
    pub fn scope(mut self, system: &str, scope: ScopeSpec) -> Self {
        for object in self.objects.iter_mut().filter(|object| object.system == system) {
            object.scope = Some(scope.clone());
        }
        self
    }

    /// In `system` another tool keeps in a field which record of another system is the counterpart. The system comes first, by
    /// [`Self::at`]. The field need not live anywhere else.
    #[must_use]
    pub fn named_by(mut self, system: &str, link: LinkFieldSpec) -> Self {
        for object in self.objects.iter_mut().filter(|object| object.system == system) {
            object.links.push(link.clone());
        }
        self
    }

    /// What a delete in any of its systems does in the others.
    #[must_use]
    pub fn on_delete(mut self, on_delete: OnDelete) -> Self {
        self.on_delete = on_delete;
        self
    }

    /// What a delete in `system` does in the others. The system comes first, by [`Self::at`].
    #[must_use]
    pub fn on_delete_in(mut self, system: &str, on_delete: OnDelete) -> Self {
        for object in self.objects.iter_mut().filter(|object| object.system == system) {
            object.on_delete = Some(on_delete);
        }
        self
    }

    /// Whether an edit keeps what is to be deleted.
    #[must_use]
    pub fn edit_against_delete(mut self, wins: EditAgainstDelete) -> Self {
        self.edit_against_delete = wins;
        self
    }

    /// The policies of a group.
    #[must_use]
    pub fn group(mut self, group: GroupSpec) -> Self {
        self.groups.push(group);
        self
    }

    /// Records that are created in `system` become this one of its objects.
    #[must_use]
    pub fn create_as(mut self, system: impl Into<String>, object: impl Into<String>) -> Self {
        self.create_as.push((system.into(), object.into()));
        self
    }

    /// Adds a match key, tried after those before it.
    #[must_use]
    pub fn match_by(mut self, field: impl Into<String>) -> Self {
        self.match_keys.push(field.into());
        self
    }

    /// Where records are created.
    #[must_use]
    pub fn create(mut self, create: CreateSpec) -> Self {
        self.create = Some(create);
        self
    }

    /// Who wins a conflict in its fields.
    #[must_use]
    pub fn conflict(mut self, conflict: ConflictSpec) -> Self {
        self.conflict = Some(conflict);
        self
    }

    /// What a first link does in its fields.
    #[must_use]
    pub fn on_link(mut self, on_link: LinkSpec) -> Self {
        self.on_link = Some(on_link);
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: FieldSpec) -> Self {
        self.fields.push(field);
        self
    }
}

impl FieldSpec {
    /// A field without counterparts yet.
    pub fn new(name: impl Into<String>, kind: FieldKind) -> Self {
        Self {
            name: name.into(),
            kind,
            to: None,
            properties: Vec::new(),
            of_objects: Vec::new(),
            record_url_of: None,
            join: None,
            group: None,
            conflict: None,
            on_link: None,
            default: None,
            values: Vec::new(),
            limits: Vec::new(),
            mismatch: Mismatch::default(),
            transforms: Vec::new(),
            fallback: Vec::new(),
            sensitive: false,
            shared_domains: None,
        }
    }

    /// A reference to the records of an entity.
    pub fn reference(name: impl Into<String>, to: impl Into<String>) -> Self {
        let to = to.into();
        Self { to: Some(to.clone()), ..Self::new(name, FieldKind::Ref { to: EntityId::of(&to) }) }
    }

    /// Ties to several records of an entity.
    pub fn references(name: impl Into<String>, to: impl Into<String>) -> Self {
        let to = to.into();
        Self { to: Some(to.clone()), ..Self::new(name, FieldKind::Refs { to: EntityId::of(&to) }) }
    }

    /// Its counterpart in `system`.
    #[must_use]
    pub fn at(mut self, system: impl Into<String>, property: impl Into<String>) -> Self {
        self.properties.push((system.into(), vec![property.into()]));
        self
    }

    /// In `system` it is several properties, as [`Self::join`] says.
    #[must_use]
    pub fn at_several(
        mut self,
        system: impl Into<String>,
        properties: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.properties.push((system.into(), properties.into_iter().map(Into::into).collect()));
        self
    }

    /// How it is several properties.
    #[must_use]
    pub fn join(mut self, join: Join) -> Self {
        self.join = Some(join);
        self
    }

    /// The atomic group to which it belongs.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Its counterpart in one of the objects of `system`, where they differ.
    #[must_use]
    pub fn at_object(
        mut self,
        system: impl Into<String>,
        object: impl Into<String>,
        property: impl Into<String>,
    ) -> Self {
        self.of_objects.push((system.into(), object.into(), vec![property.into()]));
        self
    }

    /// It shows the address at which people find the record in `system`: nobody fills it in, and it goes one way.
    #[must_use]
    pub fn record_url_of(mut self, system: impl Into<String>, edits: OneWayEdits) -> Self {
        let system = system.into();
        self.record_url_of = Some(system.clone());
        self.one_way(system, edits)
    }

    /// The systems that it names, each once.
    pub(super) fn systems(&self) -> Vec<&str> {
        let mut systems: Vec<&str> = Vec::new();
        let named = self.properties.iter().map(|(system, _)| system);
        let objects = self.of_objects.iter().map(|(system, ..)| system);
        for system in named.chain(objects).chain(&self.record_url_of) {
            if !systems.contains(&&**system) {
                systems.push(system);
            }
        }
        systems
    }

    /// Who wins a conflict.
    #[must_use]
    pub fn conflict(mut self, conflict: ConflictSpec) -> Self {
        self.conflict = Some(conflict);
        self
    }

    /// One way: only the edits of `from` count, and it is never written there.
    #[must_use]
    pub fn one_way(self, from: impl Into<String>, edits: OneWayEdits) -> Self {
        self.conflict(ConflictSpec::OneWay { from: from.into(), edits })
    }

    /// What a first link does.
    #[must_use]
    pub fn on_link(mut self, on_link: LinkSpec) -> Self {
        self.on_link = Some(on_link);
        self
    }

    /// What is written where it is blank.
    #[must_use]
    pub fn default(mut self, default: DefaultSpec) -> Self {
        self.default = Some(default);
        self
    }

    /// Adds a row to the value map.
    #[must_use]
    pub fn value(mut self, row: ValueRow) -> Self {
        self.values.push(row);
        self
    }

    /// What `system` can hold.
    #[must_use]
    pub fn limit(mut self, system: impl Into<String>, limits: Limits) -> Self {
        self.limits.push((system.into(), limits));
        self
    }

    /// What `system` holds of a value, step by step.
    #[must_use]
    pub fn transform(mut self, system: impl Into<String>, steps: impl IntoIterator<Item = Transform>) -> Self {
        self.transforms.push((system.into(), steps.into_iter().collect()));
        self
    }

    /// Whom an owner becomes who is no active user of `system`.
    #[must_use]
    pub fn fallback(mut self, system: impl Into<String>, email: impl Into<String>) -> Self {
        self.fallback.push((system.into(), email.into()));
        self
    }

    /// Domains that many share, so that they match nobody, in place of those of mail providers.
    #[must_use]
    pub fn shared_domains(mut self, domains: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.shared_domains = Some(domains.into_iter().map(Into::into).collect());
        self
    }

    /// What becomes of a value that a system cannot hold.
    #[must_use]
    pub fn mismatch(mut self, mismatch: Mismatch) -> Self {
        self.mismatch = mismatch;
        self
    }
}

impl ValueRow {
    /// A row whose canonical name is `is`.
    pub fn named(is: impl Into<String>) -> Self {
        Self { is: Some(is.into()), at: Vec::new() }
    }

    /// The option of `system` in this row.
    #[must_use]
    pub fn at(mut self, system: impl Into<String>, option: impl Into<String>) -> Self {
        self.at.push((system.into(), option.into()));
        self
    }
}
