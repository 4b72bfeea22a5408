//! One emulated system on a socket: the only place that knows the time, delays and loses answers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock;
use super::faults::{After, Before, Faults, Roll};
use super::http::{Request, Response};
use super::ledger::{Caller, Ledger};
use super::line::{Lines, Scissors};
use super::manners;
use super::rng::Rng;
use super::system::System;

/// A system that is being served. Clones are handles on the same one.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    system: Box<dyn System>,
    faults: Faults,
    fired: Fired,
    dice: Rng,
    /// The integration's calls that never reached the world, by kind.
    refused: BTreeMap<&'static str, u64>,
}

/// How often each fault has struck, since a fault that never did tests nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Fired {
    error: u64,
    error_429: u64,
    expired_token: u64,
    locked: u64,
    lost_answer: u64,
    lost_write: u64,
    partial: u64,
}

impl Server {
    /// Binds an address and serves a system there until `stop` turns true.
    pub async fn start(
        system: Box<dyn System>,
        address: SocketAddr,
        faults: Faults,
        seed: u64,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let dice = Rng::new(seed, "faults");
        let inner =
            Inner { system, faults: Faults::default(), fired: Fired::default(), dice, refused: BTreeMap::new() };
        let server = Self { address, inner: Arc::new(Mutex::new(inner)) };
        server.set_faults(faults);
        let router = Router::new().fallback(answer).with_state(server.clone());
        let service = router.into_make_service_with_connect_info::<Scissors>();
        let task = tokio::spawn(async move {
            let stopped = async move {
                let _ = stop.wait_for(|&stop| stop).await;
            };
            // Serving ends by the signal alone; what goes wrong on a connection concerns that connection.
            let _ = axum::serve(Lines(listener), service).with_graceful_shutdown(stopped).await;
        });
        Ok((server, task))
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The ledger as `GET /_sandbox/ledger` shows it.
    pub fn ledger(&self) -> Value {
        let inner = self.lock();
        let mut ledger: Ledger = inner.system.ledger().clone();
        for (kind, calls) in &inner.refused {
            *ledger.by_kind.entry(kind).or_default() += calls;
        }
        ledger.to_json()
    }

    /// The faults in force and how often each has struck.
    pub fn faults(&self) -> Value {
        let inner = self.lock();
        let fired = inner.fired;
        json!({
            "faults": inner.faults,
            "fired": {
                "error": fired.error, "error_429": fired.error_429, "expired_token": fired.expired_token,
                "locked": fired.locked, "lost_answer": fired.lost_answer, "lost_write": fired.lost_write,
                "partial": fired.partial,
            },
        })
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: Faults) {
        let mut inner = self.lock();
        inner.system.set_faults(&faults);
        inner.faults = faults;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `/_sandbox/...`, which is no part of the emulated system.
    fn control(&self, request: &Request) -> Response {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/_sandbox/ledger") => Response::json(200, &self.ledger()),
            ("GET", "/_sandbox/faults") => Response::json(200, &self.faults()),
            ("POST", "/_sandbox/faults") => match Faults::parse(&String::from_utf8_lossy(&request.body)) {
                Ok(faults) => {
                    self.set_faults(faults);
                    Response::json(200, &self.faults())
                }
                Err(error) => Response::json(400, &json!({"error": format!("these are no faults: {error}")})),
            },
            ("DELETE", path) if field_of(path).is_some() => {
                if let Some((object, property)) = field_of(path) {
                    self.lock().system.withdraw(object, property);
                }
                Response::empty(204)
            }
            (_, "/_sandbox/ledger" | "/_sandbox/faults") => Response::empty(405),
            _ => {
                let there = "there is /_sandbox/ledger, /_sandbox/faults and DELETE /_sandbox/fields/OBJECT/PROPERTY";
                Response::json(404, &json!({ "error": there }))
            }
        }
    }

    /// Rolls the dice for a call; a person's calls and those without a known token run smoothly.
    fn roll(&self, request: &Request) -> (Roll, Option<Response>) {
        let mut inner = self.lock();
        if inner.system.caller(request) != Some(Caller::Integration) {
            return (Roll::SMOOTH, None);
        }
        let Inner { system, faults, fired, dice, refused } = &mut *inner;
        let mut roll = faults.roll(dice);
        let refusal = roll.before.and_then(|before| manners::refusal(system.vendor(), before, dice));
        if refusal.is_none() {
            roll.before = None;
        }
        match roll.before {
            Some(before) => {
                *refused.entry(system.kind(request)).or_default() += 1;
                match before {
                    Before::Error => fired.error += 1,
                    Before::TooMany => fired.error_429 += 1,
                    Before::ExpiredToken => fired.expired_token += 1,
                    Before::Locked => fired.locked += 1,
                }
            }
            None => match roll.after {
                After::Deliver => {}
                After::Truncate => fired.partial += 1,
                After::Cut | After::Gateway(_) => {
                    fired.lost_answer += 1;
                    fired.lost_write += u64::from(system.is_write(request));
                }
            },
        }
        (roll, refusal)
    }

    fn now_ms(&self) -> i64 {
        wall_clock_ms().saturating_add(self.lock().faults.clock_offset_ms)
    }

    fn apply(&self, request: &Request) -> Response {
        // The time is read under the lock, so that what is applied later never bears an earlier time.
        let mut inner = self.lock();
        let now_ms = wall_clock_ms().saturating_add(inner.faults.clock_offset_ms);
        inner.system.handle(request, now_ms)
    }
}

/// `/_sandbox/fields/OBJECT/PROPERTY`.
fn field_of(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/_sandbox/fields/")?.split_once('/')
}

async fn answer(
    State(server): State<Server>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    incoming: axum::extract::Request,
) -> axum::response::Response {
    let request = match read(incoming).await {
        Ok(request) => request,
        Err(()) => return send(Response::empty(413), server.now_ms()),
    };
    if request.path.starts_with("/_sandbox") {
        return send(server.control(&request), server.now_ms());
    }
    let (roll, refusal) = server.roll(&request);
    pause(roll.delay_ms / 2).await;
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => server.apply(&request),
    };
    pause(roll.delay_ms - roll.delay_ms / 2).await;
    if roll.before.is_none() {
        match roll.after {
            After::Deliver => {}
            After::Cut => scissors.cut_after(0),
            After::Gateway(status) => response = manners::gateway(status),
            After::Truncate => {
                scissors.cut_after(bytes_until_middle(&response));
                // Should the guess let all of it through, the next answer on this connection must not pay for it.
                response.headers.push(("connection".to_owned(), "close".to_owned()));
            }
        }
    }
    send(response, server.now_ms())
}

