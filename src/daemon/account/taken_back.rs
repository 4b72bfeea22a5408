//! An undo: what it would do, as a document, and what has it done.

use super::{Names, time};
use crate::daemon::Decisions;
use crate::engine::{self, Authority, Books, Kept, Lasting, LastingKind, Restore, Run, Selection, UndoPlan, ViewError};
use crate::model::{Millis, SystemId};
use crate::rules::Rules;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What somebody wants to have taken back, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// A run's number.
    pub run: Option<u32>,
    /// From this time on, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// A system's name, `operator` or `undo`.
    pub by: Option<String>,
    /// A record, in any form that `explain` takes.
    pub record: Option<String>,
    /// Whose command it is: the journal's word for it.
    pub command: String,
    /// Carry it out? Otherwise it is only told what would be done.
    pub really: bool,
}

/// Why a wish cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Misunderstood {
    #[error("there is no system `{0}`, and it is not `operator` or `undo`")]
    Author(String),
    #[error("`{0}` is no known record")]
    Record(String),
    #[error("`{0}` may be several records")]
    Records(String),
    #[error("there was no run {0}")]
    Run(u32),
    #[error("the journal was pruned up to {0}: what was done before cannot be taken back any more")]
    Pruned(String),
}

impl Misunderstood {
    /// What to do about it.
    fn mend(&self, rules: &Rules) -> String {
        match self {
            Self::Author(_) => {
                let systems = rules.systems.iter().map(|system| &*system.name).collect::<Vec<_>>().join(", ");
                format!("name one of {systems}, operator, undo")
            }
            Self::Record(_) => {
                "name it by our id, by an id in its system (SYSTEM:ID), by its address in a browser, or by its e-mail address".to_owned()
            }
            Self::Records(text) => format!("name one by our id: `syncline explain {text}` shows them"),
            Self::Run(_) => "`syncline audit runs` lists the runs".to_owned(),
            Self::Pruned(until) => format!("take back what was done since then: --since \"{until}\""),
        }
    }
}

/// What an undo would do, as a document, and the decisions that do it; of a wish that cannot be understood an error document.
///
/// # Errors
/// The store cannot be read.
pub fn taken_back(rules: &Rules, books: &dyn Books, wish: &Wish) -> Result<(Value, Decisions), ViewError> {
    let mut decisions = Decisions { what: wish.command.clone(), authority: Authority::Undo, operations: Vec::new() };
    let selection = match select(rules, books, wish)? {
        Ok(selection) => selection,
        Err(why) => {
            let error = json!({ "code": "undo", "message": why.to_string(), "mend": why.mend(rules), "usage": true });
            return Ok((json!({ "error": error }), decisions));
        }
    };
    let plan = engine::undo(rules, books, &selection)?;
    let document = plan_of(rules, &plan);
    decisions.operations = plan.restores.into_iter().map(|restore| restore.operation).collect();
    Ok((document, decisions))
}

/// What was carried out of so many decisions.
pub fn carried_out(wanted: usize, hindered: usize) -> Value {
    json!({ "restored": wanted.saturating_sub(hindered), "moved_meanwhile": hindered })
}

fn select(rules: &Rules, books: &dyn Books, wish: &Wish) -> Result<Result<Selection, Misunderstood>, ViewError> {
    let mut selection = Selection {
        run: wish.run.map(Run),
        since: wish.since.map(Millis),
        until: wish.until.map(Millis),
        ..Selection::default()
    };
    if let Some(run) = selection.run.filter(|run| run.0 > 0)
        && books.began(run)?.is_none()
    {
        return Ok(Err(Misunderstood::Run(run.0)));
    }
    if let Some(until) = books.pruned()? {
        let began = selection.run.map(|run| books.began(run)).transpose()?.flatten().map(|(_, entry)| entry.at);
        if began.into_iter().chain(selection.since).max().is_none_or(|from| from < until) {
            return Ok(Err(Misunderstood::Pruned(super::time(until))));
        }
    }
    if let Some(name) = &wish.by {
        let author = match name.as_str() {
            "operator" => SystemId::OPERATOR,
            "undo" => SystemId::UNDO,
            name => SystemId::of(name),
        };
        if !author.is_operator() && rules.system(author).is_none() {
            return Ok(Err(Misunderstood::Author(name.clone())));
        }
        selection.author = Some(author);
    }
    if let Some(text) = &wish.record {
        match engine::find(rules, books, text)?.as_slice() {
            [] => return Ok(Err(Misunderstood::Record(text.clone()))),
            [target] => selection.record = Some((target.entity, target.record)),
            _ => return Ok(Err(Misunderstood::Records(text.clone()))),
        }
    }
    Ok(Ok(selection))
}

