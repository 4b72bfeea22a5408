//! Histories of one field, told step by step: what people do, what systems tell, and what the rules make of it.

mod operator;
mod polled;
mod story;

use polled::polled;
use story::{A, B, C, HOUR, Story, system, text};
use syncline::merge::{Evidence, Landing, Turn};
use syncline::model::{Apart, Mark, Millis, Place, SourceKind};
use syncline::rules::ConflictPolicy::{Latest, Owns, Prefer};
use syncline::rules::LinkPolicy;

#[test]
fn an_edit_reaches_the_other_side_and_one_an_hour_later_follows() {
    for policy in [Latest, Prefer(system(A)), Prefer(system(B))] {
        let mut story = Story::of(policy.clone(), SourceKind::History, 2);
        story.person(A, "x", 10);
        assert!(!story.owes(A) && story.owes(B));
        story.settle(20);
        story.person(B, "y", HOUR);
        assert_eq!(story.value(), "y", "{policy:?}");
        assert!(!story.lost("x"), "it was replaced knowingly");
        assert!(story.owes(A) && !story.owes(B));
    }
}

#[test]
fn an_edit_an_hour_later_follows_although_two_sides_had_said_the_same() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.person(A, "x", 10);
    story.person(B, "x", 11);
    story.settle(20);
    story.person(B, "y", HOUR);
    assert_eq!(story.value(), "y");
}

#[test]
fn concurrent_edits_meet_the_policy_in_every_order_of_arrival() {
    for (policy, winner) in [(Latest, "y"), (Prefer(system(A)), "x"), (Owns(system(A)), "x")] {
        for order in [[(A, "x", 10), (B, "y", 11)], [(B, "y", 11), (A, "x", 10)]] {
            let mut story = Story::of(policy.clone(), SourceKind::History, 2);
            order.iter().for_each(|(side, value, at)| story.person(*side, value, *at));
            assert_eq!(story.value(), winner, "{policy:?} {order:?}");
            assert!(story.lost(if winner == "x" { "y" } else { "x" }));
        }
    }
}

#[test]
fn an_equal_save_changes_nothing_but_counts() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(B, "old", 20);
    assert_eq!(story.value(), "old");
    // A's people had not seen that B's wanted it so, and they were earlier.
    story.person(A, "x", 10);
    assert_eq!(story.value(), "old");
    assert!(story.lost("x") && story.owes(A));
}

#[test]
fn a_late_told_edit_that_our_write_covered_changes_nothing_there() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 10);
    story.write(B, 12);
    story.person(B, "y", 5);
    assert_eq!(story.value(), "x");
    assert!(story.lost("y"));
    assert_eq!(*story.shows(B), text("x"));
    assert!(!story.owes(B));
}

#[test]
fn an_edit_after_our_write_had_seen_it_and_one_before_it_had_not() {
    for (at, value) in [(11, "x"), (13, "y")] {
        let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
        story.person(A, "x", 10);
        story.write(B, 12);
        story.person(B, "y", at);
        assert_eq!(story.value(), value);
    }
}

#[test]
fn an_older_word_of_a_side_does_not_override_its_newer_one() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 20);
    story.person(A, "w", 10);
    assert_eq!(story.value(), "x");
    assert!(story.lost("w"));
}

#[test]
fn a_repeat_of_our_own_write_is_no_edit() {
    let mut story = Story::of(Prefer(system(B)), SourceKind::History, 2);
    story.person(A, "x", 10);
    story.write(B, 12);
    story.person(A, "z", 13);
    story.tell(B, "x", 12, Mark::Unknown);
    assert_eq!(story.value(), "z");
}

#[test]
fn an_edit_that_was_told_twice_is_one_edit() {
    let mut story = Story::of(Prefer(system(B)), SourceKind::History, 2);
    story.person(B, "y", 10);
    story.write(A, 12);
    story.person(A, "x", 13);
    assert_eq!(story.value(), "x");
    story.person(B, "y", 10);
    assert_eq!(story.value(), "x");
}

