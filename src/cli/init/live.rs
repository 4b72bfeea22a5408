//! `init --from live`: a config whose mapping is proposed from what both systems say about themselves.

use super::files::write_config;
use super::ready::Ready;
use super::{InitArgs, write_secrets};
use crate::cli::{CliError, Context, Exit, ground};
use crate::connector::ConnectorError;
use crate::daemon::connect::{ConnectError, Connectors, connect_system};
use crate::model::{ObjectSchema, SystemId};
use crate::rules::advice::{Severity, check_schema_beside};
use crate::rules::config::propose::{Described, Proposal, objects, propose};
use crate::rules::config::{self, Config, ConfigErrors, Settings};
use crate::rules::{Rules, System};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Writes it.
pub(super) fn run(args: &InitArgs, out: &Path, context: &Context) -> Result<Exit, CliError> {
    let mut written = vec![out.to_owned()];
    let (head, profile) = match &args.sandbox {
        Some(ready) => {
            let ready = Ready::read(ready)?;
            written.extend(write_secrets(&ready, out)?);
            (ready.accounts(), None)
        }
        None => (read(&context.config)?, context.profile.as_deref()),
    };
    let settings = config::parse_accounts(&head, out, profile)
        .map_err(|errors| CliError::from(ConfigErrors { file: context.config.clone(), ..errors }))?;
    let (described, schemas) = ground::runtime()?.block_on(describe(&settings))?;
    let (text, proposal) = sound(&head, out, profile, propose(&described), &schemas)?;
    write_config(out, &text, args.force)?;
    let left_out = proposal.left_out();
    let output = context.output;
    output.document(&json!({
        "written": written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "fields": proposal.fields(),
        "left_out": left_out,
    }));
    output.say(format!("wrote {}: {} fields proposed, {} left out", out.display(), proposal.fields(), left_out.len()));
    output.say(format!("read it, correct it, then: syncline check --config {}", out.display()));
    Ok(Exit::Equal)
}

fn read(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file).map_err(|error| {
        let message = format!("{} cannot be read: {error}", file.display());
        CliError::usage(
            "config",
            message,
            "name a config that has only systems, or a sandbox with --sandbox READY.json",
        )
    })
}

/// What every system says about the objects that a mapping may name.
async fn describe(settings: &Settings) -> Result<(Vec<Described>, Vec<(SystemId, Vec<ObjectSchema>)>), CliError> {
    let system = |system: &config::SystemSettings| System {
        id: system.id,
        name: system.name.clone(),
        mode: system.mode,
        ability: system.kind.ability(),
        max_deletes: system.max_deletes,
    };
    let mut rules = Rules {
        systems: settings.systems.iter().map(system).collect(),
        entities: Vec::new(),
        write_budget: Rules::WRITE_BUDGET,
        max_drift_ms: Rules::MAX_DRIFT_MS,
    };
    let mut connectors = Connectors::new();
    for system in &settings.systems {
        let connector = connect_system(system, &mut rules).map_err(|error| match error {
            ConnectError::Secret { error, .. } => CliError::usage("secret", error.to_string(), error.mend()),
            ConnectError::Connector(error) => error.into(),
        })?;
        connectors.push((system.id, connector));
    }
    let (mut described, mut schemas) = (Vec::new(), Vec::new());
    for (system, (id, connector)) in settings.systems.iter().zip(&connectors) {
        let mut found = Vec::new();
        for object in objects(system.kind) {
            match connector.schema(object).await {
                Ok(schema) => found.push(schema),
                Err(ConnectorError::Refused { status: 400 | 404, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        schemas.push((*id, found.clone()));
        described.push(Described { name: system.name.clone(), kind: system.kind, objects: found });
    }
    Ok((described, schemas))
}

/// The config with the proposal, less what the systems would object to.
fn sound(
    head: &str,
    out: &Path,
    profile: Option<&str>,
    mut proposal: Proposal,
    schemas: &[(SystemId, Vec<ObjectSchema>)],
) -> Result<(String, Proposal), CliError> {
    loop {
        let text = format!("{}\n\n{INTRODUCTION}\n{}", head.trim_end(), proposal.to_toml());
        let config: Config = config::parse_profile(&text, out, profile)?;
        let findings =
            schemas.iter().flat_map(|(id, objects)| check_schema_beside(&config.rules, *id, objects, schemas));
        let errors: Vec<_> = findings.filter(|finding| finding.severity == Severity::Error).collect();
        let mut better = false;
        for error in &errors {
            better |= proposal.take_out(&error.at, &error.message);
        }
        if !better {
            return Ok((text, proposal));
        }
    }
}

/// Above the proposal.
const INTRODUCTION: &str = "\
# The mapping below was proposed from what the systems say about themselves; each line says why it is there. Nothing is
# written anywhere before `syncline backfill`: read it, correct it, and look at `syncline check`.
";

/// The config to be written to, which must not be there unless it is to be replaced.
pub(super) fn target(args: &InitArgs, context: &Context) -> Result<PathBuf, CliError> {
    let out = args.out.as_ref().unwrap_or(&context.config);
    if !args.force && out.symlink_metadata().is_ok() {
        let mend = "name another file with --out, or overwrite it with --force";
        return Err(CliError::usage("exists", format!("{} is already there", out.display()), mend));
    }
    Ok(out.clone())
}
