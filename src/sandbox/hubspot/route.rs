//! Paths: which operation a request asks for.

use super::object_type::ObjectType;
use super::refusal::Refusal;
use crate::sandbox::http::Request;

/// An operation of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/crm/objects/{version}/{type}...`.
    Objects {
        /// The record type.
        object: ObjectType,
        /// What is asked of it.
        verb: Verb,
        /// Whether partly failed batches answer 207, as they do up to 2026-03, rather than 200 or 201.
        multi_status: bool,
    },
    /// `/crm/associations/{version}/{from}/{to}/batch/...`, and `/crm/objects/{version}/{from}/{id}/associations/...`.
    Ties {
        /// The record type that is asked about.
        from: ObjectType,
        /// The type of the records at the other end.
        to: ObjectType,
        /// What is asked.
        tie: Tie,
        /// As of [`Self::Objects`].
        multi_status: bool,
    },
    /// `/crm/properties/{version}/{type}...`.
    Properties {
        /// The record type.
        object: ObjectType,
        /// The rest of the path: nothing, a property's name, or `groups`.
        rest: Vec<String>,
    },
    /// `/crm/pipelines/{version}/{type}...`.
    Pipelines {
        /// The record type.
        object: ObjectType,
        /// The rest of the path.
        rest: Vec<String>,
    },
    /// `/crm/owners/{version}...`.
    Owners {
        /// The owner's id, if one is asked for.
        id: Option<String>,
    },
    /// `/crm/lists/{version}...`.
    Lists {
        /// What is asked.
        ask: super::lists::Ask,
    },
    /// `/account-info/{version}/details`.
    AccountDetails,
    /// `/account-info/{version}/api-usage/daily/private-apps`.
    AccountUsage,
    /// `/oauth/v2/private-apps/get/access-token-info`.
    TokenInfo,
    /// `/oauth/{version}/token`.
    Token,
}

/// What is asked of a record type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// `GET /{type}`.
    List,
    /// `POST /{type}`.
    Create,
    /// `GET /{type}/{id}`.
    Read(String),
    /// `PATCH /{type}/{id}`.
    Update(String),
    /// `DELETE /{type}/{id}`.
    Archive(String),
    /// `POST /{type}/{id}/restore`: no part of the API, but a person's button.
    Restore(String),
    /// `POST /{type}/merge`.
    Merge,
    /// `POST /{type}/search`.
    Search,
    /// `POST /{type}/batch/read`.
    BatchRead,
    /// `POST /{type}/batch/create`.
    BatchCreate,
    /// `POST /{type}/batch/update`.
    BatchUpdate,
    /// `POST /{type}/batch/upsert`.
    BatchUpsert,
    /// `POST /{type}/batch/archive`.
    BatchArchive,
}

/// What is asked of associations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tie {
    /// `POST batch/read`.
    Read,
    /// `POST batch/create`.
    Create,
    /// `POST batch/associate/default`.
    Default,
    /// `POST batch/archive`.
    Archive,
    /// `POST batch/labels/archive`.
    ArchiveLabels,
    /// `GET labels`.
    Labels,
    /// `POST labels`.
    Label,
    /// `GET /{id}/associations/{to}`.
    ListOf(String),
    /// `PUT /{id}/associations/{to}/{other}`.
    Set(String, String),
    /// `PUT /{id}/associations/default/{to}/{other}`.
    SetDefault(String, String),
    /// `DELETE /{id}/associations/{to}/{other}`.
    Remove(String, String),
}

