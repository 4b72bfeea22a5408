//! What every connector promises, as a test that any of them can be put to: against an emulator, a sandbox account, or your
//! own system. It makes three records and deletes two of them.

use super::{BoxFuture, Connector, Keys, Outcome, ReadSpec, Target, WriteItem};
use crate::model::{Creates, Departure, OpId, PageEnd, Raw, RawDigest, ReadRow, RemoteId, SourceKind, Timing};
use std::collections::BTreeMap;

/// What the test works with.
pub struct Case<'a> {
    /// The object.
    pub object: &'a str,
    /// Two text properties that may be cleared one at a time (the first) or always are kept (the second).
    pub texts: [&'a str; 2],
    /// The unique property that holds the external id.
    pub external_id: &'a str,
    /// What else a create needs.
    pub required: Vec<(String, Raw)>,
    /// Makes the keys of this run its own.
    pub run: &'a str,
    /// Deletes a record as a person does; without it deletes are not tested, ours neither.
    pub delete: Option<&'a (dyn Fn(RemoteId) -> BoxFuture<'a, ()> + Sync)>,
}

/// Puts a connector to the test; an error says which promise it broke.
pub async fn check(connector: &dyn Connector, case: &Case<'_>) -> Result<(), String> {
    let test = Test { connector, case };
    let (calls, changes, deleted) = (connector.calls(), test.changes_from_now().await?, test.deleted_from_now().await?);
    let ids = test.creates().await?;
    test.repeated_creates(&ids).await?;
    test.schema().await?;
    let before = test.scan(&ids).await?;
    let changes = test.changes(&changes, &ids).await?;
    test.reads(&ids).await?;
    test.updates(&ids, &before).await?;
    test.changes(&changes, &ids[..2]).await?;
    test.deletes(&ids, &deleted).await?;
    ensure(connector.calls() > calls, "calls are counted")
}

struct Test<'t, 'c> {
    connector: &'t dyn Connector,
    case: &'t Case<'c>,
}

impl Test<'_, '_> {
    fn spec(&self, with_id: bool) -> ReadSpec {
        ReadSpec {
            object: self.case.object.to_owned(),
            properties: self.case.texts.map(str::to_owned).to_vec(),
            external_id: with_id.then(|| self.case.external_id.to_owned()),
        }
    }

    fn key(&self, index: usize) -> String {
        format!("conformance-{}-{index}", self.case.run)
    }

    fn new_records(&self) -> Vec<WriteItem> {
        let item = |index: usize| {
            // The first two are equal but for their keys.
            let texts = [format!("First {}", index / 2), format!("O'Last \"{}\" \\ ü", index / 2)];
            let mut fields: Vec<_> = self
                .case
                .texts
                .iter()
                .zip(texts)
                .map(|(name, text)| ((*name).to_owned(), Raw::Text(text.into())))
                .collect();
            fields.extend(self.case.required.iter().cloned());
            let target = Target::Create { property: self.case.external_id.to_owned(), value: self.key(index) };
            WriteItem { op: OpId(index as u64 + 1), target, fields }
        };
        (0..3).map(item).collect()
    }

    async fn changes_from_now(&self) -> Result<Vec<u8>, String> {
        let page = self.connector.changes(&self.spec(true), None).await.map_err(|error| error.to_string())?;
        ensure(page.rows.is_empty(), "changes without a cursor begin now, with an empty page")?;
        timed(page.timing)?;
        done(page.end)
    }

    async fn deleted_from_now(&self) -> Result<Vec<u8>, String> {
        let page = self.connector.deleted(&self.spec(true), None).await.map_err(|error| error.to_string())?;
        ensure(page.rows.is_empty(), "deletes without a cursor begin now, with an empty page")?;
        done(page.end)
    }

    async fn write(&self, items: &[WriteItem]) -> Result<Vec<Outcome>, String> {
        let answer = self.connector.write(self.case.object, items).await;
        timed(answer.timing)?;
        ensure(answer.outcomes.len() == items.len(), "a write gives one outcome per item")?;
        Ok(answer.outcomes)
    }

    async fn creates(&self) -> Result<Vec<RemoteId>, String> {
        let mut ids = Vec::new();
        for outcome in self.write(&self.new_records()).await? {
            let Outcome::Done { remote, created } = outcome else { return Err(format!("a create gave {outcome:?}")) };
            ensure(created != Some(false), "a create of an unknown key makes a record")?;
            ensure(!ids.contains(&remote), "each create makes a record of its own")?;
            ids.push(remote);
        }
        Ok(ids)
    }

    async fn repeated_creates(&self, ids: &[RemoteId]) -> Result<(), String> {
        let outcomes = self.write(&self.new_records()).await?;
        for (outcome, id) in outcomes.into_iter().zip(ids) {
            let same = match (&outcome, self.connector.ability().creates) {
                (Outcome::Taken, Some(Creates::Insert)) => true,
                (Outcome::Done { remote, created }, Some(Creates::Upsert)) => remote == id && *created != Some(true),
                _ => false,
            };
            ensure(same, &format!("a repeated create meets its record again, but gave {outcome:?}"))?;
        }
        Ok(())
    }

