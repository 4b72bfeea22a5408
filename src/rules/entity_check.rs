//! From the names of one entity to an [`Entity`]: each of its objects, fields and policies is checked against the systems and against
//! each other.

use super::builder::{Checks, RulesBuilder, step_ms};
use super::error::Fault;
use super::nearest::nearest;
use super::scope::ScopeSpec;
use super::spec::{CreateSpec, EntitySpec, FieldSpec};
use super::{
    Binding, ConflictPolicy, ConflictSpec, Entity, Field, FieldBinding, LinkPolicy, LinkSpec, Mode, RecordUrl,
    StampPolicy, System, group, join, limits, links, lists, owners, references, shared, transform, values,
};
use crate::model::{EntityId, FieldId, FieldKind, Home, ObjectId, SourceKind, SystemId};
use std::collections::{BTreeMap, BTreeSet};

/// One entity under check.
pub(super) struct EntityCheck<'a> {
    rules: &'a RulesBuilder,
    spec: &'a EntitySpec,
    at: String,
    checks: &'a mut Checks,
    /// It has been said that a policy needs histories.
    told: bool,
}

impl<'a> EntityCheck<'a> {
    pub fn new(rules: &'a RulesBuilder, spec: &'a EntitySpec, checks: &'a mut Checks) -> Self {
        Self { rules, spec, at: format!("entities.{}", spec.name), checks, told: false }
    }

    pub fn compile(mut self, objects: &mut BTreeMap<(SystemId, String), String>) -> Entity {
        let spec = self.spec;
        self.policy("conflict", spec.conflict.as_ref().and_then(ConflictSpec::system));
        self.policy("on_link", spec.on_link.as_ref().and_then(LinkSpec::system));
        let mut bindings = self.bindings(objects);
        self.create(&mut bindings);
        let fields_at = format!("{}.fields", self.at);
        if spec.fields.is_empty() {
            self.checks.fault(&self.at, Fault::NoFields);
        }
        self.checks.names(&fields_at, "a field", spec.fields.iter().map(|f| &*f.name), |name| FieldId::of(name).0);
        let mut taken = BTreeMap::new();
        let fields: Vec<Field> = spec.fields.iter().map(|field| self.field(field, &bindings, &mut taken)).collect();
        let mut fields = self.gather(fields);
        fields.sort_by_key(|field| field.id);
        links::compile(spec, &self.at, &mut bindings, &fields, self.checks);
        values::constants(&bindings, &taken, &self.at, self.checks);
        let match_keys = self.match_keys();
        self.scopes(&fields);
        Entity {
            id: EntityId::of(&spec.name),
            name: spec.name.clone(),
            bindings,
            fields,
            match_keys,
            stamp: StampPolicy::OnCreate,
            edit_against_delete: spec.edit_against_delete,
        }
    }

    /// The entity's own policy names a system in which it lives.
    fn policy(&mut self, option: &str, system: Option<&str>) {
        let at = format!("{}.{option}", self.at);
        let lives = |name: &str| self.spec.objects.iter().any(|object| object.system == name);
        if self.checks.system(&at, system)
            && let Some(name) = system.filter(|name| !lives(name))
        {
            self.checks.fault(at, Fault::NoObject { system: name.to_owned() });
        }
    }

