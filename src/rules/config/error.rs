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
    /// Its text as it may be shown, empty where it could not be read.
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

/// A config's text as it may be shown: what stands where a reference to a secret should stand is covered, for it may be
/// the secret. Every byte keeps its place. Works on texts that are no TOML, too.
pub(super) fn covered(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (start, word) in SECRET_KEYS.iter().flat_map(|word| text.match_indices(word)) {
        let rest = &text[start + word.len()..];
        let key = rest.trim_start_matches(|char: char| char.is_ascii_alphanumeric() || "_-\"'".contains(char));
        let Some(value) =
            key.trim_start_matches([' ', '\t']).strip_prefix('=').map(|rest| rest.trim_start_matches([' ', '\t']))
        else {
            continue;
        };
        let quotes = value.len() - value.trim_start_matches(['"', '\'']).len();
        let inner = &value[quotes..];
        if quotes == 0 || ["env:", "file:", "exec:"].iter().any(|scheme| inner.starts_with(scheme)) {
            continue;
        }
        let (quote, many) = (&value[..1], quotes >= 3);
        let end = inner.find(if many { &value[..3] } else { quote });
        let end = end.or_else(|| if many { None } else { inner.find('\n') }).unwrap_or(inner.len());
        let from = text.len() - inner.len();
        bytes[from..from + end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
    }
    // Only whole texts between quotes or line ends were covered, so nothing was cut within a character.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Words in keys whose values are secrets.
const SECRET_KEYS: [&str; 4] = ["token", "secret", "password", "key"];

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

#[cfg(test)]
mod tests {
    use super::covered;

    #[test]
    fn a_secret_in_the_wrong_place_is_covered_and_all_keeps_its_place() {
        for (text, wanted) in [
            ("token = \"pat-1\"\n", "token = \"*****\"\n"),
            ("token = 'pät'", "token = '****'"),
            ("x = { url = \"u\", token=\"p\", mode = \"read\" }", "x = { url = \"u\", token=\"*\", mode = \"read\" }"),
            ("client_secret = \"s", "client_secret = \"*"),
            ("token = \"\"\"a\nb\"\"\"\nc", "token = \"\"\"*\n*\"\"\"\nc"),
            ("\"token\" = \"p\"", "\"token\" = \"*\""),
            ("token = \"env:A\" # token", "token = \"env:A\" # token"),
            ("token = \"bearer:pat\"", "token = \"**********\""),
            ("token", "token"),
            ("token = ", "token = "),
            ("token = \"", "token = \""),
        ] {
            assert_eq!(covered(text), wanted, "{text}");
            assert_eq!(covered(text).len(), text.len());
        }
    }
}
