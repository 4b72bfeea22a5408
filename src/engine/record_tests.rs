//! Quick ways come to what the long ones come to: a record's first side, and what a side shows of a record that has moved.

use super::record::{Work, shown_row, unlinked};
use super::save::Moves;
use crate::model::{
    Ability, Differs, FieldKind, Hlc, Home, Millis, Origin, Place, Raw, Record, RecordId, RemoteId, RemoteKey, Stamp,
    Value,
};
use crate::rules::{CreateSpec, DefaultSpec, Entity, EntitySpec, FieldSpec, Limits, Mismatch, Rules, TooLong};
use proptest::prelude::*;

/// Three fields: one that the system cuts, one with a default there, one that it does not bend.
fn rules() -> Rules {
    let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name);
    let cut = Mismatch { too_long: TooLong::Truncate, ..Mismatch::default() };
    let entity = EntitySpec::new("person")
        .at("a", "people")
        .at("b", "Person")
        .field(field("cut").limit("a", Limits { length: Some(3), ..Limits::default() }).mismatch(cut))
        .field(field("filled").default(DefaultSpec::Everywhere(Raw::Text("there".into()))))
        .field(field("plain"))
        .match_by("plain")
        .create(CreateSpec::Nowhere);
    let rules = Rules::builder().system("a", Ability::polled()).system("b", Ability::polled()).entity(entity);
    rules.build().unwrap_or_else(|errors| panic!("{errors}"))
}

fn shown() -> impl Strategy<Value = Vec<Option<Value>>> {
    let text = "[a-c]{1,5}".prop_map(|text| Value::Text(text.into()));
    let value = prop_oneof![3 => text, 1 => Just(Value::Null)];
    prop::collection::vec(prop::option::weighted(0.8, value), 3)
}

/// What is known of each field: its register's value and the tick of its stamp, and what the side shows apart from that.
type Known = Vec<(Option<(Value, u64)>, Option<Value>)>;

fn known() -> impl Strategy<Value = Known> {
    let text = || prop_oneof![Just(Value::Null), "[a-b]{1,4}".prop_map(|text| Value::Text(text.into()))];
    prop::collection::vec((prop::option::of((text(), 1u64..3)), prop::option::weighted(0.3, text())), 3)
}

fn record_of(entity: &Entity, home: Home, known: &Known) -> Record {
    let mut record = Record::new(RecordId([1; 16]), entity.id);
    let remote = RemoteId::parse("7").unwrap();
    let key = RemoteKey { entity: entity.id, system: home.system, object: home.object, remote };
    let mut side = unlinked(entity, &key, Place::at(Millis(5)));
    for (field, (register, apart)) in entity.fields.iter().zip(known) {
        if let Some((value, tick)) = register {
            record.set(field.id, value.clone(), Stamp { hlc: Hlc::from_bits(*tick), origin: Origin::Engine });
        }
        let shown = apart.iter().cloned();
        side.differs.extend(shown.map(|shown| Differs { field: field.id, shown, apart: None, wanted: None }));
    }
    record.put_side(side);
    record
}

proptest! {
    #[test]
    fn a_side_shows_the_same_where_all_its_fields_do(before in known(), after in known(), at in 0usize..2) {
        let rules = rules();
        let entity = &rules.entities[0];
        let home = [Home::of("a", "people"), Home::of("b", "Person")][at];
        let [before, after] = [before, after].map(|known| record_of(entity, home, &known));
        let row = |record| shown_row(entity, record, home).expect("it has the side").collect::<Vec<_>>();
        prop_assert_eq!(Moves::between(&before, &after).shows_same(entity, &before, &after, home), row(&before) == row(&after));
        prop_assert!(Moves::between(&before, &before).shows_same(entity, &before, &before, home));
    }

    #[test]
    fn the_first_side_is_what_the_rules_would_make_of_it(shown in shown(), now in 1i64..1 << 40) {
        let rules = rules();
        let entity = &rules.entities[0];
        let shown: Vec<Option<&Value>> = shown.iter().map(Option::as_ref).collect();
        let home = Home::of("a", "people");
        let remote = RemoteId::parse("7").unwrap();
        let key = RemoteKey { entity: entity.id, system: home.system, object: home.object, remote };
        let (begun, now) = (Place::at(Millis(now - 1)), Millis(now));

        let mut quick = Work::new(RecordId([1; 16]), entity.id);
        quick.link_side(&rules, entity, &key, &shown, begun, now);

        let mut slow = Work::new(RecordId([1; 16]), entity.id);
        slow.record.put_side(unlinked(entity, &key, begun));
        slow.link_fields(&rules, entity, home, &shown, begun, now);
        prop_assert_eq!(&*quick.record, &*slow.record);
        prop_assert_eq!(&*quick.lately, &*slow.lately);
    }

    #[test]
    fn a_second_side_is_linked_as_field_by_field(first in shown(), second in shown(), alike in any::<[bool; 3]>(), now in 1i64..1 << 40) {
        let rules = rules();
        let entity = &rules.entities[0];
        let mut work = Work::new(RecordId([1; 16]), entity.id);
        let (begun, now) = (Place::at(Millis(now - 1)), Millis(now));
        let key = |home: Home| {
            let remote = RemoteId::parse("7").unwrap();
            RemoteKey { entity: entity.id, system: home.system, object: home.object, remote }
        };
        let (a, b) = (Home::of("a", "people"), Home::of("b", "Person"));
        let values: Vec<Option<&Value>> = first.iter().map(Option::as_ref).collect();
        work.link_side(&rules, entity, &key(a), &values, begun, now);
        // In some fields the second shows what the first does.
        let second: Vec<Option<Value>> = alike
            .iter()
            .zip(first.iter().zip(&second))
            .map(|(alike, (first, second))| if *alike { first.clone() } else { second.clone() })
            .collect();
        let values: Vec<Option<&Value>> = second.iter().map(Option::as_ref).collect();

        let (mut quick, mut slow) = (work.beside(), work.beside());
        quick.link_side(&rules, entity, &key(b), &values, begun, now);
        slow.record.put_side(unlinked(entity, &key(b), begun));
        for ((field, _), value) in entity.fields_at(b).zip(&values) {
            if let Some(value) = value {
                slow.link_field(&rules, entity, (b.system, field), value, begun, now);
            }
        }
        prop_assert_eq!(&*quick.record, &*slow.record);
        prop_assert_eq!(&*quick.lately, &*slow.lately);
        prop_assert_eq!(&quick.fates, &slow.fates);
    }
}
