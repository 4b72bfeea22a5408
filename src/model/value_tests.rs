//! Canonical values.

use super::*;
use crate::model::{FieldKind, Raw};
use proptest::prelude::*;

fn text(kind: &FieldKind, raw: &str) -> String {
    match kind.read(&Raw::Text(raw.into())) {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn reformatting_is_never_a_change() {
    let cases: &[(FieldKind, &[&str], &str)] = &[
        (FieldKind::Text, &["a\r\nb", " a\nb ", "a\rb"], "a\nb"),
        (FieldKind::Email, &["Ann@Example.COM ", "ann@example.com"], "ann@example.com"),
        (FieldKind::Phone, &["+1 (415) 555-0123", "+1.415.555.0123", "0014155550123"], "+14155550123"),
        (FieldKind::Phone, &["415 555 0123 ext. 7", "(415)5550123x7"], "4155550123 x7"),
        (FieldKind::Phone, &["ask Ann"], "ask Ann"),
        (FieldKind::Domain, &["https://www.Example.com/a?b", "example.com", "EXAMPLE.com:443/"], "example.com"),
        (FieldKind::Decimal { scale: None }, &["1.0", "1", "1.000", "1e0"], "1"),
        (FieldKind::Decimal { scale: Some(2) }, &["1.005", "1.01"], "1.01"),
        (FieldKind::Decimal { scale: None }, &["-0.0", "0"], "0"),
        (
            FieldKind::Url,
            &["https://example.com", "HTTPS://Example.COM/", "https://example.com:443", " https://EXAMPLE.com:443/ "],
            "https://example.com",
        ),
        (
            FieldKind::Url,
            &["http://Ann:Pw@Example.com:80/A?B#C", "http://Ann:Pw@example.com/A?B#C"],
            "http://Ann:Pw@example.com/A?B#C",
        ),
        (FieldKind::Url, &["Example.com/About", "example.com:/About"], "example.com/About"),
        (FieldKind::Url, &["http://example.com:8080/"], "http://example.com:8080"),
        (FieldKind::Url, &["mailto:Ann@Example.com"], "mailto:Ann@Example.com"),
        (FieldKind::Url, &["ask Ann at Example.com"], "ask Ann at Example.com"),
        (FieldKind::Integer, &["12", "12.0", "1.2e1", "+12", "0012"], "12"),
        (FieldKind::Integer, &["-0", "0"], "0"),
        (FieldKind::Set, &["b;a", "a;b", ";b; a ;b;", "a;b;a"], "a;b"),
        (FieldKind::Set, &[";", " ; ;", ""], "(blank)"),
        (FieldKind::Bool, &["true", "TRUE", "1"], "true"),
        (FieldKind::Date, &["2026-03-01", "2026-03-01T00:00:00Z", "1772323200000"], "2026-03-01"),
        (
            FieldKind::DateTime { step_ms: 1000 },
            &["2026-03-01T10:00:00.900Z", "2026-03-01T10:00:00.000+0000", "1772359200001", "2026-03-01T11:00:00+01:00"],
            "2026-03-01T10:00:00.000Z",
        ),
        (FieldKind::Text, &["", "  ", "\r\n"], "(blank)"),
    ];
    for (kind, raws, wanted) in cases {
        for raw in *raws {
            assert_eq!(text(kind, raw), *wanted, "{kind:?} {raw:?}");
        }
    }
}

#[test]
fn what_a_type_cannot_hold_is_an_error_without_the_value() {
    for (kind, raw) in [
        (FieldKind::Decimal { scale: None }, "lots"),
        (FieldKind::Integer, "12.5"),
        (FieldKind::Integer, "99999999999999999999"),
        (FieldKind::Integer, "a dozen"),
        (FieldKind::Bool, "maybe"),
        (FieldKind::Date, "2026-03-01T10:00:00Z"),
        (FieldKind::Date, "soon"),
        (FieldKind::DateTime { step_ms: 1 }, "2026-03-01"),
        (FieldKind::DateTime { step_ms: 1 }, "99999999999999999"),
    ] {
        let error = kind.read(&Raw::Text(raw.into())).unwrap_err();
        assert!(!error.to_string().contains(raw), "{error}");
    }
}

fn kinds() -> impl Strategy<Value = FieldKind> {
    prop_oneof![
        Just(FieldKind::Text),
        Just(FieldKind::Email),
        Just(FieldKind::Phone),
        Just(FieldKind::Domain),
        Just(FieldKind::Decimal { scale: None }),
        Just(FieldKind::Decimal { scale: Some(2) }),
        Just(FieldKind::Bool),
        Just(FieldKind::Date),
        Just(FieldKind::DateTime { step_ms: 1000 }),
        Just(FieldKind::Enum),
        Just(FieldKind::Url),
        Just(FieldKind::Integer),
        Just(FieldKind::Set),
    ]
}

fn members() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        "[ab]{0,2}".prop_map(|text| Value::Text(text.into())),
        (0i64..3).prop_map(Value::Int)
    ]
}

