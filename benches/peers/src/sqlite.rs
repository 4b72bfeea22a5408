//! SQLite, as somebody would use it for the same job: each page is one transaction over fields, journal, outbox, digests and
//! cursor.

use crate::peer::{Disk, FIELDS, ORIGIN, Peer, Ready, clock, ready, ready_whole, remote_number};
use crate::world::{Edits, values_digest};
use rusqlite::{Connection, Transaction, params};
use std::path::Path;
use syncline::model::Digest;

/// How the fields of a record lie.
#[derive(Clone, Copy, PartialEq)]
pub enum Layout {
    /// A row each, upserted where the stamp is newer.
    Fields,
    /// All in one body, which is read, changed and written: for each field its clock, origin, length and text.
    Bodies,
}

/// What comes in.
#[derive(Clone, Copy, PartialEq)]
pub enum Feed {
    /// The fields that were changed, and the record's digests.
    Changed,
    /// Whole rows, as Syncline gets them: the record is looked up by its remote id, its digest compared, its values compared
    /// with those that are known, and hashed.
    Whole,
}

pub struct Sqlite {
    database: Connection,
    file: bool,
    layout: Layout,
    feed: Feed,
    edits: Edits,
    next: Vec<Ready>,
    number: i64,
    link: [u8; 16],
    pages: u64,
}

const SCHEMA: &str = "
    CREATE TABLE fields (record INTEGER, field INTEGER, value TEXT, hlc INTEGER, origin INTEGER,
        PRIMARY KEY (record, field)) WITHOUT ROWID;
    CREATE TABLE bodies (record INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE ids (system INTEGER, remote INTEGER, record INTEGER, PRIMARY KEY (system, remote)) WITHOUT ROWID;
    CREATE TABLE keys (key TEXT, system INTEGER, record INTEGER, PRIMARY KEY (key, system, record)) WITHOUT ROWID;
    CREATE TABLE digests (system INTEGER, remote INTEGER, raw INTEGER, canonical BLOB,
        PRIMARY KEY (system, remote)) WITHOUT ROWID;
    CREATE TABLE outbox (system INTEGER, record INTEGER, due INTEGER, seen INTEGER, task INTEGER, attempts INTEGER,
        PRIMARY KEY (system, record)) WITHOUT ROWID;
    CREATE INDEX outbox_due ON outbox (system, due);
    CREATE TABLE journal (number INTEGER PRIMARY KEY, at INTEGER, run INTEGER, cause INTEGER, record INTEGER,
        field INTEGER, before TEXT, after TEXT, hlc INTEGER, origin INTEGER, link BLOB);
    CREATE INDEX history ON journal (record);
    CREATE TABLE cursors (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;";

const DESK: i64 = 3;

impl Sqlite {
    pub fn on_file(path: &Path, n: usize, layout: Layout, feed: Feed) -> Self {
        Self::of(Connection::open(path).expect("a new file"), true, n, layout, feed)
    }

    pub fn in_memory(n: usize, layout: Layout) -> Self {
        Self::of(Connection::open_in_memory().expect("memory"), false, n, layout, Feed::Changed)
    }

    fn of(mut database: Connection, file: bool, n: usize, layout: Layout, feed: Feed) -> Self {
        pragmas(&database);
        database.set_prepared_statement_cache_capacity(64);
        database.execute_batch(SCHEMA).expect("a schema");
        let edits = Edits::of(n);
        let transaction = database.transaction().expect("the only user");
        for number in 0..n {
            load(&transaction, &edits, number, layout);
        }
        transaction.commit().expect("written");
        Self { database, file, layout, feed, edits, next: Vec::new(), number: 0, link: [0; 16], pages: 0 }
    }
}

/// As durable as Syncline, as much memory, and nobody else in the file.
pub fn pragmas(database: &Connection) {
    let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY;";
    database.execute_batch(pragmas).expect("known");
}

fn load(transaction: &Transaction<'_>, edits: &Edits, number: usize, layout: Layout) {
    let record = number as i64;
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        transaction.prepare_cached(sql).expect("sound").execute(params).expect("written");
    };
    let values: Vec<String> = (0..FIELDS as u32).map(|field| edits.value(number, field)).collect();
    let hlc = clock(0) as i64;
    match layout {
        Layout::Fields => {
            for (field, value) in (0i64..).zip(&values) {
                run("INSERT INTO fields VALUES (?, ?, ?, ?, ?)", params![record, field, value, hlc, ORIGIN]);
            }
        }
        Layout::Bodies => {
            let mut body = Vec::new();
            values.iter().for_each(|value| push(&mut body, hlc, ORIGIN, value.as_bytes()));
            run("INSERT INTO bodies VALUES (?, ?)", params![record, body]);
        }
    }
    let remote = remote_number(number);
    for system in [ORIGIN, DESK] {
        run("INSERT INTO ids VALUES (?, ?, ?)", params![system, remote, record]);
        run("INSERT INTO keys VALUES (?, ?, ?)", params![values[1], system, record]);
        run("INSERT INTO digests VALUES (?, ?, ?, ?)", params![system, remote, remote, [number as u8; 16]]);
    }
}

fn push(body: &mut Vec<u8>, hlc: i64, origin: i64, value: &[u8]) {
    body.extend_from_slice(&hlc.to_le_bytes());
    body.extend_from_slice(&(origin as u32).to_le_bytes());
    body.extend_from_slice(&(value.len() as u32).to_le_bytes());
    body.extend_from_slice(value);
}

/// The fields of a body: clock, origin, text.
fn parts(mut body: &[u8]) -> impl Iterator<Item = (i64, i64, &[u8])> {
    std::iter::from_fn(move || {
        let (hlc, rest) = body.split_first_chunk()?;
        let (origin, rest) = rest.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        body = rest;
        Some((i64::from_le_bytes(*hlc), i64::from(u32::from_le_bytes(*origin)), value))
    })
}

/// What is to be journaled of one field.
struct Merged<'a> {
    field: u32,
    before: String,
    after: &'a str,
}

