//! Reading all remotes again, for a comparison that asks nobody's memory.

use super::DaemonError;
use super::connect::Connectors;
use super::driver::{Pair, pairs};
use crate::connector::{Connector, ConnectorError, Keys};
use crate::engine::{Remotes, Verdict, View, ViewError, verify};
use crate::model::{EntityId, Home, PageEnd, RemoteId, SystemId, Value};
use crate::rules::{Entity, Field, HIDDEN, Rules};
use crate::store::Store;
use serde_json::{Map, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// All entities, compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report(Vec<(EntityId, Verdict)>);

impl Report {
    /// Records on which something differs or is on its way.
    pub(super) fn doubtful(&self) -> Vec<(EntityId, Home, RemoteId)> {
        let of = |(entity, verdict): &(EntityId, Verdict)| {
            let entity = *entity;
            verdict.doubtful.clone().into_iter().map(move |(home, remote)| (entity, home, remote))
        };
        self.0.iter().flat_map(of).collect()
    }
}

/// Compares all entities.
pub(super) fn compare(rules: &Rules, view: &dyn View, remotes: &Remotes) -> Result<Report, ViewError> {
    let entities = rules.entities.iter();
    let verdicts = entities.map(|entity| verify(rules, view, remotes, entity.id).map(|verdict| (entity.id, verdict)));
    verdicts.collect::<Result<_, _>>().map(Report)
}

/// How much is kept of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Everything.
    Rows,
    /// Of each row a digest, which is all that it takes to compare what shows what the mirror holds; the rest is read once more.
    Digests,
}

/// Reads everything that the systems show.
///
/// # Errors
/// One of them cannot be read.
pub async fn read_all(rules: &Arc<Rules>, connectors: &Connectors) -> Result<Remotes, DaemonError> {
    read(rules, connectors, Keep::Rows).await
}

/// Reads everything that the systems show, and keeps of it what [`verify_offline`] needs.
///
/// # Errors
/// One of them cannot be read.
pub async fn read_digests(rules: &Arc<Rules>, connectors: &Connectors) -> Result<Remotes, DaemonError> {
    read(rules, connectors, Keep::Digests).await
}

async fn read(rules: &Arc<Rules>, connectors: &Connectors, keep: Keep) -> Result<Remotes, DaemonError> {
    let list: Vec<Arc<dyn Connector>> = connectors.iter().map(|(_, connector)| connector.clone()).collect();
    read_pairs(rules, &pairs(rules, connectors), &list, keep).await
}

/// Compares what was read with a store that no daemon runs on; what differs is asked for once more.
///
/// # Errors
/// A remote or the store cannot be read.
pub async fn verify_offline(
    rules: &Arc<Rules>,
    connectors: &Connectors,
    store: &Store,
    mut remotes: Remotes,
) -> Result<serde_json::Value, DaemonError> {
    let report = compare(rules, &store.snapshot()?, &remotes)?;
    let doubtful = report.doubtful();
    if doubtful.is_empty() {
        return Ok(document(rules, &report));
    }
    let list: Vec<Arc<dyn Connector>> = connectors.iter().map(|(_, connector)| connector.clone()).collect();
    read_again(rules, &pairs(rules, connectors), &list, &doubtful, &mut remotes).await?;
    Ok(document(rules, &compare(rules, &store.snapshot()?, &remotes)?))
}

pub(super) async fn read_pairs(
    rules: &Arc<Rules>,
    pairs: &[Arc<Pair>],
    connectors: &[Arc<dyn Connector>],
    keep: Keep,
) -> Result<Remotes, DaemonError> {
    let mut reading = JoinSet::new();
    for pair in pairs {
        let (rules, pair, connector) = (rules.clone(), pair.clone(), connectors[pair.remote()].clone());
        reading.spawn(async move {
            match rules.entity(pair.entity) {
                Some(entity) => scan(&*connector, &pair, entity, keep).await,
                None => Ok(Remotes::default()),
            }
        });
    }
    let mut remotes = Remotes::default();
    while let Some(read) = reading.join_next().await {
        remotes.join(read.map_err(|_| DaemonError::Ended)??);
    }
    Ok(remotes)
}

