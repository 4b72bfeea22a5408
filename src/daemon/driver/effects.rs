//! What the engine asks for, done: one call, and its outcome as the engine's next input.

use super::Pair;
use crate::connector::{Connector, ConnectorError, Keys, ReadAnswer};
use crate::engine::{Answer, Answers, Ask, DeleteItem, Effect, LookedUp, Reads};
use crate::model::{ObjectId, Outcome, RecordId, RemoteId, SourceKind, Target, Timing, WriteItem};

/// The outcome of an effect.
pub(super) enum Done {
    /// Of a read by id.
    Read(Reads),
    /// Of a look-up.
    LookedUp(LookedUp),
    /// Of writes; how many of them made, changed or deleted a record.
    Wrote { answers: Answers, created: u64, updated: u64, deleted: u64 },
    /// It failed as a whole, and is asked for again later.
    Failed(ConnectorError),
}

/// The object that an effect is about; none = several.
pub(super) fn object(effect: &Effect) -> Option<ObjectId> {
    match effect {
        Effect::Read { home, .. } | Effect::Write { home, .. } | Effect::Delete { home, .. } => Some(home.object),
        Effect::LookUp { .. } => None,
    }
}

/// Does it. `pairs` are all objects of the entity in the system, `pair` the one that the effect is about.
pub(super) async fn perform(pair: &Pair, pairs: &[&Pair], connector: &dyn Connector, effect: Effect) -> Done {
    match effect {
        Effect::Read { ids, .. } => {
            let history = connector.ability().source == SourceKind::History;
            let answer = connector.read(&pair.spec, Keys::Ids(&ids), history).await;
            answer.map_or_else(Done::Failed, |answer| read(pair, ids, answer))
        }
        Effect::LookUp { system, asks, records, .. } => {
            let (mut found, mut begun) = (Vec::new(), None::<Timing>);
            for Ask { object, property, values } in &asks {
                let Some(asked) = pairs.iter().find(|pair| pair.home.object == *object) else { continue };
                let keys = Keys::Values { property, values };
                match connector.read(&asked.spec, keys, false).await {
                    Ok(ReadAnswer { rows, timing }) => {
                        found.extend(rows.into_iter().map(|row| (*object, row)));
                        begun.get_or_insert(timing);
                    }
                    Err(error) => return Done::Failed(error),
                }
            }
            // Nothing was asked: nothing is known.
            let Some(timing) = begun else {
                return Done::LookedUp(LookedUp {
                    entity: pair.entity,
                    system,
                    records: Vec::new(),
                    rows: Vec::new(),
                    timing: Timing { sent: super::wall_clock(), offset: connector.offset() },
                });
            };
            Done::LookedUp(LookedUp { entity: pair.entity, system, records, rows: found, timing })
        }
        Effect::Write { items, .. } => write(pair, connector, items).await,
        Effect::Delete { items, .. } => delete(pair, connector, items).await,
    }
}

fn read(pair: &Pair, asked: Vec<RemoteId>, answer: ReadAnswer) -> Done {
    let ReadAnswer { rows, timing } = answer;
    Done::Read(Reads { entity: pair.entity, home: pair.home, asked, rows, timing })
}

async fn write(pair: &Pair, connector: &dyn Connector, items: Vec<(RecordId, WriteItem)>) -> Done {
    let (records, items): (Vec<RecordId>, Vec<WriteItem>) = items.into_iter().unzip();
    let answer = connector.write(&pair.spec.object, &items).await;
    // An item without an outcome may or may not have been written.
    let outcomes = answer.outcomes.into_iter().chain(std::iter::repeat(Outcome::Unknown));
    let (mut created, mut updated) = (0, 0);
    let mut answers = Vec::with_capacity(records.len());
    for ((record, item), outcome) in records.into_iter().zip(&items).zip(outcomes) {
        if let Outcome::Done { created: made, .. } = outcome {
            let new = matches!(item.target, Target::Create { .. }) && made != Some(false);
            created += u64::from(new);
            updated += u64::from(!new);
        }
        answers.push(Answer::of(record, item, outcome));
    }
    let answers = Answers { entity: pair.entity, system: pair.home.system, answers };
    Done::Wrote { answers, created, updated, deleted: 0 }
}

async fn delete(pair: &Pair, connector: &dyn Connector, items: Vec<(RecordId, DeleteItem)>) -> Done {
    let ids: Vec<RemoteId> = items.iter().map(|(_, item)| item.remote.clone()).collect();
    let answer = connector.delete(&pair.spec.object, &ids).await;
    let outcomes = answer.outcomes.into_iter().chain(std::iter::repeat(Outcome::Unknown));
    let answers = items.into_iter().zip(outcomes);
    let answers: Vec<Answer> =
        answers.map(|((record, item), outcome)| Answer::of_delete(record, &item, outcome)).collect();
    let deleted = answers.iter().filter(|answer| matches!(answer.outcome, Outcome::Done { .. })).count() as u64;
    let answers = Answers { entity: pair.entity, system: pair.home.system, answers };
    Done::Wrote { answers, created: 0, updated: 0, deleted }
}
