//! Words, numbers, texts and signs of a statement.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::malformed;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::time::{parse_date, parse_datetime};

/// A token and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// The byte offset.
    pub at: usize,
    /// The byte offset behind it.
    pub end: usize,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenKind {
    /// A name or a keyword.
    Word(String),
    /// A number.
    Number(Decimal),
    /// A text: escapes resolved, and the same with the wild cards' escapes left for `LIKE`.
    Text {
        /// Escapes resolved.
        plain: String,
        /// Escapes of `%`, `_` and `\` kept.
        pattern: String,
    },
    /// A day.
    Date(Date),
    /// Milliseconds, UTC.
    DateTime(i64),
    /// `(`, `)`, `,`, `.`, `:`, `=`, `!=`, `<`, `<=`, `>`, `>=` (`<>` becomes `!=`).
    Sign(&'static str),
    /// Behind the last token.
    End,
}

/// Splits a statement; the last token is `End`.
pub fn tokens(source: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(letter) = source[at..].chars().next() {
        let rest = &source[at..];
        let (kind, length) = match letter {
            ' ' | '\t' | '\r' | '\n' => {
                at += 1;
                continue;
            }
            '\'' => text(source, at)?,
            '0'..='9' => number(source, at)?,
            '-' | '+' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(source, at)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(source, at)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (TokenKind::Word(rest[..length].to_owned()), length)
            }
            _ => match SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
                Some((sign, meaning)) => (TokenKind::Sign(meaning), sign.len()),
                None => return Err(malformed(source, at, format!("unexpected token: '{letter}'"))),
            },
        };
        tokens.push(Token { kind, at, end: at + length });
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, at, end: at });
    Ok(tokens)
}

fn text(source: &str, at: usize) -> Result<(TokenKind, usize), Refusal> {
    let (mut plain, mut pattern) = (String::new(), String::new());
    let mut letters = source[at..].char_indices().skip(1);
    while let Some((offset, letter)) = letters.next() {
        let escaped = match letter {
            '\'' => return Ok((TokenKind::Text { plain, pattern }, offset + 1)),
            '\\' => letters.next().map(|(_, letter)| letter),
            _ => {
                plain.push(letter);
                pattern.push(letter);
                continue;
            }
        };
        let meant = match escaped {
            Some('n' | 'N') => '\n',
            Some('r' | 'R') => '\r',
            Some('t' | 'T') => '\t',
            Some('b' | 'B') => '\u{8}',
            Some('f' | 'F') => '\u{c}',
            Some(letter @ ('\\' | '%' | '_')) => {
                pattern.push('\\');
                letter
            }
            Some(letter @ ('\'' | '"')) => letter,
            Some('u') => unicode(&mut letters).ok_or_else(|| malformed(source, at + offset, ILLEGAL))?,
            _ => return Err(malformed(source, at + offset, ILLEGAL)),
        };
        plain.push(meant);
        pattern.push(meant);
    }
    Err(malformed(source, at, "unexpected token: ''' (string literal is not terminated)"))
}

/// The character of `\uXXXX` (UNVERIFIED).
fn unicode(letters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + letters.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

/// A number, a day or an instant: whatever begins with a digit.
fn number(source: &str, at: usize) -> Result<(TokenKind, usize), Refusal> {
    let rest = &source[at..];
    let is_date = rest.as_bytes().get(4) == Some(&b'-') && rest.starts_with(|c: char| c.is_ascii_digit());
    let part = |c: char| match is_date {
        true => c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+'),
        false => c.is_ascii_alphanumeric() || c == '.',
    };
    let length = 1 + rest[1..].find(|c| !part(c)).unwrap_or(rest.len() - 1);
    let word = &rest[..length];
    let kind = match is_date {
        true if word.len() == 10 => parse_date(word).map(TokenKind::Date),
        true => parse_datetime(word).map(TokenKind::DateTime),
        false => word.trim_start_matches('+').parse().ok().map(TokenKind::Number),
    };
    kind.map(|kind| (kind, length)).ok_or_else(|| malformed(source, at, format!("unexpected token: '{word}'")))
}

const ILLEGAL: &str = "illegal escape in a string literal";

/// Longer signs first.
const SIGNS: [(&str, &str); 12] = [
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("<", "<"),
    (">", ">"),
    ("=", "="),
    ("(", "("),
    (")", ")"),
    (",", ","),
    (".", "."),
    (":", ":"),
];
