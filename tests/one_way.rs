//! One-way fields, over two systems in memory and the real driver: what the source says arrives, the source is never written,
//! and an edit where the field only arrives is overwritten, kept, or a problem, as the rules say.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes, read_digests, verify_offline};
use syncline::model::{FieldKind, Raw};
use syncline::rules::OneWayEdits::{self, Keep, Overwrite, Problem};
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, Rules};
use syncline::store::Store;

/// A person in `crm` and in `desk`; `score` goes from `crm` to `desk`.
struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Driver,
}

impl Case {
    async fn new(edits: OneWayEdits, crm: Option<&str>, desk: Option<&str>) -> Self {
        let systems = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        for (system, score) in systems.iter().zip([crm, desk]) {
            if let Some(score) = score {
                put(system, &[("email", "ann@example.com"), ("score", score)]);
            }
        }
        let [crm, desk] = systems;
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
        let person = EntitySpec::new("person").at_with_id("crm", "people", "ext").at_with_id("desk", "people", "ext");
        let person = person.match_by("email").create(CreateSpec::Everywhere).field(field("email", FieldKind::Email));
        let person = person.field(field("score", FieldKind::Text).one_way("crm", edits));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .entity(person)
            .build()
            .unwrap();
        let connectors = connectors(&crm, &desk);
        let mut driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).unwrap();
        driver.backfill().await.unwrap();
        Self { crm, desk, rules, connectors, driver }
    }

    async fn edit(&mut self, at_crm: bool, score: &str) {
        put(if at_crm { &self.crm } else { &self.desk }, &[("score", score)]);
        self.sync().await;
    }

    async fn sync(&mut self) {
        self.driver.live(Duration::from_millis(20), true).await.unwrap();
    }

    async fn scores(&self) -> [String; 2] {
        [score(&self.crm).await, score(&self.desk).await]
    }

    /// (fields left out as one-way, problems by code)
    async fn end(self) -> (u64, Vec<String>) {
        let store = self.driver.into_store();
        let rules = Arc::new(self.rules);
        let remotes = read_digests(&rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&rules, &self.connectors, &store, remotes).await.unwrap();
        assert_eq!(verdict["equal"], true, "{verdict}");
        let codes = causes(&rules, &store.snapshot().unwrap()).unwrap().into_iter().map(|cause| cause.code).collect();
        (verdict["entities"]["person"]["excluded"]["one_way"].as_u64().unwrap(), codes)
    }
}

fn put(system: &Memory, fields: &[(&str, &str)]) {
    pair::put(system, "people", "7", fields);
}

/// Of the only person there is.
async fn score(system: &Memory) -> String {
    let spec = ReadSpec { object: "people".into(), properties: vec!["score".into()], external_id: None };
    let email = "ann@example.com".to_owned();
    let answer = system.read(&spec, Keys::Values { property: "email", values: &[email] }, false).await.unwrap();
    assert_eq!(answer.rows.len(), 1);
    match &answer.rows[0].values[0] {
        Raw::Text(text) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

#[test]
fn what_the_source_says_arrives_whatever_was_there() {
    run(async {
        for edits in [Overwrite, Keep, Problem] {
            let mut case = Case::new(edits, Some("1"), Some("2")).await;
            assert_eq!(case.scores().await, ["1", "1"], "{edits:?}");
            case.edit(true, "3").await;
            assert_eq!(case.scores().await, ["3", "3"], "{edits:?}");
            assert_eq!(case.end().await, (0, vec![]), "{edits:?}");
        }
    });
}

#[test]
fn an_edit_where_it_only_arrives_is_overwritten_kept_or_a_problem() {
    run(async {
        for (edits, shows, left_out, codes) in
            [(Overwrite, "1", 0, vec![]), (Keep, "9", 1, vec![]), (Problem, "9", 1, vec!["ONE_WAY_EDIT".to_owned()])]
        {
            let mut case = Case::new(edits, Some("1"), Some("1")).await;
            case.edit(false, "9").await;
            assert_eq!(case.scores().await, ["1", shows], "{edits:?}");
            assert_eq!(case.end().await, (left_out, codes), "{edits:?}");
        }
    });
}

#[test]
fn the_next_edit_of_the_source_ends_it_and_so_does_taking_it_back() {
    run(async {
        for edits in [Keep, Problem] {
            let mut case = Case::new(edits, Some("1"), Some("1")).await;
            case.edit(false, "9").await;
            case.edit(true, "2").await;
            assert_eq!(case.scores().await, ["2", "2"], "{edits:?}");
            case.edit(false, "8").await;
            case.edit(false, "2").await;
            assert_eq!(case.scores().await, ["2", "2"], "{edits:?}");
            assert_eq!(case.end().await, (0, vec![]), "{edits:?}");
        }
    });
}

#[test]
fn the_source_is_never_written_blank_or_born() {
    run(async {
        // Blank in the source: what stands where it arrives stays.
        let mut case = Case::new(Overwrite, Some(""), Some("2")).await;
        assert_eq!(case.scores().await, ["", "2"]);
        case.sync().await;
        assert_eq!(case.end().await, (1, vec![]));
        // Born in the source by us: without the field.
        let mut case = Case::new(Overwrite, None, Some("2")).await;
        assert_eq!(case.scores().await, ["", "2"]);
        case.edit(false, "3").await;
        assert_eq!(case.scores().await[0], "");
        // Born the other way: with it.
        let case = Case::new(Overwrite, Some("1"), None).await;
        assert_eq!(case.scores().await, ["1", "1"]);
        assert_eq!(case.end().await, (0, vec![]));
    });
}
