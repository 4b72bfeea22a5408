//! Which resource a request means.

use serde_json::Value as Json;

use super::params::{decode, form};
use crate::sandbox::http::Request;

/// Where a request leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// `POST /services/oauth2/token`
    Token,
    /// `POST /services/oauth2/revoke`
    Revoke,
    /// `GET /services/oauth2/userinfo`
    UserInfo,
    /// `GET /services/data`
    Versions,
    /// A resource of one version: `/services/data/vXX.X`, and what follows.
    Data(String, Target),
    /// Anything else.
    Unknown,
}

/// A resource and what to do with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// `GET /`
    Resources,
    /// `GET /sobjects`
    Global,
    /// `GET /sobjects/{X}`
    Basic(String),
    /// `GET /sobjects/{X}/describe`
    Describe(String),
    /// `POST /sobjects/{X}`, `POST /sobjects/{X}/Id`
    Create(String),
    /// `GET /sobjects/{X}/{id}`
    Read(String, String),
    /// `PATCH /sobjects/{X}/{id}`
    Update(String, String),
    /// `DELETE /sobjects/{X}/{id}`
    Delete(String, String),
    /// `GET /sobjects/{X}/{field}/{value}`
    ReadExternal(String, String, String),
    /// `PATCH /sobjects/{X}/{field}/{value}`
    Upsert(String, String, String),
    /// `DELETE /sobjects/{X}/{field}/{value}`
    DeleteExternal(String, String, String),
    /// `GET /sobjects/{X}/updated`
    Updated(String),
    /// `GET /sobjects/{X}/deleted`
    Deleted(String),
    /// `POST /composite/sobjects`
    CollectionsCreate,
    /// `PATCH /composite/sobjects`
    CollectionsUpdate,
    /// `PATCH /composite/sobjects/{X}/{field}`
    CollectionsUpsert(String, String),
    /// `DELETE /composite/sobjects`
    CollectionsDelete,
    /// `GET` or `POST /composite/sobjects/{X}`
    CollectionsRetrieve(String),
    /// `GET /query?q=`
    Query,
    /// `GET /queryAll?q=`
    QueryAll,
    /// `GET /query/{locator}`
    QueryMore(String),
    /// `GET /limits`
    Limits,
    /// `POST /composite`
    Composite,
    /// The resource is known, the method is not.
    NotAllowed,
    /// No such resource.
    Unknown,
}

impl Route {
    /// Reads method and path.
    pub fn of(request: &Request) -> Self {
        let method = method(request);
        let segments: Vec<String> = request.path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), &words[..]) {
            ("POST", ["services", "oauth2", "token"]) => Self::Token,
            ("POST", ["services", "oauth2", "revoke"]) => Self::Revoke,
            ("GET" | "POST", ["services", "oauth2", "userinfo"]) => Self::UserInfo,
            ("GET", ["services", "data"]) => Self::Versions,
            (method, ["services", "data", version, rest @ ..]) if is_version(version) => {
                Self::Data(format!("/services/data/{version}"), target(method, rest))
            }
            _ => Self::Unknown,
        }
    }
}

impl Target {
    /// The kind the ledger counts it under.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Global => "describe_global",
            Self::Basic(_) => "basic_info",
            Self::Describe(_) => "describe",
            Self::Create(_) => "create",
            Self::Read(..) => "read",
            Self::Update(..) => "update",
            Self::Delete(..) => "delete",
            Self::ReadExternal(..) => "read_external",
            Self::Upsert(..) => "upsert",
            Self::DeleteExternal(..) => "delete_external",
            Self::Updated(_) => "get_updated",
            Self::Deleted(_) => "get_deleted",
            Self::CollectionsCreate => "collections_create",
            Self::CollectionsUpdate => "collections_update",
            Self::CollectionsUpsert(..) => "collections_upsert",
            Self::CollectionsDelete => "collections_delete",
            Self::CollectionsRetrieve(_) => "collections_retrieve",
            Self::Query => "query",
            Self::QueryAll => "query_all",
            Self::QueryMore(_) => "query_more",
            Self::Limits => "limits",
            Self::Composite => "composite",
            Self::NotAllowed | Self::Unknown => "other",
        }
    }

    /// Would it change records? `body` is looked into for a composite call only.
    pub fn is_write(&self, body: &[u8]) -> bool {
        match self {
            Self::Create(_)
            | Self::Update(..)
            | Self::Delete(..)
            | Self::Upsert(..)
            | Self::DeleteExternal(..)
            | Self::CollectionsCreate
            | Self::CollectionsUpdate
            | Self::CollectionsUpsert(..)
            | Self::CollectionsDelete => true,
            Self::Composite => composite_writes(body),
            _ => false,
        }
    }
}

