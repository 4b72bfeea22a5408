//! `syncline plan`: what a first sync would write and cost, without a write to anyone.

mod what_if;

use super::output::plain;
use super::steps::Steps;
use super::{CliError, Context, Exit, Output, ground, problems};
use crate::daemon::DaemonError;
use crate::daemon::plan::{self, EntityPlan, LinkSample, PlanReport, Rehearsal, Sample, Schemas, SystemPlan};
use crate::rules::WhatIf;
use crate::rules::config::{Config, SystemKind};
use crate::store::{Store, StoreError};
use indicatif::HumanCount;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Options of `plan`.
#[derive(Debug, Clone, clap::Args)]
pub struct PlanArgs {
    /// Write the plan down for `syncline apply`. It holds the values of records: only you may read it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Ask nobody: what the mirror, as it stands, would send.
    #[arg(long)]
    pub offline: bool,
    /// Plan the same data under another policy as well, and show what differs: `conflict=POLICY` or `on_link=POLICY`, for all
    /// fields, or behind `ENTITY.` or `ENTITY.FIELD.` for some; may be given several times. Reads the systems twice.
    #[arg(long, value_name = "POLICY", conflicts_with_all = ["out", "offline"])]
    pub what_if: Vec<String>,
}

/// Runs it.
pub fn run(args: &PlanArgs, context: &Context) -> Result<Exit, CliError> {
    ground::runtime()?.block_on(async {
        if !args.what_if.is_empty() {
            return what_if::run(args, context).await;
        }
        let (config, report) = match args.offline {
            true => offline(args, context).await?,
            false => rehearse(args, &[], context).await?,
        };
        show(&report, &config, args, context.output);
        context.output.document(&report.document());
        Ok(if report.counts.problems == 0 { Exit::Equal } else { Exit::Problems })
    })
}

/// A dry run, under other policies if some are to be tried.
async fn rehearse(args: &PlanArgs, tried: &[WhatIf], context: &Context) -> Result<(Config, PlanReport), CliError> {
    let (mut config, connectors, schemas) = ground::prepare(context).await?;
    config.rules = config.rules.what_if(tried).map_err(what_if::refused)?;
    let schemas = Schemas::new(schemas);
    let path = &config.settings.store;
    let mirror = match scratch_copy(&config).await? {
        Some(copy) => copy,
        None => plan::scratch_new(path)?,
    };
    ground::take_mapping(&config, &mirror, None, context.output)?;
    let mut rehearsal = Rehearsal::new(&config.rules, &connectors, schemas, mirror, path, args.out.as_deref())?;
    ground::stop_on_signal(rehearsal.handle());
    context.output.say("A dry run: everything is read, nothing is written.");
    let steps = Steps::dry(context.output);
    let told = steps.clone();
    rehearsal.on_progress(Arc::new(move |progress| told.take(progress)));
    let result = rehearsal.run().await;
    steps.finish();
    let stopped = || CliError::world("stopped", "it was stopped before the plan was whole", "start it again");
    Ok((config, result?.ok_or_else(stopped)?))
}

async fn offline(args: &PlanArgs, context: &Context) -> Result<(Config, PlanReport), CliError> {
    let mut config = context.load()?;
    let connectors = ground::connect(&mut config)?;
    let Some(mirror) = scratch_copy(&config).await? else {
        return Err(DaemonError::from(StoreError::Missing { path: config.settings.store.clone() }).into());
    };
    let report = plan::from_mirror(&config.rules, &connectors, &mirror, args.out.as_deref())?;
    Ok((config, report))
}

/// A copy of the store, if there is one and nobody has it.
async fn scratch_copy(config: &Config) -> Result<Option<Store>, CliError> {
    let path = &config.settings.store;
    let until = Instant::now() + ground::PATIENCE;
    loop {
        ground::nobody_holds(path).await?;
        if !path.try_exists().unwrap_or(true) {
            return Ok(None);
        }
        match plan::scratch_copy(path) {
            Err(DaemonError::Store(StoreError::InUse { .. })) if Instant::now() < until => {
                tokio::time::sleep(ground::PAUSE).await;
            }
            copied => return Ok(Some(copied?)),
        }
    }
}

