//! A checkpoint and the journal since then give the mirror that is there, or it is said why not: over stores in files, two systems
//! in memory and the real driver.

#[path = "support/pair.rs"]
mod pair;

use pair::{connectors, id, now, person, run};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use syncline::connector::Connector;
use syncline::connector::memory::Memory;
use syncline::daemon::Driver;
use syncline::daemon::connect::Connectors;
use syncline::engine::{
    Authority, Begin, Change, Clocks, Happening, Input, Operate, Operation, RebuildError, Rest, View, differing,
    mirror_records, root, step,
};
use syncline::model::{Digest, EntityId, FieldId, Hlc, Origin, Record, Stamp, Value};
use syncline::rules::Rules;
use syncline::store::{Checkpoint, CheckpointError, OpenOptions, Store};

struct Case {
    folder: tempfile::TempDir,
    crm: Arc<Memory>,
    desk: Arc<Memory>,
    rules: Rules,
    connectors: Connectors,
}

impl Case {
    /// Ann in both systems, Bob in one, nothing read yet.
    fn new() -> Self {
        let [crm, desk] = [Arc::new(Memory::new(now)), Arc::new(Memory::new(now))];
        let rules = Rules::builder().system("crm", crm.ability().clone()).system("desk", desk.ability().clone());
        let rules = rules.entity(person()).build().unwrap();
        let connectors = connectors(&crm, &desk);
        let case = Self { folder: tempfile::tempdir().unwrap(), crm, desk, rules, connectors };
        put(&case.crm, "1", &[("email", "ann@x"), ("city", "Rome")]);
        put(&case.desk, "d1", &[("email", "ann@x")]);
        put(&case.crm, "2", &[("email", "bob@x"), ("city", "Oslo")]);
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn driver(&self, store: Store) -> Driver {
        Driver::new(self.rules.clone(), &self.connectors, store).unwrap()
    }

    /// A store that has read everything once.
    async fn linked(&self, name: &str) -> Driver {
        let store = Store::create_or_open(self.path(name), now(), &OpenOptions::default()).unwrap();
        let mut driver = self.driver(store);
        driver.backfill().await.unwrap();
        driver
    }

    /// Copies a store, and opens it again.
    fn copied(&self, store: Store, from: &str, to: &str) -> Store {
        store.close().unwrap();
        let mut copy = std::fs::File::create(self.path(to)).unwrap();
        Store::copy(self.path(from), &mut copy).unwrap();
        open(&self.path(from))
    }

    fn fails(&self, checkpoint: &str, store: &Store) -> CheckpointError {
        let checkpoint = Checkpoint::open(self.path(checkpoint)).unwrap();
        checkpoint.rebuild(&store.snapshot().unwrap()).err().expect("it does not fit")
    }
}

fn open(path: &Path) -> Store {
    Store::open(path, &OpenOptions::default()).unwrap()
}

fn put(system: &Memory, remote: &str, fields: &[(&str, &str)]) {
    pair::put(system, "people", remote, fields);
}

fn people() -> EntityId {
    EntityId::of("person")
}

async fn sync(driver: &mut Driver) {
    driver.live(Duration::from_millis(20), true).await.unwrap();
}

/// An operator says where everybody lives.
fn decide(rules: &Rules, store: &Store, city: &str) {
    let field = FieldId::of("city");
    let operation = |record: Record| Operation {
        entity: people(),
        record: record.id,
        field,
        value: Value::Text(city.into()),
        only: None,
        expect: None,
        review: None,
    };
    let records = store.snapshot().unwrap().record_scan(people(), None, 9).unwrap();
    let begin = Some(Begin { what: "decide".into(), config: Digest::default() });
    let operations = records.into_iter().map(operation).collect();
    let input = Input::Operate(Operate { authority: Authority::Decide, begin, operations });
    let clocks = Clocks { now: now(), offsets: Vec::new() };
    store.apply(&step(rules, &store.snapshot().unwrap(), &clocks, input).unwrap().changes).unwrap();
}

/// What people do while it runs: somebody appears, edits, is deleted, comes back.
async fn live(case: &Case, driver: &mut Driver) {
    put(&case.crm, "3", &[("email", "cid@x"), ("city", "Lima")]);
    put(&case.desk, "d4", &[("email", "dora@x")]);
    put(&case.desk, "d1", &[("city", "Ghent")]);
    sync(driver).await;
    case.crm.remove("people", &id("2"));
    put(&case.crm, "3", &[("stage", "customer")]);
    sync(driver).await;
    put(&case.crm, "2", &[("email", "bob@x"), ("city", "Bergen")]);
    sync(driver).await;
}

#[test]
fn a_checkpoint_and_the_journal_since_then_give_the_mirror_that_is_there() {
    run(async {
        let case = Case::new();
        let store = case.linked("store").await.into_store();
        let store = case.copied(store, "store", "checkpoint");
        let mut driver = case.driver(store);
        live(&case, &mut driver).await;
        let store = driver.into_store();
        decide(&case.rules, &store, "Kyiv");

        let (checkpoint, view) = (Checkpoint::open(case.path("checkpoint")).unwrap(), store.snapshot().unwrap());
        let rebuild = checkpoint.rebuild(&view).unwrap();
        let there = root(mirror_records(&view, people())).unwrap();
        assert_eq!(root(rebuild.records(people())), Ok(there));
        assert_eq!((there.records, rebuild.last()), (4, view.journal_last().unwrap()));
        let then = root(mirror_records(checkpoint.snapshot(), people())).unwrap();
        assert_ne!(then, there, "something must have happened");

        // Somebody changes a value, and no entry says so.
        let mut record = view.record_scan(people(), None, 9).unwrap().remove(2);
        let stamp = Stamp { hlc: Hlc::at(now()).tick(), origin: Origin::Operator };
        record.set(FieldId::of("city"), Value::Text("Cork".into()), stamp);
        store.apply(&[Change::PutRecord(std::sync::Arc::new(record.clone()))]).unwrap();
        let view = store.snapshot().unwrap();
        let rebuild = checkpoint.rebuild(&view).unwrap();
        let found = differing(rebuild.records(people()), mirror_records(&view, people()), 9);
        assert_eq!(found, Ok(vec![record.id]));
    });
}

/// First values, creates on their way and the stamps of what was filled: no other entry says them.
#[cfg(feature = "defects")]
#[test]
fn without_what_other_entries_leave_unsaid_it_is_another_mirror() {
    for (unsaid, same) in [(false, true), (true, false)] {
        let ended = std::thread::spawn(move || {
            let case = Case::new();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut driver = case.linked("store").await;
                let mark = pair::Mark::of(driver.store(), [people()]);
                syncline::defects::set(unsaid.then_some("unsaid"));
                live(&case, &mut driver).await;
                mark.assert_rebuilt(driver.store());
            });
        });
        assert_eq!(ended.join().is_ok(), same);
    }
}

