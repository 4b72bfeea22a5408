//! `syncline verify --mirror`, `audit checkpoint` and `audit replay`: does the journal tell how the mirror came to be?

use super::ground::{self, Ground};
use super::{CliError, Context, Exit};
use crate::daemon::{DaemonError, account, recall_people};
use crate::store::Store;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Prints the mirror's root digest.
pub(super) fn mirror(full: bool, context: &Context) -> Result<Exit, CliError> {
    let mut config = context.load()?;
    let request = json!({ "cmd": "mirror", "whole": full });
    let answer = match ground::runtime()?.block_on(ground::ask_for_or_open(&config, &request))? {
        Ground::Daemon(answer) => ground::fault(answer)?,
        Ground::Store(store) => {
            recall_people(&mut config.rules, &store)?;
            let snapshot = store.snapshot().map_err(DaemonError::from)?;
            let (answer, found) = account::mirror_root(&config.rules, &snapshot, full)?;
            store.keep_roots(&found).map_err(DaemonError::from)?;
            answer
        }
    };
    let rows = entities(&answer).map(|(name, of)| {
        let read = match of["since"].as_u64().filter(|_| of["whole"] == false) {
            Some(since) => format!("{} that moved since entry {since}", of["read"]),
            None => "all".to_owned(),
        };
        [name.clone(), of["records"].to_string(), read, text(&of["root"])]
    });
    context.output.table(["entity", "records", "read", "root digest"], rows);
    for (name, of) in entities(&answer) {
        for record in of["unsaid"].as_array().into_iter().flatten() {
            let was = format!("{name}/{}: it is not as it was, and no entry of the journal says so", text(record));
            context.output.line(was);
        }
    }
    context.output.say(format!("all of them {}, as of entry {}", text(&answer["root"]), answer["journal"]["number"]));
    let sound = answer["sound"] == true;
    if full && sound && entities(&answer).all(|(_, of)| of["since"].is_u64()) {
        context.output.say("no record has moved without an entry of the journal since it was looked at before");
    }
    if !sound {
        context.output.say(
            "the file was changed by something else than syncline, or is damaged: go back to a copy of it, \
             or compare it with a checkpoint (`syncline audit replay`)",
        );
    }
    context.output.document(&answer);
    Ok(if sound { Exit::Equal } else { Exit::Problems })
}

/// Copies the store.
pub(super) fn take(file: &Path, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    let store = &config.settings.store;
    ground::runtime()?.block_on(ground::nobody_holds(store))?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(file);
    let mut out = made.map_err(|error| refused(file, &error))?;
    let copied = Store::copy(store, &mut out).and_then(|()| Ok(out.sync_all()?));
    let answer = copied.and_then(|()| account::checkpoint(file)).map_err(DaemonError::from);
    let answer = answer.inspect_err(|_| {
        // Half a copy is none. Whoever reads the error knows that nothing stands there.
        let _ = fs::remove_file(file);
    })?;
    let number = &answer["journal"]["number"];
    context.output.say(format!("{} is the store as of entry {number} of its journal", file.display()));
    context.output.document(&answer);
    Ok(Exit::Equal)
}

/// Rebuilds the mirror and compares.
pub(super) fn replay(from: &Path, context: &Context) -> Result<Exit, CliError> {
    // Whoever answers may stand in another folder.
    let from = std::path::absolute(from).map_err(|error| refused(from, &error))?;
    let request = json!({ "cmd": "replay", "from": from });
    let answer = ground::consult(context, &request, |rules, snapshot| account::replayed(rules, snapshot, &from))?;
    let equal = answer["equal"] == true;
    let rows = entities(&answer).map(|(name, of)| {
        let differ = of["differences"].as_array().map_or(0, Vec::len).to_string();
        [name.clone(), of["records"].to_string(), text(&of["mirror"]), text(&of["rebuilt"]), differ]
    });
    context.output.table(["entity", "records", "mirror", "rebuilt", "differ"], rows);
    for (name, of) in entities(&answer) {
        for record in of["differences"].as_array().into_iter().flatten() {
            context
                .output
                .line(format!("{name}/{}: the journal tells of another record than the mirror holds", text(record)));
        }
    }
    let (entries, then) = (&answer["entries"], &answer["checkpoint"]["number"]);
    let since = if entries.as_u64() == Some(1) { "1 entry".to_owned() } else { format!("{entries} entries") };
    let one = if entries.as_u64() == Some(1) { "gives" } else { "give" };
    context.output.say(match equal {
        true => format!("{since} after entry {then} {one} the mirror that is there"),
        false => format!("{since} after entry {then} and the checkpoint are not the mirror that is there"),
    });
    context.output.document(&answer);
    Ok(if equal { Exit::Equal } else { Exit::Problems })
}

fn entities(answer: &Value) -> impl Iterator<Item = (&String, &Value)> {
    answer["entities"].as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn refused(file: &Path, error: &io::Error) -> CliError {
    let (message, mend) = match error.kind() {
        io::ErrorKind::AlreadyExists => ("is there already".to_owned(), "name another file"),
        _ => (format!("cannot be used: {error}"), "check the path and its folder's permissions"),
    };
    CliError::usage("checkpoint", format!("{} {message}", file.display()), mend)
}
