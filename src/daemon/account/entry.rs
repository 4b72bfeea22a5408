//! One entry of the journal as a document.

use super::{Names, time};
use crate::engine::{Books, Cause, Happening, JournalEntry, Keeping, Rest, Run, Stand, ViewError};
use crate::merge::SettledBy;
use crate::model::{FieldId, Home, Millis, RecordId, SideState, SystemId};
use crate::rules::Rules;
use crate::store::{Snapshot, StoreError};
use serde_json::{Map, Value, json};

/// Entries after a number that were decided in a span, ascending, at most `limit`; and where to go on.
///
/// # Errors
/// The store cannot be read.
pub fn audit(
    rules: &Rules,
    books: &dyn Books,
    after: u64,
    (since, until): (Option<Millis>, Option<Millis>),
    limit: usize,
) -> Result<Value, ViewError> {
    let first = since.map(|since| books.entries_since(since)).transpose()?.unwrap_or(1);
    let (after, limit) = (after.max(first.saturating_sub(1)), limit.min(LIMIT_MAX));
    let entries = books.entries(after, limit)?;
    let next = (entries.len() == limit).then(|| entries.last().map(|(number, _)| *number)).flatten();
    let inside = entries.iter().take_while(|(_, entry)| until.is_none_or(|until| entry.at < until));
    let shown: Vec<Value> = inside.map(|(number, entry)| document(rules, *number, entry)).collect();
    let next = next.filter(|_| shown.len() == limit);
    Ok(json!({ "entries": shown, "next": next }))
}

/// The runs, newest first, at most a thousand.
///
/// # Errors
/// The store cannot be read.
pub fn runs(rules: &Rules, snapshot: &Snapshot) -> Result<Value, StoreError> {
    let runs = snapshot.runs(Run(u32::MAX), 1_000)?;
    Ok(json!({ "runs": runs.iter().map(|(number, entry)| document(rules, *number, entry)).collect::<Vec<_>>() }))
}

/// What a walk along the journal's chain found.
///
/// # Errors
/// The store cannot be read.
pub fn chain(snapshot: &Snapshot) -> Result<Value, StoreError> {
    let report = snapshot.check_chain()?;
    let broken = report.broken.map(|(number, why)| json!({ "number": number, "why": why }));
    Ok(json!({ "entries": report.rows, "pruned": report.pruned, "head": report.head, "broken": broken }))
}

/// Entries that are told at once.
const LIMIT_MAX: usize = 10_000;

