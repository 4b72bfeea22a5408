//! Making the unique property that holds our external id.

use super::super::client::Failure;
use super::super::encode::{json_object, json_text};
use super::super::transport::{Method, Request};
use super::super::{ConnectorError, IdProperty};
use super::HubSpot;
use super::wire::Refusal;
use serde::Deserialize;

#[derive(Deserialize)]
struct List<T> {
    results: Vec<T>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Definition {
    name: String,
    has_unique_value: bool,
    hubspot_defined: bool,
    archived: bool,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}

impl HubSpot {
    /// Makes the property, and waits until the definitions show it: they lag behind by up to a second.
    pub(super) async fn make(&self, object: &str, property: &str) -> Result<IdProperty, ConnectorError> {
        let what = format!("the property {property} of {object}");
        let object = self.object(&what, object)?;
        self.object(&what, property)?;
        let known = self.definitions(&what, object).await?;
        if !known.iter().any(|known| known.name == property) {
            let unique = known.iter().filter(|known| known.has_unique_value && !known.hubspot_defined).count();
            if unique >= UNIQUE_MAX {
                let message = format!("{unique} properties of {object} are unique already, and HubSpot allows no more");
                return Err(self.client.refused(&what, 0, "UNIQUE_PROPERTIES_FULL".into(), message));
            }
            let group = self.group(&what, object).await?;
            self.define(&what, object, property, &group).await?;
        }
        self.seen(&what, object, property).await
    }

    async fn definitions(&self, what: &str, object: &str) -> Result<Vec<Definition>, ConnectorError> {
        let path = format!("/crm/properties/{}/{object}", self.version);
        let body = self.expect(what, self.client.read(Request::get(path)).await?)?;
        let list: Result<List<Definition>, _> = serde_json::from_str(&body).map_err(|error| error.to_string());
        Ok(self.parsed(what, list)?.results.into_iter().filter(|known| !known.archived).collect())
    }

    /// The object's group of general properties.
    async fn group(&self, what: &str, object: &str) -> Result<String, ConnectorError> {
        let path = format!("/crm/properties/{}/{object}/groups", self.version);
        let body = self.expect(what, self.client.read(Request::get(path)).await?)?;
        let list: Result<List<Group>, _> = serde_json::from_str(&body).map_err(|error| error.to_string());
        let names: Vec<String> = self.parsed(what, list)?.results.into_iter().map(|group| group.name).collect();
        let general = names.iter().find(|name| name.ends_with("information")).or(names.first());
        general.cloned().ok_or_else(|| self.client.protocol(what, "the object has no group of properties"))
    }

    async fn define(&self, what: &str, object: &str, property: &str, group: &str) -> Result<(), ConnectorError> {
        let text = |text: &str| json_text(text);
        let body = json_object([
            ("name", text(property)),
            ("label", text("Syncline id")),
            ("type", text("string")),
            ("fieldType", text("text")),
            ("groupName", text(group)),
            ("description", text("Set by Syncline on the records that it creates. Do not change it.")),
            ("hasUniqueValue", "true".to_owned()),
        ]);
        let path = format!("/crm/properties/{}/{object}", self.version);
        match self.client.write(Request::json(Method::Post, path, body)).await {
            Ok(reply) if matches!(reply.answer.status, 200..=207) => Ok(()),
            Ok(reply) => match Refusal::of_answer(&reply.answer) {
                // Somebody was faster.
                refusal if refusal.code == "OBJECT_ALREADY_EXISTS" => Ok(()),
                refusal => Err(self.client.refused(what, reply.answer.status, refusal.code, refusal.message)),
            },
            // Whether it was made shows when it is read.
            Err(Failure::Unknown(_)) => Ok(()),
            Err(Failure::Error(error)) => Err(error),
        }
    }

    async fn seen(&self, what: &str, object: &str, property: &str) -> Result<IdProperty, ConnectorError> {
        for _ in 0..LOOKS_MAX {
            match self.definitions(what, object).await?.iter().find(|known| known.name == property) {
                Some(made) if made.has_unique_value => return Ok(IdProperty::Made),
                // An archived property comes back as it was.
                Some(_) => {
                    let message = "a property of that name is there, but is not unique, which cannot be changed; name \
                                   another as `external_id`";
                    return Err(self.client.refused(what, 0, "NOT_UNIQUE".into(), message.into()));
                }
                None => self.client.transport.sleep(PAUSE_MS).await,
            }
        }
        Err(self.client.protocol(what, "it was made, but is not shown"))
    }
}

/// Unique properties that an object may have.
const UNIQUE_MAX: usize = 10;
/// How often, and how far apart, the definitions are read until they show what was made.
const LOOKS_MAX: usize = 20;
const PAUSE_MS: i64 = 250;
