//! `syncline.toml` → [`Rules`] and [`Settings`]. Every error says where, why and what to do, and all are found in one pass
//! as far as that is possible: a broken text is reported by itself.

mod condition;
mod duration;
mod entities;
mod error;
mod expression;
mod life;
mod limits;
mod links;
mod lists;
mod profiles;
pub mod propose;
mod reader;
mod ruling;
mod schema;
mod settings;
mod standard;
mod systems;
#[cfg(test)]
mod tests;
mod ties;
mod transforms;

pub use duration::parse_duration;
pub use error::{ConfigError, ConfigErrors, ConfigPlace};
pub use schema::SCHEMA;
pub use settings::{RunSettings, SecretRef, Settings, SystemKind, SystemSettings};

#[cfg(all(test, feature = "wire"))]
pub(crate) use schema::tests::faults as schema_faults;

use super::{Rules, RulesErrors, SystemSpec};
use crate::model::FieldKind;
use error::Problems;
use reader::{Node, Section};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::DeTable;

/// A config, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What is kept equal, and who wins.
    pub rules: Rules,
    /// Where and how the job runs.
    pub settings: Settings,
    /// The file, for later errors that belong to a line of it.
    pub source: Source,
}

/// A config's text with the place of everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: Arc<str>,
    /// The profile in use.
    profile: Option<String>,
    places: BTreeMap<String, Range<usize>>,
}

/// Reads and checks a config.
///
/// # Errors
/// The file cannot be read, or all that is wrong in it.
pub fn load(file: &Path) -> Result<Config, ConfigErrors> {
    load_profile(file, None)
}

/// As [`load`], with the accounts and the store of a profile.
///
/// # Errors
/// As [`load`], or there is no such profile.
pub fn load_profile(file: &Path, profile: Option<&str>) -> Result<Config, ConfigErrors> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let (message, mend) = match error.kind() {
            std::io::ErrorKind::NotFound => {
                ("there is no such file".to_owned(), "write one with `syncline init`, or name another with --config")
            }
            std::io::ErrorKind::InvalidData => ("the file is not UTF-8 text".to_owned(), "save it as UTF-8"),
            _ => (format!("the file cannot be read: {error}"), "check its path and permissions"),
        };
        let errors = vec![ConfigError { group: None, place: None, message, mend: mend.to_owned() }];
        ConfigErrors { file: file.to_owned(), text: "".into(), errors }
    })?;
    parse_profile(&text, file, profile)
}

/// Checks a config's text; `file` names it, and its folder is where relative paths begin. Reads nothing else.
///
/// # Errors
/// All that is wrong.
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
    parse_profile(text, file, None)
}

/// As [`parse`], with the accounts and the store of a profile.
///
/// # Errors
/// As [`parse`], or there is no such profile.
pub fn parse_profile(text: &str, file: &Path, profile: Option<&str>) -> Result<Config, ConfigErrors> {
    let source: Arc<str> = text.into();
    let failed = |problems: Problems| ConfigErrors {
        file: file.to_owned(),
        text: error::covered(text).into(),
        errors: problems.into_errors(text),
    };
    let mut problems = Problems::default();
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        // One slip makes the parser stumble over all that follows, so only the first is told.
        Err(error) => {
            let cause = error.message().trim().replace('\n', ", ");
            problems.push(&error.span().unwrap_or(0..0), cause, "mend the TOML here or just before");
            return Err(failed(problems));
        }
    };
    let places: BTreeMap<_, _> = reader::places(document.get_ref()).into_iter().collect();
    let mut top = Section::new(document.get_ref(), String::new(), 0..0);
    let settings = settings(&mut top, file, profile, &mut problems);
    let rules = rules(&mut top, &settings, &mut problems);
    top.finish(&mut problems);
    let profile = profile.map(str::to_owned);
    let source = Source { file: file.to_owned(), text: source.clone(), profile, places };
    match rules {
        Ok(rules) if problems.0.is_empty() => Ok(Config { rules, settings, source }),
        Ok(_) => Err(failed(problems)),
        Err(RulesErrors(errors)) => {
            for error in errors {
                problems.push(&source.span(&error.at), error.fault.to_string(), error.fault.mend());
            }
            Err(failed(problems))
        }
    }
}

/// The accounts of a config that has no mapping yet: its systems, store and rhythm.
///
/// # Errors
/// All that is wrong with them, or there is a mapping.
pub fn parse_accounts(text: &str, file: &Path, profile: Option<&str>) -> Result<Settings, ConfigErrors> {
    // One that is sound but for its missing mapping has exactly that fault.
    match parse_profile(text, file, profile) {
        Ok(_) => {
            let message = "there is a mapping already".to_owned();
            let mend = "name a config that has only systems, or take its entities out".to_owned();
            let errors = vec![ConfigError { group: None, place: None, message, mend }];
            Err(ConfigErrors { file: file.to_owned(), text: "".into(), errors })
        }
        Err(errors) => read_accounts(text, file, profile).ok_or(errors),
    }
}

