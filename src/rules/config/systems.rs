//! `[store]`, `[systems.NAME]` and `[run]`.

use super::duration::parse_duration;
use super::error::Problems;
use super::life;
use super::reader::{Node, Section};
use super::settings::{RunSettings, SecretRef, SystemKind, SystemSettings, check_url};
use crate::model::SystemId;
use crate::rules::{MAX_DELETES, Mode};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn store(node: Option<Node<'_>>, folder: &Path, problems: &mut Problems) -> PathBuf {
    let mut path = PathBuf::from("syncline.redb");
    if let Some(mut section) = node.and_then(|node| node.section(problems)) {
        if let Some(node) = section.take("path") {
            match node.text(problems) {
                Some(text) if text.trim().is_empty() => {
                    problems.push(&node.span, "the store's path is blank", "write the name of a file");
                }
                Some(text) => path = PathBuf::from(text),
                None => {}
            }
        }
        section.finish(problems);
    }
    folder.join(path)
}

pub(super) fn run(node: Option<Node<'_>>, problems: &mut Problems) -> RunSettings {
    let mut run = RunSettings::default();
    if let Some(mut section) = node.and_then(|node| node.section(problems)) {
        let least = Duration::from_millis(100);
        if let Some(interval) = section.take("interval").and_then(|node| duration(&node, least, problems)) {
            run.interval = interval;
        }
        let least = Duration::from_secs(1);
        if let Some(drift) = section.take("max_drift").and_then(|node| duration(&node, least, problems)) {
            run.max_drift = drift;
        }
        section.finish(problems);
    }
    run
}

pub(super) fn systems(node: Option<Node<'_>>, folder: &Path, problems: &mut Problems) -> Vec<SystemSettings> {
    let Some(mut section) = node.and_then(|node| node.section(problems)) else { return Vec::new() };
    section.take_rest().iter().filter_map(|node| system(node, folder, problems)).collect()
}

/// A system; what is wrong in it is replaced by something harmless, so that its name stays known.
fn system(node: &Node<'_>, folder: &Path, problems: &mut Problems) -> Option<SystemSettings> {
    let mut section = node.section(problems)?;
    let kind = kind(&mut section, node.key, problems);
    let mut system = SystemSettings {
        id: SystemId::of(node.key),
        name: node.key.to_owned(),
        kind: kind.unwrap_or(SystemKind::HubSpot),
        url: url(&mut section, kind, problems),
        token: token(&mut section, folder, problems),
        version: None,
        app_id: None,
        mode: Mode::ReadWrite,
        overlap: None,
        associations_every: None,
        record_url: None,
        max_deletes: MAX_DELETES,
    };
    if let Some(node) = section.take("version") {
        system.version = version(&node, kind, problems);
    }
    if let Some(node) = section.take("app_id") {
        system.app_id = app_id(&node, kind, problems);
    }
    system.mode = section.take("mode").and_then(|node| mode_at(&node, problems)).unwrap_or(Mode::ReadWrite);
    if let Some(node) = section.take("overlap") {
        system.overlap = duration(&node, Duration::ZERO, problems);
    }
    if let Some(node) = section.take("associations_every") {
        system.associations_every = duration(&node, Duration::from_secs(1), problems);
    }
    system.record_url = section.take("record_url").and_then(|node| record_url(&node, problems));
    system.max_deletes = life::max_deletes(section.take("max_deletes"), problems);
    for key in ["client_id", "client_secret", "refresh_token", "username", "password", "jwt_key_file"] {
        section.refuse(key, "use `token`", problems);
    }
    section.finish(problems);
    Some(system)
}

/// The kind; the system's own name serves where it is one.
fn kind(section: &mut Section<'_>, name: &str, problems: &mut Problems) -> Option<SystemKind> {
    const MEND: &str = "write kind = \"hubspot\" or kind = \"salesforce\"";
    let Some(node) = section.take("kind") else {
        let kind = SystemKind::parse(name);
        if kind.is_none() {
            section.missing("kind", MEND, problems);
        }
        return kind;
    };
    let text = node.text(problems)?;
    let kind = SystemKind::parse(text);
    if kind.is_none() {
        problems.push(&node.span, format!("`{text}` is no kind of system"), MEND);
    }
    kind
}

