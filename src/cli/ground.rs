//! What the commands that touch the store or the remotes stand on: a runtime, checked connectors, the store, the daemon.

use super::check;
use super::error::Blame;
use super::{CliError, Context, Output};
use crate::daemon::connect::{self, ConnectError, Connectors};
use crate::daemon::plan::PlanError;
use crate::daemon::{
    DaemonError, Driver, Handle, OnProgress, read_people, read_record_urls, recall_people, remap, socket,
};
use crate::model::{Millis, ObjectSchema, SystemId};
use crate::rules::config::Config;
use crate::rules::{MappingChange, Rules};
use crate::store::{OpenOptions, Snapshot, Store, StoreError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

/// A runtime; the driver itself runs on the calling thread, so that its commits hold up no call.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| {
        CliError::world("runtime", format!("the runtime cannot be started: {error}"), "try again, or free some memory")
    })
}

/// The connectors of a config's systems; the rules learn what each can do.
pub(super) fn connect(config: &mut Config) -> Result<Connectors, CliError> {
    connect::connect(&config.settings, &mut config.rules).map_err(|error| match error {
        ConnectError::Secret { system, error } => {
            let at = format!("systems.{system}.token");
            let error = config.source.error(&at, error.to_string(), error.mend());
            CliError::config("secret", Blame::Usage, config.source.errors(vec![error]))
        }
        ConnectError::Connector(error) => error.into(),
    })
}

/// What the remotes said of their objects.
pub(super) type Described = Vec<(SystemId, ObjectSchema)>;

/// Tells the rules who the users of each system are, where records have owners.
pub(super) async fn people(config: &mut Config, connectors: &Connectors) -> Result<(), CliError> {
    read_record_urls(&mut config.rules, connectors).await.map_err(|(_, error)| CliError::from(error))?;
    read_people(&mut config.rules, connectors).await.map_err(|(_, error)| error.into())
}

/// The config and its connectors, after the remotes have said that the mapping fits and that our clock is sound; and what they
/// said.
pub(super) async fn prepare(context: &Context) -> Result<(Config, Connectors, Described), CliError> {
    let mut config = context.load()?;
    check::check_secrets(&config)?;
    let connectors = connect(&mut config)?;
    let mut checked = check::check_remotes(&mut config, &connectors).await;
    let schemas = std::mem::take(&mut checked.schemas);
    checked.verdict(&config)?;
    check_clock(&config, &connectors)?;
    Ok((config, connectors, schemas))
}

/// Refuses to go on when every system's clock is far from ours: then it is ours that is wrong.
fn check_clock(config: &Config, connectors: &Connectors) -> Result<(), CliError> {
    let distance = |(_, connector): &(_, std::sync::Arc<dyn crate::connector::Connector>)| {
        let offset = connector.offset();
        offset.low.max(offset.high.saturating_neg()).max(0)
    };
    let limit = i64::try_from(config.settings.run.max_drift.as_millis()).unwrap_or(i64::MAX);
    match connectors.iter().map(distance).min() {
        Some(ms) if ms > limit => Err(DaemonError::Clock { seconds: ms / 1_000 }.into()),
        _ => Ok(()),
    }
}

/// Asks the daemon of this config's store; none if nobody listens. What it answers with an error is ours.
pub(super) async fn ask(config: &Config, command: &str) -> Option<Result<Value, CliError>> {
    ask_for(config, &json!({ "cmd": command })).await
}

/// As [`ask`], with what the command needs to know.
pub(super) async fn ask_for(config: &Config, request: &Value) -> Option<Result<Value, CliError>> {
    Some(fault(socket::ask_for(&config.settings.store, request).await?))
}

/// What is answered with an error, as ours.
pub(super) fn fault(answer: Value) -> Result<Value, CliError> {
    let Some(error) = answer.get("error").filter(|error| error.is_object()) else { return Ok(answer) };
    let message = error["message"].as_str().unwrap_or("the daemon failed").to_owned();
    Err(match error["usage"].as_bool() {
        Some(true) => CliError::usage("usage", message, error["mend"].as_str().unwrap_or("see `--help`")),
        _ => CliError::world("daemon", message, "see what the running `syncline` says"),
    })
}

/// Who answers for a store.
pub(super) enum Ground {
    /// A running daemon.
    Daemon(Value),
    /// Nobody: here is the file.
    Store(Store),
}

/// Asks the daemon, or opens the file; while somebody has it open and does not answer, both again for a while.
pub(super) async fn ask_or_open(config: &Config, command: &str) -> Result<Ground, CliError> {
    ask_for_or_open(config, &json!({ "cmd": command })).await
}

