//! `syncline verify`: both remotes are read again and compared.

use super::ground::{self, Ground};
use super::{CliError, Context, Exit, Output, checkpoint};
use crate::daemon::{read_digests, recall_people, verify_offline};
use crate::store::{OpenOptions, Store};
use serde_json::Value;
use std::sync::Arc;

/// Options of `verify`.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// Read no remote: print the digest of what the mirror holds, by entity. A rebuilt mirror has the same.
    #[arg(long)]
    mirror: bool,
    /// With --mirror: read every record, not only those that have moved since the last time, and name those that are not as they were
    /// although the journal says nothing of it
    #[arg(long, requires = "mirror")]
    full: bool,
}

/// Runs it.
pub fn run(args: &VerifyArgs, context: &Context) -> Result<Exit, CliError> {
    if args.mirror {
        return checkpoint::mirror(args.full, context);
    }
    let mut config = context.load()?;
    ground::runtime()?.block_on(async {
        let answer = match ground::ask(&config, "verify").await {
            Some(answer) => answer?,
            None => {
                let connectors = ground::connect(&mut config)?;
                ground::people(&mut config, &connectors).await?;
                if let Ok(store) = Store::open(&config.settings.store, &OpenOptions::default()) {
                    recall_people(&mut config.rules, &store)?;
                }
                let rules = Arc::new(config.rules.clone());
                // The store is opened when the remotes have been read, so that it is not held for long.
                let remotes = read_digests(&rules, &connectors).await?;
                match ground::ask_or_open(&config, "verify").await? {
                    Ground::Daemon(answer) => answer,
                    Ground::Store(store) => verify_offline(&rules, &connectors, &store, remotes).await?,
                }
            }
        };
        show(&answer, context.output);
        context.output.document(&answer);
        Ok(exit(&answer))
    })
}

/// Equal, and nothing that a person has to mend?
pub(super) fn exit(answer: &Value) -> Exit {
    let entities = answer["entities"].as_object();
    let mut counts = entities.into_iter().flat_map(|entities| entities.values()).map(|entity| &entity["excluded"]);
    let broken = counts.any(|excluded| ["problem", "parked"].iter().any(|key| excluded[key].as_u64() != Some(0)));
    if answer["equal"] == true && !broken { Exit::Equal } else { Exit::Problems }
}

/// Shows the verdict: a line per entity, the differences, one word.
pub(super) fn show(answer: &Value, output: Output) {
    let Some(entities) = answer["entities"].as_object() else { return };
    let mut rows = Vec::new();
    for (name, entity) in entities {
        let left_out: Vec<String> = entity["excluded"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, count)| count.as_u64().unwrap_or_default() > 0)
            .map(|(why, count)| format!("{count} {}", if why == "scope" { "out of scope" } else { why }))
            .collect();
        let roots: Vec<String> = entity["root"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(system, root)| {
                format!("{system} {}", root.as_str().unwrap_or_default().get(..16).unwrap_or_default())
            })
            .collect();
        rows.push([
            name.clone(),
            entity["compared"].to_string(),
            left_out.join(", "),
            roots.join("  "),
            entity["differences"].as_array().map_or(0, Vec::len).to_string(),
        ]);
    }
    output.table(["entity", "compared", "left out", "content hash", "differences"], rows);
    for (name, entity) in entities {
        for difference in entity["differences"].as_array().into_iter().flatten().take(SHOWN_MAX) {
            let field = difference["field"].as_str().unwrap_or("the whole record");
            let values = if difference["field"].is_null() { &difference["there"] } else { &difference["values"] };
            output.line(format!("{name} {}: {field}: {values}", difference["remote"]));
        }
    }
    output.say(if answer["equal"] == true { "equal" } else { "not equal" });
}

/// Differences of one entity that a person is shown.
const SHOWN_MAX: usize = 20;
