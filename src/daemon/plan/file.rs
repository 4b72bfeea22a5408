//! The file of a plan: a line of JSON for each write, between a head and a line that says that it is whole. It holds people's
//! data, and is born closed to others.

use super::gate::{Planned, Selection};
use crate::connector::{Target, WriteItem};
use crate::model::{Digest, Raw, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is wrong with a plan's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It cannot be read or written.
    #[error("the plan {} cannot be {doing}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        cause: String,
    },
    /// It is something else.
    #[error("{} is no plan", .path.display())]
    NotAPlan {
        /// The file.
        path: PathBuf,
    },
    /// Another program wrote it.
    #[error("the plan {} has format {found}, and this program reads format {FORMAT}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// It is cut off or was changed.
    #[error("the plan {} is damaged at line {line}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// It was made with another mapping of fields.
    #[error("the plan {} was made with another mapping of fields", .path.display())]
    Mapping {
        /// The file.
        path: PathBuf,
    },
    /// Nothing in it has an id that was asked for.
    #[error("nothing in the plan {} has the id {id}", .path.display())]
    NoSuchId {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        id: String,
    },
}

/// One write, as its line says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub system: String,
    pub entity: String,
    pub object: String,
    /// Its record here.
    pub record: String,
    /// Where the record stands, by system.
    pub remote: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// The property of our external id, and the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// Property, what it shows now, what is written; of a sensitive field only that there is something.
    pub fields: Vec<(String, Option<String>, Value)>,
    pub hash: String,
    /// The code with which the system will refuse it, if that can be foreseen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    syncline_plan: u64,
    mapping: String,
    made: String,
}

#[derive(Serialize, Deserialize)]
struct End {
    writes: u64,
    /// Of all bytes before.
    digest: String,
}

/// A plan's file that is being written; until it is whole it has another name.
pub(super) struct Writer {
    path: PathBuf,
    young: PathBuf,
    out: BufWriter<File>,
    hasher: blake3::Hasher,
    writes: u64,
    whole: bool,
}

impl Writer {
    pub fn create(path: &Path, mapping: Digest) -> Result<Self, PlanError> {
        let mut young = path.as_os_str().to_owned();
        young.push(".new");
        let young = PathBuf::from(young);
        let open = || {
            match std::fs::remove_file(&young) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            File::options().write(true).create_new(true).mode(0o600).open(&young)
        };
        let out = BufWriter::new(open().map_err(|error| failed(path, "written", &error))?);
        let hasher = blake3::Hasher::new();
        let mut writer = Self { path: path.to_owned(), young, out, hasher, writes: 0, whole: false };
        let made = jiff::Timestamp::now().to_string();
        writer.line(&Head { syncline_plan: FORMAT, mapping: mapping.to_string(), made })?;
        Ok(writer)
    }

    pub fn write(&mut self, line: &Line) -> Result<(), PlanError> {
        self.writes += 1;
        self.line(line)
    }

    /// Says that it is whole, and gives it its name.
    pub fn finish(mut self) -> Result<(), PlanError> {
        let digest = self.hasher.finalize().to_hex().to_string();
        let writes = self.writes;
        self.line(&json!({ "end": End { writes, digest } }))?;
        let done = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        done.and_then(|()| std::fs::rename(&self.young, &self.path))
            .map_err(|error| failed(&self.path, "written", &error))?;
        self.whole = true;
        Ok(())
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), PlanError> {
        let mut bytes = serde_json::to_vec(line).unwrap_or_default();
        bytes.push(b'\n');
        self.hasher.update(&bytes);
        self.out.write_all(&bytes).map_err(|error| failed(&self.path, "written", &error))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.whole {
            let _ = std::fs::remove_file(&self.young);
        }
    }
}

/// A plan, read and checked: what may be written, by digest: 48 bytes a write, whatever it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    pub(super) writes: Vec<Planned>,
    part: bool,
}

