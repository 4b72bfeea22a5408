//! Pages as JSON, and the floors of a reconcile: what nobody gets around.
#![allow(dead_code)]

use crate::support::{FIELDS, PAGE, sum};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use syncline::model::*;

#[derive(Deserialize)]
struct Page<P> {
    results: Vec<Row<P>>,
}

#[derive(Deserialize)]
struct Row<P> {
    id: RemoteText,
    properties: P,
}

#[derive(Deserialize)]
pub struct RemoteText(pub String);

/// Properties in the order of the page, borrowed where nothing is escaped.
struct Properties<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Properties<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("properties")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut out = Vec::with_capacity(FIELDS as usize);
                while let Some((_, value)) = map.next_entry::<&str, Text<'de>>()? {
                    out.push(value.0);
                }
                Ok(Properties(out))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The frame: the remote's own bytes of each record's properties.
pub fn spans<'a>(page: &'a [u8], mut row: impl FnMut(RemoteText, &'a str)) {
    let page: Page<&RawValue> = serde_json::from_slice(page).expect("our own page");
    for Row { id, properties } in page.results {
        row(id, properties.get());
    }
}

/// The values within such a span.
pub fn properties(span: &str) -> Vec<Cow<'_, str>> {
    serde_json::from_str::<Properties<'_>>(span).expect("our own page").0
}

/// Floor of the first level: parse the frame, hash the remote's own bytes of a row at a time.
pub fn raw(page: &[u8], mut row: impl FnMut(RemoteText, RawDigest)) {
    spans(page, |id, span| row(id, RawDigest::of_bytes(span.as_bytes())));
}

/// As [`raw`], all rows of a page at once, as the connectors do it.
pub fn raw_together(page: &[u8], batch: &mut RawBatch, mut row: impl FnMut(RemoteText, RawDigest)) {
    let mut ids = Vec::with_capacity(PAGE);
    spans(page, |id, span| {
        batch.push(|out| out.extend_from_slice(span.as_bytes()));
        ids.push(id);
    });
    ids.into_iter().zip(batch.digests()).for_each(|(id, digest)| row(id, digest));
}

/// Floor of the second level: parse everything, make it canonical, hash that.
pub fn canonical(page: &[u8], mut row: impl FnMut(RemoteText, Digest)) {
    let page: Page<Properties<'_>> = serde_json::from_slice(page).expect("our own page");
    for Row { id, properties } in page.results {
        let values: Vec<Value> = properties.0.into_iter().map(|text| Value::Text(text.into_owned().into())).collect();
        row(id, Digest::of_fields((0..).map(FieldId).zip(&values)));
    }
}

pub fn floor_raw(pages: &[Vec<u8>]) -> u64 {
    let mut total = 0;
    pages.iter().for_each(|page| raw(page, |id, digest| sum(digest.0 ^ id.0.len() as u64, &mut total)));
    total
}

pub fn floor_raw_together(pages: &[Vec<u8>]) -> u64 {
    let (mut total, mut batch) = (0, RawBatch::default());
    for page in pages {
        raw_together(page, &mut batch, |id, digest| sum(digest.0 ^ id.0.len() as u64, &mut total));
    }
    total
}

pub fn floor_canonical(pages: &[Vec<u8>]) -> u64 {
    let mut total = 0;
    let low = |digest: Digest| u64::from_le_bytes(digest.0[..8].try_into().expect("8 of 16"));
    pages.iter().for_each(|page| canonical(page, |id, digest| sum(low(digest) ^ id.0.len() as u64, &mut total)));
    total
}
