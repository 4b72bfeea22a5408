//! Conflict policies over two systems in memory and the real driver: both sides edit without having seen each other, and the
//! table says who wins, who loses, and what is written where.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, now, run};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::memory::Memory;
use syncline::connector::{Connector, ReadSpec};
use syncline::daemon::connect::Connectors;
use syncline::daemon::{Driver, causes, read_digests, verify_offline};
use syncline::engine::Happening;
use syncline::model::{FieldKind, Raw, SystemId, Value};
use syncline::rules::{ConflictSpec, CreateSpec, EntitySpec, FieldSpec, Rule, Rules, Ruling};
use syncline::store::Store;

fn put(system: &Memory, fields: &[(&str, &str)]) {
    pair::put(system, "people", "7", fields);
}

async fn shown(system: &Memory) -> String {
    let spec = ReadSpec { object: "people".into(), properties: vec!["x".into()], external_id: None };
    let page = system.scan(&spec, None).await.unwrap();
    match page.decoder.decode(0).unwrap().remove(0) {
        Raw::Text(text) | Raw::Number(text) => text.into(),
        _ => String::new(),
    }
}

/// A person in `crm` and `desk`, whose field `x` has the policy.
struct Case {
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
    driver: Driver,
    told: u64,
}

/// What a sync came to.
#[derive(Debug, PartialEq, Eq)]
struct End {
    shown: [String; 2],
    /// Values that lost, with their rule.
    lost: Vec<(String, String)>,
    /// The systems that were written.
    written: Vec<&'static str>,
    /// The rule, where the register took a contested value.
    rule: Option<String>,
}

impl Case {
    async fn new(policy: ConflictSpec, kind: FieldKind, base: &str) -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        for system in [&crm, &desk] {
            put(system, &[("email", "ann@example.com"), ("x", base)]);
        }
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("crm", name).at("desk", name);
        let person = EntitySpec::new("person").at_with_id("crm", "people", "ext").at_with_id("desk", "people", "ext");
        let person = person.match_by("email").create(CreateSpec::Nowhere).field(field("email", FieldKind::Email));
        let rules = Rules::builder()
            .system("crm", crm.ability().clone())
            .system("desk", desk.ability().clone())
            .entity(person.field(field("x", kind).conflict(policy)))
            .build()
            .unwrap_or_else(|errors| panic!("{errors}"));
        let connectors: Connectors = connectors(&crm, &desk);
        let mut driver = Driver::new(rules.clone(), &connectors, Store::in_memory(now()).unwrap()).unwrap();
        driver.backfill().await.unwrap();
        let told = driver.store().journal_last().unwrap();
        Self { crm, desk, rules, connectors, driver, told }
    }

    /// Both edit, `crm` first, without a sync in between.
    async fn edit(&mut self, crm: Option<&str>, desk: Option<&str>) -> End {
        for (system, value) in [(&self.crm, crm), (&self.desk, desk)] {
            if let Some(value) = value {
                tokio::time::sleep(Duration::from_millis(3)).await;
                put(system, &[("x", value)]);
            }
        }
        self.sync().await
    }

    async fn sync(&mut self) -> End {
        // It reads both before it writes, so that neither edit is covered unread.
        self.driver.backfill().await.unwrap();
        let journal = self.driver.store().journal(self.told, 1_000).unwrap();
        self.told = journal.last().map_or(self.told, |(at, _)| *at);
        let mut end =
            End { shown: [shown(&self.crm).await, shown(&self.desk).await], lost: vec![], written: vec![], rule: None };
        for (_, entry) in journal {
            match entry.what {
                Happening::Lost { value, rule, .. } => end.lost.push((text(&value), rule)),
                Happening::Value { rule: Some(rule), .. } => end.rule = Some(rule),
                Happening::Sent { system, .. } => {
                    end.written.push(if system == SystemId::of("crm") { "crm" } else { "desk" });
                }
                _ => {}
            }
        }
        end.lost.dedup();
        end.written.sort_unstable();
        end
    }

    /// (is the mirror equal to both, problems by code)
    async fn end(self) -> (bool, Vec<String>) {
        let store = self.driver.into_store();
        let rules = Arc::new(self.rules);
        let remotes = read_digests(&rules, &self.connectors).await.unwrap();
        let verdict = verify_offline(&rules, &self.connectors, &store, remotes).await.unwrap();
        let codes = causes(&rules, &store.snapshot().unwrap()).unwrap().into_iter().map(|cause| cause.code).collect();
        (verdict["equal"] == true, codes)
    }
}

