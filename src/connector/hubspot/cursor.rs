//! Paging through the search index by last-modified time.
//!
//! Two things make this hard. A page at an offset loses a row whenever a row before it is edited meanwhile and moves to the
//! end. And the index lags: a hit was *placed* by an older time than the one it shows, so the newest time of a page need not
//! be where the page ended. So a pass goes on from the newest time that is old enough to be the one in the index, and pages
//! by offset only through what is younger, which the next pass reads again anyway.

use super::super::overlap::Kept;
use crate::model::Millis;
use serde::{Deserialize, Serialize};

/// Where a listing of changes stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The last finished pass.
    pub kept: Kept,
    /// The pass under way.
    pub run: Option<Run>,
    /// Passes over all records, for what moves no modified time; none = before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<AllPass>,
}

/// Where passes over all records stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AllPass {
    /// When the last one began, by the remote's clock.
    pub begun: i64,
    /// It is under way: where it goes on; blank = at the beginning.
    pub after: Option<String>,
}

/// A pass under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What is kept when it is done.
    pub next: Kept,
    /// Everything before this time has been delivered.
    pub since: i64,
    /// Where to go on.
    pub place: Place,
    /// Ids at `since` that have been delivered.
    edge: Vec<String>,
    /// How often the ceiling was met without getting on.
    stuck: u8,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    /// At this offset of the rows modified at or after `since`.
    Offset(u32),
    /// Behind this id among the rows modified exactly at `since`.
    Tie(u64),
}

impl Run {
    pub fn new(since: Millis, next: Kept) -> Self {
        Self { next, since: since.0, place: Place::Offset(0), edge: Vec::new(), stuck: 0 }
    }

    /// Was this row part of an earlier page?
    pub fn delivered(&self, id: &str, modified: Millis) -> bool {
        self.place == Place::Offset(0) && modified.0 == self.since && self.edge.iter().any(|known| known == id)
    }

    /// Goes on behind a page with these rows; none = the pass is complete. `after` is the offset that the answer names,
    /// `settled` the time before which the index shows what the rows show.
    pub fn advance(mut self, rows: &[(String, Millis)], after: Option<u32>, settled: Millis) -> Option<Self> {
        if let Place::Tie(last) = self.place {
            let newest = rows.iter().filter_map(|(id, _)| id.parse::<u64>().ok()).max();
            match (after, newest) {
                (Some(_), Some(newest)) if newest > last => self.place = Place::Tie(newest),
                _ => self.move_to(self.since.saturating_add(1), Vec::new()),
            }
            return Some(self);
        }
        let after = after?;
        let settled = if self.stuck < STUCK_MAX { settled.0 } else { i64::MAX };
        let sure = rows.iter().map(|(_, at)| at.0).filter(|at| (self.since..settled).contains(at)).max();
        match sure {
            Some(newest) if newest > self.since => {
                let edge = rows.iter().filter(|(_, at)| at.0 == newest).map(|(id, _)| id.clone()).collect();
                self.stuck = 0;
                self.move_to(newest, edge);
            }
            // A bulk import gives thousands of rows one time.
            Some(_) if rows.iter().all(|(_, at)| at.0 <= self.since) => self.place = Place::Tie(0),
            _ if after.saturating_add(super::wire::SEARCH_PAGE) > super::wire::SEARCH_CEILING => {
                // More than can be reached, all of it young: from the beginning, by when it will have aged.
                self.stuck = self.stuck.saturating_add(1);
                self.place = Place::Offset(0);
                self.edge.clear();
            }
            _ => self.place = Place::Offset(after),
        }
        Some(self)
    }

    fn move_to(&mut self, since: i64, edge: Vec<String>) {
        self.since = since;
        self.edge = edge;
        self.place = Place::Offset(0);
    }
}

/// After so many vain rounds the rows' own times are trusted, whatever the clocks say.
const STUCK_MAX: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A search index: rows as (time in the index, time shown, id).
    fn pass(index: &[(i64, i64, u64)], since: i64, settled: i64, limit: usize) -> (Vec<u64>, usize) {
        let mut run = Run::new(Millis(since), Kept { pass: 0, far: 0 });
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let mut hits: Vec<_> = index.to_vec();
            let skip = match run.place {
                Place::Offset(offset) => {
                    hits.retain(|(placed, _, _)| *placed >= run.since);
                    hits.sort();
                    offset as usize
                }
                Place::Tie(last) => {
                    hits.retain(|(placed, _, id)| *placed == run.since && *id > last);
                    hits.sort_by_key(|(_, _, id)| *id);
                    0
                }
            };
            let page: Vec<_> = hits.iter().skip(skip).take(limit).collect();
            let rows: Vec<_> = page.iter().map(|(_, shown, id)| (id.to_string(), Millis(*shown))).collect();
            seen.extend(
                page.iter().filter(|(_, at, id)| !run.delivered(&id.to_string(), Millis(*at))).map(|row| row.2),
            );
            let after = (skip + limit < hits.len()).then_some((skip + limit) as u32);
            pages += 1;
            assert!(pages < 10_000, "endless");
            match run.advance(&rows, after, Millis(settled)) {
                Some(next) => run = next,
                None => return (seen, pages),
            }
        }
    }

    proptest! {
        #[test]
        fn a_pass_sees_every_row_and_ends(
            rows in proptest::collection::vec((1i64..40, 0i64..3), 0..80),
            young in proptest::collection::vec(0i64..1000, 0..20),
            limit in 1usize..7,
        ) {
            // Old rows stand in the index with the time they show; young ones were placed anywhere before it.
            let mut index: Vec<(i64, i64, u64)> = Vec::new();
            for (at, copies) in rows {
                for _ in 0..=copies {
                    index.push((at, at, index.len() as u64 + 1));
                }
            }
            for placed in young {
                index.push((placed, 2000, index.len() as u64 + 1));
            }
            let expected: Vec<u64> = index.iter().filter(|row| row.0 >= 5).map(|row| row.2).collect();
            let (seen, _) = pass(&index, 5, 1000, limit);
            for id in expected {
                prop_assert!(seen.contains(&id), "{id} was passed by");
            }
        }
    }

    #[test]
    fn more_rows_of_one_time_than_the_index_reaches_are_all_seen() {
        let index: Vec<_> = (1..=25_000u64).map(|id| (7, 7, id)).collect();
        let (seen, pages) = pass(&index, 1, 1000, 200);
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 25_000);
        assert!(pages < 140, "{pages}");
    }

    #[test]
    fn a_flood_of_young_rows_ends_too() {
        let index: Vec<_> = (1..=12_000u64).map(|id| (5000 + id as i64, 5000 + id as i64, id)).collect();
        let (seen, _) = pass(&index, 1, 1000, 200);
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 12_000);
    }

    #[test]
    fn cursors_survive_their_bytes() {
        let run = Some(Run::new(Millis(5), Kept { pass: 9, far: 3 }));
        let cursor = Cursor { kept: Kept { pass: 7, far: 1 }, run, all: None };
        let bytes = serde_json::to_vec(&cursor).unwrap();
        assert_eq!(serde_json::from_slice::<Cursor>(&bytes).unwrap(), cursor);
    }
}
