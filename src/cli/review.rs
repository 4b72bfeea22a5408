//! `syncline review`: what waits for a person, and what persons decide.

use super::ground::{self, Ground};
use super::output::plain;
use super::{CliError, Context, Exit, Output};
use crate::daemon::reviews::{self, Choice, Pick};
use crate::daemon::{DaemonError, recall_people};
use crate::rules::config::Config;
use crate::store::Store;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Options of `review`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReviewArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Of this entity only.
    #[arg(long, global = true, value_name = "ENTITY")]
    entity: Option<String>,
    /// Of this field only.
    #[arg(long, global = true, value_name = "FIELD")]
    field: Option<String>,
    /// Write what is asked to this file (CSV), with a column `decided` to be filled in.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Carry out what stands in the column `decided` of such a file: the name of a system, or `=VALUE`. What was asked again since
    /// is left alone.
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    import: Option<PathBuf>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Action {
    /// Show one of them.
    Show {
        /// Its id.
        id: String,
    },
    /// Decide: the value of a system, or another one, goes to all systems.
    Accept(AcceptArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct AcceptArgs {
    /// Its id.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// The system whose value goes to all.
    #[arg(required_unless_present_any = ["all", "value"], conflicts_with_all = ["all", "value"])]
    system: Option<String>,
    /// This value goes to all.
    #[arg(long, value_name = "VALUE", conflicts_with = "all")]
    value: Option<String>,
    /// Only if it was not asked again since this version was shown.
    #[arg(long, value_name = "VERSION", conflicts_with = "all")]
    asked: Option<u64>,
    /// Decide all of them (of --entity, of --field) alike.
    #[arg(long, requires = "side")]
    all: bool,
    /// With --all: the system whose values go to all.
    #[arg(long, value_name = "SYSTEM", requires = "all")]
    side: Option<String>,
}

/// Runs it.
pub fn run(args: &ReviewArgs, context: &Context) -> Result<Exit, CliError> {
    let config = context.load()?;
    ground::runtime()?.block_on(async {
        let list = ask(&config, &json!({ "cmd": "reviews" })).await?;
        let rows: Vec<&Value> = rows(&list).filter(|row| args.means(row)).collect();
        let picks = match (&args.action, &args.import) {
            (Some(Action::Show { id }), _) => return show(id, &list, context.output),
            (Some(Action::Accept(accept)), _) => accept.picks(&rows),
            (None, Some(file)) => read_csv(file)?,
            (None, None) => {
                match &args.export {
                    Some(file) => write_csv(file, &config, &rows, context.output)?,
                    None => show_all(&rows, context.output),
                }
                context.output.document(&json!({ "reviews": rows }));
                return Ok(Exit::Equal);
            }
        };
        let what = ground::on_behalf("review");
        let outcome = ask(&config, &json!({ "cmd": "decide", "what": what, "picks": picks })).await?;
        Ok(told(&outcome, context.output))
    })
}

impl ReviewArgs {
    fn means(&self, row: &Value) -> bool {
        let is = |wanted: &Option<String>, key: &str| wanted.as_ref().is_none_or(|wanted| row[key] == **wanted);
        is(&self.entity, "entity") && is(&self.field, "field")
    }
}

impl AcceptArgs {
    fn picks(&self, rows: &[&Value]) -> Vec<Pick> {
        if let (true, Some(side)) = (self.all, &self.side) {
            let pick = |row: &&Value| Pick {
                id: text(&row["id"]),
                version: row["version"].as_u64(),
                choice: Choice::Side(side.clone()),
            };
            return rows.iter().map(pick).collect();
        }
        let choice = match (&self.value, &self.system) {
            (Some(value), _) => Choice::Value(value.clone()),
            (None, system) => Choice::Side(system.clone().unwrap_or_default()),
        };
        let id = self.id.clone().unwrap_or_default();
        vec![Pick { id, version: self.asked, choice }]
    }
}

/// Asks the daemon, or does it in the store that nobody holds.
async fn ask(config: &Config, request: &Value) -> Result<Value, CliError> {
    match ground::ask_for_or_open(config, request).await? {
        Ground::Daemon(answer) => Ok(answer),
        Ground::Store(store) => in_store(config, &store, request),
    }
}

fn in_store(config: &Config, store: &Store, request: &Value) -> Result<Value, CliError> {
    let mut rules = config.rules.clone();
    let view = store.snapshot().map_err(DaemonError::from)?;
    recall_people(&mut rules, store)?;
    if request["cmd"] == "reviews" {
        return Ok(reviews::document(&rules, &view).map_err(DaemonError::from)?);
    }
    let picks: Vec<Pick> = serde_json::from_value(request["picks"].clone()).unwrap_or_default();
    Ok(reviews::decide_in(&rules, store, &text(&request["what"]), &picks)?)
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list["reviews"].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => plain(text),
        value => value.to_string(),
    }
}

/// `hubspot "a", salesforce "b"`.
fn sides(row: &Value) -> String {
    let sides = row["sides"].as_object().into_iter().flatten();
    sides.map(|(system, side)| format!("{system}: {}", text(&side["value"]))).collect::<Vec<_>>().join(" | ")
}

fn show_all(rows: &[&Value], output: Output) {
    if rows.is_empty() {
        output.say("nothing waits for a decision");
        return;
    }
    let cells = rows.iter().map(|row| {
        let cell = |key: &str| text(&row[key]);
        [cell("id"), cell("entity"), cell("field"), sides(row), cell("since"), cell("expires")]
    });
    output.table(["id", "entity", "field", "values", "since", "expires"], cells);
    output.say("decide with `syncline review accept ID SYSTEM`, or --value VALUE");
}

fn show(id: &str, list: &Value, output: Output) -> Result<Exit, CliError> {
    let Some(row) = rows(list).find(|row| row["id"] == *id) else {
        return Err(CliError::usage("no_such_review", format!("nothing is asked as {id}"), "see `syncline review`"));
    };
    let remote = |system: &str| text(&row["remote"][system]);
    output.line(format!(
        "{} {}, version {}, asked {}",
        text(&row["entity"]),
        text(&row["field"]),
        row["version"],
        text(&row["since"])
    ));
    if !row["expires"].is_null() {
        output.say(format!("decides by itself at {}", text(&row["expires"])));
    }
    let cells = row["sides"].as_object().into_iter().flatten();
    let cells = cells.map(|(system, side)| [system.clone(), remote(system), text(&side["value"]), text(&side["at"])]);
    output.table(["system", "record", "value", "entered"], cells);
    output.document(row);
    Ok(Exit::Equal)
}

fn told(outcome: &Value, output: Output) -> Exit {
    output.say(format!("{} decided", outcome["decided"]));
    let refused: Vec<&Value> = outcome["refused"].as_array().into_iter().flatten().collect();
    for refusal in &refused {
        output.line(format!("{}: {}", text(&refusal["id"]), text(&refusal["message"])));
    }
    output.document(outcome);
    if refused.is_empty() { Exit::Equal } else { Exit::Problems }
}

fn write_csv(file: &Path, config: &Config, rows: &[&Value], output: Output) -> Result<(), CliError> {
    let systems: Vec<&str> = config.rules.systems.iter().map(|system| &*system.name).collect();
    let write = || -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_path(file)?;
        let header = ["id", "version", "entity", "field"].into_iter().chain(systems.iter().copied());
        writer.write_record(header.chain(["since", "expires", "decided"]))?;
        for row in rows {
            let cell = |key: &str| text(&row[key]);
            let values = systems.iter().map(|system| inert(text(&row["sides"][*system]["value"])));
            let front = ["id", "version", "entity", "field"].map(cell);
            writer.write_record(front.into_iter().chain(values).chain([
                cell("since"),
                cell("expires"),
                String::new(),
            ]))?;
        }
        Ok(writer.flush()?)
    };
    write().map_err(|error| csv_error(file, &error))?;
    output.say(format!("{} reviews in {}", rows.len(), file.display()));
    output.say("fill in `decided`: the name of a system, or =VALUE; then `syncline review --import FILE`");
    Ok(())
}

