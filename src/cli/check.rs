//! `syncline check`: the config, the secrets, the remotes, and whether the mapping fits them.

use super::error::{Blame, remote};
use super::{CliError, Context, Exit, ground};
use crate::connector::{Connector, ConnectorError};
use crate::daemon::secrets;
use crate::model::{ObjectSchema, SourceKind, SystemId};
use crate::rules::advice::{Severity, check_schema};
use crate::rules::config::{Config, ConfigError};
use crate::rules::{Rules, System};
use serde_json::{Value, json};
use std::sync::Arc;

/// Options of `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// Do not ask the remotes.
    #[arg(long)]
    pub offline: bool,
}

/// Runs it.
pub fn run(args: &CheckArgs, context: &Context) -> Result<Exit, CliError> {
    let mut config = context.load()?;
    check_secrets(&config)?;
    let mut checked = Checked::default();
    if !args.offline {
        let connectors = ground::connect(&mut config)?;
        checked = ground::runtime()?.block_on(check_remotes(&mut config, &connectors));
    }
    show(&config, &checked, context);
    checked.verdict(&config)
}

/// All secrets are to be had.
pub(super) fn check_secrets(config: &Config) -> Result<(), CliError> {
    let errors: Vec<ConfigError> = config
        .settings
        .systems
        .iter()
        .filter_map(|system| {
            let error = secrets::resolve(&system.token).err()?;
            Some(config.source.error(&format!("systems.{}.token", system.name), error.to_string(), error.mend()))
        })
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(CliError::config("secret", Blame::Usage, config.source.errors(errors)))
}

/// What the remotes brought to light.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// (system, its objects, what its source promises).
    reached: Vec<(String, Vec<String>, &'static str)>,
    /// The code of the first remote that failed.
    failed: Option<&'static str>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// What each system says of its objects.
    pub(super) schemas: Vec<(SystemId, ObjectSchema)>,
}

impl Checked {
    pub(super) fn verdict(self, config: &Config) -> Result<Exit, CliError> {
        if self.errors.is_empty() {
            return Ok(Exit::Equal);
        }
        let (code, blame) = match self.failed {
            Some(code) => (code, Blame::World),
            None => ("schema", Blame::Usage),
        };
        Err(CliError::config(code, blame, config.source.errors(self.errors)))
    }
}

/// Asks every remote for the schema of its objects, and compares it with the rules.
pub(super) async fn check_remotes(config: &mut Config, connectors: &[(SystemId, Arc<dyn Connector>)]) -> Checked {
    let mut checked = Checked::default();
    for (id, connector) in connectors {
        let ability = connector.ability().clone();
        config.rules.set_ability(*id, ability.clone());
        let Some(system) = config.rules.system(*id).cloned() else { continue };
        let mut schemas = Vec::new();
        let mut failed = None;
        for object in objects(&config.rules, &system) {
            match connector.schema(&object).await {
                Ok(schema) => schemas.push(schema),
                Err(ConnectorError::Refused { status: 400 | 404, .. }) => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = failed {
            let (code, mend) = remote(&error);
            let key = if code == "unauthorized" { "token" } else { "url" };
            let at = format!("systems.{}.{key}", system.name);
            checked.failed = checked.failed.or(Some(code));
            checked.errors.push(config.source.error(&at, error.to_string(), mend));
            continue;
        }
        for finding in check_schema(&config.rules, *id, &schemas) {
            let error = config.source.error(&finding.at, finding.message, finding.mend);
            match finding.severity {
                Severity::Error => checked.errors.push(error),
                Severity::Warning => checked.warnings.push(error),
            }
        }
        let objects = schemas.iter().map(|schema| schema.object.clone()).collect();
        checked.schemas.extend(schemas.into_iter().map(|schema| (*id, schema)));
        checked.reached.push((system.name, objects, promise(ability.source)));
    }
    checked.errors.sort_by_key(|error| error.place.as_ref().map(|place| place.span.start));
    checked
}

/// The objects of a system that the rules name.
fn objects(rules: &Rules, system: &System) -> Vec<String> {
    rules.entities.iter().filter_map(|entity| entity.binding(system.id)).map(|binding| binding.object.clone()).collect()
}

/// What a kind of source can promise.
fn promise(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Stream => "ordered change events: no edit is lost",
        SourceKind::History => "a history per property: no edit is lost",
        SourceKind::Polled => "polled: an edit that our own write covers between two polls cannot be seen",
    }
}

fn show(config: &Config, checked: &Checked, context: &Context) {
    let output = context.output;
    let fields: usize = config.rules.entities.iter().map(|entity| entity.fields.len()).sum();
    output.say(format!(
        "{}: {} systems, {} entities, {fields} fields; the secrets are there",
        context.config.display(),
        config.rules.systems.len(),
        config.rules.entities.len()
    ));
    if !checked.reached.is_empty() {
        let rows = checked
            .reached
            .iter()
            .map(|(name, objects, promise)| [name.clone(), objects.join(", "), (*promise).to_owned()]);
        output.table(["system", "objects", "source"], rows);
    }
    for warning in &checked.warnings {
        let line = warning.place.as_ref().map_or(0, |place| place.line);
        output.warn(format!("{}:{line}: {warning}", context.config.display()));
    }
    if checked.errors.is_empty() {
        output.document(&document(checked));
    }
}

fn document(checked: &Checked) -> Value {
    let systems: serde_json::Map<String, Value> = checked
        .reached
        .iter()
        .map(|(name, objects, promise)| (name.clone(), json!({ "objects": objects, "source": promise })))
        .collect();
    let warnings: Vec<Value> = checked
        .warnings
        .iter()
        .map(|warning| {
            let line = warning.place.as_ref().map(|place| place.line);
            json!({ "line": line, "message": warning.message, "mend": warning.mend })
        })
        .collect();
    json!({ "ok": true, "systems": systems, "warnings": warnings })
}

#[cfg(test)]
mod tests;
