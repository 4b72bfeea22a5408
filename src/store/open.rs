//! Opening, closing, and what is known of a store as a whole.

use super::disk::{Backend, Disk, MemoryDisk};
use super::error::{StoreError, failed};
use super::pack;
use super::read::Snapshot;
use super::tables::{FORMAT, META_CREATED, META_FINGERPRINT, META_FORMAT, META_STORE, Table, damaged, read_array};
use super::write;
use crate::engine::Change;
use crate::model::{EntityId, Millis};
use redb::{Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, TableError, TableHandle};
use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How to open a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// Verify the checksum of every page first: reads the whole file.
    pub verify: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { cache_bytes: 256 << 20, verify: false }
    }
}

impl OpenOptions {
    fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        builder.set_check_integrity_on_open(self.verify);
        // Repairs need not be logged by progress: that there is one is what a person who waits wants to know.
        builder.set_repair_callback(|session| {
            if session.progress() < 0.7 {
                tracing::warn!("the store was not closed cleanly: checking it, which takes a while when it is large");
            }
        });
        builder
    }
}

/// Names a store for good: a copy has the same one, a new store another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}

/// An open store. It excludes every other process from its file until it is closed or dropped.
#[derive(Debug)]
pub struct Store {
    /// Closed before the database, so that it is the only user left.
    current: Mutex<Option<Snapshot>>,
    database: Database,
    path: Option<PathBuf>,
    id: StoreId,
    created: Millis,
}