/// Clients without `PATCH` send `POST` with `_HttpMethod=PATCH`.
fn method(request: &Request) -> String {
    let instead = form(&request.query).find(|(key, _)| key == "_HttpMethod").map(|(_, method)| method);
    match instead {
        Some(method) if request.method == "POST" => method.to_ascii_uppercase(),
        _ => request.method.clone(),
    }
}

fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|text| text.strip_suffix(".0"));
    number.and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| (60..1000).contains(&number))
}

fn target(method: &str, path: &[&str]) -> Target {
    let own = |text: &str| text.to_owned();
    match (method, path) {
        ("GET", []) => Target::Resources,
        ("GET", ["sobjects"]) => Target::Global,
        ("GET", ["sobjects", object]) => Target::Basic(own(object)),
        ("POST", ["sobjects", object] | ["sobjects", object, "Id"]) => Target::Create(own(object)),
        ("GET", ["sobjects", object, "describe"]) => Target::Describe(own(object)),
        ("GET", ["sobjects", object, "updated"]) => Target::Updated(own(object)),
        ("GET", ["sobjects", object, "deleted"]) => Target::Deleted(own(object)),
        ("GET", ["sobjects", object, id] | ["sobjects", object, "Id", id]) => Target::Read(own(object), own(id)),
        ("PATCH", ["sobjects", object, id] | ["sobjects", object, "Id", id]) => Target::Update(own(object), own(id)),
        ("DELETE", ["sobjects", object, id] | ["sobjects", object, "Id", id]) => Target::Delete(own(object), own(id)),
        ("GET", ["sobjects", object, field, value]) => Target::ReadExternal(own(object), own(field), own(value)),
        ("PATCH", ["sobjects", object, field, value]) => Target::Upsert(own(object), own(field), own(value)),
        ("DELETE", ["sobjects", object, field, value]) => Target::DeleteExternal(own(object), own(field), own(value)),
        ("POST", ["composite", "sobjects"]) => Target::CollectionsCreate,
        ("PATCH", ["composite", "sobjects"]) => Target::CollectionsUpdate,
        ("DELETE", ["composite", "sobjects"]) => Target::CollectionsDelete,
        ("GET" | "POST", ["composite", "sobjects", object]) => Target::CollectionsRetrieve(own(object)),
        ("PATCH", ["composite", "sobjects", object, field]) => Target::CollectionsUpsert(own(object), own(field)),
        ("GET", ["query"]) => Target::Query,
        ("GET", ["queryAll"]) => Target::QueryAll,
        ("GET", ["query" | "queryAll", locator]) => Target::QueryMore(own(locator)),
        ("GET", ["limits"]) => Target::Limits,
        ("POST", ["composite"]) => Target::Composite,
        (_, [] | ["sobjects" | "query" | "queryAll" | "limits" | "composite", ..]) => Target::NotAllowed,
        _ => Target::Unknown,
    }
}

fn composite_writes(body: &[u8]) -> bool {
    let body: Json = serde_json::from_slice(body).unwrap_or_default();
    let calls = body.get("compositeRequest").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    calls.iter().any(|call| call.get("method").and_then(Json::as_str) != Some("GET"))
}
