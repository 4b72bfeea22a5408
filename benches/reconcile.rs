//! A full read in which nothing changed: what does it cost beyond parsing and hashing?
//!
//! `cargo bench --no-default-features --features wire --bench reconcile`, sizes by `SYNCLINE_BENCH_RECORDS`.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use support::*;
use syncline::engine::{Change, DigestRow, View};
use syncline::model::*;
use syncline::store::{OpenOptions, Store};

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
struct RemoteText(String);

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

/// Floor of the first level: parse the frame, hash the remote's own bytes.
fn raw(page: &[u8], mut row: impl FnMut(RemoteText, RawDigest)) {
    let page: Page<&RawValue> = serde_json::from_slice(page).expect("our own page");
    for Row { id, properties } in page.results {
        row(id, RawDigest::of_bytes(properties.get().as_bytes()));
    }
}

/// Floor of the second level: parse everything, make it canonical, hash that.
fn canonical(page: &[u8], mut row: impl FnMut(RemoteText, Digest)) {
    let page: Page<Properties<'_>> = serde_json::from_slice(page).expect("our own page");
    for Row { id, properties } in page.results {
        let values: Vec<Value> = properties.0.into_iter().map(|text| Value::Text(text.into_owned())).collect();
        row(id, Digest::of_fields((0..).map(FieldId).zip(&values)));
    }
}

fn floor_raw(pages: &[Vec<u8>]) -> u64 {
    let mut total = 0;
    pages.iter().for_each(|page| raw(page, |id, digest| sum(digest.0 ^ id.0.len() as u64, &mut total)));
    total
}

fn floor_canonical(pages: &[Vec<u8>]) -> u64 {
    let mut total = 0;
    let low = |digest: Digest| u64::from_le_bytes(digest.0[..8].try_into().expect("8 of 16"));
    pages.iter().for_each(|page| canonical(page, |id, digest| sum(low(digest) ^ id.0.len() as u64, &mut total)));
    total
}

/// Rows whose digest is not the known one.
fn reconcile<D>(
    view: &impl View,
    pages: &[Vec<u8>],
    read: impl Fn(&[u8], &mut dyn FnMut(RemoteText, D)),
    same: impl Fn(&DigestRow, &D) -> bool,
) -> u64 {
    let mut changed = 0;
    for page in pages {
        let mut rows = Vec::with_capacity(PAGE);
        read(page, &mut |id, digest| rows.push((RemoteId::parse(&id.0).expect("digits"), digest)));
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let ids: Vec<&RemoteId> = rows.iter().map(|(id, _)| id).collect();
        let known = view.digests(ENTITY, HUBSPOT, CONTACTS, &ids).expect("readable");
        let differs =
            |((_, digest), known): (&(_, D), &Option<DigestRow>)| !known.is_some_and(|row| same(&row, digest));
        changed += rows.iter().zip(&known).filter(|pair| differs(*pair)).count() as u64;
    }
    changed
}

fn reconcile_raw(view: &impl View, pages: &[Vec<u8>]) -> u64 {
    reconcile(view, pages, |page, row| raw(page, row), |known, digest| known.raw == *digest)
}

fn reconcile_canonical(view: &impl View, pages: &[Vec<u8>]) -> u64 {
    reconcile(view, pages, |page, row| canonical(page, row), |known, digest| known.canonical == *digest)
}

/// A store that knows every digest of the pages.
fn known(pages: &[Vec<u8>], path: &std::path::Path) -> Store {
    let store = Store::create_or_open(path, Millis(0), &OpenOptions::default()).expect("a new store");
    let mut changes = Vec::new();
    for page in pages {
        let mut digests = Vec::new();
        raw(page, |id, raw| digests.push((id, raw)));
        let mut digests = digests.into_iter();
        canonical(page, |_, canonical| {
            let (id, raw) = digests.next().expect("the same rows");
            let remote = RemoteId::parse(&id.0).expect("digits");
            let key = RemoteKey { entity: ENTITY, system: HUBSPOT, object: CONTACTS, remote };
            changes.push(Change::SetDigest(key, Some(DigestRow { raw, canonical })));
        });
    }
    store.apply(&changes).expect("written");
    store
}

fn bench(criterion: &mut Criterion) {
    for n in sizes() {
        let folder = tempfile::tempdir().expect("a folder");
        let pages = pages(n);
        let store = known(&pages, &folder.path().join("reconcile.redb"));
        let view = store.snapshot().expect("readable");
        assert_eq!((reconcile_raw(&view, &pages), reconcile_canonical(&view, &pages)), (0, 0));

        let mut group = criterion.benchmark_group("reconcile");
        group.sample_size(10).throughput(Throughput::Elements(n as u64));
        let id = |name| BenchmarkId::new(name, n);
        group.bench_function(id("floor, raw spans"), |b| b.iter(|| floor_raw(&pages)));
        group.bench_function(id("reconcile, raw spans"), |b| b.iter(|| reconcile_raw(&view, &pages)));
        group.bench_function(id("floor, canonical"), |b| b.iter(|| floor_canonical(&pages)));
        group.bench_function(id("reconcile, canonical"), |b| b.iter(|| reconcile_canonical(&view, &pages)));
        group.finish();

        turns(
            &format!("reconcile of {n} unchanged records, raw spans"),
            9,
            &mut [
                ("floor: parse + blake3", n, &mut || _ = floor_raw(&pages)),
                ("reconcile through the digests", n, &mut || _ = reconcile_raw(&view, &pages)),
            ],
        );
        turns(
            &format!("reconcile of {n} unchanged records, canonical bytes"),
            9,
            &mut [
                ("floor: parse + canonical + blake3", n, &mut || _ = floor_canonical(&pages)),
                ("reconcile through the digests", n, &mut || _ = reconcile_canonical(&view, &pages)),
            ],
        );
        let ids: Vec<RemoteId> = (0..n as u64).map(remote).collect();
        let ids: Vec<&RemoteId> = ids.iter().collect();
        let digests = |step: usize, size: usize| {
            let ids: Vec<&RemoteId> = ids.iter().step_by(step).copied().collect();
            ids.chunks(size).for_each(|ids| drop(view.digests(ENTITY, HUBSPOT, CONTACTS, ids)));
        };
        turns(
            &format!("digests of {n} records"),
            9,
            &mut [
                ("all, in pages of 100", n, &mut || digests(1, PAGE)),
                ("every 10th, in pages of 100", n / 10, &mut || digests(10, PAGE)),
                ("every 100th, in pages of 100", n / 100, &mut || digests(100, PAGE)),
                ("all, one by one", n, &mut || digests(1, 1)),
            ],
        );
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
