//! `syncline demo`: sandbox, sync and story, without any setup. The first thing that anybody sees.

mod folder;
mod story;
mod user;

use super::init::demo_config;
use super::steps::Steps;
use super::{CliError, Context, Exit, Output, ground, sandbox, verify};
use crate::daemon::{BackfillReport, DaemonError, Driver, Tally};
use crate::rules::config;
use crate::sandbox::listener::{Running, SandboxConfig};
use crate::sandbox::seed::{SeedPlan, SeedSummary, Spread};
use crate::store::{OpenOptions, Store};
use folder::Folder;
use indicatif::HumanCount;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use story::{Scene, Stage};

/// Options of `demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Seed of the sandbox's records.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// People in both systems together.
    #[arg(long, default_value_t = 2000)]
    pub records: usize,
    /// Keep the folder with the config and the store.
    #[arg(long)]
    pub keep: bool,
}

/// Runs it.
pub fn run(args: &DemoArgs, context: &Context) -> Result<Exit, CliError> {
    ground::runtime()?.block_on(play(args, context.output))
}

async fn play(args: &DemoArgs, output: Output) -> Result<Exit, CliError> {
    let began = Instant::now();
    let data = SeedPlan { records: args.records, ..SeedPlan::default() };
    let sandbox = SandboxConfig { seed: args.seed, data: Some(data), ..SandboxConfig::default() };
    let running = sandbox::serve(sandbox).await?;
    let folder = Folder::new(args.keep)?;
    introduce(&running, output);

    let (mut driver, interval) = set_up(&running, &folder)?;
    heading(output, "1  The first sync: read both sides, link what is the same, write what is missing");
    let report = backfill(&mut driver, output).await?;

    heading(output, &format!("2  Live: people edit on both sides; each side is asked every {interval:?}"));
    let before = driver.tally().clone();
    let stage = Stage::new(&running, driver.handle())?;
    let handle = driver.handle();
    let runtime = tokio::runtime::Handle::current();
    // The driver commits on a thread of its own.
    let live = std::thread::spawn(move || {
        let ended = runtime.block_on(driver.live(interval, false));
        (ended, driver)
    });
    let played = stage.play(output).await;
    let verdict = match &played {
        Ok(_) => handle.verify().await.map_err(CliError::from),
        Err(_) => Ok(Value::Null),
    };
    handle.stop().await;
    let (ended, driver) = live.join().map_err(|_| CliError::from(DaemonError::Ended))?;
    let (scenes, verdict) = (played?, verdict?);
    ended?;
    let tally = driver.tally().clone();
    drop(driver);

    heading(output, "3  The proof: both sides are read again and hashed field by field");
    verify::show(&verdict, output);
    let sums = Sums::of(&report, &running, &before, &tally);
    heading(output, "4  What it took");
    sums.show(output, began.elapsed());
    let arrived = scenes.iter().all(|scene| scene.arrived_ms.is_some());
    let equal = verdict["equal"] == true && arrived && report.equal();
    output.say("");
    output.say(bold(&format!("verdict: {}", if equal { "equal" } else { "NOT equal" })));
    if args.keep {
        output.say(format!("kept: {}", folder.path().display()));
    }
    output.document(&json!({
        "equal": equal,
        "seconds": began.elapsed().as_secs_f64(),
        "sums": sums.document(),
        "story": scenes.iter().map(Scene::document).collect::<Vec<_>>(),
        "verify": verdict,
    }));
    running.stop().await;
    Ok(if equal { Exit::Equal } else { Exit::Problems })
}

/// Config, connectors and store, as `init` and `backfill` make them.
fn set_up(running: &Running, folder: &Folder) -> Result<(Driver, Duration), CliError> {
    let file = folder.path().join("syncline.toml");
    demo_config(&running.ready.to_string(), &file)?;
    let mut config = config::load(&file)?;
    let connectors = ground::connect(&mut config)?;
    let store = Store::create_or_open(&config.settings.store, ground::now(), &OpenOptions::default())
        .map_err(DaemonError::from)?;
    let mut driver = Driver::new(config.rules, &connectors, store)?;
    driver.begin_run("demo")?;
    Ok((driver, INTERVAL))
}

