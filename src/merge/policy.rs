//! Conflict policies: pure functions of the set of concurrent edits, and of what the register had shown to their authors. The
//! order of arrival is no argument.

use super::{Taken, Turn};
use crate::model::{Millis, SystemId, Value};
use crate::rules::{ConflictPolicy, Rule, RuleEdit, Ruling};
use std::cmp::Ordering;

mod append;
#[cfg(test)]
mod tests;

/// What a policy says about a set of edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// This edit's value holds.
    Edit(&'a Taken),
    /// The register's value stays; the others are written back.
    Register,
    /// This value holds, whether an edit carries it or not.
    Value(Value),
    /// This value holds, and every edit has its part in it: none is lost.
    Merged(Value),
    /// A person decides: the sides keep what they show, and the register this value, which all authors had seen.
    Review(Value),
    /// The rule of one's own gave nothing of use: this edit's value holds, as under `latest`.
    Failed {
        /// The edit.
        edit: &'a Taken,
        /// What went wrong, in words without values.
        why: String,
    },
}

/// What there is to know beside the edits.
#[derive(Clone, Copy)]
pub struct Ground<'g> {
    /// The coarsest resolution of the entity's systems, in milliseconds.
    pub coarse_ms: i64,
    /// A system's place in the ranking, 0 = highest.
    pub rank: &'g dyn Fn(SystemId) -> usize,
    /// The register's value as of a turn; asked only under three-way policies.
    pub as_of: &'g dyn Fn(Turn) -> Value,
    /// What a system shows of a value.
    pub shown: &'g dyn Fn(SystemId, &Value) -> Value,
    /// What the people of an edit's side had entered since its base, and before it.
    pub before: &'g dyn Fn(&Taken) -> Vec<Value>,
}

/// The total order of edits of different systems: (time floored to the coarsest resolution, rank, exact time, position,
/// turn). Overlapping intervals are *not* a tie: that relation is not transitive.
pub fn order_key(taken: &Taken, coarse_ms: i64, rank: usize) -> (Millis, std::cmp::Reverse<usize>, Millis, u64, u32) {
    let time = taken.edit.place.time;
    let position = taken.edit.place.position.unwrap_or(0);
    (time.floor(coarse_ms), std::cmp::Reverse(rank), time, position, taken.turn.0)
}

impl Ground<'_> {
    fn key(&self, taken: &Taken) -> (Millis, std::cmp::Reverse<usize>, Millis, u64, u32) {
        order_key(taken, self.coarse_ms, (self.rank)(taken.system))
    }

    /// The newest of these edits.
    pub fn latest<'a>(&self, edits: impl IntoIterator<Item = &'a Taken>) -> Option<&'a Taken> {
        edits.into_iter().max_by_key(|taken| self.key(taken))
    }

    /// The register's value at the lowest base of a set: what all its authors had seen.
    fn base(&self, set: &[&Taken]) -> Value {
        let lowest = set.iter().map(|taken| taken.base).min().unwrap_or_default();
        (self.as_of)(lowest)
    }
}

/// Decides over a set that is not empty.
pub fn decide<'a>(policy: &ConflictPolicy, set: &[&'a Taken], ground: &Ground<'_>) -> Verdict<'a> {
    let latest = |keep: &dyn Fn(&Taken) -> bool| ground.latest(set.iter().copied().filter(|taken| keep(taken)));
    let any = || latest(&|_| true);
    let filled = |taken: &Taken| !taken.edit.value.is_null();
    match policy {
        ConflictPolicy::Latest => any(),
        ConflictPolicy::Prefer(system) => latest(&|taken| taken.system == *system).or_else(any),
        ConflictPolicy::PreferUnlessBlank(system) => latest(&|taken| taken.system == *system && filled(taken))
            .or_else(|| latest(&|taken| taken.system != *system))
            .or_else(any),
        ConflictPolicy::BlankNeverWins => latest(&filled).or_else(any),
        ConflictPolicy::Max => outermost(set, ground, Ordering::Greater),
        ConflictPolicy::Min => outermost(set, ground, Ordering::Less),
        ConflictPolicy::Owns(system) | ConflictPolicy::OneWay { from: system, .. } => {
            latest(&|taken| taken.system == *system)
        }
        ConflictPolicy::ForwardOnly(order) => return furthest(order, set, ground),
        ConflictPolicy::Union => return Verdict::Merged(union(set, ground)),
        ConflictPolicy::Append => return appended(set, ground),
        ConflictPolicy::Rule(rule) => return ruling(rule, set, ground),
        ConflictPolicy::Review(_) => match any() {
            Some(latest) if set.iter().any(|taken| taken.edit.value != latest.edit.value) => {
                return Verdict::Review(ground.base(set));
            }
            latest => latest,
        },
    }
    .map_or(Verdict::Register, Verdict::Edit)
}

/// Is an edit without a rival taken as it is, whatever it says? Then [`decide`] says so of a set of one.
pub(super) fn takes_alone(policy: &ConflictPolicy) -> bool {
    !matches!(
        policy,
        ConflictPolicy::Owns(_)
            | ConflictPolicy::OneWay { .. }
            | ConflictPolicy::ForwardOnly(_)
            | ConflictPolicy::Union
    )
}

/// The largest value, or the smallest that is not blank; of equal ones the latest edit.
fn outermost<'a>(set: &[&'a Taken], ground: &Ground<'_>, wanted: Ordering) -> Option<&'a Taken> {
    let filled = || set.iter().copied().filter(|taken| !taken.edit.value.is_null());
    let beats = |value: &Value| filled().any(|other| other.edit.value.cmp(value) == wanted);
    let best = ground.latest(filled().filter(|taken| !beats(&taken.edit.value)));
    best.or_else(|| ground.latest(set.iter().copied()))
}

