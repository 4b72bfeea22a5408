//! What a store needs of a disk, so that a simulated one can take a file's place.

use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// A file's worth of bytes. What was written before a [`sync`](Self::sync) that returned survives a crash; of what was
/// written after it any part may, in any order.
#[allow(clippy::len_without_is_empty)]
pub trait Disk: std::fmt::Debug + Send + Sync + 'static {
    /// Its length.
    fn len(&self) -> io::Result<u64>;
    /// Fills `out` from `offset`; an error where it ends before.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes `data` at `offset`.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts it off or adds zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes what was written survive a crash.
    fn sync(&self) -> io::Result<()>;
}

/// A disk in memory. Clones are the same disk, so that a store can be opened again after it was closed.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<MemoryBytes>);

#[derive(Debug, Default)]
struct MemoryBytes {
    bytes: RwLock<Vec<u8>>,
    syncs: AtomicU64,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk with content.
    pub fn with(bytes: Vec<u8>) -> Self {
        Self(Arc::new(MemoryBytes { bytes: RwLock::new(bytes), syncs: AtomicU64::new(0) }))
    }

    /// A copy of the content.
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was synced.
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::Relaxed)
    }
}

impl Disk for MemoryDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let part = from.checked_add(out.len()).and_then(|to| bytes.get(from..to));
        out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let to = from.checked_add(data.len()).ok_or(io::ErrorKind::InvalidInput)?;
        if to > bytes.len() {
            bytes.resize(to, 0);
        }
        bytes[from..to].copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.0.bytes.write().unwrap_or_else(PoisonError::into_inner).resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A disk as the library wants it. It is moved into one store, so there is nothing to lock.
#[derive(Debug)]
pub(super) struct Backend<D>(pub(super) D);

impl<D: Disk> StorageBackend for Backend<D> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
