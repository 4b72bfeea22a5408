//! One digest of all that the mirror holds to be true: what it depends on, and nothing else, is what a rebuilt one must have.
//!
//! Of each record its name, its registers with their stamps, and where it stands: system, object, remote id, and whether it takes
//! part. Not what its sides show apart from that, nor of its recent past, nor how or in which order any of it came to be there.

use super::{Stand, ViewError};
use crate::model::{Digest, EntityId, Origin, Record, RecordId, Register, Side, SideState};
use blake3::Hasher;
use std::cmp::Ordering;

type Seen<T> = Result<T, ViewError>;

/// The digest of one entity's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Records in it.
    pub records: u64,
    /// Over all of them.
    pub digest: Digest,
}

/// The root of records that ascend by id, one at a time.
///
/// # Errors
/// A record cannot be read.
pub fn root(records: impl IntoIterator<Item = Seen<Record>>) -> Seen<Root> {
    let (mut hasher, mut bytes, mut count) = (Hasher::new_derive_key(CONTEXT), Vec::with_capacity(512), 0);
    let mut last = None;
    for record in records {
        let record = record?;
        debug_assert!(last < Some(record.id), "records must ascend");
        last = Some(record.id);
        bytes.clear();
        put(&record, &mut bytes);
        hasher.update(&bytes);
        count += 1;
    }
    Ok(Root { records: count, digest: truncated(&hasher) })
}

/// The root of all entities.
pub fn root_of_all(roots: impl IntoIterator<Item = (EntityId, Root)>) -> Digest {
    let mut roots: Vec<(EntityId, Root)> = roots.into_iter().collect();
    roots.sort_by_key(|(entity, _)| *entity);
    let mut hasher = Hasher::new_derive_key(CONTEXT);
    for (entity, root) in roots {
        hasher.update(&entity.0.to_be_bytes());
        hasher.update(&root.digest.0);
    }
    truncated(&hasher)
}

/// The first records in which two mirrors differ, both ascending by id: one has it otherwise, or alone.
///
/// # Errors
/// A record cannot be read.
pub fn differing(
    a: impl IntoIterator<Item = Seen<Record>>,
    b: impl IntoIterator<Item = Seen<Record>>,
    limit: usize,
) -> Seen<Vec<RecordId>> {
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    let mut found = Vec::new();
    let (mut left, mut right) = (a.next().transpose()?, b.next().transpose()?);
    while found.len() < limit {
        let order = match (&left, &right) {
            (Some(left), Some(right)) => left.id.cmp(&right.id),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let same = order == Ordering::Equal && left.as_ref().zip(right.as_ref()).is_some_and(|(a, b)| is_same(a, b));
        let id = if order == Ordering::Greater { &right } else { &left }.as_ref().map(|record| record.id);
        found.extend(id.filter(|_| !same));
        if order != Ordering::Greater {
            left = a.next().transpose()?;
        }
        if order != Ordering::Less {
            right = b.next().transpose()?;
        }
    }
    Ok(found)
}

/// Do two records count as the same in a root?
fn is_same(a: &Record, b: &Record) -> bool {
    let sides = || a.sides.len() == b.sides.len() && a.sides.iter().zip(&b.sides).all(|(a, b)| stands_as(a, b));
    a.id == b.id && a.registers == b.registers && sides()
}

/// Do two sides stand for the same, and in the same way?
pub(super) fn stands_as(a: &Side, b: &Side) -> bool {
    (a.system, a.object, a.state) == (b.system, b.object, b.state) && a.remote == b.remote
}

impl Stand {
    /// Of a side.
    pub fn of(side: &Side) -> Self {
        Self { system: side.system, object: side.object, remote: side.remote.clone(), state: side.state }
    }
}

/// A record's bytes; each part says how long it is, so that they can follow each other.
fn put(record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(&record.id.0);
    out.extend_from_slice(&(record.registers.len() as u64).to_be_bytes());
    for Register { field, reg } in &record.registers {
        out.extend_from_slice(&field.0.to_be_bytes());
        reg.val.canonical_bytes(out);
        out.extend_from_slice(&reg.marker.hlc.to_bits().to_be_bytes());
        match reg.marker.origin {
            Origin::Engine => out.push(0),
            Origin::System(system) => {
                out.push(1);
                out.extend_from_slice(&system.0.to_be_bytes());
            }
            Origin::Operator => out.push(2),
        }
    }
    out.extend_from_slice(&(record.sides.len() as u64).to_be_bytes());
    for side in &record.sides {
        out.extend_from_slice(&side.system.0.to_be_bytes());
        out.extend_from_slice(&side.object.0.to_be_bytes());
        out.push(match side.state {
            SideState::Live => 0,
            SideState::Creating => 1,
            SideState::Detached => 2,
            SideState::Frozen => 3,
            SideState::Outside => 4,
        });
        let remote = side.remote.as_str().as_bytes();
        out.extend_from_slice(&(remote.len() as u64).to_be_bytes());
        out.extend_from_slice(remote);
    }
}

fn truncated(hasher: &Hasher) -> Digest {
    let mut digest = Digest::default();
    digest.0.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

const CONTEXT: &str = "syncline 2026 mirror root";
