//! What the connectors cost without a network: pages of JSON become rows with digests, and values where they are asked for.
//!
//! `cargo bench --no-default-features --features wire --bench wire`, sizes by `SYNCLINE_BENCH_RECORDS`.

#[path = "support/json.rs"]
mod json;
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use json::{floor_canonical, floor_raw};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use support::*;
use syncline::connector::hubspot::{HubSpot, HubSpotConfig};
use syncline::connector::salesforce::{Salesforce, SalesforceConfig};
use syncline::connector::transport::{Answer, Lost, Request, Transport};
use syncline::connector::{BoxFuture, Connector, ReadSpec};
use syncline::model::*;

/// Answers every request at once with the next of its pages.
struct Canned {
    pages: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Canned {
    fn of(pages: &[Vec<u8>]) -> Arc<Self> {
        Arc::new(Self { pages: pages.to_vec(), next: AtomicUsize::new(0) })
    }
}

impl Transport for Canned {
    fn send<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Answer, Lost>> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.pages.len();
        let answer = Answer {
            status: 200,
            headers: vec![("date".into(), "Sun, 01 Mar 2026 12:00:00 GMT".into())],
            body: self.pages[at].clone(),
            sent: self.now(),
            received: self.now(),
        };
        Box::pin(std::future::ready(Ok(answer)))
    }

    fn now(&self) -> Millis {
        Millis(1_772_366_400_000)
    }

    fn sleep(&self, _: i64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> f64 {
        0.5
    }
}

/// Nothing here ever waits.
fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("every answer is there"),
    }
}

/// The same records as Salesforce lists them.
fn salesforce_page(from: usize, n: usize) -> Vec<u8> {
    let record = |number: usize| {
        let fields = (0..FIELDS).map(|id| format!("\"property_{id}\":\"{}\"", field(number as u64, id, 0)));
        format!(
            "{{\"attributes\":{{\"type\":\"Contact\",\"url\":\"/services/data/v61.0/sobjects/Contact/{0}\"}},\"Id\":\"{0}\",{1},\
             \"SystemModstamp\":\"2026-03-01T10:00:00.000+0000\"}}",
            salesforce_id(number),
            fields.collect::<Vec<_>>().join(",")
        )
    };
    let records: Vec<String> = (from..n.min(from + PAGE)).map(record).collect();
    format!("{{\"totalSize\":{},\"done\":true,\"records\":[{}]}}", records.len(), records.join(",")).into_bytes()
}

/// A made-up id: 15 characters, and their checksum.
fn salesforce_id(number: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut id = *b"0035g0000000000";
    let mut rest = number;
    for place in id[9..].iter_mut().rev() {
        *place = LETTERS[rest % 62];
        rest /= 62;
    }
    let check = id.chunks(5).map(|five| {
        let bits = five.iter().enumerate().map(|(at, byte)| u8::from(byte.is_ascii_uppercase()) << at).sum::<u8>();
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[usize::from(bits)] as char
    });
    String::from_utf8_lossy(&id).into_owned() + &check.collect::<String>()
}

fn spec(object: &str) -> ReadSpec {
    let properties = (0..FIELDS).map(|id| format!("property_{id}")).collect();
    ReadSpec { object: object.into(), properties, external_id: None }
}

/// Reads so many pages; decodes their rows as well, if that is asked for.
fn read(connector: &impl Connector, spec: &ReadSpec, pages: usize, decode: bool) -> u64 {
    let (mut total, mut rows) = (0, 0);
    for _ in 0..pages {
        let page = now(connector.scan(spec, None)).expect("our own page");
        rows += page.rows.len();
        for (at, row) in page.rows.iter().enumerate() {
            let values = if decode { page.decoder.decode(at).expect("our own row").len() } else { 0 };
            sum(row.raw.0 ^ values as u64, &mut total);
        }
    }
    assert!(rows > 0);
    total
}

fn bench(criterion: &mut Criterion) {
    for n in sizes() {
        let hubspot_pages = pages(n);
        let salesforce_pages: Vec<Vec<u8>> = (0..n).step_by(PAGE).map(|from| salesforce_page(from, n)).collect();
        let count = hubspot_pages.len();
        let config = HubSpotConfig::new("hubspot", "https://api.hubapi.com", "token".into());
        let hubspot = HubSpot::with_transport(config, Canned::of(&hubspot_pages)).expect("sound");
        let config = SalesforceConfig::new("salesforce", "https://x.my.salesforce.com", "token".into());
        let salesforce = Salesforce::with_transport(config, Canned::of(&salesforce_pages)).expect("sound");
        let (contacts, contact) = (spec("contacts"), spec("Contact"));

        let mut group = criterion.benchmark_group("wire");
        group.sample_size(10).throughput(Throughput::Elements(n as u64));
        let id = |name| BenchmarkId::new(name, n);
        group.bench_function(id("HubSpot, digests"), |b| b.iter(|| read(&hubspot, &contacts, count, false)));
        group.bench_function(id("Salesforce, digests"), |b| b.iter(|| read(&salesforce, &contact, count, false)));
        group.finish();
        turns(
            &format!("{n} records of {FIELDS} fields listed, pages of {PAGE}"),
            9,
            &mut [
                ("floor: parse + blake3 of the raw bytes", n, &mut || _ = floor_raw(&hubspot_pages)),
                ("HubSpot: rows and digests", n, &mut || _ = read(&hubspot, &contacts, count, false)),
                ("Salesforce: rows and digests", n, &mut || _ = read(&salesforce, &contact, count, false)),
                ("floor: parse all + canonical + blake3", n, &mut || _ = floor_canonical(&hubspot_pages)),
                ("HubSpot: every value decoded", n, &mut || _ = read(&hubspot, &contacts, count, true)),
                ("Salesforce: every value decoded", n, &mut || _ = read(&salesforce, &contact, count, true)),
            ],
        );
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
