//! What the systems said of their objects when they were last asked, beside what they say now.

use super::Checked;
use crate::cli::{Output, ground};
use crate::daemon::{schemas, socket};
use crate::model::{Millis, ObjectSchema, SystemId, Value as Canonical};
use crate::rules::advice::{Severity, check_schema_beside};
use crate::rules::config::Config;
use crate::rules::drift::{Drift, drift};
use crate::store::{OpenOptions, SeenSchemas, Store, StoreError};
use serde_json::{Value, json};

/// What was seen before, or why that cannot be said.
pub(super) enum Before {
    /// Objects by system; none = nothing yet.
    Seen(SeenSchemas),
    /// The same, from the daemon that holds the store: it has seen them as it started, and remembers nothing newer.
    Held(SeenSchemas),
    /// The store cannot be looked into now.
    Unread(String),
}

/// What has changed since.
#[derive(Debug)]
pub(super) struct Changed {
    /// When the systems were last asked, if they were.
    since: Option<Millis>,
    changes: Vec<Drift>,
    /// Why nothing was compared, or why what was seen now will not be remembered.
    unread: Option<String>,
}

/// Looks into the store, which stays as it is, or asks the daemon that holds it. Where there is none, none is made.
pub(super) async fn before(config: &Config) -> Before {
    let store = &config.settings.store;
    match Store::peek_schemas(store) {
        Ok(seen) => Before::Seen(seen),
        Err(error @ StoreError::InUse { .. }) => {
            let answer = socket::ask(store, "schemas").await;
            match answer.as_ref().and_then(schemas::read) {
                Some(seen) => Before::Held(seen),
                None => Before::Unread(why(&error)),
            }
        }
        Err(error) => Before::Unread(why(&error)),
    }
}

fn why(error: &StoreError) -> String {
    match error {
        StoreError::InUse { .. } => "the store is in use by a running syncline".to_owned(),
        _ => error.to_string(),
    }
}

/// Does the mapping fit what was last seen?
pub(super) fn check(config: &Config, before: &Before, checked: &mut Checked) {
    let seen = match before {
        Before::Seen(seen) | Before::Held(seen) => seen,
        Before::Unread(why) => {
            let mend = "check without --offline, or again when it is free";
            let message = format!("what the systems last said of their objects cannot be looked at: {why}");
            return checked.warnings.push(config.source.error("store", message, mend));
        }
    };
    let of = |system: SystemId| -> Vec<ObjectSchema> {
        seen.iter().filter(|(id, _)| *id == system).map(|(_, seen)| seen.schema.clone()).collect()
    };
    let systems = config.rules.systems.iter().map(|system| (system.id, of(system.id)));
    let schemas: Vec<(SystemId, Vec<ObjectSchema>)> = systems.filter(|(_, objects)| !objects.is_empty()).collect();
    for (id, objects) in &schemas {
        let since = seen.iter().filter(|(system, _)| system == id).map(|(_, seen)| seen.seen).min();
        let since = since.map(moment).unwrap_or_default();
        for finding in check_schema_beside(&config.rules, *id, objects, &schemas) {
            let message = format!("{} (as seen {since})", finding.message);
            let mend =
                format!("{}; if it has been changed there since, run `syncline check` without --offline", finding.mend);
            let error = config.source.error(&finding.at, message, mend).said_by(finding.system);
            match finding.severity {
                Severity::Error => checked.errors.push(error),
                Severity::Warning => checked.warnings.push(error),
            }
        }
    }
}

/// Compares what the systems that could be asked say now with what was seen, and remembers it where there is a store for it.
pub(super) fn compare(
    config: &Config,
    before: Before,
    said: &[(SystemId, ObjectSchema)],
    reached: &[(String, Vec<String>)],
) -> Changed {
    let (seen, held) = match before {
        Before::Seen(seen) => (seen, false),
        Before::Held(seen) => (seen, true),
        Before::Unread(why) => return Changed { since: None, changes: Vec::new(), unread: Some(why) },
    };
    let mut changed = Changed { since: None, changes: Vec::new(), unread: None };
    for system in config.rules.systems.iter().filter(|system| reached.iter().any(|(name, _)| *name == system.name)) {
        let of = seen.iter().filter(|(id, _)| *id == system.id).map(|(_, seen)| seen);
        let (times, old): (Vec<Millis>, Vec<ObjectSchema>) = of.map(|seen| (seen.seen, seen.schema.clone())).unzip();
        let now = said.iter().filter(|(id, _)| *id == system.id).map(|(_, schema)| schema.clone());
        changed.changes.extend(drift(&config.rules, system.id, &old, &now.collect::<Vec<_>>()));
        changed.since = changed.since.into_iter().chain(times).min();
    }
    if !held && let Err(error) = remember(config, said) {
        changed.unread = Some(why(&error));
    }
    changed
}

/// Only in a store that is there.
fn remember(config: &Config, schemas: &[(SystemId, ObjectSchema)]) -> Result<(), StoreError> {
    let path = &config.settings.store;
    if schemas.is_empty() || !path.try_exists()? {
        return Ok(());
    }
    let store = Store::open(path, &OpenOptions::default())?;
    store.see_schemas(ground::now(), schemas)?;
    store.close()
}

impl Changed {
    /// Tells people: first what concerns the mapping.
    pub(super) fn say(&self, config: &Config, file: &str, output: Output) {
        if let Some(why) = &self.unread {
            output.say(match self.since {
                None => format!("not compared with what the systems said before: {why}"),
                Some(_) => format!("what the systems say now is not remembered: {why}"),
            });
        }
        let Some(since) = self.since.filter(|_| !self.changes.is_empty()) else { return };
        output.say(format!("changed since {}:", moment(since)));
        let (named, others): (Vec<&Drift>, Vec<&Drift>) = self.changes.iter().partition(|change| change.at.is_some());
        for change in named {
            let line = line(config, change).map_or_else(String::new, |line| format!(" ({file}:{line})"));
            output.line(format!("  {}{line}", text(change)));
            change.mend.iter().for_each(|mend| output.line(format!("    {mend}")));
        }
        if others.is_empty() {
            return;
        }
        output.say("  not mapped:");
        others.iter().take(OTHERS_MAX).for_each(|change| output.line(format!("    {}", text(change))));
        if others.len() > OTHERS_MAX {
            output.say(format!("    and {} more", others.len() - OTHERS_MAX));
        }
    }

    /// Tells machines.
    pub(super) fn document(&self, config: &Config) -> Value {
        let change = |change: &Drift| {
            json!({
                "system": change.system, "object": change.object, "property": change.property, "what": change.what.word(),
                "message": change.what.to_string(), "line": line(config, change), "mapped": change.at.is_some(),
                "mend": change.mend,
            })
        };
        json!({
            "since": self.since.map(moment), "not_compared": self.unread,
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

fn text(change: &Drift) -> String {
    let property = change.property.as_ref().map_or_else(String::new, |name| format!(".{name}"));
    format!("{}'s {}{property} {}", change.system, change.object, change.what)
}

fn line(config: &Config, change: &Drift) -> Option<usize> {
    let at = change.at.as_ref()?;
    config.source.error(at, String::new(), String::new()).place.map(|place| place.line)
}

fn moment(time: Millis) -> String {
    Canonical::DateTime(time.0).to_string()
}

/// More changes outside the mapping than a person wants to read.
const OTHERS_MAX: usize = 10;
