//! Any text as a config: told what is wrong, or read the same twice.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| syncline::fuzzing::config(bytes));
