//! The binary from outside: exit codes, and what goes to which stream.

use std::path::Path;
use std::process::{Command, Output};

fn syncline(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .current_dir(folder)
        .args(args)
        .env_remove("HUBSPOT_TOKEN")
        .env_remove("RUST_LOG")
        .env("SALESFORCE_TOKEN", "t")
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_machine_gets_one_document_and_a_person_gets_the_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| syncline(folder.path(), args);

    assert_eq!(run(&["init"]).0, Some(0));
    let (code, out, err) = run(&["init"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("already there") && err.contains("--force"), "{err}");

    let (code, out, err) = run(&["check", "--offline"]);
    assert!(code == Some(0) && err.is_empty(), "no secret is needed: {err}");
    assert!(out.contains("salesforce: polled") && out.contains("calls a day"), "{out}");
    let (code, _, err) = run(&["verify"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("syncline.toml:20:9") && err.contains("HUBSPOT_TOKEN is not set"), "{err}");

    for args in [&["verify", "--json"][..], &["--json", "chek"], &["check", "--json", "--config", "none"]] {
        let (code, out, err) = run(args);
        assert_eq!((code, err.as_str()), (Some(2), ""), "{args:?}");
        let last: serde_json::Value = serde_json::from_str(out.lines().last().unwrap_or_default()).expect("JSON");
        for key in ["code", "message", "mend"] {
            assert!(last["error"][key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {last}");
        }
    }

    let (code, out, _) = run(&["--help"]);
    assert!(code == Some(0) && out.contains("backfill"), "{out}");
    assert_eq!(run(&[]).0, Some(2));
}
