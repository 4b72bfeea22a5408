//! `syncline explain`: why a record is as it is, and `syncline history`: what its fields held.

use super::{CliError, Context, Exit, Output, entries, ground, when};
use crate::daemon::account;
use crate::model::Millis;
use serde_json::{Value, json};

/// Options of `explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainArgs {
    /// Our id, a system's id (or SYSTEM:ID), the record's address in a browser, or an e-mail address; `.FIELD` behind it asks for
    /// one field.
    pub what: String,
    /// Show the record as the mirror held it at a time: "2026-03-01T10:00:00Z", or how long ago, as in "2h".
    #[arg(long, value_name = "TIME", value_parser = when::when)]
    pub at: Option<Millis>,
}

/// Options of `history`.
#[derive(Debug, Clone, clap::Args)]
pub struct HistoryArgs {
    /// As for `explain`; `.FIELD` behind it asks for one field.
    pub what: String,
    /// Show the record as the mirror held it at a time, as in "2026-03-01T10:00:00Z" or "2h" ago.
    #[arg(long, value_name = "TIME", value_parser = when::when)]
    pub at: Option<Millis>,
}

/// Runs `explain`.
pub fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, CliError> {
    at(&args.what, args.at, context)
}

fn at(what: &str, at: Option<Millis>, context: &Context) -> Result<Exit, CliError> {
    let request = json!({ "cmd": "explain", "text": what, "at": at.map(|at| at.0) });
    let answer = ground::consult(context, &request, |rules, snapshot| account::explained(rules, snapshot, what, at))?;
    known(what, &answer)?;
    for found in answer["found"].as_array().into_iter().flatten() {
        match at {
            Some(_) => show_once(found, context.output),
            None => show(found, context.output),
        }
    }
    more(&answer, context.output);
    context.output.document(&answer);
    Ok(Exit::Equal)
}

/// Runs `history`.
pub fn history(args: &HistoryArgs, context: &Context) -> Result<Exit, CliError> {
    if args.at.is_some() {
        return at(&args.what, args.at, context);
    }
    let request = json!({ "cmd": "history", "text": args.what });
    let answer = ground::consult(context, &request, |rules, snapshot| account::told(rules, snapshot, &args.what))?;
    known(&args.what, &answer)?;
    for found in answer["found"].as_array().into_iter().flatten() {
        show_history(found, context.output);
    }
    more(&answer, context.output);
    context.output.document(&answer);
    Ok(Exit::Equal)
}

/// Nothing was found: says what is taken in at all, since that may be the reason.
fn known(what: &str, answer: &Value) -> Result<(), CliError> {
    if answer["found"].as_array().is_some_and(|found| !found.is_empty()) {
        return Ok(());
    }
    let scopes = answer["scopes"].as_array().into_iter().flatten().map(|scope| {
        let text = |key: &str| scope[key].as_str().unwrap_or_default();
        let where_ = scope["where"].as_str().map(|text| format!(" where {text}")).unwrap_or_default();
        format!("{} of {}{where_}", text("object"), text("system"))
    });
    let scopes = scopes.collect::<Vec<_>>().join("; ");
    Err(CliError::usage(
        "unknown_record",
        format!("no record of this mirror is `{what}`, by id, address or match key"),
        format!("it was never read, or is none of what is mirrored ({scopes}); shared mail domains match no company"),
    ))
}

fn more(answer: &Value, output: Output) {
    if let Some(more) = answer["more"].as_u64().filter(|more| *more > 0) {
        output.say(format!("and {more} more: name one by its id"));
    }
}

fn head(found: &Value) -> String {
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    format!("{}/{}", text("entity"), text("record"))
}

fn show_once(found: &Value, output: Output) {
    let at = found["at"].as_str().unwrap_or_default();
    match found["values"].as_object() {
        Some(values) => {
            output.say(format!("{} as of {at}", head(found)));
            let rows = values.iter().map(|(name, value)| [name.clone(), shown(value)]);
            let later = found["known_since"].as_object().into_iter().flatten();
            let later = later.map(|(name, since)| [name.clone(), format!("(not mirrored before {})", shown(since))]);
            output.table(["field", "value"], rows.chain(later));
        }
        None if found["pruned_until"].is_string() => {
            let until = found["pruned_until"].as_str().unwrap_or_default();
            output.say(format!(
                "what {} was at {at} is not known any more: the journal was pruned up to {until}",
                head(found)
            ));
        }
        None => {
            let since =
                found["mirrored_since"].as_str().map(|since| format!("; it is since {since}")).unwrap_or_default();
            output.say(format!("{} was not mirrored yet at {at}{since}", head(found)));
        }
    }
}

