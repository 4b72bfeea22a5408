//! The tables of users while the driver works: compared with what the store was last told, and read again now and then.

use super::{Driver, Event};
use crate::codec;
use crate::connector::ConnectorError;
use crate::daemon::DaemonError;
use crate::engine::{Change, Input, View};
use crate::model::{People, SystemId, User};
use crate::rules::{Owners, Rules};
use crate::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a system's users are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    last: Instant,
    wanted: bool,
    busy: bool,
}

impl Asking {
    pub fn new(now: Instant) -> Self {
        Self { last: now, wanted: false, busy: false }
    }

    fn is_due(&self) -> bool {
        let wait = if self.wanted { UNKNOWN_EVERY } else { EVERY };
        !self.busy && self.last.elapsed() >= wait
    }
}

impl Driver {
    /// Takes in what the users of all systems are by now, as the rules have been told before the driver was made.
    pub(super) fn begin_people(&mut self) -> Result<(), DaemonError> {
        for system in self.remotes.iter().map(|remote| remote.id).collect::<Vec<_>>() {
            if let Some(people) = self.rules.people(system).cloned() {
                self.adopt_people(system, &people)?;
            }
        }
        Ok(())
    }

    /// A table was read: what it changes is taken in before anything else happens.
    fn adopt_people(&mut self, system: SystemId, read: &Arc<People>) -> Result<(), DaemonError> {
        let known = known(&self.rules, &self.store, system)?;
        let people = known.as_ref().map_or_else(|| read.clone(), |known| Arc::new(newest(read, &known.people)));
        let mut rules = (*self.rules).clone();
        rules.set_people(system, &people);
        self.set_rules(Arc::new(rules));
        let owners = self.rules.owners(system);
        if known == owners {
            return Ok(());
        }
        if let Some(older) = known {
            let entities: Vec<_> =
                self.rules.entities.iter().filter(|entity| entity.owners().next().is_some()).collect();
            for entity in entities.into_iter().map(|entity| entity.id).collect::<Vec<_>>() {
                let mut after = None;
                loop {
                    let input = Input::People { entity, system, older: &older, after, limit: BATCH };
                    after = self.take(input)?.1;
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
        let cursor = cursor(&self.rules, system);
        self.store.apply(&[Change::SetCursor(cursor, owners.map(|owners| codec::encode(VERSION, &owners)))])?;
        Ok(())
    }

    fn set_rules(&mut self, rules: Arc<Rules>) {
        *self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = rules.clone();
        self.rules = rules;
    }

    /// Asks for the users of systems whose table is old, or met an id that it does not name.
    pub(super) fn ask_people(&mut self) {
        for at in 0..self.remotes.len() {
            let remote = &mut self.remotes[at];
            if self.rules.people(remote.id).is_none() || !remote.people.is_due() {
                continue;
            }
            remote.people.busy = true;
            let (connector, events) = (remote.connector.clone(), self.events.clone());
            tokio::spawn(async move {
                let users = connector.users().await;
                let _ = events.send(Event::People { remote: at, users }).await;
            });
        }
    }

    /// An owner that nobody knows was met.
    pub(super) fn want_people(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::SetFieldProblem(_, _, system, _, Some(problem)) = change
                && problem.code == crate::engine::OWNER_UNKNOWN
                && let Some(remote) = self.remotes.iter_mut().find(|remote| remote.id == *system)
            {
                remote.people.wanted = true;
            }
        }
    }

    /// The answer to [`Self::ask_people`].
    pub(super) fn told_people(
        &mut self,
        at: usize,
        users: Result<Option<Vec<User>>, ConnectorError>,
    ) -> Result<(), DaemonError> {
        let remote = &mut self.remotes[at];
        remote.people = Asking::new(Instant::now());
        match users {
            Ok(Some(users)) => self.adopt_people(self.remotes[at].id, &Arc::new(People::new(users))),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::warn!(system = remote.name, %error, "the users could not be read; the known ones stay");
                Ok(())
            }
        }
    }
}

/// Tells the rules of the users whom a store has known besides those who are listed now: records may still show them.
///
/// # Errors
/// The store cannot be read.
pub fn recall_people(rules: &mut Rules, store: &Store) -> Result<(), DaemonError> {
    for system in rules.systems.iter().map(|system| system.id).collect::<Vec<_>>() {
        let Some(people) = rules.people(system).cloned() else { continue };
        if let Some(known) = known(rules, store, system)? {
            rules.set_people(system, &Arc::new(newest(&people, &known.people)));
        }
    }
    Ok(())
}

/// The table as the store was last told.
fn known(rules: &Rules, store: &Store, system: SystemId) -> Result<Option<Owners>, DaemonError> {
    let bytes = store.snapshot()?.cursor(&cursor(rules, system))?;
    Ok(bytes.and_then(|bytes| codec::decode::<Owners>(VERSION, &bytes).ok()))
}

/// A table that is empty all at once is a right that was lost, not a company without people.
fn newest(read: &People, known: &People) -> People {
    if read.is_empty() { known.clone() } else { read.clone().after(known) }
}

/// Cursor that holds the table as it was last taken in.
fn cursor(rules: &Rules, system: SystemId) -> String {
    format!("people/{}", rules.system(system).map(|system| &*system.name).unwrap_or_default())
}

/// Version byte of the stored table.
const VERSION: u8 = 1;
/// Records a commit.
const BATCH: usize = 1_000;
/// How often the users are read.
const EVERY: Duration = Duration::from_secs(600);
/// How soon after the last time, where an owner was met that the table does not name.
const UNKNOWN_EVERY: Duration = Duration::from_secs(5);