impl Store {
    /// Opens a store that exists.
    ///
    /// # Errors
    /// Any; the file is then as it was, except that one which was not closed cleanly may have been repaired.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if !path.try_exists()? {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        guard(|| {
            inspect(path, options)?;
            let database = options.builder().open(path).map_err(|error| refused(path, error))?;
            Self::begin(database, Some(path))
        })
    }

    /// Opens a store, or makes one where there is no file or an empty one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn create_or_open(path: impl AsRef<Path>, now: Millis, options: &OpenOptions) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if path.try_exists()? && std::fs::metadata(path)?.len() > 0 && !is_unborn(path, options)? {
            return Self::open(path, options);
        }
        // Born under another name, so that a file under this one is a whole store, whenever the program is killed.
        let mut newborn = path.as_os_str().to_owned();
        newborn.push(".new");
        let newborn = PathBuf::from(newborn);
        match std::fs::remove_file(&newborn) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        create_private(&newborn)?;
        guard(|| {
            let database = options.builder().create(&newborn).map_err(|error| refused(&newborn, error))?;
            birth(&database, now, &path.to_string_lossy())
        })?;
        std::fs::rename(&newborn, path)?;
        Self::open(path, options)
    }

    /// Copies a store's file as of its last commit; nobody can open it to write meanwhile. It stays as it is, unless it was not
    /// closed cleanly and has to be repaired first.
    ///
    /// # Errors
    /// As [`open`](Self::open), and those of `out`.
    pub fn copy(path: impl AsRef<Path>, out: &mut impl io::Write) -> Result<(), StoreError> {
        let path = path.as_ref();
        if !path.try_exists()? {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let mut builder = Builder::new();
        builder.set_cache_size(1 << 20);
        guard(|| {
            let held = held(&builder, path)?;
            if format(&held, path)? == Found::Nothing {
                return Err(StoreError::NotAStore { path: path.to_owned() });
            }
            io::copy(&mut std::fs::File::open(path)?, out)?;
            Ok(())
        })
    }

    /// Opens the store on a disk, or makes one where it is empty.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn on_disk(disk: impl Disk, now: Millis, options: &OpenOptions) -> Result<Self, StoreError> {
        let path = Path::new("the disk");
        guard(|| {
            let builder = options.builder();
            let database = builder.create_with_backend(Backend(disk)).map_err(|error| refused(path, error))?;
            if format(&database, path)? == Found::Nothing {
                birth(&database, now, "")?;
            }
            Self::begin(database, None)
        })
    }

    /// A new store in memory.
    ///
    /// # Errors
    /// None that is expected: memory does not fail.
    pub fn in_memory(now: Millis) -> Result<Self, StoreError> {
        Self::on_disk(MemoryDisk::new(), now, &OpenOptions { cache_bytes: 16 << 20, verify: false })
    }

    /// Its name.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// When it was made, by our clock then.
    pub fn created(&self) -> Millis {
        self.created
    }

    /// Where it is; none = not a file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Fingerprint of the mapping that its content was made with; none = not yet set.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn fingerprint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot()?.fingerprint()
    }

    /// Sets the fingerprint, in a commit of its own.
    ///
    /// # Errors
    /// If it cannot be written; nothing is then changed.
    pub fn set_fingerprint(&self, fingerprint: &[u8]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let mut table = transaction.open_table(Table::Meta.definition()).map_err(failed)?;
            table.insert(META_FINGERPRINT, fingerprint).map_err(failed)?;
            Ok(())
        })
    }

    /// Forgets every match key of an entity, in a commit of its own: others are about to be written.
    ///
    /// # Errors
    /// If it cannot be written; nothing is then changed.
    pub fn forget_keys(&self, entity: EntityId) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let mut table = transaction.open_table(Table::Keys.definition()).map_err(failed)?;
            let from = entity.0.to_be_bytes();
            // The highest entity ends with the table.
            let to = entity.0.checked_add(1).map(u32::to_be_bytes);
            let to = to.as_ref().map_or(Bound::Unbounded, |to| Bound::Excluded(to.as_slice()));
            table.retain_in::<&[u8], _>((Bound::Included(from.as_slice()), to), |_, _| false).map_err(failed)?;
            Ok(())
        })
    }

    /// Applies one step's changes in their order: all of them or none, durable when it returns, for one sync.
    ///
    /// # Errors
    /// If they cannot be written; nothing is then changed.
    pub fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.apply_many([changes])
    }

    /// Applies the changes of several steps as [`apply`](Self::apply) does those of one: one transaction, one sync.
    ///
    /// # Errors
    /// If they cannot be written; nothing is then changed.
    pub fn apply_many<'a>(&self, steps: impl IntoIterator<Item = &'a [Change]>) -> Result<(), StoreError> {
        let mut steps = steps.into_iter().filter(|changes| !changes.is_empty()).peekable();
        if steps.peek().is_none() {
            return Ok(());
        }
        self.transact(|transaction| write::apply(transaction, steps))
    }

    /// The state as of the last commit, unmoved by later ones. Pages that it holds cannot be used again: let go of it soon.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = &*current {
            return Ok(snapshot.clone());
        }
        let snapshot = Snapshot::new(self.database.begin_read().map_err(failed)?);
        *current = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Fills half-empty pages, and gives those that are no longer used back to the file system; true if there were any. Takes as
    /// long as a copy.
    ///
    /// # Errors
    /// If the disk fails, or a [`Snapshot`] is still held; what was in the store is there all the same.
    pub fn compact(&mut self) -> Result<bool, StoreError> {
        self.forget_current();
        let packed = pack::all(&self.database)?;
        Ok(self.database.compact().map_err(failed)? | packed)
    }

    /// Closes the store and reports what dropping it would swallow.
    ///
    /// # Errors
    /// If the disk fails; what was committed is there all the same.
    pub fn close(self) -> Result<(), StoreError> {
        self.forget_current();
        self.database.close().map_err(failed)
    }

    fn begin(database: Database, path: Option<&Path>) -> Result<Self, StoreError> {
        let place = path.unwrap_or(Path::new("the disk"));
        let (id, created) = match format(&database, place)? {
            Found::Store { id, created } => (id, created),
            Found::Nothing => return Err(StoreError::NotAStore { path: place.to_owned() }),
        };
        complete(&database)?;
        Ok(Self { current: Mutex::new(None), database, path: path.map(Path::to_owned), id, created })
    }

    /// Lets `work` look into a store's file, opened to read; one that was not closed cleanly is repaired first.
    pub(super) fn peek<T>(
        path: &Path,
        work: impl FnOnce(&redb::ReadOnlyDatabase) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(1 << 20);
        guard(|| {
            let held = held(&builder, path)?;
            match format(&held, path)? {
                Found::Nothing => Err(StoreError::NotAStore { path: path.to_owned() }),
                Found::Store { .. } => work(&held),
            }
        })
    }

    pub(super) fn transact(
        &self,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = begin_write(&self.database)?;
        work(&transaction)?;
        transaction.commit().map_err(failed)?;
        self.forget_current();
        Ok(())
    }

    fn forget_current(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Opens a file to read; one that was not closed cleanly is repaired first.
pub(super) fn held(builder: &Builder, path: &Path) -> Result<redb::ReadOnlyDatabase, StoreError> {
    let held = match builder.open_read_only(path) {
        Err(DatabaseError::RepairAborted) => {
            Store::open(path, &OpenOptions::default())?.close()?;
            builder.open_read_only(path)
        }
        opened => opened,
    };
    held.map_err(|error| refused(path, error))
}

/// What a database holds.
#[derive(PartialEq)]
pub(super) enum Found {
    /// No table at all: a store whose making was cut short.
    Nothing,
    /// A store of a format that this program knows.
    Store { id: StoreId, created: Millis },
}

pub(super) fn begin_write(database: &Database) -> Result<redb::WriteTransaction, StoreError> {
    let mut transaction = database.begin_write().map_err(failed)?;
    // One sync a commit. Quick repair and two-phase commits would double it.
    transaction.set_durability(Durability::Immediate).map_err(failed)?;
    Ok(transaction)
}

/// Reads the format without writing anything; none = it was not closed cleanly and has to be repaired first.
fn inspect(path: &Path, options: &OpenOptions) -> Result<Option<Found>, StoreError> {
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes.min(1 << 20));
    match builder.open_read_only(path) {
        Ok(database) => format(&database, path).map(Some),
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(refused(path, error)),
    }
}

