//! What keeps records from being equal, by cause: a count alone helps nobody.

use super::DaemonError;
use super::account::Names;
use super::driver::{decide_alone, expect_own};
use crate::engine::{self, Begin, Ignore, Ignored, Input, Problem, ProblemPlace, View, ViewError};
use crate::model::{EntityId, RecordId, SystemId};
use crate::rules::Rules;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Problems of one kind: what one system says about records of one entity, or one of their fields, under one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Name of the system.
    pub system: String,
    /// Name of the entity.
    pub entity: String,
    /// The remote's own code, or ours.
    pub code: String,
    /// What was wrong with the example, cut where it is long.
    pub message: String,
    /// Records that have it.
    pub count: u64,
    /// One of them.
    pub example: Example,
}

/// System, entity, code and, if there is one, the field.
type Kind = (SystemId, EntityId, String, Option<String>);

/// A record, and where to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its id here.
    pub record: RecordId,
    /// (system, its id there), in the order of the rules.
    pub remote: Vec<(String, String)>,
}

impl Cause {
    fn document(&self) -> Value {
        let remote = self.example.remote.iter().map(|(system, id)| (system.clone(), Value::from(id.as_str())));
        json!({
            "system": self.system,
            "entity": self.entity,
            "code": self.code,
            "message": self.message,
            "count": self.count,
            "example": { "record": self.example.record.to_string(), "remote": remote.collect::<Map<_, _>>() },
        })
    }
}

/// Which problems are meant: all that is stated must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// A system's name.
    pub system: Option<String>,
    /// An entity's name.
    pub entity: Option<String>,
    /// The remote's own code, or ours.
    pub code: Option<String>,
    /// Our id of a record, or anything else that `explain` takes.
    pub record: Option<String>,
    /// Its id: the record's, the system's name and, of a single field, that one's, with dots between.
    pub id: Option<String>,
    /// Is it ignored?
    pub ignored: Option<bool>,
}

impl Wanted {
    /// The problems that are meant, at most `limit`, and how many more there are of the first 100,000 that are looked at.
    fn of(&self, rules: &Rules, view: &dyn View, limit: usize) -> Result<(Vec<Listed>, usize), ViewError> {
        if self.ignored == Some(true) && view.ignored_len()? == 0 {
            return Ok((Vec::new(), 0));
        }
        let system = self.system.as_deref().map(SystemId::of);
        let entity = self.entity.as_deref().map(EntityId::of);
        let records: Option<Vec<(EntityId, RecordId)>> = match &self.record {
            Some(text) => {
                let found = engine::find(rules, view, text)?;
                Some(found.into_iter().map(|meant| (meant.entity, meant.record)).collect())
            }
            None => None,
        };
        let mut all = Vec::new();
        for (place, problem) in view.problems(PROBLEMS_MAX)? {
            let meant = entity.is_none_or(|entity| entity == place.entity)
                && system.is_none_or(|system| system == place.system)
                && self.code.as_ref().is_none_or(|code| *code == problem.code)
                && records.as_ref().is_none_or(|records| records.contains(&(place.entity, place.record)))
                && self.id.as_ref().is_none_or(|wanted| *wanted == id(rules, place));
            let ignored = if meant { view.ignored(place)? } else { None };
            if meant && self.ignored.is_none_or(|wanted| wanted == ignored.is_some()) {
                all.push(Listed { place, problem, ignored });
            }
        }
        let more = all.len().saturating_sub(limit);
        all.truncate(limit);
        Ok((all, more))
    }

    /// The records that have a problem that is meant.
    pub(super) fn records(&self, rules: &Rules, view: &dyn View) -> Result<Vec<(EntityId, RecordId)>, ViewError> {
        let (all, _) = self.of(rules, view, PROBLEMS_MAX)?;
        let records: BTreeSet<_> = all.into_iter().map(|Listed { place, .. }| (place.entity, place.record)).collect();
        Ok(records.into_iter().collect())
    }

    /// Where those stand that are meant.
    pub(super) fn places(&self, rules: &Rules, view: &dyn View) -> Result<Vec<ProblemPlace>, ViewError> {
        let (all, _) = self.of(rules, view, PROBLEMS_MAX)?;
        Ok(all.into_iter().map(|listed| listed.place).collect())
    }
}

struct Listed {
    place: ProblemPlace,
    problem: Problem,
    ignored: Option<Ignored>,
}

/// What a person names a problem by.
fn id(rules: &Rules, place: ProblemPlace) -> String {
    let names = Names(rules);
    let field = place.field.map(|field| format!(".{}", names.field(rules.entity(place.entity), field)));
    format!("{}.{}{}", place.record, names.author(place.system), field.unwrap_or_default())
}

/// Number of problems that nobody ignores.
///
/// # Errors
/// The mirror cannot be read.
pub fn heeded_len(view: &dyn View) -> Result<u64, ViewError> {
    Ok(view.problems_len()?.saturating_sub(view.ignored_len()?))
}

