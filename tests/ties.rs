//! Ties to several records by hand, over two systems in memory and the real driver: what comes and goes on one side does on the other.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, read_digests, verify_offline};
use syncline::engine::{Clocks, Input, TOMBSTONE_MS, View};
use syncline::model::{EntityId, FieldKind, Raw, RemoteId};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, Rules, ValueRow};
use syncline::store::Store;

const TIES: &str = "associations:people";

/// People and deals in `crm` and in `desk`; a deal is tied to people.
struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Option<Driver>,
    mark: Option<pair::Mark>,
}

impl Case {
    fn new(people: CreateSpec) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let keyed = |name: &str, object: &str| {
            EntitySpec::new(name).at_with_id("crm", object, "ext").at_with_id("desk", object, "ext").match_by("name")
        };
        let name = || FieldSpec::new("name", FieldKind::Text).at("crm", "name").at("desk", "name");
        let label = |is: &str, crm: &str, desk: &str| {
            let row = ValueRow::named(is).at("crm", crm);
            if desk.is_empty() { row } else { row.at("desk", desk) }
        };
        let ties = FieldSpec::references("people", "person").at("crm", TIES).at("desk", TIES);
        let ties = ties.value(label("boss", "Boss", "Chief")).value(label("payer", "Payer", "Payer"));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .entity(keyed("deal", "deals").create(CreateSpec::Everywhere).field(name()).field(ties))
            .entity(keyed("person", "people").create(people).field(name()))
            .build()
            .unwrap();
        let connectors = connectors(&crm, &desk);
        let driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).ok();
        Self { crm, desk, rules, connectors, driver, mark: None }
    }

    fn driver(&mut self) -> &mut Driver {
        self.driver.as_mut().unwrap()
    }

    async fn sync(&mut self) {
        if self.mark.is_none() {
            let entities: Vec<_> = self.rules.entities.iter().map(|entity| entity.id).collect();
            self.mark = Some(pair::Mark::of(self.driver().store(), entities));
        }
        self.driver().live(Duration::from_millis(20), true).await.unwrap();
    }

    /// The program is stopped and started anew.
    async fn again(&mut self) {
        let store = self.driver.take().unwrap().into_store();
        self.driver = Some(Driver::new(self.rules.clone(), &self.connectors, store).unwrap());
        self.sync().await;
    }

    async fn end(mut self) {
        let store = self.driver.take().unwrap().into_store();
        self.mark.iter().for_each(|mark| mark.assert_rebuilt(&store));
        let rules = Arc::new(self.rules);
        let remotes = read_digests(&rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&rules, &self.connectors, &store, remotes).await.unwrap();
        assert_eq!(verdict["equal"], true, "{verdict}");
        for entity in ["deal", "person"] {
            let root = &verdict["entities"][entity]["root"];
            assert_eq!(root["crm"], root["desk"], "{verdict}");
        }
    }
}

fn put(system: &Memory, object: &str, remote: &str, name: &str) {
    let id = RemoteId::parse(remote).unwrap();
    system.put(object, &id, [("name".to_owned(), Raw::Text(name.into()))]);
}

/// A person ties a deal to these people, and to nobody else.
fn tie(system: &Memory, deal: &str, people: &str) {
    let lines: Vec<&str> = people.split_whitespace().collect();
    let raw = if lines.is_empty() { Raw::Null } else { Raw::Text(lines.join("\n").replace('=', "\t").into()) };
    system.put("deals", &RemoteId::parse(deal).unwrap(), [(TIES.to_owned(), raw)]);
}

async fn find(system: &Memory, object: &str, name: &str, property: &str) -> Option<(String, String)> {
    let spec = ReadSpec { object: object.into(), properties: vec![property.into()], external_id: None };
    let keys = [name.to_owned()];
    let answer = system.read(&spec, Keys::Values { property: "name", values: &keys }, false).await.unwrap();
    assert!(answer.rows.len() < 2, "{name} is there twice");
    let row = answer.rows.into_iter().next()?;
    let text = match &row.values[0] {
        Raw::Text(text) => text.clone(),
        _ => String::new().into(),
    };
    Some((row.remote.as_str().to_owned(), text.into()))
}