/// An entry as `audit`, `explain` and `history` print it.
pub(super) fn document(rules: &Rules, number: u64, entry: &JournalEntry) -> Value {
    let names = Names(rules);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("number", number.into());
    put("at", time(entry.at).into());
    put("run", entry.run.0.into());
    put("cause", cause(entry.cause).into());
    if let Some(entity) = entry.entity {
        put("entity", names.entity(entity).into());
    }
    if let Some(record) = entry.record {
        put("record", record.to_string().into());
    }
    let entity = entry.entity.and_then(|id| rules.entity(id));
    if let Some(field) = entry.what.field() {
        put("field", names.field(entity, field).into());
    }
    let author = |system: &SystemId| Value::from(names.author(*system));
    let mut what = |word: &str| put("what", word.into());
    match &entry.what {
        Happening::Page { system, rows, mirrored, linked } => {
            what("page");
            put("system", author(system));
            put("rows", (*rows).into());
            put("mirrored", (*mirrored).into());
            put("linked", (*linked).into());
        }
        Happening::Mirrored { system, remote } => {
            what("mirrored");
            put("system", author(system));
            put("remote", remote.as_str().into());
        }
        Happening::Linked { system, remote, by } => {
            what("linked");
            put("system", author(system));
            put("remote", remote.as_str().into());
            put("by", by.map_or_else(|| "our external id".to_owned(), |by| names.field(entity, by)).into());
        }
        Happening::Ambiguous { system, remote, by } => {
            what("ambiguous");
            put("system", author(system));
            put("remote", remote.as_str().into());
            put("by", names.field(entity, *by).into());
        }
        Happening::LinkDecided { field, from, to, other, system, split, over: _ } => {
            what(if *split { "link split" } else { "link decided" });
            put("system", author(system));
            put("from", names.value(entity, *field, from).into());
            put("to", names.value(entity, *field, to).into());
            put("other", names.value(entity, *field, other).into());
        }
        Happening::Value { field, from, to, stamp: _, system, place, rule, who } => {
            what("edit");
            put("by", author(system));
            put("user", names.user(*system, who.as_deref()));
            put("edited_at", time(place.time).into());
            put("from", names.value(entity, *field, from).into());
            put("to", names.value(entity, *field, to).into());
            put("rule", rule.as_deref().into());
        }
        Happening::Lost { field, value, system, place, rule, who } => {
            what("lost");
            put("by", author(system));
            put("user", names.user(*system, who.as_deref()));
            put("edited_at", time(place.time).into());
            put("value", names.value(entity, *field, value).into());
            put("rule", rule.as_str().into());
        }
        Happening::Sent { system, op, fields, create } => {
            what(if *create { "create sent" } else { "write sent" });
            put("system", author(system));
            put("op", op.0.into());
            put("fields", fields.iter().map(|field| names.field(entity, *field)).collect());
        }
        Happening::Settled { system, op, field: _, by } => {
            what("write settled");
            put("system", author(system));
            put("op", op.0.into());
            put("how", settled_by(*by).into());
        }
        Happening::Refused { system, op, code } => {
            what("write refused");
            put("system", author(system));
            put("op", op.0.into());
            put("code", code.as_str().into());
        }
        Happening::Alarm { system, place, .. } => {
            what("alarm");
            put("system", author(system));
            put("edited_at", time(place.time).into());
        }
        Happening::Detached { system, remote } => {
            what("detached");
            put("system", author(system));
            put("remote", remote.as_str().into());
        }
        Happening::Remapped { dropped, rebound } => {
            what("mapping changed");
            put("dropped", dropped.iter().map(|field| names.field(entity, *field)).collect());
            let mut fields: Vec<String> = rebound.iter().map(|(_, field)| names.field(entity, *field)).collect();
            fields.dedup();
            put("new", fields.into());
        }
        Happening::LeftScope { system, remote } => {
            what("left the scope");
            put("system", author(system));
            put("remote", remote.as_str().into());
        }
        Happening::Returned { system, remote } => {
            what("returned");
            put("system", author(system));
            put("remote", remote.as_str().into());
        }
        Happening::Began { what: command, config } => {
            what("began");
            put("command", command.as_str().into());
            put("config", config.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into());
        }
        Happening::DeleteDue { system, remote, from } => {
            what("delete due");
            put("system", author(system));
            put("remote", remote.as_str().into());
            put("by", author(from));
        }
        Happening::DeleteDropped { system, why } => {
            what("delete dropped");
            put("system", author(system));
            let why = match why {
                Keeping::Edited => "somebody had edited it unseen",
                Keeping::Restored => "it was restored",
                Keeping::Rules => "the rules do not ask for it any more",
            };
            put("why", why.into());
        }
        Happening::DeleteSent { system, op, remote } | Happening::Deleted { system, op, remote } => {
            what(if matches!(entry.what, Happening::Deleted { .. }) { "deleted" } else { "delete sent" });
            put("system", author(system));
            put("op", op.0.into());
            put("remote", remote.as_str().into());
        }
        Happening::Merged { system, remote, into, record } => {
            what("merged");
            put("system", author(system));
            put("remote", remote.as_str().into());
            put("into", into.as_str().into());
            put("absorbed", record.to_string().into());
        }
        Happening::Converted { system, remote, object, into } => {
            what("converted");
            put("system", author(system));
            put("remote", remote.as_str().into());
            let binding = entity.and_then(|entity| entity.binding(Home { system: *system, object: *object }));
            put("object", binding.map(|binding| binding.object.as_str()).into());
            put("into", into.as_str().into());
        }
        Happening::Forgotten { sides } => {
            what("forgotten");
            let sides = sides.iter().map(|(system, remote)| (names.author(*system), Value::from(remote.as_str())));
            put("sides", sides.collect::<Map<_, _>>().into());
        }
        Happening::Parted { field, system, value } => {
            what("parted");
            put("system", author(system));
            put("value", names.value(entity, *field, value).into());
        }
        Happening::Review { field, version, values } => {
            what("asked of a person");
            put("version", (*version).into());
            let each = values
                .iter()
                .map(|(system, value)| (names.author(*system), Value::from(names.value(entity, *field, value))));
            put("values", Value::Object(each.collect()));
        }
        Happening::Ignored { system, field: _, code, reason } => {
            what("problem ignored");
            put("system", author(system));
            put("code", code.as_str().into());
            put("reason", reason.as_str().into());
        }
        Happening::Heeded { system, field: _, code } => {
            what("problem not ignored");
            put("system", author(system));
            put("code", code.as_str().into());
        }
        Happening::First { values, sides } => {
            what("first values");
            let shown = |(field, value, _): &(FieldId, _, _)| {
                (names.field(entity, *field), Value::from(names.value(entity, *field, value)))
            };
            put("values", values.iter().map(shown).collect::<Map<_, _>>().into());
            put("sides", sides.iter().map(|side| stand(names, side)).collect());
        }
        Happening::Rest { records } => {
            what("rest");
            put("records", records.iter().map(|(record, rest)| left_unsaid(names, *record, rest)).collect());
        }
        Happening::Filled { field, from, to, stamp: _ } => {
            what("filled");
            put("from", names.value(entity, *field, from).into());
            put("to", names.value(entity, *field, to).into());
        }
    }
    Value::Object(out)
}

