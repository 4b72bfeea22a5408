//! Reading TOML by hand, so that every word keeps its place and everything wrong is found in one pass.

use super::error::Problems;
use crate::model::Raw;
use crate::rules::nearest::nearest;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value, and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    /// `entities.person.match`.
    pub(super) path: String,
    /// Its key.
    pub(super) key: &'a str,
    /// The key's place.
    pub(super) key_span: Range<usize>,
    /// The value's place.
    pub(super) span: Range<usize>,
    value: &'a DeValue<'a>,
}

/// A table whose keys are taken one by one; those that remain are unknown.
pub(super) struct Section<'a> {
    pub(super) path: String,
    /// The place of the table's own key.
    pub(super) span: Range<usize>,
    entries: Vec<Node<'a>>,
    known: Vec<&'static str>,
}

impl<'a> Node<'a> {
    /// A text; anything else is a problem.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'a str> {
        self.wanted(self.value.as_str(), "a text in quotes", problems)
    }

    /// True or false; anything else is a problem.
    pub(super) fn bool(&self, problems: &mut Problems) -> Option<bool> {
        self.wanted(self.value.as_bool(), "true or false", problems)
    }

    /// A whole number that fits; anything else is a problem.
    pub(super) fn number(&self, problems: &mut Problems) -> Option<u32> {
        let number = self.value.as_integer().and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok());
        self.wanted(number, "a whole number from 0", problems)
    }

    /// A table; anything else is a problem.
    pub(super) fn section(&self, problems: &mut Problems) -> Option<Section<'a>> {
        let table = self.wanted(self.value.as_table(), "a table", problems)?;
        Some(Section::new(table, self.path.clone(), self.key_span.clone()))
    }

    /// A list; anything else is a problem.
    pub(super) fn list(&self, problems: &mut Problems) -> Option<Vec<Node<'a>>> {
        let items = self.wanted(self.value.as_array(), "a list", problems)?;
        let item = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Node {
            path: format!("{}[{index}]", self.path),
            key: self.key,
            key_span: item.span(),
            span: item.span(),
            value: item.get_ref(),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A list of texts; what is none is a problem.
    pub(super) fn texts(&self, problems: &mut Problems) -> Option<Vec<String>> {
        let items = self.list(problems)?;
        Some(items.iter().filter_map(|item| item.text(problems).map(str::to_owned)).collect())
    }

    /// A single value of any type as text; `None` for lists and tables.
    pub(super) fn scalar(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
            }
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Datetime(moment) => Some(moment.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    /// A single value as it is written to a system; `None` for lists and tables.
    pub(super) fn raw(&self) -> Option<Raw> {
        let text = self.scalar()?;
        Some(match self.value {
            DeValue::Integer(_) | DeValue::Float(_) => Raw::Number(text.into()),
            DeValue::Boolean(value) => Raw::Bool(*value),
            _ => Raw::Text(text.into()),
        })
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(super) fn is_bool(&self) -> bool {
        self.value.is_bool()
    }

    /// Reports that this should have been something else.
    pub(super) fn wrong(&self, wanted: &str, problems: &mut Problems) {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let span = if self.is_table() { &self.key_span } else { &self.span };
        problems.push(span, format!("`{}` is {found}", self.path), format!("write {wanted}"));
    }

    fn wanted<T>(&self, value: Option<T>, wanted: &str, problems: &mut Problems) -> Option<T> {
        if value.is_none() {
            self.wrong(wanted, problems);
        }
        value
    }
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, path: String, span: Range<usize>) -> Self {
        let mut entries: Vec<Node<'a>> = table
            .iter()
            .map(|(key, value)| Node {
                path: if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) },
                key: key.get_ref(),
                key_span: key.span(),
                span: value.span(),
                value: value.get_ref(),
            })
            .collect();
        // The parser sorts by key; people think in the order in which they wrote.
        entries.sort_by_key(|entry| entry.key_span.start);
        Self { path, span, entries, known: Vec::new() }
    }

    /// Takes the value of a key that may be there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// Has everything been taken?
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes all that remains: keys that are names.
    pub(super) fn take_rest(&mut self) -> Vec<Node<'a>> {
        std::mem::take(&mut self.entries)
    }

    /// Takes keys of later versions, and says so.
    pub(super) fn refuse(&mut self, key: &'static str, mend: &str, problems: &mut Problems) {
        if let Some(at) = self.entries.iter().position(|entry| entry.key == key) {
            let entry = self.entries.remove(at);
            problems.push(&entry.key_span, format!("`{}` is not available in this version", entry.path), mend);
        }
    }

    /// Reports a key that must be there, but is not.
    pub(super) fn missing(&self, key: &str, mend: impl Into<String>, problems: &mut Problems) {
        let at = if self.path.is_empty() { "the config".to_owned() } else { format!("`{}`", self.path) };
        problems.push(&self.span, format!("{at} has no `{key}`"), mend);
    }

    /// Reports all that was not taken.
    pub(super) fn finish(self, problems: &mut Problems) {
        for entry in &self.entries {
            unknown_key(entry, &self.known, problems);
        }
    }
}

/// Reports a key that nobody knows.
fn unknown_key(entry: &Node<'_>, known: &[&'static str], problems: &mut Problems) {
    let mend = match nearest(entry.key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("take it away; known here: {}", known.join(", ")),
    };
    problems.push(&entry.key_span, format!("unknown key `{}`", entry.path), mend);
}

/// The places of everything in a document, by path: the value's for single values, else the key's.
pub(super) fn places(table: &DeTable<'_>) -> Vec<(String, Range<usize>)> {
    fn walk(node: &Node<'_>, out: &mut Vec<(String, Range<usize>)>) {
        let single = !node.value.is_table() && !node.value.is_array();
        out.push((node.path.clone(), if single { node.span.clone() } else { node.key_span.clone() }));
        let mut quiet = Problems::default();
        if node.value.is_table() {
            node.section(&mut quiet).into_iter().flat_map(|section| section.entries).for_each(|n| walk(&n, out));
        } else if node.value.is_array() {
            node.list(&mut quiet).into_iter().flatten().for_each(|node| walk(&node, out));
        }
    }
    let mut out = Vec::new();
    for node in &Section::new(table, String::new(), 0..0).entries {
        walk(node, &mut out);
    }
    out
}
