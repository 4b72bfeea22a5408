//! The line that a sandbox prints when it is ready, and the config that fits it.

use crate::cli::CliError;
use serde::Deserialize;
use std::io::BufRead;
use std::path::Path;

/// What a sandbox said when it was ready; all else in the line is not for us.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) hubspot: ReadySystem,
    pub(super) salesforce: ReadySystem,
}

/// One emulated system.
#[derive(Debug, Deserialize)]
pub(super) struct ReadySystem {
    pub(super) url: String,
    pub(super) token: String,
    #[serde(default)]
    app_id: Option<AppId>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AppId {
    Number(u64),
    Text(String),
}

impl Ready {
    /// Reads the line from a file, or from stdin if that is `-`.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let unreadable = |error: std::io::Error| {
            CliError::usage("ready", format!("{} cannot be read: {error}", path.display()), MEND)
        };
        let text = if path == Path::new("-") {
            // A sandbox keeps its stdout open, so only the line is waited for.
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
            line
        } else {
            std::fs::read_to_string(path).map_err(unreadable)?
        };
        Self::parse(&text).map_err(|cause| {
            CliError::usage("ready", format!("{} is no ready line of a sandbox: {cause}", path.display()), MEND)
        })
    }

    /// Reads the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match serde_json::Deserializer::from_str(text).into_iter().next() {
            Some(Ok(ready)) => Ok(ready),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it is empty".to_owned()),
        }
    }

    /// The config that fits.
    pub(super) fn config(&self) -> String {
        let app_id = match &self.hubspot.app_id {
            None => String::new(),
            Some(AppId::Number(id)) => format!("app_id = \"{id}\"\n"),
            Some(AppId::Text(id)) => format!("app_id = {}\n", quoted(id)),
        };
        include_str!("sandbox.toml")
            .replace("{hubspot}", &quoted(&self.hubspot.url))
            .replace("{salesforce}", &quoted(&self.salesforce.url))
            .replace("{app_id}\n", &app_id)
    }
}

impl Ready {
    /// The config's accounts, without a mapping; what is safe wins where two values differ.
    pub(super) fn accounts(&self) -> String {
        let config = self.config();
        let head = config.split("[entities.").next().unwrap_or_default();
        head.replace("on_link = \"prefer salesforce\" ", "on_link = \"fill blanks\"       ")
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) const MEND: &str = "give the one line that `syncline sandbox` prints";