impl Tie {
    fn kind(&self) -> &'static str {
        if self.is_write() { "associations_write" } else { "associations_read" }
    }

    /// Whether it changes associations.
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Read | Self::ListOf(_) | Self::Labels)
    }

    fn of(method: &str, rest: &[&str]) -> Result<Self, Refusal> {
        Ok(match (method, rest) {
            ("GET", ["labels"]) => Self::Labels,
            ("POST", ["labels"]) => Self::Label,
            ("POST", ["batch", "read"]) => Self::Read,
            ("POST", ["batch", "create"]) => Self::Create,
            ("POST", ["batch", "associate", "default"]) => Self::Default,
            ("POST", ["batch", "archive"]) => Self::Archive,
            ("POST", ["batch", "labels", "archive"]) => Self::ArchiveLabels,
            _ => return Err(no_such_path()),
        })
    }

    /// One record's: the other type, and what is asked.
    fn of_record<'p>(method: &str, id: &str, rest: &[&'p str]) -> Result<(&'p str, Self), Refusal> {
        let id = id.to_owned();
        Ok(match (method, rest) {
            ("GET", [to]) => (to, Self::ListOf(id)),
            ("PUT", ["default", to, other]) => (to, Self::SetDefault(id, (*other).to_owned())),
            ("PUT", [to, other]) => (to, Self::Set(id, (*other).to_owned())),
            ("DELETE", [to, other]) => (to, Self::Remove(id, (*other).to_owned())),
            _ => return Err(no_such_path()),
        })
    }
}

impl Route {
    /// Finds the operation, or says in HubSpot's way that there is none.
    pub fn of(request: &Request) -> Result<Self, Refusal> {
        let parts: Vec<String> = request.path.trim_matches('/').split('/').map(super::query::percent_decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (area, version, rest) = match parts.as_slice() {
            ["crm", "v3", area @ ("objects" | "properties" | "pipelines" | "owners"), rest @ ..] => (*area, "v3", rest),
            [
                "crm",
                area @ ("objects" | "properties" | "pipelines" | "owners" | "associations" | "lists"),
                version,
                rest @ ..,
            ] if is_dated(version) => (*area, *version, rest),
            ["account-info", version, rest @ ..] if *version == "v3" || is_dated(version) => {
                ("account-info", *version, rest)
            }
            ["oauth", version, rest @ ..] if matches!(*version, "v1" | "v3") || is_dated(version) => {
                ("oauth", *version, rest)
            }
            ["oauth", "v2", "private-apps", "get", "access-token-info"] => return Ok(Self::TokenInfo),
            _ => return Err(no_such_path()),
        };
        let multi_status = version == "v3" || version < "2026-09";
        match (area, rest) {
            ("associations", [from, to, rest @ ..]) => {
                let (from, to, tie) = (object_type(from)?, object_type(to)?, Tie::of(&request.method, rest)?);
                Ok(Self::Ties { from, to, tie, multi_status })
            }
            ("objects", [object, id, "associations", rest @ ..]) => {
                let (to, tie) = Tie::of_record(&request.method, id, rest)?;
                Ok(Self::Ties { from: object_type(object)?, to: object_type(to)?, tie, multi_status })
            }
            ("objects", [object, rest @ ..]) => {
                let verb = Verb::of(&request.method, rest)?;
                Ok(Self::Objects { object: object_type(object)?, verb, multi_status })
            }
            ("properties", [object, rest @ ..]) if rest.len() < 2 => {
                Ok(Self::Properties { object: object_type(object)?, rest: owned(rest) })
            }
            ("pipelines", [object, rest @ ..]) if rest.len() < 3 => {
                Ok(Self::Pipelines { object: object_type(object)?, rest: owned(rest) })
            }
            ("lists", rest) => {
                let ask = super::lists::Ask::of(&request.method, rest).ok_or_else(no_such_path)?;
                Ok(Self::Lists { ask })
            }
            ("owners", []) => Ok(Self::Owners { id: None }),
            ("owners", [id]) => Ok(Self::Owners { id: Some((*id).to_owned()) }),
            ("account-info", ["details"]) => Ok(Self::AccountDetails),
            ("account-info", ["api-usage", "daily", "private-apps"]) => Ok(Self::AccountUsage),
            ("oauth", ["token"]) => Ok(Self::Token),
            _ => Err(no_such_path()),
        }
    }

    /// The kind of call, as the ledger counts it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Objects { verb, .. } => verb.kind(),
            Self::Ties { tie, .. } => tie.kind(),
            Self::Properties { .. } => "properties",
            Self::Pipelines { .. } => "pipelines",
            Self::Owners { .. } => "owners",
            Self::Lists { .. } => "lists",
            Self::AccountDetails | Self::AccountUsage | Self::TokenInfo => "account",
            Self::Token => "token",
        }
    }
}

