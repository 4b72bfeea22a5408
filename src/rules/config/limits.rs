//! What systems can hold of a field, and what becomes of the rest: `length`, `precision`, `scale`, `options`; `too_long`,
//! `too_fine`, `unknown`.

use super::error::Problems;
use super::reader::{Node, Section};
use crate::rules::nearest::nearest;
use crate::rules::{FieldSpec, Limits, TooFine, TooLong, Unknown};

/// The keys, taken before what remains counts as system names.
pub(super) struct Limited<'a> {
    length: Option<Node<'a>>,
    precision: Option<Node<'a>>,
    options: Option<Node<'a>>,
    too_long: Option<Node<'a>>,
    too_fine: Option<Node<'a>>,
    unknown: Option<Node<'a>>,
}

impl<'a> Limited<'a> {
    pub(super) fn take(section: &mut Section<'a>) -> Self {
        Self {
            length: section.take("length"),
            precision: section.take("precision"),
            options: section.take("options"),
            too_long: section.take("too_long"),
            too_fine: section.take("too_fine"),
            unknown: section.take("unknown"),
        }
    }

    /// Fills a field that knows its type and its systems. `scales` = `scale` where it is a table by system; a single one
    /// rounds the field itself.
    pub(super) fn read(&self, scales: Option<&Node<'a>>, field: &mut FieldSpec, problems: &mut Problems) {
        let number = |node: &Node<'_>, problems: &mut Problems| node.number(problems);
        each(self.length.as_ref(), field, problems, number, |limits, length| limits.length = Some(length));
        each(self.precision.as_ref(), field, problems, number, |limits, digits| limits.precision = Some(digits));
        each(scales, field, problems, number, |limits, scale| limits.scale = Some(scale));
        let options = |node: &Node<'_>, problems: &mut Problems| {
            let options = node.texts(problems)?;
            if options.is_empty() {
                problems.push(&node.span, format!("`{}` names no option", node.path), "name them, or take it away");
            }
            Some(options)
        };
        each(self.options.as_ref(), field, problems, options, |limits, options| limits.options = options);
        let words = [("refuse", TooLong::Refuse), ("truncate", TooLong::Truncate)];
        field.mismatch.too_long = choice(self.too_long.as_ref(), words, problems).unwrap_or_default();
        let words = [("refuse", TooFine::Refuse), ("round", TooFine::Round)];
        field.mismatch.too_fine = choice(self.too_fine.as_ref(), words, problems).unwrap_or_default();
        field.mismatch.unknown = match self.unknown.as_ref().and_then(|node| unknown(node, problems)) {
            Some("refuse") | None => Unknown::Refuse,
            Some("pass") => Unknown::Pass,
            Some(option) => Unknown::As(option.to_owned()),
        };
    }
}

/// A limit of all systems of a field, or a table of them by system.
fn each<T: Clone>(
    node: Option<&Node<'_>>,
    field: &mut FieldSpec,
    problems: &mut Problems,
    read: impl Fn(&Node<'_>, &mut Problems) -> Option<T>,
    set: impl Fn(&mut Limits, T),
) {
    let Some(node) = node else { return };
    let systems: Vec<String> = field.systems().into_iter().map(str::to_owned).collect();
    let mut add = |system: &str, value: T| {
        let mut limits = Limits::default();
        set(&mut limits, value);
        field.limits.push((system.to_owned(), limits));
    };
    if !node.is_table() {
        if let Some(value) = read(node, problems) {
            systems.iter().for_each(|system| add(system, value.clone()));
        }
        return;
    }
    let Some(mut section) = node.section(problems) else { return };
    for entry in section.take_rest() {
        if systems.iter().any(|system| system == entry.key) {
            if let Some(value) = read(&entry, problems) {
                add(entry.key, value);
            }
        } else {
            let mend = match nearest(entry.key, systems.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("name one of {}", systems.join(", ")),
            };
            problems.push(&entry.key_span, format!("the field has no property in `{}`", entry.key), mend);
        }
    }
}

fn choice<T: Copy>(node: Option<&Node<'_>>, words: [(&str, T); 2], problems: &mut Problems) -> Option<T> {
    let node = node?;
    let text = node.text(problems)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
    if found.is_none() {
        let mend = format!("use \"{}\" or \"{}\"", words[0].0, words[1].0);
        problems.push(&node.span, format!("`{}` cannot be `{text}`", node.key), mend);
    }
    found
}

fn unknown<'a>(node: &Node<'a>, problems: &mut Problems) -> Option<&'a str> {
    let text = node.text(problems)?.trim();
    if text.is_empty() {
        problems.push(&node.span, "`unknown` is blank", "use \"refuse\", \"pass\" or the name of an option");
        return None;
    }
    Some(text)
}
