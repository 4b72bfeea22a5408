//! `syncline undo`: takes back what was done, and shows first what that would be.

use super::ground::{self, Ground};
use super::steps::Steps;
use super::{CliError, Context, Exit, Output, when};
use crate::daemon::account::{self, Wish};
use crate::daemon::{DaemonError, Driver, Progress, recall_people};
use crate::model::Millis;
use crate::rules::config::Config;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

/// Options of `undo`.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("selection").required(true).multiple(true).args(["record", "run", "since", "by"])))]
pub struct UndoArgs {
    /// What was decided about this record: in any form that `explain` takes.
    pub record: Option<String>,
    /// What was decided in this run: `syncline audit runs` lists them.
    #[arg(long, value_name = "NUMBER")]
    pub run: Option<u32>,
    /// What was decided from this time on: "2026-03-01T10:00:00Z", or how long ago, as in "2h".
    #[arg(long, value_name = "TIME", value_parser = when::when)]
    pub since: Option<Millis>,
    /// What was decided before this time.
    #[arg(long, value_name = "TIME", value_parser = when::when, requires = "selection")]
    pub until: Option<Millis>,
    /// What was edited in this system, or by `operator` or `undo`.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Do it without asking.
    #[arg(long)]
    pub yes: bool,
}

impl UndoArgs {
    fn wish(&self, really: bool) -> Wish {
        let mut command = "undo".to_owned();
        let mut add = |text: String| command.push_str(&format!(" {text}"));
        self.record.iter().for_each(|record| add(format!("of {record}")));
        self.run.iter().for_each(|run| add(format!("of run {run}")));
        self.since.iter().for_each(|since| add(format!("since {}", account::time(*since))));
        self.until.iter().for_each(|until| add(format!("until {}", account::time(*until))));
        self.by.iter().for_each(|by| add(format!("of edits in {by}")));
        Wish {
            run: self.run,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
            by: self.by.clone(),
            record: self.record.clone(),
            command: ground::on_behalf(&command),
            really,
        }
    }
}

/// Runs it.
pub fn run(args: &UndoArgs, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    ground::runtime()?.block_on(async {
        let store = match ground::ask_for_or_open(&config, &request(&args.wish(false))).await? {
            Ground::Daemon(plan) => {
                show(&plan, context.output);
                if !agreed(args, &plan, context.output) {
                    return Ok(end(&plan, context.output));
                }
                let asked = ground::ask_for(&config, &request(&args.wish(true))).await;
                let done = asked.unwrap_or_else(|| Err(DaemonError::Ended.into()))?;
                show_done(&done, context.output);
                context.output.say("the running syncline writes it now; `syncline status` says when it is quiet");
                return Ok(end(&done, context.output));
            }
            Ground::Store(store) => store,
        };
        let plan = {
            let mut rules = config.rules.clone();
            recall_people(&mut rules, &store)?;
            let snapshot = store.snapshot().map_err(DaemonError::from)?;
            let plan = account::taken_back(&rules, &snapshot, &args.wish(false)).map_err(DaemonError::from)?;
            ground::fault(plan.0)?
        };
        drop(store);
        show(&plan, context.output);
        if !agreed(args, &plan, context.output) {
            return Ok(end(&plan, context.output));
        }
        let done = by_ourselves(args, context).await?;
        show_done(&done, context.output);
        Ok(end(&done, context.output))
    })
}

fn request(wish: &Wish) -> Value {
    let mut request = serde_json::to_value(wish).unwrap_or_else(|_| json!({}));
    request["cmd"] = "undo".into();
    request
}

/// Nobody runs: reads what is new, takes back, and writes until it is quiet.
async fn by_ourselves(args: &UndoArgs, context: &Context) -> Result<Value, CliError> {
    let (config, connectors, schemas) = ground::prepare(context).await?;
    let store = ground::open(&config, false, &schemas).await?;
    let (mut driver, _socket) = ground::driver(&config, &connectors, store, "undo")?;
    ground::stop_on_signal(driver.handle());
    let done = catch_up_and_undo(args, &config, &mut driver, context.output).await;
    driver.into_store().close().map_err(DaemonError::from)?;
    done
}

