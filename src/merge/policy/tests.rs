use super::*;
use crate::merge::Edit;
use crate::model::Place;
use proptest::prelude::*;
use std::sync::Arc;

fn taken(system: u32, time: i64, turn: u32, base: u32, value: Value) -> Taken {
    let edit = Edit { value, place: Place::at(Millis(time)), since: None };
    Taken { system: SystemId(system), edit, base: Turn(base), turn: Turn(turn) }
}

fn number(n: i64) -> Value {
    if n < 0 { Value::Null } else { Value::Int(n) }
}

const STAGES: [&str; 4] = ["new", "open", "won", "lost"];

fn stage(n: i64) -> Value {
    usize::try_from(n).map_or(Value::Null, |n| Value::Enum(STAGES[n % 4].into()))
}

/// The first three of them: `lost` is not named.
fn order() -> Arc<[String]> {
    STAGES[..3].iter().map(|stage| (*stage).to_owned()).collect()
}

/// The options whose bits are set.
fn set(bits: i64) -> Value {
    Value::set(["a", "b", "c"].iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, option)| *option))
}

/// Lines, of which those with bits set are there.
fn note(bits: i64) -> Value {
    match set(bits) {
        Value::Set(lines) => Value::Text(lines.join("\n").into()),
        _ => Value::Null,
    }
}

/// What the register held as of each turn, and one edit a system.
type Case = (Vec<i64>, Vec<(i64, u32, i64)>);

fn cases() -> impl Strategy<Value = Case> {
    let edits = prop::collection::vec((0i64..5_000, 0u32..3, -1i64..8), 1..4);
    (prop::collection::vec(-1i64..8, 3), edits)
}

fn edits(case: &Case, value: fn(i64) -> Value) -> Vec<Taken> {
    let each = case.1.iter().enumerate();
    each.map(|(at, (time, base, n))| taken(at as u32, *time, at as u32 + 4, *base, value(*n))).collect()
}

fn decided(policy: &ConflictPolicy, case: &Case, value: fn(i64) -> Value, edits: &[&Taken]) -> (Option<Value>, bool) {
    let as_of = |turn: Turn| value(case.0[turn.0 as usize % case.0.len()]);
    let ground = Ground {
        coarse_ms: 1_000,
        rank: &|system| system.0 as usize,
        as_of: &as_of,
        shown: &|_, value| value.clone(),
        before: &|_| Vec::new(),
    };
    match decide(policy, edits, &ground) {
        Verdict::Edit(edit) | Verdict::Failed { edit, .. } => (Some(edit.edit.value.clone()), true),
        Verdict::Value(value) | Verdict::Merged(value) => (Some(value), false),
        Verdict::Review(base) => (Some(base), false),
        Verdict::Register => (None, false),
    }
}

fn longest() -> ConflictPolicy {
    ConflictPolicy::Rule(Rule::new("the last but one", |base, edits| match edits {
        [.., edit, _] if edit.value != base => Ok(Ruling::Edit(edit.system)),
        [_, ..] => Ok(Ruling::Value(base.clone())),
        [] => Err("no edit".into()),
    }))
}

/// A policy with values that it can decide about.
type Sample = (ConflictPolicy, fn(i64) -> Value);

fn policies() -> Vec<Sample> {
    let plain = [
        ConflictPolicy::Latest,
        ConflictPolicy::Prefer(SystemId(1)),
        ConflictPolicy::Owns(SystemId(1)),
        ConflictPolicy::PreferUnlessBlank(SystemId(1)),
        ConflictPolicy::BlankNeverWins,
        ConflictPolicy::Max,
        ConflictPolicy::Min,
        longest(),
        ConflictPolicy::Review(None),
    ];
    let mut all: Vec<Sample> = plain.into_iter().map(|policy| (policy, number as fn(i64) -> Value)).collect();
    all.push((ConflictPolicy::ForwardOnly(order()), stage));
    all.push((ConflictPolicy::Union, set));
    all.push((ConflictPolicy::Append, note));
    all
}

fn permutations<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, first);
            all.push(tail);
        }
    }
    all
}

