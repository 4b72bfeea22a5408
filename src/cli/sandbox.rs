//! `syncline sandbox`: an emulated HubSpot and Salesforce on loopback.

use super::{CliError, Context, Exit, Output, ground};
use crate::sandbox::faults::Faults;
use crate::sandbox::limits::Limits;
use crate::sandbox::listener::{self, Running, SandboxConfig};
use crate::sandbox::seed::SeedPlan;
use serde_json::{Map, Value};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Options of `sandbox`.
#[derive(Debug, Clone, clap::Args)]
pub struct SandboxArgs {
    /// Where HubSpot listens; port 0 = any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub hubspot: SocketAddr,
    /// Where Salesforce listens; port 0 = any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub salesforce: SocketAddr,
    /// Seed of the records.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// People in both systems together; a quarter as many companies, two fifths as many deals.
    #[arg(long, default_value_t = 2000)]
    pub records: usize,
    /// Share of the records that stand in both systems.
    #[arg(long, default_value_t = 0.6, value_parser = share)]
    pub overlap: f64,
    /// No records, only the standard schema, an owner and a deal pipeline.
    #[arg(long, conflicts_with_all = ["hubspot_csv", "salesforce_csv"])]
    pub empty: bool,
    /// Leave out the properties that hold our external id.
    #[arg(long)]
    pub no_external_id: bool,
    /// As many records that could be matched with several.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub ambiguous: usize,
    /// As many leads in Salesforce, every second of them a contact in HubSpot as well.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub leads: usize,
    /// HubSpot's records from CSV files instead, one file per object.
    #[arg(long, value_name = "DIR")]
    pub hubspot_csv: Option<PathBuf>,
    /// Salesforce's records from CSV files instead, one file per object.
    #[arg(long, value_name = "DIR")]
    pub salesforce_csv: Option<PathBuf>,
    /// Faults as JSON, inline or as @FILE: {"latency_ms":50,"error":0.1,"lost_answer":0.05}.
    #[arg(long, value_name = "SPEC", value_parser = spec)]
    pub faults: Option<Map<String, Value>>,
    /// Limits as JSON, inline or as @FILE.
    #[arg(long, value_name = "SPEC", value_parser = spec)]
    pub limits: Option<Map<String, Value>>,
}

/// Runs it.
pub fn run(args: &SandboxArgs, context: &Context) -> Result<Exit, CliError> {
    let config = config(args)?;
    ground::runtime()?.block_on(async {
        let running = serve(config).await?;
        // One line, whoever reads it: scripts wait for it.
        Output { json: true }.document(&running.ready);
        if !context.output.json && std::io::stdout().is_terminal() {
            context
                .output
                .say("serving; stop it with Ctrl-C. Next: save that line, and `syncline init --sandbox FILE`");
        }
        ground::stopped().await;
        running.stop().await;
        Ok(Exit::Equal)
    })
}

/// Starts serving.
pub(super) async fn serve(config: SandboxConfig) -> Result<Running, CliError> {
    listener::serve(config).await.map_err(|error| {
        CliError::usage(
            "sandbox",
            format!("the sandbox cannot be served: {error}"),
            "mend the file, or name another port",
        )
    })
}

fn config(args: &SandboxArgs) -> Result<SandboxConfig, CliError> {
    let SandboxArgs { records, overlap, ambiguous, leads, .. } = *args;
    let data = SeedPlan { records, overlap, ambiguous, leads };
    let refused = |flag: &str, cause: String| {
        CliError::usage("usage", format!("{flag} is not understood: {cause}"), "see `syncline sandbox --help`")
    };
    let text = |spec: &Option<Map<String, Value>>| Value::Object(spec.clone().unwrap_or_default()).to_string();
    let faults = Faults::parse(&text(&args.faults)).map_err(|cause| refused("--faults", cause))?;
    let limits = match &args.limits {
        None => None,
        Some(_) => Some(Limits::parse(&text(&args.limits)).map_err(|cause| refused("--limits", cause))?),
    };
    Ok(SandboxConfig {
        hubspot: Some(args.hubspot),
        salesforce: Some(args.salesforce),
        seed: args.seed,
        data: (!args.empty).then_some(data),
        hubspot_csv: args.hubspot_csv.clone(),
        salesforce_csv: args.salesforce_csv.clone(),
        external_id: !args.no_external_id,
        faults,
        limits,
    })
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "write a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("write a number from 0 to 1".to_owned()) }
}

/// A JSON object, inline or as `@FILE`.
fn spec(text: &str) -> Result<Map<String, Value>, String> {
    let json = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?,
    };
    match serde_json::from_str(&json) {
        Ok(Value::Object(spec)) => Ok(spec),
        Ok(_) => Err("write a JSON object, as in {\"error\":0.1}".to_owned()),
        Err(error) => Err(format!("that is no JSON: {error}")),
    }
}
