//! Keys: big-endian bytes whose order is the order of their parts, so that a range of bytes is a range of meaning.
//!
//! Only the last part of a key may vary in length without a terminator. They are our own bytes, not the library's tuples:
//! no upgrade of a crate can reorder what is stored.

use super::tables::{COUNT, CURSOR};
use crate::engine::{KeyHolder, ProblemPlace};
use crate::model::{EntityId, FieldId, Millis, ObjectId, RecordId, RemoteId, RemoteKey, SystemId};

/// `entity 4 | record 16`
pub(super) fn record(out: &mut Vec<u8>, entity: EntityId, id: RecordId) {
    out.extend_from_slice(&entity.0.to_be_bytes());
    out.extend_from_slice(&id.0);
}

/// `entity 4`: beginning of an entity's records.
pub(super) fn entity(out: &mut Vec<u8>, entity: EntityId) {
    out.extend_from_slice(&entity.0.to_be_bytes());
}

/// `1 | name`: a cursor's place among what is small.
pub(super) fn cursor(out: &mut Vec<u8>, name: &str) {
    out.push(CURSOR);
    out.extend_from_slice(name.as_bytes());
}

/// `2 | what | entity 4`: a count's place among what is small.
pub(super) fn count(out: &mut Vec<u8>, what: u8, of: EntityId) {
    out.extend_from_slice(&[COUNT, what]);
    entity(out, of);
}

/// [`record`] `| number 8`: an entry of the journal that is of a record.
pub(super) fn history(out: &mut Vec<u8>, (entity, id): (EntityId, RecordId), number: u64) {
    record(out, entity, id);
    out.extend_from_slice(&number.to_be_bytes());
}

/// `entity 4 | system 4 | object 4 | remote id`
pub(super) fn remote(out: &mut Vec<u8>, key: &RemoteKey) {
    place(out, key.entity, key.system, key.object);
    out.extend_from_slice(key.remote.as_str().as_bytes());
}

/// `entity 4 | system 4 | object 4`: beginning of an object's remote records.
pub(super) fn place(out: &mut Vec<u8>, entity: EntityId, system: SystemId, object: ObjectId) {
    out.extend_from_slice(&entity.0.to_be_bytes());
    out.extend_from_slice(&system.0.to_be_bytes());
    out.extend_from_slice(&object.0.to_be_bytes());
}

/// `entity 4 | match key, escaped | 0 0`: beginning of a match key's holders.
///
/// A zero byte within the key becomes `0 ff`, so the terminator cannot occur in it, and sorts before all that goes on.
pub(super) fn holders(out: &mut Vec<u8>, entity: EntityId, key: &[u8]) {
    out.extend_from_slice(&entity.0.to_be_bytes());
    for &byte in key {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// [`holders`] `| system 4 | record 16`
pub(super) fn holder(out: &mut Vec<u8>, entity: EntityId, key: &[u8], holder: &KeyHolder) {
    holders(out, entity, key);
    out.extend_from_slice(&holder.system.0.to_be_bytes());
    out.extend_from_slice(&holder.record.0);
}

/// `system 4 | entity 4 | record 16`
pub(super) fn outbox(out: &mut Vec<u8>, system: SystemId, entity: EntityId, record: RecordId) {
    out.extend_from_slice(&system.0.to_be_bytes());
    out.extend_from_slice(&entity.0.to_be_bytes());
    out.extend_from_slice(&record.0);
}

/// `0 | system 4 | entity 4`: beginning of a pair's waiting rows; the time and the record follow.
pub(super) fn outbox_waiting(out: &mut Vec<u8>, system: SystemId, entity: EntityId) {
    out.push(WAITING);
    out.extend_from_slice(&system.0.to_be_bytes());
    out.extend_from_slice(&entity.0.to_be_bytes());
}

/// `0 | system 4 | entity 4 | due 8 | record 16` while it waits, `1 | system 4 | entity 4 | 0 8 | record 16` in flight.
///
/// `pair` is an [`outbox`] key.
pub(super) fn outbox_due(out: &mut Vec<u8>, pair: &[u8], due: Option<Millis>) {
    let (front, record) = pair.split_at(8.min(pair.len()));
    out.push(if due.is_some() { WAITING } else { FLYING });
    out.extend_from_slice(front);
    out.extend_from_slice(&due.map_or([0; 8], time));
    out.extend_from_slice(record);
}

/// `1`: beginning of the rows in flight.
pub(super) const FLYING: u8 = 1;
const WAITING: u8 = 0;

/// `system 4 | entity 4`: beginning of a pair's reread rows; the time and the rest follow.
pub(super) fn reread_pair(out: &mut Vec<u8>, system: SystemId, entity: EntityId) {
    out.extend_from_slice(&system.0.to_be_bytes());
    out.extend_from_slice(&entity.0.to_be_bytes());
}

/// `system 4 | entity 4 | due 8 | object 4 | remote id`; `key` is a [`remote`] key.
pub(super) fn reread_due(out: &mut Vec<u8>, key: &[u8], due: Millis) {
    let (entity, rest) = key.split_at(4.min(key.len()));
    let (system, rest) = rest.split_at(4.min(rest.len()));
    out.extend_from_slice(system);
    out.extend_from_slice(entity);
    out.extend_from_slice(&time(due));
    out.extend_from_slice(rest);
}

/// `entity 4 | record 16 | system 4`
pub(super) fn problem(out: &mut Vec<u8>, entity: EntityId, id: RecordId, system: SystemId) {
    record(out, entity, id);
    out.extend_from_slice(&system.0.to_be_bytes());
}

/// `entity 4 | record 16 | system 4 | field 4`
pub(super) fn field_problem(out: &mut Vec<u8>, entity: EntityId, id: RecordId, system: SystemId, field: FieldId) {
    problem(out, entity, id, system);
    out.extend_from_slice(&field.0.to_be_bytes());
}

/// A [`problem`] or a [`field_problem`] key.
pub(super) fn problem_place(out: &mut Vec<u8>, place: ProblemPlace) {
    let ProblemPlace { entity, record, system, field } = place;
    match field {
        Some(field) => field_problem(out, entity, record, system, field),
        None => problem(out, entity, record, system),
    }
}

/// `entity 4 | record 16 | field 4`
pub(super) fn record_field(out: &mut Vec<u8>, entity: EntityId, id: RecordId, field: FieldId) {
    record(out, entity, id);
    out.extend_from_slice(&field.0.to_be_bytes());
}

/// What a system says of one of its objects.
pub(super) fn schema(system: SystemId, object: ObjectId) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&system.0.to_be_bytes());
    key[4..].copy_from_slice(&object.0.to_be_bytes());
    key
}