fn show(found: &Value, output: Output) {
    output.say(head(found));
    record_lines(found).into_iter().for_each(|line| output.line(line));
    for field in found["fields"].as_array().into_iter().flatten() {
        output.say("");
        field_lines(field).into_iter().for_each(|line| output.line(format!("  {line}")));
    }
}

/// Where a record stands, and what became of it.
fn record_lines(found: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for side in found["sides"].as_array().into_iter().flatten() {
        let why = side["where"].as_str().map(|text| format!(" (where {text})")).unwrap_or_default();
        let (system, object, remote, state) =
            (text(side, "system"), text(side, "object"), text(side, "remote"), text(side, "state"));
        lines.push(format!("  {system}: {object} {remote}, {state}{why}"));
    }
    for problem in found["problems"].as_array().into_iter().flatten() {
        let field = problem["field"].as_str().map(|field| format!(" of {field}")).unwrap_or_default();
        let (system, code, message) = (text(problem, "system"), text(problem, "code"), text(problem, "message"));
        let ignored = problem["ignored"].as_str().map(|why| format!(" (ignored: {why})")).unwrap_or_default();
        lines.push(format!("  problem{field} in {system}: {code}: {message}{ignored}"));
    }
    for entry in found["story"].as_array().into_iter().flatten() {
        lines.push(format!("  {}: {}", text(entry, "at"), entries::what(entry)));
    }
    lines
}

/// Why a field has its value, what lost, and what each side shows.
pub(in crate::cli) fn field_lines(field: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("{} = {}", text(field, "field"), text(field, "value"))];
    lines.push(match (&field["because"], field["since"].as_str(), field["origin"].as_str()) {
        (entry @ Value::Object(_), ..) => {
            let (why, at, cause) = (entries::what(entry), text(entry, "at"), text(entry, "cause"));
            format!("  because {why}; decided {at}, run {}, {cause}", entry["run"])
        }
        (_, Some(since), Some(origin)) => {
            format!("  as it was first read; nobody has changed it since ({origin}, {since})")
        }
        _ => "  never filled".to_owned(),
    });
    let lost = field["lost"].as_array().into_iter().flatten();
    lines.extend(lost.map(|lost| format!("  {}", entries::what(lost))));
    for (system, side) in field["sides"].as_object().into_iter().flatten() {
        let until = side["until"].as_str().map(|until| format!(" (not before {until})")).unwrap_or_default();
        let (shows, standing) = (text(side, "shows"), text(side, "standing"));
        lines.push(format!("  {system} shows {shows}: {standing}{until}"));
    }
    lines
}

fn show_history(found: &Value, output: Output) {
    output.say(head(found));
    for (name, moments) in found["fields"].as_object().into_iter().flatten() {
        let moments = moments.as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = moments.iter().map(|moment| {
            let text = |key: &str| moment[key].as_str().unwrap_or_default();
            let rule = moment["rule"].as_str().map(|rule| format!(", by {rule}")).unwrap_or_default();
            let how = match text("what") {
                "edit" => format!("{} at {}{rule}", entries::by(moment), text("edited_at")),
                "lost" => format!("did not hold: {} at {}{rule}", entries::by(moment), text("edited_at")),
                "link decided" => format!("first link; {} gave way", text("other")),
                "link split" => format!("first link; {} stays where it is", text("other")),
                "filled" => "the first link, or a reference that followed".to_owned(),
                "before" => "what was there before the oldest entry that was kept".to_owned(),
                _ => "as it was first read".to_owned(),
            };
            let run = moment["run"].as_u64().map(|run| format!("run {run}, {}", text("cause"))).unwrap_or_default();
            [text("at").to_owned(), shown(&moment["value"]), how, run]
        });
        output.say(format!("{name}:"));
        output.table(["decided", "value", "by", "in"], rows);
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