#[test]
fn of_three_edits_the_policy_decides_over_all() {
    let mut story = Story::of(Latest, SourceKind::History, 3);
    story.person(C, "z", 12);
    story.person(B, "y", 11);
    story.person(A, "x", 10);
    assert_eq!(story.value(), "z");
    assert!(story.lost("x") && story.lost("y") && !story.lost("z"));
}

#[test]
fn what_somebody_replaced_knowingly_does_not_come_back() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 3);
    story.person(A, "x", 10);
    story.write(B, 12);
    story.person(B, "y", 20);
    assert_eq!(story.value(), "y");
    // C's people had seen neither.
    story.person(C, "z", 15);
    assert_eq!(story.value(), "y");
}

#[test]
fn an_edit_that_lost_still_rivals_those_whose_people_had_not_seen_it() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 3);
    story.person(A, "x", 10);
    story.write(C, 12);
    story.person(B, "y", 30);
    assert!(story.lost("y"));
    // C's people replace x, and know nothing of the later y.
    story.person(C, "z", 23);
    assert_eq!(story.value(), "y");
}

#[test]
fn an_edit_that_won_has_not_seen_its_rivals() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 10);
    story.person(B, "y", 11);
    let seen = |story: &Story, side: usize| story.state.sides[side].late.base_where(|_| true);
    assert_eq!(seen(&story, A), Turn(1));
    assert_eq!(seen(&story, B), Turn(0));
}

#[test]
fn a_late_told_edit_from_before_a_closing_is_what_its_side_shows() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 10);
    story.person(B, "x", 11);
    story.now = 20;
    story.close();
    story.person(B, "y", 15);
    assert_eq!(story.value(), "y");
    assert!(!story.owes(B) && story.owes(A));
}

#[test]
fn a_write_shows_the_turn_as_of_which_it_was_built() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 11);
    story.person(A, "z", 12);
    story.answer(B, op, Landing::Answered);
    story.lands(B, "x", 13);
    // B's people see x, and nothing of z.
    story.person(B, "y", 14);
    assert_eq!(story.value(), "z");
    assert!(story.lost("y"));
}

#[test]
fn the_answer_alone_does_not_settle_a_write() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 11);
    story.now = 20;
    story.answer(B, op, Landing::Answered);
    story.person(B, "y", 12);
    // The write came after it: its people had not seen x.
    story.lands(B, "x", 13);
    assert_eq!(story.value(), "x");
    assert_eq!(*story.shows(B), text("x"));
}

#[test]
fn waiting_edits_are_released_in_the_order_of_their_places() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 11);
    story.person(B, "z", 13);
    story.person(B, "y", 12);
    story.answer(B, op, Landing::Answered);
    story.lands(B, "x", 11);
    assert_eq!(story.value(), "z");
    assert_eq!(*story.shows(B), text("z"));
    assert!(!story.lost("y"), "its own people went on from it");
}

#[test]
fn a_lost_write_that_lands_late_is_patched_again_and_is_no_edit() {
    let mut story = Story::of(Prefer(system(B)), SourceKind::History, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 11);
    story.answer(B, op, Landing::Unknown);
    story.no_trace(B);
    story.person(A, "y", 12);
    story.write(B, 13);
    assert!(!story.owes(B));
    story.lands(B, "x", 20);
    assert_eq!(story.value(), "y");
    assert!(story.owes(B), "it shows x again");
}

#[test]
fn a_lost_write_is_still_known_when_it_is_told_after_a_long_down_time() {
    let mut story = Story::of(Latest, SourceKind::Stream, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 11);
    story.answer(B, op, Landing::Unknown);
    story.no_trace(B);
    story.person(A, "y", 12);
    story.write(B, 13);
    story.now = HOUR;
    story.forget();
    story.lands(B, "x", 20);
    assert_eq!(story.value(), "y");
}

#[test]
fn of_two_equal_lost_writes_one_landing_leaves_the_other_outstanding() {
    let mut story = Story::of(Latest, SourceKind::Stream, 2);
    story.person(A, "x", 10);
    let first = story.send(B, 11);
    story.answer(B, first, Landing::Unknown);
    story.no_trace(B);
    let second = story.send(B, 12);
    story.lands(B, "x", 13);
    story.answer(B, second, Landing::Answered);
    story.person(B, "y", 14);
    assert_eq!(story.value(), "y");
    // The second was the one that landed at 13; here comes the first.
    story.lands(B, "x", 20);
    assert_eq!(story.value(), "y");
    assert!(story.owes(B));
}

