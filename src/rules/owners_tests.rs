use super::*;
use crate::model::{Raw, User};
use proptest::prelude::*;

fn people(users: &[(&str, &str, bool)]) -> Arc<People> {
    let user =
        |(id, email, active): &(&str, &str, bool)| User { id: (*id).into(), email: (*email).into(), active: *active };
    Arc::new(People::new(users.iter().map(user)))
}

fn field(fallback: Option<&str>, users: &[(&str, &str, bool)]) -> (Field, FieldBinding) {
    use crate::model::Ability;
    use crate::rules::{CreateSpec, EntitySpec, FieldSpec};
    let ability = Ability::polled();
    let mut spec = FieldSpec::new("owner", FieldKind::Owner).at("a", "o").at("b", "o");
    spec.fallback.extend(fallback.map(|email| ("b".to_owned(), email.to_owned())));
    let entity = EntitySpec::new("thing").at("a", "t").at("b", "t").create(CreateSpec::Nowhere).match_by("key");
    let entity = entity.field(FieldSpec::new("key", FieldKind::Text).at("a", "k").at("b", "k")).field(spec);
    let rules = Rules::builder().system("a", ability.clone()).system("b", ability).entity(entity).build();
    let mut rules = rules.unwrap();
    rules.set_people(SystemId::of("b"), &people(users));
    let field = rules.entities[0].owners().next().unwrap().clone();
    let binding = field.first_in(SystemId::of("b")).unwrap().clone();
    (field, binding)
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

const USERS: [(&str, &str, bool); 3] = [("1", "ann@x", true), ("2", "ops@x", true), ("3", "old@x", false)];

#[test]
fn ids_are_read_as_addresses_and_addresses_written_as_ids() {
    let (field, at) = field(None, &USERS);
    let read = |id: &str| field.read(&at, &[Raw::Text(id.into())]).map_err(|amiss| amiss.error);
    assert_eq!((read("1"), read("3")), (Ok(text("ann@x")), Ok(text("old@x"))));
    assert_eq!((read("9"), read("")), (Err(ValueError::NO_OWNER), Ok(Value::Null)));
    assert_eq!(field.write(&at, &text("ann@x")), Ok(vec![Raw::Text("1".into())]));
    for gone in ["old@x", "nobody@x"] {
        assert_eq!(field.fits(&at, &text(gone)).unwrap_err().error, Unfit::NoOwner);
        assert_eq!(field.project(&at, &text(gone)), text(gone), "no side that cannot hold it shows it");
    }
}

#[test]
fn who_shows_the_fallback_shows_the_owner_and_who_went_inactive_stays() {
    let (field, at) = field(Some("Ops@x"), &USERS);
    assert_eq!(field.project(&at, &text("nobody@x")), text("ops@x"));
    assert_eq!(field.write(&at, &text("old@x")), Ok(vec![Raw::Text("2".into())]));
    let content = |register: &str, shown: &str| field.is_content(at.home(), &text(register), &text(shown));
    assert!(content("old@x", "old@x") && content("old@x", "ops@x") && !content("old@x", "ann@x"));
    let (plain, at) = self::field(Some("nobody@x"), &USERS);
    assert_eq!(plain.fits(&at, &text("gone@x")).unwrap_err().error, Unfit::NoOwner, "a fallback who is nobody");
}

proptest! {
    /// A projection is its own projection, what is shown is what was projected, and a table that knows more of others changes
    /// nothing for those whom it knew.
    #[test]
    fn projecting_is_idempotent(
        users in proptest::collection::vec(("[1-6]", "[a-e]@X", any::<bool>()), 0..8),
        fallback in proptest::option::of("[a-e]@x"),
        value in "[a-f]@x",
    ) {
        let users: Vec<(&str, &str, bool)> = users.iter().map(|(id, email, on)| (&**id, &**email, *on)).collect();
        let (field, at) = field(fallback.as_deref(), &users);
        let value = text(&value);
        let projected = field.project(&at, &value);
        prop_assert_eq!(field.project(&at, &projected), projected.clone());
        if let Ok(raws) = field.write(&at, &value) {
            prop_assert_eq!(field.read(&at, &raws), Ok(projected));
        } else {
            prop_assert_eq!(projected, value);
        }
    }
}
