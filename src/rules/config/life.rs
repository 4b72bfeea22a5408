//! What a delete does: `on_delete`, `edit_against_delete`, `max_deletes`.

use super::error::Problems;
use super::reader::{Node, Section};
use crate::rules::{EditAgainstDelete, MAX_DELETES, OnDelete};

pub(super) fn on_delete(section: &mut Section<'_>, problems: &mut Problems) -> Option<OnDelete> {
    let node = section.take("on_delete")?;
    let text = node.text(problems)?;
    let known = OnDelete::parse(text);
    if known.is_none() {
        let (message, mend) = match text {
            "archive" | "delete" => (
                format!("on_delete = `{text}` has another name"),
                "write \"propagate\": a delete of ours goes to the recycle bin of either system",
            ),
            _ => (format!("nothing is known of on_delete = `{text}`"), "use \"detach\", \"ignore\" or \"propagate\""),
        };
        problems.push(&node.span, message, mend);
    }
    known
}

pub(super) fn edit_against_delete(section: &mut Section<'_>, problems: &mut Problems) -> Option<EditAgainstDelete> {
    let node = section.take("edit_against_delete")?;
    let text = node.text(problems)?;
    let known = EditAgainstDelete::parse(text);
    if known.is_none() {
        let message = format!("nothing is known of edit_against_delete = `{text}`");
        problems.push(&node.span, message, "use \"edit wins\" or \"delete wins\"");
    }
    known
}

/// How many deletes a system gets in an hour.
pub(super) fn max_deletes(node: Option<Node<'_>>, problems: &mut Problems) -> u32 {
    node.and_then(|node| node.number(problems)).unwrap_or(MAX_DELETES)
}
