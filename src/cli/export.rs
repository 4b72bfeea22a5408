//! `syncline export`: the mapping as a sheet that people can read.

use super::{CliError, Context, Exit, Output};
use crate::merge::policy;
use crate::model::{FieldKind, Raw, SystemId, spoken};
use crate::rules::{Binding, ConflictPolicy, Entity, Field, FieldBinding, LinkPolicy, Rules, System};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Options of `export`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExportArgs {
    /// The mapping: what is kept equal with what, and who wins.
    #[arg(long, required = true)]
    pub mapping: bool,
    /// As CSV, for a spreadsheet.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Runs it.
pub fn run(args: &ExportArgs, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    let output = context.output;
    if args.csv {
        output.say(csv(&config.rules)?.trim_end());
    } else {
        show(&config.rules, output);
    }
    output.document(&document(&config.rules));
    Ok(Exit::Equal)
}

/// One row a field: entity, field, type, a cell for each system by rank, and the rules.
fn rows(rules: &Rules) -> Vec<Vec<String>> {
    let each = |entity: &Entity| {
        let rows = fields(entity).into_iter().map(|(group, field)| row(rules, entity, group, field));
        rows.collect::<Vec<_>>()
    };
    rules.entities.iter().flat_map(each).collect()
}

/// The fields of an entity, each with its group: the match keys in their order, then the others by name, groups together.
fn fields(entity: &Entity) -> Vec<(Option<&Field>, &Field)> {
    let mut fields: Vec<&Field> = entity.fields.iter().collect();
    let key = |field: &Field| entity.match_keys.iter().position(|key| *key == field.id).unwrap_or(usize::MAX);
    fields.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)));
    let group = |field: &&Field| !field.members.is_empty();
    fields
        .into_iter()
        .flat_map(|field| field.leaves().iter().map(move |leaf| (Some(field).filter(group), leaf)))
        .collect()
}

fn header(rules: &Rules) -> Vec<String> {
    let systems = rules.systems.iter().map(|system| system.name.clone());
    let rest = ["group", "match", "conflict", "first link", "default", "sensitive"].map(str::to_owned);
    ["entity", "field", "type"].map(str::to_owned).into_iter().chain(systems).chain(rest).collect()
}

fn row(rules: &Rules, entity: &Entity, group: Option<&Field>, field: &Field) -> Vec<String> {
    let mut row = vec![entity.name.clone(), field.name.clone(), kind_of(rules, field)];
    for system in &rules.systems {
        let of = |object: &Binding| {
            let binding = field.binding(object.home())?;
            if binding.is_record_url() {
                return Some(format!("{}'s address", object.object));
            }
            let names = binding.properties.iter();
            Some(
                names.map(|property| format!("{}.{}", object.object, spoken(property))).collect::<Vec<_>>().join(" + "),
            )
        };
        row.push(entity.bindings_in(system.id).filter_map(of).collect::<Vec<_>>().join(", "));
    }
    row.push(group.map_or_else(String::new, |group| group.name.clone()));
    let key = entity.match_keys.iter().position(|key| *key == field.id);
    let defaults: Vec<String> =
        defaults(rules, field).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    row.push(key.map_or_else(String::new, |at| (at + 1).to_string()));
    row.push(conflict(rules, &field.conflict));
    row.push(link(rules, field.on_link));
    row.push(defaults.join("; "));
    row.push(if field.sensitive { "yes".to_owned() } else { String::new() });
    row
}

/// (system, what is written there where the field is blank).
fn defaults(rules: &Rules, field: &Field) -> Vec<(String, String)> {
    let of = |system: &System| {
        let binding = field.first_in(system.id)?;
        let value = binding.default.as_ref()?;
        let text = match field.write(binding, value) {
            Ok(raws) if !field.sensitive => match &*raws {
                [Raw::Text(text) | Raw::Number(text)] => text.as_str().to_owned(),
                _ => field.shown(value).to_string(),
            },
            Err(_) | Ok(_) => field.shown(value).to_string(),
        };
        Some((system.name.clone(), text))
    };
    rules.systems.iter().filter_map(of).collect()
}

/// The value map: canonical name, and for each system by rank the options that mean it.
fn values(rules: &Rules, field: &Field) -> Vec<(String, Vec<String>)> {
    let mut order: Vec<&String> = Vec::new();
    let mut cells: BTreeMap<&String, Vec<Vec<&str>>> = BTreeMap::new();
    for (at, system) in rules.systems.iter().enumerate() {
        for (canonical, theirs) in field.first_in(system.id).into_iter().flat_map(|binding| &binding.values) {
            if !order.contains(&canonical) {
                order.push(canonical);
            }
            let row = cells.entry(canonical).or_insert_with(|| vec![Vec::new(); rules.systems.len()]);
            if !row[at].contains(&&**theirs) {
                row[at].push(theirs);
            }
        }
    }
    let row = |name: &&String| cells.get(name).into_iter().flatten().map(|cell| cell.join(", ")).collect();
    order.iter().map(|name| ((*name).clone(), row(name))).collect()
}

