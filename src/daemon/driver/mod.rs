//! The one writer: input → step → commit → effects.
//!
//! The driver owns the store. Calls to systems run as tasks beside it; whatever they bring comes back through one bounded
//! queue, becomes an input of the engine, is committed, and only then have its effects left.

mod backfill;
mod effects;
mod handle;
mod intake;
mod listing;
mod live;
mod operate;
mod people;
mod progress;
mod remap;
mod tally;
mod watch;

pub use backfill::BackfillReport;
pub use handle::Handle;
pub use operate::Decisions;
pub(super) use operate::decide_alone;
pub use people::recall_people;
pub use progress::{OnProgress, Progress};
pub(super) use remap::expect_own;
pub use remap::remap;
pub use tally::Tally;
pub use watch::{Deleting, Leaving, Watch};

use super::connect::{Connectors, read_spec};
use super::status;
use super::{DaemonError, status::quiet_entity};
use crate::connector::{Connector, ConnectorError, ReadSpec};
use crate::engine::{self, Begin, Change, Clocks, Effect, Input, Notice, Pass, Step, View};
use crate::model::{Departure, EntityId, Home, Millis, RecordId, SystemId, User};
use crate::rules::Rules;
use crate::store::Store;
use effects::Done;
use handle::Ask;
use listing::{Bookmark, Listed, Listing};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// An entity's object in one system.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub entity: EntityId,
    pub home: Home,
    pub spec: ReadSpec,
    entity_name: String,
    system_name: String,
    /// Its system's place in the driver's list.
    remote: usize,
    /// The lane that it shares with the entity's other objects in the system.
    lane: usize,
}

/// An entity in one system, and what is under way there.
struct Lane {
    entity: EntityId,
    system: SystemId,
    /// Effects whose outcome is awaited; no work is asked for meanwhile, so that nothing is read or looked up twice.
    busy: usize,
    failures: u32,
    not_before: Instant,
}

/// The state of a system.
struct Remote {
    id: SystemId,
    name: String,
    connector: Arc<dyn Connector>,
    polling: Option<Polling>,
    next_poll: Instant,
    polls: u64,
    /// When (our clock) the last complete poll was begun.
    passed: Option<Millis>,
    failures: u32,
    last_error: Option<ConnectorError>,
    people: people::Asking,
}

struct Polling {
    left: usize,
    began: Millis,
    failed: bool,
    /// It began before somebody asked that everything be read: it may have missed what was there then.
    stale: bool,
}

/// What tasks tell the driver.
enum Event {
    /// A page of a listing.
    Page { pair: usize, listing: Listing, page: Listed },
    /// A pair's listings have ended.
    Ended { pair: usize, error: Option<ConnectorError> },
    /// The outcome of an effect.
    Effect { pair: usize, done: Done },
    /// The users of a system.
    People { remote: usize, users: Result<Option<Vec<User>>, ConnectorError> },
    /// A question.
    Ask(Ask),
    /// Finish and end.
    Stop,
}

/// What the driver does by itself, besides answering.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mode {
    pass: Pass,
    working: bool,
    /// A first sync: creates of an entity wait until those of the entities before it are done, and polls until writing is
    /// at rest.
    in_order: bool,
    polling: Option<Duration>,
}

/// The one writer of a store.
pub struct Driver {
    rules: Arc<Rules>,
    /// The same, for whoever talks to the driver: the tables of users in them change.
    shared: Arc<Mutex<Arc<Rules>>>,
    store: Store,
    pairs: Arc<[Arc<Pair>]>,
    lanes: Vec<Lane>,
    remotes: Vec<Remote>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
    counted: Arc<Mutex<Option<(u64, status::Counts)>>>,
    commits: u64,
    tally: Tally,
    mode: Mode,
    /// Nothing new is begun.
    stopping: bool,
    /// Somebody has told it to stop.
    told: bool,
    /// When the last effect came back.
    worked: Instant,
    /// Where the sweep of each entity goes on.
    swept: Vec<Option<RecordId>>,
    /// Where the search for old tombstones goes on.
    forgot: Vec<Option<RecordId>>,
    progress: Option<OnProgress>,
    watch: Option<Arc<dyn Watch>>,
}

