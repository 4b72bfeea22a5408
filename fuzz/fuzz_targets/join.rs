//! Bytes as the edits of three replicas: registers join to the newest, in any order.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| syncline::fuzzing::join(bytes));
