//! The shape of the project, as a test: data flows one way, and the core does no I/O.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first: a layer imports only what stands before it.
const LAYERS: &[&str] =
    &["codec", "model", "rules", "merge", "engine", "store", "connector", "daemon", "sandbox", "sim", "fuzzing", "cli"];

/// What a layer may import although it stands beside it rather than below.
const ALSO: &[(&str, &str)] = &[];

/// What it may not although it stands below: the emulators share nothing with what they test.
const NEVER: &[(&str, &str)] = &[
    ("sandbox", "connector"),
    ("sandbox", "engine"),
    ("sandbox", "merge"),
    ("sandbox", "model"),
    ("sandbox", "rules"),
    ("sandbox", "store"),
    ("sandbox", "daemon"),
    ("connector", "store"),
    ("connector", "engine"),
    ("connector", "merge"),
    ("sim", "sandbox"),
    ("sim", "daemon"),
];

/// Layers without clock, socket, file, thread or chance.
const PURE: &[&str] = &["codec", "model", "merge", "engine", "sim"];

const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "tokio",
    "reqwest",
    "fastrand",
    "Timestamp::now",
    "HashMap",
    "HashSet",
    "thread_rng",
    "std::io",
];

fn sources(at: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn layer_of(file: &Path) -> String {
    let inside = file.strip_prefix(src()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The code without comments, documentation and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name == "tests.rs" || name.ends_with("_tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn a_layer_imports_only_what_stands_below_it() {
    let mut wrong = Vec::new();
    for file in sources(&src()).into_iter().filter(|file| !is_test(file)) {
        let layer = layer_of(&file);
        let Some(own) = LAYERS.iter().position(|name| *name == layer) else { continue };
        let code = code(&file);
        for (at, other) in LAYERS.iter().enumerate() {
            let imports = code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};"));
            let pair = (layer.as_str(), *other);
            let allowed = (at <= own || ALSO.contains(&pair)) && !NEVER.contains(&pair);
            if imports && !allowed {
                wrong.push(format!("{}: {layer} imports {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_does_no_io_and_shows_no_random_order() {
    let mut wrong = Vec::new();
    for file in sources(&src()).into_iter().filter(|file| !is_test(file)) {
        let layer = layer_of(&file);
        let rules = layer == "rules" && !file.to_string_lossy().contains("config");
        if !PURE.contains(&layer.as_str()) && !rules {
            continue;
        }
        let code = code(&file);
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            wrong.push(format!("{}: {word}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_codec_names_the_serialisation_crate_and_only_the_store_the_database() {
    let mut wrong = Vec::new();
    for file in sources(&src()) {
        let (layer, code) = (layer_of(&file), code(&file));
        if code.contains("bincode::") && layer != "codec" {
            wrong.push(format!("{}: bincode", file.display()));
        }
        if code.contains("redb::") && layer != "store" {
            wrong.push(format!("{}: redb", file.display()));
        }
        if code.contains("reqwest::") && !file.ends_with("connector/http.rs") && layer != "cli" {
            wrong.push(format!("{}: reqwest", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
