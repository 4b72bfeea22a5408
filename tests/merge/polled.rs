//! A side that tells nothing by itself: what reads of its record show.

use crate::story::{A, B, STRAY_MS, Story, text};
use syncline::merge::{Landing, Snapshot, SnapshotFate};
use syncline::model::{Millis, SourceKind};
use syncline::rules::ConflictPolicy::Latest;

pub fn polled(value: &str) -> Story {
    // B is owed a value that A's people entered.
    let mut story = Story::of(Latest, SourceKind::Polled, 2);
    story.person(A, value, 10);
    story
}

#[test]
pub fn a_read_asked_for_before_what_we_know_is_not_judged() {
    let mut story = polled("x");
    story.now = 100;
    story.write(B, 100);
    assert_eq!(story.read(B, "old", 0, false), SnapshotFate::Reread);
    assert_eq!(story.value(), "x");
}

#[test]
pub fn a_late_read_tells_of_an_edit_that_our_write_covered() {
    let mut story = polled("x");
    story.write(B, 100);
    // Asked for before the write, it comes in after it.
    assert_eq!(story.read(B, "y", 50, true), SnapshotFate::Reread);
    assert_eq!(story.value(), "y", "the later edit of two that had not seen each other");
    assert!(story.owes(B));
}

#[test]
pub fn a_late_read_of_what_was_known_before_our_write_tells_nothing() {
    let mut story = polled("x");
    story.write(B, 100);
    assert_eq!(story.read(B, "old", 50, true), SnapshotFate::Reread);
    assert_eq!(story.value(), "x");
}

#[test]
pub fn a_read_behind_a_write_in_flight_waits_for_it() {
    let mut story = polled("x");
    let op = story.send(B, 100);
    story.now = 120;
    assert_eq!(story.read(B, "y", 110, true), SnapshotFate::Reread);
    story.now = 130;
    story.answer(B, op, Landing::NotWritten);
    assert_eq!(story.value(), "y");
}

#[test]
pub fn a_row_that_we_changed_last_proves_a_write_without_an_answer() {
    // In the step in which it left, the row may show what we wrote before it.
    for (modified, value) in [(115, "x"), (100, "y")] {
        let mut story = polled("x");
        let op = story.send(B, 100);
        story.answer(B, op, Landing::Unknown);
        story.now = 120;
        story.read_as(B, "x", modified, (false, true));
        story.now = 200;
        story.read(B, "y", 190, true);
        assert_eq!(story.value(), "y");
        // If it has landed, whoever enters the same now is a person, although the row does not say who.
        story.now = 300;
        story.read(B, "x", 290, false);
        assert_eq!(story.value(), value, "modified at {modified}");
    }
}

#[test]
pub fn a_person_who_restores_an_old_value_is_told_from_a_lost_write_by_the_mark() {
    for (theirs, value) in [(true, "x"), (false, "y")] {
        let mut story = polled("x");
        let op = story.send(B, 100);
        story.answer(B, op, Landing::Unknown);
        story.now = 110;
        story.read(B, "old", 0, true);
        story.person(A, "y", 200);
        let op = story.send(B, 210);
        story.now = 220;
        story.answer(B, op, Landing::Answered);
        story.read(B, "y", 215, false);
        story.now = 400;
        story.read(B, "x", 390, theirs);
        assert_eq!(story.value(), value, "theirs: {theirs}");
    }
}

#[test]
pub fn what_changed_after_a_lost_write_could_land_is_a_person_s() {
    let mut story = polled("x");
    let op = story.send(B, 100);
    story.answer(B, op, Landing::Unknown);
    story.now = 110;
    story.read(B, "old", 0, true);
    story.person(A, "y", 200);
    story.write(B, 210);
    story.now = STRAY_MS + 1_000;
    story.read(B, "x", STRAY_MS + 500, false);
    assert_eq!(story.value(), "x");
}

#[test]
pub fn a_lost_write_may_land_while_another_is_on_its_way() {
    let mut story = polled("x");
    let op = story.send(B, 100);
    story.answer(B, op, Landing::Unknown);
    story.now = 110;
    story.read(B, "old", 0, true);
    story.person(A, "y", 200);
    let op = story.send(B, 210);
    story.now = 220;
    story.answer(B, op, Landing::Answered);
    story.now = 240;
    // y landed, and x over it.
    story.read(B, "x", 230, false);
    assert_eq!(story.value(), "y");
    assert!(story.owes(B));
}

#[test]
pub fn a_write_is_placed_after_the_one_before_it() {
    let mut story = Story::of(Latest, SourceKind::Polled, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 20);
    story.now = 30;
    story.answer(B, op, Landing::Answered);
    story.read(B, "x", 25, false);
    story.person(A, "z", 24);
    // By the bounds of the clock it may have left before the last one landed.
    story.now = 26;
    let op = story.send(B, 24);
    story.now = 40;
    story.answer(B, op, Landing::Answered);
    story.now = 50;
    story.read(B, "x", 45, true);
    assert_eq!(story.value(), "x", "somebody took z back");
}

#[test]
pub fn a_stream_s_record_is_judged_by_a_read_only_as_far_as_the_stream_has_told() {
    let mut story = Story::of(Latest, SourceKind::Stream, 2);
    story.now = 100;
    let snapshot = |told| Snapshot {
        value: text("y"),
        begun: Millis(100),
        modified: Millis(90),
        since: Millis(0),
        asked: Millis(100),
        alone: true,
        landed: false,
        theirs: true,
        ours: false,
        told: Millis(told),
    };
    let judge = |story: &mut Story, told| {
        story.with(|state, rules, fates| state.snapshot(rules, B, snapshot(told), Millis(100), fates))
    };
    assert_eq!(judge(&mut story, 90), SnapshotFate::Reread);
    assert_eq!(story.value(), "old");
    assert_eq!(judge(&mut story, 91), SnapshotFate::Judged);
    assert_eq!(story.value(), "y");
}
