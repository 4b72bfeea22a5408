//! A disk in memory whose power fails, for tests and simulation.

use super::disk::{Disk, MemoryDisk};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// A disk whose power fails after a number of calls. Of what was not synced by then any part survives, in any order, and even
/// half a write. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct FailingDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What survives.
    synced: Vec<u8>,
    /// What may survive.
    pending: Vec<Pending>,
    /// What the program sees.
    seen: MemoryDisk,
    /// Calls until the power fails.
    left: u64,
}

#[derive(Debug)]
enum Pending {
    Write(u64, Vec<u8>),
    Len(u64),
}

impl State {
    /// One call that changes something.
    fn spend(&mut self) -> io::Result<()> {
        let failed = self.left == 0;
        self.left = self.left.saturating_sub(1);
        if failed { Err(io::Error::other("no power")) } else { Ok(()) }
    }
}

impl Default for FailingDisk {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

impl FailingDisk {
    /// An empty disk with power.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk with content and power.
    pub fn with(bytes: Vec<u8>) -> Self {
        let seen = MemoryDisk::with(bytes.clone());
        Self(Arc::new(Mutex::new(State { synced: bytes, pending: Vec::new(), seen, left: u64::MAX })))
    }

    /// The power fails after this many writes, changes of length and syncs.
    pub fn fail_after(&self, calls: u64) {
        self.state().left = calls;
    }

    /// Is there power yet?
    pub fn has_power(&self) -> bool {
        self.state().left > 0
    }

    /// What is there when the power is back; `luck` says which of the writes that were not synced made it.
    pub fn after_the_cut(&self, mut luck: u64) -> Vec<u8> {
        let state = self.state();
        let disk = MemoryDisk::with(state.synced.clone());
        // A file system grows a file before it writes beyond its end, so it is never shorter than it was.
        let len = |len: u64| disk.set_len(len.max(state.synced.len() as u64));
        for pending in &state.pending {
            luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let done = match (luck >> 62, pending) {
                (0, _) => Ok(()),
                (1, Pending::Write(at, bytes)) => disk.write(*at, &bytes[..bytes.len() / 2]),
                (_, Pending::Write(at, bytes)) => disk.write(*at, bytes),
                (_, Pending::Len(to)) => len(*to),
            };
            assert!(done.is_ok(), "memory does not fail");
        }
        disk.to_vec()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.state().seen.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.state().seen.read(offset, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.pending.push(Pending::Write(offset, data.to_vec()));
        state.seen.write(offset, data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        state.pending.push(Pending::Len(len));
        state.seen.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.spend()?;
        for pending in std::mem::take(&mut state.pending) {
            match pending {
                Pending::Write(at, bytes) => {
                    let (from, to) = (at as usize, at as usize + bytes.len());
                    if state.synced.len() < to {
                        state.synced.resize(to, 0);
                    }
                    state.synced[from..to].copy_from_slice(&bytes);
                }
                Pending::Len(len) => state.synced.resize(len as usize, 0),
            }
        }
        Ok(())
    }
}