/// Where a record stands in one system.
fn stand(names: Names<'_>, stand: &Stand) -> Value {
    let state = match stand.state {
        SideState::Live => "live",
        SideState::Creating => "creating",
        SideState::Detached => "detached",
        SideState::Frozen => "frozen",
        SideState::Outside => "outside",
    };
    json!({ "system": names.author(stand.system), "remote": stand.remote.as_str(), "state": state })
}

/// What other entries leave unsaid of a record; values are in those.
fn left_unsaid(names: Names<'_>, record: RecordId, rest: &Rest) -> Value {
    match rest {
        Rest::Gone => json!({ "record": record.to_string(), "gone": true }),
        Rest::Changed { registers, sides } => {
            let sides = sides.iter().map(|(system, side)| match side {
                Some(side) => stand(names, side),
                None => json!({ "system": names.author(*system), "state": null }),
            });
            json!({ "record": record.to_string(), "registers": registers.len(), "sides": sides.collect::<Vec<_>>() })
        }
    }
}

/// A cause in a word.
pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Begin => "begin",
        Cause::Backfill => "backfill",
        Cause::Poll => "poll",
        Cause::Read => "read",
        Cause::Event => "event",
        Cause::Deletes => "deletes",
        Cause::Answer => "answer",
        Cause::LookUp => "look-up",
        Cause::Start => "start",
        Cause::Link => "link",
        Cause::Mapping => "mapping",
        Cause::Users => "users",
        Cause::Time => "time",
        Cause::Work => "work",
        Cause::Operator => "operator",
    }
}

fn settled_by(by: SettledBy) -> &'static str {
    match by {
        SettledBy::Answer => "the answer to the create",
        SettledBy::Mark => "its own mark",
        SettledBy::Value => "a read-back",
        SettledBy::Covered => "the answer; something else is shown now",
        SettledBy::EqualSave => "the answer; it was there before",
        SettledBy::Late => "it landed late",
        SettledBy::Guessed => "guessed from its value: a person may have entered the same",
    }
}