    async fn schema(&self) -> Result<(), String> {
        let schema = self.connector.schema(self.case.object).await.map_err(|error| error.to_string())?;
        for name in self.case.texts.iter().chain([&self.case.external_id]) {
            let known = schema.property(name).is_some_and(|property| property.writable);
            ensure(known, &format!("the schema knows {name} as writable"))?;
        }
        Ok(())
    }

    /// All pages of a scan: digests by id, each row decoded.
    async fn scanned(&self, with_id: bool) -> Result<BTreeMap<RemoteId, (RawDigest, Vec<Raw>)>, String> {
        let spec = self.spec(with_id);
        let mut cursor: Option<Vec<u8>> = None;
        let mut rows = BTreeMap::new();
        for _ in 0..PAGES_MAX {
            let page = self.connector.scan(&spec, cursor.as_deref()).await.map_err(|error| error.to_string())?;
            for (index, row) in page.rows.iter().enumerate() {
                let values = page.decoder.decode(index)?;
                ensure(values.len() == 2 + usize::from(with_id), "a row has a value for each asked property")?;
                let new = rows.insert(row.remote.clone(), (row.raw, values)).is_none();
                ensure(new, "a scan gives each record once")?;
            }
            match page.end {
                PageEnd::More(next) => cursor = Some(next),
                PageEnd::Done(_) => return Ok(rows),
            }
        }
        Err("a scan does not end".to_owned())
    }

    async fn scan(&self, ids: &[RemoteId]) -> Result<BTreeMap<RemoteId, (RawDigest, Vec<Raw>)>, String> {
        let rows = self.scanned(false).await?;
        let digest = |index: usize| rows.get(&ids[index]).map(|row| row.0);
        ensure(ids.iter().all(|id| rows.contains_key(id)), "a scan sees all records")?;
        ensure(digest(0) == digest(1), "equal properties have equal digests")?;
        ensure(digest(0) != digest(2), "unequal properties have unequal digests")?;
        let with_id = self.scanned(true).await?;
        let key = with_id.get(&ids[0]).and_then(|row| row.1.last());
        ensure(key == Some(&Raw::Text(self.key(0).into())), "the external id follows the asked properties")?;
        Ok(rows)
    }

