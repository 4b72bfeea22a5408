//! Link fields that another tool keeps, over systems in memory and the real driver: a person of `crm` names its contact in `desk`,
//! whose ids have a checksum.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, id, now, person, put, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, read_digests, remap, verify_offline};
use syncline::engine::{Clocks, Effect, Happening, Input, MemoryView, PageRows, Pass, Reads, View, step};
use syncline::model::{
    EntityId, FieldId, FieldKind, Home, IdForm, Mark, Millis, Raw, RawDigest, RawRow, ReadRow, Record, RemoteId,
    RowDecoder, SystemId, Timing,
};
use syncline::rules::{CreateSpec, EntitySpec, Fault, FieldSpec, LinkFieldSpec, Mapping, OneWayEdits, Rules};
use syncline::store::Store;

/// Ids as `desk` gives them.
const ANN: &str = "003xx000004TmiQAAS";
const BOB: &str = "0035g00000AbCdEAAV";
const EVE: &str = "003000000000001AAA";

fn linked(entity: EntitySpec) -> EntitySpec {
    let field = FieldSpec::new("desk_id", FieldKind::Text).at("crm", "desk_id");
    let link = LinkFieldSpec::new("desk_id", "desk").object("people").ids(IdForm::Checked);
    entity.field(field.one_way("crm", OneWayEdits::default())).named_by("crm", link)
}

fn rules(entity: EntitySpec) -> Rules {
    let ability = Memory::new(now).ability().clone();
    Rules::builder().system("crm", ability.clone()).system("desk", ability).entity(entity).build().unwrap()
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Option<Driver>,
}

/// (crm, desk) of each record, the codes of what is listed, and by what each link was found.
type Found = (Vec<(String, String)>, Vec<String>, Vec<Option<&'static str>>);

impl Case {
    fn new(entity: EntitySpec) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let connectors = connectors(&crm, &desk);
        Self { crm, desk, rules: rules(entity), connectors, driver: None }
    }

    fn crm(&self, remote: &str, fields: &[(&str, &str)]) {
        put(&self.crm, "people", remote, fields);
    }

    fn desk(&self, remote: &str, fields: &[(&str, &str)]) {
        put(&self.desk, "people", remote, fields);
    }

    async fn sync(&mut self) {
        if self.driver.is_none() {
            let store = Store::in_memory(now()).unwrap();
            let mut driver = Driver::new(self.rules.clone(), &self.connectors, store).unwrap();
            driver.backfill().await.unwrap();
            self.driver = Some(driver);
        }
        self.driver.as_mut().unwrap().live(Duration::from_millis(20), true).await.unwrap();
    }

    async fn all(&self, system: &Memory) -> Vec<String> {
        let properties = ["email", "city"].map(str::to_owned).to_vec();
        let spec = ReadSpec { object: "people".into(), properties, external_id: None };
        let page = system.scan(&spec, None).await.unwrap();
        let text = |raw| if let Raw::Text(text) = raw { text } else { String::new().into() };
        let row = |at| page.decoder.decode(at).unwrap().into_iter().map(text).collect::<Vec<_>>().join(" ");
        let mut rows: Vec<String> = (0..page.rows.len()).map(row).collect();
        rows.sort();
        rows
    }

    /// Ends it: every comparable record is equal.
    async fn end(self) -> Found {
        let store = self.driver.unwrap().into_store();
        let rules = Arc::new(self.rules);
        let remotes = read_digests(&rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&rules, &self.connectors, &store, remotes).await.unwrap();
        assert_eq!(verdict["equal"], true, "{verdict}");
        let view = store.snapshot().unwrap();
        let side = |record: &Record, system: &str| {
            let side = record.live_sides().find(|side| side.system == SystemId::of(system));
            side.map(|side| side.remote.to_string()).unwrap_or_default()
        };
        let records = view.record_scan(EntityId::of("person"), None, 100).unwrap();
        let mut sides: Vec<_> = records.iter().map(|record| (side(record, "crm"), side(record, "desk"))).collect();
        sides.sort();
        let mut codes: Vec<String> = view.problems(10).unwrap().into_iter().map(|(_, problem)| problem.code).collect();
        codes.sort();
        let names = ["desk_id", "email"];
        let name = |id: FieldId| names.into_iter().find(|name| FieldId::of(name) == id).unwrap();
        let by = |what| if let Happening::Linked { by, .. } = what { Some(by.map(name)) } else { None };
        let found = view.journal(0, 10_000).unwrap().into_iter().filter_map(|(_, entry)| by(entry.what)).collect();
        (sides, codes, found)
    }
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(crm, desk)| (crm.to_owned(), desk.to_owned())).to_vec()
}

