//! Scope, over systems in memory and the real driver: only `crm`'s customers take part, and all of `desk`'s people.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, id, now, person, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes, read_digests, verify_offline};
use syncline::engine::View;
use syncline::model::{FieldKind, Raw, Record, SideState, Value};
use syncline::rules::{EntitySpec, Fault, FieldSpec, Leaves, Mapping, Rules, RulesBuilder, ScopeSpec};
use syncline::store::Store;

fn customers(leaves: Leaves) -> ScopeSpec {
    let customer = |values: &[&Value]| *values[0] == Value::Text("customer".into());
    ScopeSpec::new("stage is customer", ["stage"], customer).leaves(leaves)
}

fn builder(entity: EntitySpec) -> RulesBuilder {
    let ability = Memory::new(now).ability().clone();
    Rules::builder().system("crm", ability.clone()).system("desk", ability).entity(entity)
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Arc<Rules>,
    connectors: Connectors,
    driver: Option<Driver>,
    mark: Option<pair::Mark>,
}

impl Case {
    fn new(leaves: Leaves) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let rules = Arc::new(builder(person().scope("crm", customers(leaves))).build().unwrap());
        let connectors = connectors(&crm, &desk);
        Self { crm, desk, rules, connectors, driver: None, mark: None }
    }

    fn crm(&self, remote: &str, fields: &[(&str, &str)]) {
        put(&self.crm, remote, fields);
    }

    fn desk(&self, remote: &str, fields: &[(&str, &str)]) {
        put(&self.desk, remote, fields);
    }

    async fn sync(&mut self) {
        if self.driver.is_none() {
            let store = Store::in_memory(now()).unwrap();
            let mut driver = Driver::new((*self.rules).clone(), &self.connectors, store).unwrap();
            driver.backfill().await.unwrap();
            let entities = self.rules.entities.iter().map(|entity| entity.id);
            self.mark = Some(pair::Mark::of(driver.store(), entities));
            self.driver = Some(driver);
        }
        self.driver.as_mut().unwrap().live(Duration::from_millis(20), true).await.unwrap();
    }

    /// All people of a system as `email city stage`, ascending.
    async fn all(&self, system: &Memory) -> Vec<String> {
        let properties = ["email", "city", "stage"].map(str::to_owned).to_vec();
        let spec = ReadSpec { object: "people".to_owned(), properties, external_id: None };
        let page = system.scan(&spec, None).await.unwrap();
        let text = |raw| if let Raw::Text(text) = raw { text } else { "-".to_owned().into() };
        let row = |at| page.decoder.decode(at).unwrap().into_iter().map(text).collect::<Vec<_>>().join(" ");
        let mut rows: Vec<String> = (0..page.rows.len()).map(row).collect();
        rows.sort();
        rows
    }

    async fn both(&self) -> (Vec<String>, Vec<String>) {
        (self.all(&self.crm).await, self.all(&self.desk).await)
    }

    /// (records, the document of `verify`, problems by code)
    async fn end(self) -> (Vec<Record>, serde_json::Value, Vec<String>) {
        let store = self.driver.unwrap().into_store();
        self.mark.iter().for_each(|mark| mark.assert_rebuilt(&store));
        let remotes = read_digests(&self.rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&self.rules, &self.connectors, &store, remotes).await.unwrap();
        let view = store.snapshot().unwrap();
        let records = view.record_scan(self.rules.entities[0].id, None, 100).unwrap();
        let codes = causes(&self.rules, &view).unwrap().into_iter().map(|cause| cause.code).collect();
        (records, verdict, codes)
    }
}

fn put(system: &Memory, remote: &str, fields: &[(&str, &str)]) {
    pair::put(system, "people", remote, fields);
}

#[test]
fn only_what_is_in_scope_is_linked_created_and_kept_equal() {
    run(async {
        for later in [false, true] {
            let mut case = Case::new(Leaves::Frozen);
            if later {
                case.sync().await;
            }
            case.crm("1", &[("email", "ann@x"), ("city", "Rome"), ("stage", "customer")]);
            case.crm("2", &[("email", "bob@x"), ("city", "Oslo"), ("stage", "lead")]);
            case.crm("3", &[("email", "cid@x"), ("city", "Lima"), ("stage", "lead")]);
            case.desk("d2", &[("email", "bob@x")]);
            case.sync().await;
            let (crm, desk) = case.both().await;
            assert_eq!(crm, ["ann@x Rome customer", "bob@x Oslo lead", "cid@x Lima lead"], "later: {later}");
            assert_eq!(desk, ["ann@x Rome customer", "bob@x - -"], "later: {later}");
            // What they edit goes nowhere, and is no problem.
            case.crm("2", &[("city", "Bergen")]);
            case.desk("d2", &[("city", "Ghent")]);
            case.sync().await;
            assert_eq!(case.both().await.1, ["ann@x Rome customer", "bob@x Ghent -"]);
            let (records, verdict, codes) = case.end().await;
            assert_eq!((verdict["equal"].as_bool(), codes), (Some(true), vec![]), "{verdict}");
            let person = &verdict["entities"]["person"];
            assert_eq!((&person["records"], &person["compared"]), (&3.into(), &1.into()), "{verdict}");
            assert_eq!(person["excluded"]["scope"], 2, "{verdict}");
            // Of those outside nothing is kept but the key.
            let alone = records.iter().find(|record| record.live_sides().next().is_none()).unwrap();
            assert_eq!((alone.registers.len(), alone.sides[0].state), (0, SideState::Outside));
            assert_eq!(alone.sides[0].differs.len(), 1, "{alone:?}");
        }
    });
}

