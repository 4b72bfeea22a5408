//! Problems for people: what, how often, an example, and what to do about it.

use super::Output;
use crate::daemon::Cause;
use indicatif::HumanCount;
use serde_json::Value;

/// A cause as it is shown.
struct Row {
    count: u64,
    system: String,
    entity: String,
    code: String,
    example: String,
    message: String,
}

/// Shows the causes that a mirror was found to have.
pub(super) fn show(total: u64, causes: &[Cause], output: Output) {
    let rows = causes.iter().map(|cause| Row {
        count: cause.count,
        system: cause.system.clone(),
        entity: cause.entity.clone(),
        code: cause.code.clone(),
        example: example(cause.example.remote.iter().map(|(system, id)| (system.as_str(), id.as_str()))),
        message: cause.message.clone(),
    });
    table(total, rows.collect(), output);
}

/// Shows the causes of a status.
pub(super) fn show_status(status: &Value, output: Output) {
    let causes = status["problem_causes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = causes.iter().map(|cause| {
        let text = |key: &str| cause[key].as_str().unwrap_or_default().to_owned();
        let remote = cause["example"]["remote"].as_object().into_iter().flatten();
        Row {
            count: cause["count"].as_u64().unwrap_or_default(),
            system: text("system"),
            entity: text("entity"),
            code: text("code"),
            example: example(remote.map(|(system, id)| (system.as_str(), id.as_str().unwrap_or_default()))),
            message: text("message"),
        }
    });
    table(status["problems"].as_u64().unwrap_or_default(), rows.collect(), output);
}

fn table(total: u64, rows: Vec<Row>, output: Output) {
    if rows.is_empty() {
        return;
    }
    let shown: u64 = rows.iter().map(|row| row.count).sum();
    let mut mends: Vec<(String, &str)> = Vec::new();
    for row in &rows {
        let mend = mend(&row.code).map(|mend| (plain(&row.code), mend));
        mends.extend(mend.filter(|mend| !mends.contains(mend)));
    }
    let cells = rows.into_iter().map(|row| {
        let count = HumanCount(row.count).to_string();
        [count, row.system, row.entity, plain(&row.code), plain(&row.example), plain(&row.message)]
    });
    output.say("");
    output.table(["problems", "system", "entity", "code", "for example", "what was said of it"], cells);
    if shown < total {
        output.say(format!("... and {} more", HumanCount(total - shown)));
    }
    for (code, mend) in mends {
        output.say(format!("{code}: {mend}"));
    }
}

fn example<'a>(remote: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    remote.map(|(system, id)| format!("{system} {id}")).collect::<Vec<_>>().join(", ")
}

/// One line without control characters: remotes say what they like, and terminals obey.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// What helps against a code that needs no look at the account. Our own codes' messages end with what helps.
fn mend(code: &str) -> Option<&'static str> {
    Some(match code {
        "STRING_TOO_LONG" => "shorten the value on the other side, or make the field longer in this system",
        "REQUIRED_FIELD_MISSING" => "fill the field on the other side, or give it a `default` in the config",
        "INVALID_EMAIL_ADDRESS" | "INVALID_EMAIL" => "correct the address on the other side",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" | "INVALID_OPTION" => {
            "add the option in this system, or a row for it to the field's `values` in the config"
        }
        "DUPLICATE_VALUE" | "DUPLICATES_DETECTED" => "merge the records that share the value in this system",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" => "make the value pass this system's validation rule, or change the rule",
        "INSUFFICIENT_ACCESS_OR_READONLY" | "INVALID_FIELD_FOR_INSERT_UPDATE" => {
            "let the integration's user write this record and field"
        }
        "PROPERTY_NOT_SHOWN" => {
            "restore the property or the right to see it, or take the field out of the config; it is linked anew then"
        }
        "UNREADABLE_VALUE" => {
            "correct the value in its own system, name the option in `values`, or give the field the type `text`"
        }
        "OWNER_UNKNOWN" => {
            "choose a person as owner, no queue, and let the credential see all users: its e-mail address is then known by itself"
        }
        "RULE_FAILED" => {
            "let the rule of the config cover such values too, blank ones among them; it is asked again at the next edit"
        }
        "REFERENCE_UNKNOWN" => {
            "let the record that is referred to take part, or refer to another; it is then taken in by itself"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_remote_says_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2J\nb\u{9b}"), "a [2J b ");
    }
}
