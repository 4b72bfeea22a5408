//! Writing in batches such that one bad record holds back no other.

use super::client::{Client, Failure, outcome_of};
use super::transport::{Answer, Request};
use super::{Outcome, RemoteId, Target, WriteAnswer, WriteItem};
use crate::model::OpId;
use std::collections::{BTreeSet, VecDeque};

/// What a whole answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whole {
    /// Something about each record.
    Each(Vec<Outcome>),
    /// Nothing was written because of some of the records: find them by halves.
    Halves,
}

/// Writes all items; `request` makes one call, `whole` reads its answer. With `nameless` nothing can be sent at all.
pub(crate) async fn write(
    client: &Client,
    items: &[WriteItem],
    size_max: usize,
    nameless: Option<String>,
    request: impl Fn(&[&WriteItem]) -> Request + Send,
    whole: fn(&[&WriteItem], &Answer) -> Whole,
) -> WriteAnswer {
    if let Some(message) = nameless {
        let refused = Outcome::Refused { code: "INVALID_NAME".to_owned(), message, properties: Vec::new() };
        return WriteAnswer { outcomes: vec![refused; items.len()], timing: client.timing() };
    }
    let mut outcomes = vec![Outcome::Unknown; items.len()];
    let mut timing = None;
    let mut work = groups(items, size_max);
    while let Some(group) = work.pop_front() {
        let batch: Vec<&WriteItem> = group.iter().map(|index| &items[*index]).collect();
        match client.write(request(&batch)).await {
            Ok(reply) => {
                timing.get_or_insert(reply.timing);
                match whole(&batch, &reply.answer) {
                    Whole::Halves if group.len() > 1 => {
                        let (left, right) = group.split_at(group.len() / 2);
                        work.push_front(right.to_vec());
                        work.push_front(left.to_vec());
                    }
                    Whole::Halves => {}
                    Whole::Each(each) => group.into_iter().zip(each).for_each(|(index, each)| outcomes[index] = each),
                }
            }
            Err(failure) => {
                if let Failure::Unknown(sent) = &failure {
                    timing.get_or_insert(*sent);
                }
                let outcome = outcome_of(&failure);
                // Those that never left are certainly not applied.
                let unsent = match &outcome {
                    Outcome::Unknown => Outcome::Retry { code: "NOT_SENT".to_owned(), after_ms: 1_000 },
                    other => other.clone(),
                };
                work.drain(..).flatten().for_each(|index| outcomes[index] = unsent.clone());
                group.into_iter().for_each(|index| outcomes[index] = outcome.clone());
            }
        }
    }
    WriteAnswer { outcomes, timing: timing.unwrap_or_else(|| client.timing()) }
}

/// Deletes as writes of nothing, so that they go in the same batches.
pub(crate) fn deletes(ids: &[RemoteId]) -> Vec<WriteItem> {
    let item = |id: &RemoteId| WriteItem { op: OpId(0), target: Target::Update(id.clone()), fields: Vec::new() };
    ids.iter().map(item).collect()
}

/// What is said of a record that was written and is known by its id.
pub(crate) fn done(item: &WriteItem) -> Outcome {
    match &item.target {
        Target::Update(remote) => Outcome::Done { remote: remote.clone(), created: None },
        Target::Create { .. } => Outcome::Unknown,
    }
}

/// Calls that writing all items takes. With `halves` a batch with a bad record is refused as a whole.
pub(crate) fn calls(items: &[WriteItem], size_max: usize, refused: &[bool], halves: bool) -> u64 {
    let bad = |index: &usize| halves && refused.get(*index).copied().unwrap_or(false);
    groups(items, size_max).iter().map(|group| halved(&group.iter().map(bad).collect::<Vec<_>>())).sum()
}

fn halved(bad: &[bool]) -> u64 {
    if bad.len() < 2 || !bad.contains(&true) {
        return 1;
    }
    let (left, right) = bad.split_at(bad.len() / 2);
    1 + halved(left) + halved(right)
}

/// Batches of one kind in which no record comes twice, which both systems refuse.
fn groups(items: &[WriteItem], size_max: usize) -> VecDeque<Vec<usize>> {
    struct Group<'a> {
        property: Option<&'a str>,
        keys: BTreeSet<&'a str>,
        items: Vec<usize>,
    }
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let (property, key) = match &item.target {
            Target::Update(id) => (None, id.as_str()),
            Target::Create { property, value } => (Some(property.as_str()), value.as_str()),
        };
        let has_room = |group: &&mut Group<'_>| {
            group.property == property && group.items.len() < size_max && !group.keys.contains(key)
        };
        match groups.iter_mut().find(has_room) {
            Some(group) => {
                group.keys.insert(key);
                group.items.push(index);
            }
            None => groups.push(Group { property, keys: BTreeSet::from([key]), items: vec![index] }),
        }
    }
    groups.into_iter().map(|group| group.items).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(op: u64, id: &str) -> WriteItem {
        WriteItem { op: OpId(op), target: Target::Update(RemoteId::parse(id).unwrap()), fields: Vec::new() }
    }

    #[test]
    fn no_record_comes_twice_in_a_batch_and_kinds_are_not_mixed() {
        let target = Target::Create { property: "k".into(), value: "501".into() };
        let create = WriteItem { op: OpId(9), target, fields: Vec::new() };
        let items = [update(1, "501"), update(2, "501"), update(3, "502"), create];
        assert_eq!(groups(&items, 100), [vec![0, 2], vec![1], vec![3]]);
        let many: Vec<_> = (1..=250).map(|n| update(n, &n.to_string())).collect();
        assert_eq!(groups(&many, 100).iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
        let mut bad = vec![false; 250];
        bad[249] = true;
        assert_eq!(calls(&many, 100, &bad, false), 3);
        // The last batch, and its right halves down to the bad one, each with a left half that is good.
        assert_eq!(calls(&many, 100, &bad, true), 2 + 1 + 2 * 6);
    }
}