fn show(rules: &Rules, output: Output) {
    for entity in &rules.entities {
        let names = |of: &dyn Fn(&Binding) -> bool| {
            let several = |binding: &Binding| entity.bindings_in(binding.system).nth(1).is_some();
            let name = |system: &System, binding: &Binding| match several(binding) {
                true => format!("{} as {}", system.name, binding.object),
                false => system.name.clone(),
            };
            let named = rules.systems.iter().flat_map(|system| {
                entity.bindings_in(system.id).filter(|binding| of(binding)).map(move |binding| name(system, binding))
            });
            named.collect::<Vec<_>>().join(", ")
        };
        let keys: Vec<&str> =
            entity.match_keys.iter().filter_map(|key| entity.field(*key)).map(|field| &*field.name).collect();
        let created = names(&|binding| binding.create);
        let constants = rules.systems.iter().filter_map(|system| {
            let binding = entity.bindings_in(system.id).find(|binding| !binding.on_create.is_empty())?;
            Some(format!("; in {} with {}", system.name, constants(binding)))
        });
        let constants: String = constants.collect();
        output.say(format!(
            "{}: matched by {}; created in {}{constants}",
            entity.name,
            if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") },
            if created.is_empty() { "no system".to_owned() } else { created },
        ));
    }
    output.say("");
    output.sheet(header(rules), rows(rules));
    for entity in &rules.entities {
        for (_, field) in fields(entity) {
            let values = values(rules, field);
            if values.is_empty() {
                continue;
            }
            output.say(format!("\n{} {}: options that mean the same (the first is written)", entity.name, field.name));
            let systems: Vec<String> = rules.systems.iter().map(|system| system.name.clone()).collect();
            output.sheet(systems, values.into_iter().map(|(_, cells)| cells).collect());
        }
    }
}

