//! Rows of another object that tie two records (`OpportunityContactRole`), as if they were a property of the first: the set of those it
//! is tied to. A label is a field of the row.
//!
//! Nothing says that such a row moves the modified time of the records that it ties, so now and then all records are listed. And
//! nothing forbids two equal rows: so what is there is looked up before anything is added.

use super::super::beside::{self, TieWrite, tie_writes};
use super::super::client::outcome_of;
use super::super::encode::{json_object, json_text};
use super::super::rows::Members;
use super::super::transport::{Method, Request};
use super::super::{ConnectorError, Outcome, WriteAnswer, WriteItem};
use super::Salesforce;
use super::wire::{self, BATCH, PATH_MAX, Page, Refusal, id18, is_name, with_client};
use crate::model::{JUNCTION, ObjectSchema, PropertySchema, PropertyType, Raw, is_ties};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Rows that tie two records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Junction {
    /// Their object.
    object: String,
    /// Its reference to the record.
    from: String,
    /// Its reference to the other one.
    to: String,
    /// Its field for a label.
    label: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tie {
    id: String,
    to: String,
    label: String,
}

/// What is done to them.
enum Step {
    Insert { from: String, to: String, label: Option<String> },
    Label { id: String, label: Option<String> },
    Delete { id: String },
}

/// The asked names apart: columns of the record, and what is read beside it with its places among the names.
pub(super) struct Asked {
    pub columns: Vec<String>,
    pub places: Vec<usize>,
    junctions: Vec<Junction>,
}

impl Asked {
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        let mut asked = Self { columns: Vec::new(), places: Vec::new(), junctions: Vec::new() };
        for (at, name) in names.into_iter().enumerate() {
            match Junction::parse(&name) {
                Some(junction) => {
                    asked.places.push(at);
                    asked.junctions.push(junction);
                }
                None => asked.columns.push(name),
            }
        }
        asked
    }

    pub fn is_plain(&self) -> bool {
        self.junctions.is_empty()
    }

    /// Calls to read what is asked beside these records.
    pub fn calls(&self, ids: &[&str]) -> u64 {
        let of = |junction: &Junction| super::read::id_lists(ids, &junction.head()).len() as u64;
        self.junctions.iter().map(of).sum()
    }
}

impl Junction {
    /// As a property is named.
    pub fn parse(property: &str) -> Option<Self> {
        let parts: Vec<&str> = property.strip_prefix(JUNCTION)?.split('.').collect();
        match parts[..] {
            [object, from, to] => Some((object, from, to, None)),
            [object, from, to, label] => Some((object, from, to, Some(label.to_owned()))),
            _ => None,
        }
        .filter(|(object, from, to, _)| [object, from, to].into_iter().all(|name| is_name(name)))
        .map(|(object, from, to, label)| Self {
            object: object.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            label,
        })
    }

    fn head(&self) -> String {
        let columns: Vec<String> = [&self.from, &self.to].into_iter().chain(&self.label).cloned().collect();
        format!("{} WHERE {} IN (", wire::select(&self.object, &columns), self.from)
    }
}

