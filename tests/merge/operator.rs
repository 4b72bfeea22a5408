//! What whoever operates Syncline decides, among what people do.

use crate::story::{A, B, Story, system, text};
use syncline::model::{Apart, SourceKind, SystemId};
use syncline::rules::ConflictPolicy::{Latest, Owns, Prefer};
use syncline::rules::LinkPolicy;

#[test]
pub fn an_operators_decision_outranks_what_it_has_not_seen_and_an_undo_yields_to_it() {
    for policy in [Latest, Prefer(system(A)), Owns(system(A))] {
        for (author, before, holds) in [
            (SystemId::OPERATOR, 5, "decided"),
            (SystemId::OPERATOR, 15, "decided"),
            (SystemId::UNDO, 5, "edit"),
            (SystemId::UNDO, 15, "edit"),
        ] {
            let mut story = Story::of(policy.clone(), SourceKind::Stream, 2);
            story.operator(author, "decided", 10);
            assert_eq!(story.state.value, text("decided"), "{policy:?}");
            story.person(A, "edit", before);
            assert_eq!(story.state.value, text(holds), "{policy:?} {author:?} {before}");
            assert!(story.owes(B));
            assert_eq!(story.owes(A), holds == "decided");
        }
    }
}

#[test]
pub fn who_has_seen_a_decision_may_change_it_and_a_decision_sees_all_that_was_taken_in() {
    let mut story = Story::of(Owns(system(A)), SourceKind::Stream, 2);
    story.person(A, "edit", 5);
    story.operator(SystemId::UNDO, "old", 10);
    assert_eq!(story.state.value, text("old"), "an undo takes back what it has seen");
    story.send(A, 20);
    story.lands(A, "old", 21);
    story.person(A, "edit", 30);
    assert_eq!(story.state.value, text("edit"));
}

#[test]
pub fn what_lost_to_a_decision_does_not_come_back_with_the_next_edit() {
    for late in [false, true] {
        let mut story = Story::of(Prefer(system(A)), SourceKind::Stream, 2);
        story.operator(SystemId::OPERATOR, "decided", 10);
        story.send(B, 20);
        // Somebody who prevails here, and had not seen the decision, is heard before or after somebody who had.
        if !late {
            story.person(A, "old", 15);
        }
        story.lands(B, "decided", 21);
        story.person(B, "next", 30);
        if late {
            story.person(A, "old", 15);
        }
        assert_eq!(story.state.value, text("next"), "{late}");
        assert!(story.lost("old") && !story.lost("next"));
        assert!(story.owes(A) && !story.owes(B));
    }
}

#[test]
pub fn who_cannot_change_a_field_neither_replaces_a_decision_nor_brings_back_what_lost_to_it() {
    let mut story = Story::of(Owns(system(A)), SourceKind::Stream, 2);
    story.operator(SystemId::OPERATOR, "decided", 10);
    story.send(B, 20);
    story.lands(B, "decided", 21);
    story.person(B, "other", 30);
    assert_eq!(story.state.value, text("decided"), "it is not theirs");
    story.person(A, "own", 15);
    assert_eq!(story.state.value, text("decided"), "nobody who may has replaced the decision");

    let mut story = Story::of(Owns(system(A)), SourceKind::Stream, 2);
    story.operator(SystemId::OPERATOR, "decided", 10);
    story.send(B, 20);
    story.person(A, "own", 15);
    story.lands(B, "decided", 21);
    story.person(B, "other", 30);
    assert_eq!(story.state.value, text("decided"), "the owner's edit had lost");
}

#[test]
pub fn a_decision_ends_what_was_left_apart() {
    let mut story = Story::linked(Latest, LinkPolicy::FillBlanks, SourceKind::Stream, &["one", "two"]);
    assert_eq!(story.state.sides[B].apart, Some(Apart::Split));
    story.operator(SystemId::OPERATOR, "one", 10);
    assert_eq!((story.state.value.clone(), story.owes(A), story.owes(B)), (text("one"), false, true));
}
