//! Talking to a driver at work: from the control socket, from another task, from the demo.

use super::{Decisions, Event, Pair, Tally};
use crate::connector::Connector;
use crate::daemon::Wanted;
use crate::daemon::account::{self, Wish};
use crate::daemon::status::{self, Live};
use crate::daemon::{DaemonError, reviews, schemas, verify};
use crate::engine::{Hindrance, Operation};
use crate::rules::Rules;
use crate::store::{FoundRoot, Snapshot};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

/// A question to the driver.
pub(super) enum Ask {
    /// What it is doing, with the state as of the last commit.
    Live(oneshot::Sender<Result<Live, DaemonError>>),
    /// The state as of the last commit.
    Snapshot(oneshot::Sender<Result<Snapshot, DaemonError>>),
    /// What it has done.
    Tally(oneshot::Sender<Tally>),
    /// Somebody wants to have what is listed tried again.
    Retry(Wanted, oneshot::Sender<Result<usize, DaemonError>>),
    /// Somebody has what is listed ignored, for a reason, or without one no longer.
    Ignore { what: String, wanted: Wanted, reason: Option<String>, answer: oneshot::Sender<Result<usize, DaemonError>> },
    /// What somebody has found the mirror to come to is kept.
    KeepRoots(Vec<FoundRoot>, oneshot::Sender<Result<(), DaemonError>>),
    /// Somebody decides.
    Operate(Box<Decisions>, oneshot::Sender<Result<Vec<(Operation, Hindrance)>, DaemonError>>),
}

/// A driver at work; clones talk to the same one.
#[derive(Clone)]
pub struct Handle {
    pub(super) rules: Arc<Mutex<Arc<Rules>>>,
    pub(super) pairs: Arc<[Arc<Pair>]>,
    pub(super) connectors: Arc<[Arc<dyn Connector>]>,
    pub(super) events: Sender<Event>,
    /// The last counting of the mirror, and the commit that it belongs to.
    pub(super) counted: Arc<Mutex<Option<(u64, status::Counts)>>>,
}

