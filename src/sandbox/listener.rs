//! The sandbox as a whole: both systems made, filled and served.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::csv;
use super::faults::Faults;
use super::hubspot::HubSpotWorld;
use super::limits::Limits;
use super::salesforce::SalesforceWorld;
use super::seed::{Dataset, SeedPlan, SeedSummary};
use super::server::{Server, wall_clock_ms};
use super::system::{Furnish, System};
use super::tokens::Tokens;

/// What to serve, and where.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where HubSpot listens, port 0 for any free one; `None` leaves it out.
    pub hubspot: Option<SocketAddr>,
    /// Where Salesforce listens.
    pub salesforce: Option<SocketAddr>,
    /// What data, tokens and faults follow from.
    pub seed: u64,
    /// The seeded data; `None` for no records. Left aside where CSV files are given for any system.
    pub data: Option<SeedPlan>,
    /// A folder of `contacts.csv`, `companies.csv`, `deals.csv`.
    pub hubspot_csv: Option<PathBuf>,
    /// A folder of `Contact.csv`, `Account.csv`, `Opportunity.csv`.
    pub salesforce_csv: Option<PathBuf>,
    /// Whether both systems are born with the external-id properties.
    pub external_id: bool,
    /// The faults at the start, on both servers.
    pub faults: Faults,
    /// The limits of both accounts.
    pub limits: Option<Limits>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        let anywhere = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self {
            hubspot: anywhere,
            salesforce: anywhere,
            seed: 1,
            data: Some(SeedPlan::default()),
            hubspot_csv: None,
            salesforce_csv: None,
            external_id: true,
            faults: Faults::default(),
            limits: None,
        }
    }
}

/// A sandbox that is serving.
pub struct Running {
    /// The document of the ready line: where each system is and how to get in.
    pub ready: Value,
    /// What it was filled with; all zero when that came from CSV files.
    pub summary: SeedSummary,
    /// The HubSpot server.
    pub hubspot: Option<Server>,
    /// The Salesforce server.
    pub salesforce: Option<Server>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Stops serving: answers under way are finished, but not waited for any longer than a moment.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout(GRACE, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

/// Makes both systems, fills them, and serves them on loopback until [`Running::stop`] or the end of the runtime.
///
/// # Errors
///
/// When an address cannot be bound, or a CSV file cannot be read; the message then names file, line and cause.
pub async fn serve(config: SandboxConfig) -> io::Result<Running> {
    let now_ms = wall_clock_ms();
    let has_csv = config.hubspot_csv.is_some() || config.salesforce_csv.is_some();
    let data = config.data.filter(|_| !has_csv).map(|plan| Dataset::generate(plan, config.seed, now_ms));
    let (stop, stopped) = watch::channel(false);
    let mut running = Running {
        ready: json!({}),
        summary: data.as_ref().map(Dataset::summary).unwrap_or_default(),
        hubspot: None,
        salesforce: None,
        stop,
        tasks: Vec::new(),
    };

    if let Some(address) = config.hubspot {
        let tokens = Tokens::derive("hubspot", config.seed);
        let mut world = HubSpotWorld::new(tokens.clone(), config.seed);
        if !config.external_id {
            for object in ["contacts", "companies", "deals", "p_project"] {
                world.remove_field(object, "syncline_id");
            }
        }
        if let Some(dir) = &config.hubspot_csv {
            csv::load(&mut world, dir, csv::HUBSPOT, now_ms).map_err(io::Error::other)?;
        }
        if let Some(data) = &data {
            data.fill_hubspot(&mut world).map_err(io::Error::other)?;
        }
        let (server, task) = start(Box::new(world), address, &config, stopped.clone()).await?;
        running.ready["hubspot"] = json!({
            "url": server.url(), "token": tokens.token, "user_token": tokens.user_token,
            "client_id": tokens.client_id, "client_secret": tokens.client_secret,
            "refresh_token": tokens.refresh_token, "app_id": tokens.app_id, "developer_key": tokens.developer_key,
        });
        running.hubspot = Some(server);
        running.tasks.push(task);
    }
    if let Some(address) = config.salesforce {
        let tokens = Tokens::derive("salesforce", config.seed);
        let mut world = SalesforceWorld::new(tokens.clone(), config.seed);
        if !config.external_id {
            for object in ["Contact", "Lead", "Account", "Opportunity", "Project__c"] {
                world.remove_field(object, "Syncline_Id__c");
            }
        }
        if let Some(dir) = &config.salesforce_csv {
            csv::load(&mut world, dir, csv::SALESFORCE, now_ms).map_err(io::Error::other)?;
        }
        if let Some(data) = &data {
            data.fill_salesforce(&mut world).map_err(io::Error::other)?;
        }
        let (server, task) = start(Box::new(world), address, &config, stopped.clone()).await?;
        running.ready["salesforce"] = json!({
            "url": server.url(), "token": tokens.token, "user_token": tokens.user_token,
            "client_id": tokens.client_id, "client_secret": tokens.client_secret, "username": tokens.username,
            "password": tokens.password, "refresh_token": tokens.refresh_token,
            // Neither signed tokens nor the event bus are emulated yet.
            "jwt_key_file": null, "pubsub": null,
        });
        running.salesforce = Some(server);
        running.tasks.push(task);
    }
    Ok(running)
}

/// The text of a `--faults` or `--limits` argument: itself, or with `@` before it the contents of the file it names.
///
/// # Errors
///
/// When the file cannot be read.
pub fn argument_text(argument: &str) -> io::Result<String> {
    match argument.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
        }
        None => Ok(argument.to_owned()),
    }
}

async fn start(
    mut system: Box<dyn System>,
    address: SocketAddr,
    config: &SandboxConfig,
    stopped: watch::Receiver<bool>,
) -> io::Result<(Server, JoinHandle<()>)> {
    system.set_limits(config.limits);
    Server::start(system, address, config.faults.clone(), config.seed, stopped).await
}

const GRACE: Duration = Duration::from_secs(2);