impl Driver {
    /// Takes over a store. What was in flight when the last driver ended is read back before anything else.
    ///
    /// # Errors
    /// The store was made with another mapping (see [`remap`]), or cannot be used.
    pub fn new(rules: Rules, connectors: &Connectors, store: Store) -> Result<Self, DaemonError> {
        remap::expect_own(&rules, &store)?;
        remap::note(&rules, &store)?;
        let now = Instant::now();
        let remotes: Vec<Remote> = connectors
            .iter()
            .map(|(id, connector)| Remote {
                id: *id,
                name: rules.system(*id).map(|system| system.name.clone()).unwrap_or_default(),
                connector: connector.clone(),
                polling: None,
                next_poll: now,
                polls: 0,
                passed: None,
                failures: 0,
                last_error: None,
                people: people::Asking::new(now),
            })
            .collect();
        let pairs: Arc<[Arc<Pair>]> = pairs(&rules, connectors).into();
        let mut lanes: Vec<Lane> = Vec::new();
        for pair in pairs.iter() {
            if pair.lane == lanes.len() {
                let (entity, system) = (pair.entity, pair.home.system);
                lanes.push(Lane { entity, system, busy: 0, failures: 0, not_before: now });
            }
        }
        let (events, inbox) = channel(QUEUE);
        let swept: Vec<Option<RecordId>> = rules.entities.iter().map(|_| None).collect();
        let rules = Arc::new(rules);
        let mut driver = Self {
            shared: Arc::new(Mutex::new(rules.clone())),
            rules,
            store,
            pairs,
            lanes,
            remotes,
            events,
            inbox,
            counted: Arc::default(),
            commits: 0,
            tally: Tally::default(),
            mode: Mode { pass: Pass::Changes, working: false, in_order: false, polling: None },
            stopping: false,
            told: false,
            worked: now,
            forgot: swept.clone(),
            swept,
            progress: None,
            watch: None,
        };
        driver.begin_people()?;
        driver.release_held()?;
        driver.take(Input::Start)?;
        Ok(driver)
    }

