//! Owners by hand, over two systems in memory and the real driver: who is who, who stands in, and what a changed table of users
//! does to nobody's values.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes, read_digests, read_people, recall_people, verify_offline};
use syncline::model::{FieldKind, Raw, SystemId, User};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, LinkSpec, Rules};
use syncline::store::Store;

/// Users as `id=address`, the inactive with a `-` before.
fn users(texts: &[&str]) -> Vec<User> {
    let user = |text: &&str| {
        let (id, email) = text.trim_start_matches('-').split_once('=').unwrap();
        User { id: id.into(), email: email.into(), active: !text.starts_with('-') }
    };
    texts.iter().map(user).collect()
}

struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Option<Driver>,
    mark: Option<pair::Mark>,
}

impl Case {
    async fn new(fallback: Option<&str>, crm_users: &[&str], desk_users: &[&str]) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        crm.set_users(users(crm_users));
        desk.set_users(users(desk_users));
        let text = |name: &str| FieldSpec::new(name, FieldKind::Text).at("crm", name).at("desk", name);
        let mut owner = FieldSpec::new("owner", FieldKind::Owner).at("crm", "owner").at("desk", "owner");
        owner.fallback.extend(fallback.map(|email| ("desk".to_owned(), email.to_owned())));
        let person = EntitySpec::new("person").at_with_id("crm", "people", "ext").at_with_id("desk", "people", "ext");
        let person = person.match_by("name").create(CreateSpec::Everywhere).field(text("name")).field(text("city"));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .on_link(LinkSpec::Prefer("desk".into()))
            .entity(person.field(owner))
            .build()
            .unwrap();
        let connectors: Connectors = connectors(&crm, &desk);
        let mut case = Self { crm, desk, rules, connectors, driver: None, mark: None };
        case.start(Store::in_memory(now()).unwrap()).await;
        case
    }

    async fn start(&mut self, store: Store) {
        let mut rules = self.rules.clone();
        read_people(&mut rules, &self.connectors).await.unwrap();
        self.rules = rules.clone();
        self.driver = Some(Driver::new(rules, &self.connectors, store).unwrap());
    }

    /// Ends the program and starts it again: the tables are read anew.
    async fn restart(&mut self) {
        let store = self.driver.take().unwrap().into_store();
        self.start(store).await;
    }

    async fn backfill(&mut self) {
        self.driver.as_mut().unwrap().backfill().await.unwrap();
    }

    async fn sync(&mut self) {
        if self.mark.is_none() {
            let entities: Vec<_> = self.rules.entities.iter().map(|entity| entity.id).collect();
            self.mark = Some(pair::Mark::of(self.driver.as_ref().unwrap().store(), entities));
        }
        self.driver.as_mut().unwrap().live(Duration::from_millis(20), true).await.unwrap();
    }

    /// The codes of all problems; the sides must agree otherwise.
    async fn codes(&mut self) -> Vec<String> {
        let store = self.driver.take().unwrap().into_store();
        self.mark.iter().for_each(|mark| mark.assert_rebuilt(&store));
        let mut rules = self.rules.clone();
        recall_people(&mut rules, &store).unwrap();
        let rules = Arc::new(rules);
        let remotes = read_digests(&rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&rules, &self.connectors, &store, remotes).await.unwrap();
        assert_eq!(verdict["equal"], true, "{verdict}");
        let codes = causes(&rules, &store.snapshot().unwrap()).unwrap().into_iter().map(|cause| cause.code).collect();
        self.start(store).await;
        codes
    }

    /// What both systems show as a person's owner.
    async fn owners(&self, name: &str) -> [String; 2] {
        [shown(&self.crm, name, "owner").await, shown(&self.desk, name, "owner").await]
    }
}

fn put(system: &Memory, remote: &str, fields: &[(&str, &str)]) {
    pair::put(system, "people", remote, fields);
}

