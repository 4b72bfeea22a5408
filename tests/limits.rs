//! What a system cannot hold and what cannot be read, over two systems in memory and the real driver: each is one problem of
//! one field, the rest of the record flows, and the problem goes when somebody mends it.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, Keys, ReadSpec};
use syncline::daemon::Driver;
use syncline::engine::View;
use syncline::model::{EntityId, FieldKind, Raw, RemoteId};
use syncline::rules::{
    CreateSpec, EntitySpec, FieldSpec, Limits, LinkSpec, Mismatch, Rules, TooFine, TooLong, Transform, Unknown,
    ValueRow,
};
use syncline::store::Store;

fn id() -> RemoteId {
    RemoteId::parse("7").unwrap()
}

fn field(name: &str, kind: FieldKind) -> FieldSpec {
    FieldSpec::new(name, kind).at("crm", name).at("desk", name)
}

fn length(length: u32) -> Limits {
    Limits { length: Some(length), ..Limits::default() }
}

fn number(precision: u32, scale: u32) -> Limits {
    Limits { precision: Some(precision), scale: Some(scale), ..Limits::default() }
}

/// A stage that both systems name: `new` is New, `won` is Won.
fn stage() -> FieldSpec {
    let row = |crm: &str, desk: &str| ValueRow::default().at("crm", crm).at("desk", desk);
    field("stage", FieldKind::Enum).value(row("new", "New")).value(row("won", "Won"))
}

/// `crm` and `desk`, with one field beside the e-mail address and the name.
struct Case {
    field: FieldSpec,
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    driver: Option<Driver>,
    /// Records that the last run updated.
    writes: u64,
}

impl Case {
    fn empty(field: FieldSpec) -> Self {
        Self { field, crm: Arc::new(Memory::new(now)), desk: Arc::new(Memory::new(now)), driver: None, writes: 0 }
    }

