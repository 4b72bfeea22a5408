//! The histories of several properties as one: what they showed together, and from when on.

use crate::model::{Mark, Millis, PastValue, Raw};

/// What some properties showed together from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// From then on, by the remote's clock.
    pub at: Millis,
    /// Whose write it was.
    pub mark: Mark,
    /// The remote user or source.
    pub who: Option<String>,
    /// One for each property.
    pub raws: Vec<Raw>,
}

/// The parts of one write may be dated this far apart, in milliseconds.
const HAIR_MS: i64 = 100;

/// One history of several, oldest first. `histories` are those of the properties, newest first, and `now` is what each shows.
///
/// What one hand changed at the same time is one edit. The parts of a write may differ by a hair all the same; then it counts
/// from the last of them on, for what stood there in between nobody had meant: with our mark it would be taken for a write
/// that we do not know, or for what the system made of ours. A property that changes again begins a new edit.
pub(super) fn timeline(histories: &[Vec<PastValue>], now: &[Raw]) -> Vec<Moment> {
    let mut entries: Vec<(usize, usize, &PastValue)> = Vec::new();
    for (property, history) in histories.iter().enumerate() {
        let (mut at, mut nth) = (Millis::MIN, 0);
        for past in history.iter().rev() {
            nth = if past.at == at { nth + 1 } else { 0 };
            at = past.at;
            entries.push((property, nth, past));
        }
    }
    // Where ours and another's are of the same time, ours is seen first: it says what it carried, and the end is the same.
    let others = |mark: Mark| mark != Mark::Ours;
    entries.sort_by_key(|(property, nth, past)| (past.at, *nth, others(past.mark), *property));
    // Before its first entry a property was blank; without any it has always been what it is.
    let first = |(property, history): (usize, &Vec<PastValue>)| match history.is_empty() {
        true => now.get(property).cloned().unwrap_or(Raw::Absent),
        false => Raw::Null,
    };
    let mut raws: Vec<Raw> = histories.iter().enumerate().map(first).collect();
    let mut moments: Vec<Moment> = Vec::new();
    let mut open: Option<(&PastValue, Vec<usize>)> = None;
    for (property, _, past) in entries {
        raws[property] = past.value.clone();
        let joins = open.as_ref().is_some_and(|(begun, changed)| {
            let same = (begun.mark, &begun.who) == (past.mark, &past.who) && !changed.contains(&property);
            same && past.at.0 - begun.at.0 <= HAIR_MS
        });
        match (&mut open, moments.last_mut().filter(|_| joins)) {
            (Some((_, changed)), Some(moment)) => {
                changed.push(property);
                (moment.at, moment.raws) = (past.at, raws.clone());
            }
            _ => {
                open = Some((past, vec![property]));
                let who = past.who.clone();
                moments.push(Moment { at: past.at, mark: past.mark, who, raws: raws.clone() });
            }
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn past((at, value, mark): (i64, &str, Mark)) -> PastValue {
        PastValue { value: Raw::Text(value.into()), at: Millis(at), mark, who: None }
    }

    /// Histories are given oldest first, as they happen; moments are told as (time, ours?, texts).
    fn told(histories: &[&[(i64, &str, Mark)]], now: &[&str]) -> Vec<(i64, bool, String)> {
        let histories: Vec<Vec<PastValue>> =
            histories.iter().map(|history| history.iter().rev().copied().map(past).collect()).collect();
        let now: Vec<Raw> = now.iter().map(|text| Raw::Text((*text).into())).collect();
        let text = |raw: &Raw| match raw {
            Raw::Text(text) => text.as_str().to_owned(),
            _ => "-".to_owned(),
        };
        let all = |moment: Moment| {
            let texts: Vec<String> = moment.raws.iter().map(text).collect();
            (moment.at.0, moment.mark == Mark::Ours, texts.join(" "))
        };
        timeline(&histories, &now).into_iter().map(all).collect()
    }

    const OURS: Mark = Mark::Ours;
    const THEIRS: Mark = Mark::Theirs;

    #[test]
    fn what_changed_together_is_one_edit() {
        let street: &[_] = &[(10, "s1", THEIRS), (5_000, "s2", THEIRS), (9_000, "s3", OURS)];
        let zip: &[_] = &[(10, "z1", THEIRS), (7_000, "z2", THEIRS), (9_003, "z3", OURS)];
        let wanted = [
            (10, false, "s1 z1".to_owned()),
            (5_000, false, "s2 z1".to_owned()),
            (7_000, false, "s2 z2".to_owned()),
            (9_003, true, "s3 z3".to_owned()),
        ];
        assert_eq!(told(&[street, zip], &["s3", "z3"]), wanted);
    }

    #[test]
    fn two_hands_at_the_same_time_are_two_edits_and_ours_is_told_first() {
        let wanted = [(7, true, "- z1".to_owned()), (7, false, "s1 z1".to_owned())];
        assert_eq!(told(&[&[(7, "s1", THEIRS)], &[(7, "z1", OURS)]], &["s1", "z1"]), wanted);
    }

    #[test]
    fn a_property_that_changes_again_begins_a_new_edit() {
        let wanted = [(7, false, "a -".to_owned()), (8, false, "b z".to_owned())];
        assert_eq!(told(&[&[(7, "a", THEIRS), (7, "b", THEIRS)], &[(8, "z", THEIRS)]], &["b", "z"]), wanted);
    }

    #[test]
    fn a_property_without_a_history_has_always_been_as_it_is() {
        assert_eq!(told(&[&[(7, "s", THEIRS)], &[]], &["s", "z"]), [(7, false, "s z".to_owned())]);
    }

    proptest! {
        /// One property's history is told as it is, entry by entry.
        #[test]
        fn one_history_stays_as_it_is(entries in prop::collection::vec((0i64..300, "[ab]", any::<bool>()), 0..6)) {
            let mut entries = entries;
            entries.sort_by_key(|(at, ..)| *at);
            let marked = |ours: bool| if ours { OURS } else { THEIRS };
            let history: Vec<(i64, &str, Mark)> =
                entries.iter().map(|(at, value, ours)| (*at, value.as_str(), marked(*ours))).collect();
            let wanted: Vec<(i64, bool, String)> =
                entries.iter().map(|(at, value, ours)| (*at, *ours, value.clone())).collect();
            prop_assert_eq!(told(&[&history], &["x"]), wanted);
        }

        /// The last moment is what the properties show.
        #[test]
        fn the_last_moment_is_now(entries in prop::collection::vec((0usize..3, 0i64..500, "[a-d]", any::<bool>()), 1..9)) {
            let mut entries = entries;
            entries.sort_by_key(|(_, at, ..)| *at);
            let mut histories: [Vec<(i64, &str, Mark)>; 3] = Default::default();
            for (property, at, value, ours) in &entries {
                histories[*property].push((*at, value, if *ours { OURS } else { THEIRS }));
            }
            let now: Vec<&str> = histories.iter().map(|history| history.last().map_or("x", |last| last.1)).collect();
            let moments = told(&[&histories[0], &histories[1], &histories[2]], &now);
            prop_assert_eq!(moments.last().map(|last| last.2.clone()), Some(now.join(" ")));
            prop_assert!(moments.is_sorted_by_key(|(at, ..)| *at));
        }
    }
}
