//! `[profile.NAME]`: other accounts and another store under the same mapping.

use super::error::Problems;
use super::reader::{Node, Section};
use super::settings::{SecretRef, SystemSettings};
use super::systems;
use crate::rules::Mode;
use crate::rules::nearest::nearest;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// What a profile puts in the place of the rest of the config.
pub(super) struct Profile {
    name: String,
    store: PathBuf,
    systems: Vec<Change>,
}

/// What it changes about one system.
#[derive(Default)]
struct Change {
    system: String,
    url: Option<String>,
    token: Option<SecretRef>,
    mode: Option<Mode>,
    app_id: Option<String>,
    record_url: Option<String>,
}

/// All profiles; each is checked, whichever is used.
pub(super) fn profiles(
    node: Option<Node<'_>>,
    folder: &Path,
    store: &Path,
    known: &[SystemSettings],
    problems: &mut Problems,
) -> Vec<Profile> {
    let Some(mut section) = node.and_then(|node| node.section(problems)) else { return Vec::new() };
    let mut profiles: Vec<Profile> = Vec::new();
    for node in section.take_rest() {
        let Some((profile, path)) = profile(&node, folder, known, problems) else { continue };
        let taken = |other: &&Profile| same(&other.store, &profile.store);
        let by = match profiles.iter().find(taken) {
            Some(other) => Some(format!("profile `{}`", other.name)),
            None => same(&profile.store, store).then(|| "the config itself".to_owned()),
        };
        if let (Some(by), Some(path)) = (by, path) {
            problems.push(
                &path,
                format!("this store belongs to {by}"),
                "name another file: a store knows one set of accounts",
            );
        }
        profiles.push(profile);
    }
    profiles
}

/// Are two paths written for one file? (`./a` and `a`; links are not followed.)
fn same(a: &Path, b: &Path) -> bool {
    let parts = |path: &Path| -> Vec<String> {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    !a.as_os_str().is_empty() && parts(a) == parts(b)
}

/// A profile, and where its store's path stands.
fn profile(
    node: &Node<'_>,
    folder: &Path,
    known: &[SystemSettings],
    problems: &mut Problems,
) -> Option<(Profile, Option<Range<usize>>)> {
    let mut section = node.section(problems)?;
    let (store, path) = match section.take("store") {
        Some(node) => (systems::store(Some(node.clone()), folder, problems), store_span(&node)),
        None => {
            let mend =
                format!("add store = {{ path = \"{}.redb\" }}, so that it touches no other account's store", node.key);
            section.missing("store", mend, problems);
            (PathBuf::new(), None)
        }
    };
    let mut systems = Vec::new();
    if let Some(mut section) = section.take("systems").and_then(|node| node.section(problems)) {
        systems.extend(section.take_rest().iter().filter_map(|node| change(node, folder, known, problems)));
    }
    section.finish(problems);
    Some((Profile { name: node.key.to_owned(), store, systems }, path))
}

fn store_span(node: &Node<'_>) -> Option<Range<usize>> {
    let mut section = node.section(&mut Problems::default())?;
    section.take("path").map_or(Some(node.key_span.clone()), |path| Some(path.span))
}

fn change(node: &Node<'_>, folder: &Path, known: &[SystemSettings], problems: &mut Problems) -> Option<Change> {
    let mut section = node.section(problems)?;
    let Some(base) = known.iter().find(|system| system.name == node.key) else {
        let names: Vec<&str> = known.iter().map(|system| &*system.name).collect();
        let mend = match nearest(node.key, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name one of {}: a profile adds no system", names.join(", ")),
        };
        problems.push(&node.key_span, format!("no system is named `{}`", node.key), mend);
        return None;
    };
    let mut change = Change { system: node.key.to_owned(), ..Change::default() };
    let url = section.take("url");
    change.url = url.as_ref().and_then(|node| systems::url_at(node, problems));
    let token = section.take("token");
    change.token = token.as_ref().and_then(|node| systems::token_at(node, folder, problems));
    if let (Some(url), None) = (&url, &token) {
        let message = format!("`{}` would send the token of the other account to this address", url.path);
        problems.push(&url.key_span, message, "add the `token` that belongs to it");
    }
    change.mode = section.take("mode").and_then(|node| systems::mode_at(&node, problems));
    change.app_id = section.take("app_id").and_then(|node| systems::app_id(&node, Some(base.kind), problems));
    change.record_url = section.take("record_url").and_then(|node| systems::record_url(&node, problems));
    section.finish(problems);
    Some(change)
}

/// Puts a profile in place; one that is not there is a problem that names those that are.
pub(super) fn choose(
    name: &str,
    profiles: Vec<Profile>,
    place: Range<usize>,
    store: &mut PathBuf,
    settings: &mut [SystemSettings],
    problems: &mut Problems,
) {
    let names: Vec<String> = profiles.iter().map(|profile| profile.name.clone()).collect();
    let Some(profile) = profiles.into_iter().find(|profile| profile.name == name) else {
        let mend = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => format!("add [profile.{name}]"),
            None => format!("name one of {}", names.join(", ")),
        };
        return problems.push(&place, format!("there is no profile `{name}`"), mend);
    };
    *store = profile.store;
    for change in profile.systems {
        let Some(system) = settings.iter_mut().find(|system| system.name == change.system) else { continue };
        // An app belongs to its account: with another token, the other account's app says nothing.
        if change.token.is_some() || change.app_id.is_some() {
            system.app_id = change.app_id;
        }
        // So do the addresses of its records.
        if change.token.is_some() || change.url.is_some() || change.record_url.is_some() {
            system.record_url = change.record_url;
        }
        system.url = change.url.unwrap_or_else(|| std::mem::take(&mut system.url));
        system.token = change.token.unwrap_or_else(|| system.token.clone());
        system.mode = change.mode.unwrap_or(system.mode);
    }
}

/// Where profiles are told apart: the first one's name, or nowhere.
pub(super) fn place(node: Option<&Node<'_>>) -> Range<usize> {
    let section: Option<Section<'_>> = node.and_then(|node| node.section(&mut Problems::default()));
    let first = section.and_then(|mut section| section.take_rest().into_iter().next());
    first.map_or(0..0, |first| first.key_span)
}
