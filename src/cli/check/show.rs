//! What `check` tells: people by groups, with the promise and the price at the end; machines in one document.

use super::{Checked, promise, rights};
use crate::cli::Context;
use crate::cli::polling::Polling;
use crate::model::SystemId;
use crate::rules::config::{Config, ConfigError};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) fn show(config: &Config, checked: &Checked, prices: &[Polling], offline: bool, context: &Context) {
    let output = context.output;
    let file = context.config.display();
    let fields: usize = config.rules.entities.iter().map(|entity| entity.fields.len()).sum();
    output.say(format!(
        "{file}{}: {} systems, {} entities, {fields} fields{}",
        config.source.profile().map(|name| format!(", profile {name}")).unwrap_or_default(),
        config.rules.systems.len(),
        config.rules.entities.len(),
        if offline { "; neither secrets nor remotes were looked at" } else { "" }
    ));
    if !checked.reached.is_empty() {
        let rows = checked.reached.iter().map(|(name, objects)| [name.clone(), objects.join(", ")]);
        output.table(["system", "objects"], rows);
    }
    for (system, object, property) in &checked.made {
        output.say(format!("made {property} on {system}'s {object}"));
    }
    for (system, object, steps) in &checked.steps {
        output.say(format!("{system} lets only a person make our field on {object}:"));
        steps.iter().enumerate().for_each(|(index, step)| output.say(format!("  {}. {step}", index + 1)));
    }
    if let Some(changed) = &checked.changed {
        changed.say(config, &file.to_string(), output);
    }
    let mut group = None;
    for warning in &checked.warnings {
        if warning.group != group {
            group.clone_from(&warning.group);
            let count = checked.warnings.iter().filter(|other| other.group == group).count();
            output.warn(format!("{} ({count})", group.as_deref().unwrap_or("the config")));
        }
        let line = warning.place.as_ref().map_or(0, |place| place.line);
        output.warn(format!("  {file}:{line}: {warning}"));
    }
    output.say("what the sources can promise:");
    for system in &config.rules.systems {
        output.say(format!("  {}: {}", system.name, promise(system.ability.source)));
        if has_associations(config, system.id) {
            let every = config.settings.systems.iter().find(|settings| settings.id == system.id);
            let every = every.and_then(|settings| settings.associations_every);
            output.say(format!("  {}, associations: {}", system.name, associations(every)));
        }
    }
    output.say("what the credentials need, and no more:");
    for system in &config.settings.systems {
        rights::of(config, system, checked).say(&system.name, output);
    }
    output.say(format!("what polling every {:?} costs while nothing changes:", config.settings.run.interval));
    prices.iter().for_each(|price| output.say(format!("  {}", price.line())));
}

/// Are ties between records of this system mapped?
fn has_associations(config: &Config, system: SystemId) -> bool {
    let mut bindings = config.rules.entities.iter().flat_map(|entity| entity.bindings_of(system));
    bindings.any(|(_, binding)| binding.is_unrecorded() && !binding.is_record_url())
}

/// What can be promised of them.
fn associations(every: Option<Duration>) -> String {
    let every = every.map_or_else(|| "10m".to_owned(), |every| format!("{every:?}"));
    format!(
        "no history, and a change of one alone moves no record's modified time: it is seen when its record changes otherwise, at \
         the latest every {every} (associations_every), and counts as made then; one that our own write covers before cannot \
         be seen"
    )
}

/// What machines are told.
pub(super) fn document(config: &Config, checked: &Checked, prices: &[Polling], offline: bool) -> Value {
    let mut systems = Map::new();
    for system in &config.rules.systems {
        let reached = checked.reached.iter().find(|(name, _)| *name == system.name);
        let settings = config.settings.systems.iter().find(|settings| settings.id == system.id);
        let price = prices.iter().find(|price| price.system() == system.name).map(Polling::document);
        systems.insert(
            system.name.clone(),
            json!({
                "objects": reached.map(|(_, objects)| objects), "source": promise(system.ability.source),
                "polling": price,
                "rights": settings.map(|settings| rights::of(config, settings, checked).document()),
            }),
        );
    }
    let made = checked
        .made
        .iter()
        .map(|(system, object, property)| json!({ "system": system, "object": object, "property": property }));
    let steps = checked
        .steps
        .iter()
        .map(|(system, object, steps)| json!({ "system": system, "object": object, "steps": steps }));
    json!({
        "ok": checked.errors.is_empty(),
        "offline": offline,
        "systems": systems,
        "warnings": checked.warnings.iter().map(warning).collect::<Vec<_>>(),
        "changed": checked.changed.as_ref().map(|changed| changed.document(config)),
        "made": made.collect::<Vec<_>>(),
        "by_hand": steps.collect::<Vec<_>>(),
    })
}

fn warning(warning: &ConfigError) -> Value {
    let line = warning.place.as_ref().map(|place| place.line);
    json!({ "group": warning.group, "line": line, "message": warning.message, "mend": warning.mend })
}
