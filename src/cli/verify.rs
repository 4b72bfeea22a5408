//! `syncline verify`: both remotes are read again and compared.

use super::{CliError, Context, Exit};

/// Options of `verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {}

/// Runs it.
pub fn run(_args: &VerifyArgs, context: &Context) -> Result<Exit, CliError> {
    context.load()?;
    Err(CliError::not_built("`syncline verify`"))
}
