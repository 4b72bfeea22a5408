//! `syncline audit`: the journal, entry by entry, its runs, and whether its chain holds.

use super::{CliError, Context, Exit, entries, ground, when};
use crate::daemon::account;
use crate::model::Millis;
use serde_json::{Value, json};

/// Options of `audit`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AuditArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// From this time on: "2026-03-01T10:00:00Z", or how long ago, as in "2h"; without it, the last day.
    #[arg(long, value_name = "TIME", value_parser = when::when)]
    since: Option<Millis>,
    /// Up to this time.
    #[arg(long, value_name = "TIME", value_parser = when::when)]
    until: Option<Millis>,
    /// After this entry: a feed that goes on where it left off.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

/// What else can be asked of the journal.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum What {
    /// Walk along the chain of digests: was anything changed afterwards?
    Verify,
    /// List the runs: starts of the program, and operators' commands.
    Runs,
}

/// Runs it.
pub fn run(args: &AuditArgs, context: &Context) -> Result<Exit, CliError> {
    match args.what {
        Some(What::Verify) => verify(context),
        Some(What::Runs) => runs(context),
        None => stream(args, context),
    }
}

fn stream(args: &AuditArgs, context: &Context) -> Result<Exit, CliError> {
    let day_ago = || Millis(ground::now().0.saturating_sub(DAY_MS));
    let since = args.since.or_else(|| args.after.is_none().then(day_ago));
    let (mut after, mut last, mut count) = (args.after.unwrap_or(0), args.after.unwrap_or(0), 0u64);
    let mut reader = ground::Reader::new(context)?;
    loop {
        let request = json!({
            "cmd": "audit", "after": after, "since": since.map(|at| at.0), "until": args.until.map(|at| at.0), "limit": PAGE,
        });
        let answer = reader
            .consult(&request, |rules, snapshot| account::audit(rules, snapshot, after, (since, args.until), PAGE))?;
        for entry in answer["entries"].as_array().into_iter().flatten() {
            count += 1;
            last = entry["number"].as_u64().unwrap_or(last);
            context.output.line(entries::line(entry));
            context.output.document(entry);
        }
        match answer["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    if count == 0 {
        context.output.say("nothing was decided in that time");
    }
    // One document a line; the last one says where to go on.
    context.output.document(&json!({ "entries": count, "after": last }));
    Ok(Exit::Equal)
}

fn runs(context: &Context) -> Result<Exit, CliError> {
    let answer = ground::consult(context, &json!({ "cmd": "runs" }), account::runs)?;
    let rows = answer["runs"].as_array().into_iter().flatten().map(|run| {
        let text = |key: &str| run[key].as_str().unwrap_or_default();
        [run["run"].to_string(), text("at").to_owned(), text("command").to_owned(), format!("{:.12}", text("config"))]
    });
    context.output.table(["run", "began", "command", "mapping"], rows);
    context.output.document(&answer);
    Ok(Exit::Equal)
}

fn verify(context: &Context) -> Result<Exit, CliError> {
    let answer = ground::consult(context, &json!({ "cmd": "chain" }), |_, snapshot| account::chain(snapshot))?;
    context.output.document(&answer);
    match &answer["broken"] {
        Value::Null => {
            let (entries, head) = (&answer["entries"], answer["head"].as_str().unwrap_or_default());
            context.output.say(format!("the chain of {entries} entries holds; its newest link is {head}"));
            context.output.say("note that link elsewhere: it proves later that nothing before it was changed");
            Ok(Exit::Equal)
        }
        broken => {
            let why = broken["why"].as_str().unwrap_or_default();
            context.output.line(format!("the chain is broken at entry {}: {why}", broken["number"]));
            Ok(Exit::Problems)
        }
    }
}

const PAGE: usize = 1_000;
const DAY_MS: i64 = 86_400_000;