/// The order of the bytes is the order of the times, also of those before 1970.
pub(super) fn time(time: Millis) -> [u8; 8] {
    (time.0 as u64 ^ (1 << 63)).to_be_bytes()
}

/// The smallest key greater than all that begin with `prefix`; none = the prefix is all ff.
pub(super) fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let at = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut next = prefix[..=at].to_vec();
    next[at] += 1;
    Some(next)
}

/// The parts of a [`problem`] or a [`field_problem`] key.
pub(super) fn problem_parts(parts: &mut Parts<'_>) -> Option<(EntityId, RecordId, SystemId, Option<FieldId>)> {
    let of = (parts.entity()?, parts.record()?, parts.system()?);
    let field = if parts.more() { Some(parts.field()?) } else { None };
    Some((of.0, of.1, of.2, field))
}

/// Takes a key apart; every answer is none where the bytes do not suffice.
pub(super) struct Parts<'a>(pub &'a [u8]);

impl Parts<'_> {
    pub(super) fn field(&mut self) -> Option<FieldId> {
        self.array().map(u32::from_be_bytes).map(FieldId)
    }

    /// Is there anything left?
    pub(super) fn more(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn entity(&mut self) -> Option<EntityId> {
        self.array().map(u32::from_be_bytes).map(EntityId)
    }

    pub(super) fn system(&mut self) -> Option<SystemId> {
        self.array().map(u32::from_be_bytes).map(SystemId)
    }

    pub(super) fn object(&mut self) -> Option<ObjectId> {
        self.array().map(u32::from_be_bytes).map(ObjectId)
    }

    pub(super) fn record(&mut self) -> Option<RecordId> {
        self.array().map(RecordId)
    }

    pub(super) fn time(&mut self) -> Option<Millis> {
        self.array().map(|bytes| Millis((u64::from_be_bytes(bytes) ^ (1 << 63)) as i64))
    }

    /// The rest, which is a remote id.
    pub(super) fn remote(&mut self) -> Option<RemoteId> {
        let text = std::str::from_utf8(std::mem::take(&mut self.0)).ok()?;
        RemoteId::parse(text)
    }

    /// Nothing left?
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    /// Few distinct values, so that equal leading parts are common; the extremes among them.
    fn id() -> impl Strategy<Value = u32> {
        prop_oneof![Just(0), Just(u32::MAX), 0u32..3, any::<u32>()]
    }

    fn record_id() -> impl Strategy<Value = RecordId> {
        prop_oneof![Just([0; 16]), Just([0xff; 16]), any::<[u8; 16]>()].prop_map(RecordId)
    }

    fn when() -> impl Strategy<Value = Millis> {
        prop_oneof![Just(i64::MIN), Just(i64::MAX), -2i64..2, any::<i64>()].prop_map(Millis)
    }

    fn remote_key() -> impl Strategy<Value = RemoteKey> {
        (id(), id(), id(), "[!0a~]{1,4}").prop_map(|(entity, system, object, remote)| RemoteKey {
            entity: EntityId(entity),
            system: SystemId(system),
            object: ObjectId(object),
            remote: RemoteId::parse(&remote).unwrap(),
        })
    }

    fn key_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xfe), Just(0xff)], 0..5)
    }

    fn holding() -> impl Strategy<Value = (EntityId, Vec<u8>, KeyHolder)> {
        (id(), key_bytes(), id(), record_id()).prop_map(|(entity, key, system, record)| {
            (EntityId(entity), key, KeyHolder { system: SystemId(system), record })
        })
    }

    fn pair() -> impl Strategy<Value = (SystemId, EntityId, RecordId)> {
        (id(), id(), record_id()).prop_map(|(system, entity, record)| (SystemId(system), EntityId(entity), record))
    }

    proptest! {
        #[test]
        fn keys_order_as_their_parts(
            a in remote_key(), b in remote_key(),
            h in holding(), i in holding(),
            p in pair(), q in pair(),
            t in when(), u in when(),
        ) {
            let remote = |key: &RemoteKey| bytes(|out| super::remote(out, key));
            prop_assert_eq!(remote(&a).cmp(&remote(&b)), a.cmp(&b));

            let holder = |(entity, key, holder): &(_, Vec<u8>, _)| {
                bytes(|out| super::holder(out, *entity, key, holder))
            };
            prop_assert_eq!(holder(&h).cmp(&holder(&i)), h.cmp(&i));

            let outbox = |(system, entity, record)| bytes(|out| super::outbox(out, system, entity, record));
            prop_assert_eq!(outbox(p).cmp(&outbox(q)), p.cmp(&q));

            let problem = |(system, entity, record)| bytes(|out| super::problem(out, entity, record, system));
            prop_assert_eq!(problem(p).cmp(&problem(q)), (p.1, p.2, p.0).cmp(&(q.1, q.2, q.0)));

            // A record's own problem comes before those of its fields.
            let of_field = |(system, entity, record), field| {
                bytes(|out| field_problem(out, entity, record, system, FieldId(field)))
            };
            prop_assert_eq!(of_field(p, 7).cmp(&of_field(q, 8)), (p.1, p.2, p.0, 7).cmp(&(q.1, q.2, q.0, 8)));
            prop_assert!(problem(p) < of_field(p, 0));
            let (system, entity, record) = p;
            prop_assert_eq!(problem_parts(&mut Parts(&problem(p))), Some((entity, record, system, None)));
            let field = Some(FieldId(7));
            prop_assert_eq!(problem_parts(&mut Parts(&of_field(p, 7))), Some((entity, record, system, field)));

            let due = |pair, time| bytes(|out| outbox_due(out, &outbox(pair), Some(time)));
            prop_assert_eq!(due(p, t).cmp(&due(q, u)), (p.0, p.1, t, p.2).cmp(&(q.0, q.1, u, q.2)));
            prop_assert!(due(p, t) < bytes(|out| outbox_due(out, &outbox(q), None)));

            let due = |key: &RemoteKey, time| bytes(|out| reread_due(out, &remote(key), time));
            let order = |key: &RemoteKey, time| (key.system, key.entity, time, key.object, key.remote.clone());
            prop_assert_eq!(due(&a, t).cmp(&due(&b, u)), order(&a, t).cmp(&order(&b, u)));
        }

        #[test]
        fn a_prefix_holds_exactly_its_own(h in holding(), i in holding()) {
            let prefix = bytes(|out| holders(out, h.0, &h.1));
            let other = bytes(|out| holder(out, i.0, &i.1, &i.2));
            let within = other >= prefix && after(&prefix).is_none_or(|end| other < end);
            prop_assert_eq!(within, (h.0, &h.1) == (i.0, &i.1));
        }

        #[test]
        fn keys_come_apart_again(key in remote_key(), time in when()) {
            let bytes = bytes(|out| { remote(out, &key); });
            let mut due = Vec::new();
            reread_due(&mut due, &bytes, time);
            let mut parts = Parts(&due);
            prop_assert_eq!(parts.system(), Some(key.system));
            prop_assert_eq!(parts.entity(), Some(key.entity));
            prop_assert_eq!(parts.time(), Some(time));
            prop_assert_eq!(parts.object(), Some(key.object));
            prop_assert_eq!(parts.remote(), Some(key.remote));
            prop_assert_eq!(parts.end(), Some(()));
            prop_assert_eq!(parts.record(), None);
        }
    }
}
