//! Where the mirror of a history lives: in maps, or in a real store on a disk whose power fails.

use crate::engine::{Books, Change, MemoryView};
use crate::model::Millis;
use crate::sim::Rng;
use crate::store::{FailingDisk, OpenOptions, Snapshot, Store, StoreError};

/// A row that is written with every step, and says after a power cut which steps are there.
const STEPS: &str = "simulated-steps";

pub(super) enum Mirror {
    Map(Box<MemoryView>),
    Disk(Box<OnDisk>),
}

/// A copy of a mirror.
pub(super) enum Backup {
    Map(Box<MemoryView>),
    Disk(Vec<u8>),
}

/// A store, open.
pub(super) struct OnDisk {
    disk: FailingDisk,
    /// Dropped before it is opened again.
    open: Option<(Store, Snapshot)>,
    steps: u64,
}

impl Mirror {
    pub(super) fn in_maps() -> Self {
        Self::Map(Box::new(MemoryView::new()))
    }

    pub(super) fn on_disk() -> Result<Self, StoreError> {
        let mut disk = OnDisk { disk: FailingDisk::new(), open: None, steps: 0 };
        disk.reopen(Vec::new())?;
        Ok(Self::Disk(Box::new(disk)))
    }

    /// What the engine may read.
    pub(super) fn books(&self) -> &dyn Books {
        match self {
            Self::Map(map) => map.as_ref(),
            Self::Disk(disk) => disk.snapshot(),
        }
    }

    /// Commits a step.
    pub(super) fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        match self {
            Self::Map(map) => {
                map.apply(changes);
                Ok(())
            }
            Self::Disk(disk) => disk.commit(changes),
        }
    }

    /// The program dies while nothing is being committed.
    pub(super) fn crash(&mut self, rng: &mut Rng) -> Result<(), StoreError> {
        match self {
            Self::Map(_) => Ok(()),
            Self::Disk(disk) => disk.cut(rng),
        }
    }

    /// The program dies somewhere in the commit of a step: is the step there all the same?
    pub(super) fn crash_within(&mut self, changes: &[Change], rng: &mut Rng) -> Result<bool, StoreError> {
        match self {
            Self::Map(_) => Ok(false),
            Self::Disk(disk) => {
                let before = disk.steps;
                disk.disk.fail_after(rng.range(0, 40) as u64);
                // Whether it was answered or not: the disk alone says what is there.
                let answered = disk.commit(changes).is_ok();
                disk.cut(rng)?;
                assert!(!answered || disk.steps == before + 1, "a commit that was answered is not there");
                assert!(disk.steps == before || disk.steps == before + 1, "{} after {before}", disk.steps);
                Ok(disk.steps > before)
            }
        }
    }

    /// A copy of all that is there.
    pub(super) fn backup(&self) -> Backup {
        match self {
            Self::Map(map) => Backup::Map(map.clone()),
            Self::Disk(disk) => Backup::Disk(disk.disk.after_the_cut(0)),
        }
    }

    /// A copy takes the place of what is there.
    pub(super) fn restore(&mut self, backup: Backup) -> Result<(), StoreError> {
        match (self, backup) {
            (Self::Map(map), Backup::Map(copy)) => *map = copy,
            (Self::Disk(disk), Backup::Disk(bytes)) => {
                disk.open = None;
                disk.reopen(bytes)?;
            }
            _ => unreachable!("a mirror stays what it is"),
        }
        Ok(())
    }

    /// Does the store agree with itself, and is its journal whole?
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Map(_) => true,
            Self::Disk(disk) => {
                let chain = disk.snapshot().check_chain().map(|report| report.broken.is_none());
                disk.snapshot().check().is_ok() && chain.unwrap_or(false)
            }
        }
    }
}

impl OnDisk {
    fn snapshot(&self) -> &Snapshot {
        &self.open.as_ref().expect("a store that could not be opened ends the history").1
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let Some((store, snapshot)) = &mut self.open else { return Err(StoreError::Stopped) };
        let mark = [Change::SetCursor(STEPS.into(), Some((self.steps + 1).to_be_bytes().into()))];
        store.apply_many([changes, &mark])?;
        *snapshot = store.snapshot()?;
        self.steps += 1;
        Ok(())
    }

    fn cut(&mut self, rng: &mut Rng) -> Result<(), StoreError> {
        self.disk.fail_after(0);
        self.open = None;
        self.reopen(self.disk.after_the_cut(rng.bits()))
    }

    fn reopen(&mut self, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.disk = FailingDisk::with(bytes);
        let options = OpenOptions { cache_bytes: 4 << 20, verify: false };
        let store = Store::on_disk(self.disk.clone(), Millis(0), &options)?;
        let snapshot = store.snapshot()?;
        let steps = crate::engine::View::cursor(&snapshot, STEPS).ok().flatten();
        self.steps = steps.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        self.open = Some((store, snapshot));
        Ok(())
    }
}