#[test]
fn who_comes_into_scope_is_linked_as_for_the_first_time() {
    run(async {
        let mut case = Case::new(Leaves::Frozen);
        case.crm("2", &[("email", "bob@x"), ("city", "Oslo"), ("stage", "lead")]);
        case.crm("3", &[("email", "cid@x"), ("city", "Lima"), ("stage", "lead")]);
        case.desk("d2", &[("email", "bob@x")]);
        case.sync().await;
        case.crm("2", &[("stage", "customer")]);
        case.crm("3", &[("stage", "customer")]);
        case.sync().await;
        let (crm, desk) = case.both().await;
        assert_eq!(crm, ["bob@x Oslo customer", "cid@x Lima customer"]);
        assert_eq!(desk, crm, "the blanks of one were filled, the other was created");
        let (records, verdict, codes) = case.end().await;
        assert_eq!((verdict["equal"].as_bool(), codes), (Some(true), vec![]), "{verdict}");
        assert_eq!((records.len(), &verdict["entities"]["person"]["compared"]), (2, &2.into()), "{verdict}");
    });
}

#[test]
fn who_leaves_is_frozen_and_what_was_edited_meanwhile_counts_on_the_return() {
    run(async {
        let mut case = Case::new(Leaves::Frozen);
        case.crm("1", &[("email", "ann@x"), ("city", "Rome"), ("stage", "customer")]);
        case.sync().await;
        // The edit by which it leaves is the last one that goes over.
        case.crm("1", &[("stage", "former")]);
        case.sync().await;
        assert_eq!(case.both().await.1, ["ann@x Rome former"]);
        case.crm("1", &[("city", "Bari")]);
        case.sync().await;
        case.desk("d9", &[("email", "new@x")]);
        case.sync().await;
        assert_eq!(case.both().await.0[0], "ann@x Bari former");
        assert_eq!(case.both().await.1[0], "ann@x Rome former", "nothing goes over");
        // An edit of the other side waits as well.
        let desk = case.desk.clone();
        let ann = remote_of(&desk, "ann@x").await;
        case.desk(&ann, &[("email", "ann@y")]);
        case.sync().await;
        assert_eq!(case.both().await.0[0], "ann@x Bari former");
        case.crm("1", &[("stage", "customer")]);
        case.sync().await;
        let (crm, desk) = case.both().await;
        assert_eq!(crm, ["ann@y Bari customer"], "both edits count");
        assert_eq!(desk, ["ann@y Bari customer", "new@x - -"]);
        let (_, verdict, codes) = case.end().await;
        assert_eq!((verdict["equal"].as_bool(), codes), (Some(true), vec![]), "{verdict}");
    });
}

async fn remote_of(system: &Memory, email: &str) -> String {
    let spec = ReadSpec { object: "people".to_owned(), properties: vec!["email".to_owned()], external_id: None };
    let page = system.scan(&spec, None).await.unwrap();
    let at = (0..page.rows.len()).find(|at| page.decoder.decode(*at).unwrap() == [Raw::Text(email.into())]).unwrap();
    page.rows[at].remote.to_string()
}

#[test]
fn who_leaves_stays_in_sync_or_is_let_go_as_the_rules_say() {
    run(async {
        for leaves in [Leaves::Kept, Leaves::Detached] {
            let mut case = Case::new(leaves);
            case.crm("1", &[("email", "ann@x"), ("city", "Rome"), ("stage", "customer")]);
            case.sync().await;
            case.crm("1", &[("stage", "former")]);
            case.sync().await;
            case.crm("1", &[("city", "Bari")]);
            case.sync().await;
            let city = if leaves == Leaves::Kept { "Bari" } else { "Rome" };
            assert_eq!(case.both().await.1, [format!("ann@x {city} former")], "{leaves:?}");
            if leaves == Leaves::Detached {
                let ann = remote_of(&case.desk.clone(), "ann@x").await;
                case.desk(&ann, &[("city", "Ghent")]);
                case.sync().await;
                case.crm("1", &[("stage", "customer")]);
                case.sync().await;
                // As at any first link: two values are left as they are.
                assert_eq!(case.both().await.0, ["ann@x Bari customer"]);
                assert_eq!(case.both().await.1, ["ann@x Ghent former"]);
                case.crm("1", &[("city", "Como")]);
                case.sync().await;
                assert_eq!(case.both().await.1, ["ann@x Como former"], "the next edit ends that");
            }
            let (records, verdict, codes) = case.end().await;
            assert_eq!((verdict["equal"].as_bool(), codes, records.len()), (Some(true), vec![], 1), "{verdict}");
        }
    });
}

