//! Reading: queries, paged by the last value seen.

use super::super::beside::{weave, woven};
use super::super::client::Reply;
use super::super::overlap::Kept;
use super::super::rows::{self, Members, RowSet};
use super::super::transport::Request;
use super::super::{ConnectorError, DeletedPage, Keys, ReadAnswer, ReadSpec};
use super::Salesforce;
use super::junctions::Asked;
use super::user::{Own, TakenUp};
use super::wire::{self, BATCH, LITERAL_MAX, PATH_MAX, Page, Refusal};
use crate::model::{
    Departure, Mark, Millis, PageEnd, RawDigest, RawPage, RawRow, ReadRow, RemoteId, RowDecoder, Timing,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where a listing of changes or of deleted records stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// The last finished pass.
    kept: Kept,
    /// The pass under way.
    run: Option<Run>,
    /// Passes over all records, for ties that move no modified time; none = before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<AllPass>,
}

/// Where passes over all records stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AllPass {
    /// When the last one began, by the remote's clock.
    begun: i64,
    /// It is under way: where it goes on; blank = at the beginning.
    after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    /// What is kept when it is done.
    next: Kept,
    /// Everything before this time has been delivered...
    at: i64,
    /// ...and of this time everything up to this id.
    after: Option<String>,
}

impl Salesforce {
    pub(super) async fn scan(&self, spec: &ReadSpec, cursor: Option<&[u8]>) -> Result<RawPage, ConnectorError> {
        let what = format!("listing {}", spec.object);
        let asked = self.asked(&what, spec)?;
        let names = asked.columns.clone();
        let last = cursor.filter(|cursor| !cursor.is_empty()).map(std::str::from_utf8).transpose();
        let last = last.map_err(|_| self.client.protocol(&what, "a cursor of another program"))?;
        let behind = last.map(|id| format!("Id > {}", wire::literal(id)));
        let conditions: Vec<String> = live(&spec.object).map(str::to_owned).into_iter().chain(behind).collect();
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let own = self.own_user().await?;
        let rest = format!("{condition} ORDER BY Id LIMIT {}", wire::PAGE);
        let (body, timing) = self.select(&what, &spec.object, marked(&names, &own), &rest).await?;
        let page = self.parsed(&what, Page::parse(&body))?;
        let (rows, set) = self.rows(&what, names, own.as_deref(), &page, &body)?;
        let end = match rows.last() {
            Some(row) if !page.is_last() => PageEnd::More(row.remote.as_str().as_bytes().to_vec()),
            _ => PageEnd::Done(Vec::new()),
        };
        let (rows, decoder) = self.tied(&what, asked, (rows, Arc::new(set))).await?;
        Ok(RawPage { rows, decoder, timing, end })
    }

