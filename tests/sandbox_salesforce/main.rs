//! The emulated Salesforce, as a client sees it: requests in, answers out.
#![cfg(feature = "sandbox")]

mod collections;
mod hostile;
mod life;
mod org;
mod queries;
mod rows;

use serde_json::{Value as Json, json};
use syncline::sandbox::http::{Request, Response};
use syncline::sandbox::salesforce::SalesforceWorld;
use syncline::sandbox::tokens::Tokens;

/// 2024-05-15T12:00:00Z.
const NOON_MS: i64 = 1_715_774_400_000;

/// An org and its clock.
struct Org {
    world: SalesforceWorld,
    now_ms: i64,
}

impl Org {
    fn new() -> Self {
        let world = SalesforceWorld::new(Tokens::derive("salesforce", 1), 1);
        Self { world, now_ms: NOON_MS }
    }

    fn send(&mut self, request: &Request) -> Response {
        self.world.handle(request, self.now_ms)
    }

    #[track_caller]
    fn call(&mut self, method: &str, path: &str, body: Json) -> (u16, Json) {
        let response = self.send(&request("salesforce", method, path, &body));
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    #[track_caller]
    fn create(&mut self, object: &str, body: Json) -> String {
        let (status, answer) = self.call("POST", &format!("/sobjects/{object}"), body);
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    fn query(&mut self, soql: &str) -> Json {
        let (status, answer) = self.call("GET", &format!("/query?q={}", encode(soql)), Json::Null);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    #[track_caller]
    fn check_refused(&mut self, method: &str, path: &str, body: Json, status: u16, code: &str) -> Json {
        let (found, answer) = self.call(method, path, body);
        assert_eq!((found, &answer[0]["errorCode"]), (status, &json!(code)), "{answer}");
        answer[0].clone()
    }
}

fn request(system: &str, method: &str, path: &str, body: &Json) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = if path.starts_with("/services") { path.to_owned() } else { format!("/services/data/v61.0{path}") };
    Request {
        method: method.into(),
        path,
        query: query.into(),
        headers: vec![("authorization".into(), format!("Bearer {}", Tokens::derive(system, 1).token))],
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn body(response: &Response) -> Json {
    serde_json::from_slice(&response.body).unwrap_or_default()
}