impl Verb {
    fn of(method: &str, rest: &[&str]) -> Result<Self, Refusal> {
        let verb = match (method, rest) {
            ("GET", []) => Self::List,
            ("POST", []) => Self::Create,
            ("POST", ["search"]) => Self::Search,
            ("POST", ["merge"]) => Self::Merge,
            ("POST", [id, "restore"]) => Self::Restore((*id).to_owned()),
            ("POST", ["batch", "read"]) => Self::BatchRead,
            ("POST", ["batch", "create"]) => Self::BatchCreate,
            ("POST", ["batch", "update"]) => Self::BatchUpdate,
            ("POST", ["batch", "upsert"]) => Self::BatchUpsert,
            ("POST", ["batch", "archive"]) => Self::BatchArchive,
            ("GET", [id]) => Self::Read((*id).to_owned()),
            ("PATCH", [id]) => Self::Update((*id).to_owned()),
            ("DELETE", [id]) => Self::Archive((*id).to_owned()),
            (_, [] | [_]) => return Err(Refusal::bare(405, "Method Not Allowed")),
            _ => return Err(no_such_path()),
        };
        Ok(verb)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::Read(_) => "read",
            Self::Update(_) => "update",
            Self::Archive(_) => "archive",
            Self::Restore(_) => "restore",
            Self::Merge => "merge",
            Self::Search => "search",
            Self::BatchRead => "batch_read",
            Self::BatchCreate => "batch_create",
            Self::BatchUpdate => "batch_update",
            Self::BatchUpsert => "batch_upsert",
            Self::BatchArchive => "batch_archive",
        }
    }

    /// Whether it changes records.
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::List | Self::Read(_) | Self::Search | Self::BatchRead)
    }
}

fn object_type(name: &str) -> Result<ObjectType, Refusal> {
    ObjectType::parse(name).ok_or_else(|| Refusal::unknown_object(name))
}

/// A date-based version from 2026-03 on, `2026-09` or `2027-03-beta`.
fn is_dated(version: &str) -> bool {
    let month = version.strip_suffix("-beta").unwrap_or(version);
    let shape = month.len() == 7
        && month.bytes().enumerate().all(|(place, byte)| match place {
            4 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape && month >= "2026-03"
}

fn no_such_path() -> Refusal {
    Refusal::bare(404, "Unable to find the requested endpoint")
}

fn owned(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: Result<&str, u16>) {
        let request = Request { method: method.to_owned(), path: path.to_owned(), ..Request::default() };
        let found = Route::of(&request);
        assert_eq!(found.as_ref().map(Route::kind).map_err(|refusal| refusal.status), expected, "{method} {path}");
    }

    #[test]
    fn paths_of_all_versions_lead_to_operations() {
        check("GET", "/crm/v3/objects/contacts", Ok("list"));
        check("GET", "/crm/objects/2026-03/0-1/123", Ok("read"));
        check("POST", "/crm/objects/2026-09/CONTACT/batch/read", Ok("batch_read"));
        check("POST", "/crm/objects/2027-03-beta/deals/search", Ok("search"));
        check("PATCH", "/crm/objects/2026-03/company/a%40b.com", Ok("update"));
        check("POST", "/crm/associations/2026-03/contacts/companies/batch/read", Ok("associations_read"));
        check("PUT", "/crm/objects/2026-03/0-1/7/associations/companies/8", Ok("associations_write"));
        check("POST", "/crm/associations/2026-03/contacts/companies/batch/explode", Err(404));
        check("GET", "/crm/properties/2026-03/deals/amount", Ok("properties"));
        check("GET", "/crm/pipelines/2026-03/deals", Ok("pipelines"));
        check("GET", "/crm/owners/2026-03", Ok("owners"));
        check("GET", "/account-info/v3/details", Ok("account"));
        check("POST", "/oauth/2026-03/token", Ok("token"));
    }

    #[test]
    fn other_paths_are_refused() {
        check("GET", "/crm/objects/2025-09/contacts", Err(404));
        check("GET", "/crm/objects/2026-3/contacts", Err(404));
        check("GET", "/crm/objects/2026-03/butterflies", Err(400));
        check("PUT", "/crm/objects/2026-03/contacts", Err(405));
        check("POST", "/crm/objects/2026-03/contacts/batch/explode", Err(404));
        check("GET", "/", Err(404));
    }
}
