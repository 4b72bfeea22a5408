//! `transform.SYSTEM = ["trim", { prefix = "C-" }]`.

use super::error::Problems;
use super::reader::Node;
use crate::model::Decimal;
use crate::rules::nearest::nearest;
use crate::rules::{FieldSpec, Transform};

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
        let steps: Vec<Transform> = steps.iter().filter_map(|step| one(step, problems)).collect();
        // The place of a step is its number, so that none may be left out.
        if problems.0.len() == before {
            field.transforms.push((entry.key.to_owned(), steps));
        }
    }
}

fn one(node: &Node<'_>, problems: &mut Problems) -> Option<Transform> {
    if !node.is_table() {
        let text = node.text(problems)?;
        return word(text).or_else(|| {
            unknown(node, text, problems);
            None
        });
    }
    let mut section = node.section(problems)?;
    let text = |node: Node<'_>, problems: &mut Problems| node.text(problems).map(str::to_owned);
    let keys = ["replace", "prefix", "suffix", "times", "shift"];
    let [replace, prefix, suffix, times, shift] = keys.map(|key| section.take(key));
    let with = section.take("with");
    let count = [&replace, &prefix, &suffix, &times, &shift].iter().filter(|step| step.is_some()).count();
    let step = match (replace, prefix, suffix, times, shift) {
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
            if section.is_empty() {
                problems.push(&node.span, "the step does nothing", format!("write one of {STEPS}"));
            }
            None
        }
    };
    section.finish(problems);
    step
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

const STEPS: &str =
    "\"trim\", \"upper\", \"lower\", \"title\", { replace, with }, { prefix }, { suffix }, { times }, { shift }";

#[cfg(test)]
mod tests {
    use super::*;

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
