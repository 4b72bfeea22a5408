//! Old entries leave the journal: what something of today rests on stays, nothing is claimed that is not known any more, and the
//! chain of digests holds.

use std::sync::Arc;
use syncline::engine::*;
use syncline::model::*;
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, Rules};
use syncline::store::{FailingDisk, OpenOptions, Pruned, Store};

const DAY: i64 = 86_400_000;
const CITIES: [&str; 6] = ["Rome", "Oslo", "Bern", "Lima", "Kyiv", "Cork"];

fn rules() -> Rules {
    let ability = Ability { stray_ms: 0, ..Ability::of(SourceKind::History) };
    let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("one", name).at("two", name);
    let person = EntitySpec::new("person").at("one", "people").at("two", "people").create(CreateSpec::Nowhere);
    let person = person.match_by("name").field(field("name")).field(field("city"));
    Rules::builder().system("one", ability.clone()).system("two", ability).entity(person).build().unwrap()
}

/// A store whose record was given another city at noon of each of these days.
struct Case {
    store: Store,
    rules: Rules,
    record: RecordId,
}

impl Case {
    fn new(store: Store, days: std::ops::Range<i64>) -> Self {
        let rules = rules();
        let mut record = Record::new(RecordId([7; 16]), rules.entities[0].id);
        record.set(FieldId::of("city"), text("Paris"), Stamp::mint(Millis(1), Stamp::ZERO, Origin::Engine));
        let case = Self { store, rules, record: record.id };
        case.store.apply(&[Change::PutRecord(Arc::new(record))]).unwrap();
        days.for_each(|day| case.decide(day));
        case
    }

    fn decide(&self, day: i64) {
        let operation = Operation {
            entity: self.entity(),
            record: self.record,
            field: FieldId::of("city"),
            value: text(CITIES[day as usize]),
            only: None,
            expect: None,
            review: None,
        };
        let begin = Some(Begin { what: format!("day {day}"), config: Digest::default() });
        let operate = Operate { authority: Authority::Decide, begin, operations: vec![operation] };
        let clocks = Clocks { now: Millis(day * DAY + DAY / 2), offsets: Vec::new() };
        let step = step(&self.rules, &self.store, &clocks, Input::Operate(operate)).unwrap();
        self.store.apply(&step.changes).unwrap();
    }

    fn entity(&self) -> EntityId {
        self.rules.entities[0].id
    }

    fn prune(&self, day: i64, dry: bool) -> Pruned {
        self.store.prune(Millis(day * DAY), dry, |_| true).unwrap()
    }

    fn moments(&self) -> Vec<(Came, Value)> {
        let books = self.store.snapshot().unwrap();
        let moments = history(&books, self.entity(), self.record, FieldId::of("city")).unwrap();
        moments.into_iter().map(|moment| (moment.by, moment.value)).collect()
    }

    fn at(&self, hours: i64) -> AsOf {
        let books = self.store.snapshot().unwrap();
        as_of(&books, self.entity(), self.record, Millis(hours * DAY / 24)).unwrap().unwrap()
    }

    fn assert_sound(&self) {
        let chain = self.store.snapshot().unwrap().check_chain().unwrap();
        assert_eq!(chain.broken, None);
        self.store.check().unwrap();
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn in_memory() -> Store {
    Store::in_memory(Millis(0)).unwrap()
}

#[test]
fn what_is_old_goes_and_what_today_rests_on_stays() {
    let case = Case::new(in_memory(), 0..5);
    let head = case.store.snapshot().unwrap().check_chain().unwrap().head;
    let expected = Pruned { entries: 3, kept: 3 };
    assert_eq!(case.prune(3, true), expected, "three values go, how three runs began stays");
    assert_eq!(case.moments().len(), 6, "that was only asked");

    assert_eq!(case.prune(3, false), expected);
    case.assert_sound();
    assert_eq!(case.store.snapshot().unwrap().check_chain().unwrap().head, head, "the chain ends as it did");
    let moments = case.moments();
    assert_eq!(moments[0], (Came::Before, text("Bern")), "it says that more was there");
    let values: Vec<&Value> = moments[1..].iter().map(|(_, value)| value).collect();
    assert_eq!(values, [&text("Lima"), &text("Kyiv")]);
    assert_eq!(case.prune(3, false), Pruned { entries: 0, kept: 3 }, "there is nothing left to take");

    // The entry behind the value of today stays, however old it is.
    assert_eq!(case.prune(100, false), Pruned { entries: 1, kept: 6 });
    assert_eq!(case.moments(), [(Came::Before, text("Lima")), (moments[2].0.clone(), text("Kyiv"))]);
    case.assert_sound();

    // And the journal goes on.
    case.decide(5);
    assert_eq!(case.moments().last().map(|(_, value)| value.clone()), Some(text("Cork")));
    case.assert_sound();
}

#[test]
fn nothing_is_claimed_of_what_is_not_known_any_more() {
    let case = Case::new(in_memory(), 0..5);
    let city = |city: &str| AsOf::Held(vec![(FieldId::of("city"), Held::Value(text(city)))]);
    assert_eq!(case.at(50), city("Oslo"));
    case.prune(3, false);
    assert_eq!(case.at(50), AsOf::Pruned(Millis(3 * DAY)));
    assert_eq!((case.at(75), case.at(85)), (city("Bern"), city("Lima")), "what is left is as true as it was");
    // Of a time to come nothing is gone yet.
    let case = Case::new(in_memory(), 0..5);
    case.prune(100, false);
    case.decide(5);
    assert_eq!(case.at(24 * 6), city("Cork"));
    let case = Case::new(in_memory(), 0..5);
    case.prune(3, false);
    // A narrower wish later does not widen what is known.
    case.prune(1, false);
    assert_eq!(case.at(50), AsOf::Pruned(Millis(3 * DAY)));
}

#[test]
fn of_a_record_that_is_gone_nothing_stays() {
    let case = Case::new(in_memory(), 0..3);
    let gone = [Change::RemoveRecord(case.entity(), case.record), Change::SetLately(case.entity(), case.record, None)];
    case.store.apply(&gone).unwrap();
    assert_eq!(case.prune(100, false), Pruned { entries: 3, kept: 3 });
    case.assert_sound();
}

#[test]
fn wherever_the_power_fails_the_journal_is_sound() {
    let options = OpenOptions { cache_bytes: 4 << 20, verify: false };
    for cut in 0..40 {
        let disk = FailingDisk::new();
        let case = Case::new(Store::on_disk(disk.clone(), Millis(0), &options).unwrap(), 0..5);
        disk.fail_after(cut);
        let ended = case.store.prune(Millis(3 * DAY), false, |_| true);
        let Case { store, rules, record } = case;
        drop(store);
        let disk = FailingDisk::with(disk.after_the_cut(cut));
        let case = Case { store: Store::on_disk(disk, Millis(0), &options).unwrap(), rules, record };
        case.assert_sound();
        let pruned = case.store.snapshot().unwrap().pruned_until().unwrap();
        let left = case.moments().len();
        assert!(left == 6 || pruned == Some(Millis(3 * DAY)), "entries are missing, and nobody says so");
        assert!(left == 3 || ended.is_err(), "it was answered");
        assert_eq!(case.at(85), AsOf::Held(vec![(FieldId::of("city"), Held::Value(text("Lima")))]));
    }
}
