//! `syncline audit`: the journal, entry by entry, its runs, whether its chain holds, and whether it tells how the mirror came to be.

use super::{CliError, Context, Exit, checkpoint, entries, ground, when};
use crate::daemon::{DaemonError, account, prune_in};
use crate::model::Millis;
use crate::store::{Pruned, Store};
use serde_json::{Value, json};
use std::path::PathBuf;

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
#[derive(Debug, Clone, clap::Subcommand)]
pub enum What {
    /// Walk along the chain of digests: was anything changed afterwards?
    Verify,
    /// List the runs: starts of the program, and operators' commands.
    Runs,
    /// Copy the store to a file, as of its last commit: what `replay` begins with. No sync may be running.
    Checkpoint {
        /// The copy; nothing may stand there.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Rebuild the mirror from a checkpoint and the journal since then, in memory, and compare it with the one that is there.
    Replay {
        /// A copy of the store from earlier.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Take old entries out of the journal, but for those on which something of today rests, and give their room back.
    Prune {
        /// What was decided before this time: "2026-03-01", or how long ago, as in "400d".
        #[arg(long, value_name = "TIME", value_parser = when::when)]
        before: Millis,
        /// Only say how much that would be.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs it.
pub fn run(args: &AuditArgs, context: &Context) -> Result<Exit, CliError> {
    match &args.what {
        Some(What::Verify) => verify(context),
        Some(What::Runs) => runs(context),
        Some(What::Checkpoint { file }) => checkpoint::take(file, context),
        Some(What::Replay { from }) => checkpoint::replay(from, context),
        Some(What::Prune { before, dry_run }) => prune(*before, *dry_run, context),
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

fn prune(before: Millis, dry: bool, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    let mut store = ground::runtime()?.block_on(ground::open_alone(&config, false))?;
    let size = |store: &Store| store.stats().map(|stats| stats.file_bytes.unwrap_or(0)).map_err(DaemonError::from);
    let (bar, was) = (context.output.progress("journal", None), size(&store)?);
    let at = account::time(before);
    let progress = |looked_at| {
        bar.set_position(looked_at);
        true
    };
    let command = ground::on_behalf(&format!("audit prune --before {at}"));
    let pruned = match dry {
        true => store.prune(before, true, progress).map_err(DaemonError::from)?,
        false => prune_in(&config.rules, &store, &command, before, progress)?,
    };
    if !dry && pruned.entries > 0 {
        store.compact().map_err(DaemonError::from)?;
    }
    bar.finish_and_clear();
    let now = size(&store)?;
    let Pruned { entries, kept } = pruned;
    let rest = format!("{kept} older ones stay, since something of today rests on them");
    match (dry, entries) {
        (_, 0) => context.output.say(format!("nothing to take out before {at}; {rest}")),
        (true, _) => context.output.say(format!("{entries} entries of before {at} would go; {rest}")),
        (false, _) => {
            context.output.say(format!("{entries} entries of before {at} are gone; {rest}"));
            context.output.say(format!("the store was {was} bytes and is {now}"));
        }
    }
    context.output.document(&json!({
        "before": at, "dry_run": dry, "pruned": entries, "kept": kept, "bytes_before": was, "bytes_after": now,
    }));
    Ok(Exit::Equal)
}

const PAGE: usize = 1_000;
const DAY_MS: i64 = 86_400_000;