async fn scan(connector: &dyn Connector, pair: &Pair, entity: &Entity, keep: Keep) -> Result<Remotes, ConnectorError> {
    let (mut remotes, mut cursor) = (Remotes::default(), None::<Vec<u8>>);
    loop {
        let page = connector.scan(&pair.spec, cursor.as_deref()).await?;
        for (at, row) in page.rows.iter().enumerate() {
            match (page.decoder.decode(at), keep) {
                (Ok(raws), Keep::Rows) => remotes.put(entity, pair.home, row.remote.clone(), &raws),
                (Ok(raws), Keep::Digests) => remotes.note(entity, pair.home, row.remote.clone(), &raws),
                (Err(cause), _) => tracing::warn!(remote = %row.remote, cause, "a row could not be read"),
            }
        }
        match page.end {
            PageEnd::More(next) => cursor = Some(next),
            PageEnd::Done(_) => return Ok(remotes),
        }
    }
}

/// Reads some records once more.
pub(super) async fn read_again(
    rules: &Rules,
    pairs: &[Arc<Pair>],
    connectors: &[Arc<dyn Connector>],
    doubtful: &[(EntityId, Home, RemoteId)],
    remotes: &mut Remotes,
) -> Result<(), DaemonError> {
    for pair in pairs {
        let Some(entity) = rules.entity(pair.entity) else { continue };
        let connector = &connectors[pair.remote()];
        let of = |(entity, home, _): &&(EntityId, Home, RemoteId)| (*entity, *home) == (pair.entity, pair.home);
        let ids: Vec<RemoteId> = doubtful.iter().filter(of).map(|(_, _, remote)| remote.clone()).collect();
        for ids in ids.chunks(connector.ability().batch.read.max(1)) {
            let answer = connector.read(&pair.spec, Keys::Ids(ids), false).await?;
            for id in ids {
                remotes.remove(pair.entity, pair.home, id);
            }
            for row in answer.rows {
                remotes.put(entity, pair.home, row.remote, &row.values);
            }
        }
    }
    Ok(())
}

/// The document that `verify --json` prints.
pub(super) fn document(rules: &Rules, report: &Report) -> serde_json::Value {
    let name = |id: SystemId| rules.system(id).map(|system| system.name.clone()).unwrap_or_default();
    let mut entities = Map::new();
    for (id, verdict) in &report.0 {
        let Some(entity) = rules.entity(*id) else { continue };
        let excluded = &verdict.excluded;
        let roots: Map<String, serde_json::Value> =
            verdict.roots.iter().map(|(system, root)| (name(*system), root.to_string().into())).collect();
        let differences: Vec<serde_json::Value> = verdict
            .differences
            .iter()
            .map(|difference| {
                let field = difference.field.and_then(|field| entity.field(field));
                let remotes: Map<String, serde_json::Value> =
                    difference.remotes.iter().map(|(system, id)| (name(*system), id.as_str().into())).collect();
                let shown: Map<String, serde_json::Value> = difference
                    .shown
                    .iter()
                    .map(|(system, shown)| (name(*system), text(field, shown.as_ref())))
                    .collect();
                let record = difference.record.to_string();
                match field {
                    Some(field) => json!({ "record": record, "remote": remotes, "field": field.name, "values": shown }),
                    None => json!({ "record": record, "remote": remotes, "field": null, "there": shown }),
                }
            })
            .collect();
        entities.insert(
            entity.name.clone(),
            json!({
                "records": verdict.records,
                "compared": verdict.compared,
                "excluded": {
                    "split": excluded.split,
                    "review": excluded.review,
                    "parked": excluded.parked,
                    "one_way": excluded.one_way,
                    "problem": excluded.problem,
                    "pending": excluded.pending,
                    "detached": verdict.detached,
                    "unmatched": verdict.unmatched,
                    "scope": verdict.scope,
                },
                "root": roots,
                "differences": differences,
            }),
        );
    }
    json!({ "equal": report.0.iter().all(|(_, verdict)| verdict.equal()), "entities": entities })
}

/// What a side shows of a field, or whether the record is there.
fn text(field: Option<&Field>, value: Option<&Value>) -> serde_json::Value {
    match (value, field) {
        (None, _) => serde_json::Value::Null,
        (Some(Value::Null), _) => "".into(),
        (Some(Value::Bool(value)), None) => (*value).into(),
        (Some(Value::Bool(value)), Some(field)) if !field.sensitive => (*value).into(),
        (Some(value), Some(field)) => field.shown(value).to_string().into(),
        (Some(_), None) => HIDDEN.into(),
    }
}
