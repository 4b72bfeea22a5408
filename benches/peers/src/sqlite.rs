//! SQLite, as somebody would use it for the same job: each page is one transaction over fields, journal, outbox, digests and
//! cursor.

use crate::peer::{Disk, FIELDS, ORIGIN, Peer, Ready, clock, ready, remote_number};
use crate::world::{Edits, values_digest};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
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

pub struct Sqlite {
    database: Connection,
    file: bool,
    layout: Layout,
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
    pub fn on_file(path: &Path, n: usize, layout: Layout) -> Self {
        Self::of(Connection::open(path).expect("a new file"), true, n, layout)
    }

    pub fn in_memory(n: usize, layout: Layout) -> Self {
        Self::of(Connection::open_in_memory().expect("memory"), false, n, layout)
    }

    fn of(mut database: Connection, file: bool, n: usize, layout: Layout) -> Self {
        pragmas(&database);
        database.set_prepared_statement_cache_capacity(64);
        database.execute_batch(SCHEMA).expect("a schema");
        let edits = Edits::of(n);
        let transaction = database.transaction().expect("the only user");
        for number in 0..n {
            load(&transaction, &edits, number, layout);
        }
        transaction.commit().expect("written");
        Self { database, file, layout, edits, next: Vec::new(), number: 0, link: [0; 16], pages: 0 }
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

/// Decides the fields of a record, each by its stamp.
fn decide<'a>(transaction: &Transaction<'_>, layout: Layout, edited: &'a Ready) -> Vec<Merged<'a>> {
    let record = edited.number as i64;
    let newer = |hlc: i64, origin: i64| (edited.hlc as i64, ORIGIN) > (hlc, origin);
    let mut merged = Vec::with_capacity(edited.fields.len());
    match layout {
        Layout::Fields => {
            for (field, after) in &edited.fields {
                let known = "SELECT value, hlc, origin FROM fields WHERE record = ? AND field = ?";
                let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?));
                let mut known = transaction.prepare_cached(known).expect("sound");
                let known = known.query_row(params![record, field], row).optional().expect("readable");
                if known.as_ref().is_some_and(|(_, hlc, origin)| !newer(*hlc, *origin)) {
                    continue;
                }
                let upsert = "INSERT INTO fields VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
                    SET value = excluded.value, hlc = excluded.hlc, origin = excluded.origin
                    WHERE (excluded.hlc, excluded.origin) > (hlc, origin)";
                let mut upsert = transaction.prepare_cached(upsert).expect("sound");
                upsert.execute(params![record, field, after, edited.hlc as i64, ORIGIN]).expect("written");
                merged.push(Merged {
                    field: *field,
                    before: known.map(|(value, ..)| value).unwrap_or_default(),
                    after,
                });
            }
        }
        Layout::Bodies => {
            let mut known = transaction.prepare_cached("SELECT body FROM bodies WHERE record = ?").expect("sound");
            let body: Vec<u8> = known.query_row([record], |row| row.get(0)).expect("loaded");
            let mut next = Vec::with_capacity(body.len() + 64);
            for (number, (hlc, origin, before)) in (0u32..).zip(parts(&body)) {
                match edited.fields.iter().find(|(field, _)| *field == number) {
                    Some((field, after)) if newer(hlc, origin) => {
                        push(&mut next, edited.hlc as i64, ORIGIN, after.as_bytes());
                        let before = String::from_utf8(before.to_vec()).expect("text");
                        merged.push(Merged { field: *field, before, after });
                    }
                    _ => push(&mut next, hlc, origin, before),
                }
            }
            let mut update = transaction.prepare_cached("UPDATE bodies SET body = ? WHERE record = ?").expect("sound");
            update.execute(params![next, record]).expect("written");
        }
    }
    merged
}

impl Peer for Sqlite {
    fn name(&self) -> &'static str {
        match (self.file, self.layout) {
            (true, Layout::Fields) => "SQLite, a row a field",
            (true, Layout::Bodies) => "SQLite, a body row a record",
            (false, Layout::Fields) => "SQLite :memory:, a row a field",
            (false, Layout::Bodies) => "SQLite :memory:, a body row a record",
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
        self.next = ready(&mut self.edits, most);
    }

    fn merge(&mut self, a_commit: usize) {
        for page in self.next.chunks(a_commit) {
            self.pages += 1;
            let transaction = self.database.transaction().expect("the only user");
            let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
                transaction.prepare_cached(sql).expect("sound").execute(params).expect("written");
            };
            for edited in page {
                let (record, at) = (edited.number as i64, (edited.hlc >> 16) as i64);
                for merged in decide(&transaction, self.layout, edited) {
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
                let digest = params![ORIGIN, edited.remote, edited.raw, edited.canonical];
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
        self.file.then(|| disk(&self.database))
    }

    fn compact(&mut self) {
        self.database.execute_batch("VACUUM").expect("compacted");
    }
}

/// Bytes of the file, with the log emptied into it.
pub fn disk(database: &Connection) -> Disk {
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("written");
    let sum = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("readable") as u64;
    Disk {
        all: sum("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"),
        journal: sum("SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE name IN ('journal', 'history')"),
        rows: sum(
            "SELECT SUM(payload) FROM dbstat WHERE name NOT IN ('journal', 'history') AND pagetype <> 'internal'",
        ),
    }
}
