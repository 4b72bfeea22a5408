//! The reference, in other words than the engine: what people could see decides which final values are right.

use super::world::EditSet;
use crate::model::{SourceKind, SystemId, Value};
use crate::rules::{ConflictPolicy, Rules};

/// One edit by a person.
#[derive(Debug, Clone)]
pub struct Edited {
    /// On which side.
    pub side: usize,
    /// Of which field.
    pub field: usize,
    /// The time that the side exposes.
    pub time: i64,
    /// The value.
    pub value: Value,
    /// The edits of the field that its author could see.
    pub saw: EditSet,
    /// Edits elsewhere whose value its author saw anyway, because it had been there before: judged either way.
    pub may: EditSet,
}

/// Who wins a tie, and how times are compared.
pub struct Order<'a> {
    /// The policy; systems are named by their number.
    pub policy: ConflictPolicy,
    /// Who ranks before whom.
    pub rules: &'a Rules,
    /// The coarsest step.
    pub coarse: i64,
    /// Are the exposed times those of the edits?
    pub sources: &'a [SourceKind],
}

/// Systems are named by their number.
fn side_of(system: SystemId) -> usize {
    system.0 as usize - 1
}

/// The final values that are right for a field.
pub fn admissible(edits: &[(usize, &Edited)], first: &Value, order: &Order<'_>) -> Vec<Value> {
    let unsure: Vec<usize> = (0..edits.len()).filter(|at| edits[*at].1.may & !edits[*at].1.saw != 0).take(6).collect();
    // Of what its author may have seen: nothing, all of it, or what was decided for all sides alone.
    let decisions = edits.iter().filter(|(_, edit)| edit.side >= order.sources.len());
    let decisions: EditSet = decisions.fold(0, |set, (id, _)| set | (1 << id));
    let ways: usize = if decisions == 0 { 2 } else { 3 };
    let mut right = Vec::new();
    for choice in 0..ways.pow(unsure.len() as u32) {
        let mut owned: Vec<(usize, Edited)> = edits.iter().map(|(id, edit)| (*id, (*edit).clone())).collect();
        for (digit, at) in unsure.iter().enumerate() {
            let edit = &mut owned[*at].1;
            edit.saw |= match choice / ways.pow(digit as u32) % ways {
                0 => 0,
                1 => edit.may,
                _ => edit.may & decisions,
            };
        }
        // What people of a side have seen, those of later edits have.
        for at in 1..owned.len() {
            let earlier = owned[..at].iter().filter(|(_, edit)| edit.side == owned[at].1.side);
            owned[at].1.saw |= earlier.fold(0, |set, (_, edit)| set | edit.saw) & !(1 << owned[at].0);
        }
        let view: Vec<(usize, &Edited)> = owned.iter().map(|(id, edit)| (*id, edit)).collect();
        right.extend(surely_admissible(&view, first, order).iter().map(|value| judged(&order.policy, value)));
    }
    right.sort();
    right.dedup();
    right
}

/// A value as it is judged: in which order lines were appended that nobody had seen together is not asked here.
pub fn judged(policy: &ConflictPolicy, value: &Value) -> Value {
    match policy {
        ConflictPolicy::Append => parted(Value::set(parts(value))),
        _ => value.clone(),
    }
}

