//! `plan --what-if`: the same data planned under other policies, side by side with the plan as configured.

use super::{PlanArgs, quoted, rehearse};
use crate::cli::{CliError, Context, Exit, Output};
use crate::daemon::plan::{EntityPlan, LinkSample, PlanReport};
use crate::rules::{WhatIf, WhatIfError};
use indicatif::HumanCount;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Plans twice, and shows both. What changes in the systems between the two readings differs as well.
pub(super) async fn run(args: &PlanArgs, context: &Context) -> Result<Exit, CliError> {
    let tried: Vec<WhatIf> = args.what_if.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(refused)?;
    // What cannot be tried is said before anything is read.
    context.load()?.rules.what_if(&tried).map_err(refused)?;
    let names = tried.iter().map(ToString::to_string).collect::<Vec<_>>();
    context.output.say("The systems are read twice: once as configured, once for what would be otherwise.");
    let (_, now) = rehearse(args, &[], context).await?;
    let (_, then) = rehearse(args, &tried, context).await?;
    let differences = differences(&now, &then);
    show(&names, &now, &then, &differences, context.output);
    let mut document = now.document();
    document["what_if"] = json!({
        "policies": names,
        "reads": 2,
        "plan": then.document(),
        "differs": differences.iter().map(Difference::document).collect::<Vec<_>>(),
    });
    context.output.document(&document);
    Ok(if now.counts.problems == 0 { Exit::Equal } else { Exit::Problems })
}

pub(super) fn refused(error: WhatIfError) -> CliError {
    CliError::usage("what_if", error.message, error.mend)
}

/// A number that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    /// The entity; none = a system as a whole.
    entity: Option<String>,
    what: String,
    now: u64,
    then: u64,
}

impl Difference {
    fn document(&self) -> Value {
        json!({ "entity": self.entity, "what": self.what, "now": self.now, "then": self.then })
    }
}

fn differences(now: &PlanReport, then: &PlanReport) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |entity: Option<&EntityPlan>, what: String, now: u64, then: u64| {
        if now != then {
            found.push(Difference { entity: entity.map(|entity| entity.name.clone()), what, now, then });
        }
    };
    for (one, other) in now.systems.iter().zip(&then.systems) {
        tell(None, format!("creates in {}", one.name), one.create, other.create);
        tell(None, format!("updates in {}", one.name), one.update, other.update);
        tell(None, format!("deletes in {}", one.name), one.delete, other.delete);
    }
    for (one, other) in now.entities.iter().zip(&then.entities) {
        for (what, now, then) in [("creates", &one.create, &other.create), ("updates", &one.update, &other.update)] {
            for (system, count) in now {
                tell(Some(one), format!("{what} in {system}"), *count, then.get(system).copied().unwrap_or(0));
            }
        }
        for field in one.initial.keys().chain(other.initial.keys()).collect::<BTreeSet<_>>() {
            let of = |plan: &EntityPlan| plan.initial.get(field).copied().unwrap_or_default();
            let ((overwritten, apart), (overwritten_then, apart_then)) = (of(one), of(other));
            tell(Some(one), format!("first link, {field}: overwritten"), overwritten, overwritten_then);
            tell(Some(one), format!("first link, {field}: stay apart"), apart, apart_then);
        }
        for kind in one.conflicts.keys().chain(other.conflicts.keys()).collect::<BTreeSet<_>>() {
            let of = |plan: &EntityPlan| plan.conflicts.get(kind).copied().unwrap_or(0);
            tell(Some(one), format!("conflicts by `{}`: {} wins", kind.policy, kind.winner), of(one), of(other));
        }
    }
    found
}

fn show(names: &[String], now: &PlanReport, then: &PlanReport, differences: &[Difference], output: Output) {
    let count = |count: u64| HumanCount(count).to_string();
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut row = |what: String, now: u64, then: u64| rows.push([what, count(now), count(then)]);
    for (one, other) in now.systems.iter().zip(&then.systems) {
        row(format!("{}: creates", one.name), one.create, other.create);
        row(format!("{}: updates", one.name), one.update, other.update);
    }
    for (one, other) in now.entities.iter().zip(&then.entities) {
        let initial = |plan: &EntityPlan, part: fn(&(u64, u64)) -> u64| plan.initial.values().map(part).sum();
        row(format!("{}: initial decisions", one.name), initial(one, |of| of.0), initial(other, |of| of.0));
        row(format!("{}: stay apart", one.name), initial(one, |of| of.1), initial(other, |of| of.1));
        row(format!("{}: conflicts", one.name), one.conflicts.values().sum(), other.conflicts.values().sum());
    }
    output.say("");
    output.table(["", "as configured", &names.join(", ")], rows);
    output.say("");
    if differences.is_empty() {
        return output.say("Nothing would be otherwise.");
    }
    output.say("What would be otherwise");
    for Difference { entity, what, now, then } in differences {
        let entity = entity.as_ref().map_or_else(String::new, |entity| format!("{entity}: "));
        output.say(format!("  {entity}{what}: {} → {}", count(*now), count(*then)));
    }
    for (one, other) in now.entities.iter().zip(&then.entities) {
        let otherwise = |field: &String| one.initial.get(field) != other.initial.get(field);
        for (label, plan) in [("as configured", one), ("otherwise", other)] {
            for LinkSample { field, kept, other, split } in plan.link_samples.iter().filter(|at| otherwise(&at.field)) {
                let what = if *split { "stays apart from" } else { "replaces" };
                let (kept, other) = (quoted(Some(kept)), quoted(Some(other)));
                output.line(format!("    {}.{field}, {label}: {kept} {what} {other}", plan.name));
            }
        }
    }
}