/// Our write of x leaves no trace in B's stream: its people had entered x. In the same second one of them goes on to y.
#[test]
fn an_equal_save_covers_no_edit_of_its_own_second() {
    let at = |time, position| Place { time: Millis(time), position: Some(position) };
    for known_before in [true, false] {
        let mut story = Story::of(Prefer(system(A)), SourceKind::Stream, 2);
        story.person(A, "x", 21_000);
        let op = story.send(B, 22_000);
        story.answer(B, op, Landing::Answered);
        if known_before {
            story.tell_place(B, "x", at(21_000, 3), Mark::Theirs);
        } else {
            // That it was there was known by other means.
            story.state.sides[B].shown = text("x");
        }
        story.tell_place(B, "y", at(22_000, 5), Mark::Theirs);
        story.no_trace(B);
        assert_eq!((story.value().as_str(), story.shows(B)), ("y", &text("y")), "known before: {known_before}");
        assert!(story.owes(A) && !story.owes(B));
    }
}

#[test]
fn a_late_event_of_a_settled_write_shows_what_it_wrote() {
    let mut story = Story::of(Latest, SourceKind::Stream, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 11);
    story.now = 30;
    story.answer(B, op, Landing::Answered);
    story.person(B, "y", 12);
    story.no_trace(B);
    assert_eq!(*story.shows(B), text("y"));
    // It landed over y after all.
    story.lands(B, "x", 20);
    assert_eq!(*story.shows(B), text("x"));
}

#[test]
fn an_answer_after_a_write_was_given_up_does_not_forget_it() {
    let mut story = polled("x");
    let op = story.send(B, 100);
    story.answer(B, op, Landing::Unknown);
    story.now = 110;
    story.read(B, "old", 0, true);
    story.person(A, "y", 200);
    story.write(B, 210);
    story.now = 300;
    story.answer(B, op, Landing::Answered);
    // It had landed last, before the answer.
    story.read(B, "x", 250, false);
    assert_eq!(story.value(), "y");
    assert!(story.owes(B));
}

#[test]
fn a_write_that_saved_what_was_there_counts_as_seen() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.person(A, "x", 20);
    let op = story.send(B, 21);
    // Meanwhile they entered the same.
    story.person(B, "x", 22);
    story.person(B, "y", 30);
    story.answer(B, op, Landing::Answered);
    story.no_trace(B);
    assert_eq!(story.value(), "y");
}

#[test]
fn an_unanswered_write_of_what_the_side_shows_counts_as_seen() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.person(A, "x", 20);
    let op = story.send(B, 21);
    story.person(B, "x", 22);
    story.answer(B, op, Landing::Unknown);
    story.no_trace(B);
    story.person(B, "y", 30);
    assert_eq!(story.value(), "y");
}

#[test]
fn an_unanswered_write_proves_nothing_when_something_else_is_shown_by_now() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 40);
    let op = story.send(B, 10);
    story.person(B, "x", 11);
    story.person(B, "old", 12);
    story.answer(B, op, Landing::Unknown);
    story.no_trace(B);
    assert_eq!(story.value(), "x", "A's edit was later, and B's people had not seen it");
}

#[test]
fn first_link_of_equal_and_blank_values() {
    let link = |policy, shown: &[&str]| Story::linked(policy, LinkPolicy::FillBlanks, SourceKind::History, shown);
    let mut equal = link(Latest, &["a", "a"]);
    assert!(!equal.owes(A) && !equal.owes(B));
    for shown in [["a", ""], ["", "a"]] {
        let mut one = link(Latest, &shown);
        assert_eq!(one.value(), "a");
        assert_eq!([one.owes(A), one.owes(B)], shown.map(str::is_empty));
    }
    let mut owner = link(Owns(system(A)), &["", "a"]);
    assert!(!owner.owes(A) && !owner.owes(B), "nothing is written into the owner, and its blank wipes nothing");
    assert!(owner.fates.is_empty());
}