#[test]
fn who_is_named_is_linked_in_either_form_of_his_id_whatever_the_addresses_say() {
    run(async {
        for named in [ANN, &ANN[..15]] {
            let mut case = Case::new(linked(person()));
            case.crm("1", &[("email", "ann@x"), ("desk_id", named), ("city", "Rome")]);
            case.desk(ANN, &[("email", "ann@old")]);
            case.desk(BOB, &[("email", "ann@x")]);
            case.desk(EVE, &[("email", "eve@x")]);
            case.crm("5", &[("email", "eve@x")]);
            case.sync().await;
            let (sides, codes, by) = case.end().await;
            assert_eq!(sides, pairs([("", BOB), ("1", ANN), ("5", EVE)]), "{named}");
            // That somebody else has her address is not passed over in silence, and nobody is created for it.
            assert_eq!(codes, ["AMBIGUOUS_MATCH"], "{named}");
            assert!(by.contains(&Some("desk_id")) && by.contains(&Some("email")) && by.len() == 2, "{by:?}");
        }
    });
}

#[test]
fn what_is_no_id_of_a_record_that_stands_there_links_nobody() {
    run(async {
        for named in ["003xx000004TmiQAAA", "ann", "003000000000009AAA", "001xx000004TmiQAAS", "003xx000004Tmiq"] {
            for later in [false, true] {
                let mut case = Case::new(linked(person()));
                if later {
                    case.sync().await;
                }
                case.crm("1", &[("email", "ann@x"), ("desk_id", named)]);
                case.desk(ANN, &[("email", "other@x")]);
                case.desk(BOB, &[("email", "ann@x")]);
                case.sync().await;
                case.sync().await;
                assert_eq!(case.all(&case.desk).await.len(), 2, "{named}: nobody is created beside");
                let (sides, codes, by) = case.end().await;
                assert!(sides.contains(&("1".to_owned(), BOB.to_owned())), "{named}: {sides:?}");
                assert_eq!(codes, [""; 0], "{named}");
                assert!(!by.contains(&Some("desk_id")), "{named}");
            }
        }
    });
}

#[test]
fn whom_two_name_is_linked_to_neither() {
    run(async {
        let mut case = Case::new(linked(person()));
        case.crm("1", &[("email", "ann@x"), ("desk_id", ANN)]);
        case.crm("2", &[("email", "bob@x"), ("desk_id", &ANN[..15])]);
        case.desk(ANN, &[("email", "ann@x")]);
        case.sync().await;
        assert_eq!((case.all(&case.crm).await.len(), case.all(&case.desk).await.len()), (2, 1));
        // Once it is clear who she is, she is linked, and the one who was not meant is somebody of his own.
        case.crm("2", &[("desk_id", "")]);
        case.sync().await;
        case.sync().await;
        assert_eq!(case.all(&case.desk).await, ["ann@x ", "bob@x "]);
        let (sides, codes, by) = case.end().await;
        assert!(sides.contains(&("1".to_owned(), ANN.to_owned())), "{sides:?}");
        assert_eq!((codes.len(), by[0]), (0, Some("desk_id")));
    });
}