async fn shown(system: &Memory, name: &str, property: &str) -> String {
    let spec = ReadSpec { object: "people".into(), properties: vec![property.into()], external_id: None };
    let keys = [name.to_owned()];
    let answer = system.read(&spec, Keys::Values { property: "name", values: &keys }, false).await.unwrap();
    match &answer.rows.first().unwrap_or_else(|| panic!("no {name}")).values[0] {
        Raw::Text(text) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

async fn id_of(system: &Memory, name: &str) -> String {
    let spec = ReadSpec { object: "people".into(), properties: Vec::new(), external_id: None };
    let keys = [name.to_owned()];
    let answer = system.read(&spec, Keys::Values { property: "name", values: &keys }, false).await.unwrap();
    answer.rows[0].remote.as_str().to_owned()
}

#[test]
fn each_system_is_told_its_own_id_of_the_same_person() {
    run(async {
        let mut case = Case::new(None, &["1=ann@x", "2=bob@x"], &["u1=Ann@X", "u2=bob@x"]).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "1")]);
        put(&case.crm, "c2", &[("name", "Lee"), ("owner", "2")]);
        put(&case.desk, "d2", &[("name", "Lee"), ("owner", "u2")]);
        case.backfill().await;
        assert_eq!(case.owners("Kim").await, ["1", "u1"]);
        put(&case.desk, "d2", &[("owner", "u1")]);
        put(&case.crm, "c1", &[("owner", "")]);
        case.sync().await;
        assert_eq!(case.owners("Lee").await, ["1", "u1"]);
        assert_eq!(case.owners("Kim").await, ["", ""]);
        assert_eq!(case.codes().await, Vec::<String>::new());
    });
}

#[test]
fn an_unknown_owner_is_neither_an_edit_nor_a_blank_and_heals() {
    run(async {
        let mut case = Case::new(None, &["1=ann@x"], &["u1=ann@x", "u3=cat@x"]).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "1")]);
        put(&case.crm, "c2", &[("name", "New"), ("owner", "9")]);
        case.backfill().await;
        put(&case.crm, "c1", &[("owner", "3"), ("city", "Rome")]);
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["3", "u1"], "no blank");
        assert_eq!(shown(&case.desk, "Kim", "city").await, "Rome", "the rest flows");
        assert_eq!(case.owners("New").await, ["9", ""]);
        assert_eq!(case.codes().await, ["OWNER_UNKNOWN"]);
        // The table names both by then.
        case.crm.set_users(users(&["1=ann@x", "3=cat@x", "9=cat@x"]));
        case.restart().await;
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["3", "u3"]);
        assert_eq!(case.owners("New").await, ["9", "u3"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
    });
}

#[test]
fn an_owner_who_is_met_while_it_runs_is_asked_for() {
    run(async {
        let mut case = Case::new(None, &["1=ann@x"], &["u1=ann@x", "u3=cat@x"]).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "1")]);
        case.backfill().await;
        let mut driver = case.driver.take().unwrap();
        let handle = driver.handle();
        let (crm, desk) = (case.crm.clone(), case.desk.clone());
        let people = tokio::spawn(async move {
            crm.set_users(users(&["1=ann@x", "3=cat@x"]));
            put(&crm, "c1", &[("owner", "3")]);
            for _ in 0..300 {
                if shown(&desk, "Kim", "owner").await == "u3" {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            handle.stop().await;
        });
        driver.live(Duration::from_millis(50), false).await.unwrap();
        people.await.unwrap();
        case.driver = Some(driver);
        assert_eq!(case.owners("Kim").await, ["3", "u3"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
    });
}

#[test]
fn who_is_not_there_is_a_problem_of_one_field_and_heals() {
    run(async {
        let mut case = Case::new(None, &["1=ann@x", "2=bob@x"], &["u1=ann@x", "-u2=bob@x"]).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "2"), ("city", "Rome")]);
        case.backfill().await;
        assert_eq!(case.owners("Kim").await, ["2", ""]);
        assert_eq!(shown(&case.desk, "Kim", "city").await, "Rome");
        assert_eq!(case.codes().await, ["OWNER_NOT_THERE"]);
        case.desk.set_users(users(&["u1=ann@x", "u2=bob@x"]));
        case.restart().await;
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["2", "u2"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
    });
}