impl Handle {
    /// The document that `status --json` prints.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn status(&self) -> Result<Value, DaemonError> {
        let live = self.live().await?;
        let known = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counts = match known.filter(|(commit, _)| *commit == live.commit) {
            Some((_, counts)) => counts,
            None => {
                let (rules, snapshot, commit) = (self.rules(), live.snapshot.clone(), live.commit);
                let counting = tokio::task::spawn_blocking(move || status::count(&rules, &snapshot));
                let counts = counting.await.map_err(|_| DaemonError::Ended)??;
                *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some((commit, counts.clone()));
                counts
            }
        };
        Ok(status::document(&live.status(true), &counts))
    }

    /// What the driver is doing.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn live(&self) -> Result<Live, DaemonError> {
        self.ask(Ask::Live).await?
    }

    /// What it has done since it started.
    ///
    /// # Errors
    /// The driver has ended.
    pub async fn tally(&self) -> Result<Tally, DaemonError> {
        self.ask(Ask::Tally).await
    }

    /// Reads all remotes again and compares them through the mirror's links: the document that `verify --json` prints.
    ///
    /// # Errors
    /// A remote cannot be read, the driver has ended, or the store cannot be read.
    pub async fn verify(&self) -> Result<Value, DaemonError> {
        let mut remotes =
            verify::read_pairs(&self.rules(), &self.pairs, &self.connectors, verify::Keep::Digests).await?;
        let mut rounds = 0;
        loop {
            let snapshot = self.ask(Ask::Snapshot).await??;
            let rules = self.rules();
            let comparing = tokio::task::spawn_blocking(move || {
                let report = verify::compare(&rules, &snapshot, &remotes);
                (report, remotes)
            });
            let (report, read) = comparing.await.map_err(|_| DaemonError::Ended)?;
            let report = report?;
            remotes = read;
            rounds += 1;
            let doubtful = report.doubtful();
            if doubtful.is_empty() || rounds > ROUNDS_MAX {
                return Ok(verify::document(&self.rules(), &report));
            }
            // People edit while we read: what differs is asked once more, when what is known has had time to arrive.
            tokio::time::sleep(ROUND).await;
            verify::read_again(&self.rules(), &self.pairs, &self.connectors, &doubtful, &mut remotes).await?;
        }
    }

    /// What was seen of the systems' objects when they were last asked.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn schemas(&self) -> Result<Value, DaemonError> {
        let snapshot = self.ask(Ask::Snapshot).await??;
        Ok(schemas::document(&snapshot.schemas()?))
    }

    /// Reads the state as of the last commit, beside the driver's work.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn read<T, E>(
        &self,
        read: impl FnOnce(&Rules, &Snapshot) -> Result<T, E> + Send + 'static,
    ) -> Result<T, DaemonError>
    where
        T: Send + 'static,
        E: Into<DaemonError> + Send + 'static,
    {
        let (rules, snapshot) = (self.rules(), self.snapshot().await?);
        let reading = tokio::task::spawn_blocking(move || read(&rules, &snapshot));
        reading.await.map_err(|_| DaemonError::Ended)?.map_err(Into::into)
    }

    /// The root digest of the mirror: the document that `verify --mirror --json` prints. It is kept for the next one.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read or written.
    pub async fn mirror_root(&self, whole: bool) -> Result<Value, DaemonError> {
        let (document, found) = self.read(move |rules, snapshot| account::mirror_root(rules, snapshot, whole)).await?;
        self.ask(|answer| Ask::KeepRoots(found, answer)).await??;
        Ok(document)
    }

    /// Takes back, or tells what that would do.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn undo(&self, wish: Wish) -> Result<Value, DaemonError> {
        let really = wish.really;
        let (mut document, decisions) = self.read(move |rules, books| account::taken_back(rules, books, &wish)).await?;
        if really && document.get("error").is_none() {
            let wanted = decisions.operations.len();
            let hindered = self.operate(decisions).await?.len();
            document["done"] = account::carried_out(wanted, hindered);
        }
        Ok(document)
    }

    /// Has decisions taken in; returns those that were not carried out.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be used.
    pub async fn operate(&self, decisions: Decisions) -> Result<Vec<(Operation, Hindrance)>, DaemonError> {
        self.ask(|answer| Ask::Operate(Box::new(decisions), answer)).await?
    }

    /// What waits for a person: the document that `review --json` prints.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn reviews(&self) -> Result<Value, DaemonError> {
        Ok(reviews::document(&self.rules(), &self.snapshot().await?)?)
    }

    /// Decides reviews, for somebody; what became of it is the document that `review accept --json` prints.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be used.
    pub async fn decide(&self, what: &str, picks: &[reviews::Pick]) -> Result<Value, DaemonError> {
        let rules = self.rules();
        let (operations, refusals) = reviews::operations(&rules, &self.snapshot().await?, picks)?;
        let hindered = match operations.is_empty() {
            true => Vec::new(),
            false => self.operate(reviews::decisions(what, operations)).await?,
        };
        Ok(reviews::outcome(&rules, picks.len(), refusals, hindered))
    }

    /// Has what is listed tried again; returns how many records that are.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be used.
    pub async fn retry(&self, wanted: Wanted) -> Result<usize, DaemonError> {
        self.ask(|answer| Ask::Retry(wanted, answer)).await?
    }

    /// Has what is listed ignored, for a reason, or without one no longer; returns how many problems that are.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be used.
    pub async fn ignore(&self, what: String, wanted: Wanted, reason: Option<String>) -> Result<usize, DaemonError> {
        self.ask(|answer| Ask::Ignore { what, wanted, reason, answer }).await?
    }

    /// The state as of the last commit.
    ///
    /// # Errors
    /// The driver has ended, or the store cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot, DaemonError> {
        self.ask(Ask::Snapshot).await?
    }

    /// The rules, with the users as they are known now.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to finish what is under way and to end.
    pub async fn stop(&self) {
        let _ = self.events.send(Event::Stop).await;
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, DaemonError> {
        let (answer, answered) = oneshot::channel();
        self.events.send(Event::Ask(ask(answer))).await.map_err(|_| DaemonError::Ended)?;
        answered.await.map_err(|_| DaemonError::Ended)
    }
}

/// How often what differs is asked again.
const ROUNDS_MAX: u32 = 4;
/// What an edit may take to arrive on the other side, a share of it a round.
const ROUND: std::time::Duration = std::time::Duration::from_millis(1_200);
