//! Lists: which of them a record is a member of, and whether they are there.
//!
//! A list fills itself by conditions of its own, or by people; either way no record's modified time moves with it, so it is read
//! beside the record, as its associations are. Nothing is ever written to a list.

use super::super::ConnectorError;
use super::super::encode::json_text;
use super::super::rows::{self, scalar};
use super::super::transport::{Method, Request};
use super::HubSpot;
use super::address::type_id;
use super::wire::{BATCH, Refusal};
use crate::model::{LIST, ObjectSchema, PropertySchema, PropertyType};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Records of a batch read of memberships. What HubSpot takes at most is not written down; so many it takes everywhere.
pub(super) const READ_MAX: usize = BATCH;

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default)]
    results: Vec<Read<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow)]
    record_id: &'a RawValue,
    #[serde(borrow, default)]
    record_list_memberships: Vec<Membership<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Membership<'a> {
    #[serde(borrow)]
    list_id: &'a RawValue,
}

#[derive(Deserialize)]
struct Answer {
    list: List,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    name: String,
    object_type_id: String,
}

/// Lists by record.
type Lists = BTreeMap<String, BTreeSet<String>>;

fn parse(body: &str, lists: &mut Lists) -> Result<(), String> {
    let batch: Batch<'_> = serde_json::from_str(body).map_err(|error| rows::fault(&error))?;
    for read in batch.results {
        let id = scalar(read.record_id).ok_or("an id is neither text nor number")?;
        let of = lists.entry(id).or_default();
        for membership in read.record_list_memberships {
            of.insert(scalar(membership.list_id).ok_or("an id is neither text nor number")?);
        }
    }
    Ok(())
}

impl HubSpot {
    fn type_of<'o>(&self, what: &str, object: &'o str) -> Result<&'o str, ConnectorError> {
        type_id(object).ok_or_else(|| {
            let message = "name the object by the number of its type (2-123): lists know it by that only".to_owned();
            self.client.refused(what, 0, "NO_TYPE_ID".to_owned(), message)
        })
    }

    /// The lists that each of these records is a member of.
    pub(super) async fn lists_of(&self, what: &str, object: &str, ids: &[&str]) -> Result<Lists, ConnectorError> {
        let what = format!("{what} (memberships of lists: scope crm.lists.read)");
        let kind = self.type_of(&what, object)?;
        let mut lists = Lists::new();
        for chunk in ids.chunks(READ_MAX) {
            let inputs = chunk
                .iter()
                .map(|id| format!(r#"{{"objectTypeId":{},"recordId":{}}}"#, json_text(kind), json_text(id)));
            let body = format!(r#"{{"inputs":[{}]}}"#, inputs.collect::<Vec<_>>().join(","));
            let path = format!("/crm/lists/{}/records/memberships/batch/read", self.version);
            let body = self.expect(&what, self.client.read(Request::json(Method::Post, path, body)).await?)?;
            self.parsed(&what, parse(&body, &mut lists))?;
        }
        Ok(lists)
    }

    /// Adds those of the lists of which members are wanted that are there, as properties of the object.
    pub(super) async fn describe_lists(&self, schema: &mut ObjectSchema) -> Result<(), ConnectorError> {
        for (_, list) in self.lists.iter().filter(|(object, _)| *object == schema.object) {
            let what = format!("asking for list {list} (scope crm.lists.read)");
            let kind = self.type_of(&what, &schema.object)?;
            let path = format!("/crm/lists/{}/{list}", self.version);
            let reply = self.client.read(Request::get(path)).await?;
            // Only a refusal in HubSpot's own words says that the list is not there.
            if matches!(reply.answer.status, 400 | 404) && !Refusal::of_answer(&reply.answer).message.is_empty() {
                continue;
            }
            let body = self.expect(&what, reply)?;
            let answer = serde_json::from_str::<Answer>(&body).map_err(|error| error.to_string());
            let Answer { list: found } = self.parsed(&what, answer)?;
            if found.object_type_id == kind {
                schema.properties.push(property(list, found.name));
            }
        }
        Ok(())
    }
}

fn property(list: &str, label: String) -> PropertySchema {
    PropertySchema {
        name: format!("{LIST}{list}"),
        label,
        kind: PropertyType::Bool,
        writable: false,
        required: false,
        unique: false,
        length: None,
        precision: None,
        scale: None,
        refers_to: Vec::new(),
        options: Vec::new(),
        choices: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_are_told_by_record_in_texts_or_numbers() {
        let body = r#"{"status":"COMPLETE","results":[
            {"objectTypeId":"0-1","recordId":"7","recordListMemberships":[{"listId":13,"listVersion":2},{"listId":"9"}]},
            {"objectTypeId":"0-1","recordId":8}]}"#;
        let mut lists = Lists::new();
        assert_eq!(parse(body, &mut lists), Ok(()));
        assert_eq!(lists["7"].iter().collect::<Vec<_>>(), ["13", "9"]);
        assert!(lists["8"].is_empty());
    }
}