/// What a value consists of that is decided by itself: the options of a set, the lines of a text.
fn parts(value: &Value) -> Vec<String> {
    match value {
        Value::Set(options) => options.clone(),
        Value::Text(lines) => lines.lines().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A text of these lines.
fn parted(set: Value) -> Value {
    match set {
        Value::Set(lines) => Value::Text(lines.join("\n").into()),
        blank => blank,
    }
}

/// Whoever had seen a decision has what it prevails over behind him, as if he had seen that, too.
fn behind_decisions(edits: &[(usize, &Edited)], operator: usize) -> Vec<(usize, Edited)> {
    let mut owned: Vec<(usize, Edited)> = edits.iter().map(|(id, edit)| (*id, (*edit).clone())).collect();
    for (decision, _) in edits.iter().filter(|(_, edit)| edit.side == operator) {
        // Also by having seen what somebody entered who had.
        let saw = edits.iter().fold(1 << decision, |saw: EditSet, (id, edit)| match edit.saw & saw {
            0 => saw,
            _ => saw | (1 << id),
        });
        let sees = |own: EditSet| own & saw != 0;
        let others = edits.iter().filter(|(id, edit)| id != decision && !sees(edit.saw));
        let beaten = others.fold(0, |set: EditSet, (id, _)| set | (1 << id));
        for (id, edit) in owned.iter_mut().filter(|(_, edit)| sees(edit.saw)) {
            edit.saw |= beaten & !(1 << *id);
        }
    }
    owned
}

fn surely_admissible(edits: &[(usize, &Edited)], first: &Value, order: &Order<'_>) -> Vec<Value> {
    // Whoever operates stands behind the systems, and outranks what he has not seen; who takes back stands behind him, and yields to
    // all that he has not seen.
    let (operator, undoer) = (order.sources.len(), order.sources.len() + 1);
    let owned = behind_decisions(edits, operator);
    let edits: &[(usize, &Edited)] = &owned.iter().map(|(id, edit)| (*id, edit)).collect::<Vec<_>>();
    if let ConflictPolicy::Owns(owner) = &order.policy {
        // Others' edits count for nothing.
        let owner = side_of(*owner);
        let counts = |edit: &Edited| edit.side == owner || edit.side >= operator;
        let unseen = |id: usize| edits.iter().all(|(_, other)| !counts(other) || other.saw & (1 << id) == 0);
        let open = edits.iter().filter(|(id, edit)| counts(edit) && unseen(*id));
        let last = open.max_by_key(|(id, edit)| ([undoer, owner, operator].iter().position(|s| *s == edit.side), *id));
        return vec![last.map_or(first.clone(), |(_, edit)| edit.value.clone())];
    }
    // A ratchet: of all that was ever entered, the furthest, whoever saw what. What its own side took back may have been gone
    // before anybody read it.
    if let ConflictPolicy::ForwardOnly(stages) = &order.policy {
        let taken_back = |id: usize, edit: &Edited| edits.iter().any(|(o, other)| *o > id && other.side == edit.side);
        let place = |value: &Value| stages.iter().position(|stage| *value == Value::Enum(stage.as_str().into()));
        let sure = edits.iter().filter(|(id, edit)| !taken_back(*id, edit)).filter_map(|(_, edit)| place(&edit.value));
        let least = sure.chain(place(first)).max();
        let further = edits.iter().filter(|(_, edit)| place(&edit.value) > least).map(|(_, edit)| edit.value.clone());
        let least = least.map_or(first.clone(), |at| Value::Enum(stages[at].as_str().into()));
        return further.chain([least]).collect();
    }
    // Not seen by any later edit.
    let mut open: Vec<&(usize, &Edited)> =
        edits.iter().filter(|(id, _)| edits.iter().all(|(_, other)| other.saw & (1 << id) == 0)).collect();
    if open.iter().any(|(_, edit)| edit.side != undoer) {
        open.retain(|(_, edit)| edit.side != undoer);
    } else if let Some((_, edit)) = open.last() {
        return vec![edit.value.clone()];
    }
    if open.is_empty() {
        return vec![first.clone()];
    }
    if let Some((_, edit)) = open.iter().rev().find(|(_, edit)| edit.side == operator) {
        return vec![edit.value.clone()];
    }
    let numbers = || open.iter().map(|(_, edit)| &edit.value);
    let outermost = match order.policy {
        ConflictPolicy::Max => numbers().max(),
        ConflictPolicy::Min => numbers().min(),
        _ => None,
    };
    if let Some(value) = outermost.filter(|_| order.sources.len() == 2) {
        return vec![value.clone()];
    }
    if matches!(order.policy, ConflictPolicy::Union | ConflictPolicy::Append) {
        return unions(edits, &open, first, order);
    }
    if let ConflictPolicy::Prefer(system) = &order.policy {
        let preferred = side_of(*system);
        if let Some((_, edit)) = open.iter().find(|(_, edit)| edit.side == preferred)
            && order.sources.len() == 2
        {
            return vec![edit.value.clone()];
        }
    }
    let exact = order.sources.iter().all(|source| *source != SourceKind::Polled);
    if exact && order.sources.len() == 2 {
        let key = |edit: &Edited| {
            let floor = edit.time.div_euclid(order.coarse);
            (floor, std::cmp::Reverse(order.rules.rank(SystemId(edit.side as u32 + 1))), edit.time)
        };
        let winner = open.iter().max_by_key(|(_, edit)| key(edit));
        return winner.map(|(_, edit)| edit.value.clone()).into_iter().collect();
    }
    open.iter().map(|(_, edit)| edit.value.clone()).collect()
}

/// What sets can be right, or texts of lines: an option on which all agree is as they have it. One on which they differ has been turned by
/// somebody, so it is not what it was when they last knew the same; where several moments may be meant by that, or what was
/// there is not sure, either.
fn unions(edits: &[(usize, &Edited)], open: &[&(usize, &Edited)], first: &Value, order: &Order<'_>) -> Vec<Value> {
    let common = open.iter().fold(u64::MAX, |seen, (id, edit)| seen & (edit.saw | (1 << id)));
    let known: Vec<(usize, &Edited)> = edits.iter().filter(|(id, _)| common & (1 << id) != 0).copied().collect();
    let mut moments = vec![first.clone()];
    if open.len() > 1 {
        moments.extend(surely_admissible(&known, first, order));
        // What one side alone had entered, the other learned of only with more.
        moments.extend(known.iter().map(|(_, edit)| edit.value.clone()));
        // And where all entered the same by chance, they had that in common.
        let sides = 0..order.sources.len();
        let by = |side: usize, value: &Value| edits.iter().any(|(_, edit)| edit.side == side && edit.value == *value);
        let shared =
            edits.iter().map(|(_, edit)| &edit.value).filter(|value| sides.clone().all(|side| by(side, value)));
        moments.extend(shared.cloned());
    }
    let mut all: Vec<String> = open.iter().flat_map(|(_, edit)| parts(&edit.value)).collect();
    all.extend(moments.iter().flat_map(parts));
    all.sort();
    all.dedup();
    let mut right: Vec<Vec<String>> = vec![Vec::new()];
    for option in all {
        let has = |value: &Value| parts(value).contains(&option);
        let count = open.iter().filter(|(_, edit)| has(&edit.value)).count();
        let sure = match count {
            n if n == open.len() => Some(true),
            0 => Some(false),
            _ if order.sources.len() > 2 => None,
            _ if moments.iter().all(has) => Some(false),
            _ if !moments.iter().any(has) => Some(true),
            _ => None,
        };
        let with = right.iter().cloned().map(|mut set| {
            set.push(option.clone());
            set
        });
        right = match sure {
            Some(true) => with.collect(),
            Some(false) => right,
            None => with.collect::<Vec<_>>().into_iter().chain(right).collect(),
        };
    }
    let whole = |set: Vec<String>| match order.policy {
        ConflictPolicy::Append => parted(Value::set(set)),
        _ => Value::set(set),
    };
    right.into_iter().map(whole).collect()
}
