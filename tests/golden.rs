//! The stored forms are frozen: what this program writes is what the files hold, and it reads them back.
//!
//! A change that makes these tests fail makes old stores unreadable. Raise the version of the type and write a migration;
//! only before the first release run them with `UPDATE_GOLDEN=1`, which writes the files and the fuzzer's seeds anew.

use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use syncline::engine::*;
use syncline::merge::*;
use syncline::model::*;
use syncline::store::Stored;

const HUBSPOT: SystemId = SystemId(0x0102_0304);
const SALESFORCE: SystemId = SystemId(0xfffe_fdfc);
const NOW: Millis = Millis(1_772_359_200_123);

fn stamp(tick: u64, origin: Origin) -> Stamp {
    Stamp { hlc: Hlc::from_bits(Hlc::at(NOW).to_bits() + tick), origin }
}

fn remote() -> RemoteId {
    RemoteId::parse("0035g00000XyZabAAB").unwrap()
}

fn place() -> Place {
    Place { time: NOW, position: Some(70_000) }
}

fn values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Bool(true),
        Value::Int(-70_000),
        Value::Decimal(Decimal::parse("-12.50").unwrap()),
        Value::Text("Zoë\nline".into()),
        Value::Date(-1),
        Value::DateTime(NOW.0),
        Value::Enum("won".into()),
        Value::Set(vec!["a".into(), "b".into()]),
        Value::Ref(RecordId([0xab; 16])),
        Value::group([Value::Null, Value::Text("Bonn".into()), Value::Int(53_113)]),
    ]
}

/// What is stored of them under their names.
fn bodies() -> Vec<(&'static str, Body)> {
    records().into_iter().map(|(name, record)| (name, Body::from(record))).collect()
}

fn records() -> Vec<(&'static str, Record)> {
    let empty = Record::new(RecordId([1; 16]), EntityId(5));
    let mut full = Record::new(RecordId([0xcd; 16]), EntityId(u32::MAX));
    for (n, value) in (0u32..).zip(values()) {
        // Some share a stamp, and not only with their neighbour.
        let origin = if n % 2 == 0 { Origin::Engine } else { Origin::System(HUBSPOT) };
        full.set(FieldId(n * 100), value, stamp(u64::from(n / 4), origin));
    }
    let differs = |field, apart| Differs {
        field: FieldId(field),
        shown: Value::Text("x".into()),
        apart,
        wanted: (apart == Some(Apart::Split)).then_some(Value::Int(1)),
    };
    full.put_side(Side {
        system: HUBSPOT,
        object: ObjectId(9),
        remote: RemoteId::parse("51").unwrap(),
        state: SideState::Live,
        settled: place(),
        made: NOW,
        unbased: vec![FieldId(100), FieldId(300)],
        differs: vec![
            differs(0, None),
            differs(1, Some(Apart::Split)),
            differs(2, Some(Apart::Review)),
            differs(3, Some(Apart::Parked { until: Millis(-1) })),
            differs(5, Some(Apart::OneWay)),
        ],
    });
    full.put_side(Side {
        system: SALESFORCE,
        object: ObjectId(250),
        remote: remote(),
        state: SideState::Detached,
        settled: Place::at(Millis::MIN),
        made: Millis::MIN,
        unbased: vec![],
        differs: vec![],
    });
    let mut scoped = Record::new(RecordId([1; 16]), EntityId(3));
    for (system, state) in [(HUBSPOT, SideState::Frozen), (SALESFORCE, SideState::Outside)] {
        let (object, remote, settled) = (ObjectId(250), remote(), Place::at(Millis::MIN));
        let (unbased, differs) = (vec![], vec![]);
        scoped.put_side(Side { system, object, remote, state, settled, made: Millis::MIN, unbased, differs });
    }
    vec![("empty", empty), ("full", full), ("scoped", scoped)]
}

