//! Errors of a config: the file, the place, the cause and the mend.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that is wrong with a config, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file.
    pub file: PathBuf,
    /// Its text, empty where it could not be read.
    pub text: Arc<str>,
    /// What is wrong.
    pub errors: Vec<ConfigError>,
}

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Whose word it is: a system's name, `secrets`; none = the config's own.
    pub group: Option<String>,
    /// Where.
    pub place: Option<ConfigPlace>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

/// A place in a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPlace {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The bytes.
    pub span: Range<usize>,
}

impl ConfigPlace {
    /// The place of some bytes of a text. A span that does not fit the text is cut to it.
    pub fn of(text: &str, span: Range<usize>) -> Self {
        let bound = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (bound(span.start), bound(span.end.max(span.start)));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..end,
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(place) = &error.place {
                write!(f, ":{}:{}", place.line, place.column)?;
            }
            write!(f, ": {error}")?;
        }
        Ok(())
    }
}

impl ConfigError {
    /// As somebody's word.
    #[must_use]
    pub fn said_by(self, group: impl Into<String>) -> Self {
        Self { group: Some(group.into()), ..self }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.mend)
    }
}

impl std::error::Error for ConfigErrors {}
impl std::error::Error for ConfigError {}

/// Problems while reading, before they have lines.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<(Range<usize>, String, String)>);

impl Problems {
    pub(super) fn push(&mut self, span: &Range<usize>, message: impl Into<String>, mend: impl Into<String>) {
        self.0.push((span.clone(), message.into(), mend.into()));
    }

    /// The errors in the order of the file.
    pub(super) fn into_errors(mut self, text: &str) -> Vec<ConfigError> {
        self.0.sort_by_key(|(span, ..)| (span.start, span.end));
        self.0.dedup();
        let error = |(span, message, mend)| ConfigError {
            group: None,
            place: Some(ConfigPlace::of(text, span)),
            message,
            mend,
        };
        self.0.into_iter().map(error).collect()
    }
}