#[test]
fn whom_somebody_else_has_already_is_not_given_away_later() {
    run(async {
        let mut case = Case::new(linked(person()));
        case.crm("1", &[("email", "ann@x")]);
        case.desk(ANN, &[("email", "ann@x")]);
        case.sync().await;
        case.crm("2", &[("email", "new@x"), ("desk_id", ANN)]);
        case.sync().await;
        case.sync().await;
        assert_eq!(case.all(&case.desk).await.len(), 1, "nobody is created while that is unclear");
        let (sides, codes, _) = case.end().await;
        assert_eq!((sides, codes), (pairs([("1", ANN), ("2", "")]), vec!["AMBIGUOUS_MATCH".to_owned()]));
    });
}

#[test]
fn in_the_live_run_whoever_comes_first_waits_for_the_one_he_names() {
    run(async {
        for round in 0..12 {
            let mut case = Case::new(linked(person()));
            case.sync().await;
            let (crm, desk) = (case.crm.clone(), case.desk.clone());
            let enter = std::thread::spawn(move || {
                // Its tool has made the one in the desk, then writes down whom it made.
                put(&desk, "people", ANN, &[("city", "Rome")]);
                std::thread::sleep(Duration::from_millis(round));
                put(&crm, "people", "1", &[("email", "ann@x"), ("desk_id", ANN)]);
            });
            if round % 3 == 0 {
                enter.join().unwrap();
                case.sync().await;
            } else {
                case.sync().await;
                enter.join().unwrap();
                case.sync().await;
            }
            case.sync().await;
            let (crm, desk) = (case.all(&case.crm).await, case.all(&case.desk).await);
            // Unless she was taken for somebody new before anybody named her.
            let (sides, ..) = case.end().await;
            if crm.len() == 1 {
                assert_eq!((desk, sides), (vec!["ann@x Rome".to_owned()], pairs([("1", ANN)])), "round {round}");
            }
            assert!(round % 3 > 0 || crm.len() == 1, "round {round}");
        }
    });
}

/// Decodes the one row of a page.
struct One(Vec<Raw>);

impl RowDecoder for One {
    fn decode(&self, _index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.0.clone())
    }
}

/// The engine by hand.
struct Hand {
    rules: Rules,
    view: MemoryView,
    now: i64,
}

impl Hand {
    fn give(&mut self, input: Input<'_>) -> Vec<Effect> {
        self.now += 1_000;
        let clocks = Clocks { now: Millis(self.now), offsets: Vec::new() };
        let step = step(&self.rules, &self.view, &clocks, input).unwrap();
        self.view.apply(&step.changes);
        step.effects
    }

    fn timing(&self) -> Timing {
        Timing { sent: Millis(self.now), offset: Default::default() }
    }

    /// What is read of a record, in the order of the rules' fields.
    fn raws(&self, system: &str, fields: &[(&str, &str)]) -> Vec<Raw> {
        let properties = self.rules.entities[0].properties_at(Home::of(system, "people"));
        let value = |name: &String| fields.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        properties
            .map(|name| value(name).map_or(Raw::Null, |value| Raw::Text(value.into())))
            .chain([Raw::Null])
            .collect()
    }

    /// A complete listing of changes with one record, or none.
    fn listed(&mut self, system: &str, row: Option<(&str, &[(&str, &str)])>) {
        let raws = row.map(|(_, fields)| self.raws(system, fields)).unwrap_or_default();
        let row = row.map(|(remote, _)| RawRow {
            remote: id(remote),
            modified: Millis(self.now),
            raw: RawDigest::of_bytes(format!("{raws:?}").as_bytes()),
            mark: Mark::Theirs,
            who: None,
        });
        let (rows, timing): (Vec<RawRow>, _) = (row.into_iter().collect(), self.timing());
        self.give(Input::Page(PageRows {
            entity: EntityId::of("person"),
            home: Home::of(system, "people"),
            pass: Pass::Changes,
            rows: &rows,
            decoder: &One(raws),
            timing,
            cursor: None,
            complete: Some(timing),
        }));
    }

