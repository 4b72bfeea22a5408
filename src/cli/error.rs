//! How a command ends: exit codes, and errors as people and as machines read them.

use super::output::plain;
use crate::connector::ConnectorError;
use crate::rules::config::{ConfigError, ConfigErrors};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};
use serde_json::json;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;

/// How a command that was done ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and equal where that was the question.
    Equal,
    /// Done, with problems or an unexplained difference.
    Problems,
}

/// Whose fault it is that a command was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The call's or the config's: exit code 2.
    Usage,
    /// A remote's or the store's: exit code 3.
    World,
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {mend}")]
pub struct CliError {
    /// A word for scripts: `config`, `usage`, `secret`.
    pub code: &'static str,
    /// Whose fault.
    pub blame: Blame,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub mend: String,
    /// The lines of the config that it is about.
    pub config: Option<Box<ConfigErrors>>,
    /// What machines are told beside it: a JSON object.
    pub beside: Option<Box<serde_json::Value>>,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Equal => 0,
            Exit::Problems => 1,
        })
    }
}

impl CliError {
    /// A fault of the call or the config.
    pub fn usage(code: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { code, blame: Blame::Usage, message: message.into(), mend: mend.into(), config: None, beside: None }
    }

    /// A fault of a remote or the store.
    pub fn world(code: &'static str, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { code, blame: Blame::World, message: message.into(), mend: mend.into(), config: None, beside: None }
    }

    /// A command of a later version.
    pub fn not_built(what: &str) -> Self {
        Self::usage("not_built", format!("{what} is not built in this version"), "use a newer version")
    }

    /// Faults of a config; the first speaks for all.
    pub fn config(code: &'static str, blame: Blame, errors: ConfigErrors) -> Self {
        let (mut message, mend) = match errors.errors.first() {
            None => (errors.file.display().to_string(), String::new()),
            Some(first) => (format!("{}: {}", place(&errors, first), first.message), first.mend.clone()),
        };
        if errors.errors.len() > 1 {
            let _ = write!(message, " (and {} more)", errors.errors.len() - 1);
        }
        Self { code, blame, message, mend, config: Some(Box::new(errors)), beside: None }
    }

    /// The exit code.
    pub fn exit(&self) -> ExitCode {
        ExitCode::from(match self.blame {
            Blame::Usage => 2,
            Blame::World => 3,
        })
    }

    /// The document that `--json` prints.
    pub fn to_json(&self) -> serde_json::Value {
        let mut error = json!({ "code": self.code, "message": self.message, "mend": self.mend });
        if let Some(config) = &self.config {
            let detail = |error: &ConfigError| {
                json!({
                    "group": error.group,
                    "file": config.file.display().to_string(),
                    "line": error.place.as_ref().map(|place| place.line),
                    "column": error.place.as_ref().map(|place| place.column),
                    "message": error.message,
                    "mend": error.mend,
                })
            };
            error["details"] = config.errors.iter().map(detail).collect();
        }
        let mut document = self.beside.as_deref().cloned().filter(serde_json::Value::is_object).unwrap_or(json!({}));
        document["error"] = error;
        document
    }

    /// The report for people: each fault with its line of the config and a caret.
    pub fn to_report(&self, colour: bool) -> String {
        let shown = match &self.config {
            None => vec![(None, Shown::new(plain(&self.message), plain(&self.mend), None))],
            Some(config) => {
                let each = |error| (heading(config, error), Shown::of(config, error));
                config.errors.iter().take(SHOWN_MAX).map(each).collect()
            }
        };
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false);
        let mut out = String::new();
        let mut group = None;
        for (index, (heading, shown)) in shown.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            if *heading != group {
                out.extend(heading.iter().flat_map(|heading| [heading, "\n"]));
                group.clone_from(heading);
            }
            if handler.render_report(&mut out, shown).is_err() {
                let _ = writeln!(out, "error: {shown}");
            }
        }
        let more = self.config.as_ref().map_or(0, |config| config.errors.len().saturating_sub(SHOWN_MAX));
        if more > 0 {
            let _ = writeln!(out, "... and {more} more");
        }
        out
    }

    /// Prints it where it belongs: the document on stdout, the report on stderr.
    pub fn print(&self, json: bool) {
        use std::io::Write as _;
        // A closed pipe is no reason to fail otherwise.
        if json {
            let _ = writeln!(std::io::stdout(), "{}", self.to_json());
        } else {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let _ = write!(std::io::stderr(), "{}", self.to_report(colour));
        }
    }
}

impl From<ConfigErrors> for CliError {
    fn from(errors: ConfigErrors) -> Self {
        Self::config("config", Blame::Usage, errors)
    }
}

impl From<ConnectorError> for CliError {
    fn from(error: ConnectorError) -> Self {
        let (code, mend) = remote(&error);
        match error {
            // Nothing was asked of anybody: the config is at fault.
            ConnectorError::Address { .. } => Self::usage(code, error.to_string(), mend),
            _ => Self::world(code, error.to_string(), mend),
        }
    }
}

/// The code and the mend of a remote's failure.
pub(super) fn remote(error: &ConnectorError) -> (&'static str, &'static str) {
    match error {
        ConnectorError::Address { .. } => ("address", "correct the system's `url` or `version`"),
        ConnectorError::Unreachable { .. } => ("unreachable", "check the system's `url` and the network"),
        ConnectorError::Unauthorized { .. } => ("unauthorized", "put a valid token where the system's `token` points"),
        ConnectorError::Limited { .. } => ("limited", "try again later"),
        ConnectorError::Refused { .. } => ("refused", "grant the credential what was asked for, or change the mapping"),
        ConnectorError::Protocol { .. } => ("protocol", "check that `url` is the system itself, and its `version`"),
    }
}

/// Above the faults of one group.
fn heading(errors: &ConfigErrors, error: &ConfigError) -> Option<String> {
    let group = error.group.as_ref()?;
    let count = errors.errors.iter().filter(|other| other.group == error.group).count();
    Some(format!("{group}: {count} error{}", if count == 1 { "" } else { "s" }))
}

fn place(errors: &ConfigErrors, error: &ConfigError) -> String {
    let file = errors.file.display();
    error.place.as_ref().map_or_else(|| file.to_string(), |at| format!("{file}:{}:{}", at.line, at.column))
}

/// One fault, as miette shows it.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
struct Shown {
    message: String,
    #[help]
    mend: Option<String>,
    #[source_code]
    text: Option<NamedSource<String>>,
    #[label("here")]
    span: Option<SourceSpan>,
}

impl Shown {
    fn new(message: String, mend: String, at: Option<(NamedSource<String>, SourceSpan)>) -> Self {
        let (text, span) = at.unzip();
        Self { message, mend: (!mend.is_empty()).then_some(mend), text, span }
    }

    fn of(config: &ConfigErrors, error: &ConfigError) -> Self {
        match &error.place {
            None => {
                let message = format!("{}: {}", config.file.display(), error.message);
                Self::new(plain(&message), plain(&error.mend), None)
            }
            Some(place) => {
                let text = NamedSource::new(config.file.display().to_string(), config.text.to_string());
                Self::new(plain(&error.message), plain(&error.mend), Some((text, place.span.clone().into())))
            }
        }
    }
}

/// More faults than a person reads at once.
const SHOWN_MAX: usize = 20;