/// Was its making cut short before anything of ours was in it?
fn is_unborn(path: &Path, options: &OpenOptions) -> Result<bool, StoreError> {
    guard(|| Ok(inspect(path, options)? == Some(Found::Nothing)))
}

pub(super) fn format(database: &impl ReadableDatabase, path: &Path) -> Result<Found, StoreError> {
    let not_ours = || StoreError::NotAStore { path: path.to_owned() };
    let transaction = database.begin_read().map_err(failed)?;
    let table = match transaction.open_table(Table::Meta.definition()) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => {
            let empty = transaction.list_tables().map_err(failed)?.next().is_none();
            return if empty { Ok(Found::Nothing) } else { Err(not_ours()) };
        }
        Err(TableError::Storage(error)) => return Err(failed(error)),
        Err(_) => return Err(not_ours()),
    };
    let row = |key: &[u8]| ReadableTable::get(&table, key).map_err(failed);
    let bytes = row(META_FORMAT)?.ok_or_else(not_ours)?;
    let found = u32::from_be_bytes(read_array(Table::Meta, META_FORMAT, bytes.value())?);
    if found > FORMAT {
        return Err(StoreError::NewerFormat { found, wanted: FORMAT });
    }
    if found < FORMAT {
        return Err(StoreError::OlderFormat { found, wanted: FORMAT });
    }
    let missing = |key: &[u8]| damaged(Table::Meta, key, "missing");
    let id = row(META_STORE)?.ok_or_else(|| missing(META_STORE))?;
    let created = row(META_CREATED)?.ok_or_else(|| missing(META_CREATED))?;
    Ok(Found::Store {
        id: StoreId(read_array(Table::Meta, META_STORE, id.value())?),
        created: Millis(i64::from_be_bytes(read_array(Table::Meta, META_CREATED, created.value())?)),
    })
}

/// Makes every table, so that no reader has to ask whether one exists.
fn birth(database: &Database, now: Millis, place: &str) -> Result<(), StoreError> {
    let mut hasher = blake3::Hasher::new_derive_key("syncline 2026 store id");
    hasher.update(&now.0.to_be_bytes());
    hasher.update(place.as_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    let transaction = begin_write(database)?;
    for table in Table::ALL {
        transaction.open_table(table.definition()).map_err(failed)?;
    }
    {
        let mut meta = transaction.open_table(Table::Meta.definition()).map_err(failed)?;
        let rows: [(&[u8], &[u8]); 3] =
            [(META_FORMAT, &FORMAT.to_be_bytes()), (META_STORE, &id), (META_CREATED, &now.0.to_be_bytes())];
        for (key, value) in rows {
            meta.insert(key, value).map_err(failed)?;
        }
    }
    transaction.commit().map_err(failed)
}

/// Makes the tables that a store may lack: additions, without which it means the same.
fn complete(database: &Database) -> Result<(), StoreError> {
    let there: Vec<String> = {
        let transaction = database.begin_read().map_err(failed)?;
        let tables = transaction.list_tables().map_err(failed)?;
        tables.map(|table| table.name().to_owned()).collect()
    };
    let lacking: Vec<Table> =
        Table::ALL.into_iter().filter(|table| !there.iter().any(|name| name == table.name())).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let came_later = |table: &&Table| {
        matches!(table, Table::Schemas | Table::Reviews | Table::Ignored | Table::Leaves | Table::Roots)
    };
    if let Some(table) = lacking.iter().find(|table| !came_later(table)) {
        return Err(StoreError::Damaged { what: format!("the table {} is not there", table.name()) });
    }
    let transaction = begin_write(database)?;
    for table in lacking {
        transaction.open_table(table.definition()).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// An empty file that only its owner may read: it will hold people's data.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            #[cfg(unix)]
            if let Some(folder) = path.parent() {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                std::fs::File::open(folder)?.sync_all()?;
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The library's errors while it opens a file.
fn refused(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse { path: path.to_owned() }
        }
        DatabaseError::UpgradeRequired(_) => StoreError::NotAStore { path: path.to_owned() },
        DatabaseError::Storage(redb::StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => StoreError::NotAStore { path: path.to_owned() },
            io::ErrorKind::UnexpectedEof => StoreError::Damaged { what: "it ends too early".into() },
            _ => error.into(),
        },
        other => failed(other),
    }
}

/// The library trusts a file that says of itself that it was closed cleanly, and may panic when that is not so: a damaged
/// file must not stop the program without a word.
pub(super) fn guard<T>(open: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(open))
        .unwrap_or_else(|_| Err(StoreError::Damaged { what: "its pages contradict each other".into() }))
}