    fn bindings(&mut self, objects: &mut BTreeMap<(SystemId, String), String>) -> Vec<Binding> {
        let mut bindings: Vec<Binding> = Vec::new();
        for object in &self.spec.objects {
            let at = format!("{}.at.{}", self.at, object.system);
            if !self.checks.system(&at, Some(&object.system)) {
                continue;
            }
            let (system, object_id) = (SystemId::of(&object.system), ObjectId::of(&object.object));
            let namesake =
                bindings.iter().find(|binding| binding.home() == Home { system, object: object_id }).cloned();
            if object.object.trim().is_empty() {
                self.checks.fault(format!("{at}.object"), Fault::Blank { what: "the object" });
            } else if let Some(other) = namesake {
                let (name, other) = (object.object.clone(), other.object);
                let fault = match name == other {
                    true => Fault::Twice { what: "object", name },
                    false => Fault::SameId { what: "object", name, other },
                };
                self.checks.fault(format!("{at}.object"), fault);
                continue;
            } else if let Some(by) = objects.insert((system, object.object.clone()), self.spec.name.clone())
                && by != self.spec.name
            {
                let (system, object) = (object.system.clone(), object.object.clone());
                self.checks.fault(format!("{at}.object"), Fault::ObjectTaken { system, object, by });
            }
            if object.external_id.as_ref().is_some_and(|id| id.trim().is_empty()) {
                self.checks.fault(format!("{at}.external_id"), Fault::Blank { what: "the external id" });
            }
            let (on_create, scope) = (object.on_create.clone(), object.scope.as_ref().map(ScopeSpec::compile));
            let on_delete = object.on_delete.unwrap_or(self.spec.on_delete);
            let (object, external_id) = (object.object.clone(), object.external_id.clone());
            bindings.push(Binding {
                system,
                object,
                object_id,
                create: false,
                external_id,
                on_create,
                scope,
                on_delete,
                links: Vec::new(),
            });
        }
        let systems: BTreeSet<&str> = self.spec.objects.iter().map(|object| &*object.system).collect();
        if systems.len() < 2 {
            self.checks.fault(&self.at, Fault::FewObjects { found: systems.len() });
        }
        bindings.sort_by_key(|binding| self.checks.systems.iter().position(|system| system.id == binding.system));
        self.create_as(&bindings);
        bindings
    }

    /// What is created in a system becomes one of the entity's objects there.
    fn create_as(&mut self, bindings: &[Binding]) {
        for (index, (system, object)) in self.spec.create_as.iter().enumerate() {
            let at = format!("{}.at.{system}.create_as", self.at);
            let id = SystemId::of(system);
            let known: Vec<&str> = bindings.iter().filter(|b| b.system == id).map(|b| &*b.object).collect();
            if !self.checks.system(&at, Some(system)) {
            } else if known.is_empty() {
                self.checks.fault(at, Fault::NoObject { system: system.clone() });
            } else if self.spec.create_as[..index].iter().any(|(other, _)| other == system) {
                self.checks.fault(at, Fault::Twice { what: "system", name: system.clone() });
            } else if !known.contains(&&**object) {
                let near = nearest(object, known.iter().copied()).map(str::to_owned);
                let known = known.into_iter().map(str::to_owned).collect();
                self.checks.fault(at, Fault::UnknownObject { object: object.clone(), near, known });
            }
        }
    }

    /// A scope reads fields that its object has.
    fn scopes(&mut self, fields: &[Field]) {
        for object in &self.spec.objects {
            let Some(scope) = &object.scope else { continue };
            let at = format!("{}.at.{}.where", self.at, object.system);
            let home = Home { system: SystemId::of(&object.system), object: ObjectId::of(&object.object) };
            for name in &scope.reads {
                let id = FieldId::of(name);
                let found = fields.iter().find(|field| field.leaves().iter().any(|leaf| leaf.id == id));
                let (name, object) = (name.clone(), object.object.clone());
                let fault = match found {
                    None => Fault::ScopeUnknown { name },
                    Some(field) if field.refers_to().or(field.ties_to()).is_some() => Fault::ScopeRefers { name },
                    Some(field) if field.binding(home).is_none() => Fault::ScopeElsewhere { name, object },
                    Some(_) => continue,
                };
                self.checks.fault_once(&at, fault);
            }
        }
    }