    /// Says what the driver is used for: a run of its own in the journal.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn begin_run(&mut self, what: &str) -> Result<(), DaemonError> {
        let begin = Begin { what: what.to_owned(), config: self.rules.fingerprint() };
        self.take(Input::Begin(begin)).map(drop)
    }

    /// Tells `progress` what happens.
    pub fn on_progress(&mut self, progress: OnProgress) {
        self.progress = Some(progress);
    }

    /// Shows `watch` what is committed and what is about to be sent.
    pub fn on_write(&mut self, watch: Arc<dyn Watch>) {
        self.watch = Some(watch);
    }

    /// To talk to it while it works.
    pub fn handle(&self) -> Handle {
        Handle {
            rules: self.shared.clone(),
            pairs: self.pairs.clone(),
            connectors: self.remotes.iter().map(|remote| remote.connector.clone()).collect(),
            events: self.events.clone(),
            counted: self.counted.clone(),
        }
    }

    /// What it has done since it was made.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes in what tasks have brought by now: has somebody told it to stop?
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn is_told_to_stop(&mut self) -> Result<bool, DaemonError> {
        while let Ok(event) = self.inbox.try_recv() {
            self.handle_event(event)?;
        }
        Ok(self.told)
    }

    /// The store that it drives.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Gives the store back.
    pub fn into_store(self) -> Store {
        self.store
    }

    fn tell(&self, progress: impl FnOnce() -> Progress) {
        if let Some(told) = &self.progress {
            told(progress());
        }
    }

    fn clocks(&self) -> Clocks {
        let offsets = self.remotes.iter().map(|remote| (remote.id, remote.connector.offset())).collect();
        Clocks { now: wall_clock(), offsets }
    }

    /// Decides one input and commits it.
    fn take(&mut self, input: Input<'_>) -> Result<(Vec<Effect>, Option<RecordId>), DaemonError> {
        self.take_with(input, |_| None)
    }

    /// Decides one input and commits it, with a change of the driver's own in the same transaction: a cursor that says where
    /// the step left off.
    fn take_with(
        &mut self,
        input: Input<'_>,
        extra: impl FnOnce(Option<RecordId>) -> Option<Change>,
    ) -> Result<(Vec<Effect>, Option<RecordId>), DaemonError> {
        let mut step = self.commit(input, extra)?;
        for notice in std::mem::take(&mut step.notices) {
            self.note(notice);
        }
        Ok((step.effects, step.next))
    }

    fn commit(
        &mut self,
        input: Input<'_>,
        extra: impl FnOnce(Option<RecordId>) -> Option<Change>,
    ) -> Result<Step, DaemonError> {
        let mut step = {
            let snapshot = self.store.snapshot()?;
            engine::step(&self.rules, &snapshot, &self.clocks(), input)?
        };
        step.changes.extend(extra(step.next));
        if !step.changes.is_empty() {
            self.store.apply(&step.changes)?;
            self.commits += 1;
            self.tally.count(&step.changes);
            self.want_people(&step.changes);
            if let Some(watch) = &self.watch {
                watch.committed(&step.changes);
            }
        }
        Ok(step)
    }

    fn note(&self, notice: Notice) {
        let system = |id: SystemId| self.rules.system(id).map(|system| system.name.clone()).unwrap_or_default();
        match notice {
            Notice::Detached { entity, system: id, remote, why, .. } => {
                let entity = self.rules.entity(entity).map(|entity| entity.name.clone()).unwrap_or_default();
                let what = match why {
                    Departure::Converted(_) => "converted",
                    Departure::Merged(_) => "merged into another record",
                    Departure::Deleted => "deleted",
                    Departure::OutOfScope => "out of scope",
                };
                tracing::warn!(system = system(id), entity, %remote, "{what} there: the link ended, other sides stay");
                self.tell(|| Progress::Detached { system: system(id), entity, remote: remote.to_string(), what });
            }
            Notice::Deleted { entity, system: id, remote, .. } => {
                let entity = self.rules.entity(entity).map(|entity| entity.name.clone()).unwrap_or_default();
                tracing::info!(system = system(id), entity, %remote, "deleted there, since it is gone elsewhere");
            }
            Notice::LeftScope { entity, system: id, remote, .. } => {
                let entity = self.rules.entity(entity).map(|entity| entity.name.clone()).unwrap_or_default();
                tracing::info!(system = system(id), entity, %remote, "out of scope there: left alone until it is back");
            }
            Notice::Converted { entity, system: id, remote, into, .. } => {
                let entity = self.rules.entity(entity).map(|entity| entity.name.clone()).unwrap_or_default();
                tracing::info!(system = system(id), entity, %remote, %into, "converted there: it goes on as what it became");
            }
            Notice::NotOperated { .. } => {}
            Notice::Undecodable { system: id, remote, cause } => {
                tracing::warn!(system = system(id), %remote, cause, "a row could not be read and was left out");
            }
            Notice::Ahead { system: id, remote, at } => {
                let at = crate::model::Value::DateTime(at.0);
                tracing::warn!(system = system(id), %remote, %at, "dated ahead of its system's clock: the time is not believed");
            }
        }
    }

    /// Asks for work, starts polls, then waits a moment for what tasks bring and takes it in.
    async fn turn(&mut self) -> Result<(), DaemonError> {
        if !self.stopping {
            if self.mode.working {
                self.work()?;
            }
            if self.mode.polling.is_some() && !self.mode.in_order {
                self.ask_people();
            }
            if let Some(interval) = self.mode.polling {
                for remote in 0..self.remotes.len() {
                    let due = self.remotes[remote].next_poll + if self.at_rest() { Duration::ZERO } else { REST_MAX };
                    if self.remotes[remote].polling.is_none() && due <= Instant::now() {
                        self.poll(remote, interval)?;
                    }
                }
            }
        }
        let first = tokio::time::timeout(TICK, self.inbox.recv()).await;
        let Ok(Some(event)) = first else { return Ok(()) };
        self.handle_event(event)?;
        // What is there already is taken in before work is asked for again; but not for ever.
        for _ in 0..QUEUE {
            let Ok(event) = self.inbox.try_recv() else { break };
            self.handle_event(event)?;
        }
        Ok(())
    }

    /// May systems be polled? While a first sync writes, each poll would see all that was written lately: it is to write, not
    /// to look at itself.
    fn at_rest(&self) -> bool {
        !self.mode.in_order || (self.lanes.iter().all(|lane| lane.busy == 0) && self.worked.elapsed() >= REST)
    }

    /// Asks the engine what is to be done in every lane that awaits nothing.
    fn work(&mut self) -> Result<(), DaemonError> {
        let mut create = true;
        for entity in 0..self.rules.entities.len() {
            let id = self.rules.entities[entity].id;
            for at in 0..self.lanes.len() {
                let lane = &self.lanes[at];
                if lane.entity != id || lane.busy > 0 || lane.not_before > Instant::now() {
                    continue;
                }
                let input = Input::Work { entity: id, system: lane.system, create };
                let (effects, _) = self.take(input)?;
                for effect in effects {
                    self.show_leaving(&effect)?;
                    self.start(at, effect);
                }
            }
            if self.mode.in_order && create {
                create = quiet_entity(&self.store.snapshot()?, &self.rules, id, wall_clock())?;
            }
        }
        Ok(())
    }

    fn start(&mut self, at: usize, effect: Effect) {
        let pairs = self.pairs.iter().enumerate().filter(|(_, pair)| pair.lane == at);
        let pairs: Vec<(usize, Arc<Pair>)> = pairs.map(|(at, pair)| (at, pair.clone())).collect();
        // What goes to one object is of its pair; a look-up asks several, and is of any.
        let object = effects::object(&effect);
        let pair = pairs.iter().find(|(_, pair)| object.is_none_or(|object| pair.home.object == object));
        let Some((at, first)) = pair.cloned() else { return };
        self.lanes[first.lane].busy += 1;
        let (connector, events) = (self.remotes[first.remote].connector.clone(), self.events.clone());
        tokio::spawn(async move {
            let pairs: Vec<&Pair> = pairs.iter().map(|(_, pair)| &**pair).collect();
            let done = effects::perform(&first, &pairs, &*connector, effect).await;
            let _ = events.send(Event::Effect { pair: at, done }).await;
        });
    }

    /// Lists what changed and what was deleted in a system.
    fn poll(&mut self, at: usize, interval: Duration) -> Result<(), DaemonError> {
        let pairs: Vec<usize> = (0..self.pairs.len()).filter(|pair| self.pairs[*pair].remote == at).collect();
        let left = pairs.len();
        for pair in pairs {
            let listings = [Listing::Changes, Listing::Deleted];
            let listings = listings.map(|listing| self.bookmark(pair, listing).map(|mark| (listing, mark)));
            let listings = listings.into_iter().collect::<Result<Vec<_>, _>>()?;
            self.list(pair, listings);
        }
        let remote = &mut self.remotes[at];
        remote.next_poll = Instant::now() + interval;
        remote.polling = (left > 0).then(|| Polling { left, began: wall_clock(), failed: false, stale: false });
        Ok(())
    }

    fn list(&self, at: usize, listings: Vec<(Listing, Option<Bookmark>)>) {
        let pair = self.pairs[at].clone();
        let connector = self.remotes[pair.remote].connector.clone();
        tokio::spawn(listing::run(at, pair, connector, listings, self.events.clone()));
    }

    fn bookmark(&self, pair: usize, listing: Listing) -> Result<Option<Bookmark>, DaemonError> {
        let pair = &self.pairs[pair];
        let name = pair.cursor(listing);
        let bytes = self.store.snapshot()?.cursor(&name)?;
        bytes.map(|bytes| Bookmark::read(&bytes).ok_or(DaemonError::Cursor { name })).transpose()
    }

    /// Finishes what is under way: answers that have not been heard would have to be found out at the next start.
    async fn drain(&mut self) -> Result<(), DaemonError> {
        // Nothing new is begun meanwhile; afterwards the driver can go on where it was not told to stop.
        self.stopping = true;
        let until = Instant::now() + DRAIN;
        while self.lanes.iter().any(|lane| lane.busy > 0) && Instant::now() < until {
            self.turn().await?;
        }
        self.stopping = self.told;
        Ok(())
    }
}

