//! What waits for a person: shown, and decided one by one or in bulk, by a running driver or in a store that nobody holds.

use super::DaemonError;
use super::driver::{Decisions, decide_alone, expect_own};
use crate::engine::{Authority, Begin, Hindrance, Input, Notice, Operate, Operation, Review, View, ViewError};
use crate::model::{FieldKind, Millis, Raw, RecordId};
use crate::rules::{Entity, Field, Rules};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a person says about one review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    /// Which.
    pub id: String,
    /// The version that was shown; another one was asked again since. None = as it stands.
    #[serde(default)]
    pub version: Option<u64>,
    /// The decision.
    pub choice: Choice,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The value of this system.
    Side(String),
    /// A value of its own, as a person writes it.
    Value(String),
}

/// A decision that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// About which review.
    pub id: String,
    /// A word for scripts.
    pub code: String,
    /// Why.
    pub message: String,
}

impl Refusal {
    fn new(id: &str, code: &str, message: impl Into<String>) -> Self {
        Self { id: id.to_owned(), code: code.to_owned(), message: message.into() }
    }
}

/// All reviews: the document that `review --json` prints.
///
/// # Errors
/// The mirror cannot be read.
pub fn document(rules: &Rules, view: &dyn View) -> Result<Value, ViewError> {
    let mut items = Vec::new();
    for (entity, record, field, review) in view.reviews(usize::MAX)? {
        let Some(entity) = rules.entity(entity) else { continue };
        let Some(field) = entity.field(field) else { continue };
        let remote = view.record(entity.id, record)?.map(|record| record.sides.clone()).unwrap_or_default();
        let name = |id| rules.system(id).map_or_else(String::new, |system| system.name.clone());
        let remote: Map<String, Value> =
            remote.iter().map(|side| (name(side.system), json!(side.remote.as_str()))).collect();
        let sides: Map<String, Value> = review
            .sides
            .iter()
            .map(|side| {
                let value = field.shown(&side.value).to_string();
                (name(side.system), json!({ "value": value, "at": side.place.map(|place| moment(place.time)) }))
            })
            .collect();
        items.push(json!({
            "id": id(record, field),
            "entity": entity.name,
            "record": record.to_string(),
            "field": field.name,
            "version": review.version,
            "since": moment(review.since),
            "expires": review.expires.map(moment),
            "remote": remote,
            "sides": sides,
        }));
    }
    Ok(json!({ "reviews": items }))
}

fn moment(at: Millis) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|at| at.to_string())
}

fn id(record: RecordId, field: &Field) -> String {
    format!("{record}.{}", field.name)
}

/// What the engine is to be told, and what makes no sense.
///
/// # Errors
/// The mirror cannot be read.
pub fn operations(rules: &Rules, view: &dyn View, picks: &[Pick]) -> Result<(Vec<Operation>, Vec<Refusal>), ViewError> {
    let all = view.reviews(usize::MAX)?;
    let (mut operations, mut refusals) = (Vec::new(), Vec::new());
    for pick in picks {
        let found = all.iter().find_map(|(entity, record, field, review)| {
            let entity = rules.entity(*entity)?;
            let field = entity.field(*field)?;
            (id(*record, field) == pick.id).then_some((entity, *record, field, review))
        });
        let Some(found) = found else {
            refusals.push(Refusal::new(&pick.id, "no_such_review", "nothing is asked by this name, or no more"));
            continue;
        };
        match operation(rules, found, pick) {
            Ok(operation) => operations.push(operation),
            Err((code, message)) => refusals.push(Refusal::new(&pick.id, code, message)),
        }
    }
    Ok((operations, refusals))
}

fn operation(
    rules: &Rules,
    (entity, record, field, review): (&Entity, RecordId, &Field, &Review),
    pick: &Pick,
) -> Result<Operation, (&'static str, String)> {
    if pick.version.is_some_and(|version| version != review.version) {
        return Err(("asked_again", "somebody has edited it since: look at it again".to_owned()));
    }
    let value = match &pick.choice {
        Choice::Side(name) => {
            let side = rules.system_named(name).and_then(|system| review.sides.iter().find(|s| s.system == system.id));
            let names = || {
                let each = review.sides.iter().filter_map(|side| rules.system(side.system));
                each.map(|system| system.name.clone()).collect::<Vec<_>>().join(", ")
            };
            side.map(|side| side.value.clone())
                .ok_or_else(|| ("no_such_side", format!("`{name}` has no value here: name one of {}", names())))?
        }
        Choice::Value(_) if matches!(field.kind, FieldKind::Group | FieldKind::Ref { .. }) => {
            let message = format!("a value of type {} cannot be written down: name a system", field.kind.name());
            return Err(("value", message));
        }
        Choice::Value(text) => {
            let read = field.kind.read(&Raw::Text(text.as_str().into()));
            read.map_err(|error| ("value", format!("the value is {error}")))?
        }
    };
    let review = Some(review.version);
    Ok(Operation { entity: entity.id, record, field: field.id, value, only: None, expect: None, review })
}

/// What became of decisions: the document that `review accept --json` prints.
pub fn outcome(
    rules: &Rules,
    asked: usize,
    mut refusals: Vec<Refusal>,
    hindered: Vec<(Operation, Hindrance)>,
) -> Value {
    for (operation, why) in hindered {
        let field = rules.entity(operation.entity).and_then(|entity| entity.field(operation.field));
        let id = field.map_or_else(|| operation.record.to_string(), |field| id(operation.record, field));
        let (code, message) = match why {
            Hindrance::AskedAgain => ("asked_again", "somebody has edited it since: look at it again"),
            Hindrance::OneWay => ("one_way", "the field comes from one system only, which alone can change it"),
            Hindrance::Gone | Hindrance::Moved => ("gone", "the record or its field is not there any more"),
        };
        refusals.push(Refusal::new(&id, code, message));
    }
    json!({ "decided": asked - refusals.len().min(asked), "refused": refusals })
}

/// Decides in a store that no driver works on: what follows is written when one does.
///
/// # Errors
/// The store was made with another mapping, or cannot be used.
pub fn decide_in(rules: &Rules, store: &Store, what: &str, picks: &[Pick]) -> Result<Value, DaemonError> {
    expect_own(rules, store)?;
    let (operations, refusals) = operations(rules, &store.snapshot()?, picks)?;
    let mut hindered = Vec::new();
    if !operations.is_empty() {
        let begin = Some(Begin { what: what.to_owned(), config: rules.fingerprint() });
        let input = Input::Operate(Operate { authority: Authority::Decide, begin, operations });
        let step = decide_alone(rules, store, input)?;
        hindered.extend(step.notices.into_iter().filter_map(|notice| match notice {
            Notice::NotOperated { operation, why } => Some((operation, why)),
            _ => None,
        }));
    }
    Ok(outcome(rules, picks.len(), refusals, hindered))
}

/// Decisions of one command.
pub(super) fn decisions(what: &str, operations: Vec<Operation>) -> Decisions {
    Decisions { what: what.to_owned(), authority: Authority::Decide, operations }
}