async fn catch_up_and_undo(
    args: &UndoArgs,
    config: &Config,
    driver: &mut Driver,
    output: Output,
) -> Result<Value, CliError> {
    let interval = config.settings.run.interval;
    let steps = Steps::new(output);
    let told = steps.clone();
    driver.on_progress(Arc::new(move |progress| told.take(progress)));
    steps.take(Progress::Phase("read"));
    let read = driver.live(interval, true).await;
    steps.finish();
    read?;
    if driver.is_told_to_stop()? {
        return Err(CliError::world("stopped", "it was stopped before anything was taken back", "start it again"));
    }
    let (mut document, decisions) = {
        let rules = driver.handle().rules();
        let snapshot = driver.store().snapshot().map_err(DaemonError::from)?;
        account::taken_back(&rules, &snapshot, &args.wish(true)).map_err(DaemonError::from)?
    };
    let wanted = decisions.operations.len();
    let hindered = driver.operate(decisions)?.len();
    steps.take(Progress::Phase("write"));
    let wrote = driver.live(interval, true).await;
    steps.finish();
    wrote?;
    document["done"] = account::carried_out(wanted, hindered);
    document["done"]["stopped"] = driver.is_told_to_stop()?.into();
    Ok(document)
}

/// Is it to be done? Where nobody can be asked, only with `--yes`.
fn agreed(args: &UndoArgs, plan: &Value, output: Output) -> bool {
    if plan["restore"]["count"] == 0 {
        output.say("there is nothing to restore");
        return false;
    }
    if args.yes {
        return true;
    }
    if output.json || !std::io::stdin().is_terminal() {
        output.say("nothing was changed: `--yes` carries it out");
        return false;
    }
    print!("restore these values everywhere? [y/N] ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    let yes = read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes");
    if !yes {
        output.say("nothing was changed");
    }
    yes
}

fn end(document: &Value, output: Output) -> Exit {
    output.document(document);
    let done = &document["done"];
    let moved = done["moved_meanwhile"].as_u64().is_some_and(|moved| moved > 0);
    if moved || done["stopped"] == true { Exit::Problems } else { Exit::Equal }
}

fn show(plan: &Value, output: Output) {
    let restore = &plan["restore"];
    output.say(format!("{} would be restored", values(&restore["count"])));
    for (field, count) in restore["by_field"].as_object().into_iter().flatten() {
        output.line(format!("  {count} of {field}"));
    }
    let samples = restore["samples"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !samples.is_empty() {
        let rows = samples.iter().map(|sample| {
            let text = |key: &str| sample[key].as_str().unwrap_or_default().to_owned();
            let place = sample["only"].as_str().unwrap_or("everywhere").to_owned();
            [format!("{}/{}", text("entity"), text("record")), text("field"), text("from"), text("to"), place]
        });
        output.table(["record", "field", "now", "then", "where"], rows);
    }
    let kept = &plan["kept"];
    if kept["count"].as_u64().unwrap_or_default() > 0 {
        output.say(format!(
            "{}: somebody has changed what is there since",
            match kept["count"].as_u64() {
                Some(1) => "1 value stays".to_owned(),
                _ => format!("{} values stay", kept["count"]),
            }
        ));
        let rows = kept["samples"].as_array().into_iter().flatten().map(|sample| {
            let text = |key: &str| sample[key].as_str().unwrap_or("-").to_owned();
            [format!("{}/{}", text("entity"), text("record")), text("field"), text("by"), text("at")]
        });
        output.table(["record", "field", "changed by", "decided"], rows);
    }
    let lasting = plan["lasting"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !lasting.is_empty() {
        output.say("what cannot be undone here:");
    }
    for row in lasting {
        let examples = row["examples"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let examples = examples.collect::<Vec<_>>().join(", ");
        output.line(format!("  {} × {} ({examples})", row["count"], row["why"].as_str().unwrap_or_default()));
    }
}

fn values(count: &Value) -> String {
    if *count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

fn show_done(done: &Value, output: Output) {
    let done = &done["done"];
    output.say(format!("restored {}", values(&done["restored"])));
    if let Some(moved) = done["moved_meanwhile"].as_u64().filter(|moved| *moved > 0) {
        output.say(format!("{moved} had changed meanwhile, and stay"));
    }
    if done["stopped"] == true {
        output.say("stopped before everything was written; the next `syncline run` writes the rest");
    }
}