fn plan_of(rules: &Rules, plan: &UndoPlan) -> Value {
    let names = Names(rules);
    let restore = |restore: &Restore| {
        let operation = &restore.operation;
        let entity = rules.entity(operation.entity);
        json!({
            "entity": names.entity(operation.entity),
            "record": operation.record.to_string(),
            "field": names.field(entity, operation.field),
            "from": names.value(entity, operation.field, &restore.now),
            "to": names.value(entity, operation.field, &operation.value),
            "only": operation.only.map(|system| names.author(system)),
        })
    };
    let kept = |kept: &Kept| {
        let entity = rules.entity(kept.entity);
        json!({
            "entity": names.entity(kept.entity),
            "record": kept.record.to_string(),
            "field": names.field(entity, kept.field),
            "by": kept.author.map(|author| names.author(author)),
            "at": time(kept.at),
        })
    };
    let mut lasting: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    for Lasting { entity, record, what } in &plan.lasting {
        let (count, examples) = lasting.entry(reason(names, rules, *entity, *what)).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(record.to_string());
        }
    }
    let lasting =
        lasting.into_iter().map(|(why, (count, examples))| json!({ "why": why, "count": count, "examples": examples }));
    let mut by_field: Map<String, Value> = Map::new();
    for restore in &plan.restores {
        let entity = rules.entity(restore.operation.entity);
        let field = names.field(entity, restore.operation.field);
        let count = by_field.entry(format!("{}.{field}", names.entity(restore.operation.entity))).or_insert(0.into());
        *count = (count.as_u64().unwrap_or_default() + 1).into();
    }
    json!({
        "restore": { "count": plan.restores.len(), "by_field": by_field, "samples": plan.restores.iter().take(SAMPLES).map(restore).collect::<Vec<_>>() },
        "kept": { "count": plan.kept.len(), "samples": plan.kept.iter().take(SAMPLES).map(kept).collect::<Vec<_>>() },
        "lasting": lasting.collect::<Vec<_>>(),
    })
}

fn reason(names: Names<'_>, rules: &Rules, entity: crate::model::EntityId, what: LastingKind) -> String {
    let of = names.entity(entity);
    match what {
        LastingKind::Created(system) => {
            let system = names.author(system);
            format!("{of}: created in {system}, and stays there; what must go is deleted by hand")
        }
        LastingKind::Deleted(system) => {
            format!("{of}: deleted in {}; restore it there by hand, from its recycle bin", names.author(system))
        }
        LastingKind::Linked(system) => format!("{of}: linked with {}, and stays so", names.author(system)),
        LastingKind::Filled(field) => {
            let field = names.field(rules.entity(entity), field);
            format!("{of}.{field}: a blank was filled from the other side, and stays filled")
        }
        LastingKind::Parted(system) => {
            format!("{of}: {} got its own value back; the next edit ends that", names.author(system))
        }
        LastingKind::OneWay(field) => {
            let field = names.field(rules.entity(entity), field);
            format!("{of}.{field}: comes from one system only, and is changed there")
        }
        LastingKind::Gone => format!("{of}: the record or the field is not mirrored any more"),
    }
}

/// Values that are shown one by one.
const SAMPLES: usize = 20;
const EXAMPLES: usize = 3;
