//! Reading: pages of the list and of the search, archived records, batches.

use super::super::beside::weave;
use super::super::client::Reply;
use super::super::overlap::Kept;
use super::super::rows::{self, Members, RowSet, moment};
use super::super::{ConnectorError, DeletedPage, Keys, ReadAnswer, ReadSpec};
use super::HubSpot;
use super::cursor::{AllPass, Cursor, Run};
use super::ties::Asked;
use super::wire::{self, BATCH, BATCH_HISTORY, Page, Refusal, Row, SEARCH_PAGE};
use crate::model::{
    Departure, Mark, Millis, PageEnd, PastValue, Raw, RawDigest, RawPage, RawRow, ReadRow, RemoteId, RowDecoder, Timing,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a listing of archived records stands.
#[derive(Serialize, Deserialize)]
struct Archived {
    kept: Kept,
    run: Option<ArchivedRun>,
}

#[derive(Serialize, Deserialize)]
struct ArchivedRun {
    next: Kept,
    since: i64,
    after: String,
}

impl HubSpot {
    pub(super) async fn scan(&self, spec: &ReadSpec, cursor: Option<&[u8]>) -> Result<RawPage, ConnectorError> {
        let what = format!("listing {}", spec.object);
        let object = self.object(&what, &spec.object)?;
        let after = cursor.filter(|cursor| !cursor.is_empty()).map(std::str::from_utf8).transpose();
        let after = after.map_err(|_| self.client.protocol(&what, "a cursor of another program"))?;
        let asked = Asked::of(names(spec));
        let names = asked.properties.clone();
        let whole = wire::list(&self.version, object, &names, after, false);
        let is_whole = whole.is_some();
        let request = match whole {
            Some(request) => request,
            None => self.ids_only(&what, object, after, false)?,
        };
        let reply = self.client.read(request).await?;
        let timing = reply.timing;
        let body = self.expect(&what, reply)?;
        let page = self.page(&what, &body)?;
        let end = page.after().map_or(PageEnd::Done(Vec::new()), |after| PageEnd::More(after.into_bytes()));
        let rows = match is_whole {
            true => self.rows(&what, object, names, &page, &body, |_, _| true)?,
            false => self.whole_rows(&what, object, names, &self.ids(&what, &page)?).await?,
        };
        let (rows, decoder) = self.tied(&what, object, asked, rows).await?;
        Ok(RawPage { rows, decoder, timing, end })
    }

    pub(super) async fn changes(&self, spec: &ReadSpec, cursor: Option<&[u8]>) -> Result<RawPage, ConnectorError> {
        let what = format!("searching {} for changes", spec.object);
        let object = self.object(&what, &spec.object)?;
        let Some(cursor) = cursor else {
            let timing = self.clock_known(&what, object).await?;
            let now = timing.offset.earliest(timing.sent);
            let cursor = Cursor { kept: Kept::at(now), run: None, all: Some(AllPass { begun: now.0, after: None }) };
            let end = PageEnd::Done(self.bytes(&what, &cursor)?);
            return Ok(RawPage { rows: Vec::new(), decoder: Arc::new(RowSet::default()), timing, end });
        };
        let mut cursor: Cursor = self.cursor(&what, cursor)?;
        if let Some(all) = &mut cursor.all
            && let Some(after) = all.after.take()
        {
            let mut page = self.scan(spec, Some(after.as_bytes())).await?;
            page.end = match page.end {
                PageEnd::More(next) => {
                    all.after = Some(String::from_utf8_lossy(&next).into_owned());
                    PageEnd::More(self.bytes(&what, &cursor)?)
                }
                PageEnd::Done(_) => PageEnd::Done(self.bytes(&what, &cursor)?),
            };
            return Ok(page);
        }
        let run = match cursor.run {
            Some(run) => run,
            None => {
                let timing = self.clock_known(&what, object).await?;
                let (since, next) = self.overlap.begin(cursor.kept, timing.offset.earliest(timing.sent));
                Run::new(since, next)
            }
        };
        let asked = Asked::of(names(spec));
        let (names, has_ties) = (asked.properties.clone(), !asked.beside.is_empty());
        let whole = wire::search(&self.version, object, &names, &run, SEARCH_PAGE);
        let is_whole = whole.is_some();
        let request = whole
            .or_else(|| wire::search(&self.version, object, &[], &run, BATCH as u32))
            .ok_or_else(|| self.client.protocol(&what, "the object's name is too long"))?;
        let reply = self.client.read(request).await?;
        let timing = reply.timing;
        let body = self.expect(&what, reply)?;
        let page = self.page(&what, &body)?;
        let stamps = self.stamps(&what, object, &page)?;
        let rows = match is_whole {
            true => self.rows(&what, object, names, &page, &body, |id, at| !run.delivered(id.as_str(), at))?,
            false => {
                let fresh = stamps.iter().filter(|(id, at)| !run.delivered(id, *at));
                let ids: Vec<&str> = fresh.map(|(id, _)| id.as_str()).collect();
                self.whole_rows(&what, object, names, &ids).await?
            }
        };
        let (rows, decoder) = self.tied(&what, object, asked, rows).await?;
        let after = page.after().map(|after| after.parse::<u32>()).transpose();
        let after = after.map_err(|_| self.client.protocol(&what, "the next page is not named by a number"))?;
        let settled = timing.offset.earliest(timing.sent).plus(-self.overlap.near_ms);
        let next = run.next;
        let end = match run.advance(&stamps, after, settled) {
            Some(run) => {
                PageEnd::More(self.bytes(&what, &Cursor { kept: cursor.kept, run: Some(run), all: cursor.all })?)
            }
            None if has_ties
                && cursor.all.as_ref().is_none_or(|all| next.pass >= all.begun + self.associations_every_ms) =>
            {
                let all = Some(AllPass { begun: next.pass, after: Some(String::new()) });
                PageEnd::More(self.bytes(&what, &Cursor { kept: next, run: None, all })?)
            }
            None => PageEnd::Done(self.bytes(&what, &Cursor { kept: next, run: None, all: cursor.all })?),
        };
        Ok(RawPage { rows, decoder, timing, end })
    }

    /// Archived records cannot be filtered by time: each pass lists them all, and keeps those of the cursor's time on.
    pub(super) async fn deleted(&self, spec: &ReadSpec, cursor: Option<&[u8]>) -> Result<DeletedPage, ConnectorError> {
        let what = format!("listing archived {}", spec.object);
        let object = self.object(&what, &spec.object)?;
        let Some(cursor) = cursor else {
            let timing = self.clock_known(&what, object).await?;
            let cursor = Archived { kept: Kept::at(timing.offset.earliest(timing.sent)), run: None };
            return Ok(DeletedPage { rows: Vec::new(), timing, end: PageEnd::Done(self.bytes(&what, &cursor)?) });
        };
        let cursor: Archived = self.cursor(&what, cursor)?;
        let (since, next, after) = match cursor.run {
            Some(run) => (Millis(run.since), run.next, Some(run.after)),
            None => {
                let timing = self.clock_known(&what, object).await?;
                let (since, next) = self.overlap.begin(cursor.kept, timing.offset.earliest(timing.sent));
                (since, next, None)
            }
        };
        let reply = self.client.read(self.ids_only(&what, object, after.as_deref(), true)?).await?;
        let timing = reply.timing;
        let body = self.expect(&what, reply)?;
        let page = self.page(&what, &body)?;
        let mut found = Vec::new();
        for row in &page.results {
            if let Some(at) = row.archived_at().filter(|at| *at >= since) {
                found.push((self.parsed(&what, row.id())?, at));
            }
        }
        let end = match page.after() {
            Some(after) => {
                let run = Some(ArchivedRun { next, since: since.0, after });
                PageEnd::More(self.bytes(&what, &Archived { kept: cursor.kept, run })?)
            }
            None => PageEnd::Done(self.bytes(&what, &Archived { kept: next, run: None })?),
        };
        let survivors = self.survivors(&what, object, &found).await?;
        let rows = found.into_iter().map(|(id, at)| {
            let survivor = survivors.get(id.as_str()).cloned();
            (id, at, survivor.map_or(Departure::Deleted, Departure::Merged))
        });
        Ok(DeletedPage { rows: rows.collect(), timing, end })
    }

    /// An id that was merged away still resolves: to the survivor, which names it.
    async fn survivors(
        &self,
        what: &str,
        object: &str,
        gone: &[(RemoteId, Millis)],
    ) -> Result<BTreeMap<String, RemoteId>, ConnectorError> {
        let ids: Vec<&str> = gone.iter().map(|(id, _)| id.as_str()).collect();
        let names = vec![MERGED_IDS.to_owned()];
        let mut survivors = BTreeMap::new();
        for chunk in ids.chunks(BATCH) {
            let (body, _) = self.batch(what, object, &names, None, chunk, false).await?;
            for row in &self.page(what, &body)?.results {
                let survivor = self.parsed(what, row.id())?;
                for id in row.text(MERGED_IDS).unwrap_or_default().split(';').filter(|id| *id != survivor.as_str()) {
                    survivors.insert(id.to_owned(), survivor.clone());
                }
            }
        }
        // Whether a batch resolves such ids is not documented; a read of one does. Taking a merge for a delete would be worse than
        // a call for each record that somebody deletes.
        for id in ids {
            if !survivors.contains_key(id)
                && let Some(survivor) = self.survivor(what, object, id).await?
            {
                survivors.insert(id.to_owned(), survivor);
            }
        }
        Ok(survivors)
    }

    async fn survivor(&self, what: &str, object: &str, id: &str) -> Result<Option<RemoteId>, ConnectorError> {
        let reply = self.client.read(wire::read_one(&self.version, object, id)).await?;
        if reply.answer.status == 404 {
            return Ok(None);
        }
        let body = self.expect(what, reply)?;
        let row: Row<'_> = self.parsed(what, serde_json::from_str(&body).map_err(|error| rows::fault(&error)))?;
        let survivor = self.parsed(what, row.id())?;
        Ok((survivor.as_str() != id).then_some(survivor))
    }

    pub(super) async fn read(
        &self,
        spec: &ReadSpec,
        keys: Keys<'_>,
        history: bool,
    ) -> Result<ReadAnswer, ConnectorError> {
        let what = format!("reading {}", spec.object);
        let object = self.object(&what, &spec.object)?;
        let asked = Asked::of(names(spec));
        let names = asked.properties.clone();
        let (id_property, keys) = distinct(keys);
        let mut answer = ReadAnswer { rows: Vec::new(), timing: self.client.timing() };
        for (index, chunk) in keys.chunks(batch_max(history)).enumerate() {
            let (body, timing) = self.batch(&what, object, &names, id_property, chunk, history).await?;
            if index == 0 {
                answer.timing = timing;
            }
            for row in &self.page(&what, &body)?.results {
                answer.rows.push(self.parsed(&what, self.read_row(object, row, spec, &names, history))?);
            }
        }
        if !asked.beside.is_empty() && !answer.rows.is_empty() {
            let ids: Vec<String> = answer.rows.iter().map(|row| row.remote.as_str().to_owned()).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let ties = self.tie_values(&what, object, &asked, &ids).await?;
            answer.rows.iter_mut().zip(ties).for_each(|(row, ties)| weave(&mut row.values, &asked.places, &ties));
        }
        Ok(answer)
    }

    pub(super) fn read_calls(&self, spec: &ReadSpec, keys: Keys<'_>, history: bool) -> u64 {
        let count = distinct(keys).1.len();
        (count.div_ceil(batch_max(history)) + Asked::of(names(spec)).calls(count)) as u64
    }

    fn read_row(
        &self,
        object: &str,
        row: &Row<'_>,
        spec: &ReadSpec,
        names: &[String],
        history: bool,
    ) -> Result<ReadRow, String> {
        let properties = row.properties.ok_or("a record has no properties")?;
        let values = rows::values(&Members::parse(properties.get())?, names)?;
        let history = match (history, row.properties_with_history) {
            (false, _) => Vec::new(),
            (true, None) => vec![Vec::new(); spec.properties.len()],
            (true, Some(all)) => {
                let all = Members::parse(all.get())?;
                let each = |name: &String| past_values(all.get(name).unwrap_or("[]"), self.app_id.as_deref());
                spec.properties.iter().map(each).collect::<Result<_, _>>()?
            }
        };
        Ok(ReadRow {
            remote: row.id()?,
            modified: row.modified(object)?,
            mark: Mark::Unknown,
            who: None,
            values,
            history,
        })
    }

    /// One batch read; gives the body and when it was asked for.
    async fn batch(
        &self,
        what: &str,
        object: &str,
        names: &[String],
        id_property: Option<&str>,
        keys: &[&str],
        history: bool,
    ) -> Result<(String, Timing), ConnectorError> {
        let request = wire::batch_read(&self.version, object, names, id_property, keys, history);
        let reply = self.client.read(request).await?;
        let timing = reply.timing;
        if reply.answer.status == 404 {
            let refusal = Refusal::of_answer(&reply.answer);
            // None of them exists. Any other 404 is a wrong path, and no proof that records are gone.
            if refusal.code == "OBJECT_NOT_FOUND" && !refusal.ids.is_empty() {
                return Ok((r#"{"results":[]}"#.to_owned(), timing));
            }
        }
        Ok((self.expect(what, reply)?, timing))
    }

    /// Rows by batch read, where a page could not carry so many properties.
    async fn whole_rows(
        &self,
        what: &str,
        object: &str,
        names: Vec<String>,
        ids: &[&str],
    ) -> Result<(Vec<RawRow>, Arc<dyn RowDecoder>), ConnectorError> {
        let mut set = RowSet::new(names.clone());
        let mut out = Vec::new();
        for chunk in ids.chunks(BATCH) {
            let (body, _) = self.batch(what, object, &names, None, chunk, false).await?;
            let page = self.page(what, &body)?;
            self.push_rows(what, object, &mut set, &mut out, &page, &body, |_, _| true)?;
        }
        Ok((out, Arc::new(set)))
    }

    fn rows(
        &self,
        what: &str,
        object: &str,
        names: Vec<String>,
        page: &Page<'_>,
        body: &str,
        wanted: impl Fn(&RemoteId, Millis) -> bool,
    ) -> Result<(Vec<RawRow>, Arc<dyn RowDecoder>), ConnectorError> {
        let mut set = RowSet::new(names);
        let mut out = Vec::new();
        self.push_rows(what, object, &mut set, &mut out, page, body, wanted)?;
        Ok((out, Arc::new(set)))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one loop body")]
    fn push_rows(
        &self,
        what: &str,
        object: &str,
        set: &mut RowSet,
        out: &mut Vec<RawRow>,
        page: &Page<'_>,
        body: &str,
        wanted: impl Fn(&RemoteId, Millis) -> bool,
    ) -> Result<(), ConnectorError> {
        set.body(body.to_owned());
        let from = out.len();
        let mut seen = BTreeSet::new();
        for row in &page.results {
            let remote = self.parsed(what, row.id())?;
            let modified = self.parsed(what, row.modified(object))?;
            if !wanted(&remote, modified) || !seen.insert(remote.clone()) {
                continue;
            }
            let properties = row.properties.map(|properties| properties.get());
            let properties = properties.ok_or_else(|| self.client.protocol(what, "a record has no properties"))?;
            let span = rows::span(body, properties).ok_or_else(|| self.client.protocol(what, "a row elsewhere"))?;
            let members = self.parsed(what, Members::parse(properties))?;
            self.parsed(what, set.push(span, &members))?;
            out.push(RawRow { remote, modified, mark: Mark::Unknown, who: None, raw: RawDigest(0) });
        }
        set.seal(&mut out[from..]);
        Ok(())
    }

    /// Makes sure that something is known of HubSpot's clock, by the cheapest call there is.
    async fn clock_known(&self, what: &str, object: &str) -> Result<Timing, ConnectorError> {
        if self.client.known_offset().is_none() {
            let path = format!("/crm/objects/{}/{object}?limit=1&archived=false", self.version);
            let reply = self.client.read(super::super::transport::Request::get(path)).await?;
            self.expect(what, reply)?;
        }
        Ok(self.client.timing())
    }

    fn ids_only(
        &self,
        what: &str,
        object: &str,
        after: Option<&str>,
        archived: bool,
    ) -> Result<super::super::transport::Request, ConnectorError> {
        let names = [wire::modified_property(object).to_owned()];
        wire::list(&self.version, object, &names, after, archived)
            .ok_or_else(|| self.client.protocol(what, "a cursor of another program"))
    }

    fn ids<'p>(&self, what: &str, page: &'p Page<'_>) -> Result<Vec<&'p str>, ConnectorError> {
        page.results.iter().map(|row| row.id_text().ok_or_else(|| self.client.protocol(what, "a bad id"))).collect()
    }

    fn stamps(&self, what: &str, object: &str, page: &Page<'_>) -> Result<Vec<(String, Millis)>, ConnectorError> {
        let each = |row: &Row<'_>| Ok((row.id()?.as_str().to_owned(), row.modified(object)?));
        page.results.iter().map(|row| self.parsed(what, each(row))).collect()
    }

    /// A good answer's body, else the refusal.
    pub(super) fn expect(&self, what: &str, reply: Reply) -> Result<String, ConnectorError> {
        if !matches!(reply.answer.status, 200..=207) {
            let refusal = Refusal::of_answer(&reply.answer);
            return Err(self.client.refused(what, reply.answer.status, refusal.code, refusal.message));
        }
        self.client.text(what, reply.answer)
    }

    fn page<'b>(&self, what: &str, body: &'b str) -> Result<Page<'b>, ConnectorError> {
        self.parsed(what, Page::parse(body))
    }

    pub(super) fn parsed<T>(&self, what: &str, result: Result<T, String>) -> Result<T, ConnectorError> {
        result.map_err(|cause| self.client.protocol(what, cause))
    }

    pub(super) fn object<'o>(&self, what: &str, object: &'o str) -> Result<&'o str, ConnectorError> {
        match wire::is_name(object) {
            true => Ok(object),
            false => Err(self.client.refused(what, 0, "INVALID_NAME".into(), format!("`{object}` names no object"))),
        }
    }

    fn cursor<T: for<'d> Deserialize<'d>>(&self, what: &str, bytes: &[u8]) -> Result<T, ConnectorError> {
        serde_json::from_slice(bytes).map_err(|_| self.client.protocol(what, "a cursor of another program"))
    }

    fn bytes<T: Serialize>(&self, what: &str, cursor: &T) -> Result<Vec<u8>, ConnectorError> {
        serde_json::to_vec(cursor).map_err(|error| self.client.protocol(what, error.to_string()))
    }
}