/// Every object that both the rules and the connectors have, in the order of the rules.
pub(super) fn pairs(rules: &Rules, connectors: &Connectors) -> Vec<Arc<Pair>> {
    let mut pairs = Vec::new();
    let mut lane = 0;
    for entity in &rules.entities {
        for (remote, (system, _)) in connectors.iter().enumerate() {
            let system_name = rules.system(*system).map(|system| system.name.clone()).unwrap_or_default();
            let before = pairs.len();
            for binding in entity.bindings_in(*system) {
                let (entity_name, system_name) = (entity.name.clone(), system_name.clone());
                let (home, spec) = (binding.home(), read_spec(entity, binding));
                let pair = Pair { entity: entity.id, home, spec, entity_name, system_name, remote, lane };
                pairs.push(Arc::new(pair));
            }
            lane += usize::from(pairs.len() > before);
        }
    }
    pairs
}

impl Pair {
    /// Name of the cursor of one of its listings.
    fn cursor(&self, listing: Listing) -> String {
        listing.cursor(&self.system_name, &self.entity_name, &self.spec.object)
    }

    /// Its system's place in the list of connectors.
    pub(super) fn remote(&self) -> usize {
        self.remote
    }
}

/// Our clock.
pub(in crate::daemon) fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn backoff(failures: u32, error: Option<&ConnectorError>) -> Duration {
    let usual = Duration::from_millis(500 << failures.min(7));
    match error {
        Some(ConnectorError::Limited { after_ms, .. }) => usual.max(Duration::from_millis((*after_ms).max(0) as u64)),
        _ => usual,
    }
}

/// Events that may wait for the writer.
const QUEUE: usize = 16;
/// How long the driver waits for events before it looks at its deadlines.
const TICK: Duration = Duration::from_millis(50);
/// A first sync that had nothing to do for this long polls: something may wait for it.
const REST: Duration = Duration::from_secs(2);
/// What people do meanwhile is read after this long, even if writing never rests.
const REST_MAX: Duration = Duration::from_secs(600);
/// Records that a sweep looks at.
const SWEEP: usize = 256;
/// Records that are looked through for old tombstones after each poll.
const FORGET: usize = 64;
/// How long what is under way may take at the end.
const DRAIN: Duration = Duration::from_secs(30);