/// About how many bytes there are up to the middle of an answer's body, or of its head when it has none.
fn bytes_until_middle(response: &Response) -> usize {
    let fields: usize = response.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let head = fields + STATUS_DATE_AND_LENGTH_BYTES;
    if response.body.is_empty() { head / 2 } else { head + response.body.len() / 2 }
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

async fn read(incoming: axum::extract::Request) -> Result<Request, ()> {
    let (parts, body) = incoming.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| ())?;
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Request {
        method: parts.method.as_str().to_ascii_uppercase(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.to_vec(),
    })
}

fn send(response: Response, now_ms: i64) -> axum::response::Response {
    let mut outgoing = axum::response::Response::new(Body::from(response.body));
    *outgoing.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = ("date".to_owned(), clock::http_date(now_ms));
    for (name, value) in response.headers.into_iter().chain([date]) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            outgoing.headers_mut().append(name, value);
        }
    }
    outgoing
}

/// The machine's time in epoch milliseconds.
pub fn wall_clock_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Salesforce takes bulk data of 150 MB; a sandbox gets by with less.
const BODY_BYTES_MAX: usize = 64 << 20;
/// The status line, the `Date`, `Content-Length` and `Connection` fields and the blank line.
const STATUS_DATE_AND_LENGTH_BYTES: usize = 97;
