//! Deleting: records into the recycle bin, which keeps them for 15 days; never one that takes others along.

use super::super::batch;
use super::super::transport::Request;
use super::super::{ConnectorError, Outcome, Target, WriteAnswer, WriteItem};
use super::Salesforce;
use super::wire::{BATCH, Page, Refusal, id18, is_name, literal, with_client};
use super::write::whole;
use crate::connector::rows::Members;
use crate::model::RemoteId;
use std::collections::{BTreeMap, BTreeSet};

/// What Salesforce deletes with an account without a word: those that point to it in this field.
const WITH_ACCOUNTS: [(&str, &str); 2] = [("Contact", "AccountId"), ("Opportunity", "AccountId")];
/// Code of the refusal to delete an account with all that hangs on it.
const TAKES_ALONG: &str = "WOULD_DELETE_MORE";

impl Salesforce {
    pub(super) async fn delete(&self, object: &str, ids: &[RemoteId]) -> WriteAnswer {
        let nameless = (!is_name(object)).then(|| format!("`{object}` names nothing"));
        let bad = ids.iter().find(|id| id18(id.as_str()).is_none_or(|id| !is_name(id.as_str())));
        let bad = bad.map(|id| format!("`{id}` is no id"));
        let mut kept = BTreeMap::new();
        if nameless.is_none() && bad.is_none() && takes_along(object) {
            for chunk in ids.chunks(BATCH) {
                kept.extend(self.with_others(chunk).await);
            }
        }
        let free: Vec<RemoteId> = ids.iter().filter(|id| !kept.contains_key(*id)).cloned().collect();
        let request = |batch: &[&WriteItem]| request(&self.version, batch);
        let answer = batch::write(&self.client, &batch::deletes(&free), BATCH, nameless.or(bad), request, whole).await;
        let mut outcomes = answer.outcomes.into_iter();
        let outcome = |id: &RemoteId| match kept.remove(id) {
            Some(outcome) => outcome,
            None => outcomes.next().unwrap_or(Outcome::Unknown),
        };
        WriteAnswer { outcomes: ids.iter().map(outcome).collect(), timing: answer.timing }
    }

    /// Of accounts those that are not to be deleted, and why.
    async fn with_others(&self, ids: &[RemoteId]) -> BTreeMap<RemoteId, Outcome> {
        let mut kept = BTreeMap::new();
        for (child, field) in WITH_ACCOUNTS {
            let (code, message) = match self.parents(ids, child, field).await {
                Ok(Ok(parents)) => {
                    for id in parents {
                        let message = format!("Salesforce would delete each {child} of this account with it");
                        kept.insert(id, refused(TAKES_ALONG, message));
                    }
                    continue;
                }
                Ok(Err(refusal)) => (refusal.code, refusal.message),
                Err(error) => {
                    tracing::warn!(%error, "accounts are not deleted before it is known what would go with them");
                    let retry = || Outcome::Retry { code: "UNREACHABLE".to_owned(), after_ms: 1_000 };
                    return ids.iter().map(|id| (id.clone(), retry())).collect();
                }
            };
            // What cannot be seen may be there.
            let message =
                format!("whether each {child} of this account would be deleted with it cannot be asked: {message}");
            return ids.iter().map(|id| (id.clone(), refused(&code, message.clone()))).collect();
        }
        kept
    }

    /// Those to whom others point. Where an answer goes on, the others are asked about again.
    async fn parents(
        &self,
        ids: &[RemoteId],
        child: &str,
        field: &str,
    ) -> Result<Result<BTreeSet<RemoteId>, Refusal>, ConnectorError> {
        let what = format!("asking for each {child} of accounts");
        let mut found = BTreeSet::new();
        loop {
            let open = ids.iter().filter(|id| !found.contains(*id));
            let list: Vec<String> = open.map(|id| literal(id.as_str())).collect();
            if list.is_empty() {
                return Ok(Ok(found));
            }
            let soql = format!("SELECT {field} FROM {child} WHERE {field} IN ({})", list.join(","));
            let body = match self.query(&what, &soql, false).await? {
                Ok((body, _)) => body,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let page = self.parsed(&what, Page::parse(&body))?;
            let before = found.len();
            for record in &page.records {
                let members = self.parsed(&what, Members::parse(record.get()))?;
                let id = members.get(field).and_then(|json| serde_json::from_str::<String>(json).ok());
                let id = id.and_then(|id| id18(&id)).ok_or_else(|| format!("a record has no {field}"));
                found.insert(self.parsed(&what, id)?);
            }
            if page.is_last() || found.len() == before {
                return Ok(Ok(found));
            }
        }
    }

    pub(super) fn delete_calls(&self, object: &str, records: usize) -> u64 {
        let calls = if takes_along(object) { 1 + WITH_ACCOUNTS.len() } else { 1 };
        (records.div_ceil(BATCH) * calls) as u64
    }
}

fn takes_along(object: &str) -> bool {
    object.eq_ignore_ascii_case("Account")
}

fn refused(code: &str, message: String) -> Outcome {
    Outcome::Refused { code: code.to_owned(), message, properties: Vec::new() }
}

fn request(version: &str, items: &[&WriteItem]) -> Request {
    let id = |item: &&WriteItem| match &item.target {
        Target::Update(id) => Some(id.as_str().to_owned()),
        Target::Create { .. } => None,
    };
    let ids: Vec<String> = items.iter().filter_map(id).collect();
    let query = format!("ids={}&allOrNone=false", ids.join(","));
    with_client(Request::delete(format!("/services/data/{version}/composite/sobjects?{query}")))
}
