//! Problems for people: what, how often, an example, and what to do about it.

use super::ground::{self, Ground};
use super::{CliError, Context, Exit, Output};
use crate::daemon::{self, Cause, DaemonError, Wanted, socket};
use indicatif::HumanCount;
use serde_json::{Value, json};

/// Options of `problems`.
#[derive(Debug, Clone, clap::Args)]
pub struct ProblemsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    filter: Filter,
}

/// What is to be done about them.
#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// List them one by one.
    Show,
    /// Try them again now: somebody has removed the cause. What was ignored is only tried when it is named, or with --all, and
    /// is not ignored any more then.
    Retry {
        /// One of them, by its id.
        id: Option<String>,
    },
    /// List and count one no more, until it is another problem.
    Ignore {
        /// Its id.
        id: String,
        /// Why: it is kept in the journal.
        #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// Take that back.
    Unignore {
        /// Its id.
        id: String,
    },
}

/// Which are meant; without any, all of them.
#[derive(Debug, Clone, clap::Args)]
struct Filter {
    /// Of this system.
    #[arg(long, global = true, value_name = "NAME")]
    system: Option<String>,
    /// Of this entity.
    #[arg(long, global = true, value_name = "NAME")]
    entity: Option<String>,
    /// With this code.
    #[arg(long, global = true, value_name = "CODE")]
    code: Option<String>,
    /// Of this record, in any form that `explain` takes.
    #[arg(long, global = true, value_name = "WHAT")]
    record: Option<String>,
    /// Those too that are ignored.
    #[arg(long, global = true)]
    all: bool,
}

/// Runs it.
pub fn run(args: &ProblemsArgs, context: &Context) -> Result<Exit, CliError> {
    let Filter { system, entity, code, record, all } = args.filter.clone();
    let wanted = Wanted { system, entity, code, record, id: None, ignored: (!all).then_some(false) };
    known(&wanted, context)?;
    let named = |id: &String| Wanted { id: Some(id.clone()), ignored: None, ..wanted.clone() };
    match &args.what {
        Some(What::Retry { id: Some(id) }) => retry(&named(id), context),
        Some(What::Retry { id: None }) => retry(&wanted, context),
        Some(What::Ignore { id, reason }) => ignore(id, &named(id), Some(reason), context),
        Some(What::Unignore { id }) => ignore(id, &named(id), None, context),
        Some(What::Show) => list(&wanted, context),
        None if wanted != (Wanted { ignored: Some(false), ..Wanted::default() }) => list(&wanted, context),
        None => by_cause(context),
    }
}

/// A name that the config does not have would quietly mean nothing.
fn known(wanted: &Wanted, context: &Context) -> Result<(), CliError> {
    let rules = context.load()?.rules;
    let no = |what: &str, name: &str, names: Vec<&str>| {
        Err(CliError::usage(
            "usage",
            format!("the config names no {what} `{name}`"),
            format!("one of: {}", names.join(", ")),
        ))
    };
    match (&wanted.system, &wanted.entity) {
        (Some(name), _) if rules.systems.iter().all(|system| system.name != *name) => {
            no("system", name, rules.systems.iter().map(|system| &*system.name).collect())
        }
        (_, Some(name)) if rules.entities.iter().all(|entity| entity.name != *name) => {
            no("entity", name, rules.entities.iter().map(|entity| &*entity.name).collect())
        }
        _ => Ok(()),
    }
}

fn by_cause(context: &Context) -> Result<Exit, CliError> {
    let status = ground::consult(context, &json!({ "cmd": "status" }), |rules, snapshot| {
        daemon::offline(rules, snapshot, ground::now())
    })?;
    let total = status["problems"].as_u64().unwrap_or_default();
    match total {
        0 => context.output.say("there are no problems"),
        _ => {
            show_status(&status, context.output);
            context.output.say("`syncline problems show` lists them one by one, `problems retry` tries them again now");
        }
    }
    if let Some(ignored) = status["ignored"].as_u64().filter(|ignored| *ignored > 0) {
        context.output.say(format!("{} ignored: `syncline problems show --all` lists them too", HumanCount(ignored)));
    }
    context.output.document(&json!({
        "problems": total, "problem_causes": status["problem_causes"], "ignored": status["ignored"],
    }));
    Ok(if total == 0 { Exit::Equal } else { Exit::Problems })
}

fn request(command: &str, wanted: &Wanted) -> Value {
    let mut request = serde_json::to_value(wanted).unwrap_or_else(|_| json!({}));
    request["cmd"] = command.into();
    request
}

