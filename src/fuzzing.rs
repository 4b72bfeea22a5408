//! What the fuzzers run, and what a test replays over the saved inputs: each takes any bytes, and panics if what it stands for
//! does not hold.

use crate::engine::{DigestRow, JournalEntry, Meta, OutboxRow, Problem, RereadRow};
use crate::merge::Lately;
use crate::model::{Body, EntityId, FieldId, Hlc, Origin, Record, RecordId, SeenSchema, Stamp, SystemId, Value};
use crate::store::Stored;
use crdts::CvRDT;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Reads bytes as every stored type: damage is an error, never a panic; what can be read survives being written again.
///
/// # Panics
/// If that does not hold.
pub fn codec(bytes: &[u8]) {
    round::<Body>(bytes);
    round::<Lately>(bytes);
    round::<OutboxRow>(bytes);
    round::<RereadRow>(bytes);
    round::<Problem>(bytes);
    round::<JournalEntry>(bytes);
    round::<Meta>(bytes);
    round::<DigestRow>(bytes);
    round::<SeenSchema>(bytes);
}

fn round<T: Stored + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = T::get(bytes) {
        let mut again = Vec::new();
        value.put(&mut again);
        assert_eq!(T::get(&again).as_ref(), Ok(&value), "written as {again:02x?}");
    }
}

/// Bytes as the edits of three replicas, four bytes an edit: registers join in any order, any number of times, to the newest of all.
///
/// # Panics
/// If that does not hold.
pub fn join(bytes: &[u8]) {
    let mut replicas: [Record; 3] = std::array::from_fn(|_| Record::new(RecordId([7; 16]), EntityId(1)));
    let mut newest: BTreeMap<FieldId, (Stamp, Value)> = BTreeMap::new();
    for edit in bytes.chunks_exact(4).take(64) {
        let (replica, field) = (&mut replicas[usize::from(edit[0] % 3)], FieldId(u32::from(edit[1] % 4) + 1));
        let origin = match edit[2] % 4 {
            0 => Origin::Engine,
            1 => Origin::Operator,
            n => Origin::System(SystemId(u32::from(n))),
        };
        let stamp = Stamp { hlc: Hlc::from_bits(u64::from(edit[3])), origin };
        // A stamp is minted once, so it stands for one value.
        let value = Value::Text(format!("{stamp:?}").into());
        if replica.register(field).is_none_or(|register| stamp > register.marker) {
            replica.set(field, value.clone(), stamp);
        }
        let entry = newest.entry(field).or_insert((stamp, value.clone()));
        *entry = entry.clone().max((stamp, value));
    }
    let [a, b, c] = &replicas;
    let joined = |parts: &[&Record]| {
        let mut whole = parts[0].clone();
        for part in &parts[1..] {
            assert!(whole.validate_merge(part).is_ok(), "copies of one record join: {whole:?} {part:?}");
            whole.merge((*part).clone());
        }
        whole
    };
    let whole = joined(&[a, b, c]);
    for order in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
        assert_eq!(joined(&order), whole, "the order of joining decides");
    }
    assert_eq!(joined(&[a, &joined(&[b, c])]), whole, "what was joined first decides");
    assert_eq!(joined(&[&whole, a, &whole, b, b, c]), whole, "joining again changes something");
    let held: BTreeMap<FieldId, (Stamp, Value)> = whole
        .registers
        .iter()
        .map(|register| (register.field, (register.reg.marker, register.reg.val.clone())))
        .collect();
    assert_eq!(held, newest, "not the newest of all");
}

/// Any text as a config: what is wrong is told with its place and a mend; what is read is read the same again.
///
/// # Panics
/// If that does not hold.
#[cfg(feature = "config")]
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parse = || crate::rules::config::parse(text, std::path::Path::new("syncline.toml"));
    match parse() {
        Ok(config) => {
            let again = parse().map(|again| again.rules.fingerprint());
            assert_eq!(again.ok(), Some(config.rules.fingerprint()), "the same text is another mapping");
        }
        Err(errors) => {
            assert!(!errors.errors.is_empty(), "refused without a reason");
            for error in &errors.errors {
                assert!(!error.message.is_empty() && !error.mend.is_empty(), "{error:?} does not help");
                let lines = text.lines().count().max(1) + 1;
                assert!(
                    error.place.as_ref().is_none_or(|place| (1..=lines).contains(&place.line)),
                    "{error:?} is nowhere"
                );
            }
            assert!(!errors.to_string().is_empty());
        }
    }
}

/// Bytes as the choices of a history: people, a lossy network, crashes. The first three say which systems and rules it has.
///
/// # Panics
/// If the sides end apart or without rest, a record is made twice or comes back, or an edit is lost where every side tells its edits.
#[cfg(feature = "sim")]
pub fn ingest(bytes: &[u8]) {
    use crate::sim::{Options, Policy, Sources, Violation, run_bytes};
    let [systems, policy, sources, choices @ ..] = bytes else { return };
    let policy = Policy::ALL[usize::from(*policy) % Policy::ALL.len()];
    let sources = Sources::ALL[usize::from(*sources) % Sources::ALL.len()];
    let options = Options::new(0, 2 + usize::from(systems % 2), policy, sources);
    let violation = run_bytes(options, choices).violation;
    // The known limits of sides that are only polled, and of a late landing after an agreement.
    let known = matches!(violation, Some(Violation::Lost | Violation::Mistaken));
    let exact = matches!(sources, Sources::Streams | Sources::Histories);
    assert!(violation.is_none() || known && !exact, "{violation:?} by {options:?}");
}
