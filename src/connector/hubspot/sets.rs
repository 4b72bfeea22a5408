//! All associations of a record with those of another object, as if they were a property: the set of those it is tied to, each with the
//! labels that people gave the pair.
//!
//! Written is what comes and what goes, so what others tie meanwhile stays. Setting the labels of a pair replaces them, so where a
//! label comes or goes all others are sent along.

use super::super::beside::{self, TieWrite, tie_writes};
use super::super::encode::json_text;
use super::super::transport::{Method, Request};
use super::super::{ConnectorError, Outcome, WriteAnswer, WriteItem};
use super::HubSpot;
use super::associated::{Associated, Kind, READ_MAX, key, wanted, whole};
use super::wire::BATCH;
use crate::connector::batch;
use crate::model::{ASSOCIATIONS, ObjectSchema, PropertySchema, PropertyType, Raw};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Labels {
    results: Vec<Kind>,
}

/// The lines that a record's set is read as.
fn lines(of: &BTreeMap<String, Vec<Kind>>) -> Raw {
    let mut lines = BTreeSet::new();
    for (id, kinds) in of {
        lines.insert(id.clone());
        lines.extend(kinds.iter().filter_map(Kind::own_label).map(|label| format!("{id}\t{label}")));
    }
    match lines.is_empty() {
        true => Raw::Null,
        false => Raw::Text(lines.into_iter().collect::<Vec<_>>().join("\n").into()),
    }
}

impl HubSpot {
    /// What records show of one set, in the order of the ids.
    pub(super) async fn set_values(
        &self,
        what: &str,
        pair: (&str, &str),
        ids: &[&str],
    ) -> Result<Vec<Raw>, ConnectorError> {
        let sets = self.associated(what, pair, ids).await?;
        Ok(ids.iter().map(|id| sets.get(*id).map_or(Raw::Null, lines)).collect())
    }

    /// The kinds by which records of two objects can be tied.
    async fn labels(&self, (from, to): (&str, &str)) -> Result<Vec<Kind>, ConnectorError> {
        let what = format!("asking for the labels between {from} and {to}");
        let (from, to) = (self.object(&what, from)?, self.object(&what, to)?);
        let path = format!("/crm/associations/{}/{from}/{to}/labels", self.version);
        let body = self.expect(&what, self.client.read(Request::get(path)).await?)?;
        let labels = serde_json::from_str::<Labels>(&body).map_err(|error| error.to_string());
        Ok(self.parsed(&what, labels)?.results)
    }

    /// Adds the sets of an object that are mapped, as properties of it; their options are the labels.
    pub(super) async fn describe_sets(&self, schema: &mut ObjectSchema) -> Result<(), ConnectorError> {
        for (_, name) in self.sets.iter().filter(|(object, _)| *object == schema.object) {
            let Some(to) = name.strip_prefix(ASSOCIATIONS) else { continue };
            let labels = match self.labels((&schema.object, to)).await {
                Ok(labels) => labels,
                Err(ConnectorError::Refused { status: 400 | 404, .. }) => continue,
                Err(error) => return Err(error),
            };
            let options: Vec<String> = labels.iter().filter_map(Kind::own_label).map(str::to_owned).collect();
            schema.properties.push(PropertySchema {
                name: name.clone(),
                label: format!("Associated {to}"),
                kind: PropertyType::Reference,
                writable: true,
                required: false,
                unique: false,
                length: None,
                precision: None,
                scale: None,
                refers_to: vec![to.to_owned()],
                choices: options.iter().map(|label| (label.clone(), label.clone())).collect(),
                options,
            });
        }
        Ok(())
    }

    /// Ties and unties the records that were written; what of it fails is told apart from the record itself.
    pub(super) async fn write_sets(&self, object: &str, items: &[WriteItem], answer: &mut WriteAnswer) {
        for name in names_of(items) {
            let to = name.strip_prefix(ASSOCIATIONS).unwrap_or_default().to_owned();
            let failed = self.set(object, &to, &wanted(&name, items, answer)).await;
            beside::tell_apart(&name, answer, failed);
        }
    }

