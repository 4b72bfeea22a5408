//! `syncline run`: live, until it is told to stop.

use super::polling::{Polling, polling};
use super::{CliError, Context, Exit, ground, problems};
use crate::daemon::{DaemonError, Progress, causes, heeded_len};
use crate::rules::config::parse_duration;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Options of `run`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// Between two polls of one system, as in "1s"; instead of the config's.
    #[arg(long, value_name = "DURATION", value_parser = interval)]
    pub interval: Option<Duration>,
    /// End as soon as everything is quiet.
    #[arg(long)]
    pub once: bool,
}

/// Runs it.
pub fn run(args: &RunArgs, context: &Context) -> Result<Exit, CliError> {
    ground::runtime()?.block_on(async {
        let (config, connectors, schemas) = ground::prepare(context).await?;
        let store = ground::open(&config, false, &schemas).await?;
        let (mut driver, _socket) = ground::driver(&config, &connectors, store, "run")?;
        if !driver.is_backfilled()? {
            return Err(DaemonError::NoBackfill.into());
        }
        let interval = args.interval.unwrap_or(config.settings.run.interval);
        let output = context.output;
        if !args.once {
            let limit = |id| connectors.iter().find(|(system, _)| *system == id)?.1.daily_limit();
            let prices = polling(&config.rules, interval, limit);
            prices.iter().filter_map(Polling::warning).for_each(|warning| output.warn(warning));
            output.say(format!("live: every {interval:?}; stop it with Ctrl-C"));
        }
        ground::stop_on_signal(driver.handle());
        driver.on_progress(Arc::new(move |progress| match progress {
            Progress::Wrote { system, entity, created, updated, deleted } if created + updated + deleted > 0 => {
                let deleted = if deleted > 0 { format!(", {deleted} deleted") } else { String::new() };
                output.say(format!("{system}: {entity}: {created} created, {updated} updated{deleted}"));
            }
            Progress::Detached { system, entity, remote, what } => {
                output.warn(format!(
                    "{entity} {remote} was {what} in {system}: the link ended, other sides are left alone"
                ));
            }
            Progress::Failed { system, cause } => output.warn(format!("{cause} ({system}; trying again)")),
            _ => {}
        }));
        driver.live(interval, args.once).await?;
        let tally = driver.tally().clone();
        let store = driver.into_store();
        let mut problems = 0;
        if args.once {
            let view = store.snapshot().map_err(DaemonError::from)?;
            let causes = causes(&config.rules, &view).map_err(DaemonError::from)?;
            problems = heeded_len(&view).map_err(DaemonError::from)?;
            problems::show(problems, &causes, output);
        }
        store.close().map_err(DaemonError::from)?;
        let sum = |counts: &std::collections::BTreeMap<_, u64>| counts.values().sum::<u64>();
        output.document(&json!({
            "done": true, "created": sum(&tally.created), "updated": sum(&tally.updated), "deleted": sum(&tally.deleted),
            "merged": tally.merged, "conflicts": tally.conflicts, "detached": tally.detached, "problems": problems,
        }));
        Ok(if problems == 0 { Exit::Equal } else { Exit::Problems })
    })
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < Duration::from_millis(100) { Err("write at least 100ms".to_owned()) } else { Ok(interval) }
}
