//! A full read in which nothing changed: what does it cost beyond parsing and hashing?
//!
//! `cargo bench --no-default-features --features wire --bench reconcile`, sizes by `SYNCLINE_BENCH_RECORDS`.

#[path = "support/json.rs"]
mod json;
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use json::*;
use support::*;
use syncline::engine::{Change, DigestRow, View};
use syncline::model::*;
use syncline::store::{OpenOptions, Store};

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
    reconcile(view, pages, |page, row| canonical(page, row), |known, digest| known.canonical == Some(*digest))
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
            changes.push(Change::SetDigest(key, Some(DigestRow { raw, canonical: Some(canonical) })));
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
