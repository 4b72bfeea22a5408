//! Rows in canonical form: what a system shows of a record.

use crate::model::{Digest, FieldId, Home, Raw, RawDigest, RemoteId, Value, ValueError};
use crate::rules::{Amiss, Entity};

/// A row in canonical form.
pub(super) struct Shown {
    /// One per field that the system holds, in the order of `fields_at`. An error is what a field's type cannot hold.
    pub values: Vec<Result<Value, Amiss<ValueError>>>,
    /// Our external id, where the row carries one.
    pub external: Option<String>,
    /// References to records that are not mirrored, by the system's own ids.
    pub unresolved: Vec<(FieldId, String)>,
    /// The same of ties, which wait one by one.
    pub waiting: Vec<(FieldId, String)>,
}

/// Canonical values of a row's raw ones; of references the system's own ids.
pub(super) fn canonical(entity: &Entity, (home, remote): (Home, &RemoteId), raws: &[Raw]) -> Shown {
    let mut values = Vec::with_capacity(raws.len());
    let mut count = 0;
    for (field, binding, place) in entity.placed_at(home) {
        count = place.end;
        if let Some(url) = &binding.record_url {
            let unknown = Amiss { field: field.id, error: ValueError::NOT_SHOWN };
            values.push(url.of(remote).ok_or(unknown).and_then(|raw| field.read(binding, &[raw])));
            continue;
        }
        let raws = raws.get(place).unwrap_or_default();
        // What is not shown is neither blank nor an edit.
        let absent = |at: &usize| raws.get(*at).is_none_or(|raw| *raw == Raw::Absent);
        values.push(match (0..binding.properties.len()).find(absent) {
            Some(at) => {
                let field = field.members.get(at).unwrap_or(field).id;
                Err(Amiss { field, error: ValueError::NOT_SHOWN })
            }
            None => field.read(binding, raws),
        });
    }
    let external = match raws.get(count) {
        Some(Raw::Text(text)) if !text.is_empty() => Some(text.as_str().to_owned()),
        _ => None,
    };
    Shown { values, external, unresolved: Vec::new(), waiting: Vec::new() }
}

impl Shown {
    /// The digest of a row's bytes, unless some of its ties lead nowhere: then it is looked at whenever it is listed, since the other
    /// end may have come.
    pub fn raw(&self, raw: RawDigest) -> RawDigest {
        if self.waiting.is_empty() { raw } else { RawDigest(0) }
    }

    /// The values; none where one could not be read.
    pub fn readable(&self) -> Vec<Option<&Value>> {
        self.values.iter().map(|value| value.as_ref().ok()).collect()
    }

    /// The values; blank where one could not be read.
    pub fn or_blank(&self) -> Vec<Value> {
        self.values.iter().map(|value| value.as_ref().cloned().unwrap_or_default()).collect()
    }
}

/// Digest of a row, unless some of it could not be read.
pub(super) fn digest_of(entity: &Entity, home: Home, shown: &Shown) -> Option<Digest> {
    let values: Option<Vec<&Value>> = shown.values.iter().map(|value| value.as_ref().ok()).collect();
    let fields = entity.fields_at(home).map(|(field, _)| field.id);
    Some(Digest::of_fields(fields.zip(values?)))
}