    /// Sets where records are created.
    fn create(&mut self, bindings: &mut [Binding]) {
        let at = format!("{}.create", self.at);
        let keyed = self.spec.fields.iter().any(|field| {
            self.spec.match_keys.contains(&field.name) && matches!(field.kind, FieldKind::Email | FieldKind::Domain)
        });
        if self.spec.match_keys.is_empty() && self.spec.create.is_none() {
            self.checks.fault(&self.at, Fault::NoWayToLink);
        }
        if let Some(CreateSpec::At(names)) = &self.spec.create {
            for (index, name) in names.iter().enumerate() {
                let at = format!("{at}[{index}]");
                if !self.checks.system(&at, Some(name)) {
                } else if !bindings.iter().any(|binding| binding.system == SystemId::of(name)) {
                    self.checks.fault(at, Fault::NoObject { system: name.clone() });
                } else if names[..index].contains(name) {
                    self.checks.fault(at, Fault::Twice { what: "system", name: name.clone() });
                }
            }
        }
        let homes: Vec<SystemId> = bindings.iter().map(|binding| binding.system).collect();
        for (index, id) in homes.iter().enumerate().filter(|(index, id)| !homes[..*index].contains(id)) {
            let Some(system) = self.checks.systems.iter().find(|system| system.id == *id).cloned() else { continue };
            let count = homes.iter().filter(|other| *other == id).count();
            let of_several = self.spec.create_as.iter().find(|(of, _)| *of == system.name).map(|(_, object)| object);
            let there = &mut bindings[index..index + count];
            let binding = match of_several {
                _ if count == 1 => there.first_mut(),
                Some(object) => there.iter_mut().find(|binding| binding.object == *object),
                None => None,
            };
            let writable = system.mode == Mode::ReadWrite;
            let wanted = match &self.spec.create {
                None => keyed,
                Some(CreateSpec::Everywhere) => true,
                Some(CreateSpec::Nowhere) => false,
                Some(CreateSpec::At(names)) => names.contains(&system.name),
            };
            let Some(binding) = binding else {
                // One that is named and not there is told as such.
                let any_id = self.spec.objects.iter().any(|o| o.system == system.name && o.external_id.is_some());
                if wanted && writable && any_id && of_several.is_none() {
                    let at = format!("{}.at.{}.object", self.at, system.name);
                    let objects = there.iter().map(|binding| binding.object.clone()).collect();
                    self.checks.fault(at, Fault::CreateAsWhich { system: system.name, objects });
                }
                continue;
            };
            let has_id = binding.external_id.is_some();
            binding.create = wanted && writable && has_id;
            match &self.spec.create {
                Some(CreateSpec::At(names)) if names.contains(&system.name) && !writable => {
                    self.checks.fault(&at, Fault::CreateReadOnly { system: system.name });
                }
                Some(CreateSpec::At(names)) if names.contains(&system.name) && !has_id => {
                    self.checks.fault(&at, Fault::CreateWithoutId { system: system.name });
                }
                Some(CreateSpec::Everywhere) if writable && !has_id => {
                    self.checks.fault(&at, Fault::CreateWithoutId { system: system.name });
                }
                _ => {}
            }
        }
    }

    fn field(
        &mut self,
        spec: &'a FieldSpec,
        objects: &[Binding],
        taken: &mut BTreeMap<(Home, String), &'a str>,
    ) -> Field {
        let at = format!("{}.fields.{}", self.at, spec.name);
        // Where it lives; and, for what is said of a system and not of its objects, one binding a system.
        let homes = self.homes(spec, &at, objects, taken);
        let mut bindings: Vec<FieldBinding> = Vec::new();
        for home in &homes {
            if !bindings.iter().any(|binding| binding.system == home.system) {
                bindings.push(home.clone());
            }
        }
        join::check(spec, &at, self.checks);
        let systems = spec.systems().len();
        let is_read = self.spec.objects.iter().filter_map(|object| object.scope.as_ref());
        let is_read = is_read.flat_map(|scope| &scope.reads).any(|name| *name == spec.name);
        let is_link = self.spec.objects.iter().flat_map(|object| &object.links).any(|link| link.field == spec.name);
        if systems < 2 && !((is_read || is_link) && systems == 1) {
            self.checks.fault(&at, Fault::FewProperties { found: systems });
        }
        let kind = self.kind(spec, &at, &bindings);
        references::check(spec, &kind, &at, &bindings, &self.rules.entities, self.checks);
        limits::compile(spec, &kind, &at, &mut bindings, self.checks);
        values::compile(spec, &kind, &at, &mut bindings, self.checks);
        owners::compile(spec, &kind, &at, &mut bindings, self.checks);
        transform::compile(spec, &kind, &at, &mut bindings, self.checks);
        let (conflict, on_link) = match &spec.group {
            // The group's, which is checked as a whole.
            Some(_) => (ConflictPolicy::Latest, LinkPolicy::FillBlanks),
            // Each tie is decided by itself, as whoever touched it last left it.
            None if matches!(kind, FieldKind::Refs { .. }) => {
                for (key, said) in [("conflict", spec.conflict.is_some()), ("on_link", spec.on_link.is_some())] {
                    if said {
                        self.checks.fault(format!("{at}.{key}"), Fault::TiesDecided);
                    }
                }
                (ConflictPolicy::Latest, LinkPolicy::FillBlanks)
            }
            None => {
                let conflict = lists::policy(spec, &at, &bindings, self.checks);
                let conflict = conflict.unwrap_or_else(|| self.conflict(spec.conflict.as_ref(), &at, &kind, &bindings));
                (conflict, self.link(spec.on_link.as_ref(), &at, &bindings))
            }
        };
        let (id, name, mismatch) = (FieldId::of(&spec.name), spec.name.clone(), spec.mismatch.clone());
        let (sensitive, members) = (spec.sensitive, Vec::new());
        let shared_domains = shared::compile(spec, &kind, &at, self.checks);
        let mut field =
            Field { id, name, kind, bindings, conflict, on_link, mismatch, sensitive, members, shared_domains };
        limits::check(&field, &at, self.checks);
        let said = std::mem::take(&mut field.bindings);
        field.bindings = homes
            .into_iter()
            .filter_map(|home| {
                let said = said.iter().find(|binding| binding.system == home.system)?.clone();
                let FieldBinding { object, properties, join, record_url, .. } = home;
                Some(FieldBinding { object, properties, join, record_url, ..said })
            })
            .collect();
        field
    }

