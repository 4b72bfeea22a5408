//! A mapping proposed from what systems say about themselves: standard counterparts first, then same names and types; value
//! maps by labels. Each line says why it is there. Where it is not sure, it leaves out and says so.

use super::settings::SystemKind;
use super::standard::{ENTITIES, STAGES, StandardEntity};
use crate::model::{FieldKind, ObjectSchema, PropertySchema, PropertyType};
use crate::rules::advice::fits;
use crate::rules::nearest::{nearest_choice, plain, same_choice};
use std::fmt::Write as _;

/// A system, and what it says about the objects that [`objects`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name in the config.
    pub name: String,
    /// What it is.
    pub kind: SystemKind,
    /// Its objects, as far as they are there.
    pub objects: Vec<ObjectSchema>,
}

/// A proposed mapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    entities: Vec<ProposedEntity>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ProposedEntity {
    name: String,
    key: String,
    /// (system, object).
    objects: Vec<(String, String)>,
    /// (system, property, system whose records it names), where another tool keeps that.
    links: Vec<(String, String, String)>,
    create: Create,
    fields: Vec<ProposedField>,
    left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Create {
    /// As the config has it where nothing is said.
    Usual,
    /// In these systems; why not in the others.
    At(Vec<String>, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ProposedField {
    name: String,
    kind: String,
    /// (system, property).
    properties: Vec<(String, String)>,
    /// What follows the properties, as TOML.
    options: Vec<String>,
    /// The value map: (row as TOML, why).
    rows: Vec<(String, String)>,
    why: String,
}

/// The objects of a kind of system that a proposal asks about.
pub fn objects(kind: SystemKind) -> Vec<&'static str> {
    ENTITIES.iter().map(|entity| entity.object(kind)).collect()
}

/// Proposes a mapping.
pub fn propose(systems: &[Described]) -> Proposal {
    Proposal { entities: ENTITIES.iter().filter_map(|standard| entity(standard, systems)).collect() }
}

/// One system's object under comparison.
#[derive(Clone, Copy)]
struct At<'a> {
    system: &'a Described,
    object: &'a ObjectSchema,
}

/// A property and whose it is.
type Bound<'a> = (&'a Described, &'a PropertySchema);

fn entity(standard: &StandardEntity, systems: &[Described]) -> Option<ProposedEntity> {
    let at = |system| -> Option<At<'_>> {
        let &Described { kind, ref objects, .. } = system;
        Some(At { system, object: objects.iter().find(|schema| schema.object == standard.object(kind))? })
    };
    let places: Vec<At<'_>> = systems.iter().filter_map(at).collect();
    if places.len() < 2 {
        return None;
    }
    let mut entity = ProposedEntity {
        name: standard.name.to_owned(),
        key: standard.key.to_owned(),
        objects: places.iter().map(|at| (at.system.name.clone(), at.object.object.clone())).collect(),
        links: links(standard, &places),
        create: Create::Usual,
        fields: Vec::new(),
        left_out: Vec::new(),
    };
    for field in standard.fields {
        let bound: Vec<Bound<'_>> = places
            .iter()
            .filter_map(|at| Some((at.system, at.object.property(field.property(at.system.kind))?)))
            .collect();
        match standard_field(field.name, field.kind, field.default, &bound) {
            Ok(field) => entity.fields.push(field),
            Err(why) => entity.left_out.push(format!("{}: {why}", field.name)),
        }
    }
    if !entity.fields.iter().any(|field| field.name == entity.key) {
        return None;
    }
    same_names(&places, &mut entity);
    create(&places, &mut entity);
    Some(entity)
}

/// The native connector's links, where there is one system alone that they can lead to.
fn links(standard: &StandardEntity, places: &[At<'_>]) -> Vec<(String, String, String)> {
    let named = |at: &&At<'_>| at.system.kind == SystemKind::Salesforce;
    let mut salesforce = places.iter().filter(named);
    let (Some(to), None) = (salesforce.next(), salesforce.next()) else { return Vec::new() };
    let keeps = |at: &&At<'_>| {
        let property = at.object.property(standard.link).filter(|property| fits(&FieldKind::Text, property.kind));
        at.system.kind == SystemKind::HubSpot && property.is_some()
    };
    let link = |at: &At<'_>| (at.system.name.clone(), standard.link.to_owned(), to.system.name.clone());
    places.iter().filter(keeps).map(link).collect()
}

