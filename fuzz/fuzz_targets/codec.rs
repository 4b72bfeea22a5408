//! Any bytes as any stored type: an error or a value that survives being written again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| syncline::fuzzing::codec(bytes));
