//! What is read and written beside a record's own values, by calls of its own: what is read goes back into its place among them.

use super::{Outcome, WriteAnswer, WriteItem};
use crate::model::{Raw, RawDigest, RawRow, RemoteId, RowDecoder};
use std::sync::Arc;

/// Rows with what was read beside them.
struct Woven {
    decoder: Arc<dyn RowDecoder>,
    places: Vec<usize>,
    /// By row.
    beside: Vec<Vec<Raw>>,
}

impl RowDecoder for Woven {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        let mut values = self.decoder.decode(index)?;
        weave(&mut values, &self.places, self.beside.get(index).ok_or("no such row")?);
        Ok(values)
    }
}

/// Puts values into their places.
pub(crate) fn weave(values: &mut Vec<Raw>, places: &[usize], beside: &[Raw]) {
    for (at, raw) in places.iter().zip(beside) {
        values.insert((*at).min(values.len()), raw.clone());
    }
}

/// A page's rows with what was read beside them, which counts into their digests.
pub(crate) fn woven(
    (mut rows, decoder): (Vec<RawRow>, Arc<dyn RowDecoder>),
    places: Vec<usize>,
    beside: Vec<Vec<Raw>>,
) -> (Vec<RawRow>, Arc<dyn RowDecoder>) {
    for (row, beside) in rows.iter_mut().zip(&beside) {
        let mut bytes = row.raw.0.to_be_bytes().to_vec();
        for raw in beside {
            match raw {
                Raw::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Raw::Bool(true) => bytes.push(b'+'),
                _ => {}
            }
            bytes.push(0);
        }
        row.raw = RawDigest::of_bytes(&bytes);
    }
    (rows, Arc::new(Woven { decoder, places, beside }))
}

/// What items say of a property that is written beside their records, where those were written themselves: the item's place, the
/// record, and what is said.
pub(crate) fn wanted<'a>(name: &str, items: &'a [WriteItem], answer: &WriteAnswer) -> Vec<(usize, RemoteId, &'a Raw)> {
    let mut wanted = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let raw = item.fields.iter().find(|(property, _)| property == name).map(|(_, raw)| raw);
        let (Some(raw), Some(Outcome::Done { remote, .. })) = (raw, answer.outcomes.get(at)) else { continue };
        wanted.push((at, remote.clone(), raw));
    }
    wanted
}

/// What became of a property that is written beside the records, by item: what of it failed is told apart from the record itself.
pub(crate) fn tell_apart(name: &str, answer: &mut WriteAnswer, outcomes: impl IntoIterator<Item = (usize, Outcome)>) {
    for (at, outcome) in outcomes {
        let Some(Outcome::Done { remote, created }) = answer.outcomes.get(at).cloned() else { continue };
        let partly =
            |code, message| Outcome::Partly { remote, created, code, message, properties: vec![name.to_owned()] };
        answer.outcomes[at] = match outcome {
            Outcome::Refused { code, message, .. } => partly(code, message),
            Outcome::Retry { code, .. } => partly(code, "it is tried again".to_owned()),
            // Of an update a read tells; a create must not be taken for unanswered.
            Outcome::Unknown if created.is_none() => Outcome::Unknown,
            Outcome::Unknown => partly("NO_ANSWER".to_owned(), "it is tried again".to_owned()),
            _ => continue,
        };
    }
}

/// What a write says of ties, by the record at the other end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TieWrite {
    /// It is tied from now on.
    pub tied: bool,
    /// It is not tied any more.
    pub untied: bool,
    /// Labels that come.
    pub labels: Vec<String>,
    /// Labels that go.
    pub unlabels: Vec<String>,
}

/// The lines of a write, by the other record.
pub(crate) fn tie_writes(raw: &Raw) -> std::collections::BTreeMap<String, TieWrite> {
    let mut writes = std::collections::BTreeMap::<String, TieWrite>::new();
    let Raw::Text(text) = raw else { return writes };
    for line in text.lines() {
        let (sign, tie) = line.split_at(line.len().min(1));
        let (id, label) = crate::model::parse_tie(tie);
        let write = writes.entry(id.to_owned()).or_default();
        match (sign, label) {
            ("+", "") => write.tied = true,
            ("+", label) => write.labels.push(label.to_owned()),
            (_, "") => write.untied = true,
            (_, label) => write.unlabels.push(label.to_owned()),
        }
    }
    writes
}
