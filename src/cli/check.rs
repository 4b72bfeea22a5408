//! `syncline check`: the config, the secrets, the remotes, and whether the mapping fits them. All that is wrong at once.

mod rights;
mod seen;
mod show;
#[cfg(test)]
mod tests;

use super::error::{Blame, remote};
use super::polling::{Polling, polling};
use super::{CliError, Context, Exit, ground};
use crate::connector::{Connector, ConnectorError, IdProperty};
use crate::daemon::connect::{ConnectError, Connectors, connect_system};
use crate::daemon::secrets::{self, SecretError};
use crate::daemon::{read_people, read_record_urls};
use crate::model::{ObjectSchema, SourceKind, SystemId};
use crate::rules::advice::{Severity, check_schema_beside, check_transforms};
use crate::rules::config::{Config, ConfigError};
use crate::rules::{Entity, Mode, Rules, System, check_fallbacks};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Options of `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// Ask no remote, need no secret: look at the config, and at what the systems said of their objects when they were last
    /// asked.
    #[arg(long, conflicts_with = "create_properties")]
    pub offline: bool,
    /// Make the unique property that holds our external id where it is missing; where only a person can, print the steps.
    #[arg(long)]
    pub create_properties: bool,
}

/// Runs it.
pub fn run(args: &CheckArgs, context: &Context) -> Result<Exit, CliError> {
    let mut config = context.load()?;
    let mut checked = Checked::default();
    for finding in check_transforms(&config.rules) {
        checked.warnings.push(config.source.error(&finding.at, finding.message, finding.mend));
    }
    let mut connectors = Connectors::new();
    let runtime = ground::runtime()?;
    let before = runtime.block_on(seen::before(&config));
    if args.offline {
        seen::check(&config, &before, &mut checked);
    } else {
        connectors = checked.connect(&mut config);
        let asked = ask_remotes(&mut config, &connectors, args.create_properties);
        checked.add(runtime.block_on(asked));
        runtime.block_on(checked.ask_rights(&config, &connectors));
        checked.changed = Some(seen::compare(&config, before, &checked.schemas, &checked.reached));
    }
    let limit = |id| connectors.iter().find(|(system, _)| *system == id)?.1.daily_limit();
    let prices = polling(&config.rules, config.settings.run.interval, limit);
    checked.warn_of(&config, &prices);
    show::show(&config, &checked, &prices, args.offline, context);
    let document = show::document(&config, &checked, &prices, args.offline);
    match checked.verdict(&config) {
        Ok(exit) => {
            context.output.document(&document);
            Ok(exit)
        }
        // What was found besides does not go under with the errors.
        Err(error) => Err(CliError { beside: Some(Box::new(document)), ..error }),
    }
}

/// All secrets are to be had.
pub(super) fn check_secrets(config: &Config) -> Result<(), CliError> {
    let mut checked = Checked::default();
    for system in &config.settings.systems {
        if let Err(error) = secrets::resolve(&system.token) {
            checked.secret(config, &system.name, &error);
        }
    }
    checked.verdict(config).map(drop)
}

/// What the remotes brought to light.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// (system, its objects).
    reached: Vec<(String, Vec<String>)>,
    /// The code of the first system that could not be asked, and whose fault that is.
    failed: Option<(&'static str, Blame)>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// (system, object, property) that were made.
    made: Vec<(String, String, String)>,
    /// (system, object, the steps of a person).
    steps: Vec<(String, String, Vec<String>)>,
    /// What the systems have changed since they were last asked; none = not asked now.
    changed: Option<seen::Changed>,
    /// By system, the rights that its credential has, where it says so.
    granted: Vec<(String, BTreeSet<String>)>,
    /// What each system says of its objects.
    pub(super) schemas: Vec<(SystemId, ObjectSchema)>,
}

impl Checked {
    pub(super) fn verdict(self, config: &Config) -> Result<Exit, CliError> {
        if self.errors.is_empty() {
            return Ok(Exit::Equal);
        }
        let (code, blame) = self.failed.unwrap_or(("schema", Blame::Usage));
        Err(CliError::config(code, blame, config.source.errors(self.errors)))
    }

    /// The connectors of those systems whose secret and address are sound.
    fn connect(&mut self, config: &mut Config) -> Connectors {
        let mut connectors = Connectors::new();
        for system in config.settings.systems.clone() {
            match connect_system(&system, &mut config.rules) {
                Ok(connector) => connectors.push((system.id, connector)),
                Err(ConnectError::Secret { error, .. }) => self.secret(config, &system.name, &error),
                Err(ConnectError::Connector(error)) => self.unasked(config, &system.name, &error),
            }
        }
        connectors
    }

    fn secret(&mut self, config: &Config, system: &str, error: &SecretError) {
        let at = format!("systems.{system}.token");
        let error = config.source.error(&at, error.to_string(), error.mend());
        self.fail("secret", Blame::Usage, error.said_by("secrets"));
    }

    /// Which rights the credentials have; those that are missing are warned of, since not every account says it for certain.
    async fn ask_rights(&mut self, config: &Config, connectors: &Connectors) {
        for (id, connector) in connectors {
            let Some(system) = config.settings.system(*id) else { continue };
            if !self.reached.iter().any(|(reached, _)| *reached == system.name) {
                continue;
            }
            let Some(granted) = connector.granted().await else { continue };
            self.granted.push((system.name.clone(), granted.into_iter().collect()));
            let missing = rights::of(config, system, self).missing().join(", ");
            if !missing.is_empty() {
                let at = format!("systems.{}.token", system.name);
                let message = format!("the token lacks {missing}");
                let warning = config.source.error(&at, message, "grant it in the settings of its app");
                self.warnings.push(warning.said_by(&system.name));
            }
        }
    }

    /// A system that cannot be asked.
    fn unasked(&mut self, config: &Config, system: &str, error: &ConnectorError) {
        let (code, mend) = remote(error);
        let key = if code == "unauthorized" { "token" } else { "url" };
        let blame = if matches!(error, ConnectorError::Address { .. }) { Blame::Usage } else { Blame::World };
        let error = config.source.error(&format!("systems.{system}.{key}"), error.to_string(), mend);
        self.fail(code, blame, error.said_by(system));
    }

    fn fail(&mut self, code: &'static str, blame: Blame, error: ConfigError) {
        self.failed = self.failed.or(Some((code, blame)));
        self.errors.push(error);
    }

    /// Takes in what another look found. What is missing here comes first, what is wrong there afterwards.
    fn add(&mut self, other: Self) {
        self.failed = self.failed.or(other.failed);
        self.reached.extend(other.reached);
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
        self.made.extend(other.made);
        self.steps.extend(other.steps);
        self.schemas.extend(other.schemas);
    }

    fn warn_of(&mut self, config: &Config, prices: &[Polling]) {
        for price in prices {
            if let Some(warning) = price.warning() {
                let (message, mend) = warning.split_once("; ").unwrap_or((&warning, "poll less often"));
                self.warnings.push(config.source.error("run.interval", message, mend).said_by(price.system()));
            }
        }
    }
}

/// Asks every remote for the schema of its objects, and compares it with the rules.
pub(super) async fn check_remotes(config: &mut Config, connectors: &[(SystemId, Arc<dyn Connector>)]) -> Checked {
    ask_remotes(config, connectors, false).await
}

async fn ask_remotes(config: &mut Config, connectors: &[(SystemId, Arc<dyn Connector>)], make: bool) -> Checked {
    let mut checked = Checked::default();
    let mut schemas = Vec::new();
    for (id, connector) in connectors {
        config.rules.set_ability(*id, connector.ability().clone());
        let Some(system) = config.rules.system(*id).cloned() else { continue };
        let objects = match describe(&config.rules, &system, &**connector).await {
            Ok(mut objects) => {
                if make {
                    make_properties(config, &system, &**connector, &mut objects, &mut checked).await;
                }
                objects
            }
            Err(error) => {
                checked.unasked(config, &system.name, &error);
                continue;
            }
        };
        checked.reached.push((system.name, objects.iter().map(|schema| schema.object.clone()).collect()));
        schemas.push((*id, objects));
    }
    for (id, objects) in &schemas {
        for finding in check_schema_beside(&config.rules, *id, objects, &schemas) {
            let error = config.source.error(&finding.at, finding.message, finding.mend).said_by(finding.system);
            match finding.severity {
                Severity::Error => checked.errors.push(error),
                Severity::Warning => checked.warnings.push(error),
            }
        }
    }
    check_addresses(config, connectors, &mut checked).await;
    check_people(config, connectors, &mut checked).await;
    for (id, objects) in &schemas {
        config.rules.learn(*id, objects);
    }
    let told = schemas.into_iter().flat_map(|(id, objects)| objects.into_iter().map(move |schema| (id, schema)));
    checked.schemas.extend(told);
    // By system in the order of the config, and there by line; who could not be asked comes first.
    let names: Vec<&str> = config.settings.systems.iter().map(|system| &*system.name).collect();
    let order = |error: &ConfigError| {
        let system = names.iter().position(|name| error.group.as_deref() == Some(*name));
        (system, error.place.as_ref().map(|place| place.span.start))
    };
    checked.errors.sort_by_key(order);
    checked.warnings.sort_by_key(order);
    checked
}

/// Asks where people find records, where a field shows that.
async fn check_addresses(config: &mut Config, connectors: &[(SystemId, Arc<dyn Connector>)], checked: &mut Checked) {
    for one in connectors {
        let name = config.rules.system(one.0).map(|system| system.name.clone()).unwrap_or_default();
        if !checked.reached.iter().any(|(reached, _)| *reached == name) {
            continue;
        }
        let Err((_, error)) = read_record_urls(&mut config.rules, std::slice::from_ref(one)).await else { continue };
        let ConnectorError::Refused { status: 0 | 400..=404, .. } = error else {
            checked.unasked(config, &name, &error);
            continue;
        };
        let mend = "add record_url = \"https://.../{object}/{id}\" to the system";
        let at = format!("systems.{name}.record_url");
        checked.errors.push(config.source.error(&at, error.to_string(), mend).said_by(&name));
    }
}

/// Reads the users of the systems in which owners live, and looks for the fallbacks among them.
async fn check_people(config: &mut Config, connectors: &[(SystemId, Arc<dyn Connector>)], checked: &mut Checked) {
    for one in connectors {
        let name = config.rules.system(one.0).map(|system| system.name.clone()).unwrap_or_default();
        if !checked.reached.iter().any(|(reached, _)| *reached == name) {
            continue;
        }
        if let Err((_, error)) = read_people(&mut config.rules, std::slice::from_ref(one)).await {
            let ConnectorError::Refused { status: 400..=403, .. } = error else {
                checked.unasked(config, &name, &error);
                continue;
            };
            let mut owners = config.rules.entities.iter().flat_map(|of| of.owners().map(move |field| (of, field)));
            let Some((entity, field)) = owners.find(|(_, field)| field.first_in(one.0).is_some()) else { continue };
            let at = format!("entities.{}.fields.{}.{name}", entity.name, field.name);
            let mend = "grant the credential the right to see users: in HubSpot the scope crm.objects.owners.read, in Salesforce \
                        read access to User";
            checked.errors.push(config.source.error(&at, error.to_string(), mend).said_by(&name));
        }
    }
    for finding in check_fallbacks(&config.rules) {
        if checked.reached.iter().any(|(reached, _)| *reached == finding.system) {
            let error = config.source.error(&finding.at, finding.message, finding.mend).said_by(finding.system);
            match finding.severity {
                Severity::Error => checked.errors.push(error),
                Severity::Warning => checked.warnings.push(error),
            }
        }
    }
}

/// Those of the objects that the rules name and the system knows.
async fn describe(
    rules: &Rules,
    system: &System,
    connector: &dyn Connector,
) -> Result<Vec<ObjectSchema>, ConnectorError> {
    let mut schemas = Vec::new();
    for binding in rules.entities.iter().flat_map(|entity| entity.bindings_in(system.id)) {
        match connector.schema(&binding.object).await {
            Ok(schema) => schemas.push(schema),
            Err(ConnectorError::Refused { status: 400 | 404, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(schemas)
}

/// Makes the properties for our external id that a system lacks, and reads again what it then says.
async fn make_properties(
    config: &Config,
    system: &System,
    connector: &dyn Connector,
    objects: &mut [ObjectSchema],
    checked: &mut Checked,
) {
    if system.mode == Mode::Read {
        return;
    }
    let of = |entity| Entity::bindings_in(entity, system.id).map(move |binding| (entity, binding));
    for (entity, binding) in config.rules.entities.iter().flat_map(of) {
        let Some(property) = &binding.external_id else { continue };
        let lacks = |schema: &&mut ObjectSchema| schema.object == binding.object && schema.property(property).is_none();
        let Some(schema) = objects.iter_mut().find(lacks) else { continue };
        let made = match connector.make_id_property(&binding.object, property).await {
            Ok(IdProperty::ByHand(steps)) => {
                checked.steps.push((system.name.clone(), binding.object.clone(), steps));
                continue;
            }
            Ok(IdProperty::Made) => connector.schema(&binding.object).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(described) => {
                checked.made.push((system.name.clone(), binding.object.clone(), property.clone()));
                *schema = described;
            }
            Err(error) => {
                let at = format!("entities.{}.at.{}.external_id", entity.name, system.name);
                let (_, mend) = remote(&error);
                checked.errors.push(config.source.error(&at, error.to_string(), mend).said_by(&system.name));
            }
        }
    }
}

/// What a kind of source can promise.
fn promise(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Stream => "ordered change events: no edit is lost",
        SourceKind::History => "a history per property: no edit is lost",
        SourceKind::Polled => {
            "polled: read before it is written over; an edit made between that and our write cannot be seen"
        }
    }
}
