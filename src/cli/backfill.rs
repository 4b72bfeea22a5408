//! `syncline backfill`: both sides are read once, linked, and made equal.

use super::{CliError, Context, Exit};

/// Options of `backfill`.
#[derive(Debug, Clone, clap::Args)]
pub struct BackfillArgs {}

/// Runs it.
pub fn run(_args: &BackfillArgs, context: &Context) -> Result<Exit, CliError> {
    context.load()?;
    Err(CliError::not_built("`syncline backfill`"))
}