    fn rules(&self) -> Rules {
        let person = EntitySpec::new("person")
            .at_with_id("crm", "people", "our_id")
            .at_with_id("desk", "people", "our_id")
            .match_by("email")
            .create(CreateSpec::Everywhere)
            .field(field("email", FieldKind::Email))
            .field(field("name", FieldKind::Text))
            .field(self.field.clone());
        let rules = Rules::builder()
            .system("crm", self.crm.ability().clone())
            .system("desk", self.desk.ability().clone())
            .rank(["desk", "crm"])
            .on_link(LinkSpec::Prefer("desk".into()))
            .entity(person)
            .build();
        rules.unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Starts the driver over a store; the rules are as the field says now.
    fn start(&mut self, store: Store) {
        let connectors = connectors(&self.crm, &self.desk);
        self.driver = Some(Driver::new(self.rules(), &connectors, store).unwrap());
    }

    /// The program ends, and starts again with another idea of the field.
    fn restart(&mut self, field: FieldSpec) {
        let store = self.driver.take().unwrap().into_store();
        self.field = field;
        self.start(store);
    }

    /// The same person in both systems, whose field is filled as told ("" = blank).
    async fn linked(field: FieldSpec, crm: &str, desk: &str) -> Self {
        let mut case = Self::empty(field);
        for (system, value) in [(&case.crm, crm), (&case.desk, desk)] {
            case.put(system, "email", "ann@example.com");
            case.put(system, "name", "Ann");
            case.put(system, &case.field.name, value);
        }
        case.start(Store::in_memory(now()).unwrap());
        let driver = case.driver.as_mut().unwrap();
        driver.backfill().await.unwrap();
        case.writes = driver.tally().updated.values().sum();
        case
    }

    fn put(&self, system: &Memory, property: &str, value: &str) {
        system.put("people", &id(), [(property.to_owned(), Raw::Text(value.into()))]);
    }

    /// A person edits the field at `crm` and the name with it, and the live run brings over what it can.
    async fn edit(&mut self, value: &str, name: &str) {
        let pairs = [(self.field.name.clone(), value), ("name".to_owned(), name)];
        self.crm.put("people", &id(), pairs.map(|(property, value)| (property, Raw::Text(value.into()))));
        self.run().await;
    }

    async fn edit_desk(&mut self, value: &str, name: &str) {
        let pairs = [(self.field.name.clone(), value), ("name".to_owned(), name)];
        self.desk.put("people", &id(), pairs.map(|(property, value)| (property, Raw::Text(value.into()))));
        self.run().await;
    }

    async fn run(&mut self) {
        // A driver runs once.
        self.restart(self.field.clone());
        let driver = self.driver.as_mut().unwrap();
        driver.live(Duration::from_millis(20), true).await.unwrap();
        self.writes = driver.tally().updated.values().sum();
    }

    /// What both systems show of a property: crm, desk.
    async fn shown(&self, property: &str) -> [String; 2] {
        let mut shown = [String::new(), String::new()];
        for (system, shown) in [&self.crm, &self.desk].into_iter().zip(&mut shown) {
            let properties = vec![property.to_owned()];
            let spec = ReadSpec { object: "people".into(), properties, external_id: None };
            let page = system.scan(&spec, None).await.unwrap();
            assert_eq!(page.rows.len(), 1, "one record a system");
            let answer = system.read(&spec, Keys::Ids(&[page.rows[0].remote.clone()]), false).await.unwrap();
            *shown = match &answer.rows[0].values[0] {
                Raw::Text(text) | Raw::Number(text) => text.as_str().to_owned(),
                Raw::Null => String::new(),
                other => format!("{other:?}"),
            };
        }
        shown
    }

    async fn field(&self) -> [String; 2] {
        self.shown(&self.field.name).await
    }

    async fn name(&self) -> [String; 2] {
        self.shown("name").await
    }

    /// Takes the store out to look at what is listed: `system code message`.
    fn problems(&mut self) -> Vec<String> {
        let store = self.driver.take().unwrap().into_store();
        let problems = store.snapshot().unwrap().problems(100).unwrap();
        let rules = self.rules();
        let line = |(at, problem): (syncline::engine::ProblemPlace, syncline::engine::Problem)| {
            assert_eq!(at.entity, EntityId::of("person"));
            assert_eq!(problem.fields, std::slice::from_ref(&self.field.name), "{problem:?}");
            format!("{} {} {}", rules.system(at.system).unwrap().name, problem.code, problem.message)
        };
        let lines = problems.into_iter().map(line).collect();
        self.start(store);
        lines
    }

    fn one_problem(&mut self, system: &str, code: &str, part: &str) {
        let problems = self.problems();
        assert!(
            problems.len() == 1 && problems[0].starts_with(&format!("{system} {code} ")) && problems[0].contains(part),
            "wanted {system} {code} ... {part}: {problems:?}"
        );
    }

    fn no_problem(&mut self) {
        assert_eq!(self.problems(), Vec::<String>::new());
    }
}

/// A value that `desk` cannot hold is one problem there; the name flows; a value that fits ends it, from either side.
async fn is_one_problem(field: FieldSpec, good: [&str; 2], bad: &str, code: &str, part: &str, mended: [&str; 2]) {
    let mut case = Case::linked(field, good[0], good[1]).await;
    case.no_problem();
    case.edit(bad, "Anna").await;
    assert_eq!(case.field().await, [bad, good[1]], "desk keeps what it had");
    assert_eq!(case.name().await, ["Anna", "Anna"], "the rest flows");
    case.one_problem("desk", code, part);
    // Nothing of it is tried again and again.
    case.run().await;
    assert_eq!(case.writes, 0);
    case.edit(mended[0], "Anne").await;
    assert_eq!(case.field().await, mended);
    case.no_problem();

    case.edit(bad, "Anna").await;
    case.one_problem("desk", code, part);
    case.edit_desk(good[1], "Anja").await;
    assert_eq!(case.field().await, good, "who mends it at desk wins");
    case.no_problem();
}

#[test]
fn what_a_system_cannot_hold_is_one_problem_of_one_field() {
    run(async {
        let title = field("title", FieldKind::Text).limit("desk", length(5));
        is_one_problem(title, ["Clerk", "Clerk"], "Secretary", "VALUE_TOO_LONG", "9 characters", ["Boss", "Boss"])
            .await;
        let pay = field("pay", FieldKind::Decimal { scale: None }).limit("desk", number(5, 2));
        is_one_problem(pay.clone(), ["1", "1"], "1.005", "NUMBER_TOO_FINE", "3 digits after", ["1.01", "1.01"]).await;
        is_one_problem(pay, ["1", "1"], "1000", "NUMBER_TOO_LARGE", "4 digits before", ["999.99", "999.99"]).await;
        let options = vec!["new".to_owned(), "won".to_owned()];
        let state = field("state", FieldKind::Enum).limit("desk", Limits { options, ..Limits::default() });
        is_one_problem(state, ["new", "new"], "lost", "UNKNOWN_OPTION", "not known there", ["won", "won"]).await;
    });
}

/// What a type cannot hold is one problem where it is shown; the name flows both ways; a value that can be read ends it, be it
/// the old one.
#[test]
fn what_cannot_be_read_is_one_problem_of_one_field() {
    run(async {
        let born = || field("born", FieldKind::Date);
        for (spec, good, bad, mended) in [
            (born(), ["2001-02-03", "2001-02-03"], "2001-02-31", ["2001-02-28", "2001-02-28"]),
            (born(), ["2001-02-03", "2001-02-03"], "soon", ["2001-02-03", "2001-02-03"]),
            (stage(), ["new", "New"], "lost", ["won", "Won"]),
            (stage(), ["new", "New"], "lost", ["new", "New"]),
            (field("pay", FieldKind::Decimal { scale: None }), ["1", "1"], "lots", ["2", "2"]),
        ] {
            let mut case = Case::linked(spec, good[0], good[1]).await;
            case.edit(bad, "Anna").await;
            assert_eq!(
                (case.field().await, case.name().await),
                ([bad, good[1]].map(str::to_owned), ["Anna", "Anna"].map(str::to_owned))
            );
            case.one_problem("crm", "UNREADABLE_VALUE", &case.field.name.clone());
            // The other way, too.
            case.put(&case.desk, "name", "Anne");
            case.run().await;
            assert_eq!(case.name().await, ["Anne", "Anne"]);
            case.one_problem("crm", "UNREADABLE_VALUE", "");
            case.edit(mended[0], "Anne").await;
            assert_eq!(case.field().await, mended);
            case.no_problem();
        }
    });
}

#[test]
fn a_first_link_wipes_nothing_that_it_cannot_read() {
    run(async {
        let mut case = Case::linked(field("born", FieldKind::Date), "soon", "2001-02-03").await;
        assert_eq!(case.field().await, ["soon", "2001-02-03"], "it is no blank");
        case.one_problem("crm", "UNREADABLE_VALUE", "a date");
        case.edit_desk("2001-02-04", "Anna").await;
        assert_eq!((case.field().await[0].as_str(), case.name().await), ("soon", ["Anna", "Anna"].map(str::to_owned)));
        case.edit("2001-02-05", "Anna").await;
        assert_eq!(case.field().await, ["2001-02-04", "2001-02-04"], "linked now, and the policy prefers desk");
        case.no_problem();
    });
}

#[test]
fn a_record_is_created_without_what_cannot_be_held_or_read() {
    run(async {
        for (spec, bad, system, code, good) in [
            (field("title", FieldKind::Text).limit("desk", length(5)), "Secretary", "desk", "VALUE_TOO_LONG", "Boss"),
            (field("born", FieldKind::Date), "soon", "crm", "UNREADABLE_VALUE", "2001-02-03"),
        ] {
            let mut case = Case::empty(spec);
            case.put(&case.crm, "email", "ann@example.com");
            case.put(&case.crm, "name", "Ann");
            case.put(&case.crm, &case.field.name, bad);
            case.start(Store::in_memory(now()).unwrap());
            case.driver.as_mut().unwrap().backfill().await.unwrap();
            assert_eq!(case.name().await, ["Ann", "Ann"]);
            assert_eq!(case.field().await, [bad, ""]);
            case.one_problem(system, code, "");
            case.edit(good, "Anna").await;
            assert_eq!(
                (case.field().await, case.name().await),
                ([good, good].map(str::to_owned), ["Anna", "Anna"].map(str::to_owned))
            );
            case.no_problem();
        }
    });
}

#[test]
fn a_longer_property_mends_without_a_new_backfill() {
    run(async {
        let title = |max| field("title", FieldKind::Text).limit("desk", length(max));
        let mut case = Case::linked(title(5), "Clerk", "Clerk").await;
        case.edit("Secretary", "Ann").await;
        case.one_problem("desk", "VALUE_TOO_LONG", "");
        case.restart(title(9));
        case.run().await;
        assert_eq!(case.field().await, ["Secretary", "Secretary"]);
        case.no_problem();
        // And a shorter one is no reason to touch what is there.
        case.restart(title(5));
        case.run().await;
        assert_eq!(case.field().await, ["Secretary", "Secretary"]);
        case.no_problem();
    });
}

#[test]
fn a_side_that_shows_as_much_as_it_can_hold_is_equal() {
    run(async {
        let cut = Mismatch { too_long: TooLong::Truncate, ..Mismatch::default() };
        let title = field("title", FieldKind::Text).limit("desk", length(9)).mismatch(cut);
        let round = Mismatch { too_fine: TooFine::Round, ..Mismatch::default() };
        let pay = field("pay", FieldKind::Decimal { scale: None }).limit("desk", number(9, 2)).mismatch(round);
        for (spec, crm, desk, edit) in [
            (title, ["Secretary General", "Secretary  of State"], ["Secretary", "Secretary"], "Clerk"),
            (pay, ["1.005", "-1.005"], ["1.01", "-1.01"], "7"),
        ] {
            // Linked as it stands: nothing is written, and desk, which the policy prefers, cuts nothing.
            let mut case = Case::linked(spec.clone(), crm[0], desk[0]).await;
            assert_eq!((case.field().await, case.writes), ([crm[0], desk[0]].map(str::to_owned), 0));
            // An edit arrives cut, and its echo is none.
            case.edit(crm[1], "Anna").await;
            assert_eq!(case.field().await, [crm[1], desk[1]]);
            case.edit_desk(desk[1], "Anne").await;
            assert_eq!(
                (case.field().await, case.name().await),
                ([crm[1], desk[1]].map(str::to_owned), ["Anne", "Anne"].map(str::to_owned))
            );
            assert_eq!(case.writes, 1, "the name, and nothing else");
            case.no_problem();
            // What a person enters there counts.
            case.edit_desk(edit, "Anne").await;
            assert_eq!(case.field().await, [edit, edit]);
        }
    });
}

#[test]
fn unknown_options_pass_or_count_as_another_where_the_rules_say_so() {
    run(async {
        let unknown = |unknown| stage().mismatch(Mismatch { unknown, ..Mismatch::default() });
        let mut case = Case::linked(unknown(Unknown::Pass), "new", "New").await;
        case.edit("lost", "Anna").await;
        assert_eq!(case.field().await, ["lost", "lost"]);
        case.no_problem();

        let mut case = Case::linked(unknown(Unknown::As("won".into())), "new", "New").await;
        case.edit("lost", "Anna").await;
        assert_eq!(case.field().await, ["lost", "Won"], "crm keeps its own word");
        case.edit_desk("New", "Anne").await;
        assert_eq!(case.field().await, ["new", "New"]);
        case.no_problem();

        let options = Limits { options: vec!["new".into(), "other".into()], ..Limits::default() };
        let other = Mismatch { unknown: Unknown::As("other".into()), ..Mismatch::default() };
        let state = field("state", FieldKind::Enum).limit("desk", options).mismatch(other);
        let mut case = Case::linked(state, "new", "new").await;
        case.edit("lost", "Anna").await;
        assert_eq!(case.field().await, ["lost", "other"]);
        case.edit("found", "Anna").await;
        assert_eq!(case.field().await, ["found", "other"]);
        case.no_problem();
    });
}

#[test]
fn a_set_has_no_order_and_a_map_of_its_own() {
    run(async {
        let row = |crm: &str, desk: &str| ValueRow::default().at("crm", crm).at("desk", desk);
        let tags = || field("tags", FieldKind::Set).value(row("news", "Newsletter")).value(row("fair", "Trade fair"));
        let mut case = Case::linked(tags(), "news;fair", "Trade fair; Newsletter").await;
        assert_eq!((case.field().await, case.writes), (["news;fair", "Trade fair; Newsletter"].map(str::to_owned), 0));
        case.edit("fair", "Ann").await;
        assert_eq!(case.field().await, ["fair", "Trade fair"]);
        case.edit_desk("Newsletter;Trade fair", "Ann").await;
        assert_eq!(case.field().await, ["fair;news", "Newsletter;Trade fair"]);
        // One option that nobody knows holds back the field, and nothing else.
        case.edit("fair;gala", "Anna").await;
        assert_eq!(case.field().await, ["fair;gala", "Newsletter;Trade fair"]);
        assert_eq!(case.name().await, ["Anna", "Anna"]);
        case.one_problem("crm", "UNREADABLE_VALUE", "the value map does not name it");
        case.edit("", "Anna").await;
        assert_eq!(case.field().await, ["", ""]);
        case.no_problem();

        let pass = Mismatch { unknown: Unknown::Pass, ..Mismatch::default() };
        let mut case = Case::linked(tags().mismatch(pass), "news", "Newsletter").await;
        case.edit("gala;fair", "Anna").await;
        assert_eq!(case.field().await, ["gala;fair", "Trade fair;gala"]);
        case.no_problem();
    });
}

#[test]
fn whole_numbers_and_addresses_are_compared_by_what_they_mean() {
    run(async {
        for (spec, one, other, edit) in [
            (field("staff", FieldKind::Integer), "12", "12.0", ["13.0", "13"]),
            (
                field("site", FieldKind::Url),
                "https://example.com/A",
                "HTTPS://Example.com:443/A",
                ["HTTPS://Example.org/", "https://example.org"],
            ),
        ] {
            let mut case = Case::linked(spec, one, other).await;
            assert_eq!((case.field().await, case.writes), ([one, other].map(str::to_owned), 0));
            case.edit(edit[0], "Ann").await;
            assert_eq!(case.field().await, edit);
        }
    });
}

#[test]
fn a_side_holds_its_own_form_of_a_value_and_an_edit_of_it_is_taken_back() {
    run(async {
        let replace = Transform::Replace { from: " ".into(), to: "_".into() };
        for (spec, linked, edit, at_desk) in [
            (
                field("pay", FieldKind::Decimal { scale: Some(2) }).transform("desk", [Transform::Times { power: 2 }]),
                ["12.34", "1234"],
                ["0.5", "50"],
                ["0.99", "99"],
            ),
            (
                field("code", FieldKind::Text).transform("desk", [replace, Transform::Prefix("C-".into())]),
                ["a b", "C-a_b"],
                ["x y z", "C-x_y_z"],
                ["7 8", "C-7_8"],
            ),
            // What has lost something is taken as it is once a person enters it, and not before.
            (
                field("city", FieldKind::Text).transform("desk", [Transform::Trim, Transform::Upper]),
                ["Rome", "ROME"],
                ["Köln", "KÖLN"],
                ["PARIS", "PARIS"],
            ),
            (
                field("due", FieldKind::Date).transform("desk", [Transform::Shift { ms: 86_400_000 }]),
                ["2026-02-28", "2026-03-01"],
                ["2026-12-31", "2027-01-01"],
                ["2023-12-31", "2024-01-01"],
            ),
        ] {
            let mut case = Case::linked(spec, linked[0], linked[1]).await;
            assert_eq!((case.field().await, case.writes), (linked.map(str::to_owned), 0), "equal as it stands");
            case.edit(edit[0], "Anna").await;
            assert_eq!((case.field().await, case.writes), (edit.map(str::to_owned), 1));
            case.edit_desk(at_desk[1], "Anne").await;
            assert_eq!((case.field().await, case.writes), (at_desk.map(str::to_owned), 1));
            case.run().await;
            assert_eq!(case.writes, 0, "and there it rests");
            case.no_problem();
        }
    });
}
