//! Syncline itself: whole rows come in, of which it finds out what changed.

use crate::peer::{Disk, Peer};
use crate::world::{Edits, Rows, World};
use syncline::engine::Pass;
use syncline::model::Digest;
use syncline::store::TableStats;

pub struct Engine {
    pub world: World,
    name: &'static str,
    stores: &'static str,
    next: (Vec<usize>, Vec<Rows>),
}

impl Engine {
    pub fn in_memory(world: World) -> Self {
        let stores =
            "registers and sides, digest, recent past, outbox, a journal entry a merge (not chained), cursor, counters";
        Self { world, name: "Syncline, MemoryView", stores, next: Default::default() }
    }

    pub fn on_file(world: World) -> Self {
        let stores = "body, digest, recent past, outbox + due row; a chained journal row a merge, a history row a record; cursor, counters";
        Self { world, name: "Syncline, Store on a file", stores, next: Default::default() }
    }
}

impl Peer for Engine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn stores(&self) -> &'static str {
        self.stores
    }

    fn prepare(&mut self, a_commit: usize, most: usize) {
        self.next = self.world.edit(a_commit, most);
    }

    fn merge(&mut self, _: usize) {
        self.world.read("crm", Pass::Changes, &self.next.1, |_| ());
    }

    fn settle(&mut self) {
        let (numbers, _) = std::mem::take(&mut self.next);
        self.world.settle(&numbers);
    }

    fn edits(&self) -> &Edits {
        &self.world.edits
    }

    fn values(&mut self) -> Digest {
        self.world.values()
    }

    fn disk(&mut self) -> Option<Disk> {
        let sizes = self.world.mirror.sizes()?;
        let journal = |name: &str| ["journal", "history", "runs"].iter().any(|its| name.starts_with(its));
        let (journal, rest): (Vec<_>, Vec<_>) = sizes.tables.iter().partition(|table| journal(table.name));
        let mut tables: Vec<_> = sizes.tables.iter().collect();
        tables.sort_by_key(|table| std::cmp::Reverse(table.stored_bytes));
        let size = |table: &&TableStats| (table.name.to_owned(), table.stored_bytes, table.unused_bytes);
        Some(Disk {
            all: sizes.file_bytes?,
            journal: journal.iter().map(|table| table.stored_bytes + table.unused_bytes).sum(),
            rows: rest.iter().map(|table| table.stored_bytes).sum(),
            tables: tables.iter().take(7).map(size).collect(),
        })
    }

    fn compact(&mut self) {
        self.world.mirror.compact();
    }
}
