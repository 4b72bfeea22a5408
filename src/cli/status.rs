//! `syncline status`: what a running sync is doing.

use super::ground::{self, Ground};
use super::{CliError, Context, Exit, Output, problems};
use crate::daemon::{DaemonError, offline};
use serde_json::Value;

/// Options of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {}

/// Runs it.
pub fn run(_args: &StatusArgs, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    ground::runtime()?.block_on(async {
        let status = match ground::ask_or_open(&config, "status").await? {
            Ground::Daemon(status) => status,
            Ground::Store(store) => {
                let snapshot = store.snapshot().map_err(DaemonError::from)?;
                offline(&config.rules, &snapshot, ground::now()).map_err(DaemonError::from)?
            }
        };
        show(&status, context.output);
        context.output.document(&status);
        Ok(Exit::Equal)
    })
}

fn show(status: &Value, output: Output) {
    let flag = |key: &str| status[key].as_bool().unwrap_or_default();
    output.say(format!(
        "{}, {}; {} problems{}, {} reviews",
        if flag("daemon") { "running" } else { "not running" },
        if flag("quiet") { "quiet" } else { "at work" },
        status["problems"],
        match status["ignored"].as_u64() {
            Some(ignored) if ignored > 0 => format!(" (and {ignored} ignored)"),
            _ => String::new(),
        },
        status["reviews"]
    ));
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    if let Some(systems) = status["systems"].as_object().filter(|_| flag("daemon")) {
        let rows = systems.iter().map(|(name, system)| {
            let cell = |key: &str| text(&system[key]);
            [name.clone(), cell("polls"), cell("cursor"), cell("lag_ms"), cell("calls"), cell("last_error")]
        });
        output.table(["system", "polls", "read up to", "lag ms", "calls", "last error"], rows);
    }
    if let Some(entities) = status["entities"].as_object() {
        let rows = entities.iter().map(|(name, entity)| {
            let cell = |key: &str| text(&entity[key]);
            [name.clone(), cell("records"), cell("linked"), cell("pending"), cell("split"), cell("review")]
        });
        output.table(["entity", "records", "linked", "pending", "split", "review"], rows);
    }
    problems::show_status(status, output);
}
