//! `syncline status`: what a running sync is doing.

use super::{CliError, Context, Exit};

/// Options of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {}

/// Runs it.
pub fn run(_args: &StatusArgs, context: &Context) -> Result<Exit, CliError> {
    context.load()?;
    Err(CliError::not_built("`syncline status`"))
}