fn csv(rules: &Rules) -> Result<String, CliError> {
    let failed = |_| CliError::world("csv", "the sheet cannot be written", "this should not happen: please report it");
    let mut header = header(rules);
    header.push("values".to_owned());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).map_err(failed)?;
    for entity in &rules.entities {
        for (group, field) in fields(entity) {
            let mut row = row(rules, entity, group, field);
            let values = values(rules, field).into_iter().map(|(_, cells)| cells.join(" = "));
            row.push(values.collect::<Vec<_>>().join("; "));
            writer.write_record(&row).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn document(rules: &Rules) -> Value {
    let systems: Vec<&str> = rules.systems.iter().map(|system| &*system.name).collect();
    let entity = |entity: &Entity| {
        let of = |each: &dyn Fn(&Binding) -> Option<Value>| -> Map<String, Value> {
            // One, or as many as there are objects.
            let pair = |system: &System| {
                let mut each: Vec<Value> = entity.bindings_in(system.id).filter_map(each).collect();
                let one = if each.len() == 1 { each.pop() } else { None };
                let value = one.or_else(|| (!each.is_empty()).then(|| each.into()))?;
                Some((system.name.clone(), value))
            };
            rules.systems.iter().filter_map(pair).collect()
        };
        let keys = entity.match_keys.iter().filter_map(|key| entity.field(*key)).map(|field| &*field.name);
        json!({
            "name": entity.name,
            "objects": of(&|binding| Some(binding.object.clone().into())),
            "external_ids": of(&|binding| binding.external_id.clone().map(Value::from)),
            "on_create": of(&|binding| (!binding.on_create.is_empty()).then(|| constants(binding))),
            "create": of(&|binding| binding.create.then(|| true.into())).keys().collect::<Vec<_>>(),
            "create_as": of(&|binding| binding.create.then(|| binding.object.clone().into())),
            "match": keys.collect::<Vec<_>>(),
            "fields": fields(entity)
                .into_iter()
                .map(|(group, field)| field_document(rules, entity, group, field))
                .collect::<Vec<_>>(),
        })
    };
    json!({ "systems": systems, "entities": rules.entities.iter().map(entity).collect::<Vec<_>>() })
}

/// What new records get once.
fn constants(binding: &Binding) -> Value {
    let value = |raw: &Raw| FieldKind::Text.read(raw).unwrap_or_default().to_string();
    binding.on_create.iter().map(|(property, raw)| (property.clone(), Value::from(value(raw)))).collect()
}

fn field_document(rules: &Rules, entity: &Entity, group: Option<&Field>, field: &Field) -> Value {
    let named = |of: &dyn Fn(&FieldBinding) -> Value| -> Map<String, Value> {
        let bound = rules.systems.iter().filter_map(|system| Some((system, field.first_in(system.id)?)));
        bound.map(|(system, binding)| (system.name.clone(), of(binding))).collect()
    };
    let defaults: Map<String, Value> =
        defaults(rules, field).into_iter().map(|(name, value)| (name, value.into())).collect();
    let values = named(&|binding| {
        let pair = |(ours, theirs): &(String, String)| json!({ "is": ours, "option": theirs });
        binding.values.iter().map(pair).collect()
    });
    // By object where a system has several.
    let properties = rules.systems.iter().filter_map(|system| {
        let of = |object: &Binding| {
            let binding = field.binding(object.home())?;
            let properties = match binding.property() {
                _ if binding.is_record_url() => json!({ "record_url": true }),
                Some(property) => spoken(property).into(),
                None => binding.properties.clone().into(),
            };
            Some((object.object.clone(), properties))
        };
        let mut objects: Map<String, Value> = entity.bindings_in(system.id).filter_map(of).collect();
        let alone = entity.bindings_in(system.id).count() == 1;
        let value = match objects.values_mut().next()? {
            property if alone => property.take(),
            _ => objects.into(),
        };
        Some((system.name.clone(), value))
    });
    let properties: Map<String, Value> = properties.collect();
    json!({
        "name": field.name,
        "type": kind(&field.kind),
        "to": field.refers_to().and_then(|to| rules.entity(to)).map(|entity| entity.name.as_str()),
        "properties": properties,
        "group": group.map(|group| &group.name),
        "conflict": conflict(rules, &field.conflict),
        "on_link": link(rules, field.on_link),
        "default": defaults,
        "values": values,
        "sensitive": field.sensitive,
    })
}

/// The type; of a reference also where it leads.
fn kind_of(rules: &Rules, field: &Field) -> String {
    let to = field.refers_to().and_then(|to| rules.entity(to));
    to.map_or_else(|| kind(&field.kind), |to| format!("ref to {}", to.name))
}

fn kind(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Decimal { scale: Some(scale) } => format!("decimal, {scale} digits"),
        kind => kind.name().to_owned(),
    }
}

fn conflict(rules: &Rules, policy: &ConflictPolicy) -> String {
    policy::name(policy, &|system| name(rules, system).to_owned())
}

fn link(rules: &Rules, policy: LinkPolicy) -> String {
    match policy {
        LinkPolicy::Prefer(system) => format!("prefer {}", name(rules, system)),
        LinkPolicy::FillBlanks => "fill blanks".to_owned(),
        LinkPolicy::Review => "review".to_owned(),
        LinkPolicy::Latest => "latest".to_owned(),
    }
}

fn name(rules: &Rules, system: SystemId) -> &str {
    rules.system(system).map_or("?", |system| &system.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::config;
    use std::path::Path;

    const CONFIG: &str = r#"
[systems.hubspot]
token = "env:A"
[systems.salesforce]
url = "https://a.example"
token = "env:B"
[entities.deal]
match = ["name"]
create = ["salesforce"]
at.hubspot = { object = "deals" }
at.salesforce = { object = "Opportunity" }
[entities.deal.fields]
amount = { type = "decimal", scale = 2, hubspot = "amount", salesforce = "Amount", conflict = "salesforce owns" }
name = { type = "text", hubspot = "dealname", salesforce = "Name", default = "canary, \"x\"", sensitive = true }
stage = { type = "enum", hubspot = "dealstage", salesforce = "StageName", default = { salesforce = "New" }, values = [{ hubspot = "a", salesforce = "New" }, { hubspot = "a", salesforce = "Old" }, { hubspot = "b", salesforce = "Won" }] }
"#;

    #[test]
    fn the_sheet_says_what_is_mapped_and_who_wins() {
        let rules = config::parse(CONFIG, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}")).rules;
        assert_eq!(
            csv(&rules).unwrap(),
            "entity,field,type,hubspot,salesforce,group,match,conflict,first link,default,sensitive,values\n\
             deal,name,text,deals.dealname,Opportunity.Name,,1,latest,fill blanks,hubspot: (hidden); salesforce: (hidden),yes,\n\
             deal,amount,\"decimal, 2 digits\",deals.amount,Opportunity.Amount,,,salesforce owns,fill blanks,,,\n\
             deal,stage,enum,deals.dealstage,Opportunity.StageName,,,latest,fill blanks,salesforce: New,,\"a = New, Old; b = Won\"\n"
        );
        assert_eq!(config::schema_faults(CONFIG), [""; 0]);
        let document = document(&rules);
        assert!(!document.to_string().contains("canary"), "{document}");
        assert_eq!(document["entities"][0]["create"], json!(["salesforce"]));
        assert_eq!(document["entities"][0]["fields"][2]["values"]["salesforce"][1]["option"], "Old");
    }
}