fn latelys() -> Vec<(&'static str, Lately)> {
    let flight = |state| Flight {
        op: OpId(300),
        value: Value::Text("v".into()),
        stamp: stamp(1, Origin::System(SALESFORCE)),
        turn: Turn(2),
        left: NOW.plus(2),
        sent: NOW,
        state,
        deadline: NOW.plus(1),
    };
    let edit = Edit { value: Value::Int(1), place: place(), since: Some(Millis(5)) };
    let mut side = SideLately {
        edited: Some(Place::at(NOW)),
        flight: Some(Box::new(flight(FlightState::Answered(NOW)))),
        strays: vec![Stray { op: OpId(1), value: Value::Null, turn: Turn(1), sent: NOW, until: NOW.plus(9) }],
        ours: vec![Own { place: place(), until: NOW, over: Value::Null, value: Value::Bool(false) }],
        waiting: vec![edit.clone(), Edit { since: None, ..edit.clone() }],
        ..SideLately::default()
    };
    for (kind, turn) in [(EntryKind::Write, 1), (EntryKind::Edit, 2), (EntryKind::Closing, 300)] {
        side.enter(Entry { place: place(), turn: Turn(turn), kind });
    }
    let other = |state| SideLately { flight: Some(Box::new(flight(state))), ..SideLately::default() };
    let full = Lately {
        reads: vec![(HUBSPOT, NOW), (SALESFORCE, Millis(0))],
        fields: vec![
            FieldLately {
                field: FieldId(1),
                turn: Turn(3),
                recent: vec![Taken { system: HUBSPOT, edit, base: Turn(1), turn: Turn(3) }],
                sides: vec![(HUBSPOT, side), (SALESFORCE, other(FlightState::Sent))],
            },
            FieldLately {
                field: FieldId(2),
                turn: Turn(0),
                recent: vec![],
                sides: vec![(HUBSPOT, SideLately::default()), (SALESFORCE, other(FlightState::Unknown(NOW)))],
            },
        ],
        past: vec![],
        answered: vec![],
    };
    let past = vec![(FieldId(2), vec![(Turn(0), Value::Null), (Turn(300), Value::Set(vec!["a".into()]))])];
    let three_way = Lately { past, ..full.clone() };
    let answered = vec![(FieldId(1), vec![(HUBSPOT, NOW), (SALESFORCE, NOW)])];
    let quarrel = Lately { answered, ..full.clone() };
    vec![("empty", Lately::default()), ("full", full), ("three_way", three_way), ("quarrel", quarrel)]
}

fn outbox_rows() -> Vec<(&'static str, OutboxRow)> {
    let seen = Millis(-3);
    let row = OutboxRow {
        object: ObjectId(4),
        due: NOW,
        task: Task::Create,
        seen,
        looked: Some(NOW),
        probe: Some(OpId(2)),
        flying: None,
        attempts: 0,
    };
    let flying =
        OutboxRow { due: Millis(i64::MAX), task: Task::Update, flying: Some(OpId(u64::MAX)), attempts: 251, ..row };
    let deleting = OutboxRow { task: Task::Delete, looked: None, probe: None, ..row };
    vec![("waiting", row), ("flying", flying), ("deleting", deleting)]
}