fn text(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

struct Row {
    policy: &'static str,
    kind: FieldKind,
    base: &'static str,
    /// The edits of `crm` and, later, of `desk`.
    edits: [Option<&'static str>; 2],
    /// What both show in the end.
    end: &'static str,
    lost: &'static [&'static str],
    written: &'static [&'static str],
}

fn row(
    policy: &'static str,
    kind: FieldKind,
    base: &'static str,
    edits: [Option<&'static str>; 2],
    end: &'static str,
    lost: &'static [&'static str],
    written: &'static [&'static str],
) -> Row {
    Row { policy, kind, base, edits, end, lost, written }
}

#[test]
fn each_policy_decides_as_its_name_says() {
    use FieldKind::{Enum, Integer, Set, Text};
    const STAGES: &str = "forward only new, open, won";
    let rows = [
        row("latest", Text, "old", [Some("a"), Some("b")], "b", &["a"], &["crm"]),
        row("prefer crm", Text, "old", [Some("a"), Some("b")], "a", &["b"], &["desk"]),
        row("crm owns", Text, "old", [None, Some("b")], "old", &["b"], &["desk"]),
        // The preferred one cleared it: the other's value holds. Alone, its blank follows.
        row("prefer crm unless blank", Text, "old", [Some("a"), Some("b")], "a", &["b"], &["desk"]),
        row("prefer crm unless blank", Text, "old", [Some(""), Some("b")], "b", &[""], &["crm"]),
        row("prefer crm unless blank", Text, "old", [Some(""), None], "", &[], &["desk"]),
        row("blank never wins", Text, "old", [Some("a"), Some("")], "a", &[""], &["desk"]),
        row("blank never wins", Text, "old", [Some("a"), Some("b")], "b", &["a"], &["crm"]),
        row("blank never wins", Text, "old", [None, Some("")], "", &[], &["crm"]),
        row("max", Integer, "10", [Some("15"), Some("12")], "15", &["12"], &["desk"]),
        row("max", Integer, "10", [Some("3"), Some("")], "3", &[""], &["desk"]),
        row("max", Integer, "10", [None, Some("2")], "2", &[], &["crm"]),
        row("min", Integer, "10", [Some("15"), Some("12")], "12", &["15"], &["crm"]),
        row(
            "min",
            FieldKind::Date,
            "2026-01-05",
            [Some("2026-01-03"), Some("2026-02-01")],
            "2026-01-03",
            &["2026-02-01"],
            &["desk"],
        ),
        row(STAGES, Enum, "new", [Some("won"), Some("open")], "won", &["open"], &["desk"]),
        row(STAGES, Enum, "new", [None, Some("open")], "open", &[], &["crm"]),
        row(STAGES, Enum, "open", [None, Some("new")], "open", &["new"], &["desk"]),
        row(STAGES, Enum, "open", [Some("lost"), None], "open", &["lost"], &["crm"]),
        row(STAGES, Enum, "open", [Some("new"), Some("won")], "won", &["new"], &["crm"]),
        row(STAGES, Enum, "open", [Some(""), Some("new")], "open", &["", "new"], &["crm", "desk"]),
        // Nobody entered the winner, and nobody lost.
        row("union", Set, "a;b", [Some("a;b;c"), Some("b")], "b;c", &[], &["crm", "desk"]),
        row("union", Set, "a", [Some("a;b"), Some("a;c")], "a;b;c", &[], &["crm", "desk"]),
        row("union", Set, "a", [Some("a;b"), Some("a;b")], "a;b", &[], &[]),
        row("union", Set, "a;b", [None, Some("")], "", &[], &["crm"]),
    ];
    run(async {
        let mut all = tokio::task::JoinSet::new();
        for row in rows {
            all.spawn(holds(row));
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
    });
}

async fn holds(Row { policy, kind, base, edits, end: winner, lost, written }: Row) {
    let what = format!("{policy}: {base:?} and then {edits:?}");
    let mut case = Case::new(policy.parse().unwrap(), kind, base).await;
    let end = case.edit(edits[0], edits[1]).await;
    assert_eq!(end.shown, [winner, winner], "{what}");
    let mut losers: Vec<&str> = end.lost.iter().map(|(value, _)| &**value).collect();
    losers.sort_unstable();
    losers.dedup();
    assert_eq!(losers, lost, "{what}");
    assert!(end.lost.iter().all(|(_, rule)| rule == policy), "{what}: {end:?}");
    assert_eq!(end.written, written, "{what}");
    let contested = edits.iter().all(Option::is_some) && winner != base;
    if let Some(rule) = &end.rule {
        assert!(contested && rule == policy, "{what}: {rule}");
    }
    assert_eq!(case.end().await, (true, vec![]), "{what}");
}

/// The sum of what both changed, of a number that both count up.
fn sum() -> ConflictSpec {
    ConflictSpec::Rule(Rule::new("sum of both changes", |base, edits| {
        let number = |value: &Value| match value {
            Value::Int(number) => Ok(*number),
            _ => Err("no number".to_owned()),
        };
        let base = number(base)?;
        let mut sum = base;
        for edit in edits {
            sum += number(edit.value)? - base;
        }
        Ok(Ruling::Value(Value::Int(sum)))
    }))
}

#[test]
fn a_rule_gives_a_value_and_where_it_fails_the_latest_edit_wins_and_a_problem_is_listed() {
    run(async {
        let mut case = Case::new(sum(), FieldKind::Integer, "10").await;
        let end = case.edit(Some("12"), Some("15")).await;
        assert_eq!(end.shown, ["17", "17"]);
        assert_eq!(end.rule.as_deref(), Some("rule sum of both changes"));
        // One edit alone is nobody's conflict.
        assert_eq!(case.edit(Some(""), None).await.shown, ["", ""]);
        // Now the rule has no number to begin with.
        let end = case.edit(Some("1"), Some("2")).await;
        assert_eq!(end.shown, ["2", "2"]);
        assert_eq!(end.lost, [("1".to_owned(), "rule sum of both changes".to_owned())]);
        let listed = causes(&case.rules, &case.driver.store().snapshot().unwrap()).unwrap();
        assert_eq!(listed.iter().map(|cause| &*cause.code).collect::<Vec<_>>(), ["RULE_FAILED"]);
        // A side that is only polled has seen the end of it once it was read again.
        case.sync().await;
        // The next decision is a good one, and takes it off the list.
        assert_eq!(case.edit(Some("3"), Some("4")).await.shown, ["5", "5"]);
        assert_eq!(case.end().await, (true, vec![]));
    });
}

#[test]
fn what_both_wrote_into_a_note_stands_in_one() {
    run(async {
        let mut case = Case::new(ConflictSpec::Append, FieldKind::Text, "called").await;
        let end = case.edit(Some("called\nno answer"), Some("called\n\nmail sent")).await;
        let note = "called\nno answer\n\nmail sent";
        assert_eq!((end.shown, end.lost), ([note, note].map(str::to_owned), vec![]));
        // That is what both have seen: who takes a line out now, takes it out.
        let note = "called\n\nmail sent";
        assert_eq!(case.edit(Some(note), None).await.shown, [note, note]);
        assert_eq!(case.edit(Some(""), Some("called\n\nmail sent\nsigned")).await.shown, ["signed", "signed"]);
        assert_eq!(case.end().await, (true, vec![]));
    });
}

#[test]
fn what_was_merged_is_what_both_start_from() {
    run(async {
        let mut case = Case::new(ConflictSpec::Union, FieldKind::Set, "a").await;
        assert_eq!(case.edit(Some("a;b"), Some("a;c")).await.shown, ["a;b;c", "a;b;c"]);
        // Both take out what came from the other side.
        assert_eq!(case.edit(Some("a;b"), Some("a;c")).await.shown, ["a", "a"]);
        assert_eq!(case.end().await, (true, vec![]));
    });
}
