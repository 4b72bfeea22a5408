//! One system's calls: credential, clock, count, and trying again.

use super::auth::{Credential, Session, Step, token_answer};
use super::clock::RemoteClock;
use super::quota::{self, daily_limit};
use super::retry::{Patience, Repeat, Tries, Verdict};
use super::transport::{Answer, Lost, Request, Transport};
use super::{ConnectorError, Outcome, Rate};
use crate::model::{ClockOffset, Millis, Timing};
use secrecy::SecretString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything that the calls of one connector share.
pub(crate) struct Client {
    pub system: String,
    /// The address for error messages.
    pub url: String,
    pub transport: Arc<dyn Transport>,
    session: Arc<Session>,
    token_path: String,
    patience: Patience,
    verdict: fn(&Answer) -> Verdict,
    clock: Mutex<RemoteClock>,
    calls: AtomicU64,
    /// 0 = not told.
    daily: AtomicU64,
    rate: Mutex<Option<Rate>>,
}

/// An answer and its timing.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub answer: Answer,
    pub timing: Timing,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Not applied.
    Error(ConnectorError),
    /// A write that may have been applied.
    Unknown(Timing),
}

impl Client {
    pub fn new(
        system: String,
        url: String,
        transport: Arc<dyn Transport>,
        credential: Credential,
        token_path: String,
        patience: Patience,
        verdict: fn(&Answer) -> Verdict,
    ) -> Self {
        let session = Arc::new(Session::new(credential));
        let (clock, calls, daily) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        let rate = Mutex::default();
        Self { system, url, transport, session, token_path, patience, verdict, clock, calls, daily, rate }
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The account's calls a day, as the last answer that said it.
    pub fn daily_limit(&self) -> Option<u64> {
        Some(self.daily.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// How fast calls may follow each other, as the last answer that said it.
    pub fn rate(&self) -> Option<Rate> {
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The remote's clock as far as it is known.
    pub fn known_offset(&self) -> Option<ClockOffset> {
        self.clock().offset()
    }

    /// Our clock now, with the remote's offset.
    pub fn timing(&self) -> Timing {
        self.timing_at(self.transport.now())
    }

    /// A read, tried again while that makes sense.
    pub async fn read(&self, request: Request) -> Result<Reply, ConnectorError> {
        self.call(request, Repeat::Always).await.map_err(|failure| match failure {
            Failure::Error(error) => error,
            Failure::Unknown(_) => self.unreachable("the outcome of a read is unknown"),
        })
    }

    /// A write, tried again only where it certainly was not applied.
    pub async fn write(&self, request: Request) -> Result<Reply, Failure> {
        self.call(request, Repeat::NotApplied).await
    }

    async fn call(&self, mut request: Request, repeat: Repeat) -> Result<Reply, Failure> {
        let mut tries = Tries::new(self.patience);
        let mut renewed = false;
        loop {
            let token = self.token().await.map_err(Failure::Error)?;
            request.bearer = Some(token.clone());
            let (error, asked_ms) = match self.send(&request).await {
                Err(Lost::NotSent(cause)) => (Failure::Error(self.unreachable(&cause)), 0),
                Err(Lost::Unknown { sent, .. }) if repeat == Repeat::NotApplied => {
                    return Err(Failure::Unknown(self.timing_at(sent)));
                }
                Err(Lost::Unknown { cause, .. }) => (Failure::Error(self.unreachable(&cause)), 0),
                Ok(answer) => match (self.verdict)(&answer) {
                    Verdict::Answered => {
                        let timing = self.timing_at(answer.sent);
                        return Ok(Reply { answer, timing });
                    }
                    Verdict::Busy { code, after_ms } => (Failure::Error(self.limited(code, after_ms)), after_ms),
                    Verdict::Limited { code, after_ms } => return Err(Failure::Error(self.limited(code, after_ms))),
                    Verdict::Unauthorized { renew, .. } if renew && !renewed && self.session.renewable() => {
                        renewed = true;
                        self.session.refused(&token);
                        continue;
                    }
                    Verdict::Unauthorized { code, message, .. } => {
                        return Err(Failure::Error(self.unauthorized(code, message)));
                    }
                    Verdict::Failed { .. } if repeat == Repeat::NotApplied => {
                        return Err(Failure::Unknown(self.timing_at(answer.sent)));
                    }
                    Verdict::Failed { code, after_ms } => {
                        let cause = format!("it answers with {code} (HTTP {})", answer.status);
                        (Failure::Error(self.unreachable(&cause)), after_ms)
                    }
                },
            };
            let Some(wait) = tries.next_wait(asked_ms, self.transport.random()) else { return Err(error) };
            tracing::debug!(system = %self.system, wait_ms = wait, "trying again");
            self.transport.sleep(wait).await;
        }
    }

    async fn send(&self, request: &Request) -> Result<Answer, Lost> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let result = self.transport.send(request).await;
        if let Ok(answer) = &result {
            if let Some(date) = answer.header("date") {
                self.clock().observe(date, answer.sent, answer.received);
            }
            if let Some(limit) = daily_limit(answer) {
                self.daily.store(limit, Ordering::Relaxed);
            }
            if let Some(rate) = quota::rate(answer) {
                *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = Some(rate);
            }
        }
        result
    }

    async fn token(&self) -> Result<SecretString, ConnectorError> {
        let mut tries = Tries::new(self.patience);
        loop {
            match self.session.step(&self.token_path, self.transport.now()) {
                Step::Use(token) => return Ok(token),
                Step::Wait => self.transport.sleep(50).await,
                Step::Renew(request, renewal) => {
                    let (cause, asked_ms) = match self.send(&request).await {
                        Ok(answer) if answer.status >= 500 || answer.status == 429 => {
                            (format!("its token endpoint answers HTTP {}", answer.status), 1000)
                        }
                        Ok(answer) => match token_answer(&answer) {
                            Ok(token) => {
                                renewal.done(token);
                                continue;
                            }
                            Err((code, message)) => return Err(self.unauthorized(code, message)),
                        },
                        Err(Lost::NotSent(cause) | Lost::Unknown { cause, .. }) => (cause, 0),
                    };
                    drop(renewal);
                    let wait = tries.next_wait(asked_ms, self.transport.random());
                    self.transport.sleep(wait.ok_or_else(|| self.unreachable(&cause))?).await;
                }
            }
        }
    }

    fn timing_at(&self, sent: Millis) -> Timing {
        Timing { sent, offset: self.known_offset().unwrap_or_default() }
    }

    fn clock(&self) -> MutexGuard<'_, RemoteClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, cause: &str) -> ConnectorError {
        ConnectorError::Unreachable { system: self.system.clone(), url: self.url.clone(), cause: cause.to_owned() }
    }

    fn limited(&self, code: String, after_ms: i64) -> ConnectorError {
        ConnectorError::Limited { system: self.system.clone(), code, after_ms }
    }

    fn unauthorized(&self, code: String, message: String) -> ConnectorError {
        ConnectorError::Unauthorized { system: self.system.clone(), code, message }
    }

    pub fn refused(&self, what: &str, status: u16, code: String, message: String) -> ConnectorError {
        ConnectorError::Refused { system: self.system.clone(), what: what.to_owned(), status, code, message }
    }

    pub fn protocol(&self, what: &str, cause: impl Into<String>) -> ConnectorError {
        ConnectorError::Protocol { system: self.system.clone(), what: what.to_owned(), cause: cause.into() }
    }

    /// The body as text.
    pub fn text(&self, what: &str, answer: Answer) -> Result<String, ConnectorError> {
        String::from_utf8(answer.body).map_err(|_| self.protocol(what, "the body is not UTF-8"))
    }
}

/// What a failed write call means for each of its items.
pub(crate) fn outcome_of(failure: &Failure) -> Outcome {
    let retry = |code: &str, after_ms| Outcome::Retry { code: code.to_owned(), after_ms };
    match failure {
        Failure::Unknown(_) => Outcome::Unknown,
        Failure::Error(ConnectorError::Limited { code, after_ms, .. }) => retry(code, *after_ms),
        // Nothing is wrong with the record: its write waits until somebody has mended the credential.
        Failure::Error(ConnectorError::Unauthorized { code, .. }) => retry(code, 60_000),
        Failure::Error(_) => retry("UNREACHABLE", 1_000),
    }
}