/// Bytes that nest without end must not exhaust the stack.
#[test]
fn a_group_within_a_group_is_damage() {
    let mut bytes = vec![1];
    bytes.extend([GROUP, 1].repeat(100_000));
    bytes.push(0);
    assert!(crate::codec::decode::<Value>(1, &bytes).is_err());
    let group = Value::group([Value::Null, Value::Bool(true)]);
    assert_eq!(crate::codec::encode(1, &group)[1], GROUP);
    assert_eq!(group.member(1), &Value::Bool(true));
    assert_eq!((group.member(2), Value::Null.member(0)), (&Value::Null, &Value::Null));
    assert_eq!(Value::group([Value::Null, Value::Null]), Value::Null);
    assert_eq!(group.to_string(), "(blank) | true");
}

fn raws() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9+() xX.-]{0,20}",
        "-?[0-9]{1,12}(\\.[0-9]{1,6})?",
        "(https?://)?(www\\.){0,2}[a-zA-Z.@:/ ]{0,20}",
        "([hH]ttps?://)?([a-zA-Z]{0,2}@)?[A-Ca-c.]{0,5}(:80|:443|:){0,2}[/?#]{0,2}[A-Ca-c]{0,2}",
        "[ab; ]{0,8}",
        "[+-]?[0-9]{1,20}(\\.0{0,3})?(e[0-9])?",
        "20[0-9]{2}-0[1-9]-[0-2][0-9](T[01][0-9]:00:00(\\.[0-9]{3})?(Z|\\+0100))?",
        (0i64..2_000_000_000_000).prop_map(|ms| ms.to_string()),
    ]
}

proptest! {
    #[test]
    fn canonicalisation_is_idempotent(kind in kinds(), raw in raws()) {
        if let Ok(value) = kind.read(&Raw::Text(raw.into())) {
            prop_assert_eq!(kind.read(&kind.write(&value)), Ok(value));
        }
    }

    #[test]
    fn equal_values_and_only_they_have_equal_bytes(kind in kinds(), a in raws(), b in raws()) {
        if let (Ok(a), Ok(b)) = (kind.read(&Raw::Text(a.into())), kind.read(&Raw::Text(b.into()))) {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            a.canonical_bytes(&mut x);
            b.canonical_bytes(&mut y);
            prop_assert_eq!(a == b, x == y);
        }
    }

    /// A reference has bytes of its own, by which it ends: nothing else that follows or stands elsewhere is taken for it.
    #[test]
    fn references_and_what_follows_them_are_told_apart(
        (a, b) in (any::<[u8; 16]>(), any::<[u8; 16]>()), text in "[ -~]{0,20}", after in "[ -~]{1,4}",
    ) {
        let bytes = |values: &[Value]| {
            let mut out = Vec::new();
            values.iter().for_each(|value| value.canonical_bytes(&mut out));
            out
        };
        let (one, other) = (Value::Ref(RecordId(a)), Value::Ref(RecordId(b)));
        prop_assert_eq!(bytes(std::slice::from_ref(&one)) == bytes(std::slice::from_ref(&other)), a == b);
        prop_assert_ne!(bytes(std::slice::from_ref(&one)), bytes(&[Value::Text(text.into())]));
        let after = Value::Text(after.into());
        prop_assert_eq!(bytes(&[one.clone(), after.clone()]), [bytes(&[one]), bytes(&[after])].concat());
    }

    /// A set means the same in any order, however often an option is named.
    #[test]
    fn a_set_has_no_order(options in prop::collection::vec("[a-c ]{0,3}", 0..5), again in any::<prop::sample::Index>()) {
        let mut other: Vec<String> = options.iter().rev().cloned().collect();
        if !other.is_empty() {
            other.push(other[again.index(other.len())].clone());
        }
        let read = |options: &[String]| FieldKind::Set.read(&Raw::Text(options.join(";").into()));
        prop_assert_eq!(read(&options), read(&other));
    }

    /// Numbers of equal meaning are one value, whole or not.
    #[test]
    fn a_number_has_no_style(number in any::<i64>(), zeros in 0usize..4) {
        let styled = format!("{number}.{}", "0".repeat(zeros + 1));
        for kind in [FieldKind::Integer, FieldKind::Decimal { scale: None }] {
            let read = |text: String| kind.read(&Raw::Text(text.into())).map(|value| crate::model::Digest::of_value(&value));
            prop_assert_eq!(read(styled.clone()), read(number.to_string()));
            prop_assert!(read(number.to_string()).is_ok());
        }
    }

    /// The values of a group keep their places and their borders.
    #[test]
    fn equal_groups_and_only_they_have_equal_bytes(
        a in prop::collection::vec(members(), 2..4), b in prop::collection::vec(members(), 2..4),
    ) {
        let bytes = |members: &[Value]| {
            let mut out = Vec::new();
            Value::group(members.to_vec()).canonical_bytes(&mut out);
            out
        };
        let blank = |members: &[Value]| members.iter().all(Value::is_null);
        prop_assert_eq!(a == b || blank(&a) && blank(&b), bytes(&a) == bytes(&b));
        let encoded = crate::codec::encode(1, &Value::group(a.clone()));
        prop_assert_eq!(crate::codec::decode::<Value>(1, &encoded), Ok(Value::group(a)));
    }

    #[test]
    fn values_survive_the_codec(kind in kinds(), raw in raws()) {
        if let Ok(value) = kind.read(&Raw::Text(raw.into())) {
            let bytes = crate::codec::encode(1, &value);
            prop_assert_eq!(crate::codec::decode::<Value>(1, &bytes), Ok(value));
        }
    }
}
