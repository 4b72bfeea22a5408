//! The first side of a record is taken in by a way of its own, which comes to what the merge rules come to.

use super::record::{Work, unlinked};
use crate::model::{Ability, FieldKind, Home, Millis, Place, Raw, RecordId, RemoteId, RemoteKey, Value};
use crate::rules::{CreateSpec, DefaultSpec, EntitySpec, FieldSpec, Limits, Mismatch, Rules, TooLong};
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

proptest! {
    #[test]
    fn the_first_side_is_what_the_rules_would_make_of_it(shown in shown(), now in 1i64..1 << 40) {
        let rules = rules();
        let entity = &rules.entities[0];
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
}