impl PlanFile {
    /// Reads a plan.
    ///
    /// # Errors
    /// It is none, is damaged, was made with another mapping, or has nothing that was asked for.
    pub fn read(path: &Path, mapping: Digest, selection: &Selection) -> Result<Self, PlanError> {
        let file = File::open(path).map_err(|error| failed(path, "read", &error))?;
        let mut reader = Lines { path, reader: BufReader::new(file), hasher: blake3::Hasher::new(), line: 0 };
        let head = reader.next()?.ok_or_else(|| PlanError::NotAPlan { path: path.to_owned() })?;
        let head: Head = serde_json::from_slice(&head).map_err(|_| PlanError::NotAPlan { path: path.to_owned() })?;
        if head.syncline_plan != FORMAT {
            return Err(PlanError::Version { path: path.to_owned(), found: head.syncline_plan });
        }
        if head.mapping != mapping.to_string() {
            return Err(PlanError::Mapping { path: path.to_owned() });
        }
        let mut chosen = Chosen::of(selection);
        let mut writes = Vec::new();
        loop {
            let before = reader.hasher.finalize();
            let bytes = reader.next()?.ok_or_else(|| reader.damaged())?;
            if let Ok(line) = serde_json::from_slice::<Line>(&bytes) {
                let planned = line.planned().filter(|planned| format!("{:032x}", planned.hash) == line.hash);
                let planned = planned.ok_or_else(|| reader.damaged())?;
                writes.push(Planned { selected: chosen.takes(&line), ..planned });
                continue;
            }
            let end = serde_json::from_slice::<BTreeMap<String, End>>(&bytes).map_err(|_| reader.damaged())?;
            let end = end.get("end").ok_or_else(|| reader.damaged())?;
            if end.writes != writes.len() as u64 || end.digest != before.to_hex().as_str() || reader.next()?.is_some() {
                return Err(reader.damaged());
            }
            break;
        }
        if let Some(id) = chosen.missing() {
            return Err(PlanError::NoSuchId { path: path.to_owned(), id });
        }
        writes.sort_unstable_by_key(|planned| (planned.target, planned.hash));
        Ok(Self { writes, part: *selection != Selection::default() })
    }

    /// Was only a part of it selected?
    pub fn is_part(&self) -> bool {
        self.part
    }
}

impl Line {
    /// What its record is asked for by.
    fn target(&self) -> Option<Target> {
        match (&self.update, &self.create) {
            (Some(id), None) => crate::model::RemoteId::parse(id).map(Target::Update),
            (None, Some((property, value))) => {
                Some(Target::Create { property: property.clone(), value: value.clone() })
            }
            _ => None,
        }
    }

    /// What it may write. Of a line with hidden values only the digest tells what they are.
    fn planned(&self) -> Option<Planned> {
        if let Some(id) = &self.delete {
            return Some(Planned::delete(&self.system, &self.object, id));
        }
        if self.fields.iter().any(|(.., after)| *after == hidden()) {
            let target = Planned::of(&self.system, &self.object, &self.target()?, &[]).target;
            return Some(Planned { target, hash: u128::from_str_radix(&self.hash, 16).ok()?, selected: true });
        }
        let fields = self.fields.iter().map(|(property, _, after)| Some((property.clone(), raw(after)?)));
        let fields: Vec<(String, Raw)> = fields.collect::<Option<_>>()?;
        Some(Planned::of(&self.system, &self.object, &self.target()?, &fields))
    }

    /// The line of a write; `before` gives what a property shows now, `sensitive` says whose values stay hidden.
    pub fn of(
        (system, entity, object): (&str, &str, &str),
        record: RecordId,
        remote: BTreeMap<String, String>,
        item: &WriteItem,
        before: impl Fn(&str) -> Option<String>,
        sensitive: impl Fn(&str) -> bool,
    ) -> Self {
        let (update, create) = match &item.target {
            Target::Update(id) => (Some(id.as_str().to_owned()), None),
            Target::Create { property, value } => (None, Some((property.clone(), value.clone()))),
        };
        let fields = item.fields.iter().filter(|(_, raw)| *raw != Raw::Absent);
        let fields = fields.map(|(property, raw)| {
            let after = if sensitive(property) && *raw != Raw::Null { hidden() } else { json_of(raw) };
            (property.clone(), before(property), after)
        });
        Self {
            system: system.to_owned(),
            entity: entity.to_owned(),
            object: object.to_owned(),
            record: record.to_string(),
            remote,
            update,
            create,
            delete: None,
            fields: fields.collect(),
            hash: format!("{:032x}", Planned::of(system, object, &item.target, &item.fields).hash),
            refused: None,
        }
    }
}

