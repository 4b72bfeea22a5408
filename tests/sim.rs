//! Fixed seeds of the simulator: no edit is lost where every side tells its edits, nothing diverges, loops or duplicates,
//! and a seed is a history, always the same one.

use syncline::sim::{Options, Policy, Report, Sources, Violation, run};

const POLICIES: [Policy; 3] = [Policy::Latest, Policy::Prefer, Policy::Owns];

fn history(seed: u64, systems: usize, policy: Policy, sources: Sources) -> Report {
    run(Options { seed, systems, policy, sources, trace: false })
}

#[test]
fn where_every_side_tells_its_edits_none_is_lost() {
    let (mut edits, mut lost_answers, mut crashes, mut writes) = (0, 0, 0, 0);
    for sources in [Sources::Streams, Sources::Histories, Sources::Mixed] {
        for systems in [2, 3] {
            for policy in POLICIES {
                for seed in 0..60 {
                    let report = history(seed, systems, policy, sources);
                    assert_eq!(report.violation, None, "seed {seed}, {systems} systems, {policy:?}, {sources:?}");
                    edits += report.edits;
                    lost_answers += report.lost_answers;
                    crashes += report.crashes;
                    writes += report.writes;
                }
            }
        }
    }
    // A green run must have done something.
    assert!(edits > 2_000 && lost_answers > 50 && crashes > 500 && writes > 1_000);
}

#[test]
fn a_polled_side_never_diverges_loops_or_duplicates() {
    for sources in [Sources::OnePolled, Sources::AllPolled] {
        for systems in [2, 3] {
            for policy in POLICIES {
                for seed in 0..40 {
                    let report = history(seed, systems, policy, sources);
                    let only_lost = report.violation.is_none_or(|violation| {
                        !matches!(
                            violation,
                            Violation::Diverged
                                | Violation::Restless
                                | Violation::Loop
                                | Violation::Duplicate
                                | Violation::Broken
                        )
                    });
                    assert!(only_lost, "seed {seed}, {systems} systems, {policy:?}, {sources:?}: {report:?}");
                }
            }
        }
    }
}

#[test]
fn a_seed_is_a_history() {
    for seed in [3, 1_000_003] {
        let once = history(seed, 3, Policy::Latest, Sources::OnePolled);
        let again = history(seed, 3, Policy::Latest, Sources::OnePolled);
        assert_eq!(format!("{once:?}"), format!("{again:?}"));
    }
}

/// Each defect that shows often enough is seen within a few hundred histories.
#[cfg(feature = "defects")]
#[test]
fn planted_defects_are_seen() {
    for (defect, sources) in
        [("seen", Sources::Streams), ("overtaken", Sources::Streams), ("closing", Sources::Histories)]
    {
        syncline::defects::set(Some(defect));
        let bad = (0..400).filter(|seed| history(*seed, 2, Policy::Latest, sources).violation.is_some()).count();
        syncline::defects::set(None);
        assert!(bad > 4, "{defect} shows in {bad} of 400 histories");
    }
}