/// The property that is asked by (none = the id), and its values without blanks and repetitions.
fn distinct(keys: Keys<'_>) -> (Option<&str>, Vec<&str>) {
    let (property, keys): (_, BTreeSet<&str>) = match keys {
        Keys::Ids(ids) => (None, ids.iter().map(RemoteId::as_str).collect()),
        Keys::Values { property, values } => (Some(property), values.iter().map(String::as_str).collect()),
    };
    (property, keys.into_iter().filter(|key| !key.is_empty()).collect())
}

fn batch_max(history: bool) -> usize {
    if history { BATCH_HISTORY } else { BATCH }
}

/// All asked properties, the external id last.
fn names(spec: &ReadSpec) -> Vec<String> {
    spec.properties.iter().chain(&spec.external_id).cloned().collect()
}

/// A property's history, newest first as HubSpot gives it; entries without a time are left out, for they prove nothing.
fn past_values(json: &str, app_id: Option<&str>) -> Result<Vec<PastValue>, String> {
    let entries: Vec<Value> = serde_json::from_str(json).map_err(|error| rows::fault(&error))?;
    let each = |entry: &Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let timestamp = entry.get("timestamp")?;
        let at = timestamp.as_i64().map(Millis).or_else(|| moment(timestamp.as_str()?))?;
        let value = match entry.get("value") {
            None | Some(Value::Null) => Raw::Null,
            Some(Value::String(text)) => Raw::Text(text.as_str().into()),
            Some(other) => Raw::Text(other.to_string().into()),
        };
        let (source, id) = (text("sourceType").unwrap_or("UNKNOWN"), text("sourceId").filter(|id| !id.is_empty()));
        let who = match id {
            Some(id) if id.starts_with("userId:") => Some(id.to_owned()),
            Some(id) => Some(format!("{source}:{id}")),
            None => Some(source.to_owned()),
        };
        Some(PastValue { value, at, mark: mark(source, id, app_id), who })
    };
    Ok(entries.iter().filter_map(each).collect())
}