fn kind_of(kind: &str) -> FieldKind {
    match kind {
        "email" => FieldKind::Email,
        "phone" => FieldKind::Phone,
        "domain" => FieldKind::Domain,
        "decimal" => FieldKind::Decimal { scale: None },
        "date" => FieldKind::Date,
        "enum" => FieldKind::Enum,
        _ => FieldKind::Text,
    }
}

/// A field whose counterparts are known by name, or why it is left out.
fn standard_field(name: &str, kind: &str, default: Option<&str>, bound: &[Bound<'_>]) -> Result<ProposedField, String> {
    if bound.len() < 2 {
        return Err("not in two systems".to_owned());
    }
    if let Some((system, property)) = bound.iter().find(|(_, property)| !fits(&kind_of(kind), property.kind)) {
        return Err(format!("{}'s {} is no {kind}", system.name, property.name));
    }
    let mut field = field(name, kind, bound, "standard counterparts".to_owned())?;
    let wants = |(system, property): &&Bound<'_>| system.kind == SystemKind::Salesforce && property.required;
    let needed = |default: &&str| field.rows.is_empty() || field.rows.iter().any(|(row, _)| row.contains(*default));
    if let Some(default) = default.filter(needed) {
        let names = bound.iter().filter(wants).map(|(system, _)| format!("{} = {default}", system.name));
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            field.options.push(format!("default = {{ {} }}", names.join(", ")));
        }
    }
    Ok(field)
}

/// A field over known counterparts: one way where one of them cannot be written.
fn field(name: &str, kind: &str, bound: &[Bound<'_>], mut why: String) -> Result<ProposedField, String> {
    let mut options = Vec::new();
    let read_only: Vec<&Bound<'_>> = bound.iter().filter(|(_, property)| !property.writable).collect();
    match read_only[..] {
        [] => {}
        [(system, property)] => {
            options.push(format!("conflict = {}", quoted(&format!("{} owns", system.name))));
            let _ = write!(why, "; {} cannot be written in {}", property.name, system.name);
        }
        _ => return Err("it cannot be written anywhere else".to_owned()),
    }
    let rows = if kind == "enum" { rows(bound)? } else { Vec::new() };
    let properties = bound.iter().map(|(system, property)| (system.name.clone(), property.name.clone())).collect();
    Ok(ProposedField { name: name.to_owned(), kind: kind.to_owned(), properties, options, rows, why })
}

/// Properties that no standard field has, and that have one name or label and one type in two systems.
fn same_names(places: &[At<'_>], entity: &mut ProposedEntity) {
    let Some((first, others)) = places.split_first() else { return };
    for property in first.object.properties.iter().filter(|property| is_ours(property)) {
        let taken = |system: &str, name: &str, entity: &ProposedEntity| {
            let has = |(at, property): &(String, String)| at == system && property == name;
            let links = |(at, property, _): &(String, String, String)| at == system && property == name;
            entity.fields.iter().any(|field| field.properties.iter().any(has)) || entity.links.iter().any(links)
        };
        if taken(&first.system.name, &property.name, entity) {
            continue;
        }
        let mut bound: Vec<Bound<'_>> = vec![(first.system, property)];
        let mut why = String::new();
        for other in others {
            let free = |theirs: &&PropertySchema| is_ours(theirs) && !taken(&other.system.name, &theirs.name, entity);
            let found =
                other.object.properties.iter().filter(free).find_map(|theirs| Some((theirs, alike(property, theirs)?)));
            if let Some((theirs, reason)) = found {
                bound.push((other.system, theirs));
                why = reason;
            }
        }
        let name = field_name(&property.name);
        if bound.len() < 2 || entity.fields.iter().any(|field| field.name == name) {
            continue;
        }
        match field(&name, kind_for(property.kind), &bound, why) {
            Ok(field) => entity.fields.push(field),
            Err(why) => entity.left_out.push(format!("{name}: {why}")),
        }
    }
}

/// Is it worth a guess? Not what a system keeps for itself, nor what no field type holds.
fn is_ours(property: &PropertySchema) -> bool {
    property.writable
        && !property.name.starts_with("hs_")
        && !matches!(property.kind, PropertyType::MultiEnumeration | PropertyType::Reference | PropertyType::Other)
        && !["syncline_id", "Syncline_Id__c"].contains(&&*property.name)
}

/// Why two properties are taken for one field.
fn alike(a: &PropertySchema, b: &PropertySchema) -> Option<String> {
    let bare = |property: &PropertySchema| plain(property.name.strip_suffix("__c").unwrap_or(&property.name));
    if a.kind != b.kind {
        return None;
    }
    if bare(a) == bare(b) {
        return Some("same name and type".to_owned());
    }
    (!plain(&a.label).is_empty() && plain(&a.label) == plain(&b.label))
        .then(|| format!("same label ({:?}) and type", a.label))
}

fn kind_for(kind: PropertyType) -> &'static str {
    match kind {
        PropertyType::Number => "decimal",
        PropertyType::Bool => "bool",
        PropertyType::Date => "date",
        PropertyType::DateTime => "datetime",
        PropertyType::Enumeration => "enum",
        _ => "text",
    }
}

/// A property's name as a field's: lower case, without what a system appends.
fn field_name(property: &str) -> String {
    let bare = property.strip_suffix("__c").unwrap_or(property).to_lowercase();
    bare.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).take(64).collect()
}