#[test]
fn first_link_of_different_values_and_the_edit_that_ends_the_split() {
    let prefer = LinkPolicy::Prefer(system(B));
    let mut story = Story::linked(Latest, prefer, SourceKind::History, &["a", "b"]);
    assert_eq!(story.value(), "b");
    assert!(story.owes(A) && !story.owes(B));

    for (side, other) in [(A, B), (B, A)] {
        let fill = LinkPolicy::FillBlanks;
        let mut story = Story::linked(Latest, fill, SourceKind::History, &["a", "b"]);
        assert!(!story.owes(A) && !story.owes(B), "both stay");
        assert_eq!(story.state.sides[B].apart, Some(Apart::Split));
        story.person(side, "x", HOUR);
        assert_eq!(story.value(), "x");
        assert!(story.owes(other) && !story.owes(side));
        story.settle(HOUR + 10);
        assert_eq!(*story.shows(other), text("x"));
        assert!(story.state.sides.iter().all(|side| side.apart.is_none()));
    }
}

#[test]
fn a_settled_past_is_forgotten_and_the_next_edit_follows() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.person(A, "x", 10);
    story.settle(20);
    for side in &mut story.state.sides {
        side.settled = Place::at(Millis(1_000));
    }
    story.now = 2_000;
    assert!(story.forget());
    assert_eq!(story.state.turn, Turn(0));
    story.person(B, "y", HOUR);
    assert_eq!(story.value(), "y");
}

#[test]
fn a_value_that_cannot_be_read_ends_the_flight_of_our_write_and_is_no_edit() {
    let illegible = |story: &mut Story, asked: i64| {
        let now = Millis(story.now);
        story.with(|state, rules, fates| state.illegible(rules, B, Millis(asked), now, fates));
    };
    let mut story = polled("x");
    let op = story.send(B, 20);
    illegible(&mut story, 25);
    assert!(story.state.sides[B].late.flight.is_some(), "the call has not come back");
    story.now = 30;
    story.answer(B, op, Landing::Answered);
    illegible(&mut story, 25);
    assert!(story.state.sides[B].late.flight.is_some(), "asked for before the answer");
    illegible(&mut story, 31);
    assert!(story.state.sides[B].late.flight.is_none() && !story.owes(B));
    assert_eq!((story.value(), story.shows(B)), ("x".to_owned(), &text("x")));

    let mut story = polled("x");
    let op = story.send(B, 20);
    story.now = 30;
    story.answer(B, op, Landing::Unknown);
    illegible(&mut story, 31);
    assert_eq!(story.state.sides[B].late.strays.len(), 1, "it may still land");
    assert!(story.owes(B));
}

#[test]
fn a_history_with_a_value_that_cannot_be_read_still_tells_what_became_of_our_write() {
    let mut story = Story::of(Latest, SourceKind::History, 2);
    story.person(A, "x", 10);
    let op = story.send(B, 20);
    story.now = 30;
    story.answer(B, op, Landing::Answered);
    let entries = [Evidence { place: Place::at(Millis(21)), value: text("x"), mark: Mark::Ours }];
    let judged = story
        .with(|state, rules, fates| state.history(rules, B, &entries, None, Millis(35), Millis(35), Millis(35), fates));
    assert!(judged && story.state.sides[B].late.flight.is_none());
    assert_eq!((story.value(), story.shows(B)), ("x".to_owned(), &text("x")));
}

#[test]
fn a_side_that_cannot_hold_the_value_hinders_nobody_and_its_people_have_not_seen_it() {
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 3);
    story.field.bindings[B].limits.length = Some(3);
    story.person(A, "long", 10);
    assert!(story.owes(C));
    story.write(C, 20);
    story.now = 30;
    story.close();
    story.person(C, "new", HOUR);
    assert_eq!(story.value(), "new", "C's people had seen everything");
    let mut story = Story::of(Prefer(system(A)), SourceKind::History, 2);
    story.field.bindings[B].limits.length = Some(3);
    story.person(A, "long", 10);
    story.now = 30;
    story.close();
    story.person(B, "b", HOUR);
    assert_eq!(story.value(), "long", "B's people had not, so A is preferred");
}

