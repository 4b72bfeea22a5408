//! The journal's chain: each row carries a digest over the one before it and its own bytes, so that what was changed or left out
//! afterwards shows.
//!
//! It has no key: who can write the file can also make a new chain. Whoever wants proof against that notes the newest link
//! elsewhere from time to time; `audit verify` prints it.

use super::error::{StoreError, failed};
use super::read::Snapshot;
use super::tables::{Stored, Table, damaged, read_array};
use crate::codec::CodecError;
use crate::engine::JournalEntry;
use redb::{ReadableTable, WriteTransaction};
use std::ops::Bound;
use std::sync::LazyLock;

/// A link of the chain.
pub(super) type Link = [u8; 16];

/// The end of the chain.
pub(super) struct Chain {
    number: u64,
    link: Link,
}

impl Chain {
    /// As it stands.
    pub fn last(transaction: &WriteTransaction) -> Result<Self, StoreError> {
        let table = transaction.open_table(Table::Journal.definition()).map_err(failed)?;
        match table.last().map_err(failed)? {
            Some((key, value)) => {
                let number = u64::from_be_bytes(read_array(Table::Journal, key.value(), key.value())?);
                Ok(Self { number, link: split(key.value(), value.value())?.0 })
            }
            None => Ok(Self { number: 0, link: Link::default() }),
        }
    }

    /// The number of the entry that was added last.
    pub fn last_number(&self) -> u64 {
        self.number
    }

    /// The number of the entry that is added next.
    pub fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// Adds an entry; returns its link.
    pub fn add(&mut self, entry: &[u8]) -> Link {
        self.number += 1;
        self.link = link(self.link, self.number, entry);
        self.link
    }
}

fn link(before: Link, number: u64, entry: &[u8]) -> Link {
    // What is hashed of the context is hashed once.
    static CONTEXT: LazyLock<blake3::Hasher> =
        LazyLock::new(|| blake3::Hasher::new_derive_key("syncline 2026 journal"));
    let mut lead = [0; 24];
    lead[..16].copy_from_slice(&before);
    lead[16..].copy_from_slice(&number.to_be_bytes());
    let mut hasher = CONTEXT.clone();
    hasher.update(&lead).update(entry);
    let mut link = Link::default();
    link.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    link
}

/// A row of the journal: its link and its entry, unless that was pruned.
pub(super) fn split<'a>(key: &[u8], row: &'a [u8]) -> Result<(Link, Option<&'a [u8]>), StoreError> {
    let (link, entry) =
        row.split_first_chunk().ok_or_else(|| damaged(Table::Journal, key, "it is shorter than a link"))?;
    Ok((*link, (!entry.is_empty()).then_some(entry)))
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// Rows that were looked at.
    pub rows: u64,
    /// Of which only the link is left, since their entries were pruned.
    pub pruned: u64,
    /// The newest link, in hex: noted elsewhere it proves later that nothing before it was changed.
    pub head: String,
    /// The first row that does not follow from the one before it, and why.
    pub broken: Option<(u64, String)>,
}

impl Snapshot {
    /// Walks along the whole chain of the journal.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn check_chain(&self) -> Result<ChainReport, StoreError> {
        let (mut before, mut next) = (Link::default(), 1u64);
        let mut report = ChainReport { rows: 0, pruned: 0, head: String::new(), broken: None };
        for row in self.range(Table::Journal, Bound::Unbounded, Bound::Unbounded)? {
            let (key, row) = row?;
            let number = u64::from_be_bytes(read_array(Table::Journal, key.value(), key.value())?);
            let (found, entry) = split(key.value(), row.value())?;
            report.rows += 1;
            let why = match entry {
                // Rows between two that were pruned may be gone; the link of the last one stays.
                None if number >= next => {
                    report.pruned += 1;
                    None
                }
                _ if number != next => Some(format!("entries {next} to {} are missing", number.saturating_sub(1))),
                Some(entry) if link(before, number, entry) != found => {
                    Some("it was changed, or one before it was".to_owned())
                }
                Some(entry) => readable(entry).err().map(|error| error.to_string()),
                None => Some("its number was given twice".to_owned()),
            };
            if let (Some(why), None) = (why, &report.broken) {
                report.broken = Some((number, why));
            }
            (before, next) = (found, number.saturating_add(1));
        }
        report.head = before.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(report)
    }
}

fn readable(entry: &[u8]) -> Result<(), CodecError> {
    JournalEntry::get(entry).map(|_| ())
}