impl Salesforce {
    /// The rows that tie these records, by record.
    async fn ties(
        &self,
        what: &str,
        junction: &Junction,
        ids: &[&str],
    ) -> Result<BTreeMap<String, Vec<Tie>>, ConnectorError> {
        let head = junction.head();
        let mut found = BTreeMap::<String, Vec<Tie>>::new();
        for list in super::read::id_lists(ids, &head) {
            let mut last = String::new();
            loop {
                let behind =
                    if last.is_empty() { String::new() } else { format!(" AND Id > {}", wire::literal(&last)) };
                let soql = format!("{head}{list}){behind} ORDER BY Id LIMIT {}", wire::PAGE);
                let (body, _) = match self.query(what, &soql, false).await? {
                    Ok(found) => found,
                    Err(refusal) => return Err(self.client.refused(what, 400, refusal.code, refusal.message)),
                };
                let page = self.parsed(what, Page::parse(&body))?;
                for record in &page.records {
                    let members = self.parsed(what, Members::parse(record.get()))?;
                    let text =
                        |name: &str| members.get(name).and_then(|json| serde_json::from_str::<String>(json).ok());
                    let id = |name: &str| text(name).and_then(|id| id18(&id)).map(|id| id.as_str().to_owned());
                    let Some(own) = id("Id") else { continue };
                    last.clone_from(&own);
                    let (Some(from), Some(to)) = (id(&junction.from), id(&junction.to)) else { continue };
                    let label = junction.label.as_ref().and_then(|label| text(label)).unwrap_or_default();
                    found.entry(from).or_default().push(Tie { id: own, to, label });
                }
                if page.is_last() || page.records.is_empty() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// What records show of the asked ties, in the order of the ids.
    pub(super) async fn tie_values(
        &self,
        what: &str,
        asked: &Asked,
        ids: &[&str],
    ) -> Result<Vec<Vec<Raw>>, ConnectorError> {
        let mut values = vec![Vec::with_capacity(asked.junctions.len()); ids.len()];
        for junction in &asked.junctions {
            let ties = self.ties(what, junction, ids).await?;
            for (id, values) in ids.iter().zip(&mut values) {
                let of = ties.get(*id).into_iter().flatten();
                let lines: BTreeSet<String> = of.flat_map(lines).collect();
                let text = lines.into_iter().collect::<Vec<_>>().join("\n");
                values.push(if text.is_empty() { Raw::Null } else { Raw::Text(text.into()) });
            }
        }
        Ok(values)
    }

    /// Ties the records that were written; what of it fails is told apart from the record itself.
    pub(super) async fn write_junctions(&self, items: &[WriteItem], answer: &mut WriteAnswer) {
        for name in names_of(items) {
            let Some(junction) = Junction::parse(&name) else { continue };
            let wanted = beside::wanted(&name, items, answer).into_iter();
            let wanted = wanted.map(|(at, remote, raw)| (at, remote.as_str().to_owned(), tie_writes(raw)));
            let wanted: Vec<_> = wanted.collect();
            if wanted.is_empty() {
                continue;
            }
            let failed = self.tie(&junction, &wanted).await;
            beside::tell_apart(&name, answer, failed);
        }
    }

    /// What went wrong, by item.
    async fn tie(
        &self,
        junction: &Junction,
        wanted: &[(usize, String, BTreeMap<String, TieWrite>)],
    ) -> BTreeMap<usize, Outcome> {
        let what = format!("looking up rows of {}", junction.object);
        let ids: Vec<&str> = wanted.iter().map(|(_, id, _)| id.as_str()).collect();
        let mut failed = BTreeMap::new();
        let known = match self.ties(&what, junction, &ids).await {
            Ok(known) => known,
            Err(error) => {
                let message = error.without_words().to_string();
                let refused = Outcome::Refused { code: "TIES_UNREAD".to_owned(), message, properties: Vec::new() };
                return wanted.iter().map(|(at, ..)| (*at, refused.clone())).collect();
            }
        };
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (at, from, writes) in wanted {
            let of = known.get(from).map(Vec::as_slice).unwrap_or_default();
            for (to, write) in writes {
                let to = id18(to).map_or_else(|| to.clone(), |id| id.as_str().to_owned());
                let there: Vec<&Tie> = of.iter().filter(|tie| tie.to == to).collect();
                steps.extend(steps_of(from, &to, write, &there).into_iter().map(|step| (*at, step)));
            }
        }
        // What goes, goes first.
        for kind in 0..3 {
            let of: Vec<&(usize, Step)> = steps.iter().filter(|(_, step)| order(step) == kind).collect();
            for chunk in of.chunks(BATCH) {
                let steps: Vec<&Step> = chunk.iter().map(|(_, step)| step).collect();
                let outcomes = self.take_steps(junction, &steps).await;
                for ((at, _), outcome) in chunk.iter().zip(outcomes) {
                    if let Some(outcome) = outcome {
                        failed.entry(*at).or_insert(outcome);
                    }
                }
            }
        }
        failed
    }

    /// One call for steps of one kind; none = done.
    async fn take_steps(&self, junction: &Junction, steps: &[&Step]) -> Vec<Option<Outcome>> {
        let reply = match self.client.write(request(&self.version, junction, steps)).await {
            Ok(reply) => reply,
            Err(failure) => return vec![Some(outcome_of(&failure)); steps.len()],
        };
        let results: Option<Vec<Result_>> = serde_json::from_slice(&reply.answer.body).ok();
        match results {
            Some(results) if (200..300).contains(&reply.answer.status) && results.len() == steps.len() => {
                results.into_iter().map(Result_::outcome).collect()
            }
            _ if (200..300).contains(&reply.answer.status) => vec![Some(Outcome::Unknown); steps.len()],
            _ => {
                let Refusal { code, message, .. } = Refusal::of_answer(&reply.answer);
                vec![Some(Outcome::Refused { code, message, properties: Vec::new() }); steps.len()]
            }
        }
    }

    /// Adds the ties of an object that are mapped and that its org has the fields for, as properties of it.
    pub(super) async fn describe_junctions(&self, schema: &mut ObjectSchema) -> Result<(), ConnectorError> {
        for (_, name) in self.junctions.iter().filter(|(object, _)| *object == schema.object) {
            let Some(junction) = Junction::parse(name) else { continue };
            let rows = match self.describe_own(&junction.object).await {
                Ok(rows) => rows,
                Err(ConnectorError::Refused { status: 400 | 404, .. }) => continue,
                Err(error) => return Err(error),
            };
            let field = |name: &String| rows.properties.iter().find(|known| known.name.eq_ignore_ascii_case(name));
            let (Some(from), Some(to)) = (field(&junction.from), field(&junction.to)) else { continue };
            let label = junction.label.as_ref().map(field);
            if label == Some(None) || !from.refers_to.iter().any(|to| to.eq_ignore_ascii_case(&schema.object)) {
                continue;
            }
            let label = label.flatten();
            schema.properties.push(PropertySchema {
                name: name.clone(),
                label: junction.object.clone(),
                kind: PropertyType::Reference,
                writable: true,
                required: false,
                unique: false,
                length: None,
                precision: None,
                scale: None,
                refers_to: to.refers_to.clone(),
                options: label.map(|label| label.options.clone()).unwrap_or_default(),
                choices: label.map(|label| label.choices.clone()).unwrap_or_default(),
            });
        }
        Ok(())
    }
}

fn order(step: &Step) -> usize {
    match step {
        Step::Delete { .. } => 0,
        Step::Label { .. } => 1,
        Step::Insert { .. } => 2,
    }
}

/// A row as the two lines that it stands for.
fn lines(tie: &Tie) -> Vec<String> {
    let mut lines = vec![tie.to.clone()];
    if !tie.label.is_empty() {
        lines.push(format!("{}\t{}", tie.to, tie.label));
    }
    lines
}

/// What leads from the rows of a pair to what is wanted of it: one row a label, or one without.
fn steps_of(from: &str, to: &str, write: &TieWrite, there: &[&Tie]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut left: Vec<&Tie> = there.to_vec();
    if write.untied {
        steps.extend(left.drain(..).map(|tie| Step::Delete { id: tie.id.clone() }));
    }
    for label in &write.unlabels {
        while let Some(at) = left.iter().position(|tie| tie.label == *label) {
            // The pair stays tied, by another row or by this one without its label.
            let id = left[at].id.clone();
            if left.len() > 1 {
                left.remove(at);
                steps.push(Step::Delete { id });
            } else {
                let free = write.labels.iter().find(|label| there.iter().all(|tie| tie.label != **label)).cloned();
                if let Some(label) = free {
                    steps.push(Step::Label { id, label: Some(label.clone()) });
                    let labels = write.labels.iter().filter(|other| **other != label).cloned().collect();
                    let rest = TieWrite { labels, ..TieWrite::default() };
                    steps.extend(steps_of(from, to, &rest, there));
                    return steps;
                }
                left.remove(at);
                steps.push(Step::Label { id, label: None });
                return steps;
            }
        }
    }
    let mut bare: Vec<&Tie> = left.iter().filter(|tie| tie.label.is_empty()).copied().collect();
    for label in &write.labels {
        if left.iter().any(|tie| tie.label == *label) {
            continue;
        }
        match bare.pop() {
            Some(tie) => steps.push(Step::Label { id: tie.id.clone(), label: Some(label.clone()) }),
            None => steps.push(Step::Insert { from: from.to_owned(), to: to.to_owned(), label: Some(label.clone()) }),
        }
    }
    if write.tied && write.labels.is_empty() && left.is_empty() {
        steps.push(Step::Insert { from: from.to_owned(), to: to.to_owned(), label: None });
    }
    steps
}

fn request(version: &str, junction: &Junction, steps: &[&Step]) -> Request {
    let path = format!("/services/data/{version}/composite/sobjects");
    let attributes = || json_object([("type", json_text(&junction.object))]);
    let record = |step: &&Step| {
        let mut entries = vec![("attributes", attributes())];
        match step {
            Step::Insert { from, to, label } => {
                entries.extend([(&*junction.from, json_text(from)), (&*junction.to, json_text(to))]);
                if let (Some(name), Some(label)) = (&junction.label, label) {
                    entries.push((name, json_text(label)));
                }
            }
            Step::Label { id, label } => {
                entries.push(("id", json_text(id)));
                let label = label.as_ref().map_or_else(|| "null".to_owned(), |label| json_text(label));
                entries.extend(junction.label.as_ref().map(|name| (name.as_str(), label)));
            }
            Step::Delete { .. } => {}
        }
        json_object(entries)
    };
    if let Some(Step::Delete { .. }) = steps.first() {
        let ids = steps.iter().filter_map(|step| match step {
            Step::Delete { id } => Some(id.as_str()),
            _ => None,
        });
        let ids = ids.collect::<Vec<_>>().join(",");
        let path = format!("{path}?ids={ids}&allOrNone=false");
        debug_assert!(path.len() <= PATH_MAX, "200 ids of 18 characters");
        return with_client(Request { method: Method::Delete, ..Request::get(path) });
    }
    let method = if let Some(Step::Insert { .. }) = steps.first() { Method::Post } else { Method::Patch };
    let records: Vec<String> = steps.iter().map(record).collect();
    with_client(Request::json(method, path, format!(r#"{{"allOrNone":false,"records":[{}]}}"#, records.join(","))))
}

/// One row of an answer.
#[derive(Deserialize)]
struct Result_ {
    success: bool,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Result_ {
    fn outcome(self) -> Option<Outcome> {
        if self.success {
            return None;
        }
        let refusal = self.errors.first().map(Refusal::of_value)?;
        // What is to go is gone.
        if matches!(refusal.code.as_str(), "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY")
            && refusal.properties.is_empty()
        {
            return None;
        }
        Some(match refusal.passes_after_ms() {
            Some(after_ms) => Outcome::Retry { code: refusal.code, after_ms },
            None => Outcome::Refused { code: refusal.code, message: refusal.message, properties: Vec::new() },
        })
    }
}

/// An item without its ties; none where nothing remains to be written to the record itself.
pub(super) fn without_ties(item: &WriteItem) -> Option<WriteItem> {
    let fields: Vec<_> = item.fields.iter().filter(|(name, _)| !is_ties(name)).cloned().collect();
    let only_ties =
        fields.is_empty() && !item.fields.is_empty() && matches!(item.target, super::super::Target::Update(_));
    (!only_ties).then(|| WriteItem { fields, ..item.clone() })
}

/// Calls that [`Salesforce::write_junctions`] makes at least: what is there is not known before.
pub(super) fn calls_to_tie(items: &[WriteItem]) -> u64 {
    let each = |name: String| {
        let raws: Vec<_> = items
            .iter()
            .filter_map(|item| item.fields.iter().find(|(property, _)| *property == name))
            .map(|(_, raw)| tie_writes(raw))
            .collect();
        let count =
            |of: fn(&TieWrite) -> bool| raws.iter().flat_map(BTreeMap::values).filter(|write| of(write)).count();
        let (come, go) = (count(|write| write.tied || !write.labels.is_empty()), count(|write| write.untied));
        (raws.len().div_ceil(BATCH) + come.div_ceil(BATCH) + go.div_ceil(BATCH)) as u64
    };
    names_of(items).into_iter().map(each).sum()
}

/// The ties that some of the items are to have.
fn names_of(items: &[WriteItem]) -> BTreeSet<String> {
    let names = items.iter().flat_map(|item| &item.fields).map(|(name, _)| name);
    names.filter(|name| name.starts_with(JUNCTION)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(write: &str, there: &[(&str, &str)]) -> Vec<String> {
        let writes = tie_writes(&Raw::Text(write.replace(' ', "\n").replace('=', "\t").into()));
        let ties: Vec<Tie> = there
            .iter()
            .map(|(id, label)| Tie { id: (*id).to_owned(), to: "c".to_owned(), label: (*label).to_owned() })
            .collect();
        let steps = writes.values().flat_map(|write| steps_of("o", "c", write, &ties.iter().collect::<Vec<_>>()));
        let show = |step: Step| match step {
            Step::Insert { label, .. } => format!("new {}", label.unwrap_or_default()),
            Step::Label { id, label } => format!("{id} {}", label.unwrap_or_default()),
            Step::Delete { id } => format!("-{id}"),
        };
        steps.map(show).collect()
    }

    #[test]
    fn a_pair_has_one_row_a_label_or_one_without() {
        assert_eq!(steps("+c", &[]), ["new "]);
        assert!(steps("+c", &[("r", "")]).is_empty(), "nothing is there twice");
        assert_eq!(steps("+c +c=Boss", &[]), ["new Boss"]);
        assert_eq!(steps("+c=Boss", &[("r", "")]), ["r Boss"]);
        assert_eq!(steps("+c=Boss", &[("r", "Payer")]), ["new Boss"]);
        assert!(steps("+c=Boss", &[("r", "Boss")]).is_empty());
        assert_eq!(steps("-c=Boss", &[("r", "Boss")]), ["r "]);
        assert_eq!(steps("-c=Boss", &[("r", "Boss"), ("s", "Payer")]), ["-r"]);
        assert_eq!(steps("-c=Boss +c=Payer", &[("r", "Boss")]), ["r Payer"]);
        assert_eq!(steps("-c -c=Boss", &[("r", "Boss"), ("s", "")]), ["-r", "-s"]);
        assert!(steps("-c", &[]).is_empty());
    }

    #[test]
    fn rows_are_named_by_their_object_and_its_fields() {
        let junction = Junction::parse("junction:OpportunityContactRole.OpportunityId.ContactId.Role").unwrap();
        assert_eq!((junction.to.as_str(), junction.label.as_deref()), ("ContactId", Some("Role")));
        assert_eq!(
            junction.head(),
            "SELECT Id, SystemModstamp, OpportunityId, ContactId, Role FROM OpportunityContactRole WHERE OpportunityId IN ("
        );
        assert_eq!([Junction::parse("junction:A.B"), Junction::parse("Name")], [None, None]);
    }
}
