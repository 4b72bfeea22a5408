//! `transform.SYSTEM = ["trim", { prefix = "C-" }]`.

use super::error::Problems;
use super::expression::{Expression, Stumble};
use super::reader::Node;
use crate::model::{Decimal, FieldKind, Value};
use crate::rules::nearest::nearest;
use crate::rules::{Custom, FieldSpec, Transform};

/// Reads the transforms of a field that knows its systems.
pub(super) fn read(node: &Node<'_>, field: &mut FieldSpec, problems: &mut Problems) {
    if !node.is_table() {
        let message = format!("`{}` names no system", node.path);
        problems.push(&node.span, message, "write transform.SYSTEM = [...]: what that system holds of the value");
        return;
    }
    let Some(mut section) = node.section(problems) else { return };
    let systems: Vec<String> = field.systems().into_iter().map(str::to_owned).collect();
    for entry in section.take_rest() {
        if !systems.iter().any(|system| system == entry.key) {
            let mend = match nearest(entry.key, systems.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("name one of {}", systems.join(", ")),
            };
            problems.push(&entry.key_span, format!("the field has no property in `{}`", entry.key), mend);
            continue;
        }
        let Some(steps) = entry.list(problems) else { continue };
        let before = problems.0.len();
        let steps: Vec<Transform> = steps.iter().filter_map(|step| one(step, &field.kind, problems)).collect();
        // The place of a step is its number, so that none may be left out.
        if problems.0.len() == before {
            field.transforms.push((entry.key.to_owned(), steps));
        }
    }
}

fn one(node: &Node<'_>, kind: &FieldKind, problems: &mut Problems) -> Option<Transform> {
    if !node.is_table() {
        let text = node.text(problems)?;
        return word(text).or_else(|| {
            unknown(node, text, problems);
            None
        });
    }
    let mut section = node.section(problems)?;
    let text = |node: Node<'_>, problems: &mut Problems| node.text(problems).map(str::to_owned);
    let keys = ["replace", "prefix", "suffix", "times", "shift", "cel"];
    let [replace, prefix, suffix, times, shift, cel] = keys.map(|key| section.take(key));
    let (with, back) = (section.take("with"), section.take("back"));
    let count = [&replace, &prefix, &suffix, &times, &shift, &cel].iter().filter(|step| step.is_some()).count();
    if let (Some(back), None) = (&back, &cel) {
        problems.push(
            &back.key_span,
            "`back` takes `cel` back, and there is none",
            "add cel = \"...\", or take it away",
        );
    }
    let step = match (replace, prefix, suffix, times, shift) {
        _ if count == 1 && cel.is_some() => cel.and_then(|cel| custom(&cel, back.as_ref(), kind, problems)),
        _ if count > 1 => {
            problems.push(&node.span, "one step does one thing", "write several steps, each in braces of its own");
            None
        }
        (Some(from), ..) => {
            let to = match &with {
                Some(with) => with.text(problems).map(str::to_owned),
                None => {
                    problems.push(&node.span, "`replace` does not say by what", "add with = \"...\"");
                    None
                }
            };
            Some(Transform::Replace { from: text(from, problems)?, to: to? })
        }
        (_, Some(prefix), ..) => text(prefix, problems).map(Transform::Prefix),
        (_, _, Some(suffix), ..) => text(suffix, problems).map(Transform::Suffix),
        (_, _, _, Some(times), _) => self::times(&times, problems),
        (.., Some(shift)) => self::shift(&shift, problems),
        _ => {
            if section.is_empty() && back.is_none() {
                problems.push(&node.span, "the step does nothing", format!("write one of {STEPS}"));
            }
            None
        }
    };
    section.finish(problems);
    step
}

/// A step by an expression over `value`, and one that takes it back.
fn custom(node: &Node<'_>, back: Option<&Node<'_>>, kind: &FieldKind, problems: &mut Problems) -> Option<Transform> {
    let mut compile = |node: &Node<'_>| {
        let text = node.text(problems)?.to_owned();
        match expression(&text, kind) {
            Ok(step) => Some((text, step)),
            Err((message, mend)) => {
                problems.push(&node.span, message, mend);
                None
            }
        }
    };
    let (write, apply) = compile(node)?;
    let back = match back {
        Some(back) => Some(compile(back)?),
        None => None,
    };
    let run = |step: Expression| move |value: &Value| converted(value, step.run(&[value]).ok()?);
    let custom = Custom::new(write, run(apply));
    Some(Transform::Custom(match back {
        Some((read, undo)) => custom.back(read, run(undo)),
        None => custom,
    }))
}

/// An expression over `value` that gives what a field of this type can hold.
fn expression(text: &str, kind: &FieldKind) -> Result<Expression, (String, String)> {
    let step = Expression::compile(text, "value.split(\" \")[0]")?;
    if step.names != ["value"] {
        let other = step.names.iter().find(|name| *name != "value");
        let message = other.map_or("the expression does not name `value`".to_owned(), |name| {
            format!("the expression names `{name}`, and can see nothing but `value`")
        });
        return Err((message, "write it over `value`".to_owned()));
    }
    let samples = match kind {
        FieldKind::Integer => vec![Value::Int(3)],
        FieldKind::Decimal { .. } => vec![Value::Decimal(3.into())],
        FieldKind::Bool => vec![Value::Bool(true)],
        _ => vec![Value::Text("Ann Smith".into()), Value::Text("7".into())],
    };
    // It may stumble over some values, which are problems of their own then.
    for sample in &samples {
        let why = match step.run(&[sample]) {
            Ok(given) if converted(sample, given.clone()).is_some() => continue,
            Ok(given) => format!("it gives {}, and the field is of type {}", given.type_of(), kind.name()),
            Err(Stumble::Here(_)) => continue,
            Err(Stumble::Always(why)) => why,
        };
        let mend = "give a value of the field's type: a text of a text, a number of a number";
        return Err((format!("the expression does not work: {why}"), mend.to_owned()));
    }
    Ok(step)
}