async fn backfill(driver: &mut Driver, output: Output) -> Result<BackfillReport, CliError> {
    let steps = Steps::new(output);
    let told = steps.clone();
    driver.on_progress(Arc::new(move |progress| told.take(progress)));
    let report = driver.backfill().await;
    steps.finish();
    let report = report?;
    driver.on_progress(Arc::new(|_| {}));
    let linked: u64 = report.counts.entities.iter().map(|entity| entity.linked).sum();
    let calls: u64 = report.calls.values().sum();
    output.say(format!(
        "  done     {} records stand on both sides  ({:.1} s, {} API calls)",
        HumanCount(linked),
        report.took.as_secs_f64(),
        HumanCount(calls)
    ));
    Ok(report)
}

fn introduce(running: &Running, output: Output) {
    let SeedSummary { people, companies, deals } = running.summary;
    output.say(bold("syncline demo"));
    output.say("An emulated HubSpot and Salesforce on this machine, filled with data that overlaps and disagrees.");
    output.say("");
    let row = |name: &str, spread: Spread| {
        let count = |count: usize| HumanCount(count as u64).to_string();
        [name.to_owned(), count(spread.both), count(spread.only_hubspot), count(spread.only_salesforce)]
    };
    output.table(
        ["", "on both", "only HubSpot", "only Salesforce"],
        [row("people", people), row("companies", companies), row("deals", deals)],
    );
}

fn heading(output: Output, text: &str) {
    output.say("");
    output.say(bold(text));
}

/// Bold on a terminal.
fn bold(text: &str) -> String {
    let shown = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if shown { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// What the whole job took.
struct Sums {
    records: u64,
    linked: u64,
    created: u64,
    updated: u64,
    merged: u64,
    conflicts: u64,
    calls: u64,
    sync_calls: u64,
}

impl Sums {
    fn of(report: &BackfillReport, running: &Running, before: &Tally, after: &Tally) -> Self {
        let ledgers = [&running.hubspot, &running.salesforce].into_iter().flatten();
        let calls = ledgers.map(|server| server.ledger()["calls"]["total"].as_u64().unwrap_or_default()).sum();
        let created: u64 = after.created.values().sum();
        let linked: u64 = report.counts.entities.iter().map(|entity| entity.linked).sum();
        Self {
            records: report.counts.entities.iter().map(|entity| entity.records).sum(),
            linked: linked.saturating_sub(before.created.values().sum()),
            created,
            updated: after.updated.values().sum(),
            merged: after.merged.saturating_sub(before.merged),
            conflicts: after.conflicts,
            calls,
            sync_calls: report.calls.values().sum(),
        }
    }

    fn per_record(&self) -> f64 {
        self.sync_calls as f64 / (self.records.max(1)) as f64
    }

    fn show(&self, output: Output, took: Duration) {
        let count = |count: u64| HumanCount(count).to_string();
        let rows = [
            ["records linked".to_owned(), count(self.linked)],
            ["records created".to_owned(), count(self.created)],
            ["records updated".to_owned(), count(self.updated)],
            ["fields merged live".to_owned(), count(self.merged)],
            ["conflicts decided".to_owned(), count(self.conflicts)],
            ["API calls, live polls included".to_owned(), count(self.calls)],
            ["API calls per record of the first sync".to_owned(), format!("{:.3}", self.per_record())],
            ["seconds".to_owned(), format!("{:.1}", took.as_secs_f64())],
        ];
        for [name, value] in rows {
            output.say(format!("  {name:<40} {value:>8}"));
        }
    }

    fn document(&self) -> Value {
        json!({
            "records": self.records, "linked": self.linked, "created": self.created, "updated": self.updated,
            "merged": self.merged, "conflicts": self.conflicts, "calls": self.calls,
            "calls_per_record": self.per_record(),
        })
    }
}

/// Between two polls of one side.
const INTERVAL: Duration = Duration::from_millis(250);