fn happenings() -> Vec<Happening> {
    let settled = |by| Happening::Settled { system: SALESFORCE, op: OpId(70_000), field: FieldId(3), by };
    let value = |rule: Option<&str>, from: Value, to: Value| Happening::Value {
        field: FieldId(3),
        from,
        to,
        stamp: stamp(1, Origin::System(HUBSPOT)),
        system: HUBSPOT,
        place: place(),
        rule: rule.map(str::to_owned),
        who: rule.map(|_| "userId:42".to_owned()),
    };
    vec![
        Happening::Page { system: HUBSPOT, rows: 100, mirrored: 60, linked: 40 },
        Happening::Mirrored { system: SALESFORCE, remote: remote() },
        Happening::Linked { system: SALESFORCE, remote: remote(), by: Some(FieldId(1)) },
        Happening::Linked { system: SALESFORCE, remote: remote(), by: None },
        Happening::Ambiguous { system: HUBSPOT, remote: remote(), by: FieldId(1) },
        Happening::LinkDecided {
            field: FieldId(2),
            from: Value::Null,
            to: Value::Text("a".into()),
            other: Value::Null,
            system: HUBSPOT,
            split: true,
            over: vec![(HUBSPOT, Value::Bool(true))],
        },
        value(None, Value::Null, Value::Enum("new".into())),
        value(Some("latest"), Value::Int(1), Value::Int(2)),
        Happening::Lost {
            field: FieldId(3),
            value: Value::Text("lost".into()),
            system: SALESFORCE,
            place: Place::at(NOW),
            rule: "prefer hubspot".into(),
            who: Some("0055g00000XyZabAAB".into()),
        },
        Happening::Sent { system: HUBSPOT, op: OpId(1), fields: vec![FieldId(1), FieldId(2)], create: false },
        settled(SettledBy::Answer),
        settled(SettledBy::Mark),
        settled(SettledBy::Value),
        settled(SettledBy::Covered),
        settled(SettledBy::EqualSave),
        settled(SettledBy::Late),
        settled(SettledBy::Guessed),
        Happening::Refused { system: HUBSPOT, op: OpId(2), code: "VALIDATION_ERROR".into() },
        Happening::Alarm { system: SALESFORCE, field: FieldId(9), place: place() },
        Happening::Detached { system: HUBSPOT, remote: remote() },
        Happening::Remapped {
            dropped: vec![FieldId(4)],
            rebound: vec![(Home { system: HUBSPOT, object: ObjectId(6) }, FieldId(5))],
        },
        Happening::LeftScope { system: HUBSPOT, remote: remote() },
        Happening::Returned { system: HUBSPOT, remote: remote() },
        Happening::Began { what: "run".into(), config: Digest::of_bytes(b"golden") },
        Happening::Filled {
            field: FieldId(2),
            from: Value::Null,
            to: Value::Text("555".into()),
            stamp: stamp(1, Origin::Operator),
        },
        Happening::Parted { field: FieldId(2), system: HUBSPOT, value: Value::Text("x".into()) },
        Happening::DeleteDue { system: SALESFORCE, remote: remote(), from: HUBSPOT },
        Happening::DeleteDropped { system: SALESFORCE, why: Keeping::Edited },
        Happening::DeleteDropped { system: SALESFORCE, why: Keeping::Restored },
        Happening::DeleteDropped { system: SALESFORCE, why: Keeping::Rules },
        Happening::DeleteSent { system: SALESFORCE, op: OpId(3), remote: remote() },
        Happening::Deleted { system: SALESFORCE, op: OpId(3), remote: remote() },
        Happening::Merged { system: HUBSPOT, remote: remote(), into: remote(), record: RecordId([0xee; 16]) },
        Happening::Forgotten { sides: vec![(HUBSPOT, remote()), (SALESFORCE, remote())] },
        Happening::Review {
            field: FieldId(2),
            version: 70_000,
            values: vec![(HUBSPOT, Value::Null), (SALESFORCE, Value::Int(7))],
        },
        Happening::Ignored {
            system: SALESFORCE,
            field: Some(FieldId(2)),
            code: "TOO_LONG".into(),
            reason: "known to the org".into(),
        },
        Happening::Heeded { system: SALESFORCE, field: None, code: "TOO_LONG".into() },
        Happening::First {
            values: vec![(FieldId(2), Value::Text("Ann".into()), stamp(1, Origin::Engine))],
            sides: vec![stand(SideState::Live)],
        },
        Happening::Rest {
            records: vec![
                (RecordId([0xaa; 16]), Rest::Gone),
                (
                    RecordId([0xbb; 16]),
                    Rest::Changed {
                        registers: vec![
                            (FieldId(1), Now::Value(Value::Null, stamp(1, Origin::Engine))),
                            (FieldId(2), Now::Stamp(stamp(2, Origin::Operator))),
                            (FieldId(3), Now::Nothing),
                        ],
                        sides: vec![(HUBSPOT, None), (SALESFORCE, Some(stand(SideState::Detached)))],
                    },
                ),
            ],
        },
        Happening::Converted { system: SALESFORCE, remote: remote(), object: ObjectId(3), into: remote() },
    ]
}

