//! `syncline sandbox`: an emulated HubSpot and Salesforce on loopback.

use super::{CliError, Context, Exit};
use serde_json::{Map, Value};
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
pub fn run(args: &SandboxArgs, _context: &Context) -> Result<Exit, CliError> {
    serve(args)
}

/// Serves until it is told to stop.
fn serve(_args: &SandboxArgs) -> Result<Exit, CliError> {
    Err(CliError::not_built("`syncline sandbox`"))
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