/// The names of those to whom the deal is tied.
async fn tied(system: &Memory) -> String {
    let (_, ties) = find(system, "deals", "Big", TIES).await.unwrap();
    let mut found = Vec::new();
    for line in ties.lines() {
        let (id, label) = line.split_once('\t').unwrap_or((line, ""));
        let mut name = "?";
        for known in ["Ann", "Bob", "Cyd", "Dan"] {
            if find(system, "people", known, "name").await.is_some_and(|(of, _)| of == id) {
                name = known;
            }
        }
        found.push(if label.is_empty() { name.to_owned() } else { format!("{name}={label}") });
    }
    found.sort();
    found.join(" ")
}

/// Both know the deal, and Ann, Bob and Cyd, each by ids of its own.
fn known() -> Case {
    let case = Case::new(CreateSpec::Everywhere);
    for (system, sign) in [(&case.crm, "c"), (&case.desk, "d")] {
        put(system, "deals", &format!("{sign}9"), "Big");
        for (at, name) in ["Ann", "Bob", "Cyd"].iter().enumerate() {
            put(system, "people", &format!("{sign}{at}"), name);
        }
    }
    case
}

#[test]
fn a_first_link_adds_and_takes_nothing_away() {
    run(async {
        let mut case = known();
        tie(&case.crm, "c9", "c0 c1");
        tie(&case.desk, "d9", "d1 d2");
        let report = case.driver().backfill().await.unwrap();
        assert_eq!((report.unequal, report.counts.problems), (0, 0), "{report:?}");
        assert_eq!(tied(&case.crm).await, "Ann Bob Cyd");
        assert_eq!(tied(&case.desk).await, "Ann Bob Cyd");
        let calls = [case.crm.calls(), case.desk.calls()];
        case.sync().await;
        let again = case.driver().backfill().await.unwrap();
        assert_eq!(again.unequal, 0);
        assert!(calls[0] > 0 && calls[1] > 0);
        case.end().await;
    });
}

#[test]
fn what_comes_and_goes_on_one_side_does_on_the_other() {
    run(async {
        let mut case = known();
        tie(&case.crm, "c9", "c0");
        case.driver().backfill().await.unwrap();
        assert_eq!(tied(&case.desk).await, "Ann");
        tie(&case.desk, "d9", "d0 d1");
        case.sync().await;
        assert_eq!(tied(&case.crm).await, "Ann Bob");
        tie(&case.crm, "c9", "c1");
        case.sync().await;
        assert_eq!(tied(&case.desk).await, "Bob");
        tie(&case.desk, "d9", "");
        case.sync().await;
        assert_eq!(tied(&case.crm).await, "");
        // On both sides at once: each adds one, and one takes away what the other keeps.
        tie(&case.crm, "c9", "c0 c1");
        case.sync().await;
        tie(&case.crm, "c9", "c1 c2");
        tie(&case.desk, "d9", "d0 d1");
        tie(&case.desk, "d9", "d0");
        case.sync().await;
        case.sync().await;
        assert_eq!((tied(&case.crm).await, tied(&case.desk).await), ("Cyd".to_owned(), "Cyd".to_owned()));
        // The same on both: nothing is left to do.
        tie(&case.crm, "c9", "c0 c2");
        tie(&case.desk, "d9", "d0 d2");
        case.sync().await;
        assert_eq!((tied(&case.crm).await, tied(&case.desk).await), ("Ann Cyd".to_owned(), "Ann Cyd".to_owned()));
        case.again().await;
        case.end().await;
    });
}

