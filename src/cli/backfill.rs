//! `syncline backfill`: both sides are read once, linked, and made equal.

use super::steps::Steps;
use super::{CliError, Context, Exit, Output, ground, problems};
use crate::daemon::{BackfillReport, OnProgress};
use indicatif::HumanCount;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Options of `backfill`.
#[derive(Debug, Clone, clap::Args)]
pub struct BackfillArgs {}

/// Runs it.
pub fn run(_args: &BackfillArgs, context: &Context) -> Result<Exit, CliError> {
    ground::runtime()?.block_on(async {
        let (config, connectors, schemas) = ground::prepare(context).await?;
        let store = ground::open(&config, true, &schemas).await?;
        let steps = Steps::new(context.output);
        let told = steps.clone();
        let told: OnProgress = Arc::new(move |progress| told.take(progress));
        ground::take_mapping(&config, &store, Some(&told), context.output)?;
        let (mut driver, _socket) = ground::driver(&config, &connectors, store, "backfill")?;
        ground::stop_on_signal(driver.handle());
        driver.on_progress(told);
        let result = driver.backfill().await;
        steps.finish();
        let report = result?;
        let mut store = driver.into_store();
        if !report.stopped {
            // Many commits leave more free pages than rows; from now on the file grows little.
            store.compact().map_err(crate::daemon::DaemonError::from)?;
        }
        store.close().map_err(crate::daemon::DaemonError::from)?;
        show(&report, context.output);
        Ok(if report.equal() { Exit::Equal } else { Exit::Problems })
    })
}

/// Shows what a backfill did.
pub(super) fn show(report: &BackfillReport, output: Output) {
    if report.stopped {
        output.say("  stopped before it was done; `syncline backfill` goes on from here");
    }
    let rows = report.counts.entities.iter().map(|entity| {
        let count = |count: u64| HumanCount(count).to_string();
        [entity.name.clone(), count(entity.records), count(entity.linked), count(entity.split), count(entity.pending)]
    });
    output.table(["entity", "records", "linked", "split", "pending"], rows);
    if report.counts.problems > 0 {
        problems::show(report.counts.problems, &report.counts.causes, output);
        output.say("`syncline status` lists what is left of them");
    }
    output.document(&document(report));
}

fn document(report: &BackfillReport) -> Value {
    let entities: Map<String, Value> = report
        .counts
        .entities
        .iter()
        .map(|entity| {
            let value = json!({
                "records": entity.records, "linked": entity.linked, "pending": entity.pending, "split": entity.split,
                "review": entity.review,
            });
            (entity.name.clone(), value)
        })
        .collect();
    json!({
        "done": !report.stopped,
        "equal": report.equal(),
        "linked": report.counts.entities.iter().map(|entity| entity.linked).sum::<u64>(),
        "entities": entities,
        "created": report.created,
        "updated": report.updated,
        "deleted": report.deleted,
        "problems": report.counts.problems,
        "unequal": report.unequal,
        "calls": report.calls,
        "seconds": report.took.as_secs_f64(),
    })
}
