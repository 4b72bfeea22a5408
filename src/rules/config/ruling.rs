//! `conflict = { rule = "EXPRESSION" }`: who wins, in CEL over `base` and `edits`, tried out when the config is read.

use super::expression::{Expression, Flaw, Stumble, seen};
use crate::model::{Decimal, FieldKind, Millis, SystemId, Value};
use crate::rules::{Rule, RuleEdit, Ruling};
use std::sync::Arc;

/// A rule that would do.
const EXAMPLE: &str = "edits.exists(e, e.system == \"hubspot\" && e.value != null) ? \"hubspot\" : edits[0].system";

/// What the expression can name.
const NAMES: [&str; 2] = ["base", "edits"];

/// Compiles `text` for a field of this type.
///
/// # Errors
/// What is wrong with it, and the mend.
pub(super) fn compile(text: &str, kind: &FieldKind, systems: &[String]) -> Result<Rule, Flaw> {
    let expression = Expression::compile(text, EXAMPLE)?;
    if let Some(name) = expression.names.iter().find(|name| !NAMES.contains(&&***name)) {
        let mend = "write it over `base` and `edits`, a list of { system, value, time }".to_owned();
        return Err((format!("the rule names `{name}`, and can see nothing but `base` and `edits`"), mend));
    }
    let rule = Ask { expression, kind: kind.clone(), systems: systems.to_vec() };
    for (base, values) in samples(kind) {
        // Over a blank a sound rule may stumble: that is a problem of its own then.
        let blank = base.is_null() || values.iter().any(Value::is_null);
        // Each of them may be the later one.
        for turned in [false, true] {
            let mut edits: Vec<RuleEdit<'_>> =
                systems.iter().zip(&values).map(|(system, value)| edit(system, value)).collect();
            if turned {
                edits.reverse();
            }
            match rule.run(&base, &edits) {
                Ok(_) | Err(Stumble::Here(_)) => {}
                Err(Stumble::Always(_)) if blank => {}
                Err(Stumble::Always(why)) => {
                    let mend =
                        format!("give the name of a system that made an edit, or a value of type {}", kind.name());
                    return Err((format!("the rule does not work: {why}"), mend));
                }
            }
        }
    }
    Ok(Rule::new(text, move |base, edits| {
        rule.run(base, edits).map_err(|stumble| match stumble {
            Stumble::Always(why) | Stumble::Here(why) => why,
        })
    }))
}

struct Ask {
    expression: Expression,
    kind: FieldKind,
    systems: Vec<String>,
}