/// Whose write it was: ours only if an integration wrote it under our own app id.
fn mark(source: &str, id: Option<&str>, app_id: Option<&str>) -> Mark {
    let by_app = matches!(source, "INTEGRATION" | "API" | "INTEGRATIONS_PLATFORM" | "INTEGRATIONS_SYNC");
    match (app_id, id) {
        (None, _) => Mark::Unknown,
        (Some(ours), Some(id)) if by_app && id == ours => Mark::Ours,
        (Some(_), None) if by_app => Mark::Unknown,
        (Some(_), _) => Mark::Theirs,
    }
}

/// The property in which a survivor names the ids that were merged into it.
const MERGED_IDS: &str = "hs_merged_object_ids";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_tells_ours_from_theirs_only_where_our_app_is_known() {
        let json = r#"[{"value":"customer","timestamp":"2025-11-03T23:36:13.632Z","sourceType":"CRM_UI","sourceId":"userId:123","updatedByUserId":123},
            {"value":"","timestamp":"2025-11-03T23:36:12Z","sourceType":"INTEGRATION","sourceId":"19083857"},
            {"value":"lead","timestamp":"never"},
            {"value":null,"timestamp":1762212972000,"sourceType":"INTEGRATION"}]"#;
        let marks =
            |app: Option<&str>| past_values(json, app).unwrap().iter().map(|past| past.mark).collect::<Vec<_>>();
        assert_eq!(marks(None), [Mark::Unknown; 3]);
        assert_eq!(marks(Some("19083857")), [Mark::Theirs, Mark::Ours, Mark::Unknown]);
        assert_eq!(marks(Some("7")), [Mark::Theirs, Mark::Theirs, Mark::Unknown]);
        let past = past_values(json, None).unwrap();
        assert_eq!(past[0].who.as_deref(), Some("userId:123"));
        assert_eq!((past[1].value.clone(), past[1].at), (Raw::Text(String::new().into()), Millis(1_762_212_972_000)));
        assert_eq!(past[2].value, Raw::Null);
    }
}
