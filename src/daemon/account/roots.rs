//! The mirror's root digest, and whether a checkpoint and the journal since then give the same.

use crate::daemon::DaemonError;
use crate::engine::{RebuildError, Root, differing, mirror_records, root, root_of_all};
use crate::model::EntityId;
use crate::rules::Rules;
use crate::store::{Checkpoint, CheckpointError, Position, Snapshot, StoreError};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The root digest of the mirror, by entity and in total: the document that `verify --mirror --json` prints.
///
/// # Errors
/// The store cannot be read.
pub fn mirror_root(rules: &Rules, snapshot: &Snapshot) -> Result<Value, DaemonError> {
    let (mut entities, mut roots) = (Map::new(), Vec::new());
    for entity in &rules.entities {
        let root = root(mirror_records(snapshot, entity.id))?;
        entities.insert(entity.name.clone(), json!({ "records": root.records, "root": root.digest.to_string() }));
        roots.push((entity.id, root));
    }
    let total = root_of_all(roots).to_string();
    Ok(json!({ "entities": entities, "root": total, "journal": position(snapshot.position()?) }))
}

/// Rebuilds the mirror from a checkpoint and the journal since then, and compares it with the one that is there: the document that
/// `audit replay --json` prints. Of a checkpoint that does not fit an error document.
///
/// # Errors
/// The store cannot be read.
pub fn replayed(rules: &Rules, snapshot: &Snapshot, from: &Path) -> Result<Value, DaemonError> {
    match replay(rules, snapshot, from) {
        Ok(document) => Ok(document),
        Err(CheckpointError::Rebuild(RebuildError::View(error))) => Err(error.into()),
        Err(error) => {
            let (message, mend) = match &error {
                CheckpointError::Store(StoreError::Missing { .. }) => ("there is no such file".to_owned(), MEND),
                CheckpointError::Store(StoreError::NotAStore { .. }) => ("it is no store of syncline".to_owned(), MEND),
                error => (error.to_string(), MEND),
            };
            let message = format!("{}: {message}", from.display());
            Ok(json!({ "error": { "code": "checkpoint", "message": message, "mend": mend, "usage": true } }))
        }
    }
}

fn replay(rules: &Rules, snapshot: &Snapshot, from: &Path) -> Result<Value, CheckpointError> {
    let checkpoint = Checkpoint::open(from)?;
    let rebuild = checkpoint.rebuild(snapshot)?;
    let view = RebuildError::View;
    let (mut entities, mut equal) = (Map::new(), true);
    let (mut then, mut now) = (Vec::new(), Vec::new());
    for entity in &rules.entities {
        let id = entity.id;
        let rebuilt = root(rebuild.records(id)).map_err(view)?;
        let there = root(mirror_records(snapshot, id)).map_err(view)?;
        let differences = match rebuilt == there {
            true => Vec::new(),
            false => differing(rebuild.records(id), mirror_records(snapshot, id), DIFFERENCES_MAX).map_err(view)?,
        };
        equal &= rebuilt == there;
        let differences: Vec<Value> = differences.iter().map(|record| record.to_string().into()).collect();
        entities.insert(
            entity.name.clone(),
            json!({
                "records": there.records, "rebuilt": rebuilt.digest.to_string(), "mirror": there.digest.to_string(),
                "differences": differences,
            }),
        );
        then.push((id, rebuilt));
        now.push((id, there));
    }
    let (was, is) = (checkpoint.snapshot().position()?, snapshot.position()?);
    let total = |roots: Vec<(EntityId, Root)>| root_of_all(roots).to_string();
    Ok(json!({
        "equal": equal, "checkpoint": position(was), "journal": position(is), "entries": is.number - was.number,
        "rebuilt": total(then), "mirror": total(now), "entities": entities,
    }))
}

/// Where a checkpoint stands: the document that `audit checkpoint --json` prints.
///
/// # Errors
/// It cannot be read.
pub fn checkpoint(file: &Path) -> Result<Value, StoreError> {
    let checkpoint = Checkpoint::open(file)?;
    let store = checkpoint.snapshot().store_id()?.to_string();
    Ok(json!({
        "checkpoint": file.display().to_string(), "store": store, "journal": position(checkpoint.snapshot().position()?),
    }))
}

fn position(position: Position) -> Value {
    json!({ "number": position.number, "link": position.link.to_string() })
}

/// Records that are named one by one.
const DIFFERENCES_MAX: usize = 20;
const MEND: &str = "name another one, or take a new one with `syncline audit checkpoint`";
