//! What commands show: text and tables for people, one document for machines, a bar while it takes.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Where a command's words go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// One JSON document on stdout, and nothing else there.
    pub json: bool,
}

impl Output {
    /// Tells people something on stdout; nothing where machines listen.
    pub fn say(self, text: impl AsRef<str>) {
        if !self.json {
            line(std::io::stdout(), text.as_ref());
        }
    }

    /// As [`Self::say`], of one line with values or words of a system in it.
    pub fn line(self, text: impl AsRef<str>) {
        self.say(plain(text.as_ref()));
    }

    /// Warns on stderr; nothing where machines listen.
    pub fn warn(self, text: impl AsRef<str>) {
        if !self.json {
            line(std::io::stderr(), &format!("warning: {}", plain(text.as_ref())));
        }
    }

    /// Prints the document, if machines listen.
    pub fn document(self, document: &impl Serialize) {
        if self.json
            && let Ok(text) = serde_json::to_string(document)
        {
            line(std::io::stdout(), &text);
        }
    }

    /// Shows a table without borders on stdout.
    pub fn table<const N: usize>(self, header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        self.sheet(header.map(str::to_owned).into(), rows.into_iter().map(Vec::from).collect());
    }

    /// As [`Self::table`], of as many columns as the header has.
    pub fn sheet(self, header: Vec<String>, rows: Vec<Vec<String>>) {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_header(header);
        for row in rows {
            table.add_row(row.iter().map(|cell| plain(cell)));
        }
        self.say(table.trim_fmt());
    }

    /// A bar of `len` steps on stderr, invisible unless that is a terminal; without a length a spinner.
    pub fn progress(self, label: &str, len: Option<u64>) -> ProgressBar {
        let visible = !self.json && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(len, target).with_message(label.to_owned());
        let template = match len {
            Some(_) => "{msg:24} {wide_bar} {human_pos}/{human_len} {eta}",
            None => "{spinner} {msg} {human_pos}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if visible {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        bar
    }
}

/// One line without control characters: records hold and remotes say what they like, and terminals obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// A closed pipe is no reason to panic.
fn line(mut out: impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_remote_says_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2J\nb\u{9b}"), "a [2J b ");
    }
}
