//! A connector that reads and does not write: what it is given to write goes to the overlay, and what is read later shows it.

use super::foresee::{Foreseen, Schemas};
use super::overlay::{Landing, Overlay, Written, is_planned, planned};
use crate::connector::{BoxFuture, Connector, ConnectorError, DeletedPage, Keys, ReadAnswer, ReadSpec};
use crate::connector::{Outcome, Target, WriteAnswer, WriteItem};
use crate::daemon::driver::wall_clock;
use crate::model::{Ability, ClockOffset, Millis, ObjectSchema, Raw, RawDigest, RawPage, RemoteId, RowDecoder};
use crate::model::{SystemId, Timing};
use crate::rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One system in a dry run.
pub(super) struct Dry {
    system: SystemId,
    real: Arc<dyn Connector>,
    overlay: Arc<Overlay>,
    schemas: Arc<Schemas>,
    /// Properties by which records are looked up, by object.
    keys: BTreeMap<String, Vec<String>>,
    /// Records that would be deleted by now, by object. There are not many: rules limit them.
    deleted: Mutex<BTreeSet<(String, RemoteId)>>,
    /// Calls that are not made now and will be...
    more: AtomicU64,
    /// ...and those that are made now and will not be.
    less: AtomicU64,
}

impl Dry {
    pub fn new(
        rules: &Rules,
        (system, real): (SystemId, Arc<dyn Connector>),
        schemas: Arc<Schemas>,
        overlay: Arc<Overlay>,
    ) -> Self {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entity in &rules.entities {
            for binding in entity.bindings_in(system) {
                let fields = entity.match_keys.iter().filter_map(|id| entity.field(*id)?.binding(binding.home()));
                let properties = fields.filter_map(|field| field.property().map(str::to_owned));
                keys.entry(binding.object.clone()).or_default().extend(properties);
            }
        }
        let (deleted, more, less) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Self { system, real, overlay, schemas, keys, deleted, more, less }
    }

    /// When a write would land that left now.
    fn landing(&self) -> Landing {
        let (step, offset, now) = (self.real.ability().resolution_ms.max(1), self.real.offset(), wall_clock());
        Landing { at: offset.earliest(now).floor(step).0, until: offset.latest(now).0 }
    }

    fn foretell(&self, calls: u64) {
        self.more.fetch_add(calls, Ordering::Relaxed);
    }

    fn written(&self, object: &str, remote: &RemoteId) -> Option<Written> {
        self.overlay.get(self.system, object, remote)
    }

    async fn read_ids(&self, spec: &ReadSpec, ids: &[RemoteId], history: bool) -> Result<ReadAnswer, ConnectorError> {
        let (new, there): (Vec<RemoteId>, Vec<RemoteId>) = ids.iter().cloned().partition(is_planned);
        let all = self.real.calls_to_read(spec, Keys::Ids(ids), history);
        let mut answer = if there.is_empty() {
            self.foretell(all);
            ReadAnswer { rows: Vec::new(), timing: self.timing() }
        } else {
            let part = self.real.calls_to_read(spec, Keys::Ids(&there), history);
            self.foretell(all.saturating_sub(part));
            self.real.read(spec, Keys::Ids(&there), history).await?
        };
        self.lay_over(spec, &mut answer, history);
        let names = names(spec);
        answer.rows.extend(new.into_iter().filter_map(|id| {
            let written = self.written(&spec.object, &id)?;
            Some(written.alone(id, &names, spec.properties.len(), history))
        }));
        Ok(answer)
    }