fn stand(state: SideState) -> Stand {
    Stand { system: SALESFORCE, object: ObjectId(6), remote: remote(), state }
}

/// Names a sample. A variant without an arm does not compile: give it one, and a sample above.
fn name(what: &Happening) -> &'static str {
    match what {
        Happening::Page { .. } => "page",
        Happening::Mirrored { .. } => "mirrored",
        Happening::Linked { by: Some(_), .. } => "linked by a key",
        Happening::Linked { by: None, .. } => "linked by our id",
        Happening::Ambiguous { .. } => "ambiguous",
        Happening::LinkDecided { .. } => "link decided",
        Happening::Value { rule: None, .. } => "value",
        Happening::Value { rule: Some(_), .. } => "value by a rule",
        Happening::Lost { .. } => "lost",
        Happening::Sent { .. } => "sent",
        Happening::Settled { by, .. } => match by {
            SettledBy::Answer => "settled by answer",
            SettledBy::Mark => "settled by mark",
            SettledBy::Value => "settled by value",
            SettledBy::Covered => "settled by covered",
            SettledBy::EqualSave => "settled by equal save",
            SettledBy::Late => "settled by late",
            SettledBy::Guessed => "settled by a guess",
        },
        Happening::Refused { .. } => "refused",
        Happening::Alarm { .. } => "alarm",
        Happening::Detached { .. } => "detached",
        Happening::Remapped { .. } => "remapped",
        Happening::LeftScope { .. } => "left the scope",
        Happening::Returned { .. } => "returned",
        Happening::Began { .. } => "began",
        Happening::Filled { .. } => "filled",
        Happening::Parted { .. } => "parted",
        Happening::DeleteDue { .. } => "delete due",
        Happening::DeleteDropped { why, .. } => match why {
            Keeping::Edited => "delete dropped for an edit",
            Keeping::Restored => "delete dropped, restored",
            Keeping::Rules => "delete dropped by the rules",
        },
        Happening::DeleteSent { .. } => "delete sent",
        Happening::Deleted { .. } => "deleted",
        Happening::Merged { .. } => "merged",
        Happening::Forgotten { .. } => "forgotten",
        Happening::Review { .. } => "review",
        Happening::Ignored { .. } => "ignored",
        Happening::Heeded { .. } => "heeded",
        Happening::First { .. } => "first values",
        Happening::Rest { .. } => "rest",
        Happening::Converted { .. } => "converted",
    }
}

fn entries() -> Vec<(&'static str, JournalEntry)> {
    let entry = |what: Happening| {
        let begun = matches!(what, Happening::Began { .. });
        let whole =
            begun || matches!(what, Happening::Page { .. } | Happening::Remapped { .. } | Happening::Rest { .. });
        let (run, cause) = (Run(7), if begun { Cause::Begin } else { Cause::Operator });
        let (entity, record) = ((!begun).then_some(EntityId(5)), (!whole).then_some(RecordId([0xcd; 16])));
        (name(&what), JournalEntry { at: NOW, run, cause, entity, record, what })
    };
    happenings().into_iter().map(entry).collect()
}

fn schemas() -> Vec<(&'static str, SeenSchema)> {
    use PropertyType::*;
    let kinds = [Text, Number, Bool, Date, DateTime, Enumeration, MultiEnumeration, Reference, Other];
    let property = |(at, kind): (usize, PropertyType)| PropertySchema {
        name: format!("p{at}"),
        label: "Zoë".into(),
        kind,
        writable: at % 2 == 0,
        required: at % 3 == 0,
        unique: at == 0,
        length: (at == 0).then_some(65_536),
        precision: (at == 1).then_some(18),
        scale: (at == 1).then_some(2),
        options: if at == 5 { vec!["a".into(), "b".into()] } else { vec![] },
        refers_to: if at == 7 { vec!["Account".into()] } else { vec![] },
        choices: if at == 5 { vec![("a".into(), "A".into())] } else { vec![] },
    };
    let properties = kinds.into_iter().enumerate().map(property).collect();
    let empty = ObjectSchema { object: "contacts".into(), properties: vec![] };
    vec![
        ("empty", SeenSchema::new(NOW, empty)),
        ("full", SeenSchema::new(NOW, ObjectSchema { object: "Contact".into(), properties })),
    ]
}