    /// What went wrong, by item.
    async fn set(&self, object: &str, to: &str, wanted: &[(usize, WriteItem)]) -> BTreeMap<usize, Outcome> {
        let mut failed = BTreeMap::new();
        let labelled: Vec<usize> = places(wanted, |write| write.is_labelled());
        let (mut kinds, mut known) = (Vec::new(), Associated::new());
        if !labelled.is_empty() {
            let ids: Vec<&str> = labelled.iter().map(|at| key(&wanted[*at].1)).collect();
            let what = format!("associating {object} with {to}");
            let read = async {
                Ok::<_, ConnectorError>((
                    self.labels((object, to)).await?,
                    self.associated(&what, (object, to), &ids).await?,
                ))
            };
            match read.await {
                Ok(read) => (kinds, known) = read,
                Err(error) => {
                    let (code, message) = ("ASSOCIATIONS_UNREAD".to_owned(), error.without_words().to_string());
                    let refused = Outcome::Refused { code, message, properties: Vec::new() };
                    failed.extend(labelled.iter().map(|at| (wanted[*at].0, refused.clone())));
                }
            }
        }
        let unknown = |label: &String| kinds.iter().all(|kind| kind.own_label() != Some(label));
        for at in &labelled {
            let mut writes = writes_of(&wanted[*at].1).into_values();
            let missing = writes.find_map(|write| write.labels.into_iter().find(|label| unknown(label)));
            if let Some(label) = missing.filter(|_| !failed.contains_key(&wanted[*at].0)) {
                let message = format!("there is no label `{label}` between {object} and {to}");
                let refused = Outcome::Refused { code: "NO_LABEL".to_owned(), message, properties: Vec::new() };
                failed.insert(wanted[*at].0, refused);
            }
        }
        // What goes, goes first.
        let parts: [(&str, Vec<usize>); 3] = [
            ("archive", places(wanted, |write| write.untied)),
            ("associate/default", places(wanted, |write| write.tied && !write.is_labelled())),
            ("create", labelled),
        ];
        for (verb, part) in parts {
            let part: Vec<usize> = part.into_iter().filter(|at| !failed.contains_key(&wanted[*at].0)).collect();
            if part.is_empty() {
                continue;
            }
            let items: Vec<WriteItem> = part.iter().map(|at| wanted[*at].1.clone()).collect();
            let request = |batch: &[&WriteItem]| {
                let inputs: Vec<String> = batch.iter().flat_map(|item| inputs(verb, item, &kinds, &known)).collect();
                let body = format!(r#"{{"inputs":[{}]}}"#, inputs.join(","));
                Request::json(
                    Method::Post,
                    format!("/crm/associations/{}/{object}/{to}/batch/{verb}", self.version),
                    body,
                )
            };
            let answer = batch::write(&self.client, &items, BATCH, None, request, whole).await;
            for (at, outcome) in part.into_iter().zip(answer.outcomes) {
                if !matches!(outcome, Outcome::Done { .. }) {
                    failed.entry(wanted[at].0).or_insert(outcome);
                }
            }
        }
        failed
    }
}

impl TieWrite {
    fn is_labelled(&self) -> bool {
        let speaks = !self.labels.is_empty() || !self.unlabels.is_empty();
        speaks && !self.untied
    }
}

/// The pairs of one record for one call.
fn inputs(verb: &str, item: &WriteItem, kinds: &[Kind], known: &Associated) -> Vec<String> {
    let own = key(item);
    let end = |id: &str| format!(r#"{{"id":{}}}"#, json_text(id));
    let mut inputs = Vec::new();
    for (to, write) in writes_of(item) {
        match verb {
            "archive" if write.untied => inputs.push(format!(r#"{{"from":{},"to":[{}]}}"#, end(own), end(&to))),
            "associate/default" if write.tied && !write.is_labelled() => {
                inputs.push(format!(r#"{{"from":{},"to":{}}}"#, end(own), end(&to)));
            }
            "create" if write.is_labelled() => {
                let there = known.get(own).and_then(|of| of.get(&to)).map(Vec::as_slice).unwrap_or_default();
                let goes = |kind: &&Kind| {
                    kind.own_label().is_some_and(|label| write.unlabels.iter().any(|gone| gone == label))
                };
                let comes = kinds.iter().filter(|kind| {
                    kind.own_label().is_some_and(|label| write.labels.iter().any(|wanted| wanted == label))
                });
                // Every pair has the kind without a label as well.
                let plain = kinds.iter().filter(|kind| kind.is_defined() && kind.label.is_none()).take(1);
                let all = there.iter().filter(|kind| !goes(kind)).chain(comes).chain(plain);
                let all: BTreeSet<(&str, u64)> = all.map(|kind| (&*kind.category, kind.type_id)).collect();
                let types: Vec<String> = all.into_iter().map(Kind::written).collect();
                inputs.push(format!(r#"{{"from":{},"to":{},"types":[{}]}}"#, end(own), end(&to), types.join(",")));
            }
            _ => {}
        }
    }
    inputs
}

/// The calls that [`HubSpot::write_sets`] makes for items of which none is refused.
pub(super) fn calls_to_set(items: &[WriteItem], refused: &[bool]) -> u64 {
    let good = items.iter().enumerate().filter(|(at, _)| !refused.get(*at).copied().unwrap_or(false));
    let good: Vec<&WriteItem> = good.map(|(_, item)| item).collect();
    let each = |name: String| {
        let of = |item: &&&WriteItem| item.fields.iter().any(|(property, _)| *property == name);
        let items: Vec<BTreeMap<String, TieWrite>> = good
            .iter()
            .filter(of)
            .filter_map(|item| item.fields.iter().find(|(property, _)| *property == name))
            .map(|(_, raw)| tie_writes(raw))
            .collect();
        let count = |of: fn(&TieWrite) -> bool| items.iter().filter(|writes| writes.values().any(of)).count();
        let calls = |count: usize, max: usize| count.div_ceil(max) as u64;
        let labelled = count(TieWrite::is_labelled);
        calls(count(|write| write.untied), BATCH)
            + calls(count(|write| write.tied && !write.is_labelled()), BATCH)
            + u64::from(labelled > 0)
            + calls(labelled, READ_MAX)
            + calls(labelled, BATCH)
    };
    names_of(items).into_iter().map(each).sum()
}

/// The places of those items of which some pair is meant.
fn places(items: &[(usize, WriteItem)], meant: impl Fn(&TieWrite) -> bool) -> Vec<usize> {
    (0..items.len()).filter(|at| writes_of(&items[*at].1).values().any(&meant)).collect()
}

fn writes_of(item: &WriteItem) -> BTreeMap<String, TieWrite> {
    item.fields.first().map(|(_, raw)| tie_writes(raw)).unwrap_or_default()
}

/// The sets that some of the items have.
fn names_of(items: &[WriteItem]) -> BTreeSet<String> {
    let names = items.iter().flat_map(|item| &item.fields).map(|(name, _)| name);
    names.filter(|name| name.starts_with(ASSOCIATIONS)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::Target;
    use crate::connector::hubspot::associated::{DEFINED, parse};
    use crate::model::{OpId, RemoteId};
    use serde_json::Value;

    fn item(text: &str) -> WriteItem {
        let raw = Raw::Text(text.replace(' ', "\n").replace('=', "\t").into());
        let target = Target::Update(RemoteId::parse("7").unwrap());
        WriteItem { op: OpId(1), target, fields: vec![(format!("{ASSOCIATIONS}contacts"), raw)] }
    }

    #[test]
    fn a_pair_keeps_the_labels_that_are_not_spoken_of() {
        let read = r#"{"results":[{"from":{"id":"7"},"to":[{"toObjectId":21,"associationTypes":[
            {"category":"HUBSPOT_DEFINED","typeId":3,"label":null},{"category":"USER_DEFINED","typeId":36,"label":"Boss"},
            {"category":"USER_DEFINED","typeId":38,"label":"Payer"}]},{"toObjectId":"22","associationTypes":[]}]}]}"#;
        let mut known = Associated::new();
        assert_eq!(parse(read, &mut known), Ok(Vec::new()));
        assert_eq!(lines(&known["7"]), Raw::Text("21\n21\tBoss\n21\tPayer\n22".into()));
        let kind = |category: &str, type_id, label: Option<&str>| Kind {
            category: category.to_owned(),
            type_id,
            label: label.map(str::to_owned),
        };
        let kinds =
            [kind(DEFINED, 3, None), kind("USER_DEFINED", 36, Some("Boss")), kind("USER_DEFINED", 40, Some("Aide"))];
        let types = |text: &str| -> Vec<u64> {
            let inputs = inputs("create", &item(text), &kinds, &known);
            let input: Value = serde_json::from_str(&inputs[0]).unwrap();
            let types = input["types"].as_array().unwrap().iter();
            types.map(|kind| kind["associationTypeId"].as_u64().unwrap()).collect()
        };
        assert_eq!(types("+21=Aide"), [3, 36, 38, 40]);
        assert_eq!(types("-21=Boss"), [3, 38]);
        assert_eq!(types("+23 +23=Boss"), [3, 36]);
        assert_eq!(inputs("associate/default", &item("+23 +24 -21"), &kinds, &known).len(), 2);
        assert_eq!(inputs("archive", &item("+23 -21"), &kinds, &known), [r#"{"from":{"id":"7"},"to":[{"id":"21"}]}"#]);
    }

    #[test]
    fn calls_are_counted_by_what_comes_and_goes() {
        let calls = |text: &str| calls_to_set(&[item(text)], &[]);
        assert_eq!([calls("+1"), calls("+1 -2"), calls("+1=Boss"), calls("-1 -1=Boss")], [1, 2, 3, 1]);
        assert_eq!(calls_to_set(&[item("+1")], &[true]), 0);
    }
}