/// The value map of an enumeration in two systems. What is only near stands as a comment: a wrong row would change values
/// silently, a missing one is listed as a problem.
fn rows(bound: &[Bound<'_>]) -> Result<Vec<(String, String)>, String> {
    let [(one, ours), (other, theirs)] = bound else {
        return Err("options of more than two systems are not paired".to_owned());
    };
    if ours.choices.is_empty() || theirs.choices.is_empty() {
        return Err("one of them lists no options".to_owned());
    }
    let mut pairs: Vec<(&str, &str, &str)> = Vec::new();
    let has = |property: &PropertySchema, option: &str| property.choices.iter().any(|(value, _)| value == option);
    for (hubspot, salesforce) in STAGES.iter().filter(|_| one.kind != other.kind) {
        let (a, b) = if one.kind == SystemKind::HubSpot { (hubspot, salesforce) } else { (salesforce, hubspot) };
        if has(ours, a) && has(theirs, b) {
            pairs.push((a, b, "standard stages"));
        }
    }
    for (value, label) in &ours.choices {
        let same = same_choice(value, label, &theirs.choices);
        let same = same.filter(|same| !pairs.iter().any(|(a, b, _)| a == value || b == same));
        pairs.extend(same.map(|same| (&**value, same, "same label")));
    }
    if pairs.is_empty() {
        return Err(format!("no option of {}'s {} is one of {}'s", one.name, ours.name, other.name));
    }
    let row = |a: &str, b: &str| format!("{{ {} = {}, {} = {} }}", one.name, quoted(a), other.name, quoted(b));
    let mut rows: Vec<(String, String)> = pairs.iter().map(|(a, b, why)| (row(a, b), (*why).to_owned())).collect();
    let left = |property: &PropertySchema, paired: &dyn Fn(&str) -> bool| -> Vec<(String, String)> {
        property.choices.iter().filter(|(value, _)| !paired(value)).cloned().collect()
    };
    let a = left(ours, &|value| pairs.iter().any(|(a, ..)| *a == value));
    let b = left(theirs, &|value| pairs.iter().any(|(_, b, _)| *b == value));
    let near = |(value, label): &(String, String)| Some((value.clone(), nearest_choice(value, label, &b)?.to_owned()));
    let guesses: Vec<(String, String)> = a.iter().filter_map(near).collect();
    for (a, b) in &guesses {
        rows.push((String::new(), format!("{},    a guess: the nearest label", row(a, b))));
    }
    for (system, left, guessed) in [
        (one, &a, guesses.iter().map(|(a, _)| a).collect::<Vec<_>>()),
        (other, &b, guesses.iter().map(|(_, b)| b).collect()),
    ] {
        let alone: Vec<String> =
            left.iter().filter(|(value, _)| !guessed.contains(&value)).map(|(value, _)| quoted(value)).collect();
        if !alone.is_empty() {
            rows.push((String::new(), format!("{}'s without a counterpart: {}", system.name, alone.join(", "))));
        }
    }
    Ok(rows)
}

/// Records are not created where something is wanted that no field writes.
fn create(places: &[At<'_>], entity: &mut ProposedEntity) {
    let mut why = Vec::new();
    let mut at = Vec::new();
    for place in places {
        let name = &place.system.name;
        let written = |property: &PropertySchema| {
            let is = |(system, own): &(String, String)| system == name && *own == property.name;
            entity.fields.iter().any(|field| field.properties.iter().any(is))
        };
        let external = place.system.kind.external_id();
        let lacks = |property: &&PropertySchema| {
            property.required && property.writable && property.name != external && !written(property)
        };
        match place.object.properties.iter().find(lacks) {
            Some(property) => why.push(format!("{name} wants {}, which no field writes", property.name)),
            None => at.push(name.clone()),
        }
    }
    if !why.is_empty() {
        entity.create = Create::At(at, why.join("; "));
    }
}

impl Proposal {
    /// Number of proposed fields.
    pub fn fields(&self) -> usize {
        self.entities.iter().map(|entity| entity.fields.len()).sum()
    }

    /// What was left out, with why.
    pub fn left_out(&self) -> Vec<String> {
        let of = |entity: &ProposedEntity| {
            let name = entity.name.clone();
            entity.left_out.clone().into_iter().map(move |why| format!("{name} {why}"))
        };
        self.entities.iter().flat_map(of).collect()
    }

    /// Takes out the field that a path of the config names; false where it names none, or a match key.
    pub fn take_out(&mut self, path: &str, why: &str) -> bool {
        let mut words = path.split('.');
        let (Some("entities"), Some(entity), Some("fields"), Some(field)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return false;
        };
        let Some(entity) = self.entities.iter_mut().find(|known| known.name == entity) else { return false };
        let Some(at) = entity.fields.iter().position(|known| known.name == field && known.name != entity.key) else {
            return false;
        };
        entity.fields.remove(at);
        entity.left_out.push(format!("{field}: {why}"));
        true
    }

    /// The mapping as a part of a config.
    pub fn to_toml(&self) -> String {
        self.entities.iter().map(ProposedEntity::to_toml).collect::<Vec<_>>().join("\n")
    }
}

impl ProposedEntity {
    fn to_toml(&self) -> String {
        let mut out = format!("[entities.{}]\nmatch = [{}]\n", self.name, quoted(&self.key));
        match &self.create {
            Create::At(systems, why) => {
                let names: Vec<String> = systems.iter().map(|name| quoted(name)).collect();
                let _ = writeln!(out, "create = [{}]    # {why}", names.join(", "));
            }
            Create::Usual if !matches!(&*self.key, "email" | "domain") => {
                out.push_str("create = false    # its key is not sure: nothing is created unless you say so\n");
            }
            Create::Usual => {}
        }
        for (system, object) in &self.objects {
            let link = |(_, property, to): &(String, String, String)| format!("{property} = {}", quoted(to));
            let links: Vec<String> = self.links.iter().filter(|(of, ..)| of == system).map(link).collect();
            let _ = match links.is_empty() {
                true => writeln!(out, "at.{system} = {{ object = {} }}", quoted(object)),
                false => writeln!(
                    out,
                    "at.{system} = {{ object = {}, links = {{ {} }} }}    # where its own connector keeps who is who",
                    quoted(object),
                    links.join(", ")
                ),
            };
        }
        let _ = writeln!(out, "\n[entities.{}.fields]", self.name);
        let (maps, plain): (Vec<_>, Vec<_>) = self.fields.iter().partition(|field| !field.rows.is_empty());
        plain.iter().for_each(|field| out.push_str(&field.to_line()));
        for left_out in &self.left_out {
            let _ = writeln!(out, "# left out: {}", left_out.replace('\n', " "));
        }
        maps.iter().for_each(|field| out.push_str(&field.to_table(&self.name)));
        out
    }
}

impl ProposedField {
    fn to_line(&self) -> String {
        let mut entries = vec![format!("type = {}", quoted(&self.kind))];
        entries.extend(self.properties.iter().map(|(system, property)| format!("{system} = {}", quoted(property))));
        entries.extend(self.options.iter().cloned());
        format!("{} = {{ {} }}    # {}\n", self.name, entries.join(", "), self.why)
    }

    fn to_table(&self, entity: &str) -> String {
        let mut out = format!("\n[entities.{entity}.fields.{}]    # {}\n", self.name, self.why);
        let _ = writeln!(out, "type = {}", quoted(&self.kind));
        for (system, property) in &self.properties {
            let _ = writeln!(out, "{system} = {}", quoted(property));
        }
        self.options.iter().for_each(|option| out.extend([option, "\n"]));
        out.push_str("values = [\n");
        for (row, why) in &self.rows {
            let comma = if row.is_empty() { "" } else { ",    " };
            let _ = writeln!(out, "    {row}{comma}# {}", why.replace('\n', " "));
        }
        out.push_str("]\n");
        out
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests;
