//! The mirror's root digest, and whether a checkpoint and the journal since then give the same.

use crate::daemon::DaemonError;
use crate::engine::{RebuildError, Root, differing, mirror_records, root, root_of_all};
use crate::model::{EntityId, RecordId};
use crate::rules::Rules;
use crate::store::{Checkpoint, CheckpointError, FoundRoot, Position, Snapshot, StoreError};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The root digest of the mirror, by entity and in total, from what was kept of the last one or, if `whole` is wished, from all records:
/// the document that `verify --mirror --json` prints, and [what is to be kept](crate::store::Store::keep_roots) for the next one.
///
/// # Errors
/// The store cannot be read.
pub fn mirror_root(rules: &Rules, snapshot: &Snapshot, whole: bool) -> Result<(Value, Vec<FoundRoot>), DaemonError> {
    let (mut entities, mut found, mut sound) = (Map::new(), Vec::new(), true);
    for entity in &rules.entities {
        let root = snapshot.root(entity.id, whole)?;
        sound &= root.unsaid.is_empty();
        let unsaid: Vec<String> = root.unsaid.iter().take(DIFFERENCES_MAX).map(RecordId::to_string).collect();
        entities.insert(
            entity.name.clone(),
            json!({
                "records": root.root.records, "root": root.root.digest().to_string(), "read": root.read, "whole": root.whole,
                "since": root.since.map(|since| since.number), "unsaid": unsaid, "unsaid_count": root.unsaid.len(),
            }),
        );
        found.push(root);
    }
    let total = root_of_all(found.iter().map(|found| (found.entity, found.root))).to_string();
    let document = json!({
        "entities": entities, "root": total, "journal": position(snapshot.position()?), "sound": sound,
    });
    Ok((document, found))
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
                "records": there.records, "rebuilt": rebuilt.digest().to_string(), "mirror": there.digest().to_string(),
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