/// A cell that no spreadsheet takes for a formula. Import reads none of them.
fn inert(cell: String) -> String {
    let formula = cell.starts_with(['=', '@', '+', '-']) && cell.chars().any(|char| char.is_alphabetic());
    if formula { format!("'{cell}") } else { cell }
}

fn read_csv(file: &Path) -> Result<Vec<Pick>, CliError> {
    let read = || -> Result<Vec<Pick>, csv::Error> {
        let mut reader = csv::Reader::from_path(file)?;
        let header = reader.headers()?.clone();
        let at = |name: &str| header.iter().position(|column| column == name);
        let (id, version, decided) = (at("id"), at("version"), at("decided"));
        let mut picks = Vec::new();
        for record in reader.records() {
            let record = record?;
            let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default().trim().to_owned();
            let choice = match cell(decided) {
                text if text.is_empty() => continue,
                text => match text.strip_prefix('=') {
                    Some(value) => Choice::Value(value.to_owned()),
                    None => Choice::Side(text),
                },
            };
            // Without a version nobody knows what was decided about.
            picks.push(Pick { id: cell(id), version: Some(cell(version).parse().unwrap_or_default()), choice });
        }
        Ok(picks)
    };
    read().map_err(|error| csv_error(file, &error))
}

fn csv_error(file: &Path, error: &csv::Error) -> CliError {
    CliError::usage(
        "csv",
        format!("{}: {error}", file.display()),
        "name a file that `syncline review --export` wrote, or another place",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_holds_is_no_formula() {
        for (cell, wanted) in
            [("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("@sum", "'@sum"), ("+1 202-555", "+1 202-555"), ("-", "-")]
        {
            assert_eq!(inert(cell.to_owned()), wanted);
        }
    }
}