    /// The objects in which a field lives, each with its property.
    fn homes(
        &mut self,
        spec: &'a FieldSpec,
        at: &str,
        objects: &[Binding],
        taken: &mut BTreeMap<(Home, String), &'a str>,
    ) -> Vec<FieldBinding> {
        let mut homes: Vec<FieldBinding> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (name, object, properties) in &spec.of_objects {
            let system = SystemId::of(name);
            if !self.checks.system(format!("{at}.{name}"), Some(name)) {
                continue;
            }
            let at = format!("{at}.{name}.{object}");
            let there = || objects.iter().filter(|binding| binding.system == system);
            let Some(binding) = there().find(|binding| binding.object == *object) else {
                let known: Vec<String> = there().map(|binding| binding.object.clone()).collect();
                let near = nearest(object, known.iter().map(String::as_str)).map(str::to_owned);
                let fault = match known.is_empty() {
                    true => Fault::NoObject { system: name.clone() },
                    false => Fault::UnknownObject { object: object.clone(), near, known },
                };
                self.checks.fault(at, fault);
                continue;
            };
            if homes.iter().any(|other| other.home() == binding.home()) {
                self.checks.fault(at, Fault::Twice { what: "object", name: object.clone() });
                continue;
            }
            homes.push(self.home(spec, &at, binding, (name, properties), taken));
        }
        for (name, properties) in &spec.properties {
            let at = format!("{at}.{name}");
            if !self.checks.system(&at, Some(name)) {
                continue;
            }
            if !seen.insert(name) {
                self.checks.fault(&at, Fault::Twice { what: "system", name: name.clone() });
                continue;
            }
            let system = SystemId::of(name);
            let mut there = objects.iter().filter(|binding| binding.system == system).peekable();
            if there.peek().is_none() {
                self.checks.fault(at, Fault::NoObject { system: name.clone() });
                continue;
            }
            for binding in there {
                if !homes.iter().any(|other| other.home() == binding.home()) {
                    homes.push(self.home(spec, &at, binding, (name, properties), taken));
                }
            }
        }
        self.record_urls(spec, at, objects, &mut homes);
        homes.sort_by_key(|home| objects.iter().position(|binding| binding.home() == home.home()));
        homes
    }

    /// Where the field is the address of the record itself.
    fn record_urls(&mut self, spec: &FieldSpec, at: &str, objects: &[Binding], homes: &mut Vec<FieldBinding>) {
        let Some(name) = &spec.record_url_of else { return };
        let at = format!("{at}.from");
        let system = SystemId::of(name);
        if self.checks.find(name).is_none() {
            // Its policy, which names the same system, is told.
            return;
        }
        if !objects.iter().any(|binding| binding.system == system) {
            self.checks.fault(&at, Fault::NoObject { system: name.clone() });
        }
        if homes.iter().any(|home| home.system == system) {
            self.checks.fault(&at, Fault::UrlBesideProperty { system: name.clone() });
        }
        if !matches!(spec.kind, FieldKind::Url | FieldKind::Text) {
            self.checks.fault(&at, Fault::UrlOfOtherKind { kind: spec.kind.name() });
        }
        if spec.group.is_some() {
            self.checks.fault(&at, Fault::UrlInGroup);
        }
        let stated = |object: &str| {
            let mut all = self.rules.record_urls.iter();
            all.find(|(of, known, _)| of == name && known == object).map(|(.., template)| template.clone())
        };
        homes.extend(objects.iter().filter(|binding| binding.system == system).map(|binding| FieldBinding {
            properties: Vec::new(),
            record_url: Some(RecordUrl::new(stated(&binding.object))),
            ..FieldBinding::new(binding.home(), "")
        }));
    }

