//! Whole histories through the real engine, judged by the reference in `src/sim`: `examples/simulate.rs` runs many more.
use syncline::sim::{Also, Options, Policy, Report, Size, Sources, Violation, every, run};

/// Seeds per configuration; fewer where the engine is not optimised, so that a plain `cargo test` stays short.
const SEEDS: std::ops::Range<u64> = 0..if cfg!(debug_assertions) { 40 } else { 300 };
fn each(sources: Sources, judge: impl FnMut(Options, Report)) {
    each_of(sources, false, judge);
}

fn each_of(sources: Sources, grouped: bool, mut judge: impl FnMut(Options, Report)) {
    for systems in [2, 3] {
        for policy in if grouped { Policy::OF_ANY.to_vec() } else { Policy::ALL.to_vec() } {
            for seed in SEEDS {
                let options = Options { grouped, ..Options::new(seed, systems, policy, sources) };
                judge(options, run(options));
            }
        }
    }
}

/// No edit is lost, the sides end equal, and everything comes to rest.
fn exact(sources: Sources) {
    exact_of(sources, false);
}

fn exact_of(sources: Sources, grouped: bool) {
    let (mut edits, mut crashes, mut lost_answers) = (0, 0, 0);
    each_of(sources, grouped, |options, report| {
        assert_eq!(report.violation, None, "{options:?}");
        edits += report.edits;
        crashes += report.crashes;
        lost_answers += report.lost_answers;
    });
    assert!(edits > 500 && crashes > 250 && lost_answers > 50, "a run must have done something");
}

#[test]
fn streams_lose_nothing() {
    exact(Sources::Streams);
}

#[test]
fn histories_lose_nothing() {
    exact(Sources::Histories);
}

/// The same on a disk whose power fails in the middle of commits: what was answered is there, what was not may be.
#[test]
fn a_store_whose_power_fails_loses_nothing() {
    let (mut crashes, seeds) = (0, SEEDS.end / 4);
    for sources in [Sources::Streams, Sources::Histories, Sources::Mixed] {
        for (systems, policy) in [(2, Policy::Latest), (3, Policy::Prefer)] {
            for seed in 0..seeds {
                let options = Options { stored: true, ..Options::new(seed, systems, policy, sources) };
                let report = run(options);
                assert_eq!(report.violation, None, "{options:?}");
                crashes += report.crashes;
            }
        }
    }
    assert!(crashes > 50, "a run must have done something");
}

/// An operator decides or takes back, somebody deletes the record, an old copy of the mirror is restored, our clock is set.
#[test]
fn what_happens_besides_edits_loses_nothing_and_brings_nothing_back() {
    let (mut runs, seeds) = (0, SEEDS.end / 4);
    for also in Also::ALL {
        for sources in [Sources::Streams, Sources::Histories, Sources::Mixed] {
            for policy in Policy::OF_ANY {
                for seed in 0..seeds {
                    let options = Options { also, ..Options::new(seed, 2 + seed as usize % 2, policy, sources) };
                    assert_eq!(run(options).violation, None, "{options:?}");
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 400, "a run must have done something");
}

/// Every order in which two edits can be told and written, with one crash or lost, refused or doubled call at every place.
#[test]
fn small_worlds_are_right_in_every_order() {
    let plays = if cfg!(debug_assertions) { 3 } else { 5 };
    for sources in [Sources::Streams, Sources::Histories, Sources::Mixed] {
        let runs = [1, 2].map(|fields| {
            let mut runs = 0;
            // Of two fields there are more than an unoptimised build gets through.
            let size = Size { edits: 2, fields, plays: plays - (fields - 1), faults: 1 };
            every(Options::new(1, 2, Policy::Latest, sources), size, |choices, report| {
                assert_eq!(report.violation, None, "{sources:?} {choices:?}");
                runs += 1;
                true
            });
            runs
        });
        assert!(runs[0] > 500 && runs[1] > 100, "{runs:?} histories are not all");
    }
}

/// People edit different fields of a group at the same time: one group wins, and none is a mix.
#[test]
fn groups_are_decided_as_one_field() {
    exact_of(Sources::Histories, true);
}

#[test]
fn a_stream_among_histories_loses_nothing() {
    exact(Sources::Mixed);
}

#[test]
fn polled_sides_may_take_an_edit_for_a_write_of_ours_but_always_end_equal_and_at_rest() {
    for sources in [Sources::OnePolled, Sources::AllPolled, Sources::OneUnmarked, Sources::AllUnmarked] {
        let (mut runs, mut lost, mut mistaken) = (0, 0, 0);
        each(sources, |options, report| {
            runs += 1;
            match report.violation {
                None => {}
                Some(Violation::Lost) => lost += 1,
                Some(Violation::Mistaken) => mistaken += 1,
                Some(worse) => panic!("{worse:?}: {options:?}"),
            }
        });
        println!("{sources:?}: of {runs} histories {lost} lost an edit, {mistaken} mistook one for a write of ours");
        assert!(lost + mistaken <= runs / 50);
    }
}

#[test]
fn a_seed_gives_one_history() {
    for sources in [Sources::Streams, Sources::Mixed, Sources::AllPolled] {
        for seed in 0..20 {
            let options = Options::new(seed, 3, Policy::Latest, sources);
            assert_eq!(format!("{:?}", run(options)), format!("{:?}", run(options)));
        }
    }
}

/// Switching a rule of the engine off must be noticed by whole histories too.
#[cfg(feature = "defects")]
#[test]
fn writes_that_are_sent_again_after_a_crash_without_a_read_back_are_noticed() {
    let violations = |defect| {
        std::thread::spawn(move || {
            syncline::defects::set(defect);
            let (systems, policy, sources) = (3, Policy::Prefer, Sources::Histories);
            let options = |seed| Options::new(seed, systems, policy, sources);
            (0..400).filter(|seed| run(options(*seed)).violation.is_some()).count()
        })
    };
    let (without, with) = (violations(None), violations(Some("start-readback")));
    assert_eq!(without.join().ok(), Some(0));
    assert!(with.join().is_ok_and(|count| count > 0));
}

/// What happens besides edits has defects of its own, and none of them without.
#[cfg(feature = "defects")]
#[test]
fn defects_of_clocks_and_undo_are_seen() {
    let seen = [
        ("clock-set", Also::Jumps, Violation::Restless),
        ("undo-over", Also::Undo, Violation::Miscarried),
        ("undo-outranks", Also::Undo, Violation::Lost),
    ];
    for (defect, also, violation) in seen {
        syncline::defects::set(Some(defect));
        let options = |seed| Options { also, ..Options::new(seed, 2, Policy::Latest, Sources::Streams) };
        let bad = (0..400).filter(|seed| run(options(*seed)).violation == Some(violation)).count();
        syncline::defects::set(None);
        assert!(bad > 0, "{defect} shows in none of 400 histories");
    }
}

/// Each defect that shows often enough is seen within a few hundred histories.
#[cfg(feature = "defects")]
#[test]
fn planted_defects_are_seen() {
    for (defect, sources) in [
        ("seen", Sources::Streams),
        ("overtaken", Sources::Streams),
        ("closing", Sources::Histories),
        ("unsaid", Sources::Histories),
    ] {
        syncline::defects::set(Some(defect));
        let options = |seed| Options::new(seed, 2, Policy::Latest, sources);
        let bad = (0..400).filter(|seed| run(options(*seed)).violation.is_some()).count();
        syncline::defects::set(None);
        assert!(bad > 4, "{defect} shows in {bad} of 400 histories");
    }
}