/// The record of a whole row, unless its digest is the known one.
fn look_up(transaction: &Transaction<'_>, edited: &Ready) -> Option<i64> {
    let raw = "SELECT raw FROM digests WHERE system = ? AND remote = ?";
    let mut raw = transaction.prepare_cached(raw).expect("sound");
    let raw: i64 = raw.query_row(params![ORIGIN, edited.remote], |row| row.get(0)).expect("loaded");
    let record = "SELECT record FROM ids WHERE system = ? AND remote = ?";
    let mut record = transaction.prepare_cached(record).expect("sound");
    (raw != edited.raw).then(|| record.query_row(params![ORIGIN, edited.remote], |row| row.get(0)).expect("loaded"))
}

/// A digest of all values, as it is stored.
fn canonical(values: &[String]) -> [u8; 16] {
    let mut bytes = Vec::with_capacity(1024);
    for (field, value) in (0u32..).zip(values) {
        bytes.extend_from_slice(&field.to_be_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    Digest::of_bytes(&bytes).0
}

/// Decides the fields of a record, each by its stamp.
fn decide<'a>(transaction: &Transaction<'_>, layout: Layout, record: i64, edited: &'a Ready) -> Vec<Merged<'a>> {
    let newer = |hlc: i64, origin: i64| (edited.hlc as i64, ORIGIN) > (hlc, origin);
    match layout {
        Layout::Fields => {
            let mut merged = Vec::with_capacity(edited.fields.len());
            let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?));
            if edited.whole.is_empty() {
                let known = "SELECT value, hlc, origin FROM fields WHERE record = ? AND field = ?";
                let mut known = transaction.prepare_cached(known).expect("sound");
                for (field, after) in &edited.fields {
                    let (before, hlc, origin) = known.query_row(params![record, field], row).expect("loaded");
                    if newer(hlc, origin) {
                        merged.push(Merged { field: *field, before, after });
                    }
                }
            } else {
                let known = "SELECT value, hlc, origin FROM fields WHERE record = ? ORDER BY field";
                let mut known = transaction.prepare_cached(known).expect("sound");
                let known = known.query_map([record], row).expect("readable");
                for ((field, after), known) in (0u32..).zip(&edited.whole).zip(known) {
                    let (before, hlc, origin) = known.expect("readable");
                    if before != *after && newer(hlc, origin) {
                        merged.push(Merged { field, before, after });
                    }
                }
            }
            let upsert = "INSERT INTO fields VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
                SET value = excluded.value, hlc = excluded.hlc, origin = excluded.origin
                WHERE (excluded.hlc, excluded.origin) > (hlc, origin)";
            let mut upsert = transaction.prepare_cached(upsert).expect("sound");
            for Merged { field, after, .. } in &merged {
                upsert.execute(params![record, field, after, edited.hlc as i64, ORIGIN]).expect("written");
            }
            merged
        }
        Layout::Bodies => {
            let mut known = transaction.prepare_cached("SELECT body FROM bodies WHERE record = ?").expect("sound");
            let body: Vec<u8> = known.query_row([record], |row| row.get(0)).expect("loaded");
            let mut next = Vec::with_capacity(body.len() + 64);
            let mut merged = Vec::with_capacity(edited.fields.len());
            for (field, (hlc, origin, before)) in (0u32..).zip(parts(&body)) {
                let changed = || edited.fields.iter().find(|(changed, _)| *changed == field).map(|(_, after)| after);
                let whole = || edited.whole.get(field as usize).filter(|after| after.as_bytes() != before);
                let after = if edited.whole.is_empty() { changed() } else { whole() };
                match after {
                    Some(after) if newer(hlc, origin) => {
                        push(&mut next, edited.hlc as i64, ORIGIN, after.as_bytes());
                        let before = String::from_utf8(before.to_vec()).expect("text");
                        merged.push(Merged { field, before, after });
                    }
                    _ => push(&mut next, hlc, origin, before),
                }
            }
            let mut update = transaction.prepare_cached("UPDATE bodies SET body = ? WHERE record = ?").expect("sound");
            update.execute(params![next, record]).expect("written");
            merged
        }
    }
}