    fn home(
        &mut self,
        spec: &'a FieldSpec,
        at: &str,
        object: &Binding,
        (system, properties): (&str, &[String]),
        taken: &mut BTreeMap<(Home, String), &'a str>,
    ) -> FieldBinding {
        for property in properties {
            let name = system.to_owned();
            let fault = if property.trim().is_empty() {
                Some(Fault::Blank { what: "the property" })
            } else if object.external_id.as_ref() == Some(property) {
                Some(Fault::PropertyIsExternalId { system: name, property: property.clone() })
            } else {
                let by = taken.insert((object.home(), property.clone()), &spec.name);
                let taken =
                    |by: &str| Fault::PropertyTaken { system: name, property: property.clone(), by: by.to_owned() };
                by.map(taken)
            };
            if let Some(fault) = fault {
                self.checks.fault_once(at, fault);
            }
        }
        let join = join::compile(spec, at, properties, self.checks);
        FieldBinding { properties: properties.to_vec(), join, ..FieldBinding::new(object.home(), "") }
    }

    /// The kind, with the step of a moment set to the coarsest of its systems.
    fn kind(&mut self, spec: &FieldSpec, at: &str, bindings: &[FieldBinding]) -> FieldKind {
        match spec.kind {
            FieldKind::DateTime { .. } => FieldKind::DateTime { step_ms: step_ms(&self.checks.systems, bindings) },
            FieldKind::Decimal { scale: Some(scale) } if scale > 28 => {
                self.checks.fault(format!("{at}.scale"), Fault::Scale { scale });
                FieldKind::Decimal { scale: None }
            }
            _ => spec.kind.clone(),
        }
    }

    /// The field's own policy must fit it; one that it inherits is left out where it names a system that the field does
    /// not live in, unless that system would own it.
    fn conflict(
        &mut self,
        own: Option<&ConflictSpec>,
        at: &str,
        kind: &FieldKind,
        bindings: &[FieldBinding],
    ) -> ConflictPolicy {
        let at = format!("{at}.conflict");
        let policy = own.or(self.spec.conflict.as_ref()).unwrap_or(&self.rules.conflict);
        if !policy.compile().suits(kind) {
            let (policy, inherited) = (policy.to_string(), own.is_none());
            self.checks.fault(at, Fault::PolicyOfOtherKind { policy, kind: kind.name(), inherited });
            return ConflictPolicy::Latest;
        }
        if let ConflictSpec::ForwardOnly(order) = policy {
            self.forward(order, &at, bindings);
        }
        let Some(system) = policy.system() else { return policy.compile() };
        let lives = bindings.iter().any(|binding| binding.system == SystemId::of(system));
        if own.is_some() && !self.checks.system(&at, Some(system)) || self.checks.find(system).is_none() || lives {
            return policy.compile();
        }
        if own.is_some() || matches!(policy, ConflictSpec::Owns(_) | ConflictSpec::OneWay { .. }) {
            self.checks.fault(at, Fault::PolicyElsewhere { policy: policy.to_string(), system: system.to_owned() });
        }
        ConflictPolicy::Latest
    }

    /// An order of options names two at least, each once, and no other than the value map does.
    fn forward(&mut self, order: &[String], at: &str, bindings: &[FieldBinding]) {
        if order.len() < 2 || order.iter().any(|option| option.is_empty()) {
            self.checks.fault(at, Fault::OrderOfOne);
            return;
        }
        let known: BTreeSet<&str> = bindings.iter().flat_map(|b| &b.values).map(|(option, _)| &**option).collect();
        for (index, option) in order.iter().enumerate() {
            if order[..index].contains(option) {
                self.checks.fault(at, Fault::Twice { what: "option", name: option.clone() });
            } else if !known.is_empty() && !known.contains(&**option) {
                let near = nearest(option, known.iter().copied()).map(str::to_owned);
                self.checks.fault(at, Fault::OrderUnmapped { option: option.clone(), near });
            }
        }
    }

