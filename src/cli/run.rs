//! `syncline run`: live, until it is told to stop.

use super::{CliError, Context, Exit};
use crate::rules::config::parse_duration;
use std::time::Duration;

/// Options of `run`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Between two polls of one system, as in "1s"; instead of the config's.
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval: Option<Duration>,
    /// End as soon as everything is quiet.
    #[arg(long)]
    pub once: bool,
}

/// Runs it.
pub fn run(_args: &RunArgs, context: &Context) -> Result<Exit, CliError> {
    context.load()?;
    Err(CliError::not_built("`syncline run`"))
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < Duration::from_millis(100) { Err("write at least 100ms".to_owned()) } else { Ok(interval) }
}
