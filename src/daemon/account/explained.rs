//! Explanations and histories as documents.

use super::entry::{cause, document};
use super::{Names, time};
use crate::engine::{
    self, AsOf, Books, Came, Explanation, FieldAccount, Held, Meant, Moment, Problem, SideAccount, Standing, ViewError,
};
use crate::model::{FieldId, Millis, Origin, Stamp, SystemId};
use crate::rules::{Entity, Rules};
use serde_json::{Map, Value, json};

/// What `explain TEXT` prints: every record that the text may mean, at most ten.
///
/// # Errors
/// The store cannot be read.
pub fn explained(rules: &Rules, books: &dyn Books, text: &str, at: Option<Millis>) -> Result<Value, ViewError> {
    let targets = engine::find(rules, books, text)?;
    let mut found = Vec::new();
    for target in targets.iter().take(TARGETS_MAX) {
        match at {
            Some(at) => found.extend(once(rules, books, target, at)?),
            None => {
                let explanation = engine::explain(rules, books, target.entity, target.record)?;
                found.extend(explanation.map(|explanation| explanation_of(rules, &explanation, target.field)));
            }
        }
    }
    Ok(json!({ "found": found, "more": targets.len().saturating_sub(TARGETS_MAX), "scopes": scopes(rules) }))
}

/// What `history TEXT` prints: the values of each field, or of the one that was named.
///
/// # Errors
/// The store cannot be read.
pub fn told(rules: &Rules, books: &dyn Books, text: &str) -> Result<Value, ViewError> {
    let names = Names(rules);
    let targets = engine::find(rules, books, text)?;
    let mut found = Vec::new();
    for target in targets.iter().take(TARGETS_MAX) {
        let Some(entity) = rules.entity(target.entity) else { continue };
        let mut fields = Map::new();
        for field in entity.fields.iter().filter(|field| target.field.is_none_or(|id| id == field.id)) {
            let moments = engine::history(books, target.entity, target.record, field.id)?;
            let moments = moments.iter().map(|moment| moment_of(names, entity, field.id, moment));
            fields.insert(field.name.clone(), moments.collect());
        }
        found.push(json!({ "entity": entity.name, "record": target.record.to_string(), "fields": fields }));
    }
    Ok(json!({ "found": found, "more": targets.len().saturating_sub(TARGETS_MAX), "scopes": scopes(rules) }))
}

/// Why something may not be mirrored: what is taken in at all.
fn scopes(rules: &Rules) -> Value {
    let entities = rules.entities.iter().flat_map(|entity| entity.bindings.iter().map(move |at| (entity, at)));
    let one = |(entity, at): (&Entity, &crate::rules::Binding)| {
        json!({
            "entity": entity.name,
            "system": Names(rules).author(at.system),
            "object": at.object,
            "where": at.scope.as_ref().map(|scope| scope.text.clone()),
        })
    };
    entities.map(one).collect()
}

fn once(rules: &Rules, books: &dyn Books, target: &Meant, at: Millis) -> Result<Option<Value>, ViewError> {
    let Some(entity) = rules.entity(target.entity) else { return Ok(None) };
    let Some(then) = engine::as_of(books, target.entity, target.record, at)? else { return Ok(None) };
    let names = Names(rules);
    let mut out = json!({ "entity": entity.name, "record": target.record.to_string(), "at": time(at), "values": null });
    let held = match then {
        AsOf::NotYet(since) => {
            out["mirrored_since"] = since.map(time).into();
            return Ok(Some(out));
        }
        AsOf::Pruned(until) => {
            out["pruned_until"] = time(until).into();
            return Ok(Some(out));
        }
        AsOf::Held(held) => held,
    };
    let (mut values, mut later) = (Map::new(), Map::new());
    let wanted = |id: &FieldId| entity.field(*id).is_some() && target.field.is_none_or(|field| field == *id);
    for (id, held) in held.into_iter().filter(|(id, _)| wanted(id)) {
        let name = names.field(Some(entity), id);
        match held {
            Held::Value(value) => values.insert(name, names.value(Some(entity), id, &value).into()),
            Held::NotYet(since) => later.insert(name, time(since).into()),
        };
    }
    out["values"] = values.into();
    out["known_since"] = later.into();
    Ok(Some(out))
}

