//! `syncline init`: a config to start from.

mod files;
mod live;
mod metadata;
mod ready;

use super::{CliError, Context, Exit};
use crate::rules::config;
use files::{write_config, write_secret};
pub(super) use metadata::permission_name;
use ready::Ready;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Options of `init`.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// Make it for a running sandbox, from the line that it printed; `-` reads that line from stdin.
    #[arg(long, value_name = "READY.json")]
    pub sandbox: Option<PathBuf>,
    /// Propose the mapping from what the systems say about themselves: those of --sandbox, or of a config that has only
    /// systems.
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub from: Option<From>,
    /// The file to write; the config's name unless told.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the JSON schema of the config, for editors, and write nothing.
    #[arg(long, conflicts_with_all = ["sandbox", "from", "out", "force"])]
    pub schema: bool,
    /// Write into DIR what a Salesforce administrator deploys for the config that is there: the fields for our external ids and a
    /// permission set with the rights that the mapping needs. Asks nobody and overwrites nothing.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["sandbox", "from", "out", "force", "schema"])]
    pub salesforce_metadata: Option<PathBuf>,
    /// Overwrite a config that is already there.
    #[arg(long)]
    pub force: bool,
}

/// What a mapping is proposed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// The live schemas of the systems.
    Live,
}

/// Runs it.
pub fn run(args: &InitArgs, context: &Context) -> Result<Exit, CliError> {
    if args.schema {
        context.output.say(config::SCHEMA.trim_end());
        context.output.document(&serde_json::from_str::<serde_json::Value>(config::SCHEMA).unwrap_or_default());
        return Ok(Exit::Equal);
    }
    if let Some(folder) = &args.salesforce_metadata {
        return metadata::run(folder, context);
    }
    let out = live::target(args, context)?;
    if args.from == Some(From::Live) {
        return live::run(args, &out, context);
    }
    let out = &out;
    let mut written = vec![out.clone()];
    let next = match &args.sandbox {
        None => {
            write_config(out, TEMPLATE, args.force)?;
            "put your Salesforce address into it and the tokens into HUBSPOT_TOKEN and SALESFORCE_TOKEN; then"
        }
        Some(ready) => {
            written.extend(sandbox(&Ready::read(ready)?, out, args.force)?);
            "next"
        }
    };
    context
        .output
        .document(&json!({ "written": written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>() }));
    context.output.say(format!("wrote {}", out.display()));
    context.output.say(format!("{next}: syncline check --config {}", out.display()));
    Ok(Exit::Equal)
}

/// Writes the config of a sandbox, its secrets beside it; returns the latter.
fn sandbox(ready: &Ready, out: &Path, force: bool) -> Result<Vec<PathBuf>, CliError> {
    let text = ready.config();
    // What is written must be what is read; a strange ready line shows here.
    config::parse(&text, out).map_err(|errors| {
        let cause = errors.errors.first().map_or_else(String::new, ToString::to_string);
        CliError::usage("ready", format!("the ready line gives no sound config: {cause}"), ready::MEND)
    })?;
    let secrets = write_secrets(ready, out)?;
    write_config(out, &text, force)?;
    Ok(secrets)
}

/// Writes the secrets of a sandbox beside its config.
fn write_secrets(ready: &Ready, out: &Path) -> Result<Vec<PathBuf>, CliError> {
    let folder = out.parent().unwrap_or(Path::new("")).join("secrets");
    let hubspot = write_secret(&folder, "hubspot.token", &ready.hubspot.token)?;
    Ok(vec![hubspot, write_secret(&folder, "salesforce.token", &ready.salesforce.token)?])
}

/// Writes the config of a sandbox from its ready line, for the demo.
pub(super) fn demo_config(ready: &str, out: &Path) -> Result<(), CliError> {
    let ready = Ready::parse(ready).map_err(|cause| {
        CliError::usage("ready", format!("that is no ready line of a sandbox: {cause}"), ready::MEND)
    })?;
    sandbox(&ready, out, false).map(drop)
}

/// The config to start from.
pub(super) const TEMPLATE: &str = include_str!("syncline.toml");

#[cfg(test)]
mod tests;