    fn work(&mut self, system: &str) -> Vec<Effect> {
        self.give(Input::Work { entity: EntityId::of("person"), system: SystemId::of(system), create: true })
    }

    fn read(&mut self, asked: &RemoteId, fields: Option<&[(&str, &str)]>) {
        let row = fields.map(|fields| ReadRow {
            remote: asked.clone(),
            modified: Millis(self.now),
            mark: Mark::Theirs,
            who: None,
            values: self.raws("desk", fields),
            history: Vec::new(),
        });
        let (entity, home, timing) = (EntityId::of("person"), Home::of("desk", "people"), self.timing());
        let rows = row.into_iter().collect();
        self.give(Input::Read(Reads { entity, home, asked: vec![asked.clone()], rows, timing }));
    }
}

#[test]
fn whom_nobody_has_read_yet_is_asked_for_before_anything_is_made_of_it() {
    for there in [true, false] {
        let mut hand = Hand { rules: rules(linked(person())), view: MemoryView::new(), now: 1_000_000 };
        hand.listed("desk", Some((BOB, &[("email", "ann@x")])));
        hand.listed("crm", None);
        hand.listed("crm", Some(("1", &[("email", "ann@x"), ("desk_id", ANN)])));
        hand.listed("desk", None);
        let effects = hand.work("desk");
        let asks = |effect: &Effect| matches!(effect, Effect::Read { ids, .. } if *ids == [id(ANN)]);
        assert!(matches!(&effects[..], [effect] if asks(effect)), "{effects:?}");
        let sides = |hand: &Hand| {
            let mut all: Vec<usize> = Vec::new();
            for record in hand.view.record_scan(EntityId::of("person"), None, 10).unwrap() {
                all.push(record.live_sides().count());
            }
            all.sort_unstable();
            all
        };
        assert_eq!(sides(&hand), [1, 1], "not linked by the address meanwhile");
        let shown: &[(&str, &str)] = &[("email", "ann@old")];
        hand.read(&id(ANN), there.then_some(shown));
        // Who shares the address only is somebody else then; if nobody is there, the address decides.
        assert_eq!(sides(&hand), if there { vec![1, 2] } else { vec![2] }, "there: {there}");
    }
}

#[test]
fn who_names_one_that_is_not_there_is_created_after_all() {
    run(async {
        let mut case = Case::new(linked(person()));
        case.sync().await;
        case.crm("1", &[("email", "ann@x"), ("city", "Rome"), ("desk_id", ANN)]);
        case.sync().await;
        case.sync().await;
        assert_eq!(case.all(&case.desk).await, ["ann@x Rome"]);
        let (sides, codes, _) = case.end().await;
        assert_eq!((sides.len(), codes.len()), (1, 0));
    });
}

#[test]
fn a_link_that_is_entered_later_links_what_stood_alone() {
    run(async {
        for known in [true, false] {
            let mut case = Case::new(linked(person().create(CreateSpec::Nowhere)));
            case.crm("1", &[("email", "ann@x"), ("city", "Rome")]);
            if known {
                case.desk(ANN, &[("email", "ann@old")]);
            }
            case.sync().await;
            case.desk(ANN, &[("email", "ann@old"), ("stage", "customer")]);
            case.crm("1", &[("desk_id", ANN)]);
            case.sync().await;
            case.sync().await;
            assert_eq!(case.all(&case.desk).await, ["ann@old Rome"], "the addresses stay as they are: a first link");
            let (sides, codes, by) = case.end().await;
            assert_eq!((sides, codes.len()), (pairs([("1", ANN)]), 0), "known: {known}");
            assert_eq!(by, [Some("desk_id")]);
        }
    });
}