impl Peer for Sqlite {
    fn name(&self) -> &'static str {
        match (self.file, self.feed, self.layout) {
            (true, Feed::Changed, Layout::Fields) => "SQLite, a row a field",
            (true, Feed::Changed, Layout::Bodies) => "SQLite, a body row a record",
            (true, Feed::Whole, Layout::Fields) => "SQLite, a row a field, whole rows in",
            (true, Feed::Whole, Layout::Bodies) => "SQLite, a body row a record, whole rows in",
            (false, _, Layout::Fields) => "SQLite :memory:, a row a field",
            (false, _, Layout::Bodies) => "SQLite :memory:, a body row a record",
        }
    }

    fn stores(&self) -> &'static str {
        match self.layout {
            Layout::Fields => {
                "fields, digest, outbox + due index; a chained journal row + history index a merge; cursor"
            }
            Layout::Bodies => "body, digest, outbox + due index; a chained journal row + history index a merge; cursor",
        }
    }

    fn prepare(&mut self, _: usize, most: usize) {
        self.next = match self.feed {
            Feed::Changed => ready(&mut self.edits, most),
            Feed::Whole => ready_whole(&mut self.edits, most),
        };
    }

    fn merge(&mut self, a_commit: usize) {
        for page in self.next.chunks(a_commit) {
            self.pages += 1;
            let transaction = self.database.transaction().expect("the only user");
            let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
                transaction.prepare_cached(sql).expect("sound").execute(params).expect("written");
            };
            for edited in page {
                let at = (edited.hlc >> 16) as i64;
                let (record, canonical) = match self.feed {
                    Feed::Changed => (edited.number as i64, edited.canonical),
                    Feed::Whole => match look_up(&transaction, edited) {
                        Some(record) => (record, canonical(&edited.whole)),
                        None => continue,
                    },
                };
                for merged in decide(&transaction, self.layout, record, edited) {
                    self.number += 1;
                    let mut hasher = blake3::Hasher::new();
                    hasher.update(&self.link);
                    for part in [self.number, at, record, i64::from(merged.field), edited.hlc as i64, ORIGIN] {
                        hasher.update(&part.to_le_bytes());
                    }
                    hasher.update(&(merged.before.len() as u64).to_le_bytes());
                    hasher.update(merged.before.as_bytes());
                    hasher.update(merged.after.as_bytes());
                    self.link.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
                    let entry = params![
                        self.number,
                        at,
                        1,
                        5,
                        record,
                        merged.field,
                        merged.before,
                        merged.after,
                        edited.hlc as i64,
                        ORIGIN,
                        self.link
                    ];
                    run("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", entry);
                }
                run("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, 0, 0)", params![DESK, record, at, at]);
                let digest = params![ORIGIN, edited.remote, edited.raw, canonical];
                run("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", digest);
            }
            let cursor = params!["list/crm", self.pages.to_be_bytes()];
            run("INSERT OR REPLACE INTO cursors VALUES (?, ?)", cursor);
            transaction.commit().expect("written");
        }
    }

    fn settle(&mut self) {
        let transaction = self.database.transaction().expect("the only user");
        for edited in std::mem::take(&mut self.next) {
            let mut digest =
                transaction.prepare_cached("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)").expect("sound");
            digest.execute(params![DESK, edited.remote, edited.raw, edited.canonical]).expect("written");
        }
        transaction.execute("DELETE FROM outbox", []).expect("written");
        transaction.commit().expect("written");
    }

    fn edits(&self) -> &Edits {
        &self.edits
    }

    fn values(&mut self) -> Digest {
        let journaled: i64 =
            self.database.query_row("SELECT COUNT(*) FROM journal", [], |row| row.get(0)).expect("readable");
        assert_eq!(journaled, self.number, "a row a merge");
        let mut values = Vec::new();
        match self.layout {
            Layout::Fields => {
                let mut all = self.database.prepare("SELECT value FROM fields ORDER BY record, field").expect("sound");
                let rows = all.query_map([], |row| row.get::<_, String>(0)).expect("readable");
                values.extend(rows.map(|value| value.expect("readable")));
            }
            Layout::Bodies => {
                let mut all = self.database.prepare("SELECT body FROM bodies ORDER BY record").expect("sound");
                let rows = all.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("readable");
                for body in rows {
                    let body = body.expect("readable");
                    values.extend(parts(&body).map(|(.., value)| String::from_utf8(value.to_vec()).expect("text")));
                }
            }
        }
        values_digest(values.into_iter())
    }

    fn disk(&mut self) -> Option<Disk> {
        // Whatever comes in, the file is the same.
        (self.file && self.feed == Feed::Changed).then(|| disk(&self.database))
    }

    fn compact(&mut self) {
        self.database.execute_batch("VACUUM").expect("compacted");
    }
}

/// Bytes of the file, with the log emptied into it.
pub fn disk(database: &Connection) -> Disk {
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written");
    let sum = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("readable") as u64;
    let tables = "SELECT name, SUM(payload), SUM(unused) FROM dbstat WHERE pagetype <> 'internal'
        GROUP BY name ORDER BY 2 DESC LIMIT 7";
    let mut tables = database.prepare(tables).expect("the bundled build has dbstat");
    let table = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64));
    let tables = tables.query_map([], table).expect("readable");
    Disk {
        all: sum("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"),
        journal: sum("SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE name IN ('journal', 'history')"),
        rows: sum(
            "SELECT SUM(payload) FROM dbstat WHERE name NOT IN ('journal', 'history') AND pagetype <> 'internal'",
        ),
        tables: tables.map(|table| table.expect("readable")).collect(),
    }
}
