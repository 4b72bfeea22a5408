//! What is read beside a record's own values, by calls of its own, and goes back into its place among them.

use crate::model::{Raw, RawDigest, RawRow, RowDecoder};
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
            if let Raw::Text(text) = raw {
                bytes.extend_from_slice(text.as_bytes());
            }
            bytes.push(0);
        }
        row.raw = RawDigest::of_bytes(&bytes);
    }
    (rows, Arc::new(Woven { decoder, places, beside }))
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