    pub(super) async fn changes(&self, spec: &ReadSpec, cursor: Option<&[u8]>) -> Result<RawPage, ConnectorError> {
        let what = format!("querying {} for changes", spec.object);
        let asked = self.asked(&what, spec)?;
        let names = asked.columns.clone();
        let mut all = self.all(&what, cursor)?;
        if let (Some(pass), Some(cursor)) = (&mut all, cursor)
            && let Some(after) = pass.after.take()
        {
            let mut page = self.scan(spec, Some(after.as_bytes())).await?;
            let done = matches!(page.end, PageEnd::Done(_));
            if let PageEnd::More(next) = &page.end {
                pass.after = Some(String::from_utf8_lossy(next).into_owned());
            }
            let bytes = self.with_all(&what, cursor.to_vec(), all)?;
            page.end = if done { PageEnd::Done(bytes) } else { PageEnd::More(bytes) };
            return Ok(page);
        }
        let (cursor, run) = match self.begin(&what, cursor).await? {
            Begun::Now(timing, end) => {
                let begun = timing.offset.earliest(timing.sent).0;
                let all = (!asked.is_plain()).then_some(AllPass { begun, after: None });
                let end = match end {
                    PageEnd::Done(bytes) => PageEnd::Done(self.with_all(&what, bytes, all)?),
                    more => more,
                };
                return Ok(RawPage { rows: Vec::new(), decoder: Arc::new(RowSet::default()), timing, end });
            }
            Begun::Run(kept, run) => (kept, run),
        };
        let own = self.own_user().await?;
        let and = and_live(&spec.object);
        let rest = self.behind(&what, &and, &run)?;
        let (body, timing) = self.select(&what, &spec.object, marked(&names, &own), &rest).await?;
        let page = self.parsed(&what, Page::parse(&body))?;
        let (rows, set) = self.rows(&what, names, own.as_deref(), &page, &body)?;
        let last = rows.last().map(|row| (row.remote.clone(), row.modified));
        let pass = run.next.pass;
        let end = match self.end(&what, cursor, run, last, page.is_last())? {
            PageEnd::More(bytes) => PageEnd::More(self.with_all(&what, bytes, all)?),
            PageEnd::Done(bytes) => {
                let due = all.as_ref().is_none_or(|all| pass >= all.begun + self.associations_every_ms);
                match due && !asked.is_plain() {
                    true => {
                        let all = Some(AllPass { begun: pass, after: Some(String::new()) });
                        PageEnd::More(self.with_all(&what, bytes, all)?)
                    }
                    false => PageEnd::Done(self.with_all(&what, bytes, all)?),
                }
            }
        };
        let (rows, decoder) = self.tied(&what, asked, (rows, Arc::new(set))).await?;
        Ok(RawPage { rows, decoder, timing, end })
    }

    pub(super) async fn deleted(&self, spec: &ReadSpec, cursor: Option<&[u8]>) -> Result<DeletedPage, ConnectorError> {
        let what = format!("querying {} for deleted records", spec.object);
        self.name(&what, &spec.object)?;
        let (cursor, run) = match self.begin(&what, cursor).await? {
            Begun::Now(timing, end) => return Ok(DeletedPage { rows: Vec::new(), timing, end }),
            Begun::Run(kept, run) => (kept, run),
        };
        // Only these can lose a merge, and only these have the field.
        let can_merge = ["Account", "Contact", "Lead"].iter().any(|name| name.eq_ignore_ascii_case(&spec.object));
        let mut names = if can_merge { vec![SURVIVOR.to_owned()] } else { Vec::new() };
        let mut and = "IsDeleted = TRUE AND ".to_owned();
        if live(&spec.object).is_some() {
            names.push(CONVERTED.to_owned());
            names.extend(INTO.iter().map(|(name, _)| (*name).to_owned()));
            and = format!("(IsDeleted = TRUE OR {CONVERTED} = TRUE) AND ");
        }
        let rest = self.behind(&what, &and, &run)?;
        let (body, timing) = self.select_of(&what, &spec.object, names, &rest, true).await?;
        let page = self.parsed(&what, Page::parse(&body))?;
        let mut rows = Vec::with_capacity(page.records.len());
        for record in &page.records {
            let members = self.parsed(&what, Members::parse(record.get()))?;
            let (id, at) = self.parsed(&what, wire::stamp(&members))?;
            let survivor = members.get(SURVIVOR).and_then(|json| serde_json::from_str::<String>(json).ok());
            let why = match survivor.and_then(|id| wire::id18(&id)) {
                Some(survivor) => Departure::Merged(survivor),
                None if members.get(CONVERTED) == Some("true") => {
                    let id = |name: &str| members.get(name).and_then(|json| serde_json::from_str::<String>(json).ok());
                    let into = |(name, object): &(&str, &str)| Some(((*object).to_owned(), wire::id18(&id(name)?)?));
                    Departure::Converted(INTO.iter().filter_map(into).collect())
                }
                None => Departure::Deleted,
            };
            rows.push((id, at, why));
        }
        let last = rows.last().map(|(id, at, _)| (id.clone(), *at));
        let end = self.end(&what, cursor, run, last, page.is_last())?;
        Ok(DeletedPage { rows, timing, end })
    }

