//! What every command is given.

use super::error::CliError;
use super::output::Output;
use crate::rules::config::{self, Config};
use std::path::PathBuf;

/// What every command is given: the global options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The config's file.
    pub config: PathBuf,
    /// The profile of the config that is used.
    pub profile: Option<String>,
    /// Where words go.
    pub output: Output,
}

impl Context {
    /// Reads and checks the config.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(&self) -> Result<Config, CliError> {
        Ok(config::load_profile(&self.config, self.profile.as_deref())?)
    }
}
