//! Replays the fuzzer's saved inputs, so that what it once found stays found without its toolchain.

use std::path::Path;

#[test]
fn saved_inputs_still_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/codec");
    // The published crate does not carry the corpus.
    let Ok(files) = std::fs::read_dir(&folder) else { return };
    let mut replayed = 0;
    for file in files {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        println!("{}", path.display());
        syncline::store::fuzzing::codec(&bytes);
        // Every input with one byte changed or missing is an input too.
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                syncline::store::fuzzing::codec(&changed);
            }
            syncline::store::fuzzing::codec(&bytes[..at]);
        }
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}
