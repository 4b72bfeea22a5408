//! The only HTTP client. Here alone the connectors meet a socket, the wall clock, a timer and chance.

use super::transport::{Answer, Lost, Method, Request, Timeouts, Transport};
use super::{BoxFuture, ConnectorError};
use crate::model::Millis;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// HTTP over TLS to one system; plain HTTP to this machine only.
pub struct Http {
    client: reqwest::Client,
    base: String,
}

impl Http {
    /// For the system called `system` at `url`, which may have a path but no credentials, query or fragment.
    pub fn new(system: &str, url: &str, timeouts: Timeouts) -> Result<Self, ConnectorError> {
        // The address is not repeated where it holds a credential.
        let refuse = |shown: &str, cause: String| ConnectorError::Address {
            system: system.to_owned(),
            url: shown.to_owned(),
            cause,
        };
        let parsed = Url::parse(url).map_err(|error| refuse("?", error.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refuse("?", "it holds a credential, which belongs to the token".to_owned()));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse("?", "it has a query or a fragment".to_owned()));
        }
        let base = parsed.as_str().trim_end_matches('/').to_owned();
        match parsed.scheme() {
            "https" => {}
            "http" if is_loopback(&parsed) => {}
            "http" => return Err(refuse(&base, "http:// is accepted for this machine only; use https://".to_owned())),
            other => return Err(refuse(&base, format!("{other}:// is not spoken; use https://"))),
        }
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_millis(timeouts.connect_ms))
            .read_timeout(Duration::from_millis(timeouts.read_ms))
            .timeout(Duration::from_millis(timeouts.total_ms))
            .redirect(redirect::Policy::none())
            .user_agent(concat!("syncline/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| refuse(&base, causes(error)))?;
        Ok(Self { client, base })
    }

    /// The address, for messages.
    pub fn base(&self) -> &str {
        &self.base
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, Lost> {
        let url = Url::parse(&format!("{}{}", self.base, request.path_and_query))
            .map_err(|error| Lost::NotSent(error.to_string()))?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let builder = self.client.request(method, url).headers(headers(request)?).body(request.body.clone());
        let sent = self.now();
        let mut response = builder.send().await.map_err(|error| lost(sent, error))?;
        let received = self.now();
        let status = response.status().as_u16();
        let names = response.headers().iter();
        let headers = names
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| cut(sent, error))? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(Lost::Unknown { sent, cause: format!("the answer is longer than {BODY_MAX} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body, sent, received })
    }
}

impl Transport for Http {
    fn send<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, Lost>> {
        Box::pin(self.exchange(request))
    }

    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, ms: i64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms.max(0).unsigned_abs())))
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http({})", self.base)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

fn headers(request: &Request) -> Result<HeaderMap, Lost> {
    let mut map = HeaderMap::new();
    for (name, value) in &request.headers {
        let value = HeaderValue::from_str(value).map_err(|_| Lost::NotSent(format!("bad value for header {name}")))?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Lost::NotSent(format!("bad header {name}")))?;
        map.insert(name, value);
    }
    if let Some(token) = &request.bearer {
        let text = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let mut value = HeaderValue::from_str(text.expose_secret())
            .map_err(|_| Lost::NotSent("the token holds characters that no header can carry".to_owned()))?;
        value.set_sensitive(true);
        map.insert(AUTHORIZATION, value);
    }
    Ok(map)
}

/// Sending failed: a connection that was never made carried nothing; all else is unknown.
fn lost(sent: Millis, error: reqwest::Error) -> Lost {
    match error.is_connect() || error.is_builder() {
        true => Lost::NotSent(causes(error)),
        false => cut(sent, error),
    }
}

fn cut(sent: Millis, error: reqwest::Error) -> Lost {
    Lost::Unknown { sent, cause: causes(error) }
}

/// The chain of causes, without the URL: a query holds names and ids.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Longest body that is read, in bytes.
const BODY_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn short() -> Timeouts {
        Timeouts { connect_ms: 2000, read_ms: 300, total_ms: 1000 }
    }

    /// One connection: reads the head of a request, then `serve` does what it likes.
    fn once(serve: impl FnOnce(TcpStream, String) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            serve(stream, String::from_utf8(head).unwrap());
        });
        url
    }

    fn exchange(url: &str, token: &str) -> Result<Answer, Lost> {
        let http = Http::new("hubspot", url, short()).unwrap();
        let mut request = Request::json(Method::Post, "/a%20b?q=1", "{}".into());
        request.bearer = Some(token.into());
        runtime().block_on(http.send(&request))
    }

    #[test]
    fn plain_http_and_credentials_in_the_address_are_refused() {
        for (url, fine) in [
            ("https://api.hubapi.com", true),
            ("http://127.0.0.1:8080/", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://api.hubapi.com", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("https://canary:canary@api.hubapi.com", false),
            ("https://api.hubapi.com?key=canary", false),
            ("ftp://127.0.0.1", false),
            ("canary", false),
        ] {
            let result = Http::new("hubspot", url, short());
            assert_eq!(result.is_ok(), fine, "{url}");
            assert!(!format!("{result:?}").contains("canary"), "{url}");
        }
    }

    #[test]
    fn an_answer_is_read_whole_and_redirects_are_not_followed() {
        let url = once(|mut stream, head| {
            assert!(head.starts_with("POST /a%20b?q=1 HTTP/1.1"), "{head}");
            assert!(head.contains("authorization: Bearer canary-token"), "{head}");
            let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n{date}\r\nContent-Length: 2\r\n\r\nok");
            stream.write_all(head.as_bytes()).unwrap();
        });
        let answer = exchange(&url, "canary-token").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (302, b"ok".as_slice()));
        assert_eq!(answer.header("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(answer.sent <= answer.received);
    }

    #[test]
    fn what_never_left_is_told_from_what_may_have_arrived() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = exchange(&format!("http://{free}"), "canary");
        let bad_token = exchange(&format!("http://{free}"), "canary\n");
        let reset = exchange(&once(|stream, _| drop(stream)), "canary");
        let silent = exchange(
            &once(|stream, _| {
                std::thread::sleep(Duration::from_millis(900));
                drop(stream)
            }),
            "canary",
        );
        let cut = exchange(
            &once(|mut stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal").unwrap()),
            "canary",
        );
        assert!(matches!(refused, Err(Lost::NotSent(_))), "{refused:?}");
        assert!(matches!(bad_token, Err(Lost::NotSent(_))), "{bad_token:?}");
        for unknown in [&reset, &silent, &cut] {
            assert!(matches!(unknown, Err(Lost::Unknown { .. })), "{unknown:?}");
        }
        assert!(!format!("{refused:?}{bad_token:?}{reset:?}{silent:?}{cut:?}").contains("canary"));
    }
}