fn show(report: &PlanReport, config: &Config, args: &PlanArgs, output: Output) {
    output.say("");
    output.table(
        ["system", "create", "update", "delete", "API calls", "of the day's", "minutes at least"],
        report.systems.iter().map(system),
    );
    output.say("");
    output.table(
        ["entity", "records", "create", "update", "link", "initial decisions", "stay apart", "conflicts", "ambiguous"],
        report.entities.iter().map(|entity| entity_row(report, entity)),
    );
    for counts in report.counts.entities.iter().filter(|counts| counts.outside > 0) {
        let (name, count) = (&counts.name, HumanCount(counts.outside));
        output.say(format!(
            "{name}: {count} out of scope, of which nothing is read further, written or created elsewhere"
        ));
    }
    for entity in &report.entities {
        decisions(entity, output);
        for sample in &entity.samples {
            output.line(sample_text(sample));
        }
    }
    problems::show(report.counts.problems, &report.counts.causes, output);
    if report.waiting > 0 {
        let count = HumanCount(report.waiting);
        output.say(format!(
            "{count} more wait for something to be read first; `syncline plan` without --offline reads it"
        ));
    }
    output.say("");
    if report.writes() == 0 {
        output.say("Nothing is to be written.");
    } else {
        output.say("How it is taken back");
        for kind in [Kind::Update, Kind::Create, Kind::Delete] {
            let lines = report.systems.iter().filter_map(|system| how(kind, system, config, args.out.is_some()));
            lines.for_each(|line| output.say(line));
        }
        let deletes = report.systems.iter().any(|system| system.delete > 0);
        output.say(if deletes { UNDO_DELETES } else { UNDO });
        output.say(AUTOMATION);
    }
    if let Some(path) = &args.out {
        output.say(format!("The plan is in {}; `syncline apply {0}` carries out exactly that.", path.display()));
    }
}

fn system(plan: &SystemPlan) -> [String; 7] {
    let count = |count: u64| HumanCount(count).to_string();
    let share = plan
        .daily_limit
        .map(|limit| format!("{:.1} % of {}", plan.calls as f64 * 100.0 / limit.max(1) as f64, HumanCount(limit)));
    let minutes = plan.least().map(|least| format!("{:.1}", least.as_secs_f64() / 60.0));
    let unknown = || "not known".to_owned();
    [
        plan.name.clone(),
        count(plan.create),
        count(plan.update),
        count(plan.delete),
        count(plan.calls),
        share.unwrap_or_else(unknown),
        minutes.unwrap_or_else(|| "no rate known".to_owned()),
    ]
}

fn entity_row(report: &PlanReport, entity: &EntityPlan) -> [String; 9] {
    let count = |count: u64| HumanCount(count).to_string();
    let by_system = |counts: &std::collections::BTreeMap<String, u64>| {
        let counts = counts.iter().filter(|(_, count)| **count > 0);
        let text: Vec<String> = counts.map(|(system, number)| format!("{system} {}", count(*number))).collect();
        if text.is_empty() { "0".to_owned() } else { text.join(", ") }
    };
    let records = report.counts.entities.iter().find(|counts| counts.name == entity.name);
    [
        entity.name.clone(),
        count(records.map_or(0, |counts| counts.records)),
        by_system(&entity.create),
        by_system(&entity.update),
        count(entity.link.values().sum()),
        count(entity.initial.values().map(|(decided, _)| decided).sum()),
        count(entity.initial.values().map(|(_, split)| split).sum()),
        count(entity.conflicts.values().sum()),
        count(entity.ambiguous),
    ]
}

/// What is decided, and how.
fn decisions(entity: &EntityPlan, output: Output) {
    if entity.samples.is_empty() && entity.initial.is_empty() && entity.conflicts.is_empty() {
        return;
    }
    output.say(format!("\n{}", entity.name));
    for (field, (decided, split)) in &entity.initial {
        let text = match (decided, split) {
            (decided, 0) => format!("{} overwritten", HumanCount(*decided)),
            (0, split) => format!("{} stay apart", HumanCount(*split)),
            (decided, split) => format!("{} overwritten, {} stay apart", HumanCount(*decided), HumanCount(*split)),
        };
        output.say(format!("  first link: {field} differs: {text}"));
    }
    for LinkSample { field, kept, other, split } in &entity.link_samples {
        let what = if *split { "stays apart from" } else { "replaces" };
        output.say(format!("    {field}: {} {what} {}", quoted(Some(kept)), quoted(Some(other))));
    }
    for (conflict, count) in &entity.conflicts {
        let (policy, winner) = (&conflict.policy, &conflict.winner);
        output.say(format!("  conflicts: {} by `{policy}`: {winner} wins", HumanCount(*count)));
    }
}

