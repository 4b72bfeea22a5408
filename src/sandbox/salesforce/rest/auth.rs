//! The token endpoint and who one is.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::params::{decode, form};
use crate::sandbox::http::{Request, Response};
use crate::sandbox::ledger::Caller;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::column;
use crate::sandbox::salesforce::value::Value;
use crate::sandbox::salesforce::world::SalesforceWorld;

impl SalesforceWorld {
    /// `POST /services/oauth2/token`: client credentials or a refresh token.
    pub(in crate::sandbox::salesforce) fn issue_token(&self, request: &Request, now_ms: i64) -> Response {
        let body = String::from_utf8_lossy(&request.body);
        let form: BTreeMap<String, String> = form(&body).collect();
        let given = |name: &str| form.get(name).map(String::as_str);
        let basic = request.header("authorization").and_then(basic);
        let (id, secret) = match &basic {
            Some((id, secret)) => (Some(id.as_str()), Some(secret.as_str())),
            None => (given("client_id"), given("client_secret")),
        };
        let grant = given("grant_type");
        if !matches!(grant, Some("client_credentials" | "refresh_token")) {
            return failed("unsupported_grant_type", "grant type not supported");
        }
        if id != Some(self.tokens.client_id.as_str()) {
            return failed("invalid_client_id", "client identifier invalid");
        }
        if secret != Some(self.tokens.client_secret.as_str()) {
            return failed("invalid_client", "invalid client credentials");
        }
        if grant == Some("refresh_token") && given("refresh_token") != Some(self.tokens.refresh_token.as_str()) {
            return failed("invalid_grant", "expired access/refresh token");
        }
        let host = host(request);
        let mut answer = json!({
            "access_token": self.session,
            "instance_url": host,
            "id": format!("{host}/id/{}/{}", organization(), self.user_of(Caller::Integration)),
            "token_type": "Bearer",
            "issued_at": now_ms.to_string(),
            "signature": "c2FuZGJveA==",
        });
        if grant == Some("client_credentials") {
            answer["scope"] = json!("api");
        }
        Response::json(200, &answer)
    }

    /// `GET /services/oauth2/userinfo`
    pub(in crate::sandbox::salesforce) fn user_info(&self, request: &Request, caller: Caller) -> Response {
        let id = self.user_of(caller);
        let host = host(request);
        let organization = organization();
        let database = &self.database;
        let users = database.find_table("User");
        let text = |name: &str| -> Json {
            let row = users.and_then(|users| database.table(users).row(id));
            let at = users.and_then(|users| database.object(users).column(name)).unwrap_or(column::ID);
            row.map_or(Value::Null, |row| row.get(at).clone()).to_json()
        };
        Response::json(
            200,
            &json!({
                "sub": format!("{host}/id/{organization}/{id}"),
                "user_id": id.to_string(),
                "organization_id": organization.to_string(),
                "preferred_username": text("Username"),
                "name": text("Name"),
                "email": text("Email"),
                "active": true,
            }),
        )
    }
}

fn failed(error: &str, description: &str) -> Response {
    Response::json(400, &json!({"error": error, "error_description": description}))
}

/// Where the caller reached this org.
fn host(request: &Request) -> String {
    format!("http://{}", request.header("host").unwrap_or("localhost"))
}

fn organization() -> Id {
    Id::mint("00D", *b"5g", 62_004)
}

/// Name and secret of HTTP Basic.
fn basic(header: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(base64(header.strip_prefix("Basic ")?.trim())?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((decode(id), decode(secret)))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0;
        for byte in group {
            bits = bits << 6 | digit(*byte)?;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(bits.to_be_bytes().get(1..group.len())?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials() {
        assert_eq!(basic("Basic aWQ6c2VjcmV0"), Some(("id".into(), "secret".into())));
        assert_eq!(basic("Basic aWQ6cw=="), Some(("id".into(), "s".into())));
        assert_eq!(basic("Basic aWQ6c2U="), Some(("id".into(), "se".into())));
        for wrong in ["Basic", "Basic !", "Basic aWQ", "Bearer x", "Basic a"] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
    }
}
