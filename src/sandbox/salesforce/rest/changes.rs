//! `getUpdated` and `getDeleted`.

use serde_json::json;

use super::Call;
use super::rows::find_table;
use crate::sandbox::http::Response;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::time::{format_datetime, parse_datetime};
use crate::sandbox::salesforce::world::SalesforceWorld;

/// `GET /sobjects/{X}/updated?start=&end=`
pub fn updated(world: &SalesforceWorld, call: &Call<'_>, object: &str) -> Result<Response, Refusal> {
    let table = world.database.table(find_table(&world.database, object)?);
    let (start, end) = window(call, 30 * DAY)?;
    let within = |id| table.row(id).filter(|row| row.modified() < end && !row.is_deleted()).map(|_| id.to_string());
    let ids: Vec<String> = table.modified_since(start).filter_map(within).collect();
    Ok(Response::json(200, &json!({"ids": ids, "latestDateCovered": format_datetime(end.min(call.actor.now))})))
}

/// `GET /sobjects/{X}/deleted?start=&end=`
pub fn deleted(world: &SalesforceWorld, call: &Call<'_>, object: &str) -> Result<Response, Refusal> {
    let table = world.database.table(find_table(&world.database, object)?);
    let (start, end) = window(call, 15 * DAY)?;
    let within = |id| {
        let row = table.row(id).filter(|row| row.modified() < end && row.is_deleted())?;
        Some(json!({"id": format!("{id}"), "deletedDate": format_datetime(row.modified())}))
    };
    let records: Vec<_> = table.modified_since(start).filter_map(within).collect();
    let answer = json!({
        "deletedRecords": records,
        "earliestDateAvailable": format_datetime(call.actor.now - 15 * DAY),
        "latestDateCovered": format_datetime(end.min(call.actor.now)),
    });
    Ok(Response::json(200, &answer))
}

/// Start and end in seconds, to the minute; `reach` is how far back the start may lie.
fn window(call: &Call<'_>, reach: i64) -> Result<(i64, i64), Refusal> {
    let refused = |text: &str| Refusal::new(400, "INVALID_REPLICATION_DATE", text);
    let time = |name| {
        let text = call.param(name).unwrap_or_default();
        let millis = parse_datetime(&text).ok_or_else(|| refused(&format!("{name} is not a date and time")))?;
        Ok(millis.div_euclid(60_000) * 60)
    };
    let (start, end): (i64, i64) = (time("start")?, time("end")?);
    if end <= start {
        return Err(refused("endDate before startDate, or less than a minute after it"));
    }
    if start < call.actor.now - reach {
        return Err(refused("startDate is too far in the past"));
    }
    Ok((start, end))
}

const DAY: i64 = 86_400;
