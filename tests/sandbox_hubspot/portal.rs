//! One emulated portal on virtual time.

use serde_json::{Value, json};
use syncline::sandbox::http::{Request, Response};
use syncline::sandbox::hubspot::HubSpotWorld;
use syncline::sandbox::tokens::Tokens;

const NOW_MS: i64 = 1_790_000_000_000;
pub const CONTACTS: &str = "/crm/objects/2026-03/contacts";

/// A portal on virtual time, and the calls of both its users.
pub struct Portal {
    pub world: HubSpotWorld,
    pub tokens: Tokens,
    pub now_ms: i64,
}

impl Portal {
    pub fn new() -> Self {
        let tokens = Tokens::derive("hubspot", 1);
        Self { world: HubSpotWorld::new(tokens.clone(), 1), tokens, now_ms: NOW_MS }
    }

    pub fn raw(&mut self, token: &str, method: &str, target: &str, body: &[u8]) -> Response {
        self.now_ms += 1;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = vec![("host".to_owned(), "127.0.0.1:1".to_owned())];
        if !token.is_empty() {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_vec(),
        };
        self.world.handle(&request, self.now_ms)
    }

    /// A call of the integration.
    pub fn call(&mut self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let token = self.tokens.token.clone();
        parsed(self.raw(&token, method, target, &bytes(body)))
    }

    /// A call of the person.
    pub fn person(&mut self, method: &str, target: &str, body: Value) -> (u16, Value) {
        let token = self.tokens.user_token.clone();
        parsed(self.raw(&token, method, target, &bytes(body)))
    }

    pub fn contact(&mut self, email: &str) -> String {
        let (status, record) = self.person("POST", CONTACTS, json!({"properties": {"email": email, "lastname": "L"}}));
        assert_eq!(status, 201, "{record}");
        text(&record["id"])
    }

    pub fn search(&mut self, body: Value) -> Value {
        let (status, answer) = self.call("POST", &format!("{CONTACTS}/search"), body);
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

fn bytes(body: Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

pub fn parsed(response: Response) -> (u16, Value) {
    (response.status, serde_json::from_slice(&response.body).unwrap_or(Value::Null))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub fn ids(answer: &Value) -> Vec<String> {
    let mut ids: Vec<_> = answer["results"].as_array().expect("results").iter().map(|row| text(&row["id"])).collect();
    ids.sort();
    ids
}