proptest! {
    #[test]
    fn the_order_of_arrival_is_no_argument(case in cases()) {
        for (policy, value) in policies() {
            let set = edits(&case, value);
            let all: Vec<&Taken> = set.iter().collect();
            let straight = decided(&policy, &case, value, &all);
            for other in permutations(&all) {
                prop_assert_eq!(&decided(&policy, &case, value, &other), &straight, "{:?}", policy);
            }
        }
    }

    #[test]
    fn the_order_of_edits_is_total(case in cases()) {
        let set = edits(&case, number);
        let key = |t: &Taken| order_key(t, 1_000, t.system.0 as usize);
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
    fn an_owner_is_never_overruled_and_a_preferred_system_wins_its_conflicts(case in cases()) {
        let set = edits(&case, number);
        let all: Vec<&Taken> = set.iter().collect();
        let of_one = set.iter().find(|taken| taken.system == SystemId(1)).map(|taken| &taken.edit.value);
        let (owned, _) = decided(&ConflictPolicy::Owns(SystemId(1)), &case, number, &all);
        prop_assert_eq!(owned.as_ref(), of_one);
        let (preferred, _) = decided(&ConflictPolicy::Prefer(SystemId(1)), &case, number, &all);
        prop_assert!(preferred.is_some() && (of_one.is_none() || preferred.as_ref() == of_one));
        let (unless, _) = decided(&ConflictPolicy::PreferUnlessBlank(SystemId(1)), &case, number, &all);
        match of_one {
            Some(value) if !value.is_null() => prop_assert_eq!(unless.as_ref(), Some(value)),
            _ => {
                let others: Vec<&Taken> = all.iter().copied().filter(|taken| taken.system != SystemId(1)).collect();
                let others = if others.is_empty() { all } else { others };
                prop_assert_eq!(unless, decided(&ConflictPolicy::Latest, &case, number, &others).0);
            }
        }
    }

    /// A blank holds only where nothing else was entered.
    #[test]
    fn a_blank_never_wins_over_a_value(case in cases()) {
        let set = edits(&case, number);
        let all: Vec<&Taken> = set.iter().collect();
        let blanks = set.iter().all(|taken| taken.edit.value.is_null());
        for policy in [ConflictPolicy::BlankNeverWins, ConflictPolicy::Max, ConflictPolicy::Min] {
            let (winner, carried) = decided(&policy, &case, number, &all);
            prop_assert!(carried);
            prop_assert_eq!(winner.is_some_and(|value| value.is_null()), blanks, "{:?}", policy);
        }
    }

    #[test]
    fn max_and_min_are_the_ends_of_what_was_entered(case in cases()) {
        let set = edits(&case, number);
        let all: Vec<&Taken> = set.iter().collect();
        let values = || set.iter().map(|taken| &taken.edit.value).filter(|value| !value.is_null());
        let (max, _) = decided(&ConflictPolicy::Max, &case, number, &all);
        let (min, _) = decided(&ConflictPolicy::Min, &case, number, &all);
        prop_assert_eq!(max.filter(|value| !value.is_null()), values().max().cloned());
        prop_assert_eq!(min.filter(|value| !value.is_null()), values().min().cloned());
    }

    /// Nothing behind what any author had seen, or not named, ever holds.
    #[test]
    fn forward_only_never_goes_back(case in cases()) {
        let order = order();
        let place = |value: &Value| match value {
            Value::Enum(option) => order.iter().position(|named| named == option),
            _ => None,
        };
        let set = edits(&case, stage);
        let all: Vec<&Taken> = set.iter().collect();
        let seen = |taken: &Taken| place(&stage(case.0[taken.base.0 as usize]));
        let (winner, _) = decided(&ConflictPolicy::ForwardOnly(order.clone()), &case, stage, &all);
        match winner {
            Some(value) => {
                let at = place(&value);
                prop_assert!(at.is_some());
                prop_assert!(set.iter().all(|taken| seen(taken) <= at));
                let forward = set.iter().filter(|taken| place(&taken.edit.value) >= seen(taken));
                prop_assert!(forward.map(|taken| place(&taken.edit.value)).all(|place| place <= at));
            }
            None => prop_assert!(set.iter().all(|taken| seen(taken).is_none() && place(&taken.edit.value).is_none())),
        }
    }

    /// Each option or line is in if somebody added it, once, out if somebody removed it, and else as it was.
    #[test]
    fn a_union_and_a_note_take_what_each_side_did(case in cases()) {
        for (policy, value) in [(ConflictPolicy::Union, set as fn(i64) -> Value), (ConflictPolicy::Append, note)] {
            let list = edits(&case, value);
            let all: Vec<&Taken> = list.iter().collect();
            let lowest = list.iter().map(|taken| taken.base.0).min().unwrap_or(0);
            let base = value(case.0[lowest as usize]);
            let times = |value: &Value, part: &str| {
                let options = options(value).iter().map(String::as_str);
                options.chain(text(value).lines()).filter(|own| *own == part).count()
            };
            let (merged, _) = decided(&policy, &case, value, &all);
            let merged = merged.unwrap_or_default();
            for part in ["a", "b", "c"] {
                let (was, is) = (times(&base, part), times(&merged, part));
                prop_assert!(is <= 1, "{:?}: {}", policy, part);
                let turned = list.iter().any(|taken| times(&taken.edit.value, part) != was);
                prop_assert_eq!(is != was, turned, "{:?}: {}", policy, part);
            }
        }
    }

    /// Whom nobody contradicts needs no review; else the register holds what all had seen.
    #[test]
    fn a_review_is_asked_only_where_values_differ(case in cases()) {
        let list = edits(&case, number);
        let all: Vec<&Taken> = list.iter().collect();
        let lowest = list.iter().map(|taken| taken.base.0).min().unwrap_or(0);
        let (held, carried) = decided(&ConflictPolicy::Review(None), &case, number, &all);
        let agreed = list.iter().all(|taken| taken.edit.value == list[0].edit.value);
        prop_assert_eq!(carried, agreed);
        let wanted = if agreed { list[0].edit.value.clone() } else { number(case.0[lowest as usize]) };
        prop_assert_eq!(held, Some(wanted));
    }

    /// Where that is said of a policy.
    #[test]
    fn an_edit_without_a_rival_is_taken_as_it_is(case in cases()) {
        for (policy, value) in policies().into_iter().filter(|(policy, _)| takes_alone(policy)) {
            let one = &edits(&case, value)[..1];
            let wanted = (Some(one[0].edit.value.clone()), true);
            prop_assert_eq!(decided(&policy, &case, value, &[&one[0]]), wanted, "{:?}", policy);
        }
    }

    /// One edit without a rival follows as it is; but none goes back.
    #[test]
    fn a_single_edit_is_merged_into_itself(case in cases()) {
        let list = edits(&case, set);
        let (merged, _) = decided(&ConflictPolicy::Union, &case, set, &[&list[0]]);
        prop_assert_eq!(merged.as_ref(), Some(&list[0].edit.value));
        let list = edits(&case, note);
        let (appended, _) = decided(&ConflictPolicy::Append, &case, note, &[&list[0]]);
        prop_assert_eq!(appended.as_ref(), Some(&list[0].edit.value));
    }
}

#[test]
fn within_one_step_the_rank_decides_and_not_the_exact_time() {
    let (early, late) = (taken(0, 1_100, 1, 0, Value::Int(1)), taken(1, 1_900, 2, 0, Value::Int(2)));
    let decided = |coarse_ms| {
        let ground = Ground {
            coarse_ms,
            rank: &|system| system.0 as usize,
            as_of: &|_| Value::Null,
            shown: &|_, value| value.clone(),
            before: &|_| Vec::new(),
        };
        decide(&ConflictPolicy::Latest, &[&early, &late], &ground)
    };
    assert_eq!(decided(1_000), Verdict::Edit(&early));
    assert_eq!(decided(1), Verdict::Edit(&late));
}

#[test]
fn a_rule_that_gives_nothing_of_use_leaves_it_to_the_latest_edit() {
    let (early, late) = (taken(0, 1_000, 1, 0, Value::Int(1)), taken(1, 9_000, 2, 0, Value::Int(2)));
    let ground = Ground {
        coarse_ms: 1_000,
        rank: &|system| system.0 as usize,
        as_of: &|_| Value::Null,
        shown: &|_, value| value.clone(),
        before: &|_| Vec::new(),
    };
    let rules: [(Result<Ruling, String>, &str); 2] =
        [(Err("no such key".into()), "no such key"), (Ok(Ruling::Edit(SystemId(7))), "made no edit")];
    for (given, said) in rules {
        let rule = ConflictPolicy::Rule(Rule::new("broken", move |_, _| given.clone()));
        match decide(&rule, &[&late, &early], &ground) {
            Verdict::Failed { edit, why } => assert!(edit == &late && why.contains(said), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
