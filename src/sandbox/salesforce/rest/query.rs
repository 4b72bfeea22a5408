//! Queries and their pages.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value as Json, json};

use super::Call;
use crate::sandbox::http::Response;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::soql::{Answer, Shape, run};
use crate::sandbox::salesforce::world::SalesforceWorld;

/// The results that are still to be fetched.
#[derive(Debug, Default)]
pub struct Cursors {
    open: BTreeMap<Id, Cursor>,
    /// The oldest first, to let it go when there are too many.
    age: VecDeque<Id>,
    minted: u64,
}

#[derive(Debug)]
struct Cursor {
    table: usize,
    shape: Shape,
    ids: Vec<Id>,
    opened_ms: i64,
}

impl Cursors {
    /// Ends all of them.
    pub fn clear(&mut self) {
        self.open.clear();
        self.age.clear();
    }

    fn keep(&mut self, cursor: Cursor) -> Id {
        self.minted += 1;
        let id = Id::mint("01g", *b"RO", self.minted);
        self.open.insert(id, cursor);
        self.age.push_back(id);
        if self.age.len() > CURSORS_MAX
            && let Some(oldest) = self.age.pop_front()
        {
            self.open.remove(&oldest);
        }
        id
    }
}

/// `GET /query?q=` and, with the recycle bin, `GET /queryAll?q=`
pub fn start(world: &mut SalesforceWorld, call: &Call<'_>, all_rows: bool) -> Result<Response, Refusal> {
    let source =
        call.param("q").ok_or_else(|| Refusal::new(400, "MALFORMED_QUERY", "A query string has to be specified"))?;
    match run(&world.database, &source, all_rows, call.now_ms)? {
        Answer::Count(count) => Ok(Response::json(200, &json!({"totalSize": count, "done": true, "records": []}))),
        Answer::Groups(records) if records.len() > PAGE_MAX => {
            let text =
                "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
            Err(Refusal::new(400, "EXCEEDED_ID_LIMIT", text))
        }
        Answer::Groups(records) => {
            Ok(Response::json(200, &json!({"totalSize": records.len(), "done": true, "records": records})))
        }
        Answer::Rows { table, shape, ids } => {
            let cursor = Cursor { table, shape, ids, opened_ms: call.now_ms };
            if cursor.ids.len() <= page_size(call) {
                return Ok(Response::json(200, &page(world, call, &cursor, 0, None)));
            }
            let id = world.cursors.keep(cursor);
            fetch(world, call, id, 0)
        }
    }
}

/// `GET /query/{locator}`
pub fn more(world: &SalesforceWorld, call: &Call<'_>, locator: &str) -> Result<Response, Refusal> {
    let (id, offset) = locator.split_once('-').ok_or_else(stale)?;
    fetch(world, call, Id::parse(id).ok_or_else(stale)?, offset.parse().map_err(|_| stale())?)
}

fn fetch(world: &SalesforceWorld, call: &Call<'_>, id: Id, offset: usize) -> Result<Response, Refusal> {
    let cursor = world.cursors.open.get(&id).ok_or_else(stale)?;
    if offset > cursor.ids.len() || call.now_ms - cursor.opened_ms > CURSOR_LIFE_MS {
        return Err(stale());
    }
    Ok(Response::json(200, &page(world, call, cursor, offset, Some(id))))
}

fn page(world: &SalesforceWorld, call: &Call<'_>, cursor: &Cursor, offset: usize, id: Option<Id>) -> Json {
    let table = world.database.table(cursor.table);
    let end = offset.saturating_add(page_size(call)).min(cursor.ids.len());
    let record = |id: &Id| table.row(*id).map(|row| cursor.shape.json(&world.database, &call.base, *id, row));
    let records: Vec<Json> = cursor.ids.get(offset..end).unwrap_or_default().iter().filter_map(record).collect();
    let done = end == cursor.ids.len();
    let mut page = json!({"totalSize": cursor.ids.len(), "done": done});
    page["records"] = Json::Array(records);
    if let (false, Some(id)) = (done, id) {
        page["nextRecordsUrl"] = json!(format!("{}/query/{id}-{end}", call.base));
    }
    page
}

/// `Sforce-Query-Options: batchSize=N`, held between the bounds.
fn page_size(call: &Call<'_>) -> usize {
    let options = call.request.header("sforce-query-options").unwrap_or_default();
    let size = options.split([',', ';']).find_map(|option| {
        let (name, size) = option.split_once('=')?;
        name.trim().eq_ignore_ascii_case("batchSize").then(|| size.trim().parse().ok())?
    });
    size.unwrap_or(PAGE_MAX).clamp(PAGE_MIN, PAGE_MAX)
}

fn stale() -> Refusal {
    Refusal::new(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
}

const PAGE_MIN: usize = 200;
const PAGE_MAX: usize = 2_000;
const CURSORS_MAX: usize = 500;
const CURSOR_LIFE_MS: i64 = 2 * 86_400_000;
