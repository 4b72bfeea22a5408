//! The local control socket beside the store: one JSON document a line, for its owner only.

use super::account::{self, Wish};
use super::driver::Handle;
use super::problems::{Wanted, listed};
use super::reviews::Pick;
use crate::model::Millis;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", tag = "cmd")]
enum Command {
    Ping,
    Status,
    Verify,
    Schemas,
    Reviews,
    Decide { what: String, picks: Vec<Pick> },
    Explain { text: String, at: Option<i64> },
    History { text: String },
    Audit { after: u64, since: Option<i64>, until: Option<i64>, limit: usize },
    Chain,
    Mirror { whole: bool },
    Replay { from: PathBuf },
    Runs,
    Undo(Wish),
    Problems(Wanted),
    Retry(Wanted),
    Ignore { what: String, wanted: Wanted, reason: Option<String> },
}

/// Where the socket of a store is: beside it, or, where that path is too long for a socket, in the folder for temporary
/// files.
pub fn path_of(store: &Path) -> PathBuf {
    let absolute = std::path::absolute(store).unwrap_or_else(|_| store.to_owned());
    let mut name = absolute.clone().into_os_string();
    name.push(".sock");
    if name.len() <= PATH_MAX {
        return name.into();
    }
    let digest = blake3::hash(absolute.as_os_str().as_encoded_bytes()).to_hex();
    std::env::temp_dir().join(format!("syncline-{}.sock", &digest[..24]))
}

/// A socket that is served; dropping it removes the file.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves the socket of a store. Only who holds the store open may do so: a file that is there is stale, and replaced.
///
/// # Errors
/// It cannot be bound.
pub fn serve(store: &Path, handle: Handle) -> io::Result<Socket> {
    let path = path_of(store);
    // Bound under another name and closed to others before anybody can find it.
    let mut young = path.clone().into_os_string();
    young.push("~");
    let young = PathBuf::from(young);
    match std::fs::remove_file(&young) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&young)?;
    std::fs::set_permissions(&young, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    std::fs::rename(&young, &path)?;
    let task = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(talk(stream, handle.clone()))),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    Ok(Socket { path, task })
}

async fn talk(stream: UnixStream, handle: Handle) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(LINE_MAX)).lines();
    let answer = match lines.next_line().await {
        Ok(Some(line)) => match serde_json::from_str::<Command>(&line) {
            Ok(command) => answer(command, &handle).await,
            Err(error) => json!({ "error": { "code": "request", "message": error.to_string() } }),
        },
        _ => return,
    };
    // Who asked may have gone.
    let _ = write.write_all(format!("{answer}\n").as_bytes()).await;
    let _ = write.shutdown().await;
}

async fn answer(command: Command, handle: &Handle) -> Value {
    let answer = match command {
        Command::Ping => return json!({ "pid": std::process::id() }),
        Command::Status => handle.status().await,
        Command::Verify => handle.verify().await,
        Command::Schemas => handle.schemas().await,
        Command::Reviews => handle.reviews().await,
        Command::Decide { what, picks } => handle.decide(&what, &picks).await,
        Command::Explain { text, at } => {
            handle.read(move |rules, books| account::explained(rules, books, &text, at.map(Millis))).await
        }
        Command::History { text } => handle.read(move |rules, books| account::told(rules, books, &text)).await,
        Command::Audit { after, since, until, limit } => {
            let span = (since.map(Millis), until.map(Millis));
            handle.read(move |rules, books| account::audit(rules, books, after, span, limit)).await
        }
        Command::Chain => handle.read(|_, snapshot| account::chain(snapshot)).await,
        Command::Mirror { whole } => handle.mirror_root(whole).await,
        Command::Replay { from } => handle.read(move |rules, snapshot| account::replayed(rules, snapshot, &from)).await,
        Command::Runs => handle.read(account::runs).await,
        Command::Undo(wish) => handle.undo(wish).await,
        Command::Problems(wanted) => handle.read(move |rules, books| listed(rules, books, &wanted, LISTED)).await,
        Command::Retry(wanted) => handle.retry(wanted).await.map(|records| json!({ "retried": records })),
        Command::Ignore { what, wanted, reason } => {
            handle.ignore(what, wanted, reason).await.map(|problems| json!({ "problems": problems }))
        }
    };
    answer.unwrap_or_else(|error| json!({ "error": { "code": "daemon", "message": error.to_string() } }))
}

/// Asks the daemon of a store; none if nobody listens.
pub async fn ask(store: &Path, command: &str) -> Option<Value> {
    ask_for(store, &json!({ "cmd": command })).await
}

/// As [`ask`], with what the command needs to know.
pub async fn ask_for(store: &Path, request: &Value) -> Option<Value> {
    let mut stream = UnixStream::connect(path_of(store)).await.ok()?;
    stream.write_all(format!("{request}\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    serde_json::from_str(&answer).ok()
}

/// Problems that are listed one by one.
pub const LISTED: usize = 200;
/// Longest request, in bytes: one with many decisions in it.
const LINE_MAX: u64 = 64 << 20;
/// Longest path that every system takes for a socket, with room for the name that it has while it is bound.
const PATH_MAX: usize = 98;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_stands_beside_the_store_unless_its_path_is_too_long() {
        assert_eq!(path_of(Path::new("/a/s.redb")), Path::new("/a/s.redb.sock"));
        let long = format!("/{}/s.redb", "x".repeat(120));
        let path = path_of(Path::new(&long));
        assert!(path.as_os_str().len() < 100 && path != path_of(Path::new(&format!("{long}2"))), "{path:?}");
    }
}