#[test]
fn a_tie_whose_end_is_not_there_waits_and_heals() {
    run(async {
        let mut case = Case::new(CreateSpec::Nowhere);
        put(&case.crm, "deals", "c9", "Big");
        put(&case.crm, "people", "c0", "Ann");
        put(&case.crm, "people", "c1", "Bob");
        put(&case.desk, "people", "d1", "Bob");
        // One leads to nobody that is known.
        tie(&case.crm, "c9", "c0 c1 c7");
        let report = case.driver().backfill().await.unwrap();
        assert_eq!((report.unequal, report.counts.problems), (0, 0), "{report:?}");
        assert_eq!(tied(&case.desk).await, "Bob");
        let deal = find(&case.desk, "deals", "Big", TIES).await.unwrap().0;
        // Nobody took Ann away there, where she has never been.
        tie(&case.desk, &deal, "");
        case.sync().await;
        assert_eq!(tied(&case.crm).await, "? Ann");
        put(&case.desk, "people", "d0", "Ann");
        case.sync().await;
        case.sync().await;
        assert_eq!(tied(&case.desk).await, "Ann");
        put(&case.crm, "people", "c7", "Cyd");
        put(&case.desk, "people", "d7", "Cyd");
        case.sync().await;
        case.sync().await;
        assert_eq!(tied(&case.desk).await, "Ann Cyd");
        case.end().await;
    });
}

#[test]
fn a_tie_that_went_with_its_end_is_nobodys_edit() {
    run(async {
        let mut case = known();
        tie(&case.crm, "c9", "c0 c1");
        case.driver().backfill().await.unwrap();
        assert_eq!(tied(&case.desk).await, "Ann Bob");
        case.crm.remove("people", &RemoteId::parse("c0").unwrap());
        case.sync().await;
        tie(&case.crm, "c9", "c1");
        case.sync().await;
        assert_eq!(tied(&case.desk).await, "Ann Bob", "the other side still has both");
        // She comes back, and the deal is hers again.
        put(&case.crm, "people", "c8", "Ann");
        case.sync().await;
        case.sync().await;
        assert_eq!(tied(&case.crm).await, "Ann Bob");
        case.end().await;
    });
}

#[test]
fn whoever_is_tied_is_not_forgotten() {
    run(async {
        for (ties, left) in [("c1", 2), ("c0 c1", 3)] {
            let mut case = known();
            tie(&case.crm, "c9", ties);
            case.driver().backfill().await.unwrap();
            case.crm.remove("people", &RemoteId::parse("c0").unwrap());
            case.desk.remove("people", &RemoteId::parse("d0").unwrap());
            case.sync().await;
            let store = case.driver.take().unwrap().into_store();
            let person = EntityId::of("person");
            let clocks = Clocks { now: now().plus(2 * TOMBSTONE_MS), offsets: Vec::new() };
            let input = Input::Forget { entity: person, after: None, limit: 10 };
            let step = syncline::engine::step(&case.rules, &store.snapshot().unwrap(), &clocks, input).unwrap();
            store.apply(&step.changes).unwrap();
            assert_eq!(store.snapshot().unwrap().record_scan(person, None, 10).unwrap().len(), left, "{ties}");
        }
    });
}

#[test]
fn labels_come_and_go_by_themselves() {
    run(async {
        let mut case = known();
        tie(&case.crm, "c9", "c0 c0=Boss c1");
        tie(&case.desk, "d9", "d0 d0=Payer");
        case.driver().backfill().await.unwrap();
        assert_eq!(tied(&case.crm).await, "Ann Ann=Boss Ann=Payer Bob");
        assert_eq!(tied(&case.desk).await, "Ann Ann=Chief Ann=Payer Bob");
        // A label that the map does not name is none.
        tie(&case.desk, "d9", "d0 d0=Chief d1 d1=Friend");
        case.sync().await;
        assert_eq!(tied(&case.crm).await, "Ann Ann=Boss Bob");
        tie(&case.crm, "c9", "c0 c1 c1=Payer");
        case.sync().await;
        assert_eq!(tied(&case.desk).await, "Ann Bob Bob=Friend Bob=Payer");
        // Whoever is given a label while another takes him away stays: nothing is lost.
        tie(&case.crm, "c9", "c0 c0=Boss c1 c1=Payer");
        tie(&case.desk, "d9", "d1 d1=Payer");
        case.sync().await;
        case.sync().await;
        assert_eq!(tied(&case.crm).await, "Ann Ann=Boss Bob Bob=Payer");
        assert_eq!(tied(&case.desk).await, "Ann Ann=Chief Bob Bob=Payer");
        case.end().await;
    });
}