fn sample_text(sample: &Sample) -> String {
    let at: Vec<String> = sample.remote.iter().map(|(system, id)| format!("{system} {id}")).collect();
    let kind = match sample {
        Sample { delete: true, .. } => Kind::Delete,
        Sample { create: true, .. } => Kind::Create,
        Sample { .. } => Kind::Update,
    };
    let (verb, separator) = match kind {
        Kind::Update => ("update", "; "),
        Kind::Create => ("create", ", "),
        Kind::Delete => ("delete", ""),
    };
    let field = |(property, before, after): &(String, Option<String>, Option<String>)| match sample.create {
        true => format!("{property} {}", quoted(after.as_deref())),
        false => format!("{property} {} → {}", quoted(before.as_deref()), quoted(after.as_deref())),
    };
    let fields: Vec<String> = sample.fields.iter().map(field).collect();
    let (mark, at) = (Undo::of(kind).mark(), at.join(" = "));
    let fields = if kind == Kind::Delete { String::new() } else { format!(": {}", fields.join(separator)) };
    format!("  {verb} in {:<12} {mark}  {at}{fields}", sample.system)
}

/// What is done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Create,
    Delete,
}

/// Can an effect be taken back?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Undo {
    /// By one more write.
    Reversible,
    /// Only by hand in the system, record by record.
    Costly,
}

impl Undo {
    /// Of an effect. A merge would be final; a plan has none. A delete of ours ends in a recycle bin.
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Update => Self::Reversible,
            Kind::Create | Kind::Delete => Self::Costly,
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Reversible => "reversible",
            Self::Costly => "costly    ",
        }
    }
}

/// How effects of one kind are taken back in one system.
fn how(kind: Kind, system: &SystemPlan, config: &Config, written: bool) -> Option<String> {
    let (what, count) = match kind {
        Kind::Update => ("updates", system.update),
        Kind::Create => ("creates", system.create),
        Kind::Delete => ("deletes", system.delete),
    };
    if count == 0 {
        return None;
    }
    let of = config.settings.systems.iter().find(|known| known.name == system.name).map(|system| system.kind);
    let text = match (kind, of) {
        (Kind::Delete, Some(SystemKind::HubSpot)) => "restore the record there by hand, within 90 days",
        (Kind::Delete, Some(SystemKind::Salesforce)) => "restore it from the recycle bin there, within 15 days",
        (Kind::Delete, None) => "restore the record there",
        (Kind::Create, Some(SystemKind::HubSpot)) => "archive the record there; it can be restored for 90 days",
        (Kind::Create, Some(SystemKind::Salesforce)) => "delete the record there; the recycle bin keeps it for 15 days",
        (Kind::Create, None) => "delete the record there",
        (Kind::Update, Some(SystemKind::HubSpot)) => "the old value stays in HubSpot's own history and in the journal",
        (Kind::Update, _) => "the old value stays in the journal",
    };
    let kept = if written && kind == Kind::Update { ", and in the plan" } else { "" };
    Some(format!("  {} {what} in {}: {text}{kept}", Undo::of(kind).mark(), system.name))
}

/// A value on one line, without control characters, cut where it is long.
fn quoted(value: Option<&str>) -> String {
    let Some(value) = value else { return "(blank)".to_owned() };
    let mut text = plain(&value.chars().take(VALUE_MAX).collect::<String>());
    if value.chars().nth(VALUE_MAX).is_some() {
        text.push('…');
    }
    format!("\"{text}\"")
}

/// Characters of a value that are shown.
const VALUE_MAX: usize = 48;
const UNDO: &str = "  Nothing is deleted or merged, so nothing is final.";
const UNDO_DELETES: &str =
    "  Nothing is merged, and what is deleted lies in the recycle bins for the times above; after them it is final.";
const AUTOMATION: &str = "  What a system's own automation does when a record is written (mails, tasks, hooks) is not foreseen, and not taken\n  \
                          back with it. Nor is what a system's own rules will refuse.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_on_one_line_and_cannot_move_the_cursor() {
        assert_eq!(quoted(Some("a\u{1b}[2J\nb")), "\"a [2J b\"");
        assert_eq!(quoted(Some(&"x".repeat(60))).chars().count(), VALUE_MAX + 3);
        assert_eq!(quoted(None), "(blank)");
    }
}