fn moment_of(names: Names<'_>, entity: &Entity, field: FieldId, moment: &Moment) -> Value {
    let value = names.value(Some(entity), field, &moment.value);
    let mut out = match &moment.by {
        Came::FirstRead => json!({ "what": "first read", "value": value }),
        Came::Before => json!({ "what": "before", "value": value }),
        Came::Edit { author, place, rule, who } => json!({
            "what": "edit", "value": value, "by": names.author(*author), "edited_at": time(place.time), "rule": rule,
            "user": names.user(*author, who.as_deref()),
        }),
        Came::Lost { author, place, rule, who } => json!({
            "what": "lost", "value": value, "by": names.author(*author), "edited_at": time(place.time), "rule": rule,
            "user": names.user(*author, who.as_deref()),
        }),
        Came::Linked { system, other, split } => json!({
            "what": if *split { "link split" } else { "link decided" }, "value": value,
            "system": names.author(*system), "other": names.value(Some(entity), field, other),
        }),
        Came::Filled => json!({ "what": "filled", "value": value }),
    };
    if let Some((number, at, run, why)) = moment.entry {
        out["number"] = number.into();
        out["at"] = time(at).into();
        out["run"] = run.0.into();
        out["cause"] = cause(why).into();
    }
    out
}

fn explanation_of(rules: &Rules, explanation: &Explanation, field: Option<FieldId>) -> Value {
    let names = Names(rules);
    let entity = rules.entity(explanation.entity);
    let fields = explanation.fields.iter().filter(|account| field.is_none_or(|id| id == account.field));
    let problems = explanation.problems.iter().filter(|(_, of, _)| field.is_none() || of.is_none() || *of == field);
    let entry = |(number, entry): &(u64, _)| document(rules, *number, entry);
    json!({
        "entity": names.entity(explanation.entity),
        "record": explanation.record.to_string(),
        "sides": explanation.sides.iter().map(|side| side_of(names, side)).collect::<Vec<_>>(),
        "fields": fields.map(|account| field_of(rules, entity, account)).collect::<Vec<_>>(),
        "problems": problems.map(|problem| {
            let mut out = problem_of(names, entity, problem);
            let ignored = explanation.ignored.iter().find(|(system, field, _)| (*system, *field) == (problem.0, problem.1));
            out["ignored"] = ignored.map(|(.., ignored)| ignored.reason.as_str()).into();
            out
        }).collect::<Vec<_>>(),
        "story": explanation.story.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn side_of(names: Names<'_>, side: &SideAccount) -> Value {
    use crate::model::SideState;
    let state = match side.state {
        SideState::Live => "linked",
        SideState::Creating => "being created",
        SideState::Detached => "detached",
        SideState::Frozen => "out of scope, frozen",
        SideState::Outside => "out of scope",
    };
    json!({
        "system": names.author(side.system),
        "object": side.object,
        "remote": side.remote.as_str(),
        "state": state,
        "where": side.condition,
        "read_again": side.rereads,
    })
}

fn field_of(rules: &Rules, entity: Option<&Entity>, account: &FieldAccount) -> Value {
    let names = Names(rules);
    let entry = |(number, entry): &(u64, _)| document(rules, *number, entry);
    let side = |(system, shows, standing): &(SystemId, _, Standing)| {
        let shows = names.value(entity, account.field, shows);
        let mut out = json!({ "shows": shows, "standing": word(*standing) });
        if let Standing::Parked(until) = standing {
            out["until"] = time(*until).into();
        }
        (names.author(*system), out)
    };
    let stamp = (account.stamp != Stamp::ZERO).then_some(account.stamp);
    let origin = stamp.map(|stamp| match stamp.origin {
        Origin::Engine => "first link".to_owned(),
        Origin::Operator => "operator".to_owned(),
        Origin::System(system) => names.author(system),
    });
    json!({
        "field": names.field(entity, account.field),
        "value": names.value(entity, account.field, &account.value),
        "since": stamp.map(|stamp| time(stamp.hlc.millis())),
        "origin": origin,
        "because": account.because.as_ref().map(entry),
        "lost": account.lost.iter().map(entry).collect::<Vec<_>>(),
        "sides": account.sides.iter().map(side).collect::<Map<_, _>>(),
    })
}

fn problem_of(
    names: Names<'_>,
    entity: Option<&Entity>,
    (system, field, problem): &(SystemId, Option<FieldId>, Problem),
) -> Value {
    let message = match entity.filter(|_| !problem.is_ours()) {
        Some(entity) => entity.words(*system, &problem.message, &problem.fields),
        None => problem.message.clone(),
    };
    json!({
        "system": names.author(*system),
        "field": field.map(|field| names.field(entity, field)),
        "code": problem.code,
        "message": message,
        "since": time(problem.since),
    })
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Shows => "equal",
        Standing::Owed => "to be written",
        Standing::Flies { answered: true } => "written, not read back yet",
        Standing::Flies { answered: false } => "being written",
        Standing::ReadOnly => "differs: nothing is written there",
        Standing::Split => "differs: split since the first link, until somebody edits it",
        Standing::Review => "differs: in review",
        Standing::Parked(_) => "differs: refused, tried again later",
        Standing::OneWay => "differs: the field only goes the other way",
        Standing::Unread => "not read since it was mapped",
        Standing::Unfit => "differs: it cannot be held there",
        Standing::Away => "takes no part there",
    }
}

/// Records that are shown for one text.
const TARGETS_MAX: usize = 10;