    pub(super) async fn read(&self, spec: &ReadSpec, keys: Keys<'_>) -> Result<ReadAnswer, ConnectorError> {
        let what = format!("reading {}", spec.object);
        let asked = self.asked(&what, spec)?;
        let names = asked.columns.clone();
        let (property, keys) = distinct(keys);
        self.name(&what, property)?;
        // A longer text is an error in a query; leaving it out would say that no such record exists.
        if let Some(long) = keys.iter().find(|key| key.chars().count() > LITERAL_MAX) {
            let message = format!("a value of {property} has {} characters", long.chars().count());
            return Err(self.client.refused(&what, 0, "VALUE_TOO_LONG".into(), message));
        }
        let own = self.own_user().await?;
        let (columns, live) = (marked(&names, &own), and_live(&spec.object));
        let head = head(spec, property, &columns);
        let mut answer = ReadAnswer { rows: Vec::new(), timing: self.client.timing() };
        for (index, list) in lists(keys.into_iter(), room(&head)).iter().enumerate() {
            // More rows than one page holds are possible where the property is not unique: page by id.
            let mut last: Option<RemoteId> = None;
            loop {
                let behind = last.as_ref().map(|id| format!(" AND Id > {}", wire::literal(id.as_str())));
                let behind = behind.unwrap_or_default();
                let rest = format!(" WHERE {live}{property} IN ({list}){behind} ORDER BY Id LIMIT {}", wire::PAGE);
                let (body, timing) = self.select(&what, &spec.object, columns.clone(), &rest).await?;
                if index == 0 && last.is_none() {
                    answer.timing = timing;
                }
                let page = self.parsed(&what, Page::parse(&body))?;
                for record in &page.records {
                    let members = self.parsed(&what, Members::parse(record.get()))?;
                    let (remote, modified) = self.parsed(&what, wire::stamp(&members))?;
                    let values = self.parsed(&what, rows::values(&members, &names))?;
                    last = Some(remote.clone());
                    let (mark, who) = mark(&members, own.as_deref());
                    answer.rows.push(ReadRow { remote, modified, mark, who, values, history: Vec::new() });
                }
                if page.is_last() || page.records.is_empty() {
                    break;
                }
            }
        }
        if !asked.is_plain() && !answer.rows.is_empty() {
            let ids: Vec<String> = answer.rows.iter().map(|row| row.remote.as_str().to_owned()).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let ties = self.tie_values(&what, &asked, &ids).await?;
            answer.rows.iter_mut().zip(ties).for_each(|(row, ties)| weave(&mut row.values, &asked.places, &ties));
        }
        Ok(answer)
    }

