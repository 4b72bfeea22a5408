//! `syncline demo`: sandbox, sync and story, without any setup.

use super::{CliError, Context, Exit};

/// Options of `demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Seed of the sandbox's records and of the story.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// People in both systems together.
    #[arg(long, default_value_t = 200)]
    pub records: usize,
}

/// Runs it.
pub fn run(_args: &DemoArgs, _context: &Context) -> Result<Exit, CliError> {
    Err(CliError::not_built("`syncline demo`"))
}