#[test]
fn our_mark_behind_an_edit_is_not_the_create_of_what_was_edited() {
    // The mirror is an old copy: it knows of the create, and not of the write that followed.
    let mut story = Story::of(Latest, SourceKind::Stream, 2);
    story.state.sides[B].made = Millis(50);
    story.lands(B, "old", 5);
    assert!(story.fates.is_empty(), "that is the create");
    story.person(B, "theirs", 10);
    story.lands(B, "ours", 20);
    assert_eq!(story.shows(B), &text("ours"));
}

#[test]
fn what_was_refused_is_tried_again_at_once_when_somebody_corrects_it() {
    let mut story = Story::of(Latest, SourceKind::Stream, 2);
    story.person(A, "wrong", 10);
    let op = story.send(B, 20);
    let until = Millis(20 + HOUR);
    let now = Millis(21);
    story.with(|state, rules, fates| state.answered(rules, B, op, Landing::Refused { until }, now, fates));
    assert!(!story.owes(B), "it is not tried again and again");
    story.person(A, "wrong", 30);
    assert!(!story.owes(B), "the same value would be refused again");
    story.person(A, "right", 40);
    assert!(story.owes(B));
}

#[test]
fn what_is_corrected_while_the_refused_write_flies_is_written_at_once() {
    for (corrected, owes) in [("right", true), ("wrong", false)] {
        let mut story = Story::of(Latest, SourceKind::Stream, 2);
        story.person(A, "wrong", 10);
        let op = story.send(B, 20);
        story.person(A, corrected, 21);
        let (until, now) = (Millis(20 + HOUR), Millis(30));
        story.with(|state, rules, fates| state.answered(rules, B, op, Landing::Refused { until }, now, fates));
        assert_eq!(story.owes(B), owes, "{corrected}");
    }
}

/// Each rule that is switched off must change one of the histories above.
#[cfg(feature = "defects")]
mod defects {
    use super::*;

    fn fails_with(defect: &'static str, history: fn()) {
        history();
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let outcome = std::thread::spawn(move || {
            syncline::defects::set(Some(defect));
            history();
        });
        let failed = outcome.join().is_err();
        std::panic::set_hook(hook);
        assert!(failed, "nobody notices `{defect}`");
    }

    #[test]
    fn each_is_noticed() {
        let cases: &[(&str, fn())] = &[
            ("seen", an_edit_that_was_told_twice_is_one_edit),
            ("ours", a_repeat_of_our_own_write_is_no_edit),
            ("superseded", an_older_word_of_a_side_does_not_override_its_newer_one),
            ("overtaken", a_late_told_edit_that_our_write_covered_changes_nothing_there),
            ("pairwise", of_three_edits_the_policy_decides_over_all),
            ("replaced", what_somebody_replaced_knowingly_does_not_come_back),
            ("decided-over", operator::what_lost_to_a_decision_does_not_come_back_with_the_next_edit),
            ("overtakers", a_late_told_edit_from_before_a_closing_is_what_its_side_shows),
            ("winner-entry", an_edit_that_won_has_not_seen_its_rivals),
            ("loser-forgotten", an_edit_that_lost_still_rivals_those_whose_people_had_not_seen_it),
            ("turn-of-now", a_write_shows_the_turn_as_of_which_it_was_built),
            ("closing", an_edit_an_hour_later_follows_although_two_sides_had_said_the_same),
            ("answer-settles", the_answer_alone_does_not_settle_a_write),
            ("strays", a_lost_write_that_lands_late_is_patched_again_and_is_no_edit),
            ("equal-save", an_unanswered_write_of_what_the_side_shows_counts_as_seen),
            ("row-mark", polled::a_row_that_we_changed_last_proves_a_write_without_an_answer),
            ("order-test", polled::a_read_asked_for_before_what_we_know_is_not_judged),
            ("snapshot-waits", polled::a_read_behind_a_write_in_flight_waits_for_it),
            ("release-order", waiting_edits_are_released_in_the_order_of_their_places),
        ];
        cases.iter().for_each(|(defect, history)| fails_with(defect, *history));
    }
}