#[test]
fn nothing_is_created_where_it_would_be_out_of_scope_until_it_would_not() {
    run(async {
        let mut case = Case::new(Leaves::Frozen);
        case.desk("d1", &[("email", "ann@x"), ("stage", "lead")]);
        case.desk("d2", &[("email", "bob@x"), ("stage", "customer")]);
        case.sync().await;
        assert_eq!(case.both().await.0, ["bob@x - customer"]);
        case.desk("d3", &[("email", "cid@x"), ("stage", "lead")]);
        case.sync().await;
        case.desk("d1", &[("stage", "customer")]);
        case.sync().await;
        assert_eq!(case.both().await.0, ["ann@x - customer", "bob@x - customer"]);
        // Our own write takes it out of scope: it was the last one.
        case.desk("d1", &[("stage", "former"), ("city", "Rome")]);
        case.sync().await;
        case.desk("d1", &[("city", "Oslo")]);
        case.sync().await;
        assert_eq!(case.both().await.0, ["ann@x Rome former", "bob@x - customer"]);
        case.desk("d1", &[("stage", "customer")]);
        case.sync().await;
        assert_eq!(case.both().await.0[0], "ann@x Rome former", "what is frozen there is not brought back from here");
        let (_, verdict, codes) = case.end().await;
        assert_eq!((verdict["equal"].as_bool(), codes), (Some(true), vec![]), "{verdict}");
    });
}

#[test]
fn one_outside_is_no_rival_of_one_inside_and_may_be_deleted() {
    run(async {
        for later in [false, true] {
            let mut case = Case::new(Leaves::Frozen);
            if later {
                case.sync().await;
                case.desk("d1", &[("email", "ann@x")]);
            }
            case.crm("1", &[("email", "ann@x"), ("city", "Oslo"), ("stage", "old")]);
            if later {
                case.sync().await;
                assert_eq!(case.both().await.1, ["ann@x - -"]);
            }
            case.crm("2", &[("email", "ann@x"), ("city", "Rome"), ("stage", "customer")]);
            case.sync().await;
            assert_eq!(case.both().await.1, ["ann@x Rome customer"], "later: {later}");
            case.crm.remove("people", &id("1"));
            case.sync().await;
            case.crm("2", &[("city", "Bari")]);
            case.sync().await;
            assert_eq!(case.both().await.1, ["ann@x Bari customer"]);
            let (_, verdict, codes) = case.end().await;
            assert_eq!((verdict["equal"].as_bool(), codes), (Some(true), vec![]), "{verdict}");
        }
    });
}

#[test]
fn a_condition_reads_what_its_object_shows() {
    let fault = |spec: EntitySpec| builder(spec).build().unwrap_err().0.remove(0);
    let on = |name: &str| person().scope("crm", ScopeSpec::new("x", [name], |_| true));
    let unknown = fault(on("stag"));
    assert_eq!(
        (&*unknown.at, unknown.fault),
        ("entities.person.at.crm.where", Fault::ScopeUnknown { name: "stag".into() })
    );
    let boss = FieldSpec::reference("boss", "person").at("crm", "boss").at("desk", "boss");
    assert_eq!(fault(on("boss").field(boss)).fault, Fault::ScopeRefers { name: "boss".into() });
    let elsewhere = FieldSpec::new("vip", FieldKind::Bool).at("desk", "vip");
    let fault = fault(on("vip").field(elsewhere)).fault;
    assert_eq!(fault, Fault::ScopeElsewhere { name: "vip".into(), object: "people".into() });
    // For a condition a field may be in one system alone.
    let consent = FieldSpec::new("consent", FieldKind::Bool).at("crm", "consent");
    assert!(builder(on("consent").field(consent.clone())).build().is_ok());
    assert!(builder(person().field(consent)).build().is_err());
}

#[test]
fn another_condition_is_another_mapping_and_what_becomes_of_leavers_is_not() {
    let rules = |spec: EntitySpec| builder(spec).build().unwrap();
    let (all, frozen) = (rules(person()), rules(person().scope("crm", customers(Leaves::Frozen))));
    let kept = rules(person().scope("crm", customers(Leaves::Kept)));
    assert_ne!(all.fingerprint(), frozen.fingerprint());
    assert_eq!(kept.fingerprint(), frozen.fingerprint());
    let remap = Mapping::of(&all).to(&Mapping::of(&frozen)).unwrap();
    assert_eq!(remap.len(), 1);
    assert_eq!((remap[0].1.rescoped.len(), remap[0].1.rebound.len()), (1, 0));
    assert!(Mapping::of(&kept).to(&Mapping::of(&frozen)).unwrap().is_empty());
}