fn list(wanted: &Wanted, context: &Context) -> Result<Exit, CliError> {
    let answer = ground::consult(context, &request("problems", wanted), |rules, snapshot| {
        daemon::listed(rules, snapshot, wanted, socket::LISTED)
    })?;
    let rows = answer["listed"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cells = rows.iter().map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let remote = row["remote"].as_object().into_iter().flatten();
        let remote = example(remote.map(|(system, id)| (system.as_str(), id.as_str().unwrap_or_default())));
        let ignored = row["ignored"]["reason"].as_str().map(|why| format!(" (ignored: {why})")).unwrap_or_default();
        [text("entity"), text("id"), remote, text("code"), text("message") + &ignored]
    });
    match rows.is_empty() {
        true => context.output.say("there are none of that kind"),
        false => context.output.table(["entity", "id", "where it stands", "code", "what was said of it"], cells),
    }
    if let Some(more) = answer["more"].as_u64().filter(|more| *more > 0) {
        context.output.say(format!("... and {} more", HumanCount(more)));
    }
    context.output.document(&answer);
    let heeded = rows.iter().any(|row| row["ignored"].is_null());
    Ok(if heeded { Exit::Problems } else { Exit::Equal })
}

fn retry(wanted: &Wanted, context: &Context) -> Result<Exit, CliError> {
    if wanted.ignored.is_none() {
        let ignored = Wanted { ignored: Some(true), ..wanted.clone() };
        say(&ignored, None, "problems retry", context)?;
    }
    let mut config = context.load()?;
    let answer = match ground::runtime()?.block_on(ground::ask_for_or_open(&config, &request("retry", wanted)))? {
        Ground::Daemon(answer) => answer,
        Ground::Store(store) => {
            daemon::recall_people(&mut config.rules, &store)?;
            let records = daemon::retry_in(&config.rules, &store, wanted)?;
            store.close().map_err(DaemonError::from)?;
            context.output.say("the next `syncline run` tries them");
            json!({ "retried": records })
        }
    };
    if let Some(id) = wanted.id.as_ref().filter(|_| answer["retried"] == 0) {
        return Err(no_such("problem", id));
    }
    context.output.say(format!("records to be tried again: {}", answer["retried"]));
    context.output.document(&answer);
    Ok(Exit::Equal)
}

fn ignore(id: &str, wanted: &Wanted, reason: Option<&str>, context: &Context) -> Result<Exit, CliError> {
    let command = if reason.is_some() { "problems ignore" } else { "problems unignore" };
    // What is not ignored cannot be taken back; what is may be given another reason.
    let wanted = Wanted { ignored: reason.is_none().then_some(true), ..wanted.clone() };
    let answer = say(&wanted, reason, command, context)?;
    if answer["problems"] == 0 {
        return Err(no_such(if reason.is_some() { "problem" } else { "ignored problem" }, id));
    }
    context.output.say(match reason {
        Some(_) => "ignored until it is another problem; `syncline problems unignore` takes that back",
        None => "ignored no longer",
    });
    context.output.document(&answer);
    Ok(Exit::Equal)
}

fn no_such(what: &str, id: &str) -> CliError {
    let mend = "`syncline problems show --all` lists them with their ids";
    CliError::usage("no_such_problem", format!("there is no {what} {id}"), mend)
}

/// Has what is meant ignored, or no longer, by whoever answers for the store.
fn say(wanted: &Wanted, reason: Option<&str>, command: &str, context: &Context) -> Result<Value, CliError> {
    let mut config = context.load()?;
    let what = ground::on_behalf(command);
    let request = json!({ "cmd": "ignore", "what": what, "wanted": wanted, "reason": reason });
    match ground::runtime()?.block_on(ground::ask_for_or_open(&config, &request))? {
        Ground::Daemon(answer) => Ok(answer),
        Ground::Store(store) => {
            daemon::recall_people(&mut config.rules, &store)?;
            let problems = daemon::ignore_in(&config.rules, &store, &what, wanted, reason)?;
            store.close().map_err(DaemonError::from)?;
            Ok(json!({ "problems": problems }))
        }
    }
}

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
        let mend = mend(&row.code).map(|mend| (row.code.clone(), mend));
        mends.extend(mend.filter(|mend| !mends.contains(mend)));
    }
    let cells = rows.into_iter().map(|row| {
        let count = HumanCount(row.count).to_string();
        [count, row.system, row.entity, row.code, row.example, row.message]
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