#[test]
fn who_was_merged_away_leads_to_the_winner_and_who_was_deleted_to_nobody() {
    run(async {
        let mut case = Case::new(linked(person()).create(CreateSpec::At(vec!["desk".into()])));
        case.desk(ANN, &[("email", "ann@x")]);
        case.desk(BOB, &[("email", "bob@x")]);
        case.desk(EVE, &[("email", "eve@x")]);
        case.sync().await;
        case.desk.merge("people", &id(BOB), &id(ANN));
        case.desk.remove("people", &id(EVE));
        case.sync().await;
        case.crm("1", &[("email", "new@x"), ("desk_id", BOB)]);
        case.crm("5", &[("email", "eva@x"), ("desk_id", EVE)]);
        case.sync().await;
        case.sync().await;
        assert_eq!(case.all(&case.desk).await, ["ann@x ", "eva@x "], "an address each, and one new");
        let (sides, codes, by) = case.end().await;
        assert!(sides.contains(&("1".to_owned(), ANN.to_owned())), "{sides:?}");
        assert_eq!((codes.len(), by.iter().filter(|by| **by == Some("desk_id")).count()), (0, 1));
    });
}

#[test]
fn links_that_a_config_names_later_are_taken_in() {
    run(async {
        let mut case = Case::new(person().create(CreateSpec::Nowhere));
        case.crm("1", &[("email", "ann@x"), ("desk_id", ANN)]);
        case.desk(ANN, &[("email", "ann@old")]);
        case.sync().await;
        let before = Mapping::of(&case.rules);
        case.rules = rules(linked(person().create(CreateSpec::Nowhere)));
        let remaps = before.to(&Mapping::of(&case.rules)).unwrap();
        assert!(remaps.iter().all(|(_, remap)| remap.keys), "{remaps:?}");
        let store = case.driver.take().unwrap().into_store();
        remap(&case.rules, &store, None).unwrap();
        let mut driver = Driver::new(case.rules.clone(), &case.connectors, store).unwrap();
        driver.backfill().await.unwrap();
        case.driver = Some(driver);
        case.sync().await;
        let (sides, codes, _) = case.end().await;
        assert_eq!((sides, codes.len()), (pairs([("1", ANN)]), 0));
    });
}

#[test]
fn a_link_names_another_system_by_a_text() {
    let faults = |entity: EntitySpec| -> Vec<(String, Fault)> {
        let ability = Memory::new(now).ability().clone();
        let builder = Rules::builder().system("crm", ability.clone()).system("desk", ability).entity(entity);
        builder.build().unwrap_err().0.into_iter().map(|error| (error.at, error.fault)).collect()
    };
    let named = |link: LinkFieldSpec| {
        let field = FieldSpec::new("desk_id", FieldKind::Text).at("crm", "d").one_way("crm", OneWayEdits::default());
        faults(person().field(field).named_by("crm", link))
    };
    let at = "entities.person.at.crm.links.d".to_owned();
    let own = Fault::LinkToOwn { system: "crm".into() };
    assert_eq!(named(LinkFieldSpec::new("desk_id", "crm")), [(at.clone(), own)]);
    let unknown = Fault::UnknownObject { object: "persons".into(), near: None, known: vec!["people".into()] };
    let found = named(LinkFieldSpec::new("desk_id", "desk").object("persons"));
    assert_eq!(found[0].0, at);
    assert!(matches!((&found[0].1, &unknown), (Fault::UnknownObject { .. }, Fault::UnknownObject { .. })), "{found:?}");
    let lost = faults(person().named_by("crm", LinkFieldSpec::new("nothing", "desk")));
    assert_eq!(lost[0].1, Fault::LinkUnknown { name: "nothing".into() });
    let number = FieldSpec::new("n", FieldKind::Integer).at("crm", "n").at("desk", "n");
    let number = faults(person().field(number).named_by("crm", LinkFieldSpec::new("n", "desk")));
    assert_eq!(number[0].1, Fault::LinkOfOtherKind { name: "n".into() });
}
