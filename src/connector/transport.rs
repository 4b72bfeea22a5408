//! What a connector needs of the world: to send a request, to know the time, to wait, to throw dice. A simulation gives it
//! another world through the same four methods.

use super::BoxFuture;
use crate::model::Millis;
use secrecy::SecretString;
use std::fmt;

/// HTTP methods that the connectors use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create, or a read with a body.
    Post,
    /// Update.
    Patch,
    /// Delete.
    Delete,
}

impl Method {
    /// The method as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One request. Its `Debug` shows no header value and no body: both may hold secrets and personal data.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded, beginning with `/`.
    pub path_and_query: String,
    /// Headers besides the credential.
    pub headers: Vec<(&'static str, String)>,
    /// The credential, sent as `Authorization: Bearer`.
    pub bearer: Option<SecretString>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A GET.
    pub fn get(path_and_query: impl Into<String>) -> Self {
        let headers = vec![("accept", "application/json".to_owned())];
        Self { method: Method::Get, path_and_query: path_and_query.into(), headers, bearer: None, body: Vec::new() }
    }

    /// A DELETE.
    pub fn delete(path_and_query: impl Into<String>) -> Self {
        Self { method: Method::Delete, ..Self::get(path_and_query) }
    }

    /// A request with a JSON body.
    pub fn json(method: Method, path_and_query: impl Into<String>, body: String) -> Self {
        let mut request = Self { method, ..Self::get(path_and_query) };
        request.headers.push(("content-type", "application/json".to_owned()));
        request.body = body.into_bytes();
        request
    }

    /// A form post.
    pub fn form(path: impl Into<String>, body: String) -> Self {
        let mut request = Self { method: Method::Post, ..Self::get(path) };
        request.headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        request.body = body.into_bytes();
        request
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        write!(f, "Request({} {path}, {} bytes)", self.method.as_str(), self.body.len())
    }
}

/// One whole answer. Its `Debug` shows no header and no body.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Our clock when the request left.
    pub sent: Millis,
    /// Our clock when the head of the answer had come.
    pub received: Millis,
}

impl Answer {
    /// The first header called `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `Retry-After` in milliseconds, where it is given in seconds.
    pub fn retry_after_ms(&self) -> Option<i64> {
        let seconds: i64 = self.header("retry-after")?.trim().parse().ok()?;
        (seconds >= 0).then(|| seconds.saturating_mul(1000))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// No whole answer came. What was asked may have been done all the same, unless it never left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The request never left: certainly not applied.
    NotSent(String),
    /// It left, and what became of it is unknown: timeout, reset, cut answer.
    Unknown {
        /// Our clock when it left.
        sent: Millis,
        /// What the transport said.
        cause: String,
    },
}

/// How long to wait for what, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect_ms: u64,
    /// For the next bytes.
    pub read_ms: u64,
    /// For the whole exchange.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 10_000, read_ms: 60_000, total_ms: 120_000 }
    }
}

/// The world as a connector sees it.
pub trait Transport: Send + Sync {
    /// Sends one request and takes in the whole answer.
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, Lost>>;

    /// Our clock.
    fn now(&self) -> Millis;

    /// Waits.
    fn sleep(&self, ms: i64) -> BoxFuture<'_, ()>;

    /// A random number in `0.0..1.0`, for jitter.
    fn random(&self) -> f64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_credential_nor_content() {
        let mut request = Request::json(Method::Post, "/x?q=canary-1", "canary-2".into()).header("h", "canary-3");
        request.bearer = Some(SecretString::from("canary-4"));
        let answer = Answer {
            status: 200,
            headers: vec![("set-cookie".into(), "canary-5".into())],
            body: b"canary-6".to_vec(),
            sent: Millis(0),
            received: Millis(0),
        };
        let shown = format!("{request:?} {answer:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
