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

    /// Warns on stderr; nothing where machines listen.
    pub fn warn(self, text: impl AsRef<str>) {
        if !self.json {
            line(std::io::stderr(), &format!("warning: {}", text.as_ref()));
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
            table.add_row(row);
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

/// A closed pipe is no reason to panic.
fn line(mut out: impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
