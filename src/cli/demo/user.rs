//! A person at work in one system: calls with the user's token, which are no calls of ours.

use crate::cli::CliError;
use crate::sandbox::server::Server;
use reqwest::Method;
use serde_json::Value;

/// A person in one system.
pub(super) struct User {
    client: reqwest::Client,
    base: String,
    token: String,
    server: Server,
}

impl User {
    pub fn new(ready: &Value, server: &Server) -> Self {
        let token = ready["user_token"].as_str().unwrap_or_default().to_owned();
        Self { client: reqwest::Client::new(), base: server.url(), token, server: server.clone() }
    }

    /// One call; what is not 2xx is an error.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CliError> {
        let failed = |cause: String| {
            let message = format!("a person's {method} {path} failed: {cause}");
            CliError::world("sandbox", message, "this should not happen: please report it")
        };
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| failed(error.to_string()))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            return Err(failed(format!("{status}: {text}")));
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Calls of ours that are not the regular polls: what was read by id, looked up and written.
    pub fn calls(&self) -> i64 {
        let ledger = self.server.ledger();
        let kind = |name: &str| ledger["calls"]["by_kind"][name].as_i64().unwrap_or_default();
        let total = ledger["calls"]["total"].as_i64().unwrap_or_default();
        // HubSpot is polled by searches and lists. Salesforce is asked for everything by queries: of those, a poll makes as
        // many as it lists deletes.
        total - kind("search") - kind("list") - 2 * kind("query_all") - kind("query_more")
    }
}

/// The parts of a URL's query that a value would break.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