    /// By value: what the system holds, less what would not have the value any more, and what would have it by now.
    async fn read_values(
        &self,
        spec: &ReadSpec,
        (property, values): (&str, &[String]),
        history: bool,
    ) -> Result<ReadAnswer, ConnectorError> {
        let mut answer = self.real.read(spec, Keys::Values { property, values }, history).await?;
        answer.rows.retain(|row| !self.is_deleted(&spec.object, &row.remote));
        if self.overlay.is_empty() {
            return Ok(answer);
        }
        let mut known: Vec<RemoteId> = answer.rows.iter().map(|row| row.remote.clone()).collect();
        self.lay_over(spec, &mut answer, history);
        let names = names(spec);
        for value in values {
            let mut ids = self.overlay.holders(self.system, &spec.object, property, value);
            if spec.external_id.as_deref() == Some(property) {
                ids.extend(planned(value));
            }
            for id in ids {
                if known.contains(&id) {
                    continue;
                }
                let Some(written) = self.written(&spec.object, &id) else { continue };
                known.push(id.clone());
                if is_planned(&id) {
                    answer.rows.push(written.alone(id, &names, spec.properties.len(), history));
                    continue;
                }
                let ids = [id];
                self.less.fetch_add(self.real.calls_to_read(spec, Keys::Ids(&ids), history), Ordering::Relaxed);
                let rows = self.real.read(spec, Keys::Ids(&ids), history).await?.rows;
                answer.rows.extend(rows.into_iter().map(|row| written.over(&names, row, history)));
            }
        }
        if let Some(at) = names.iter().position(|name| *name == property) {
            let wanted: Vec<String> = values.iter().map(|value| value.trim().to_lowercase()).collect();
            answer.rows.retain(|row| match (self.written(&spec.object, &row.remote), row.values.get(at)) {
                (None, _) => true,
                (Some(_), Some(Raw::Text(text))) => wanted.contains(&text.trim().to_lowercase()),
                (Some(_), _) => false,
            });
        }
        Ok(answer)
    }

    fn lay_over(&self, spec: &ReadSpec, answer: &mut ReadAnswer, history: bool) {
        let names = names(spec);
        answer.rows.retain(|row| !self.is_deleted(&spec.object, &row.remote));
        let rows = std::mem::take(&mut answer.rows).into_iter();
        let over = rows.map(|row| match self.written(&spec.object, &row.remote) {
            Some(written) => written.over(&names, row, history),
            None => row,
        });
        answer.rows = over.collect();
    }

    /// A page as it would be after the writes so far.
    fn page_over(&self, spec: &ReadSpec, mut page: RawPage) -> RawPage {
        self.leave_out(&spec.object, &mut page);
        if self.overlay.is_empty() {
            return page;
        }
        let mut written = BTreeMap::new();
        for (at, row) in page.rows.iter_mut().enumerate() {
            if let Some(known) = self.written(&spec.object, &row.remote) {
                row.raw = RawDigest(0);
                row.modified = row.modified.max(Millis(known.modified.at));
                written.insert(at, known);
            }
        }
        if !written.is_empty() {
            let names = names(spec).into_iter().map(str::to_owned).collect();
            page.decoder = Arc::new(Over { decoder: page.decoder, written, names });
        }
        page
    }

    fn is_deleted(&self, object: &str, remote: &RemoteId) -> bool {
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        !deleted.is_empty() && deleted.contains(&(object.to_owned(), remote.clone()))
    }

    /// Takes rows out of a page that would be deleted by now.
    fn leave_out(&self, object: &str, page: &mut RawPage) {
        if !page.rows.iter().any(|row| self.is_deleted(object, &row.remote)) {
            return;
        }
        let rows = std::mem::take(&mut page.rows).into_iter().enumerate();
        let (places, rows) = rows.filter(|(_, row)| !self.is_deleted(object, &row.remote)).unzip();
        page.rows = rows;
        page.decoder = Arc::new(Left { decoder: page.decoder.clone(), places });
    }

    fn timing(&self) -> Timing {
        Timing { sent: wall_clock(), offset: self.real.offset() }
    }
}

/// Rows with what would have been written to them.
struct Over {
    decoder: Arc<dyn RowDecoder>,
    written: BTreeMap<usize, Written>,
    names: Vec<String>,
}

impl RowDecoder for Over {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        let raws = self.decoder.decode(index)?;
        let Some(written) = self.written.get(&index) else { return Ok(raws) };
        Ok(self.names.iter().zip(raws).map(|(name, raw)| written.value(name, raw)).collect())
    }
}

/// Rows of a page that are left.
struct Left {
    decoder: Arc<dyn RowDecoder>,
    places: Vec<usize>,
}

impl RowDecoder for Left {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        self.decoder.decode(*self.places.get(index).ok_or("no such row")?)
    }
}