#[test]
fn the_fallback_is_shown_is_no_edit_and_gives_way() {
    run(async {
        let mut case = Case::new(Some("ops@x"), &["1=ann@x", "2=bob@x", "7=ops@x"], &["u1=ann@x", "u7=ops@x"]).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "2")]);
        // The desk shows the fallback already: that is the projection, not another value, although it is preferred.
        put(&case.crm, "c2", &[("name", "Lee"), ("owner", "2")]);
        put(&case.desk, "d2", &[("name", "Lee"), ("owner", "u7")]);
        case.backfill().await;
        for name in ["Kim", "Lee"] {
            assert_eq!(case.owners(name).await, ["2", "u7"], "{name}");
        }
        let calls = case.desk.calls();
        put(&case.desk, "d2", &[("city", "Rome")]);
        case.sync().await;
        assert_eq!(case.owners("Lee").await, ["2", "u7"], "no echo");
        assert!(case.desk.calls() > calls);
        // The desk's people choose somebody, and then nobody in particular: both are edits.
        put(&case.desk, "d2", &[("owner", "u1")]);
        case.sync().await;
        assert_eq!(case.owners("Lee").await, ["1", "u1"]);
        put(&case.desk, "d2", &[("owner", "u7")]);
        case.sync().await;
        assert_eq!(case.owners("Lee").await, ["7", "u7"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
        // Bob comes to the desk: what was his is his.
        case.desk.set_users(users(&["u1=ann@x", "u7=ops@x", "u2=bob@x"]));
        case.restart().await;
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["2", "u2"]);
        assert_eq!(case.owners("Lee").await, ["7", "u7"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
        // He leaves again, listed or not: nothing is taken from him by that, and the next one is given to the fallback.
        case.desk.set_users(users(&["u1=ann@x", "u7=ops@x"]));
        case.restart().await;
        put(&case.crm, "c3", &[("name", "Max"), ("owner", "2")]);
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["2", "u2"]);
        assert_eq!(case.owners("Max").await, ["2", "u7"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
    });
}

#[test]
fn another_fallback_takes_over_and_none_leaves_things_as_they_are() {
    run(async {
        let desk_users = ["u1=ann@x", "u7=ops@x", "u8=new@x"];
        let mut case = Case::new(Some("ops@x"), &["1=ann@x", "2=bob@x"], &desk_users).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "2")]);
        put(&case.crm, "c2", &[("name", "Lee"), ("owner", "1")]);
        case.backfill().await;
        assert_eq!(case.owners("Kim").await, ["2", "u7"]);
        for (fallback, shows) in [(Some("new@x"), "u8"), (None, "u8"), (Some("ops@x"), "u7")] {
            for entity in &mut case.rules.entities {
                let fields = entity.fields.iter_mut().filter(|field| field.kind == FieldKind::Owner);
                for binding in fields.flat_map(|field| &mut field.bindings) {
                    if binding.system == SystemId::of("desk") {
                        binding.fallback = fallback.map(str::to_owned);
                    }
                }
            }
            case.restart().await;
            case.sync().await;
            assert_eq!(case.owners("Kim").await, ["2", shows], "{fallback:?}");
            assert_eq!(case.owners("Lee").await, ["1", "u1"]);
            let listed = if fallback.is_none() { vec!["OWNER_NOT_THERE"] } else { Vec::new() };
            assert_eq!(case.codes().await, listed);
        }
    });
}

#[test]
fn a_person_with_another_address_is_linked_anew() {
    run(async {
        let mut case = Case::new(None, &["1=ann@x", "2=bob@x"], &["u1=ann@x", "u2=bob@x"]).await;
        put(&case.crm, "c1", &[("name", "Kim"), ("owner", "1")]);
        case.backfill().await;
        case.crm.set_users(users(&["1=ann.b@x", "2=bob@x"]));
        case.restart().await;
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["1", "u1"], "nobody edited anything");
        case.desk.set_users(users(&["u1=ann.b@x", "u2=bob@x"]));
        case.restart().await;
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["1", "u1"]);
        assert_eq!(case.codes().await, Vec::<String>::new());
        put(&case.desk, &id_of(&case.desk, "Kim").await, &[("owner", "u2")]);
        case.sync().await;
        assert_eq!(case.owners("Kim").await, ["2", "u2"]);
    });
}
