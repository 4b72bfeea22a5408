//! Bytes as the choices of a history: no edit is lost, everything ends equal and at rest.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| syncline::fuzzing::ingest(bytes));
