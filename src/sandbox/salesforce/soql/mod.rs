//! A query engine for the vendor's query language, SOQL.
//!
//! [`parse`] makes a tree of the text, [`bind`] ties it to the schema and checks types, [`run`] finds rows (through an index
//! where one helps), and [`project`] or [`aggregate`] make records of them. Left out: child sub-queries, `TYPEOF`, functions
//! of dates and places, `toLabel` and its kin, `WITH`, `ROLLUP`, `FOR`, currency literals.

mod access;
mod aggregate;
mod ast;
mod bind;
mod dates;
mod filter;
mod functions;
mod lexer;
mod like;
mod parse;
mod project;
mod run;
#[cfg(test)]
mod tests;

pub use project::Shape;
pub use run::{Answer, run};

use super::error::Refusal;

/// The longest statement, in characters.
const STATEMENT_MAX: usize = 100_000;

/// The longest text in a condition, in characters.
const TEXT_MAX: usize = 4_000;

/// How deep parentheses may go before a query is refused.
const DEPTH_MAX: usize = 50;

/// A refusal that points at the place, a byte offset, in the statement.
fn refuse(source: &str, at: usize, code: &'static str, text: impl AsRef<str>) -> Refusal {
    let at = at.min(source.len());
    let before = source.get(..at).unwrap_or_default();
    let row = before.matches('\n').count() + 1;
    let line = before.rsplit('\n').next().unwrap_or_default();
    let column = line.chars().count() + 1;
    let lead: String = line.chars().rev().take(SNIPPET_LEAD).collect::<Vec<_>>().into_iter().rev().collect();
    let tail: String =
        source.get(at..).unwrap_or_default().chars().take_while(|c| *c != '\n').take(SNIPPET_TAIL).collect();
    let pad = " ".repeat(lead.chars().count());
    let message = format!("\n{lead}{tail}\n{pad}^\nERROR at Row:{row}:Column:{column}\n{}", text.as_ref());
    Refusal::new(400, code, message)
}

/// A `MALFORMED_QUERY` that points at the place.
fn malformed(source: &str, at: usize, text: impl AsRef<str>) -> Refusal {
    refuse(source, at, "MALFORMED_QUERY", text)
}

const SNIPPET_LEAD: usize = 30;
const SNIPPET_TAIL: usize = 30;
