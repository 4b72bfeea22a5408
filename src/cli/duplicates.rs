//! `syncline duplicates`: records that one system holds twice, before anything is linked. Nothing is merged.

use super::output::plain;
use super::{CliError, Context, Exit, Output, ground};
use crate::daemon::{DaemonError, read_all};
use crate::engine::{Duplicates, Remotes, duplicates};
use crate::model::SystemId;
use crate::rules::Rules;
use crate::store::{OpenOptions, Store};
use serde_json::{Value, json};
use std::sync::Arc;

/// Options of `duplicates`.
#[derive(Debug, Clone, clap::Args)]
pub struct DuplicatesArgs {
    /// As CSV, for a spreadsheet: a row for each record, the one that is proposed to survive first.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Ask nobody: look through the mirror as it stands.
    #[arg(long)]
    pub offline: bool,
}

/// Runs it.
pub fn run(args: &DuplicatesArgs, context: &Context) -> Result<Exit, CliError> {
    let mut config = context.load()?;
    let found = ground::runtime()?.block_on(async {
        let remotes = if args.offline {
            let path = &config.settings.store;
            ground::nobody_holds(path).await?;
            let store = Store::open(path, &OpenOptions::default()).map_err(DaemonError::from)?;
            Remotes::mirrored(&config.rules, &store.snapshot().map_err(DaemonError::from)?)
                .map_err(DaemonError::from)?
        } else {
            let connectors = ground::connect(&mut config)?;
            ground::people(&mut config, &connectors).await?;
            read_all(&Arc::new(config.rules.clone()), &connectors).await?
        };
        Ok::<_, CliError>(duplicates(&config.rules, &remotes))
    })?;
    match args.csv {
        true => context.output.say(csv(&config.rules, &found)?.trim_end()),
        false => show(&config.rules, &found, context.output),
    }
    context.output.document(&document(&config.rules, &found));
    Ok(if found.is_empty() { Exit::Equal } else { Exit::Problems })
}

/// Entity, system, match key, and what is shared, as people may see it.
fn names(rules: &Rules, found: &Duplicates) -> [String; 4] {
    let entity = rules.entity(found.entity);
    let field = entity.and_then(|entity| entity.field(found.by));
    [
        entity.map(|entity| entity.name.clone()).unwrap_or_default(),
        system(rules, found.system),
        field.map(|field| field.name.clone()).unwrap_or_default(),
        field.map(|field| field.shown(&found.value).to_string()).unwrap_or_default(),
    ]
}

fn system(rules: &Rules, id: SystemId) -> String {
    rules.system(id).map(|system| system.name.clone()).unwrap_or_default()
}

fn elsewhere(rules: &Rules, found: &Duplicates) -> String {
    let each = found.elsewhere.iter().map(|(id, remote)| format!("{} {remote}", system(rules, *id)));
    each.collect::<Vec<_>>().join(", ")
}

fn show(rules: &Rules, found: &[Duplicates], output: Output) {
    if found.is_empty() {
        return output.say("No system holds a record twice, as far as the match keys tell.");
    }
    let rows = found.iter().take(SHOWN_MAX).map(|group| {
        let [entity, system, by, value] = names(rules, group);
        let mut ids = group.records.iter().map(|twin| twin.remote.to_string());
        let survivor = ids.next().unwrap_or_default();
        [entity, system, by, value, survivor, ids.collect::<Vec<_>>().join(", "), elsewhere(rules, group)]
    });
    output.table(["entity", "system", "same", "value", "keep", "merge into it", "elsewhere"], rows);
    if found.len() > SHOWN_MAX {
        output.say(format!("... and {} more; --csv lists all", found.len() - SHOWN_MAX));
    }
    output.say(
        "Nothing was merged. Who is proposed to be kept has most fields filled, and of those the oldest id: merge them in their \
         system, or make the key unique, before they are linked.",
    );
}

fn csv(rules: &Rules, found: &[Duplicates]) -> Result<String, CliError> {
    let failed = |_| CliError::world("csv", "the sheet cannot be written", "this should not happen: please report it");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["group", "entity", "system", "same", "value", "id", "filled", "keep", "elsewhere"];
    writer.write_record(header).map_err(failed)?;
    for (at, group) in found.iter().enumerate() {
        let [entity, system, by, value] = names(rules, group);
        for (place, twin) in group.records.iter().enumerate() {
            let (number, filled) = ((at + 1).to_string(), twin.filled.to_string());
            let keep = if place == 0 { "yes" } else { "" };
            let there = elsewhere(rules, group);
            let row = [&number, &entity, &system, &by, &value, twin.remote.as_str(), &filled, keep, &there];
            writer.write_record(row.map(plain)).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn document(rules: &Rules, found: &[Duplicates]) -> Value {
    let group = |group: &Duplicates| {
        let [entity, of, by, value] = names(rules, group);
        let records = group.records.iter();
        let records = records.map(|twin| json!({ "id": twin.remote.as_str(), "filled": twin.filled }));
        let there = group.elsewhere.iter();
        let there = there.map(|(id, remote)| json!({ "system": system(rules, *id), "id": remote.as_str() }));
        json!({
            "entity": entity, "system": of, "by": by, "value": value,
            "survivor": group.records.first().map(|twin| twin.remote.as_str()),
            "records": records.collect::<Vec<_>>(), "elsewhere": there.collect::<Vec<_>>(),
        })
    };
    let surplus: usize = found.iter().map(|group| group.records.len().saturating_sub(1)).sum();
    json!({ "groups": found.len(), "surplus": surplus, "duplicates": found.iter().map(group).collect::<Vec<_>>() })
}

/// Groups that a person is shown.
const SHOWN_MAX: usize = 50;