/// The properties in the order of a row's values.
fn names(spec: &ReadSpec) -> Vec<&str> {
    spec.properties.iter().chain(&spec.external_id).map(String::as_str).collect()
}

impl Connector for Dry {
    fn ability(&self) -> &Ability {
        self.real.ability()
    }

    fn offset(&self) -> ClockOffset {
        self.real.offset()
    }

    /// Those that the real one would have made by now.
    fn calls(&self) -> u64 {
        let made = self.real.calls() + self.more.load(Ordering::Relaxed);
        made.saturating_sub(self.less.load(Ordering::Relaxed))
    }

    fn daily_limit(&self) -> Option<u64> {
        self.real.daily_limit()
    }

    fn rate(&self) -> Option<crate::connector::Rate> {
        self.real.rate()
    }

    fn calls_to_write(&self, items: &[WriteItem], refused: &[bool]) -> u64 {
        self.real.calls_to_write(items, refused)
    }

    fn calls_to_read(&self, spec: &ReadSpec, keys: Keys<'_>, history: bool) -> u64 {
        self.real.calls_to_read(spec, keys, history)
    }

    fn record_urls<'a>(&'a self, objects: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectorError>> {
        self.real.record_urls(objects)
    }

    fn users(&self) -> BoxFuture<'_, Result<Option<Vec<crate::model::User>>, ConnectorError>> {
        self.real.users()
    }

    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>> {
        self.real.schema(object)
    }

    fn scan<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(async move { Ok(self.page_over(spec, self.real.scan(spec, cursor).await?)) })
    }

    fn changes<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(async move { Ok(self.page_over(spec, self.real.changes(spec, cursor).await?)) })
    }

    fn deleted<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>> {
        self.real.deleted(spec, cursor)
    }

    fn read<'a>(
        &'a self,
        spec: &'a ReadSpec,
        keys: Keys<'a>,
        history: bool,
    ) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>> {
        Box::pin(async move {
            match keys {
                Keys::Ids(ids) => self.read_ids(spec, ids, history).await,
                Keys::Values { property, values } => self.read_values(spec, (property, values), history).await,
            }
        })
    }

    fn write<'a>(&'a self, object: &'a str, items: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer> {
        let refusals: Vec<Option<Foreseen>> =
            items.iter().map(|item| self.schemas.refusal(self.system, object, item)).collect();
        let refused: Vec<bool> = refusals.iter().map(Option::is_some).collect();
        self.foretell(self.real.calls_to_write(items, &refused));
        let timing = self.timing();
        let keys: Vec<&str> = self.keys.get(object).into_iter().flatten().map(String::as_str).collect();
        let accepted = items.iter().zip(&refused).filter(|(_, refused)| !**refused).map(|(item, _)| item);
        let mut answers = self.overlay.put(self.system, object, accepted, self.landing(), &keys).into_iter();
        let outcomes = items.iter().zip(refusals).map(|(item, refusal)| match refusal {
            Some(foreseen) => foreseen.outcome(),
            None => match answers.next().flatten() {
                Some((remote, created)) => {
                    let create = matches!(item.target, Target::Create { .. });
                    Outcome::Done { remote, created: create.then_some(created) }
                }
                None => Outcome::Refused {
                    code: "INVALID_EXTERNAL_ID".to_owned(),
                    message: "an external id that no program of ours wrote".to_owned(),
                    properties: Vec::new(),
                },
            },
        });
        let answer = WriteAnswer { outcomes: outcomes.collect(), timing };
        Box::pin(std::future::ready(answer))
    }

    fn delete<'a>(&'a self, object: &'a str, ids: &'a [RemoteId]) -> BoxFuture<'a, WriteAnswer> {
        self.foretell(self.real.calls_to_delete(object, ids.len()));
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.extend(ids.iter().map(|id| (object.to_owned(), id.clone())));
        let outcomes = ids.iter().map(|id| Outcome::Done { remote: id.clone(), created: None }).collect();
        let answer = WriteAnswer { outcomes, timing: self.timing() };
        drop(deleted);
        Box::pin(std::future::ready(answer))
    }

    fn calls_to_delete(&self, object: &str, records: usize) -> u64 {
        self.real.calls_to_delete(object, records)
    }
}
