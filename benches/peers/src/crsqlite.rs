//! cr-sqlite, where `SYNCLINE_CRSQLITE` says where its extension is. It keeps a clock a column by itself; journal, outbox,
//! digests and cursor are left out.

use crate::peer::{Disk, FIELDS, Peer, ready};
use crate::sqlite::{disk, pragmas};
use crate::world::{Edits, values_digest};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use syncline::model::Digest;

pub struct CrSqlite {
    theirs: Connection,
    ours: Connection,
    edits: Edits,
    next: Vec<Vec<Value>>,
    /// How many of `next` each edited record has.
    a_record: usize,
}

const CHANGES: &str = "SELECT \"table\", pk, cid, val, col_version, db_version, site_id, cl, seq FROM crsql_changes
    WHERE db_version > ? ORDER BY db_version, seq";
const MERGE: &str = "INSERT INTO crsql_changes
    (\"table\", pk, cid, val, col_version, db_version, site_id, cl, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

fn open(database: Connection, extension: &Path) -> rusqlite::Result<Connection> {
    // SAFETY: whoever names the extension wants it run.
    unsafe {
        database.load_extension_enable()?;
        database.load_extension(extension, None::<&str>)?;
    }
    database.load_extension_disable()?;
    pragmas(&database);
    let fields: Vec<String> = (0..FIELDS).map(|field| format!("property_{field} TEXT")).collect();
    database.execute_batch(&format!(
        "CREATE TABLE person (id INTEGER PRIMARY KEY NOT NULL, {}); SELECT crsql_as_crr('person');",
        fields.join(", ")
    ))?;
    Ok(database)
}

impl CrSqlite {
    /// # Errors
    /// The extension does not load.
    pub fn on_file(path: &Path, extension: &Path, n: usize) -> rusqlite::Result<Self> {
        let mut theirs = open(Connection::open_in_memory()?, extension)?;
        let ours = open(Connection::open(path)?, extension)?;
        let edits = Edits::of(n);
        let transaction = theirs.transaction()?;
        let insert = format!("INSERT INTO person VALUES (?{})", ", ?".repeat(FIELDS));
        for number in 0..n {
            let values = (0..FIELDS as u32).map(|field| Value::Text(edits.value(number, field)));
            let row = [Value::Integer(number as i64)].into_iter().chain(values);
            transaction.prepare_cached(&insert)?.execute(params_from_iter(row))?;
        }
        transaction.commit()?;
        let mut new = Self { theirs, ours, edits, next: Vec::new(), a_record: 1 };
        new.next = new.changes(0)?;
        new.take_in(usize::MAX)?;
        Ok(new)
    }

    fn version(&self) -> rusqlite::Result<i64> {
        self.theirs.query_row("SELECT crsql_db_version()", [], |row| row.get(0))
    }

    fn changes(&self, after: i64) -> rusqlite::Result<Vec<Vec<Value>>> {
        let mut changes = self.theirs.prepare_cached(CHANGES)?;
        let rows = changes.query_map([after], |row| (0..9).map(|column| row.get(column)).collect())?;
        rows.collect()
    }

    fn take_in(&mut self, a_commit: usize) -> rusqlite::Result<()> {
        for page in self.next.chunks(a_commit.saturating_mul(self.a_record).min(self.next.len().max(1))) {
            let transaction = self.ours.transaction()?;
            for change in page {
                transaction.prepare_cached(MERGE)?.execute(params_from_iter(change))?;
            }
            transaction.commit()?;
        }
        Ok(())
    }

    fn edit(&mut self, most: usize) -> rusqlite::Result<()> {
        let before = self.version()?;
        let transaction = self.theirs.transaction()?;
        for edited in ready(&mut self.edits, most) {
            for (field, value) in edited.fields {
                let update = format!("UPDATE person SET property_{field} = ? WHERE id = ?");
                transaction.prepare_cached(&update)?.execute((value, edited.number as i64))?;
            }
        }
        transaction.commit()?;
        self.next = self.changes(before)?;
        self.a_record = crate::world::CHANGES;
        Ok(())
    }
}

impl Peer for CrSqlite {
    fn name(&self) -> &'static str {
        "cr-sqlite"
    }

    fn stores(&self) -> &'static str {
        "a row a record, a clock row a column; no journal, outbox, digest or cursor"
    }

    fn prepare(&mut self, _: usize, most: usize) {
        self.edit(most).expect("edited");
    }

    fn merge(&mut self, a_commit: usize) {
        self.take_in(a_commit).expect("merged");
    }

    fn settle(&mut self) {
        self.next.clear();
    }

    fn edits(&self) -> &Edits {
        &self.edits
    }

    fn values(&mut self) -> Digest {
        let mut all = self.ours.prepare("SELECT * FROM person ORDER BY id").expect("sound");
        let row = |row: &rusqlite::Row<'_>| (1..=FIELDS).map(|column| row.get(column)).collect();
        let rows = all.query_map([], row).expect("readable");
        values_digest(rows.flat_map(|row: rusqlite::Result<Vec<String>>| row.expect("readable")))
    }

    fn disk(&mut self) -> Option<Disk> {
        Some(disk(&self.ours))
    }

    fn compact(&mut self) {
        self.ours.execute_batch("VACUUM").expect("compacted");
    }
}

impl Drop for CrSqlite {
    fn drop(&mut self) {
        for database in [&self.theirs, &self.ours] {
            // It asks for that; what it would say at the end helps nobody.
            _ = database.query_row("SELECT crsql_finalize()", [], |_| Ok(()));
        }
    }
}
