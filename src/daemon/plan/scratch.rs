//! Stores for a dry run. Their files have no name: they hold people's data, and must be gone however the program ends.

use super::DaemonError;
use crate::daemon::driver::wall_clock;
use crate::store::{Disk, OpenOptions, Store, StoreError};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that nobody else sees and that need not survive anything.
#[derive(Debug)]
struct Nameless(File);

impl Disk for Nameless {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A new store on the disk of `store`.
///
/// # Errors
/// Its file cannot be made there.
pub fn new(store: &Path) -> Result<Store, DaemonError> {
    open(nameless(store)?)
}

/// A copy of a store, on its disk.
///
/// # Errors
/// It cannot be read or somebody writes to it, or there is no room for the copy.
pub fn copy(store: &Path) -> Result<Store, DaemonError> {
    let mut file = nameless(store)?;
    Store::copy(store, &mut file)?;
    open(file)
}

fn open(file: File) -> Result<Store, DaemonError> {
    let options = OpenOptions { cache_bytes: CACHE, ..OpenOptions::default() };
    Ok(Store::on_disk(Nameless(file), wall_clock(), &options)?)
}

/// A file beside `store` that loses its name at once; it is never open to others.
fn nameless(store: &Path) -> Result<File, DaemonError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = store.as_os_str().to_owned();
    name.push(format!(".scratch-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let name = PathBuf::from(name);
    let made = File::options().read(true).write(true).create_new(true).mode(0o600).open(&name);
    let file = made.map_err(StoreError::from)?;
    std::fs::remove_file(&name).map_err(StoreError::from)?;
    Ok(file)
}

/// Memory for pages of one of them, in bytes.
const CACHE: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, View};
    use crate::model::Millis;

    #[test]
    fn a_copy_holds_what_the_store_held_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.redb");
        let store = Store::create_or_open(&path, Millis(1), &OpenOptions::default()).unwrap();
        store.apply(&[Change::SetCursor("a".into(), Some(vec![1]))]).unwrap();
        assert!(copy(&path).is_err(), "somebody has it");
        let id = store.id();
        store.close().unwrap();
        let before = std::fs::read(&path).unwrap();
        let copied = copy(&path).unwrap();
        copied.apply(&[Change::SetCursor("a".into(), Some(vec![2]))]).unwrap();
        assert_eq!((copied.id(), copied.cursor("a")), (id, Ok(Some(vec![2]))));
        assert_eq!(std::fs::read(&path).unwrap(), before, "the store is as it was");
        assert_eq!(new(&path).unwrap().cursor("a"), Ok(None));
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["s.redb"]);
    }
}
