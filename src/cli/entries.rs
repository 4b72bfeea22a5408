//! Entries of the journal as sentences.

use serde_json::Value;

/// A line: when, in which run and why, of which record, and what.
pub(super) fn line(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let record = match (text("entity"), text("record")) {
        ("", _) => String::new(),
        (entity, "") => format!("{entity}: "),
        (entity, record) => format!("{entity}/{record}: "),
    };
    format!(
        "{:>7}  {}  run {:<3} {:9} {record}{}",
        entry["number"],
        text("at"),
        entry["run"],
        text("cause"),
        what(entry)
    )
}

/// Whose edit it was: the system, and the user whom it names.
pub(super) fn by(entry: &Value) -> String {
    let (by, user) = (entry["by"].as_str().unwrap_or_default(), &entry["user"]);
    let Some(name) = user["address"].as_str().or(user["id"].as_str()) else { return by.to_owned() };
    match user["of"].as_str() {
        Some("record") => format!("{by}, record last changed by {name},"),
        _ => format!("{by}, {name},"),
    }
}

/// What happened.
pub(super) fn what(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let list = |key: &str| {
        let items = entry[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        items.collect::<Vec<_>>().join(", ")
    };
    let (system, remote, field) = (text("system"), text("remote"), text("field"));
    let of = if field.is_empty() { String::new() } else { format!(" of {field}") };
    match text("what") {
        "page" => format!("{} rows of {system} were read, {} linked", entry["rows"], entry["linked"]),
        "mirrored" => format!("first seen in {system} as {remote}"),
        "linked" => format!("linked with {remote} of {system} by {}", text("by")),
        "ambiguous" => format!("{remote} of {system} matches several by {}: not linked", text("by")),
        "link decided" => format!("first link: {field} is {}; {} gave way", text("to"), text("other")),
        "link split" => format!("first link: {field} is {}; {} stays where it is", text("to"), text("other")),
        "edit" => {
            let rule = entry["rule"].as_str().map(|rule| format!(", by {rule}")).unwrap_or_default();
            format!("{field}: {} → {} ({} at {}{rule})", text("from"), text("to"), by(entry), text("edited_at"))
        }
        "lost" => {
            let (value, by, at, rule) = (text("value"), by(entry), text("edited_at"), text("rule"));
            format!("{field}: {value} did not hold ({by} at {at}, by {rule})")
        }
        "filled" => {
            format!("{field}: {} → {} (the first link, or a reference that followed)", text("from"), text("to"))
        }
        "parted" => format!("{field}: {system} gets {} back, apart from the others", text("value")),
        "create sent" => format!("create sent to {system}: {}", list("fields")),
        "write sent" => format!("write sent to {system}: {}", list("fields")),
        "write settled" => format!("{system} shows our {field}: {}", text("how")),
        "write refused" => format!("{system} refused a write: {}", text("code")),
        "alarm" => format!("{field}: {system} marks a value as ours that we never wrote"),
        "detached" => format!("gone from {system} ({remote}): the link ended"),
        "delete due" => format!("to be deleted in {system} ({remote}), since it is gone from {}", text("by")),
        "delete dropped" => format!("not deleted in {system} after all: {}", text("why")),
        "delete sent" => format!("delete sent to {system} ({remote})"),
        "deleted" => format!("deleted in {system} ({remote})"),
        "merged" => format!("{remote} of {system} was merged into {}", text("into")),
        "forgotten" => "gone from everywhere for long, and forgotten".to_owned(),
        "left the scope" => format!("left the scope in {system} ({remote})"),
        "returned" => format!("back in scope in {system} ({remote})"),
        "mapping changed" => format!("the mapping changed; new or read anew: {}", list("new")),
        "first values" => {
            let values = entry["values"].as_object().into_iter().flatten();
            let values = values.map(|(field, value)| format!("{field} {}", value.as_str().unwrap_or_default()));
            format!("first values: {}", values.collect::<Vec<_>>().join(", "))
        }
        "rest" => {
            let records = entry["records"].as_array().map_or(0, Vec::len);
            format!("where {records} {} now", if records == 1 { "record stands" } else { "records stand" })
        }
        "problem ignored" => format!("problem{of} in {system} ignored: {}: {}", text("code"), text("reason")),
        "problem not ignored" => format!("problem{of} in {system} ignored no longer: {}", text("code")),
        "began" => format!("{} began, with mapping {:.12}", text("command"), text("config")),
        other => other.to_owned(),
    }
}
