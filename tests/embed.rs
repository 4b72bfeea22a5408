//! The example of embedding does what it says.

#[path = "../examples/two_crms.rs"]
mod two_crms;

#[test]
fn the_example_of_two_crms_runs() {
    two_crms::main();
}