/// What an expression gives, as a value of the type of `from`.
fn converted(from: &Value, given: cel::Value) -> Option<Value> {
    match (from, given) {
        (Value::Text(_), cel::Value::String(text)) => Some(Value::Text((*text).clone().into())),
        (Value::Bool(_), cel::Value::Bool(value)) => Some(Value::Bool(value)),
        (Value::Int(_) | Value::Decimal(_), cel::Value::Int(number)) => Some(Value::Decimal(number.into())),
        (Value::Int(_) | Value::Decimal(_), cel::Value::Float(number)) => {
            Decimal::parse(&number.to_string()).map(Value::Decimal)
        }
        _ => None,
    }
}

fn word(text: &str) -> Option<Transform> {
    Some(match text {
        "trim" => Transform::Trim,
        "upper" => Transform::Upper,
        "lower" => Transform::Lower,
        "title" => Transform::Title,
        _ => return None,
    })
}

fn unknown(node: &Node<'_>, text: &str, problems: &mut Problems) {
    let mend = match text {
        "replace" => "write { replace = \"...\", with = \"...\" }".to_owned(),
        "prefix" | "suffix" => format!("write {{ {text} = \"...\" }}"),
        "times" => "write { times = 100 }".to_owned(),
        "shift" => "write { shift = \"2h\" }".to_owned(),
        _ => match nearest(text, ["trim", "upper", "lower", "title"]) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of {STEPS}"),
        },
    };
    problems.push(&node.span, format!("`{text}` is no step of a transform"), mend);
}

fn times(node: &Node<'_>, problems: &mut Problems) -> Option<Transform> {
    let power = node.scalar().and_then(|text| Decimal::parse(&text)?.power_of_ten());
    if power.is_none() {
        let message = format!("`{}` is no power of ten", node.path);
        problems.push(&node.span, message, "write 100, 0.01 and the like, which can be taken back exactly");
    }
    power.map(|power| Transform::Times { power })
}

fn shift(node: &Node<'_>, problems: &mut Problems) -> Option<Transform> {
    let text = node.text(problems)?;
    let ms = span_ms(text.trim());
    if ms.is_none() {
        let mend = "write a whole number and its unit, as in \"2h\", \"-30m\" or \"1d\", of ten years at most";
        problems.push(&node.span, format!("`{text}` is no time to shift by"), mend);
    }
    ms.map(|ms| Transform::Shift { ms })
}

fn span_ms(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    (ms <= 3_653 * 86_400_000).then_some(sign * ms)
}

const STEPS: &str = "\"trim\", \"upper\", \"lower\", \"title\", { replace, with }, { prefix }, { suffix }, { times }, { shift }, { cel, back }";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_convert_and_what_they_cannot_is_a_problem() {
        let (text, money) = (FieldKind::Text, FieldKind::Decimal { scale: Some(2) });
        let given = |kind: &FieldKind, cel: &str, value: &str| {
            let step = expression(cel, kind).map_err(|(message, _)| message)?;
            let value = kind.read(&crate::model::Raw::Text(value.into())).expect("a value");
            Ok(step.run(&[&value]).ok().and_then(|given| converted(&value, given)).map(|value| value.to_string()))
        };
        let works = |kind, cel, value, wanted: Option<&str>| {
            assert_eq!(given(kind, cel, value), Ok::<_, String>(wanted.map(str::to_owned)), "{cel}");
        };
        works(&text, "value.split(' ')[0]", "Ann Smith", Some("Ann"));
        works(&text, "value.lowerAscii() + '!'", "ANN", Some("ann!"));
        works(&text, "value.matches('^[0-9]+$') ? 'no ' + value : value", "7", Some("no 7"));
        works(&text, "value.split(' ')[1]", "Ann", None);
        works(&money, "value * 1.5", "2.5", Some("3.75"));
        works(&FieldKind::Integer, "value / 2", "7", Some("3"));
        works(&FieldKind::Bool, "!value", "true", Some("false"));
        for (kind, cel, message) in [
            (&text, "size(value)", "it gives int, and the field is of type text"),
            (&text, "name + value", "names `name`, and can see nothing but `value`"),
            (&text, "'x'", "does not name `value`"),
            (&text, "value.shout()", "no function `shout`"),
            (&text, "value +", "no CEL expression"),
            (&money, "string(value)", "it gives string"),
        ] {
            let error = given(kind, cel, "1").expect_err(cel);
            assert!(error.contains(message), "{cel}: {error}");
        }
    }

    #[test]
    fn shifts_have_a_sign_a_number_and_a_unit() {
        for (text, ms) in [("2h", 7_200_000), ("-30m", -1_800_000), ("+1d", 86_400_000), ("0s", 0)] {
            assert_eq!(span_ms(text), Some(ms), "{text}");
        }
        for text in ["", "2", "h", "1.5h", "1ms", "--1h", "4000d", "99999999999999999999d"] {
            assert_eq!(span_ms(text), None, "{text}");
        }
    }
}
