//! What the engine asks for, done: one call, and its outcome as the engine's next input.

use super::Pair;
use crate::connector::{Connector, ConnectorError, Keys, ReadAnswer};
use crate::engine::{Answer, Answers, Effect, LookedUp, Reads};
use crate::model::{OpId, Outcome, RecordId, RemoteId, SourceKind, Target, WriteItem};

/// The outcome of an effect.
pub(super) enum Done {
    /// Of a read by id.
    Read(Reads),
    /// Of a look-up.
    LookedUp(LookedUp),
    /// Of writes; how many of them made or changed a record.
    Wrote { answers: Answers, created: u64, updated: u64 },
    /// It failed as a whole, and is asked for again later.
    Failed(ConnectorError),
}

/// Does it.
pub(super) async fn perform(pair: &Pair, connector: &dyn Connector, effect: Effect) -> Done {
    match effect {
        Effect::Read { ids, .. } => {
            let history = connector.ability().source == SourceKind::History;
            let answer = connector.read(&pair.spec, Keys::Ids(&ids), history).await;
            answer.map_or_else(Done::Failed, |answer| read(pair, ids, answer))
        }
        Effect::LookUp { property, values, records, .. } => {
            let keys = Keys::Values { property: &property, values: &values };
            let answer = connector.read(&pair.spec, keys, false).await;
            answer.map_or_else(Done::Failed, |ReadAnswer { rows, timing }| {
                Done::LookedUp(LookedUp { entity: pair.entity, system: pair.system, records, rows, timing })
            })
        }
        Effect::Write { items, .. } => write(pair, connector, items).await,
    }
}

fn read(pair: &Pair, asked: Vec<RemoteId>, answer: ReadAnswer) -> Done {
    let ReadAnswer { rows, timing } = answer;
    Done::Read(Reads { entity: pair.entity, system: pair.system, asked, rows, timing })
}

async fn write(pair: &Pair, connector: &dyn Connector, items: Vec<(RecordId, WriteItem)>) -> Done {
    let (records, items): (Vec<RecordId>, Vec<WriteItem>) = items.into_iter().unzip();
    let creates: Vec<bool> = items.iter().map(|item| matches!(item.target, Target::Create { .. })).collect();
    let ops: Vec<OpId> = items.iter().map(|item| item.op).collect();
    let answer = connector.write(&pair.spec.object, &items).await;
    // An item without an outcome may or may not have been written.
    let outcomes = answer.outcomes.into_iter().chain(std::iter::repeat(Outcome::Unknown));
    let (mut created, mut updated) = (0, 0);
    let mut answers = Vec::with_capacity(records.len());
    for (((record, op), create), outcome) in records.into_iter().zip(ops).zip(creates).zip(outcomes) {
        if let Outcome::Done { created: made, .. } = outcome {
            let new = create && made != Some(false);
            created += u64::from(new);
            updated += u64::from(!new);
        }
        answers.push(Answer { op, record, outcome });
    }
    let answers = Answers { entity: pair.entity, system: pair.system, answers };
    Done::Wrote { answers, created, updated }
}
