//! Conflict policies: pure functions of the set of concurrent edits. The order of arrival is no argument.

use super::Taken;
use crate::model::{Millis, SystemId};
use crate::rules::ConflictPolicy;

/// What a policy says about a set of edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// This edit's value holds.
    Edit(&'a Taken),
    /// The register's value stays; the others are written back.
    Register,
}

/// The total order of edits of different systems: (time floored to the coarsest resolution, rank, exact time, position,
/// turn). Overlapping intervals are *not* a tie: that relation is not transitive.
pub fn order_key(taken: &Taken, coarse_ms: i64, rank: usize) -> (Millis, std::cmp::Reverse<usize>, Millis, u64, u32) {
    let time = taken.edit.place.time;
    let position = taken.edit.place.position.unwrap_or(0);
    (time.floor(coarse_ms), std::cmp::Reverse(rank), time, position, taken.turn.0)
}

/// Decides over a set that is not empty. `rank` gives a system's place in the ranking, 0 = highest.
pub fn decide<'a>(
    policy: ConflictPolicy,
    set: &[&'a Taken],
    coarse_ms: i64,
    rank: impl Fn(SystemId) -> usize,
) -> Verdict<'a> {
    let latest = |edits: &mut dyn Iterator<Item = &'a Taken>| {
        edits.max_by_key(|taken| order_key(taken, coarse_ms, rank(taken.system)))
    };
    let of = |system: SystemId| latest(&mut set.iter().copied().filter(|taken| taken.system == system));
    match policy {
        ConflictPolicy::Latest => latest(&mut set.iter().copied()),
        ConflictPolicy::Prefer(system) => of(system).or_else(|| latest(&mut set.iter().copied())),
        ConflictPolicy::Owns(system) | ConflictPolicy::OneWay { from: system, .. } => of(system),
    }
    .map_or(Verdict::Register, Verdict::Edit)
}

/// The policy's name, as the journal and `explain` show it.
pub fn name(policy: ConflictPolicy, system_name: impl Fn(SystemId) -> String) -> String {
    match policy {
        ConflictPolicy::Latest => "latest".into(),
        ConflictPolicy::Prefer(system) => format!("prefer {}", system_name(system)),
        ConflictPolicy::Owns(system) => format!("{} owns", system_name(system)),
        ConflictPolicy::OneWay { from, .. } => format!("one way from {}", system_name(from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::{Edit, Turn};
    use crate::model::{Place, Value};
    use proptest::prelude::*;

    fn taken(system: u32, time: i64, turn: u32) -> Taken {
        let edit = Edit { value: Value::Int(i64::from(turn)), place: Place::at(Millis(time)), since: None };
        Taken { system: SystemId(system), edit, base: Turn(0), turn: Turn(turn) }
    }

    fn sets() -> impl Strategy<Value = Vec<Taken>> {
        prop::collection::vec((0u32..3, 0i64..5_000), 1..4).prop_map(|edits| {
            edits.into_iter().enumerate().map(|(turn, (s, t))| taken(s, t, turn as u32 + 1)).collect()
        })
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_is_no_argument(set in sets(), seed in any::<u64>()) {
            for policy in [ConflictPolicy::Latest, ConflictPolicy::Prefer(SystemId(1)), ConflictPolicy::Owns(SystemId(2))] {
                let straight: Vec<&Taken> = set.iter().collect();
                let mut shuffled = straight.clone();
                let turn = (seed as usize) % shuffled.len();
                shuffled.rotate_left(turn);
                shuffled.reverse();
                let rank = |s: SystemId| s.0 as usize;
                prop_assert_eq!(decide(policy, &straight, 1000, rank), decide(policy, &shuffled, 1000, rank));
            }
        }

        #[test]
        fn the_order_of_edits_is_total(set in sets()) {
            let key = |t: &Taken| order_key(t, 1000, t.system.0 as usize);
            for a in &set {
                for b in &set {
                    prop_assert_eq!(key(a) == key(b), a == b);
                    for c in &set {
                        prop_assert!(!(key(a) < key(b) && key(b) < key(c)) || key(a) < key(c));
                    }
                }
            }
        }

        #[test]
        fn an_owner_is_never_overruled_and_a_preferred_system_wins_its_conflicts(set in sets()) {
            let all: Vec<&Taken> = set.iter().collect();
            let rank = |s: SystemId| s.0 as usize;
            let of_two = set.iter().any(|t| t.system == SystemId(2));
            match decide(ConflictPolicy::Owns(SystemId(2)), &all, 1000, rank) {
                Verdict::Edit(winner) => prop_assert_eq!(winner.system, SystemId(2)),
                Verdict::Register => prop_assert!(!of_two),
            }
            match decide(ConflictPolicy::Prefer(SystemId(2)), &all, 1000, rank) {
                Verdict::Edit(winner) => prop_assert_eq!(winner.system == SystemId(2), of_two),
                Verdict::Register => prop_assert!(false, "prefer always names an edit"),
            }
        }
    }

    #[test]
    fn within_one_step_the_rank_decides_and_not_the_exact_time() {
        let (early, late) = (taken(0, 1_100, 1), taken(1, 1_900, 2));
        let rank = |s: SystemId| s.0 as usize;
        assert_eq!(decide(ConflictPolicy::Latest, &[&early, &late], 1000, rank), Verdict::Edit(&early));
        assert_eq!(decide(ConflictPolicy::Latest, &[&early, &late], 1, rank), Verdict::Edit(&late));
    }
}