#[test]
fn what_is_first_read_while_it_runs_is_one_entry_with_its_values_and_a_create_says_where_it_stands() {
    run(async {
        let case = Case::new();
        let mut driver = case.linked("store").await;
        let begun = driver.store().snapshot().unwrap().journal_last().unwrap();
        put(&case.crm, "3", &[("email", "cid@x"), ("city", "Lima")]);
        sync(&mut driver).await;
        let entries = driver.store().snapshot().unwrap().journal(begun, 999).unwrap();
        let first = entries.iter().filter_map(|(_, entry)| match &entry.what {
            Happening::First { values, sides } => Some((entry.record, values.clone(), sides.len())),
            _ => None,
        });
        let [(Some(record), values, 1)] = &first.collect::<Vec<_>>()[..] else { panic!("{entries:#?}") };
        let view = driver.store().snapshot().unwrap();
        let there = view.record(people(), *record).unwrap().unwrap();
        let held =
            there.registers.iter().map(|register| (register.field, register.reg.val.clone(), register.reg.marker));
        assert_eq!(*values, held.collect::<Vec<_>>(), "nothing has changed since");
        // On its way, and there.
        let stands = entries.iter().flat_map(|(_, entry)| match &entry.what {
            Happening::Rest { records } => records.clone(),
            _ => Vec::new(),
        });
        let stands: Vec<_> = stands.filter(|(of, _)| of == record).collect();
        assert_eq!(stands.len(), 2, "{stands:#?}");
        let Rest::Changed { registers, sides } = &stands[1].1 else { panic!("{stands:#?}") };
        let side = sides[0].1.as_ref().unwrap();
        assert_eq!((registers.len(), sides.len()), (0, 1));
        assert_eq!(Some(&side.remote), there.side(side.system).map(|side| &side.remote));
    });
}

#[test]
fn a_first_full_reading_is_refused_and_so_is_what_was_pruned() {
    run(async {
        let case = Case::new();
        let store = Store::create_or_open(case.path("store"), now(), &OpenOptions::default()).unwrap();
        let driver = case.driver(store);
        let store = case.copied(driver.into_store(), "store", "empty");
        let mut driver = case.driver(store);
        driver.backfill().await.unwrap();
        let store = driver.into_store();
        match case.fails("empty", &store) {
            CheckpointError::Rebuild(error @ RebuildError::FirstReading { .. }) => {
                let text = error.to_string();
                assert!(text.starts_with("a first reading at 20") && text.ends_with("take a checkpoint after it"));
            }
            other => panic!("{other:?}"),
        }
        let store = case.copied(store, "store", "checkpoint");
        decide(&case.rules, &store, "Bern");
        decide(&case.rules, &store, "Lima");
        assert!(Checkpoint::open(case.path("checkpoint")).unwrap().rebuild(&store.snapshot().unwrap()).is_ok());
        let pruned = store.prune(now().plus(1_000), false, |_| true).unwrap();
        assert!(pruned.entries > 0, "{pruned:?}");
        let error = case.fails("checkpoint", &store);
        assert!(matches!(error, CheckpointError::Rebuild(RebuildError::Pruned { .. })), "{error:?}");
    });
}