    /// One pass over the changes, which must show these records; gives the next cursor.
    async fn changes(&self, from: &[u8], ids: &[RemoteId]) -> Result<Vec<u8>, String> {
        let spec = self.spec(false);
        let mut cursor = from.to_vec();
        let mut seen = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.connector.changes(&spec, Some(&cursor)).await.map_err(|error| error.to_string())?;
            for (index, row) in page.rows.iter().enumerate() {
                page.decoder.decode(index)?;
                seen.push(row.remote.clone());
            }
            match page.end {
                PageEnd::More(next) => cursor = next,
                PageEnd::Done(next) => {
                    ensure(ids.iter().all(|id| seen.contains(id)), "changes show what was written since the cursor")?;
                    return Ok(next);
                }
            }
        }
        Err("a pass over the changes does not end".to_owned())
    }

    async fn rows(&self, keys: Keys<'_>, history: bool) -> Result<BTreeMap<RemoteId, ReadRow>, String> {
        let spec = self.spec(true);
        let answer = self.connector.read(&spec, keys, history).await.map_err(|error| error.to_string())?;
        timed(answer.timing)?;
        ensure(answer.rows.iter().all(|row| row.values.len() == 3), "a row has a value for each asked property")?;
        Ok(answer.rows.into_iter().map(|row| (row.remote.clone(), row)).collect())
    }

    async fn reads(&self, ids: &[RemoteId]) -> Result<(), String> {
        let rows = self.rows(Keys::Ids(ids), false).await?;
        ensure(rows.len() == 3, "a read by id finds all records")?;
        let text = rows.get(&ids[2]).map(|row| row.values.clone());
        let expected =
            vec![Raw::Text("First 1".into()), Raw::Text("O'Last \"1\" \\ ü".into()), Raw::Text(self.key(2).into())];
        ensure(text.as_ref() == Some(&expected), &format!("values come back as written, not as {text:?}"))?;
        let values = [self.key(1), "conformance-nobody' OR '".to_owned()];
        let rows = self.rows(Keys::Values { property: self.case.external_id, values: &values }, false).await?;
        ensure(rows.keys().eq([&ids[1]]), "a read by key finds the record of each known key and no other")?;
        if self.connector.ability().source == SourceKind::History {
            let rows = self.rows(Keys::Ids(ids), true).await?;
            let row = rows.get(&ids[0]).ok_or("a read with history finds the record")?;
            ensure(row.history.len() == 2, "there is a history for each asked property")?;
            for (past, value) in row.history.iter().zip(&row.values) {
                let newest = past.first().ok_or("a property that was written has a history")?;
                ensure(newest.value == *value, "the newest entry of a history is the current value")?;
                ensure(past.windows(2).all(|pair| pair[0].at >= pair[1].at), "a history has its newest entry first")?;
            }
        }
        Ok(())
    }

    async fn updates(
        &self,
        ids: &[RemoteId],
        before: &BTreeMap<RemoteId, (RawDigest, Vec<Raw>)>,
    ) -> Result<(), String> {
        let name = |index: usize| self.case.texts[index].to_owned();
        let item = |op, id: &RemoteId, fields| WriteItem { op: OpId(op), target: Target::Update(id.clone()), fields };
        let items = [
            item(11, &ids[0], vec![(name(1), Raw::Text("Changed".into()))]),
            item(12, &ids[1], vec![(name(0), Raw::Null)]),
        ];
        for (outcome, id) in self.write(&items).await?.into_iter().zip(ids) {
            let same = matches!(&outcome, Outcome::Done { remote, .. } if remote == id);
            ensure(same, &format!("an update of a record gave {outcome:?}"))?;
        }
        let rows = self.rows(Keys::Ids(ids), false).await?;
        let value = |index: usize, property: usize| rows.get(&ids[index]).and_then(|row| row.values.get(property));
        ensure(value(0, 1) == Some(&Raw::Text("Changed".into())), "an update is read back at once")?;
        ensure(value(0, 0) == Some(&Raw::Text("First 0".into())), "an update leaves other properties alone")?;
        let cleared = value(1, 0).is_some_and(|raw| *raw == Raw::Null || *raw == Raw::Text(String::new().into()));
        ensure(cleared, "a null clears")?;
        let after = self.scanned(false).await?;
        let digest =
            |rows: &BTreeMap<RemoteId, (RawDigest, Vec<Raw>)>, index: usize| rows.get(&ids[index]).map(|r| r.0);
        ensure(digest(&after, 0) != digest(before, 0), "a changed record has another digest")?;
        ensure(digest(&after, 2) == digest(before, 2), "an unchanged record keeps its digest")
    }

    async fn deletes(&self, ids: &[RemoteId], from: &[u8]) -> Result<(), String> {
        let Some(delete) = self.case.delete else { return Ok(()) };
        delete(ids[0].clone()).await;
        let spec = self.spec(true);
        let (mut cursor, mut seen, mut pages) = (from.to_vec(), Vec::new(), 0);
        loop {
            let page = self.connector.deleted(&spec, Some(&cursor)).await.map_err(|error| error.to_string())?;
            seen.extend(page.rows.into_iter().map(|(id, _, _)| id));
            pages += 1;
            ensure(pages < PAGES_MAX, "a pass over deleted records does not end")?;
            match page.end {
                PageEnd::More(next) => cursor = next,
                PageEnd::Done(_) => break,
            }
        }
        ensure(seen.contains(&ids[0]) && !seen.contains(&ids[1]), "the deleted record is seen, and no other")?;
        ensure(!self.scanned(false).await?.contains_key(&ids[0]), "a scan does not show a deleted record")?;
        ensure(self.rows(Keys::Ids(&ids[..2]), false).await?.keys().eq([&ids[1]]), "a read does not show it either")?;
        let fields = vec![(self.case.texts[1].to_owned(), Raw::Text("Late".into()))];
        let item =
            |op, id: &RemoteId| WriteItem { op: OpId(op), target: Target::Update(id.clone()), fields: fields.clone() };
        let outcomes = self.write(&[item(21, &ids[0]), item(22, &ids[1])]).await?;
        ensure(
            outcomes[0] == Outcome::Gone(Departure::Deleted),
            &format!("a write to a deleted record gave {:?}", outcomes[0]),
        )?;
        let held_back = !matches!(outcomes[1], Outcome::Done { .. });
        ensure(!held_back, &format!("a bad record holds back another: {:?}", outcomes[1]))?;
        // One of ours; then again, as after a lost answer, beside what a person deleted.
        let gone = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. } | Outcome::Gone(_));
        let answer = self.connector.delete(self.case.object, &ids[1..2]).await;
        let done = matches!(&answer.outcomes[..], [Outcome::Done { .. }]);
        ensure(done, &format!("a delete gave {:?}", answer.outcomes))?;
        ensure(self.rows(Keys::Ids(&ids[1..]), false).await?.keys().eq([&ids[2]]), "what we deleted is not shown")?;
        let answer = self.connector.delete(self.case.object, &ids[..2]).await;
        let all = answer.outcomes.len() == 2 && answer.outcomes.iter().all(gone);
        ensure(all, &format!("a delete of what is gone does no harm, but gave {:?}", answer.outcomes))
    }
}

fn done(end: PageEnd) -> Result<Vec<u8>, String> {
    match end {
        PageEnd::Done(cursor) => Ok(cursor),
        PageEnd::More(_) => Err("an empty page is the whole pass".to_owned()),
    }
}

fn timed(timing: Timing) -> Result<(), String> {
    ensure(timing.offset.low <= timing.offset.high, "a clock's offset is an interval")
}

fn ensure(holds: bool, promise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("broken promise: {promise}")) }
}

/// More pages than a test account can have.
const PAGES_MAX: usize = 10_000;

/// Drives a future that never waits for anything outside.
#[cfg(test)]
pub(crate) fn test_block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..1_000_000 {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("the future waits for something outside")
}
