//! Changes from a world small enough that they meet.
#![allow(dead_code)]

use proptest::prelude::*;
use std::sync::Arc;
use syncline::engine::*;
use syncline::merge::{EntryKind, FieldLately, Lately, SideLately, Turn};
use syncline::model::*;

pub const ENTITIES: [EntityId; 3] = [EntityId(0), EntityId(7), EntityId(u32::MAX)];
pub const SYSTEMS: [SystemId; 2] = [SystemId(1), SystemId(0xff00_0000)];
pub const OBJECTS: [ObjectId; 2] = [ObjectId(3), ObjectId(u32::MAX)];
pub const CURSORS: [&str; 3] = ["", "a", "hubspot/contacts"];

pub fn record_id(n: u8) -> RecordId {
    RecordId(match n {
        0 => [0; 16],
        1 => [0xff; 16],
        n => [n; 16],
    })
}

pub fn remote_id(n: u8) -> RemoteId {
    let text = ["1", "10", "2", "003A000001abcdEFGH", "~", "!", "~~", "500", "1000", "z"];
    RemoteId::parse(text[usize::from(n) % text.len()]).unwrap()
}

pub fn match_key(n: u8) -> Vec<u8> {
    let keys: [&[u8]; 6] = [b"", b"\0", b"a", b"a\0", b"a\0\xff", b"\xff\xff"];
    keys[usize::from(n) % keys.len()].to_vec()
}

fn entity() -> impl Strategy<Value = EntityId> {
    prop::sample::select(&ENTITIES[..])
}

fn system() -> impl Strategy<Value = SystemId> {
    prop::sample::select(&SYSTEMS[..])
}

fn record() -> impl Strategy<Value = RecordId> {
    (0u8..8).prop_map(record_id)
}

pub fn remote_key() -> impl Strategy<Value = RemoteKey> {
    (entity(), system(), prop::sample::select(&OBJECTS[..]), 0u8..10)
        .prop_map(|(entity, system, object, n)| RemoteKey { entity, system, object, remote: remote_id(n) })
}

pub fn holder() -> impl Strategy<Value = KeyHolder> {
    (system(), record()).prop_map(|(system, record)| KeyHolder { system, record })
}

fn due() -> impl Strategy<Value = Millis> {
    prop_oneof![Just(i64::MIN), -3i64..6, Just(i64::MAX)].prop_map(Millis)
}

fn body() -> impl Strategy<Value = Record> {
    (entity(), record(), 0u32..4, "[a-z\\PC]{0,12}").prop_map(|(entity, id, fields, text)| {
        let mut record = Record::new(id, entity);
        for field in 0..fields {
            let stamp = Stamp { hlc: Hlc::from_bits(u64::from(field) + 1), origin: Origin::Engine };
            record.set(FieldId(field), Value::Text(text.clone().into()), stamp);
        }
        record
    })
}

fn lately() -> impl Strategy<Value = Lately> {
    (0u32..4, due()).prop_map(|(turn, at)| {
        let mut side = SideLately::default();
        side.enter(syncline::merge::Entry { place: Place::at(at), turn: Turn(turn), kind: EntryKind::Edit });
        let field =
            FieldLately { field: FieldId(1), turn: Turn(turn), recent: Vec::new(), sides: vec![(SYSTEMS[0], side)] };
        Lately { fields: vec![field], ..Lately::default() }
    })
}