#[test]
fn what_is_no_earlier_state_of_the_store_is_refused() {
    run(async {
        let case = Case::new();
        let store = case.linked("store").await.into_store();
        drop(case.linked("other").await);
        assert!(matches!(case.fails("other", &store), CheckpointError::OtherStore));

        let store = case.copied(store, "store", "older");
        decide(&case.rules, &store, "Bern");
        let store = case.copied(store, "store", "newer");
        // A later one.
        let older = open(&case.path("older"));
        assert!(matches!(case.fails("newer", &older), CheckpointError::NotAncestor { .. }));
        // One that went on otherwise, further than this one.
        decide(&case.rules, &older, "Lima");
        decide(&case.rules, &older, "Kyiv");
        older.close().unwrap();
        assert!(matches!(case.fails("older", &store), CheckpointError::NotAncestor { .. }));

        store.set_fingerprint(b"another").unwrap();
        assert!(matches!(case.fails("newer", &store), CheckpointError::OtherMapping));
        assert!(Checkpoint::open(case.path("nowhere")).is_err());
    });
}

#[test]
fn a_root_that_was_kept_costs_what_has_moved_since() {
    run(async {
        let case = Case::new();
        let store = Store::create_or_open(case.path("store"), now(), &OpenOptions::default()).unwrap();
        let right = |store: &Store| root(mirror_records(&store.snapshot().unwrap(), people())).unwrap();
        let find = |store: &Store, whole| store.snapshot().unwrap().root(people(), whole).unwrap();

        // What a first reading brings is named in no entry.
        let none = find(&store, false);
        assert_eq!((none.root, none.whole), (right(&store), true));
        store.keep_roots(&[none]).unwrap();
        let mut driver = case.driver(store);
        driver.backfill().await.unwrap();
        let store = driver.into_store();

        let first = find(&store, false);
        assert_eq!((first.root, first.whole, first.since, first.read), (right(&store), true, None, 2));
        store.keep_roots(std::slice::from_ref(&first)).unwrap();
        let again = find(&store, false);
        assert_eq!((again.root, again.whole, again.since, again.read), (first.root, false, Some(first.at), 0));

        let mut driver = case.driver(store);
        live(&case, &mut driver).await;
        let store = driver.into_store();
        let moved = find(&store, false);
        // Nothing happened to Ann but one value; Bob went and came back; two are new.
        assert_eq!((moved.root, moved.whole, moved.since), (right(&store), false, Some(first.at)));
        assert_eq!((moved.root.records, moved.read), (4, 4));
        let whole = find(&store, true);
        assert_eq!((whole.root, whole.whole, whole.unsaid.len()), (moved.root, true, 0), "the journal has said it all");

        decide(&case.rules, &store, "Kyiv");
        let later = find(&store, false);
        store.keep_roots(std::slice::from_ref(&later)).unwrap();
        // What was found before is older than what is kept, and does not spoil it.
        store.keep_roots(std::slice::from_ref(&moved)).unwrap();
        let kept = find(&store, false);
        assert_eq!((kept.root, kept.since, kept.read), (right(&store), Some(later.at), 0));
        store.check().unwrap();

        // Of pruned entries nobody knows whom they named.
        decide(&case.rules, &store, "Riga");
        decide(&case.rules, &store, "Bonn");
        assert!(!find(&store, false).whole);
        assert!(store.prune(now().plus(1), false, |_| true).unwrap().entries > 0);
        let pruned = find(&store, false);
        assert_eq!((pruned.root, pruned.whole, pruned.since), (right(&store), true, None));
        store.check().unwrap();
    });
}

#[test]
fn a_record_that_moved_without_a_word_is_named_by_whoever_reads_all() {
    run(async {
        let case = Case::new();
        let store = case.linked("store").await.into_store();
        let find = |whole| store.snapshot().unwrap().root(people(), whole).unwrap();
        let before = find(false);
        store.keep_roots(std::slice::from_ref(&before)).unwrap();
        let [first, second] = store.snapshot().unwrap().record_scan(people(), None, 9).unwrap().try_into().unwrap();
        let stamp = Stamp { hlc: Hlc::at(now()).tick(), origin: Origin::Operator };
        let mut changed: Record = first.clone();
        changed.set(FieldId::of("city"), Value::Text("Cork".into()), stamp);
        let mut strange: Record = first.clone();
        strange.id = syncline::model::RecordId([0xff; 16]);
        for (change, named) in [
            (Change::PutRecord(changed.into()), vec![first.id]),
            (Change::PutRecord(strange.clone().into()), vec![first.id, strange.id]),
            (Change::RemoveRecord(people(), second.id), vec![first.id, second.id, strange.id]),
        ] {
            store.apply(&[change]).unwrap();
            // Whoever believes the journal sees nothing of it.
            assert_eq!(find(false).root, before.root);
            let found = find(true);
            assert_eq!(found.unsaid, named);
            assert_ne!(found.root, before.root);
            // Nor is it passed over the next time.
            store.keep_roots(&[found]).unwrap();
        }
        store.check().unwrap();
    });
}