    /// A page's rows with their ties.
    async fn tied(
        &self,
        what: &str,
        asked: Asked,
        (rows, decoder): (Vec<RawRow>, Arc<dyn RowDecoder>),
    ) -> Result<(Vec<RawRow>, Arc<dyn RowDecoder>), ConnectorError> {
        if asked.is_plain() || rows.is_empty() {
            return Ok((rows, decoder));
        }
        let ids: Vec<String> = rows.iter().map(|row| row.remote.as_str().to_owned()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let ties = self.tie_values(what, &asked, &ids).await?;
        Ok(woven((rows, decoder), asked.places, ties))
    }

    fn all(&self, what: &str, cursor: Option<&[u8]>) -> Result<Option<AllPass>, ConnectorError> {
        let Some(bytes) = cursor else { return Ok(None) };
        let cursor: Cursor =
            serde_json::from_slice(bytes).map_err(|_| self.client.protocol(what, "a cursor of another program"))?;
        Ok(cursor.all)
    }

    /// A cursor with where the passes over all records stand.
    fn with_all(&self, what: &str, bytes: Vec<u8>, all: Option<AllPass>) -> Result<Vec<u8>, ConnectorError> {
        let cursor: Cursor =
            serde_json::from_slice(&bytes).map_err(|_| self.client.protocol(what, "a cursor of another program"))?;
        self.bytes(what, &Cursor { all, ..cursor })
    }

    /// One call a list: more only where values that are not unique fill more than a page.
    pub(super) fn read_calls(&self, spec: &ReadSpec, keys: Keys<'_>) -> u64 {
        let asked = Asked::of(spec.properties.iter().chain(&spec.external_id).cloned());
        let (property, keys) = distinct(keys);
        let head = head(spec, property, &marked(&asked.columns, &self.user.known()));
        let ids: Vec<&str> = keys.iter().copied().collect();
        lists(keys.into_iter(), room(&head)).len() as u64 + asked.calls(&ids)
    }

    async fn begin(&self, what: &str, cursor: Option<&[u8]>) -> Result<Begun, ConnectorError> {
        let parse = |bytes| serde_json::from_slice::<Cursor>(bytes);
        let cursor = cursor.map(parse).transpose();
        let cursor = cursor.map_err(|_| self.client.protocol(what, "a cursor of another program"))?;
        if let Some(Cursor { kept, run: Some(run), .. }) = cursor {
            return Ok(Begun::Run(kept, run));
        }
        let timing = self.clock_known(what).await?;
        // Salesforce's times have whole seconds.
        let now = timing.offset.earliest(timing.sent).floor(SECOND_MS);
        let Some(Cursor { kept, .. }) = cursor else {
            let cursor = Cursor { kept: Kept::at(now), run: None, all: None };
            return Ok(Begun::Now(timing, PageEnd::Done(self.bytes(what, &cursor)?)));
        };
        let (since, next) = self.overlap.begin(kept, now);
        Ok(Begun::Run(kept, Run { next, at: since.floor(SECOND_MS).0, after: None }))
    }

    fn behind(&self, what: &str, and: &str, run: &Run) -> Result<String, ConnectorError> {
        let since = wire::since(Millis(run.at), run.after.as_deref());
        let since = since.ok_or_else(|| self.client.protocol(what, "a cursor of another program"))?;
        Ok(format!(" WHERE {and}{since} ORDER BY SystemModstamp ASC, Id ASC LIMIT {}", wire::PAGE))
    }

    fn end(
        &self,
        what: &str,
        kept: Kept,
        run: Run,
        last: Option<(RemoteId, Millis)>,
        is_last: bool,
    ) -> Result<PageEnd, ConnectorError> {
        Ok(match last {
            Some((id, at)) if !is_last => {
                let run = Run { next: run.next, at: at.0, after: Some(id.as_str().to_owned()) };
                PageEnd::More(self.bytes(what, &Cursor { kept, run: Some(run), all: None })?)
            }
            _ => PageEnd::Done(self.bytes(what, &Cursor { kept: run.next, run: None, all: None })?),
        })
    }

    /// The rows of a page, in its order.
    fn rows(
        &self,
        what: &str,
        names: Vec<String>,
        own: Option<&str>,
        page: &Page<'_>,
        body: &str,
    ) -> Result<(Vec<RawRow>, RowSet), ConnectorError> {
        let mut set = RowSet::new(names);
        set.body(body.to_owned());
        let mut rows = Vec::with_capacity(page.records.len());
        for record in &page.records {
            let members = self.parsed(what, Members::parse(record.get()))?;
            let (remote, modified) = self.parsed(what, wire::stamp(&members))?;
            let span = rows::span(body, record.get()).ok_or_else(|| self.client.protocol(what, "a row elsewhere"))?;
            let (mark, who) = mark(&members, own);
            self.parsed(what, set.push(span, &members))?;
            rows.push(RawRow { remote, modified, mark, who, raw: RawDigest(0) });
        }
        set.seal(&mut rows);
        Ok((rows, set))
    }

    /// Asks for columns of an object, without those that the org does not show: rows have no value for them then.
    async fn select(
        &self,
        what: &str,
        object: &str,
        columns: Vec<String>,
        rest: &str,
    ) -> Result<(String, Timing), ConnectorError> {
        self.select_of(what, object, columns, rest, false).await
    }

    /// The same; of `all` records, those in the recycle bin, too.
    async fn select_of(
        &self,
        what: &str,
        object: &str,
        mut columns: Vec<String>,
        rest: &str,
        all: bool,
    ) -> Result<(String, Timing), ConnectorError> {
        loop {
            columns = self.missing.without(object, columns, self.client.timing().sent);
            let soql = wire::select(object, &columns) + rest;
            let refusal = match self.query(what, &soql, all).await? {
                Ok(found) => return Ok(found),
                Err(refusal) => refusal,
            };
            // Each time there is one column less to ask for.
            if !self.missing.note(object, &columns, &refusal, self.client.timing().sent) {
                return Err(self.client.refused(what, 400, refusal.code, refusal.message));
            }
        }
    }

    /// The answer's body, or why the query was refused.
    pub(super) async fn query(
        &self,
        what: &str,
        soql: &str,
        all: bool,
    ) -> Result<Result<(String, Timing), Refusal>, ConnectorError> {
        let request = wire::query(&self.version, soql, all).ok_or_else(|| {
            let message = format!("so many fields make a query of {} characters, too long for a URL", soql.len());
            self.client.refused(what, 0, "QUERY_TOO_LONG".into(), message)
        })?;
        let reply = self.client.read(request).await?;
        let timing = reply.timing;
        if reply.answer.status == 400 {
            return Ok(Err(Refusal::of_answer(&reply.answer)));
        }
        Ok(Ok((self.expect(what, reply)?, timing)))
    }

    /// The id of the user whose token it is; asked for once. None where marks are off or the org does not say.
    async fn own_user(&self) -> Result<Option<String>, ConnectorError> {
        if !self.marks {
            return Ok(None);
        }
        let asking = loop {
            match self.user.take_up() {
                TakenUp::Known(own) => return Ok(own.user()),
                TakenUp::Asking(asking) => break asking,
                TakenUp::Elsewhere => self.client.transport.sleep(20).await,
            }
        };
        let reply = self.client.read(Request::get("/services/oauth2/userinfo")).await?;
        // A token may lack the right to ask. Then rows carry no mark.
        let own = match self.expect("asking whose token it is", reply) {
            Ok(body) => wire::user_of(&body).map_or(Own::Unknown, Own::User),
            Err(_) => Own::Unknown,
        };
        asking.done(own.clone());
        Ok(own.user())
    }

    /// Makes sure that something is known of Salesforce's clock, by a call that costs no quota.
    async fn clock_known(&self, what: &str) -> Result<Timing, ConnectorError> {
        if self.client.known_offset().is_none() {
            let reply = self.client.read(Request::get("/services/data")).await?;
            self.expect(what, reply)?;
        }
        Ok(self.client.timing())
    }

    /// A good answer's body, else the refusal.
    pub(super) fn expect(&self, what: &str, reply: Reply) -> Result<String, ConnectorError> {
        if reply.answer.status != 200 {
            let refusal = Refusal::of_answer(&reply.answer);
            return Err(self.client.refused(what, reply.answer.status, refusal.code, refusal.message));
        }
        self.client.text(what, reply.answer)
    }

    pub(super) fn parsed<T>(&self, what: &str, result: Result<T, String>) -> Result<T, ConnectorError> {
        result.map_err(|cause| self.client.protocol(what, cause))
    }

    /// All asked properties, the external id last; each is checked, for they are written into queries.
    fn asked(&self, what: &str, spec: &ReadSpec) -> Result<Asked, ConnectorError> {
        self.name(what, &spec.object)?;
        let asked = Asked::of(spec.properties.iter().chain(&spec.external_id).cloned());
        asked.columns.iter().try_for_each(|name| self.name(what, name))?;
        Ok(asked)
    }

    pub(super) fn name(&self, what: &str, name: &str) -> Result<(), ConnectorError> {
        match wire::is_name(name) {
            true => Ok(()),
            false => Err(self.client.refused(what, 0, "INVALID_NAME".into(), format!("`{name}` names nothing"))),
        }
    }

    fn bytes(&self, what: &str, cursor: &Cursor) -> Result<Vec<u8>, ConnectorError> {
        serde_json::to_vec(cursor).map_err(|error| self.client.protocol(what, error.to_string()))
    }
}

enum Begun {
    /// A first cursor.
    Now(Timing, PageEnd),
    /// A pass.
    Run(Kept, Run),
}

/// The property that is asked by, and its values without blanks and repetitions.
fn distinct(keys: Keys<'_>) -> (&str, BTreeSet<&str>) {
    let (property, mut keys): (&str, BTreeSet<&str>) = match keys {
        Keys::Ids(ids) => ("Id", ids.iter().map(RemoteId::as_str).collect()),
        Keys::Values { property, values } => (property, values.iter().map(String::as_str).collect()),
    };
    keys.remove("");
    (property, keys)
}

fn head(spec: &ReadSpec, property: &str, columns: &[String]) -> String {
    let live = and_live(&spec.object);
    format!("{} WHERE {live}{property} IN (", wire::select(&spec.object, columns))
}

/// Bytes of a URL that a list of literals may take.
fn room(head: &str) -> usize {
    PATH_MAX.saturating_sub(wire::literal_cost(head) + 200)
}

/// Lists of ids for a query that begins so.
pub(super) fn id_lists(ids: &[&str], head: &str) -> Vec<String> {
    lists(ids.iter().copied().filter(|id| !id.is_empty()), room(head))
}

/// Lists of literals, none with more than a batch or more bytes in a URL than `room`.
fn lists<'k>(keys: impl Iterator<Item = &'k str>, room: usize) -> Vec<String> {
    let mut lists: Vec<(String, usize, usize)> = Vec::new();
    for key in keys {
        let cost = wire::literal_cost(key);
        match lists.last_mut() {
            Some((list, count, used)) if *count < BATCH && *used + cost <= room => {
                list.push(',');
                list.push_str(&wire::literal(key));
                (*count, *used) = (*count + 1, *used + cost);
            }
            _ => lists.push((wire::literal(key), 1, cost)),
        }
    }
    lists.into_iter().map(|(list, _, _)| list).collect()
}

