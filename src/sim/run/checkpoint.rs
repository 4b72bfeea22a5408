//! At some moment of a history a checkpoint is taken; in the end the mirror is rebuilt from it and the journal's tail, and must be
//! the one that is there.

use super::Run;
use super::setup::ENTITY;
use crate::engine::{Change, Happening, MemoryView, Rebuild, Step, ViewError, root};
use crate::sim::Rng;
use std::sync::Arc;

/// The checkpoint of a history.
pub(super) struct Checkpoints {
    /// Commits until it is taken.
    due: i64,
    taken: Option<Checkpoint>,
}

struct Checkpoint {
    mirror: MemoryView,
    /// The number of the newest entry then.
    last: u64,
    /// Was an older copy of the mirror restored by then? Its journal goes on otherwise.
    restored: bool,
}

impl Checkpoints {
    /// By a chance of its own, so that histories are the same with and without it.
    pub(super) fn new(seed: u64) -> Self {
        Self { due: Rng::new(seed ^ 0xc4ec_0000).range(0, 100), taken: None }
    }
}

impl Run {
    /// A step was committed: is this the moment?
    pub(super) fn mark(&mut self, step: &Step) {
        self.checkpoints.due -= 1;
        let first = |change: &Change| match change {
            Change::Journal(entry) => matches!(entry.what, Happening::Page { mirrored: 1.., .. }),
            _ => false,
        };
        if step.changes.iter().any(first) {
            // No entry holds what was read there.
            self.checkpoints.taken = None;
            return;
        }
        let due = match &self.checkpoints.taken {
            Some(taken) => taken.restored != self.restored,
            None => self.checkpoints.due < 0,
        };
        if due {
            let taken = self.checkpoint();
            self.say(|| "a checkpoint is taken".into());
            self.broken |= taken.is_err();
            self.checkpoints.taken = taken.ok();
        }
    }

    fn checkpoint(&self) -> Result<Checkpoint, ViewError> {
        let records = self.view().record_scan(ENTITY, None, usize::MAX)?;
        let records: Vec<Change> = records.into_iter().map(|record| Change::PutRecord(Arc::new(record))).collect();
        let mut mirror = MemoryView::new();
        mirror.apply(&records);
        let last = self.view().entries(0, usize::MAX)?.last().map_or(0, |(number, _)| *number);
        Ok(Checkpoint { mirror, last, restored: self.restored })
    }

    /// Do the checkpoint and the journal since then give the mirror that is there?
    pub(super) fn is_rebuilt(&self) -> bool {
        let Some(Checkpoint { mirror, last, restored }) = &self.checkpoints.taken else { return true };
        if *restored != self.restored {
            return true;
        }
        let mut rebuild = Rebuild::new(mirror, *last);
        let entries = self.view().entries(*last, usize::MAX).unwrap_or_default();
        let folded = entries.iter().all(|(number, entry)| rebuild.take_in(*number, entry).is_ok());
        let there = self.view().record_scan(ENTITY, None, usize::MAX).unwrap_or_default();
        let (rebuilt, there) = (root(rebuild.records(ENTITY)), root(there.into_iter().map(Ok)));
        if rebuilt != there {
            self.say(|| format!("rebuilt: {:#?}", rebuild.records(ENTITY).collect::<Vec<_>>()));
        }
        folded && rebuilt == there
    }
}