/// As [`ask_or_open`], with what the command needs to know.
pub(super) async fn ask_for_or_open(config: &Config, request: &Value) -> Result<Ground, CliError> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask_for(config, request).await {
            return answer.map(Ground::Daemon);
        }
        match Store::open(&config.settings.store, &OpenOptions::default()) {
            Ok(store) => return Ok(Ground::Store(store)),
            Err(StoreError::InUse { .. }) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(DaemonError::from(error).into()),
        }
    }
}

/// Reads what a daemon answers, or what `read` finds in the file when nobody holds it.
pub(super) fn consult<E: Into<DaemonError>>(
    context: &Context,
    request: &Value,
    read: impl FnOnce(&Rules, &Snapshot) -> Result<Value, E>,
) -> Result<Value, CliError> {
    Reader::new(context)?.consult(request, read)
}

/// For questions in a row: the config is read once, and so is the file, when nobody else answers.
pub(super) struct Reader {
    config: Config,
    runtime: Runtime,
    file: Option<(Store, Snapshot)>,
}

impl Reader {
    pub fn new(context: &Context) -> Result<Self, CliError> {
        Ok(Self { config: context.load()?, runtime: runtime()?, file: None })
    }

    /// As [`consult`].
    pub fn consult<E: Into<DaemonError>>(
        &mut self,
        request: &Value,
        read: impl FnOnce(&Rules, &Snapshot) -> Result<Value, E>,
    ) -> Result<Value, CliError> {
        let (_, snapshot) = match &mut self.file {
            Some(file) => file,
            none => match self.runtime.block_on(ask_for_or_open(&self.config, request))? {
                Ground::Daemon(answer) => return Ok(answer),
                Ground::Store(store) => {
                    recall_people(&mut self.config.rules, &store)?;
                    let snapshot = store.snapshot().map_err(DaemonError::from)?;
                    none.insert((store, snapshot))
                }
            },
        };
        fault(read(&self.config.rules, snapshot).map_err(Into::into)?)
    }
}

/// Refuses to go on while a daemon answers for a store.
pub(super) async fn nobody_holds(path: &Path) -> Result<(), CliError> {
    let Some(answer) = socket::ask(path, "ping").await else { return Ok(()) };
    let process = answer["pid"].as_u64().map_or_else(String::new, |pid| format!(" (process {pid})"));
    Err(CliError::world(
        "in_use",
        format!("a running syncline{process} holds {}", path.display()),
        "stop it first, or let it do the job",
    ))
}

/// Opens the store to drive it, and remembers there what the remotes said; `create` makes one where there is none. Another daemon
/// on it is named at once.
pub(super) async fn open(config: &Config, create: bool, schemas: &Described) -> Result<Store, CliError> {
    let store = open_alone(config, create).await?;
    store.see_schemas(now(), schemas).map_err(DaemonError::from)?;
    Ok(store)
}

pub(super) async fn open_alone(config: &Config, create: bool) -> Result<Store, CliError> {
    let path = &config.settings.store;
    let until = Instant::now() + PATIENCE;
    loop {
        nobody_holds(path).await?;
        let opened = match create {
            true => Store::create_or_open(path, now(), &OpenOptions::default()),
            false => Store::open(path, &OpenOptions::default()),
        };
        match opened {
            Ok(store) => return Ok(store),
            Err(StoreError::InUse { .. }) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(DaemonError::from(error).into()),
        }
    }
}

/// Takes a changed mapping into a store, and says what has changed.
pub(super) fn take_mapping(
    config: &Config,
    store: &Store,
    told: Option<&OnProgress>,
    output: Output,
) -> Result<(), CliError> {
    let rules = &config.rules;
    for (entity, remap) in remap(rules, store, told)? {
        let Some(entity) = rules.entity(entity) else { continue };
        let mut anew: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (home, field) in &remap.rebound {
            let (Some(field), Some(system)) = (entity.field(*field), rules.system(home.system)) else { continue };
            let systems = anew.entry(&field.name).or_default();
            if !systems.contains(&&*system.name) {
                systems.push(&system.name);
            }
        }
        for (field, systems) in anew {
            output.say(format!("  {}.{field} is new or read in another way in {}", entity.name, systems.join(" and ")));
        }
        let gone = remap.dropped.iter().filter(|field| entity.field(**field).is_none()).count();
        if gone > 0 {
            output.say(format!("  {} fields of {} are not mapped any more", gone, entity.name));
        }
        if remap.objects {
            output.say(format!("  {} lives in another object as well", entity.name));
        }
        for home in &remap.rescoped {
            let object = entity.binding(*home).map(|binding| binding.object.as_str()).unwrap_or_default();
            let system = rules.system(home.system).map(|system| system.name.as_str()).unwrap_or_default();
            output.say(format!("  other records of {system}'s {object} take part in {} than before", entity.name));
        }
        if remap.keys {
            output.say(format!("  {} is matched by other keys: nothing that is linked is parted", entity.name));
        }
    }
    Ok(())
}