/// What leaves out the records of an object that are there and take no part any more: a lead that was converted cannot be
/// written to, and a contact stands in its place.
fn live(object: &str) -> Option<&'static str> {
    object.eq_ignore_ascii_case("Lead").then_some("IsConverted = FALSE")
}

/// The same before other conditions.
fn and_live(object: &str) -> String {
    live(object).map(|live| format!("{live} AND ")).unwrap_or_default()
}

/// The field that says whether a lead was converted.
const CONVERTED: &str = "IsConverted";
/// The fields that name what a lead has become, and what was made with it.
const INTO: [(&str, &str); 3] =
    [("ConvertedContactId", "Contact"), ("ConvertedAccountId", "Account"), ("ConvertedOpportunityId", "Opportunity")];
/// The field that names the winner of a merge.
const SURVIVOR: &str = "MasterRecordId";
const SECOND_MS: i64 = 1_000;

/// Who changed a row last, whichever field it was.
const LAST_BY: &str = "LastModifiedById";

/// The columns of a query: with the last changer where we know ourselves.
fn marked(names: &[String], own: &Option<String>) -> Vec<String> {
    names.iter().cloned().chain(own.iter().map(|_| LAST_BY.to_owned())).collect()
}

/// Whose change the last one was, and which user made it.
fn mark(members: &Members<'_>, own: Option<&str>) -> (Mark, Option<String>) {
    let by = members.get(LAST_BY).and_then(|json| serde_json::from_str::<String>(json).ok());
    let by = by.and_then(|id| wire::id18(&id)).map(|id| id.as_str().to_owned());
    let mark = match (own, &by) {
        (Some(own), Some(by)) if by == own => Mark::Ours,
        (Some(_), Some(_)) => Mark::Theirs,
        _ => Mark::Unknown,
    };
    (mark, by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_where_a_url_ends() {
        let keys: Vec<String> = (0..450).map(|n| format!("key-{n:05}")).collect();
        let cut = |room| lists(keys.iter().map(String::as_str), room).iter().map(|l| l.split(',').count()).collect();
        let by_count: Vec<usize> = cut(100_000);
        assert_eq!(by_count, [200, 200, 50]);
        let by_room: Vec<usize> = cut(160);
        assert!(by_room.iter().all(|count| *count == 10), "{by_room:?}");
        assert_eq!(lists(["a'b"].into_iter(), 0), [r"'a\'b'"]);
    }
}