fn read_accounts(text: &str, file: &Path, profile: Option<&str>) -> Option<Settings> {
    let mut problems = Problems::default();
    let document = DeTable::parse(text).ok()?;
    let mut top = Section::new(document.get_ref(), String::new(), 0..0);
    let settings = settings(&mut top, file, profile, &mut problems);
    let unmapped = top.take("entities").is_none();
    for policy in ["rank", "conflict", "on_link", "region", "write_budget"] {
        top.take(policy);
    }
    top.finish(&mut problems);
    (problems.0.is_empty() && unmapped && settings.systems.len() > 1).then_some(settings)
}

/// Everything but the mapping.
fn settings(top: &mut Section<'_>, file: &Path, profile: Option<&str>, problems: &mut Problems) -> Settings {
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let mut settings = Settings {
        store: systems::store(top.take("store"), &folder, problems),
        systems: systems::systems(top.take("systems"), &folder, problems),
        run: systems::run(top.take("run"), problems),
        folder,
    };
    let node = top.take("profile");
    let place = profiles::place(node.as_ref());
    let Settings { folder, store, systems, .. } = &mut settings;
    let profiles = profiles::profiles(node, folder, store, systems, problems);
    if let Some(name) = profile {
        profiles::choose(name, profiles, place, store, systems, problems);
    }
    settings
}

fn rules(top: &mut Section<'_>, settings: &Settings, problems: &mut Problems) -> Result<Rules, RulesErrors> {
    let mut builder = Rules::builder();
    for system in &settings.systems {
        let ability = system.kind.ability();
        let (name, mode, max_deletes) = (system.name.clone(), system.mode, system.max_deletes);
        builder = builder.system_with(SystemSpec { name, ability, mode, max_deletes });
    }
    if let Some(rank) = top.take("rank").and_then(|node: Node<'_>| node.texts(problems)) {
        builder = builder.rank(rank);
    }
    let (rule, conflict) = entities::ruled(top.take("conflict"));
    if let Some(policy) = conflict.and_then(|node| entities::policy(&node, problems)) {
        builder = builder.conflict(policy);
    }
    if let Some(policy) = top.take("on_link").and_then(|node| entities::policy(&node, problems)) {
        builder = builder.on_link(policy);
    }
    if let Some(writes) = top.take("write_budget").and_then(|node| node.number(problems)) {
        builder = builder.write_budget(writes);
    }
    builder = builder.max_drift(settings.run.max_drift);
    let region = top.take("region").and_then(|node| entities::region(&node, problems));
    for mut entity in entities::entities(top.take("entities"), &settings.systems, problems) {
        for of in &entity.objects {
            let system = settings.systems.iter().find(|system| system.name == of.system);
            if let Some((system, template)) = system.and_then(|system| Some((system, system.record_url.as_ref()?))) {
                let template = template.replace("{object}", system.kind.object_in_url(&of.object));
                builder = builder.record_url(&of.system, &of.object, template);
            }
        }
        for field in entity.fields.iter_mut().filter(|field| field.kind == FieldKind::Phone) {
            field.kind = region.map_or(FieldKind::Phone, FieldKind::PhoneOf);
        }
        if let Some(node) = rule.as_ref().filter(|_| entity.conflict.is_none()) {
            entities::rule_all(node, &mut entity, problems);
        }
        builder = builder.entity(entity);
    }
    builder.build()
}

impl Source {
    /// The profile in use.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The place of a path like `entities.person.fields.phone`, or of the nearest table around it.
    fn span(&self, path: &str) -> Range<usize> {
        let swapped = self.profile.as_ref().and_then(|name| self.places.get(&format!("profile.{name}.{path}")));
        if let Some(span) = swapped {
            return span.clone();
        }
        let mut path = path;
        loop {
            if let Some(span) = self.places.get(path) {
                return span.clone();
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = &path[..at],
                None => return 0..0,
            }
        }
    }

    /// An error that belongs to a path of the config.
    pub fn error(&self, path: &str, message: impl Into<String>, mend: impl Into<String>) -> ConfigError {
        let place = Some(ConfigPlace::of(&self.text, self.span(path)));
        ConfigError { group: None, place, message: message.into(), mend: mend.into() }
    }

    /// Errors of this config.
    pub fn errors(&self, errors: Vec<ConfigError>) -> ConfigErrors {
        ConfigErrors { file: self.file.clone(), text: error::covered(&self.text).into(), errors }
    }
}