/// What stands furthest along an order. An edit that goes back, or is not named, stands for what its author had seen.
fn furthest<'a>(order: &[String], set: &[&'a Taken], ground: &Ground<'_>) -> Verdict<'a> {
    let place = |value: &Value| match value {
        Value::Enum(option) => order.iter().position(|named| named == option),
        _ => None,
    };
    let counts = |taken: &Taken| {
        let base = (ground.as_of)(taken.base);
        let shown = (ground.shown)(taken.system, &base);
        let own = (ground.before)(taken);
        let seen = own.iter().filter_map(place).chain(place(&base)).max();
        let value = &taken.edit.value;
        // Who saves what he saw changes nothing, even where his system has one word for several options.
        let new = place(value).filter(|at| *value != shown && Some(*at) >= place(&shown));
        new.max(seen)
    };
    let Some(best) = set.iter().filter_map(|taken| counts(taken)).max() else { return Verdict::Register };
    let carried = set.iter().copied().filter(|taken| place(&taken.edit.value) == Some(best));
    match ground.latest(carried) {
        Some(edit) => Verdict::Edit(edit),
        None => order.get(best).map_or(Verdict::Register, |option| Verdict::Value(Value::Enum(option.as_str().into()))),
    }
}

/// Three ways: compared with what all authors had seen, what any added is in, and what any removed is out.
fn union(set: &[&Taken], ground: &Ground<'_>) -> Value {
    let base = ground.base(set);
    let mut options: Vec<String> = options(&base).to_vec();
    let mut added = Vec::new();
    for taken in set {
        let shown = (ground.shown)(taken.system, &base);
        let (before, now) = (self::options(&shown), self::options(&taken.edit.value));
        options.retain(|option| now.contains(option) || !before.contains(option));
        added.extend(now.iter().filter(|option| !before.contains(option)).cloned());
    }
    options.extend(added);
    Value::set(options)
}

/// Where authors made different texts, what each of them added and took out.
fn appended<'a>(set: &[&'a Taken], ground: &Ground<'_>) -> Verdict<'a> {
    let ordered = in_order(set, ground);
    let Some(latest) = ordered.last().copied() else { return Verdict::Register };
    if ordered.iter().all(|taken| taken.edit.value == latest.edit.value) {
        return Verdict::Edit(latest);
    }
    let base = ground.base(set);
    let shown: Vec<Value> = ordered.iter().map(|taken| (ground.shown)(taken.system, &base)).collect();
    let changes = ordered
        .iter()
        .zip(&shown)
        .map(|(taken, shown)| append::Change { shown: text(shown), left: text(&taken.edit.value) });
    let all = append::append(text(&base), &changes.collect::<Vec<_>>());
    Verdict::Merged(if all.is_empty() { Value::Null } else { Value::Text(all.into()) })
}

fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

fn options(value: &Value) -> &[String] {
    match value {
        Value::Set(options) => options,
        _ => &[],
    }
}

/// The edits of a set by their total order.
fn in_order<'a>(set: &[&'a Taken], ground: &Ground<'_>) -> Vec<&'a Taken> {
    let mut ordered = set.to_vec();
    ordered.sort_by_key(|taken| ground.key(taken));
    ordered
}

/// Asks a rule of one's own, where there is something to be decided.
fn ruling<'a>(rule: &Rule, set: &[&'a Taken], ground: &Ground<'_>) -> Verdict<'a> {
    let ordered = in_order(set, ground);
    let Some(latest) = ordered.last().copied() else { return Verdict::Register };
    if ordered.iter().all(|taken| taken.edit.value == latest.edit.value) {
        return Verdict::Edit(latest);
    }
    let edits = ordered.iter().map(|taken| {
        let (value, time) = (&taken.edit.value, taken.edit.place.time);
        RuleEdit { system: taken.system, value, time }
    });
    let failed = |why: String| Verdict::Failed { edit: latest, why };
    match rule.decide(&ground.base(set), &edits.collect::<Vec<_>>()) {
        Ok(Ruling::Edit(system)) => match ordered.iter().find(|taken| taken.system == system) {
            Some(edit) => Verdict::Edit(edit),
            None => failed("it names a system that made no edit".into()),
        },
        Ok(Ruling::Value(value)) => Verdict::Value(value),
        Err(why) => failed(why),
    }
}

/// The policy's name, as the journal and `explain` show it.
pub fn name(policy: &ConflictPolicy, system_name: &dyn Fn(SystemId) -> String) -> String {
    match policy {
        ConflictPolicy::Latest => "latest".into(),
        ConflictPolicy::Prefer(system) => format!("prefer {}", system_name(*system)),
        ConflictPolicy::Owns(system) => format!("{} owns", system_name(*system)),
        ConflictPolicy::OneWay { from, .. } => format!("one way from {}", system_name(*from)),
        ConflictPolicy::PreferUnlessBlank(system) => format!("prefer {} unless blank", system_name(*system)),
        ConflictPolicy::BlankNeverWins => "blank never wins".into(),
        ConflictPolicy::Max => "max".into(),
        ConflictPolicy::Min => "min".into(),
        ConflictPolicy::ForwardOnly(order) => format!("forward only {}", order.join(", ")),
        ConflictPolicy::Union => "union".into(),
        ConflictPolicy::Append => "append".into(),
        ConflictPolicy::Rule(rule) => format!("rule {}", rule.text),
        ConflictPolicy::Review(None) => "review".into(),
        ConflictPolicy::Review(Some(lapse)) => {
            let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
            let (unit, ms) = units.into_iter().find(|(_, ms)| lapse.after_ms % ms == 0).unwrap_or(("ms", 1));
            format!("review, after {}{unit} {}", lapse.after_ms / ms, name(&lapse.then, system_name))
        }
    }
}