/// Problems one by one, as a document.
///
/// # Errors
/// The mirror cannot be read.
pub fn listed(rules: &Rules, view: &dyn View, wanted: &Wanted, limit: usize) -> Result<Value, ViewError> {
    let (all, more) = wanted.of(rules, view, limit)?;
    let mut rows = Vec::new();
    for Listed { place, problem, ignored } in all {
        let ProblemPlace { entity, record, system, field } = place;
        let of = rules.entity(entity);
        let example = example(rules, view, entity, record)?;
        let remote = example.remote.into_iter().map(|(system, id)| (system, Value::from(id)));
        let ignored = ignored.map(
            |ignored| json!({ "reason": ignored.reason, "at": super::account::time(ignored.at), "run": ignored.run.0 }),
        );
        rows.push(json!({
            "id": id(rules, place),
            "field": field.map(|field| Names(rules).field(of, field)),
            "ignored": ignored,
            "entity": of.map(|entity| entity.name.clone()).unwrap_or_default(),
            "record": record.to_string(),
            "remote": remote.collect::<Map<_, _>>(),
            "system": rules.system(system).map(|system| system.name.clone()).unwrap_or_default(),
            "code": problem.code,
            "message": cut(&words(rules, entity, system, &problem)),
            "fields": of.map_or_else(Vec::new, |entity| entity.named(system, &problem.fields)),
            "since": super::account::time(problem.since),
        }));
    }
    Ok(json!({ "listed": rows, "more": more }))
}

/// Has what is meant tried again by the next driver of a store that none works on; returns how many records that are.
///
/// # Errors
/// The store was made with another mapping, or cannot be used.
pub fn retry_in(rules: &Rules, store: &Store, wanted: &Wanted) -> Result<usize, DaemonError> {
    expect_own(rules, store)?;
    let records = wanted.records(rules, &store.snapshot()?)?;
    for records in records.chunks(CHUNK) {
        decide_alone(rules, store, Input::Retry { records: records.to_vec() })?;
    }
    Ok(records.len())
}

/// Has what is meant ignored, for a reason, or without one no longer, in a store that no driver works on; returns how many
/// problems that are.
///
/// # Errors
/// The store was made with another mapping, or cannot be used.
pub fn ignore_in(
    rules: &Rules,
    store: &Store,
    what: &str,
    wanted: &Wanted,
    reason: Option<&str>,
) -> Result<usize, DaemonError> {
    expect_own(rules, store)?;
    let problems = wanted.places(rules, &store.snapshot()?)?;
    for ignore in ignores(rules, what, &problems, reason) {
        decide_alone(rules, store, Input::Ignore(ignore))?;
    }
    Ok(problems.len())
}

/// One command's word about problems, some in each commit.
pub(super) fn ignores(
    rules: &Rules,
    what: &str,
    problems: &[ProblemPlace],
    reason: Option<&str>,
) -> impl Iterator<Item = Ignore> {
    let mut begin = Some(Begin { what: what.to_owned(), config: rules.fingerprint() });
    problems.chunks(CHUNK).map(move |problems| {
        let (problems, reason) = (problems.to_vec(), reason.map(str::to_owned));
        Ignore { begin: begin.take(), problems, reason }
    })
}

/// What was said of it, as it may be shown: what was kept before a field became sensitive is not shown either.
fn words(rules: &Rules, entity: EntityId, system: SystemId, problem: &Problem) -> String {
    match rules.entity(entity).filter(|_| !problem.is_ours()) {
        Some(entity) => entity.words(system, &problem.message, &problem.fields),
        None => problem.message.clone(),
    }
}

/// The most frequent causes of what nobody ignores, at most 20. Of more than 100,000 problems the first so many are looked at.
///
/// # Errors
/// The mirror cannot be read.
pub fn causes(rules: &Rules, view: &dyn View) -> Result<Vec<Cause>, ViewError> {
    let mut groups: BTreeMap<Kind, (u64, RecordId, Problem)> = BTreeMap::new();
    for (place, problem) in view.problems(PROBLEMS_MAX)? {
        let ProblemPlace { entity, record, system, .. } = place;
        if view.ignored(place)?.is_some() {
            continue;
        }
        // One cause concerns one field, if it concerns any.
        let field = <[String; 1]>::try_from(problem.fields.clone()).ok().map(|[field]| field);
        let group = groups.entry((system, entity, problem.code.clone(), field));
        group.and_modify(|(count, ..)| *count += 1).or_insert((1, record, problem));
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (count, ..))| Reverse(*count));
    groups.truncate(CAUSES_MAX);
    let causes = groups.into_iter().map(|((system, entity, code, _), (count, record, problem))| {
        let of = rules.entity(entity);
        let message = words(rules, entity, system, &problem);
        Ok(Cause {
            system: rules.system(system).map(|system| system.name.clone()).unwrap_or_default(),
            entity: of.map(|entity| entity.name.clone()).unwrap_or_default(),
            code,
            message: cut(&message),
            count,
            example: example(rules, view, entity, record)?,
        })
    });
    causes.collect()
}