/// A driver on a store, with its socket, for a command: a run of its own in the journal.
pub(super) fn driver(
    config: &Config,
    connectors: &Connectors,
    store: Store,
    command: &str,
) -> Result<(Driver, socket::Socket), CliError> {
    let mut driver = Driver::new(config.rules.clone(), connectors, store)?;
    driver.begin_run(&on_behalf(command))?;
    let socket = serve(&config.settings.store, driver.handle())?;
    Ok((driver, socket))
}

/// A command and who gave it, as the journal names a run.
pub(super) fn on_behalf(command: &str) -> String {
    let names = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    match names.into_iter().find(|name| !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control)) {
        Some(name) => format!("{command} by {name}"),
        None => command.to_owned(),
    }
}

fn serve(store: &Path, handle: Handle) -> Result<socket::Socket, CliError> {
    socket::serve(store, handle).map_err(|error| {
        let message = format!("the control socket {} cannot be made: {error}", socket::path_of(store).display());
        CliError::world("socket", message, "check the permissions of that folder")
    })
}

/// Lets a driver finish what is under way when this process is told to stop.
pub(super) fn stop_on_signal(handle: Handle) {
    tokio::spawn(async move {
        stopped().await;
        handle.stop().await;
        // A second time means it.
        stopped().await;
        std::process::exit(130);
    });
}

/// Until SIGINT or SIGTERM.
pub(super) async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(interrupt.await),
    }
}

/// Our clock.
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> Self {
        let text = error.to_string();
        match error {
            DaemonError::Remote(error) => error.into(),
            DaemonError::Store(error) => store_error(&error),
            DaemonError::View(_) | DaemonError::Cursor { .. } => {
                Self::world("damaged", text, "restore a backup, or move the store away and run `syncline backfill`")
            }
            DaemonError::Clock { .. } => Self::world("clock", text, "set this machine's clock, or raise `max_drift`"),
            DaemonError::NoBackfill => Self::usage(
                "no_backfill",
                text,
                "run `syncline backfill` first, or carry out a whole plan with `apply`",
            ),
            DaemonError::Mapping => Self::usage(
                "mapping",
                text,
                "`syncline plan` shows what the new one implies, `syncline backfill` takes it in; or put the old one back",
            ),
            DaemonError::MappingChange(MappingChange::Unfinished) => Self::usage(
                "mapping",
                text,
                "put that mapping back, let `syncline backfill` finish, and then change it",
            ),
            DaemonError::MappingChange(_) => Self::usage(
                "mapping",
                text,
                "put it back, or name a new file as `path` under [store] and run `syncline backfill`",
            ),
            DaemonError::Plan(error) => Self::usage(
                "plan",
                text,
                match error {
                    PlanError::Mapping { .. } => "put the mapping back, or make a new plan with `syncline plan --out`",
                    PlanError::NoSuchId { .. } => "take an id from the plan: `record`, or one of `remote`",
                    PlanError::Io { .. } => "check the path and its folder's permissions",
                    PlanError::NotAPlan { .. } | PlanError::Version { .. } | PlanError::Damaged { .. } => {
                        "make a new plan with `syncline plan --out`"
                    }
                },
            ),
            DaemonError::Ended => Self::world("ended", text, "start it again"),
        }
    }
}

fn store_error(error: &StoreError) -> CliError {
    let text = error.to_string();
    // Its messages end with the mend.
    let (message, mend) = text.rsplit_once(": ").unwrap_or((&text, "see the message"));
    let code = match error {
        StoreError::Missing { .. } => return CliError::usage("no_backfill", message, mend),
        StoreError::InUse { .. } => "in_use",
        StoreError::NotAStore { .. } => "not_a_store",
        StoreError::NewerFormat { .. } => "newer_format",
        StoreError::OlderFormat { .. } => "older_format",
        StoreError::OutOfDisk => "disk_full",
        StoreError::Damaged { .. } | StoreError::TooLarge { .. } => "damaged",
        StoreError::Stopped | StoreError::Io(_) => "disk",
    };
    CliError::world(code, message, mend)
}

/// How long a store that somebody else has open is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const PAUSE: Duration = Duration::from_millis(200);
