//! The account's owners, to whom records belong.

use super::super::transport::Request;
use super::super::{ConnectorError, encode};
use super::HubSpot;
use crate::model::User;
use serde::Deserialize;

#[derive(Deserialize)]
struct Owners {
    results: Vec<Owner>,
    paging: Option<Paging>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Owner {
    id: String,
    email: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    archived: bool,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: String,
}

impl HubSpot {
    /// All owners; those who were deactivated are in a list of their own. Queues are no people.
    pub(super) async fn all_users(&self) -> Result<Vec<User>, ConnectorError> {
        const WHAT: &str = "listing the owners (scope crm.objects.owners.read)";
        let mut users = Vec::new();
        for archived in [false, true] {
            let mut after = None::<String>;
            for _ in 0..PAGES_MAX {
                let mut path = format!("/crm/owners/{}?limit=100&archived={archived}", self.version);
                if let Some(after) = after.take() {
                    path += &format!("&after={}", encode::percent(&after));
                }
                let body = self.expect(WHAT, self.client.read(Request::get(path)).await?)?;
                let page = serde_json::from_str::<Owners>(&body).map_err(|error| error.to_string());
                let page = self.parsed(WHAT, page)?;
                let people = page.results.into_iter().filter(|owner| owner.kind.as_deref() != Some("QUEUE"));
                users.extend(people.map(|owner| User {
                    id: owner.id,
                    email: owner.email.unwrap_or_default(),
                    active: !archived && !owner.archived,
                }));
                after = page.paging.and_then(|paging| paging.next).map(|next| next.after);
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(users)
    }
}

/// Pages of a list, of a hundred each: who has more owners has something else in mind.
const PAGES_MAX: usize = 1_000;
