//! `where`: a condition in CEL over an object's fields, checked as far as it can be before anything is read.

use super::expression::{Expression, Flaw, Stumble};
use crate::model::{FieldKind, Value};
use crate::rules::nearest::nearest;
use crate::rules::{FieldSpec, ScopeSpec};

/// A condition that would do.
const EXAMPLE: &str = "country == \"DE\" && stage in [\"customer\", \"evangelist\"]";

/// Compiles `text` over these fields.
///
/// # Errors
/// What is wrong with it, and the mend.
pub(super) fn compile(text: &str, fields: &[FieldSpec]) -> Result<ScopeSpec, Flaw> {
    let expression = Expression::compile(text, EXAMPLE)?;
    let mut kinds = Vec::new();
    for name in &expression.names {
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            let near = nearest(name, fields.iter().map(|field| &*field.name));
            let mend =
                near.map_or_else(|| "name a field of the entity".into(), |near| format!("did you mean `{near}`?"));
            return Err((format!("the condition names `{name}`, which is no field"), mend));
        };
        if matches!(field.kind, FieldKind::Ref { .. } | FieldKind::Refs { .. }) {
            let mend = "use a field with a value of its own".to_owned();
            return Err((format!("`{name}` refers to another record, which a condition cannot see"), mend));
        }
        kinds.push(field.kind.clone());
    }
    if kinds.is_empty() {
        return Err(("the condition names no field".into(), "name one, or take `where` away".into()));
    }
    // With values of every kind that a field can show: what is no condition then never is one, short cuts apart.
    for round in 0..3 {
        let samples: Vec<Value> = kinds.iter().map(|kind| sample(kind, round)).collect();
        let works = decide(&expression, &samples.iter().collect::<Vec<_>>());
        works.map_err(|why| (format!("the condition does not work: {why}"), mend(&expression.names, &kinds)))?;
    }
    let reads = expression.names.clone();
    Ok(ScopeSpec::new(text, reads, move |values| decide(&expression, values) == Ok(true)))
}

fn decide(expression: &Expression, values: &[&Value]) -> Result<bool, String> {
    let given = match expression.run(values) {
        Ok(given) => given,
        Err(Stumble::Here(_)) => return Ok(false),
        Err(Stumble::Always(why)) => return Err(why),
    };
    match given {
        cel::Value::Bool(holds) => Ok(holds),
        other => Err(format!("it gives {}, and must give true or false", other.type_of())),
    }
}

fn mend(reads: &[String], kinds: &[FieldKind]) -> String {
    let each = reads.iter().zip(kinds).map(|(name, kind)| {
        let seen = match kind {
            FieldKind::Integer => "a whole number such as 3",
            FieldKind::Decimal { .. } => "a number such as 3.0",
            FieldKind::Bool => "true or false",
            FieldKind::Date => "a text such as \"2026-01-31\"",
            FieldKind::DateTime { .. } => "a text such as \"2026-01-31T08:00:00.000Z\"",
            FieldKind::Set => "a list of texts",
            _ => "a text",
        };
        format!("`{name}` is {seen}")
    });
    format!("{}; blank is null", each.collect::<Vec<_>>().join(", "))
}

fn sample(kind: &FieldKind, round: usize) -> Value {
    let n = round as i64;
    match kind {
        FieldKind::Integer => Value::Int(n * 1000),
        FieldKind::Decimal { .. } => Value::Decimal((n * 1000).into()),
        FieldKind::Bool => Value::Bool(round.is_multiple_of(2)),
        FieldKind::Date => Value::Date(20_000 + round as i32),
        FieldKind::DateTime { .. } => Value::DateTime(1_700_000_000_000 + n),
        FieldKind::Set => Value::set(["a", "b"]),
        FieldKind::Enum => Value::Enum("a".into()),
        _ => Value::Text("a".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields() -> Vec<FieldSpec> {
        let kinds = [
            ("country", FieldKind::Text),
            ("stage", FieldKind::Enum),
            ("amount", FieldKind::Decimal { scale: None }),
            ("size", FieldKind::Integer),
            ("vip", FieldKind::Bool),
            ("since", FieldKind::Date),
            ("tags", FieldKind::Set),
            ("email", FieldKind::Email),
        ];
        let mut fields: Vec<FieldSpec> = kinds.map(|(name, kind)| FieldSpec::new(name, kind)).into();
        fields.push(FieldSpec::reference("boss", "person"));
        fields
    }

    fn holds(text: &str, values: &[(&str, Value)]) -> bool {
        let scope = compile(text, &fields()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let value = |name: &String| values.iter().find(|(of, _)| of == name).map_or(&Value::Null, |(_, value)| value);
        let values: Vec<&Value> = scope.reads.iter().map(value).collect();
        scope.compile().decide(&values)
    }

    #[test]
    fn conditions_see_what_a_record_shows() {
        let country = |name: &str| ("country", Value::Text(name.into()));
        let cases = [
            ("country == \"DE\"", vec![country("DE")], true),
            ("country == \"DE\"", vec![country("FR")], false),
            ("country == \"DE\"", vec![], false),
            ("country != \"DE\"", vec![], true),
            ("country in [\"DE\", \"AT\"]", vec![country("AT")], true),
            ("stage == \"customer\" || vip", vec![("vip", Value::Bool(true))], true),
            ("amount > 1000", vec![("amount", Value::Decimal(1001.into()))], true),
            ("amount > 1000", vec![], false),
            ("amount == null || amount > 1000", vec![], true),
            ("size >= 3", vec![("size", Value::Int(3))], true),
            ("since >= \"2026-01-01\"", vec![("since", Value::Date(20_454))], true),
            ("\"vip\" in tags", vec![("tags", Value::set(["vip", "old"]))], true),
            ("tags.exists(t, t.startsWith(\"v\"))", vec![("tags", Value::set(["vip"]))], true),
            ("\"vip\" in tags", vec![], false),
            ("email.endsWith(\"@acme.example\")", vec![("email", Value::Text("a@acme.example".into()))], true),
        ];
        for (text, values, expected) in cases {
            assert_eq!(holds(text, &values), expected, "{text} of {values:?}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_a_mend() {
        let cases = [
            ("country ==", "no CEL expression", "write one such as country"),
            ("countri == \"DE\"", "`countri`, which is no field", "did you mean `country`?"),
            ("country", "must give true or false", "`country` is a text; blank is null"),
            ("amount > \"much\"", "does not work", "`amount` is a number such as 3.0; blank is null"),
            ("lower(country) == \"de\"", "there is no function `lower`", "`country` is a text"),
            ("1 == 1", "names no field", "take `where` away"),
            ("boss == \"x\"", "refers to another record", "a value of its own"),
            ("tags.exists(t, tags.exists(u, u == t))", "lists within lists", "at most one"),
        ];
        for (text, message, mend) in cases {
            let (said, mends) = compile(text, &fields()).expect_err(text);
            assert!(said.contains(message), "{text}: {said}");
            assert!(mends.contains(mend), "{text}: {mends}");
        }
        let long = format!("country == \"{}\"", "x".repeat(4096));
        assert!(compile(&long, &fields()).expect_err("too long").0.contains("longer than"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "[a-z\"'=&|()\\[\\]{}.,?:!<> 0-9\\\\é-]{0,40}") {
            let _ = compile(&text, &fields());
        }
    }
}