fn example(rules: &Rules, view: &dyn View, entity: EntityId, id: RecordId) -> Result<Example, ViewError> {
    let record = view.record(entity, id)?;
    let remote = rules.systems.iter().filter_map(|system| {
        let side = record.as_ref()?.live_sides().find(|side| side.system == system.id)?;
        Some((system.name.clone(), side.remote.to_string()))
    });
    Ok(Example { record: id, remote: remote.collect() })
}

/// Some remotes repeat the value that they refuse, however long it is.
fn cut(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_MAX) {
        Some((at, _)) => format!("{}…", &message[..at]),
        None => message.to_owned(),
    }
}

/// The causes as `status --json` lists them.
pub(super) fn document(causes: &[Cause]) -> Value {
    causes.iter().map(Cause::document).collect()
}

/// Records that are tried again in one commit.
const CHUNK: usize = 500;
/// Causes that are listed.
const CAUSES_MAX: usize = 20;
/// Problems that are looked at.
const PROBLEMS_MAX: usize = 100_000;
/// Characters of a message that are shown.
const MESSAGE_MAX: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Change, MemoryView};
    use crate::model::{Ability, FieldId, FieldKind, Millis};
    use crate::rules::{EntitySpec, FieldSpec};

    fn rules() -> Rules {
        let ability = Ability::polled();
        let person = EntitySpec::new("person")
            .at("a", "people")
            .at("b", "Person")
            .match_by("email")
            .field(FieldSpec::new("email", FieldKind::Email).at("a", "email").at("b", "Email"));
        Rules::builder().system("a", ability.clone()).system("b", ability).entity(person).build().unwrap()
    }

    fn problem(number: u8, system: &str, code: &str, message: &str) -> Change {
        let problem = Problem { since: Millis(0), code: code.into(), message: message.into(), fields: Vec::new() };
        let (entity, record) = (EntityId::of("person"), RecordId([number; 16]));
        Change::SetProblem(entity, record, SystemId::of(system), Some(Box::new(problem)))
    }

    #[test]
    fn problems_are_grouped_by_cause_and_the_most_frequent_comes_first() {
        let mut view = MemoryView::new();
        view.apply(&[
            problem(1, "a", "RARE", "seldom"),
            problem(1, "b", "OFTEN", "first"),
            problem(2, "b", "OFTEN", "second"),
            problem(3, "b", "RARE", "seldom"),
        ]);
        let causes = causes(&rules(), &view).unwrap();
        let shown = causes.iter().map(|cause| (cause.system.as_str(), cause.code.as_str(), cause.count));
        let mut rest: Vec<_> = shown.collect();
        assert_eq!(rest.remove(0), ("b", "OFTEN", 2));
        rest.sort_unstable();
        assert_eq!(rest, [("a", "RARE", 1), ("b", "RARE", 1)]);
        assert_eq!(causes[0].message, "first", "message and example are of one record");
        assert_eq!(causes[0].example, Example { record: RecordId([1; 16]), remote: Vec::new() });
    }

    #[test]
    fn each_field_is_a_cause_of_its_own() {
        let of_field = |number: u8, field: &str| {
            let (code, message) = ("VALUE_TOO_LONG".to_owned(), format!("{field}: 9 characters"));
            let problem = Problem { since: Millis(0), code, message, fields: vec![field.to_owned()] };
            let (entity, system, problem) = (EntityId::of("person"), SystemId::of("a"), Some(Box::new(problem)));
            Change::SetFieldProblem(entity, RecordId([number; 16]), system, FieldId::of(field), problem)
        };
        let mut view = MemoryView::new();
        view.apply(&[
            of_field(1, "title"),
            of_field(2, "title"),
            of_field(1, "name"),
            problem(1, "a", "REFUSED", "no"),
        ]);
        let causes = causes(&rules(), &view).unwrap();
        let mut shown: Vec<_> = causes.iter().map(|cause| (cause.message.as_str(), cause.count)).collect();
        shown.sort_unstable();
        assert_eq!(shown, [("name: 9 characters", 1), ("no", 1), ("title: 9 characters", 2)]);
    }

    #[test]
    fn the_list_and_its_messages_are_bounded() {
        let mut view = MemoryView::new();
        let long = "ä".repeat(10_000);
        view.apply(&(0..30).map(|n| problem(n, "a", &format!("CODE_{n}"), &long)).collect::<Vec<_>>());
        let causes = causes(&rules(), &view).unwrap();
        assert_eq!(causes.len(), CAUSES_MAX);
        assert!(causes.iter().all(|cause| cause.message.chars().count() == MESSAGE_MAX + 1));
    }
}