impl Ask {
    fn run(&self, base: &Value, edits: &[RuleEdit<'_>]) -> Result<Ruling, Stumble> {
        let name =
            |id: SystemId| self.systems.iter().find(|name| SystemId::of(name) == id).cloned().unwrap_or_default();
        let each = edits.iter().map(|edit| {
            let time = Value::DateTime(edit.time.0);
            let text = |text: String| cel::Value::String(Arc::new(text));
            let entry = [("system", text(name(edit.system))), ("value", seen(edit.value)), ("time", seen(&time))];
            let entries = entry.into_iter().map(|(key, value)| (key.to_owned().into(), value));
            cel::Value::Map(cel::objects::Map { map: Arc::new(entries.collect()) })
        });
        let edits_seen = cel::Value::List(Arc::new(each.collect()));
        let values =
            self.expression.names.iter().map(|name| if name == "base" { seen(base) } else { edits_seen.clone() });
        let given = self.expression.run_over(values.collect())?;
        if let cel::Value::String(text) = &given
            && self.systems.contains(text)
        {
            let id = SystemId::of(text);
            let made = edits.iter().any(|edit| edit.system == id);
            return made.then_some(Ruling::Edit(id)).ok_or(Stumble::Here("it names a system that made no edit".into()));
        }
        let kind = given.type_of();
        value(&self.kind, given).map(Ruling::Value).ok_or_else(|| {
            let names = self.systems.join(", ");
            Stumble::Always(format!(
                "it gives {kind}, which is neither one of {names} nor of type {}",
                self.kind.name()
            ))
        })
    }
}

/// What an expression gives, as a value of the field's type.
fn value(kind: &FieldKind, given: cel::Value) -> Option<Value> {
    let raw = |text: &str| kind.read(&crate::model::Raw::Text(text.into())).ok();
    let value = match given {
        cel::Value::Null => Value::Null,
        cel::Value::String(text)
            if matches!(kind, FieldKind::Integer | FieldKind::Decimal { .. } | FieldKind::Bool) =>
        {
            return raw(&text).filter(Value::is_null);
        }
        cel::Value::String(text) => raw(&text)?,
        cel::Value::Bool(value) if *kind == FieldKind::Bool => Value::Bool(value),
        cel::Value::Int(number) => match kind {
            FieldKind::Integer => Value::Int(number),
            FieldKind::Decimal { .. } => Value::Decimal(number.into()),
            _ => return None,
        },
        cel::Value::Float(number) => match kind {
            FieldKind::Decimal { .. } => raw(&Decimal::parse(&number.to_string())?.to_string())?,
            FieldKind::Integer => Value::Int(Decimal::parse(&number.to_string())?.to_int()?),
            _ => return None,
        },
        cel::Value::List(items) if *kind == FieldKind::Set => {
            let text = |item: &cel::Value| match item {
                cel::Value::String(text) => Some((**text).clone()),
                _ => None,
            };
            Value::set(items.iter().map(text).collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    };
    kind.holds(&value).then_some(value)
}

fn edit<'v>(system: &str, value: &'v Value) -> RuleEdit<'v> {
    RuleEdit { system: SystemId::of(system), value, time: Millis(1_700_000_000_000) }
}

/// Values before and after: of the type, and blank.
fn samples(kind: &FieldKind) -> Vec<(Value, Vec<Value>)> {
    let n = |n: i64| match kind {
        FieldKind::Integer => Value::Int(n),
        FieldKind::Decimal { .. } => Value::Decimal(n.into()),
        FieldKind::Bool => Value::Bool(n % 2 == 0),
        FieldKind::Date => Value::Date(20_000 + n as i32),
        FieldKind::DateTime { step_ms } => {
            Value::DateTime(Millis(1_700_000_000_000 + n * 86_400_000).floor(*step_ms).0)
        }
        FieldKind::Set => Value::set([format!("{n}"), "a".into()]),
        FieldKind::Enum => Value::Enum(format!("option {n}").into()),
        _ => Value::Text(format!("text{n}").into()),
    };
    let cycle = |first: Vec<Value>| first.into_iter().cycle().take(8).collect::<Vec<_>>();
    vec![
        (n(1), cycle(vec![n(2), n(3)])),
        (n(1), cycle(vec![n(3), n(2)])),
        (Value::Null, cycle(vec![n(2), n(4)])),
        (n(1), cycle(vec![Value::Null, n(2)])),
        (n(1), cycle(vec![n(2), Value::Null])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systems() -> Vec<String> {
        vec!["hubspot".into(), "salesforce".into()]
    }

    fn decided(text: &str, kind: FieldKind, base: Value, values: [Value; 2]) -> Result<Ruling, String> {
        let rule = compile(text, &kind, &systems()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let edits: Vec<_> = systems().iter().zip(&values).map(|(system, value)| edit(system, value)).collect();
        rule.decide(&base, &edits)
    }

    #[test]
    fn rules_name_an_edit_or_give_a_value() {
        let hubspot = || Ok(Ruling::Edit(SystemId::of("hubspot")));
        let value = |value| Ok(Ruling::Value(value));
        let int = Value::Int;
        let text = |text: &str| Value::Text(text.into());
        let number = FieldKind::Integer;
        let big =
            "edits.exists(e, e.system == 'hubspot' && e.value != null && e.value > 10) ? 'hubspot' : edits[1].value";
        assert_eq!(decided(big, number.clone(), int(1), [int(11), int(2)]), hubspot());
        assert_eq!(decided(big, number.clone(), int(1), [int(9), int(2)]), value(int(2)));
        let sum = "base + edits[0].value - base + edits[1].value - base";
        assert_eq!(decided(sum, number.clone(), int(10), [int(12), int(15)]), value(int(17)));
        assert!(decided(sum, number, int(10), [int(12), Value::Null]).is_err(), "it stumbles over a blank");
        assert_eq!(decided("edits[0].system", FieldKind::Text, text("a"), [text("b"), text("c")]), hubspot());
        assert_eq!(
            decided("edits[0].value + ' / ' + edits[1].value", FieldKind::Text, text("a"), [text("b"), text("c")]),
            value(text("b / c"))
        );
        let first = "edits[0].time <= edits[1].time ? edits[0].value : edits[1].value";
        assert_eq!(
            decided(first, FieldKind::Date, Value::Date(1), [Value::Date(2), Value::Date(3)]),
            value(Value::Date(2))
        );
        let sets = [Value::set(["x"]), Value::set(["y"])];
        assert_eq!(
            decided("edits[0].value + edits[1].value", FieldKind::Set, Value::Null, sets),
            value(Value::set(["x", "y"]))
        );
    }

    #[test]
    fn what_is_no_rule_is_refused_with_a_mend() {
        for (text, kind, message, mend) in [
            ("edits[0", FieldKind::Text, "no CEL expression", "write one such as edits.exists"),
            ("email", FieldKind::Text, "names `email`, and can see nothing but", "a list of { system, value, time }"),
            ("size(edits)", FieldKind::Text, "it gives int, which is neither one of hubspot, salesforce", "type text"),
            ("true", FieldKind::Integer, "it gives bool", "a value of type integer"),
            ("'pipedrive'", FieldKind::Integer, "it gives string", "the name of a system"),
            ("edits[0].shout()", FieldKind::Text, "no function `shout`", "the name of a system"),
            (
                "edits.exists(e, edits.exists(f, f == e)) ? 'hubspot' : null",
                FieldKind::Text,
                "lists within lists",
                "at most",
            ),
        ] {
            let (said, mends) = compile(text, &kind, &systems()).expect_err(text);
            assert!(said.contains(message), "{text}: {said}");
            assert!(mends.contains(mend), "{text}: {mends}");
        }
    }
}
