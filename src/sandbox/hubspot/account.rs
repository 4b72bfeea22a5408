//! What belongs to the account: pipelines, owners, details, usage, OAuth tokens.

use serde_json::{Value, json};

use super::object_type::ObjectType;
use super::query::Query;
use super::refusal::Refusal;
use super::standard::{OWNERS, Owner, PIPELINE, STAGES};
use super::{Call, HubSpotWorld};
use crate::sandbox::clock::{self, DAY_MS};
use crate::sandbox::http::{Request, Response};

impl HubSpotWorld {
    /// `POST /oauth/{version}/token`.
    pub(super) fn token(&mut self, request: &Request, now_ms: i64) -> Response {
        if request.method != "POST" {
            return Response::empty(405);
        }
        let form = Query::parse(&String::from_utf8_lossy(&request.body));
        let is_ours = |name: &str, secret: &str| form.get(name) == Some(secret);
        if !is_ours("client_id", &self.tokens.client_id) || !is_ours("client_secret", &self.tokens.client_secret) {
            return grant_refused("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret");
        }
        let mut answer = match form.get("grant_type") {
            Some("refresh_token") if is_ours("refresh_token", &self.tokens.refresh_token) => json!({
                "refresh_token": self.tokens.refresh_token, "token_use": "access_token", "user_id": super::show::USER_ID,
            }),
            Some("refresh_token") => {
                let message = "refresh token is invalid, expired or revoked";
                return grant_refused("invalid_grant", "BAD_REFRESH_TOKEN", message);
            }
            Some("client_credentials") => json!({"token_use": "client_credentials"}),
            _ => return grant_refused("unsupported_grant_type", "BAD_GRANT_TYPE", "unsupported grant type"),
        };
        let access = format!("oauth-{:016x}{:016x}", self.rng.word(), self.rng.word());
        self.access.insert(access.clone(), now_ms + ACCESS_TOKEN_MS);
        answer["token_type"] = json!("bearer");
        answer["access_token"] = json!(access);
        answer["expires_in"] = json!(ACCESS_TOKEN_MS / 1000);
        answer["hub_id"] = json!(PORTAL_ID);
        answer["scopes"] = json!(SCOPES);
        Response::json(200, &answer)
    }

    /// `POST /oauth/v2/private-apps/get/access-token-info`. The names of its fields are not known for certain.
    pub(super) fn token_info(&self, request: &Request) -> Result<Response, Refusal> {
        let body = super::body_of(request)?;
        if body.get("tokenKey").and_then(Value::as_str) != Some(&*self.tokens.token) {
            return Err(Refusal::not_found("0"));
        }
        let scopes: Vec<&str> = SCOPES.into_iter().filter(|scope| !self.lists.is_closed() || *scope != LISTS).collect();
        let answer = json!({ "userId": super::show::USER_ID, "hubId": PORTAL_ID, "appId": self.tokens.app_id, "scopes": scopes });
        Ok(Response::json(200, &answer))
    }

    /// `GET /account-info/{version}/api-usage/daily/private-apps`.
    pub(super) fn usage(&self, call: Call) -> Response {
        let (used, limit) = self.quota.today();
        let resets_ms = (call.now_ms.div_euclid(DAY_MS) + 1) * DAY_MS;
        Response::json(
            200,
            &json!({"results": [{
                "name": "private-apps-api-calls-daily", "usageLimit": limit, "currentUsage": used,
                "collectedAt": clock::instant(call.now_ms), "fetchStatus": "SUCCESS", "resetsAt": clock::instant(resets_ms),
            }]}),
        )
    }
}

/// `GET /crm/pipelines/{version}/{type}`; deals have one, others none.
pub fn pipelines(object: ObjectType, rest: &[String], request: &Request) -> Result<Response, Refusal> {
    only_get(request)?;
    let stages: Vec<_> = STAGES
        .iter()
        .enumerate()
        .map(|(order, (id, label, probability))| {
            json!({
                "id": id, "label": label, "displayOrder": order, "archived": false,
                "metadata": {"isClosed": id.starts_with("closed").to_string(), "probability": probability},
                "createdAt": clock::instant(0), "updatedAt": clock::instant(0),
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            })
        })
        .collect();
    let pipeline = json!({
        "id": PIPELINE, "label": "Sales Pipeline", "displayOrder": 0, "archived": false, "stages": stages,
        "createdAt": clock::instant(0), "updatedAt": clock::instant(0),
    });
    let rest: Vec<_> = rest.iter().map(String::as_str).collect();
    let answer = match (object, rest.as_slice()) {
        (ObjectType::Deal, []) => json!({"results": [pipeline]}),
        (_, []) => json!({"results": []}),
        (ObjectType::Deal, [PIPELINE]) => pipeline,
        (ObjectType::Deal, [PIPELINE, "stages"]) => json!({"results": stages}),
        (_, parts) => return Err(Refusal::not_found(parts[0])),
    };
    Ok(Response::json(200, &answer))
}

/// `GET /crm/owners/{version}`.
pub fn owners(id: Option<&str>, request: &Request) -> Result<Response, Refusal> {
    only_get(request)?;
    let show = |owner: &Owner| {
        let user = (owner.id == OWNERS[0].id).then_some(super::show::USER_ID);
        json!({
            "id": owner.id, "email": owner.email, "type": "PERSON", "firstName": owner.name.0, "lastName": owner.name.1,
            "userId": user, "userIdIncludingInactive": user, "archived": !owner.active, "teams": [],
            "createdAt": clock::instant(0), "updatedAt": clock::instant(0),
        })
    };
    let query = Query::parse(&request.query);
    match id {
        None => {
            let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
            let after = query.get("after").unwrap_or_default();
            let is_wanted = |owner: &&Owner| {
                owner.active != query.is_true("archived") && query.get("email").is_none_or(|email| email == owner.email)
            };
            let mut left = OWNERS.iter().filter(is_wanted).filter(|owner| owner.id > after);
            let page: Vec<&Owner> = left.by_ref().take(limit.clamp(1, 500)).collect();
            let mut answer = json!({"results": page.iter().map(|owner| show(owner)).collect::<Vec<Value>>()});
            if let (Some(last), Some(_)) = (page.last(), left.next()) {
                answer["paging"] = json!({"next": {"after": last.id}});
            }
            Ok(Response::json(200, &answer))
        }
        Some(id) => match OWNERS.iter().find(|owner| owner.id == id) {
            Some(owner) => Ok(Response::json(200, &show(owner))),
            None => Err(Refusal::not_found(id)),
        },
    }
}

/// `GET /account-info/{version}/details`.
pub fn details() -> Response {
    Response::json(
        200,
        &json!({
            "portalId": PORTAL_ID, "accountType": "DEVELOPER_TEST", "timeZone": "Etc/UTC", "companyCurrency": "USD",
            "additionalCurrencies": ["EUR", "GBP"], "utcOffset": "+00:00", "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
        }),
    )
}

fn only_get(request: &Request) -> Result<(), Refusal> {
    if request.method == "GET" { Ok(()) } else { Err(Refusal::bare(405, "Method Not Allowed")) }
}

fn grant_refused(error: &str, status: &str, message: &str) -> Response {
    Response::json(400, &json!({"error": error, "error_description": message, "status": status, "message": message}))
}

/// The id of the portal.
pub const PORTAL_ID: u64 = 14_600_001;

const ACCESS_TOKEN_MS: i64 = 1_800_000;
const LISTS: &str = "crm.lists.read";
const SCOPES: [&str; 12] = [
    "oauth",
    LISTS,
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.contacts.write",
];