impl Line {
    /// The line of a delete.
    pub fn deleting(
        (system, entity, object): (&str, &str, &str),
        record: RecordId,
        remote: BTreeMap<String, String>,
        id: &str,
    ) -> Self {
        Self {
            system: system.to_owned(),
            entity: entity.to_owned(),
            object: object.to_owned(),
            record: record.to_string(),
            remote,
            update: None,
            create: None,
            delete: Some(id.to_owned()),
            fields: Vec::new(),
            hash: format!("{:032x}", Planned::delete(system, object, id).hash),
            refused: None,
        }
    }
}

/// Which records of a plan are to be written.
struct Chosen<'a> {
    selection: &'a Selection,
    records: BTreeSet<String>,
    found: BTreeSet<&'a str>,
}

impl<'a> Chosen<'a> {
    fn of(selection: &'a Selection) -> Self {
        Self { selection, records: BTreeSet::new(), found: BTreeSet::new() }
    }

    fn takes(&mut self, line: &Line) -> bool {
        let named = |id: &&'a String| {
            // An id of a system may name a record of each entity.
            let entity = id.strip_prefix(&line.entity).and_then(|rest| rest.strip_prefix(':'));
            let id = entity.unwrap_or(id);
            let remote = |(system, remote): (&String, &String)| {
                let after = id.strip_prefix(system).and_then(|rest| rest.strip_prefix(':'));
                *remote == after.unwrap_or(id)
            };
            line.record == *id || line.remote.iter().any(remote)
        };
        let ids: Vec<&'a str> = self.selection.only.iter().filter(named).map(String::as_str).collect();
        self.found.extend(&ids);
        if !self.selection.only.is_empty() && ids.is_empty() {
            return false;
        }
        let Some(limit) = self.selection.limit else { return true };
        if self.records.contains(&line.record) {
            return true;
        }
        let room = self.records.len() < limit;
        if room {
            self.records.insert(line.record.clone());
        }
        room
    }

    /// Something that was asked for and is not there.
    fn missing(&self) -> Option<String> {
        self.selection.only.iter().find(|id| !self.found.contains(id.as_str())).cloned()
    }
}

struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    hasher: blake3::Hasher,
    line: u64,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, PlanError> {
        self.line += 1;
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(LINE_MAX).read_until(b'\n', &mut bytes);
        read.map_err(|error| failed(self.path, "read", &error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.hasher.update(&bytes);
        if bytes.pop() != Some(b'\n') {
            return Err(if self.line == 1 {
                PlanError::NotAPlan { path: self.path.to_owned() }
            } else {
                self.damaged()
            });
        }
        Ok(Some(bytes))
    }

    fn damaged(&self) -> PlanError {
        PlanError::Damaged { path: self.path.to_owned(), line: self.line }
    }
}

fn json_of(raw: &Raw) -> Value {
    match raw {
        Raw::Absent | Raw::Null => Value::Null,
        Raw::Text(text) => text.as_str().into(),
        Raw::Number(number) => json!({ "number": number.as_str() }),
        Raw::Bool(value) => (*value).into(),
    }
}

/// What stands in the place of a sensitive value.
fn hidden() -> Value {
    json!({ "hidden": true })
}

fn raw(json: &Value) -> Option<Raw> {
    Some(match json {
        Value::Null => Raw::Null,
        Value::String(text) => Raw::Text(text.as_str().into()),
        Value::Bool(value) => Raw::Bool(*value),
        Value::Object(number) => Raw::Number(number.get("number")?.as_str()?.into()),
        Value::Number(_) | Value::Array(_) => return None,
    })
}

fn failed(path: &Path, doing: &'static str, error: &io::Error) -> PlanError {
    PlanError::Io { path: path.to_owned(), doing, cause: error.to_string() }
}

/// The format's number.
const FORMAT: u64 = 1;
/// Longest line, in bytes.
const LINE_MAX: u64 = 16 << 20;
