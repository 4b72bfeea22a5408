//! One digest of all that the mirror holds to be true: what it depends on, and nothing else, is what a rebuilt one must have.
//!
//! Of each record its name, its registers with their stamps, and where it stands: system, object, remote id, and whether it takes
//! part. Not what its sides show apart from that, nor of its recent past, nor how or in which order any of it came to be there.
//!
//! It is made of a [`leaf`] a record, and they are added up: whoever kept them need only look at the records that have moved since.
//! A sum finds what went wrong, not what somebody has forged; against that the journal's chain stands.

use super::{Happening, JournalEntry, Stand, ViewError};
use crate::model::{Digest, EntityId, Origin, Record, RecordId, Register, Side, SideState};
use blake3::Hasher;
use std::cmp::Ordering;

type Seen<T> = Result<T, ViewError>;

/// What one entity's records come to. Equal content gives equal roots, in whichever order it came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Root {
    /// Records in it.
    pub records: u64,
    /// Their leaves, added up.
    pub sum: u128,
}

impl Root {
    /// A record comes in.
    pub fn add(&mut self, leaf: Digest) {
        self.records += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(leaf.0));
    }

    /// A record that is in it goes.
    pub fn take(&mut self, leaf: Digest) {
        self.records = self.records.saturating_sub(1);
        self.sum = self.sum.wrapping_sub(u128::from_be_bytes(leaf.0));
    }

    /// One digest of it.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new_derive_key(CONTEXT);
        hasher.update(&self.records.to_be_bytes());
        hasher.update(&self.sum.to_be_bytes());
        truncated(&hasher)
    }
}

/// The root of some records.
///
/// # Errors
/// A record cannot be read.
pub fn root(records: impl IntoIterator<Item = Seen<Record>>) -> Seen<Root> {
    let (mut root, mut bytes) = (Root::default(), Vec::with_capacity(512));
    for record in records {
        root.add(leaf(&record?, &mut bytes));
    }
    Ok(root)
}

/// The digest of a record; `bytes` is where it is put together.
pub fn leaf(record: &Record, bytes: &mut Vec<u8>) -> Digest {
    bytes.clear();
    put(record, bytes);
    Digest::of_bytes(bytes)
}

/// Which records a journal entry has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// These.
    These(EntityId, Vec<RecordId>),
    /// Some of a page of a first reading, which the journal does not name.
    Unnamed,
}

impl Moved {
    /// By an entry; every record that was moved is in one of a step's entries.
    pub fn by(entry: &JournalEntry) -> Option<Self> {
        match (&entry.what, entry.entity, entry.record) {
            (Happening::Page { mirrored: 1.., .. }, ..) => Some(Self::Unnamed),
            (Happening::Rest { records }, Some(entity), _) => {
                Some(Self::These(entity, records.iter().map(|(id, _)| *id).collect()))
            }
            (what, Some(entity), Some(id)) if super::rebuild::tells(what) => Some(Self::These(entity, vec![id])),
            _ => None,
        }
    }
}

/// The root of all entities.
pub fn root_of_all(roots: impl IntoIterator<Item = (EntityId, Root)>) -> Digest {
    let mut roots: Vec<(EntityId, Root)> = roots.into_iter().collect();
    roots.sort_by_key(|(entity, _)| *entity);
    let mut hasher = Hasher::new_derive_key(CONTEXT);
    for (entity, root) in roots {
        hasher.update(&entity.0.to_be_bytes());
        hasher.update(&root.digest().0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Apart, Differs, FieldId, Hlc, Millis, ObjectId, Place, RemoteId, Stamp, SystemId, Value};

    fn stamp(tick: u64) -> Stamp {
        Stamp { hlc: Hlc::from_bits(tick), origin: Origin::Engine }
    }

    fn record(id: u8) -> Record {
        let mut record = Record::new(RecordId([id; 16]), EntityId(1));
        record.set(FieldId(1), Value::Text("Ann".into()), stamp(7));
        record.set(FieldId(2), Value::Null, stamp(8));
        for system in [SystemId(1), SystemId(2)] {
            record.put_side(Side {
                system,
                object: ObjectId(3),
                remote: RemoteId::parse("77").unwrap(),
                state: SideState::Live,
                settled: Place::at(Millis(5)),
                made: Millis::MIN,
                unbased: Vec::new(),
                differs: Vec::new(),
            });
        }
        record
    }

    fn digest(records: &[Record]) -> Digest {
        root(records.iter().cloned().map(Ok)).unwrap().digest()
    }

    #[test]
    fn all_that_is_true_counts_and_nothing_else() {
        let before = [record(1), record(2)];
        type Moves = fn(&mut Record);
        let counts: [(&str, Moves); 9] = [
            ("name", |record| record.id = RecordId([3; 16])),
            ("value", |record| record.set(FieldId(1), Value::Text("Bob".into()), stamp(9))),
            ("stamp", |record| record.set(FieldId(1), Value::Text("Ann".into()), stamp(9))),
            ("origin", |record| record.registers[0].reg.marker.origin = Origin::Operator),
            ("register", |record| drop(record.registers.pop())),
            ("side", |record| drop(record.sides.pop())),
            ("object", |record| record.sides[1].object = ObjectId(4)),
            ("remote", |record| record.sides[1].remote = RemoteId::parse("78").unwrap()),
            ("state", |record| record.sides[1].state = SideState::Frozen),
        ];
        for (what, moves) in counts {
            let mut after = before.clone();
            moves(&mut after[1]);
            assert_ne!(digest(&before), digest(&after), "{what}");
            let found = differing(before.clone().map(Ok), after.clone().map(Ok), 9).unwrap();
            assert_eq!(found.first(), Some(&before[1].id), "{what}");
        }
        let mut after = before.clone();
        let side = &mut after[0].sides[0];
        (side.settled, side.made) = (Place::at(Millis(9)), Millis(3));
        side.unbased.push(FieldId(2));
        side.differs.push(Differs { field: FieldId(1), shown: Value::Null, apart: Some(Apart::Split), wanted: None });
        assert_eq!(digest(&before), digest(&after));
        assert_eq!(differing(before.map(Ok), after.map(Ok), 9), Ok(vec![]));
    }

    #[test]
    fn what_has_moved_is_taken_out_and_put_in_again() {
        let (mut bytes, before) = (Vec::new(), [record(1), record(2), record(3)]);
        let mut after = before.clone();
        after[1].set(FieldId(1), Value::Text("Bob".into()), stamp(9));
        let mut kept = root(before.iter().cloned().map(Ok)).unwrap();
        kept.take(leaf(&before[1], &mut bytes));
        kept.add(leaf(&after[1], &mut bytes));
        kept.take(leaf(&before[0], &mut bytes));
        // In whichever order they are added.
        assert_eq!(Ok(kept), root([after[2].clone(), after[1].clone()].map(Ok)));
    }

    #[test]
    fn who_stands_in_one_mirror_only_is_named_and_no_more_than_were_asked_for() {
        let [a, b] = [[1, 3, 4], [2, 3, 5]].map(|ids| ids.map(record));
        let found = |limit| differing(a.clone().map(Ok), b.clone().map(Ok), limit).unwrap();
        let ids = |ids: &[u8]| ids.iter().map(|id| RecordId([*id; 16])).collect::<Vec<_>>();
        assert_eq!(found(9), ids(&[1, 2, 4, 5]));
        assert_eq!(found(2), ids(&[1, 2]));
        assert_ne!(digest(&a[..1]), digest(&a[..2]));
        assert_eq!(root(a.map(Ok)).unwrap().records, 3);
    }
}
