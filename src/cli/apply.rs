//! `syncline apply`: a plan is carried out, and nothing else.

use super::steps::Steps;
use super::{CliError, Context, Exit, Output, ground, problems};
use crate::daemon::plan::{Applied, Gates, HeldBack, PlanFile, Selection};
use crate::daemon::{BackfillReport, DaemonError, OnProgress};
use indicatif::HumanCount;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Options of `apply`.
#[derive(Debug, Clone, clap::Args)]
pub struct ApplyArgs {
    /// The plan, as `syncline plan --out` wrote it.
    #[arg(value_name = "FILE")]
    pub plan: PathBuf,
    /// A trial: only the plan's first so many records.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// A trial: only these records, by the plan's `record` or by an id in a system (`person:hubspot:123`), with commas between.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Runs it.
pub fn run(args: &ApplyArgs, context: &Context) -> Result<Exit, CliError> {
    let selection = Selection { limit: args.limit.map(|limit| limit as usize), only: args.only.clone() };
    ground::runtime()?.block_on(async {
        // The plan is looked at before anybody is asked.
        let mapping = context.load()?.rules.fingerprint();
        let plan = PlanFile::read(&args.plan, mapping, &selection).map_err(DaemonError::from)?;
        let (config, connectors, schemas) = ground::prepare(context).await?;
        let store = ground::open(&config, true, &schemas).await?;
        let whole = !plan.is_part();
        let gates = Gates::new(plan);
        let connectors = gates.before(&config.rules, &connectors);
        let steps = Steps::new(context.output);
        let told = steps.clone();
        let told: OnProgress = Arc::new(move |progress| told.take(progress));
        ground::take_mapping(&config, &store, Some(&told), context.output)?;
        let (mut driver, _socket) = ground::driver(&config, &connectors, store, "apply")?;
        driver.on_write(gates.watch(&config.rules));
        ground::stop_on_signal(driver.handle());
        driver.on_progress(told);
        let result = driver.apply(whole).await;
        steps.finish();
        let report = result?;
        driver.into_store().close().map_err(DaemonError::from)?;
        let applied = gates.applied();
        show(&applied, &report, whole, context.output);
        context.output.document(&document(&applied, &report, whole));
        Ok(if is_as_planned(&applied, &report, whole) { Exit::Equal } else { Exit::Problems })
    })
}

fn is_as_planned(applied: &Applied, report: &BackfillReport, whole: bool) -> bool {
    let refused = applied.refused + report.counts.problems;
    // A trial leaves much unequal on purpose.
    !report.stopped && applied.held_back_total == 0 && refused == 0 && (!whole || report.unequal == 0)
}

fn show(applied: &Applied, report: &BackfillReport, whole: bool, output: Output) {
    if report.stopped {
        output.say("  stopped before it was done; the same `syncline apply` goes on from here");
    }
    let line = |count: u64, text: &str| {
        if count > 0 {
            output.say(format!("  {:>8} {text}", HumanCount(count).to_string()));
        }
    };
    output.say(format!("of {} planned writes", HumanCount(applied.planned)));
    line(applied.done, "done");
    line(applied.not_needed, "not needed any more: the records are so already");
    line(applied.moved, "not done: something else would have to be written there by now");
    line(applied.refused, "refused");
    line(applied.left_out, "left out of this trial");
    if applied.held_back_total > 0 {
        output.say(format!("held back, since the plan does not have them: {}", HumanCount(applied.held_back_total)));
        let rows = applied.held_back.iter().take(SHOWN_MAX).map(|held| {
            let what = if held.create { "create" } else { "update" };
            let why = if held.planned_otherwise { "planned otherwise" } else { "not planned" };
            [
                held.system.clone(),
                held.object.clone(),
                what.to_owned(),
                held.target.clone(),
                held.properties.join(", "),
                why.to_owned(),
            ]
        });
        output.table(["system", "object", "what", "record", "properties", "why"], rows);
        if applied.held_back_total > SHOWN_MAX as u64 {
            output.say(format!("... and {} more", HumanCount(applied.held_back_total - SHOWN_MAX as u64)));
        }
        output.say("they moved since the plan was made: make a new plan, or let `syncline run` write them");
    }
    problems::show(report.counts.problems, &report.counts.causes, output);
    if !report.stopped {
        output.say(match whole {
            true => "`syncline run` keeps it equal from here on",
            false => "a trial: `syncline apply` without --limit and --only does the rest",
        });
    }
}

fn document(applied: &Applied, report: &BackfillReport, whole: bool) -> Value {
    let held = |held: &HeldBack| {
        json!({
            "system": held.system, "object": held.object, "record": held.target, "create": held.create,
            "properties": held.properties, "planned_otherwise": held.planned_otherwise,
        })
    };
    let writes: serde_json::Map<String, Value> = report
        .created
        .iter()
        .map(|(system, created)| {
            let updated = report.updated.get(system).copied().unwrap_or(0);
            (system.clone(), json!({ "create": created, "update": updated, "delete": 0 }))
        })
        .collect();
    json!({
        "done": !report.stopped,
        "whole": whole,
        "as_planned": is_as_planned(applied, report, whole),
        "plan": {
            "writes": applied.planned, "done": applied.done, "not_needed": applied.not_needed,
            "moved": applied.moved, "refused": applied.refused, "left_out": applied.left_out,
        },
        "held_back": applied.held_back_total,
        "held_back_list": applied.held_back.iter().map(held).collect::<Vec<_>>(),
        "writes": writes,
        "calls": report.calls,
        "problems": report.counts.problems,
        "seconds": report.took.as_secs_f64(),
    })
}

/// Writes held back that a person is shown.
const SHOWN_MAX: usize = 20;