pub fn change() -> impl Strategy<Value = Change> {
    let digest = (any::<u64>(), any::<Option<[u8; 16]>>())
        .prop_map(|(raw, canonical)| DigestRow { raw: RawDigest(raw), canonical: canonical.map(Digest) });
    let task = prop_oneof![Just(Task::Update), Just(Task::Create), Just(Task::Delete)];
    let outbox = (due(), task, any::<bool>(), 0u32..3).prop_map(|(due, task, flying, attempts)| OutboxRow {
        object: ObjectId(attempts),
        due,
        task,
        seen: Millis(5),
        looked: None,
        probe: None,
        flying: flying.then_some(OpId(9)),
        attempts,
    });
    let problem = "[A-Z]{1,4}".prop_map(|code| {
        Box::new(Problem { since: Millis(1), code, message: "refused".into(), fields: vec!["email".into()] })
    });
    let reread = (due(), 0u32..3).prop_map(|(due, attempts)| RereadRow { due, known: due, since: due, attempts });
    let entry = (entity(), prop::option::of(record()), 0u32..9).prop_map(|(entity, record, rows)| JournalEntry {
        at: Millis(i64::from(rows)),
        run: Run(rows),
        cause: Cause::Poll,
        entity: Some(entity),
        record,
        what: Happening::Page { system: SYSTEMS[0], rows, mirrored: 0, linked: 0 },
    });
    prop_oneof![
        4 => body().prop_map(|record| Change::PutRecord(Arc::new(record))),
        1 => (entity(), record()).prop_map(|(entity, id)| Change::RemoveRecord(entity, id)),
        3 => (entity(), record(), prop::option::of(lately()))
            .prop_map(|(entity, id, lately)| Change::SetLately(entity, id, lately.map(Arc::new))),
        6 => (remote_key(), prop::option::weighted(0.7, digest)).prop_map(|(key, row)| Change::SetDigest(key, row)),
        3 => (remote_key(), prop::option::weighted(0.7, record())).prop_map(|(key, id)| Change::SetIndex(key, id)),
        3 => (entity(), 0u8..6, holder()).prop_map(|(entity, key, holder)| Change::AddKey(entity, match_key(key), holder)),
        2 => (entity(), 0u8..6, holder())
            .prop_map(|(entity, key, holder)| Change::RemoveKey(entity, match_key(key), holder)),
        6 => (system(), entity(), record(), prop::option::weighted(0.7, outbox))
            .prop_map(|(system, entity, record, row)| Change::SetOutbox(system, entity, record, row)),
        5 => (remote_key(), prop::option::weighted(0.7, reread)).prop_map(|(key, row)| Change::SetReread(key, row)),
        2 => (entity(), record(), system(), prop::option::weighted(0.7, problem.clone()))
            .prop_map(|(entity, record, system, problem)| Change::SetProblem(entity, record, system, problem)),
        2 => (entity(), record(), system(), 0u32..3, prop::option::weighted(0.7, problem)).prop_map(
            |(entity, record, system, field, problem)| {
                Change::SetFieldProblem(entity, record, system, FieldId(field), problem)
            }
        ),
        2 => (entity(), record(), 0u32..3, prop::option::weighted(0.7, 0u64..4)).prop_map(
            |(entity, record, field, version)| {
                let side = ReviewSide { system: SYSTEMS[0], value: Value::Null, place: None };
                let review = |version| Review { version, since: Millis(1), expires: None, sides: vec![side] };
                Change::SetReview(entity, record, FieldId(field), version.map(review).map(Box::new))
            }
        ),
        2 => (entity(), record(), system(), prop::option::of(0u32..3), prop::option::weighted(0.7, 0u32..4)).prop_map(
            |(entity, record, system, field, run)| {
                let place = ProblemPlace { entity, record, system, field: field.map(FieldId) };
                let ignored = |run| Ignored { at: Millis(1), run: Run(run), reason: "known".into() };
                Change::SetIgnored(place, run.map(ignored).map(Box::new))
            }
        ),
        1 => (prop::sample::select(&CURSORS[..]), prop::option::of(prop::collection::vec(any::<u8>(), 0..4)))
            .prop_map(|(name, bytes)| Change::SetCursor(name.into(), bytes)),
        1 => (any::<u64>(), due()).prop_map(|(last_op, now_max)| Change::SetMeta(Meta { last_op, now_max, run: Run(1), last_run: Run(2) })),
        2 => entry.prop_map(|entry| Change::Journal(Box::new(entry))),
    ]
}

/// Every question that can be asked of two views has one answer.
pub fn assert_equal(a: &dyn View, b: &dyn View) {
    assert_eq!(a.meta(), b.meta());
    assert_eq!(a.outbox_flying(), b.outbox_flying());
    assert_eq!(a.reread_len(), b.reread_len());
    assert_eq!(a.problems_len(), b.problems_len());
    assert_eq!(a.ignored_len(), b.ignored_len());
    for limit in [0, 1, 3, usize::MAX] {
        assert_eq!(a.problems(limit), b.problems(limit));
        assert_eq!(a.reviews(limit), b.reviews(limit));
    }
    for name in CURSORS {
        assert_eq!(a.cursor(name), b.cursor(name));
    }
    for entity in ENTITIES {
        assert_eq!(root(mirror_records(a, entity)), root(mirror_records(b, entity)));
        assert_eq!(a.outbox_len(entity), b.outbox_len(entity));
        for key in 0..6 {
            assert_eq!(a.keys(entity, &match_key(key)), b.keys(entity, &match_key(key)));
        }
        for n in 0..8 {
            let id = record_id(n);
            assert_eq!(a.record(entity, id), b.record(entity, id));
            assert_eq!(a.lately(entity, id), b.lately(entity, id));
            assert_eq!(a.reviews_of(entity, id), b.reviews_of(entity, id));
            for system in SYSTEMS {
                assert_eq!(a.outbox(system, entity, id), b.outbox(system, entity, id));
                assert_eq!(a.problem(entity, id, system), b.problem(entity, id, system));
                assert_eq!(a.field_problems(entity, id), b.field_problems(entity, id));
                for field in [None, Some(0), Some(1), Some(2)] {
                    let place = ProblemPlace { entity, record: id, system, field: field.map(FieldId) };
                    assert_eq!(a.ignored(place), b.ignored(place));
                }
            }
        }
        for after in (0..8).map(|n| Some(record_id(n))).chain([None]) {
            for limit in [0, 2, usize::MAX] {
                assert_eq!(a.record_scan(entity, after, limit), b.record_scan(entity, after, limit));
                assert_eq!(a.lately_scan(entity, after, limit), b.lately_scan(entity, after, limit));
            }
        }
        for system in SYSTEMS {
            for now in [i64::MIN, -1, 0, 3, i64::MAX].map(Millis) {
                for limit in [0, 1, 3, usize::MAX] {
                    assert_eq!(a.outbox_due(system, entity, now, limit), b.outbox_due(system, entity, now, limit));
                    assert_eq!(a.reread_due(system, entity, now, limit), b.reread_due(system, entity, now, limit));
                }
            }
            for object in OBJECTS {
                let mut ids: Vec<RemoteId> = (0..10).map(remote_id).collect();
                ids.sort();
                let (all, some): (Vec<_>, Vec<_>) = (ids.iter().collect(), ids.iter().step_by(4).collect());
                for ids in [all, some, vec![]] {
                    assert_eq!(a.digests(entity, system, object, &ids), b.digests(entity, system, object, &ids));
                }
                for remote in ids {
                    let key = RemoteKey { entity, system, object, remote };
                    assert_eq!(a.index(&key), b.index(&key));
                    assert_eq!(a.reread(&key), b.reread(&key));
                }
            }
        }
    }
}