/// Compares samples with the file of their type, one `name: hex` a line.
fn golden<T: Stored + PartialEq + Debug>(file: &str, samples: Vec<(&'static str, T)>) {
    let path = data().join("golden").join(format!("{file}.hex"));
    let mut written = String::new();
    for (name, value) in &samples {
        let mut bytes = Vec::new();
        value.put(&mut bytes);
        writeln!(written, "{name}: {}", hex(&bytes)).unwrap();
        if updating() {
            let seed = format!("{file}-{}", name.replace(' ', "-"));
            let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/codec");
            std::fs::create_dir_all(&seeds).unwrap();
            std::fs::write(seeds.join(seed), bytes).unwrap();
        }
    }
    if updating() {
        std::fs::write(&path, &written).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for ((frozen, written), (name, value)) in frozen.lines().zip(written.lines()).zip(&samples) {
        assert_eq!(frozen, written, "the stored form of {file}, {name}, has changed");
        let (_, bytes) = frozen.rsplit_once(' ').unwrap();
        assert_eq!(T::get(&unhex(bytes)).as_ref(), Ok(value), "{file}, {name}");
    }
    assert_eq!(frozen.lines().count(), samples.len(), "{file}: samples were added or removed");
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn stored_forms_are_frozen() {
    golden("record", bodies());
    golden("lately", latelys());
    golden("outbox_row", outbox_rows());
    golden("reread_row", vec![("row", RereadRow { due: NOW, known: NOW, since: NOW, attempts: 300 })]);
    let problem = Problem {
        since: NOW,
        code: "FIELD_CUSTOM_VALIDATION_EXCEPTION".into(),
        message: "a rule of the org refused it".into(),
        fields: vec!["Email".into(), "Phone".into()],
    };
    golden("problem", vec![("problem", problem)]);
    let ignored = Ignored { at: NOW, run: Run(7), reason: "known to the org".into() };
    golden("ignored", vec![("ignored", ignored)]);
    golden("meta", vec![("meta", Meta { last_op: 70_000, now_max: NOW, run: Run(300), last_run: Run(301) })]);
    golden("journal_entry", entries());
    golden("schema", schemas());
    let side = |system, value, place| ReviewSide { system, value, place };
    let sides = vec![side(HUBSPOT, Value::Text("a".into()), Some(place())), side(SALESFORCE, Value::Null, None)];
    let open = Review { version: 70_000, since: NOW, expires: None, sides };
    let lapsing = Review { expires: Some(NOW.plus(1)), sides: vec![], ..open.clone() };
    golden("review", vec![("open", open), ("lapsing", lapsing)]);
    let digest = |canonical| DigestRow { raw: RawDigest(0x0102_0304_0506_0708), canonical };
    let ties = |label: &str| Value::ties([Tied { to: RecordId([0xab; 16]), label: label.to_owned() }]);
    let mut tied = Record::new(RecordId([2; 16]), EntityId(5));
    tied.set(FieldId(1), ties(""), stamp(1, Origin::Engine));
    tied.set(FieldId(2), ties("boss"), stamp(2, Origin::System(HUBSPOT)));
    golden("ties", vec![("record", Body::from(tied))]);
    let rows = vec![("takes_part", digest(None)), ("outside", digest(Some(Digest::of_bytes(b"golden"))))];
    golden("digest_row", rows);
}

/// The way out of the frozen crate: another one writes the same bytes, so that it can be replaced without a migration.
mod another_crate {
    use super::*;
    use wincode::config::Configuration;
    use wincode::{SchemaRead, SchemaWrite};

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    struct OutboxMirror {
        object: u32,
        due: i64,
        create: bool,
        seen: i64,
        looked: Option<i64>,
        probe: Option<u64>,
        flying: Option<u64>,
        attempts: u32,
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    struct ProblemMirror {
        since: i64,
        code: String,
        message: String,
        fields: Vec<String>,
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    enum ValueMirror {
        Null,
        Bool(bool),
        Int(i64),
        Decimal([u8; 16]),
        Text(String),
        Date(i32),
        DateTime(i64),
        Enum(String),
        Set(Vec<String>),
        Ref([u8; 16]),
        Group(Vec<MemberMirror>),
        Refs(Vec<([u8; 16], String)>),
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    enum MemberMirror {
        Null,
        Bool(bool),
        Int(i64),
        Decimal([u8; 16]),
        Text(String),
    }

    #[derive(SchemaWrite, SchemaRead, Debug, Clone, PartialEq)]
    enum OriginMirror {
        Engine,
        System(u32),
        Operator,
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    enum ApartMirror {
        Split,
        Review,
        Parked { until: i64 },
        OneWay,
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    enum StateMirror {
        Live,
        Creating,
        Detached,
        Frozen,
        Outside,
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    struct SideMirror {
        system: [u8; 4],
        object: [u8; 4],
        remote: String,
        state: StateMirror,
        settled: (i64, Option<u64>),
        made: Option<i64>,
        unbased: Vec<u32>,
        differs: Vec<(u32, ValueMirror, Option<ApartMirror>, Option<ValueMirror>)>,
    }

    #[derive(SchemaWrite, SchemaRead, Debug, PartialEq)]
    struct RecordMirror {
        stamps: Vec<(u64, OriginMirror)>,
        others: Vec<(u32, u32)>,
        registers: Vec<([u8; 4], ValueMirror)>,
        sides: Vec<SideMirror>,
    }

    fn value(value: &Value) -> ValueMirror {
        match value.clone() {
            Value::Null => ValueMirror::Null,
            Value::Bool(value) => ValueMirror::Bool(value),
            Value::Int(value) => ValueMirror::Int(value),
            Value::Decimal(_) => {
                // Its 16 bytes are not public: behind the version byte and the tag.
                let bytes = syncline::codec::encode(1, value);
                ValueMirror::Decimal(bytes[2..].try_into().unwrap())
            }
            Value::Text(value) => ValueMirror::Text(value.into()),
            Value::Date(value) => ValueMirror::Date(value),
            Value::DateTime(value) => ValueMirror::DateTime(value),
            Value::Enum(value) => ValueMirror::Enum(value.into()),
            Value::Set(values) => ValueMirror::Set(values),
            Value::Ref(id) => ValueMirror::Ref(id.0),
            Value::Group(members) => ValueMirror::Group(members.values().iter().map(member).collect()),
            Value::Refs(ties) => ValueMirror::Refs(ties.into_iter().map(|tied| (tied.to.0, tied.label)).collect()),
        }
    }

    fn member(value: &Value) -> MemberMirror {
        match value {
            Value::Null => MemberMirror::Null,
            Value::Text(text) => MemberMirror::Text(text.clone().into()),
            Value::Int(number) => MemberMirror::Int(*number),
            other => panic!("{other}"),
        }
    }

    fn record(record: &Body) -> RecordMirror {
        let stamp = |register: &Register| {
            let origin = match register.reg.marker.origin {
                Origin::Engine => OriginMirror::Engine,
                Origin::System(system) => OriginMirror::System(system.0),
                Origin::Operator => OriginMirror::Operator,
            };
            (register.reg.marker.hlc.to_bits(), origin)
        };
        let each: Vec<(u64, OriginMirror)> = record.registers.iter().map(stamp).collect();
        let mut stamps: Vec<(u64, OriginMirror)> = Vec::new();
        let mut left: Vec<usize> = (0..each.len()).collect();
        // That which most have, then the next.
        while let Some(next) =
            left.iter().copied().rev().max_by_key(|at| each.iter().filter(|of| **of == each[*at]).count())
        {
            left.retain(|at| each[*at] != each[next]);
            stamps.push(each[next].clone());
        }
        let place = |of: &(u64, OriginMirror)| stamps.iter().position(|stamp| stamp == of).unwrap() as u32;
        let others = (0..).zip(&each).map(|(at, of)| (at, place(of))).filter(|(_, place)| *place > 0).collect();
        let registers = record.registers.iter();
        let registers = registers.map(|register| (register.field.0.to_be_bytes(), value(&register.reg.val))).collect();
        let sides = record.sides.iter().map(|side| SideMirror {
            system: side.system.0.to_be_bytes(),
            object: side.object.0.to_be_bytes(),
            remote: side.remote.as_str().into(),
            state: match side.state {
                SideState::Live => StateMirror::Live,
                SideState::Creating => StateMirror::Creating,
                SideState::Detached => StateMirror::Detached,
                SideState::Frozen => StateMirror::Frozen,
                SideState::Outside => StateMirror::Outside,
            },
            settled: (side.settled.time.0, side.settled.position),
            made: (side.made != Millis::MIN).then_some(side.made.0),
            unbased: side.unbased.iter().map(|field| field.0).collect(),
            differs: side
                .differs
                .iter()
                .map(|differs| {
                    let apart = differs.apart.map(|apart| match apart {
                        Apart::Split => ApartMirror::Split,
                        Apart::Review => ApartMirror::Review,
                        Apart::Parked { until } => ApartMirror::Parked { until: until.0 },
                        Apart::OneWay => ApartMirror::OneWay,
                    });
                    (differs.field.0, value(&differs.shown), apart, differs.wanted.as_ref().map(value))
                })
                .collect(),
        });
        RecordMirror { stamps, others, registers, sides: sides.collect() }
    }

    macro_rules! same {
        ($stored:expr, $mirror:expr, $type:ty) => {{
            let mut ours = Vec::new();
            $stored.put(&mut ours);
            let config = Configuration::default().with_varint_encoding();
            let mirror: $type = $mirror;
            let theirs = wincode::config::serialize(&mirror, config).unwrap();
            assert_eq!(hex(&ours[1..]), hex(&theirs), "{:?}", $stored);
            let back: $type = wincode::config::deserialize_exact(&ours[1..], config).unwrap();
            assert_eq!(back, mirror);
        }};
    }

    #[test]
    fn writes_the_same_bytes() {
        for (_, row) in outbox_rows().into_iter().filter(|(_, row)| !row.is_delete()) {
            let mirror = OutboxMirror {
                object: row.object.0,
                due: row.due.0,
                create: row.is_create(),
                seen: row.seen.0,
                looked: row.looked.map(|at| at.0),
                probe: row.probe.map(|op| op.0),
                flying: row.flying.map(|op| op.0),
                attempts: row.attempts,
            };
            same!(row, mirror, OutboxMirror);
        }
        for length in [0, 1, 250, 251, 65_535, 65_536] {
            let text = "é".repeat(length);
            let problem = Problem {
                since: Millis(-251),
                code: text.clone(),
                message: "m".into(),
                fields: vec!["f".into(); length],
            };
            let mirror = ProblemMirror {
                since: problem.since.0,
                code: text,
                message: problem.message.clone(),
                fields: problem.fields.clone(),
            };
            same!(problem, mirror, ProblemMirror);
        }
        for number in [0, 1, -1, 125, -126, 251, 65_535, 65_536, i64::from(u32::MAX), i64::MIN, i64::MAX] {
            let run = Run(number as u32);
            let meta = Meta { last_op: number as u64, now_max: Millis(number), run, last_run: Run(7) };
            same!(meta, (number as u64, number, run.0, 7), (u64, i64, u32, u32));
        }
        for (_, sample) in bodies() {
            same!(sample, record(&sample), RecordMirror);
        }
    }
}