fn url(section: &mut Section<'_>, kind: Option<SystemKind>, problems: &mut Problems) -> String {
    let Some(node) = section.take("url") else {
        if kind == Some(SystemKind::Salesforce) {
            section.missing("url", "add url = \"https://MYDOMAIN.my.salesforce.com\"", problems);
        }
        return "https://api.hubapi.com".to_owned();
    };
    url_at(&node, problems).unwrap_or_default()
}

pub(super) fn url_at(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let url = check_url(node.text(problems)?);
    url.map_err(|(message, mend)| problems.push(&node.span, message, mend)).ok()
}

/// Where people find a record: an address with `{id}`, and `{object}` where it names the object.
pub(super) fn record_url(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let text = node.text(problems)?.trim();
    let (is_address, is_whole) = (text.starts_with("https://") || text.starts_with("http://"), text.contains("{id}"));
    if !is_address || !is_whole {
        let message = match is_address {
            true => "every record would have the same address".to_owned(),
            false => format!("`{text}` is no web address"),
        };
        problems.push(
            &node.span,
            message,
            "write one such as \"https://acme.lightning.force.com/lightning/r/{object}/{id}/view\"",
        );
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn mode_at(node: &Node<'_>, problems: &mut Problems) -> Option<Mode> {
    match node.text(problems)? {
        "read-write" => Some(Mode::ReadWrite),
        "read" => Some(Mode::Read),
        mode => {
            problems.push(&node.span, format!("`{mode}` is no mode"), "write \"read-write\" or \"read\"");
            None
        }
    }
}

fn token(section: &mut Section<'_>, folder: &Path, problems: &mut Problems) -> SecretRef {
    let nothing = SecretRef::Env(String::new());
    let Some(node) = section.take("token") else {
        section.missing("token", "add token = \"env:NAME\", \"file:PATH\" or \"exec:COMMAND\"", problems);
        return nothing;
    };
    token_at(&node, folder, problems).unwrap_or(nothing)
}

pub(super) fn token_at(node: &Node<'_>, folder: &Path, problems: &mut Problems) -> Option<SecretRef> {
    let reference = SecretRef::parse(node.text(problems)?, folder);
    reference.map_err(|(message, mend)| problems.push(&node.span, message, mend)).ok()
}

fn version(node: &Node<'_>, kind: Option<SystemKind>, problems: &mut Problems) -> Option<String> {
    let text = node.text(problems)?;
    let number = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    let (version, mend) = match kind? {
        SystemKind::HubSpot => {
            let dated = text.split_once('-').is_some_and(|(year, month)| number(year, 4) && number(month, 2));
            (dated.then(|| text.to_owned()), "write a version like \"2026-03\"")
        }
        SystemKind::Salesforce => {
            let major = text.strip_prefix('v').unwrap_or(text).strip_suffix(".0");
            let major = major.filter(|major| number(major, 2) || number(major, 3));
            (major.map(|major| format!("v{major}.0")), "write a version like \"v62.0\"")
        }
    };
    if version.is_none() {
        problems.push(&node.span, format!("`{text}` is no version of this system's interface"), mend);
    }
    version
}

pub(super) fn app_id(node: &Node<'_>, kind: Option<SystemKind>, problems: &mut Problems) -> Option<String> {
    if kind == Some(SystemKind::Salesforce) {
        problems.push(&node.key_span, "Salesforce has no `app_id`", "take it away");
        return None;
    }
    let id = node.scalar().filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    if id.is_none() {
        node.wrong("the app's number, as in \"12345\"", problems);
    }
    id
}

fn duration(node: &Node<'_>, least: Duration, problems: &mut Problems) -> Option<Duration> {
    let text = node.text(problems)?;
    match parse_duration(text) {
        Ok(duration) if duration >= least => Some(duration),
        Ok(_) => {
            problems.push(&node.span, format!("`{text}` is too short"), format!("write at least {least:?}"));
            None
        }
        Err(mend) => {
            problems.push(&node.span, format!("`{text}` is no duration"), mend);
            None
        }
    }
}
