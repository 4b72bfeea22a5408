//! Replays the fuzzers' saved inputs, so that what they once found stays found without their toolchain.

use std::path::Path;
use syncline::fuzzing;

/// Passes each saved input of a fuzzer on.
fn replay(fuzzer: &str, mut run: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(fuzzer);
    // The published crate does not carry the corpus.
    let Ok(files) = std::fs::read_dir(&folder) else { return };
    let mut replayed = 0;
    for file in files {
        let path = file.unwrap().path();
        println!("{}", path.display());
        run(&std::fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[test]
fn stored_types() {
    replay("codec", |bytes| {
        fuzzing::codec(bytes);
        // Every input with one byte changed or missing is an input too.
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut changed = bytes.to_vec();
                changed[at] ^= change;
                fuzzing::codec(&changed);
            }
            fuzzing::codec(&bytes[..at]);
        }
    });
}

#[test]
fn joined_registers() {
    replay("join", fuzzing::join);
}

#[cfg(feature = "config")]
#[test]
fn configs() {
    replay("config", |bytes| {
        fuzzing::config(bytes);
        // Cut short, and with a line missing.
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        for at in (0..lines.len()).step_by(lines.len() / 40 + 1) {
            let without: Vec<&str> = lines[..at].iter().chain(&lines[at + 1..]).copied().collect();
            fuzzing::config(lines[..at].join("\n").as_bytes());
            fuzzing::config(without.join("\n").as_bytes());
        }
    });
}

#[cfg(feature = "sim")]
#[test]
fn histories() {
    replay("ingest", fuzzing::ingest);
}
