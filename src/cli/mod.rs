//! The command line: one file per command; here only what they share.

mod apply;
mod audit;
mod backfill;
mod check;
mod checkpoint;
mod context;
mod demo;
mod duplicates;
mod entries;
mod error;
mod explain;
mod export;
mod ground;
mod init;
mod output;
mod plan;
mod polling;
mod problems;
mod review;
mod run;
mod sandbox;
mod status;
mod steps;
#[cfg(test)]
mod tests;
mod trace;
mod undo;
mod verify;
mod when;

pub use context::Context;
pub use error::{Blame, CliError, Exit};
pub use output::Output;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps HubSpot and Salesforce in true two-way sync.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, disable_help_subcommand = true, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// The config.
    #[arg(long, global = true, value_name = "FILE", default_value = "syncline.toml")]
    config: PathBuf,
    /// Use the accounts and the store of this `[profile.NAME]` of the config.
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Print one JSON document for machines as the last line on stdout.
    #[arg(long, global = true)]
    json: bool,
    /// Trace on stderr; twice or three times for more. RUST_LOG overrides it.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it at work: two sandboxes, a sync and a story. Needs nothing.
    Demo(demo::DemoArgs),
    /// Serve an emulated HubSpot and Salesforce.
    Sandbox(sandbox::SandboxArgs),
    /// Write a config to start from.
    Init(init::InitArgs),
    /// Check the config, the credentials and the mapping.
    Check(check::CheckArgs),
    /// List records that one system holds twice, before anything is linked. Merges nothing.
    Duplicates(duplicates::DuplicatesArgs),
    /// Show exactly what a first sync would write and what it would cost, and write nothing.
    Plan(plan::PlanArgs),
    /// Carry out a plan, and nothing else.
    Apply(apply::ApplyArgs),
    /// Read everything once, link it and make it equal.
    Backfill(backfill::BackfillArgs),
    /// Keep it equal, live.
    Run(run::RunArgs),
    /// Show what a running sync is doing.
    Status(status::StatusArgs),
    /// Show what keeps records from being equal, by cause or one by one, and try it again.
    Problems(problems::ProblemsArgs),
    /// Say why a record is as it is, field by field.
    Explain(explain::ExplainArgs),
    /// Show every value that a record's fields have had, also those that did not hold.
    History(explain::HistoryArgs),
    /// Show the journal: everything that was decided, by whom, in which run and why.
    Audit(audit::AuditArgs),
    /// Take back what a run, a system or a time did, and keep what others changed since.
    Undo(undo::UndoArgs),
    /// Show what waits for a person, and decide it.
    Review(review::ReviewArgs),
    /// Print what is configured, for people to read.
    Export(export::ExportArgs),
    /// Prove that both sides are equal, or list what differs.
    Verify(verify::VerifyArgs),
}

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let json = args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, json),
    };
    // The story of a demo speaks for itself.
    let quiet = matches!(cli.command, Command::Demo(_));
    trace::start(cli.global.verbose, quiet);
    let Global { config, profile, json, .. } = cli.global;
    let context = Context { config, profile, output: Output { json } };
    match dispatch(&cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print(context.output.json);
            error.exit()
        }
    }
}

fn dispatch(command: &Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Demo(args) => demo::run(args, context),
        Command::Sandbox(args) => sandbox::run(args, context),
        Command::Init(args) => init::run(args, context),
        Command::Check(args) => check::run(args, context),
        Command::Duplicates(args) => duplicates::run(args, context),
        Command::Plan(args) => plan::run(args, context),
        Command::Apply(args) => apply::run(args, context),
        Command::Backfill(args) => backfill::run(args, context),
        Command::Run(args) => run::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Problems(args) => problems::run(args, context),
        Command::Explain(args) => explain::run(args, context),
        Command::History(args) => explain::history(args, context),
        Command::Audit(args) => audit::run(args, context),
        Command::Undo(args) => undo::run(args, context),
        Command::Review(args) => review::run(args, context),
        Command::Export(args) => export::run(args, context),
        Command::Verify(args) => verify::run(args, context),
    }
}

/// Ends a call that was not understood, or that asked for help.
fn refuse(error: &clap::Error, json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if json {
        usage_error(error).print(true);
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

/// A clap error as one of ours: its first line, without colours.
fn usage_error(error: &clap::Error) -> CliError {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "there is no command",
        _ => lines.next().unwrap_or("the call is not understood"),
    };
    let tip = lines.find_map(|line| line.strip_prefix("tip: ")).unwrap_or("see `syncline --help`");
    CliError::usage("usage", message.strip_prefix("error: ").unwrap_or(message), tip)
}