    fn link(&mut self, own: Option<&LinkSpec>, at: &str, bindings: &[FieldBinding]) -> LinkPolicy {
        let at = format!("{at}.on_link");
        let policy = own.or(self.spec.on_link.as_ref()).unwrap_or(&self.rules.on_link);
        if *policy == LinkSpec::Latest
            && let Some(system) = without_history(&self.checks.systems, bindings)
        {
            let (system, own) = (system.name.clone(), own.is_some());
            let field = at.rsplit('.').nth(1).unwrap_or_default().to_owned();
            // Where it is inherited, one field speaks for all.
            if own || !std::mem::replace(&mut self.told, true) {
                let at = match self.spec.on_link {
                    _ if own => at,
                    Some(_) => format!("{}.on_link", self.at),
                    None => "on_link".to_owned(),
                };
                self.checks.fault(at, Fault::NoHistory { field, system, own });
            }
            return LinkPolicy::FillBlanks;
        }
        let Some(system) = policy.system() else { return policy.compile() };
        let lives = bindings.iter().any(|binding| binding.system == SystemId::of(system));
        if own.is_some() && !self.checks.system(&at, Some(system)) || self.checks.find(system).is_none() || lives {
            return policy.compile();
        }
        if own.is_some() {
            self.checks.fault(at, Fault::PolicyElsewhere { policy: policy.to_string(), system: system.to_owned() });
        }
        LinkPolicy::FillBlanks
    }

    fn match_keys(&mut self) -> Vec<FieldId> {
        let mut seen = BTreeSet::new();
        for (index, key) in self.spec.match_keys.iter().enumerate() {
            let at = format!("{}.match[{index}]", self.at);
            let field = self.spec.fields.iter().find(|field| field.name == *key);
            if field.is_some_and(|field| {
                matches!(field.kind, FieldKind::Ref { .. } | FieldKind::Refs { .. } | FieldKind::Owner)
            }) {
                self.checks.fault(at, Fault::KeyRefers { key: key.clone() });
            } else if field.is_some_and(|field| field.record_url_of.is_some()) {
                self.checks.fault(at, Fault::KeyIsUrl { key: key.clone() });
            } else if let Some(group) = field.and_then(|field| field.group.clone()) {
                self.checks.fault(at, Fault::KeyInGroup { key: key.clone(), group });
            } else if field.is_none() {
                let near = nearest(key, self.spec.fields.iter().map(|field| &*field.name)).map(str::to_owned);
                self.checks.fault(at, Fault::UnknownKey { key: key.clone(), near });
            } else if !seen.insert(key) {
                self.checks.fault(at, Fault::Twice { what: "match key", name: key.clone() });
            }
        }
        self.spec.match_keys.iter().map(|key| FieldId::of(key)).collect()
    }

    /// Puts the fields of each group into one.
    fn gather(&mut self, fields: Vec<Field>) -> Vec<Field> {
        let mut groups = group::gather(self.spec, &self.at, fields, self.checks);
        for group in groups.iter_mut().filter(|group| !group.members.is_empty()) {
            let spec = self.spec.groups.iter().find(|spec| spec.name == group.name);
            let at = format!("{}.groups.{}", self.at, group.name);
            group.conflict =
                self.conflict(spec.and_then(|spec| spec.conflict.as_ref()), &at, &FieldKind::Group, &group.bindings);
            group.on_link = self.link(spec.and_then(|spec| spec.on_link.as_ref()), &at, &group.bindings);
            for member in &mut group.members {
                (member.conflict, member.on_link) = (group.conflict.clone(), group.on_link);
            }
        }
        groups
    }
}

/// A system of a field that keeps no history of it.
pub(super) fn without_history<'s>(systems: &'s [System], bindings: &[FieldBinding]) -> Option<&'s System> {
    let lives = |system: &System| bindings.iter().any(|binding| binding.system == system.id);
    systems.iter().find(|system| lives(system) && system.ability.source != SourceKind::History)
}
