//! From names to columns, with the checks a query needs before it may run.

use std::collections::BTreeSet;

use super::ast::{Condition, Constant, Function, Item, Literal, Operator, Path, Query, Set, Term};
use super::like::Pattern;
use super::{malformed, refuse};
use crate::sandbox::salesforce::database::Database;
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::id::Id;
use crate::sandbox::salesforce::schema::{Field, Kind};
use crate::sandbox::salesforce::time::{day_of, day_start};
use crate::sandbox::salesforce::value::Key;

/// Where a value is found: over references to a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The references to follow: the column that holds one, and the table it leads to.
    pub hops: Vec<(usize, usize)>,
    /// The column at the end.
    pub column: usize,
    /// Do upper and lower case differ?
    pub case_sensitive: bool,
}

/// A condition whose names are looked up; `C` is a [`Column`], or the place of a result in a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound<C> {
    /// All of them.
    And(Vec<Bound<C>>),
    /// One of them.
    Or(Vec<Bound<C>>),
    /// Not this.
    Not(Box<Bound<C>>),
    /// A test of one value.
    Test(C, Test),
}

/// What one value must obey.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A comparison.
    Compare(Operator, Key),
    /// A comparison with a span of time: its first moment and the one behind its last.
    Span(Operator, Key, Key),
    /// One of these; with `true` none of these.
    In(BTreeSet<Key>, bool),
    /// A pattern.
    Like(Pattern),
}

/// What a test needs to know of the value it speaks of.
#[derive(Debug, Clone)]
pub struct Typed {
    /// The field's name, for complaints.
    pub name: String,
    /// The type.
    pub kind: Kind,
    /// Do upper and lower case differ?
    pub case_sensitive: bool,
}

/// A term that was looked up: its place, and what tests need to know of it.
type Resolved<C> = Result<(C, Typed), Refusal>;

/// The names of one query.
pub struct Binder<'a> {
    /// The tables.
    pub database: &'a Database,
    /// The statement.
    pub source: &'a str,
    /// The query.
    pub query: &'a Query,
    /// The table it reads.
    pub table: usize,
    /// Milliseconds, for `TODAY` and its kin.
    pub now_ms: i64,
}

impl<'a> Binder<'a> {
    /// Looks up the object of `query`.
    pub fn new(database: &'a Database, source: &'a str, query: &'a Query, now_ms: i64) -> Result<Self, Refusal> {
        let name = &query.from;
        let unknown = || {
            let text = format!(
                "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the \
                 '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
                name.text
            );
            refuse(source, name.at, "INVALID_TYPE", text)
        };
        let table = database.find_table(&name.text).ok_or_else(unknown)?;
        Ok(Self { database, source, query, table, now_ms })
    }

    /// The parts of a path, without the object's own name in front.
    pub fn parts<'p>(&self, path: &'p Path) -> &'p [String] {
        let own = |first: &str| {
            let alias = self.query.alias.as_ref().is_some_and(|alias| alias.text.eq_ignore_ascii_case(first));
            alias || self.query.from.text.eq_ignore_ascii_case(first)
        };
        match &path.parts[..] {
            [first, rest @ ..] if !rest.is_empty() && own(first) => rest,
            parts => parts,
        }
    }

    /// The column a path leads to, and its field.
    pub fn column(&self, path: &Path) -> Result<(Column, &'a Field), Refusal> {
        let mut parts = self.parts(path).iter();
        let (mut table, mut hops) = (self.table, Vec::new());
        let Some(last) = parts.next_back() else {
            return Err(malformed(self.source, path.at, "a field is expected"));
        };
        for part in parts {
            let hop = self.hop(table, part).ok_or_else(|| self.no_relationship(path, part))?;
            table = hop.1;
            hops.push(hop);
        }
        if hops.len() > HOPS_MAX {
            let text = format!("SOQL relationship paths may have no more than {HOPS_MAX} levels");
            return Err(malformed(self.source, path.at, text));
        }
        let object = self.database.object(table);
        let column = object.column(last).ok_or_else(|| {
            let text = format!(
                "No such column '{last}' on entity '{}'. If you are attempting to use a custom field, be sure to append the \
                 '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate \
                 names.",
                object.name
            );
            refuse(self.source, path.at, "INVALID_FIELD", text)
        })?;
        let field = object.field(column);
        Ok((Column { hops, column, case_sensitive: field.case_sensitive }, field))
    }

    /// Follows one relationship: the column that holds the reference, and the table it leads to.
    pub fn hop(&self, table: usize, relationship: &str) -> Option<(usize, usize)> {
        let object = self.database.object(table);
        let column = object.relationship(relationship)?;
        Some((column, self.database.find_table(object.field(column).reference_to?)?))
    }

    /// A `WHERE`.
    pub fn filter(&self, condition: &Condition) -> Result<Bound<Column>, Refusal> {
        self.condition(condition, &mut |term| match term {
            Term::Call(call) => Err(malformed(self.source, call.argument.at, "aggregates are allowed in HAVING only")),
            Term::Field(path) => {
                let (column, field) = self.column(path)?;
                if !field.filterable {
                    let text = format!("field '{}' can not be filtered in a query call", field.name);
                    return Err(refuse(self.source, path.at, "INVALID_FIELD", text));
                }
                Ok((column, typed(field)))
            }
        })
    }

    /// A condition over whatever `resolve` makes of its terms.
    pub fn condition<C>(
        &self,
        condition: &Condition,
        resolve: &mut dyn FnMut(&Term) -> Resolved<C>,
    ) -> Result<Bound<C>, Refusal> {
        match condition {
            Condition::And(parts) => {
                let all: Result<_, Refusal> = parts.iter().map(|part| self.condition(part, resolve)).collect();
                Ok(Bound::And(all?))
            }
            Condition::Or(parts) => {
                let all: Result<_, Refusal> = parts.iter().map(|part| self.condition(part, resolve)).collect();
                Ok(Bound::Or(all?))
            }
            Condition::Not(part) => Ok(Bound::Not(Box::new(self.condition(part, resolve)?))),
            Condition::Compare(term, operator, literal) => {
                let (place, typed) = resolve(term)?;
                Ok(Bound::Test(place, self.compare(&typed, *operator, literal)?))
            }
            Condition::Like(term, literal) => {
                let (place, typed) = resolve(term)?;
                match &literal.value {
                    Constant::Text { pattern, .. } if typed.kind.is_text() => {
                        Ok(Bound::Test(place, Test::Like(Pattern::new(pattern))))
                    }
                    _ if typed.kind.is_text() => Err(self.mismatch(&typed, literal)),
                    _ => Err(self.no_operator(&typed, literal.at)),
                }
            }
            Condition::In(term, negated, set) => {
                let (place, typed) = resolve(term)?;
                Ok(Bound::Test(place, Test::In(self.set(&typed, set)?, *negated)))
            }
        }
    }

    fn set(&self, typed: &Typed, set: &Set) -> Result<BTreeSet<Key>, Refusal> {
        match set {
            Set::Literals(literals) => literals.iter().map(|literal| self.key(typed, literal)).collect(),
            Set::Query(query) => {
                let inner = Binder::new(self.database, self.source, query, self.now_ms)?;
                match &query.select[..] {
                    [Item::Field(path, None)] if query.group.is_empty() => super::run::values(&inner, path),
                    _ => Err(malformed(self.source, query.from.at, "a sub-query of IN selects exactly one field")),
                }
            }
        }
    }

    fn compare(&self, typed: &Typed, operator: Operator, literal: &Literal) -> Result<Test, Refusal> {
        let ordered = !matches!(operator, Operator::Equal | Operator::Unequal);
        if ordered && typed.kind == Kind::Boolean {
            return Err(self.no_operator(typed, literal.at));
        }
        let Constant::Span(span) = &literal.value else {
            return Ok(Test::Compare(operator, self.key(typed, literal)?));
        };
        let today = day_of(self.now_ms.div_euclid(1000));
        let out_of_reach = || malformed(self.source, literal.at, "the date is out of range");
        let (from, to) = span.days(today).ok_or_else(out_of_reach)?;
        match typed.kind {
            Kind::Date => Ok(Test::Span(operator, Key::Date(from), Key::Date(to))),
            Kind::DateTime => {
                let instant = |day| Key::Instant(day_start(day) * 1000);
                Ok(Test::Span(operator, instant(from), instant(to)))
            }
            _ => Err(self.mismatch(typed, literal)),
        }
    }

    fn key(&self, typed: &Typed, literal: &Literal) -> Result<Key, Refusal> {
        match (typed.kind, &literal.value) {
            (_, Constant::Null) => Ok(Key::Null),
            (Kind::Boolean, Constant::Bool(value)) => Ok(Key::Bool(*value)),
            (Kind::Int | Kind::Double | Kind::Currency | Kind::Percent, Constant::Number(value)) => {
                Ok(Key::Number(*value))
            }
            (Kind::Date, Constant::Date(value)) => Ok(Key::Date(*value)),
            (Kind::DateTime, Constant::DateTime(value)) => Ok(Key::Instant(*value)),
            (Kind::Id | Kind::Reference, Constant::Text { plain, .. }) if plain.is_empty() => Ok(Key::Null),
            (Kind::Id | Kind::Reference, Constant::Text { plain, .. }) => {
                Id::parse(plain).map(Key::Id).ok_or_else(|| {
                    let text = format!("invalid ID field: {plain}");
                    refuse(self.source, literal.at, "INVALID_QUERY_FILTER_OPERATOR", text)
                })
            }
            (kind, Constant::Text { plain, .. }) if kind.is_text() => Ok(Key::text(plain, typed.case_sensitive)),
            _ => Err(self.mismatch(typed, literal)),
        }
    }

    fn mismatch(&self, typed: &Typed, literal: &Literal) -> Refusal {
        let quotes =
            if typed.kind.soap() == "xsd:string" || typed.kind.soap() == "tns:ID" { "should" } else { "should not" };
        let kind = typed.kind.soap().trim_start_matches("xsd:").trim_start_matches("tns:");
        let text = format!(
            "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            typed.name
        );
        refuse(self.source, literal.at, "INVALID_FIELD", text)
    }

    fn no_operator(&self, typed: &Typed, at: usize) -> Refusal {
        let text = format!("invalid operator on {} field", typed.kind.name());
        refuse(self.source, at, "INVALID_QUERY_FILTER_OPERATOR", text)
    }

    fn no_relationship(&self, path: &Path, part: &str) -> Refusal {
        let text = format!(
            "Didn't understand relationship '{part}' in field path. If you are attempting to use a custom relationship, be \
             sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call \
             for the appropriate names."
        );
        refuse(self.source, path.at, "INVALID_FIELD", text)
    }
}

/// What tests need to know of a field.
pub fn typed(field: &Field) -> Typed {
    Typed { name: field.name.clone(), kind: field.kind, case_sensitive: field.case_sensitive }
}

/// What tests need to know of an aggregate of a field; `None` when there is no such aggregate of it.
pub fn typed_call(function: Function, field: &Field) -> Option<Typed> {
    let number = matches!(field.kind, Kind::Int | Kind::Double | Kind::Currency | Kind::Percent);
    let ordered = !matches!(field.kind, Kind::Boolean | Kind::Address);
    let kind = match function {
        Function::Count | Function::CountDistinct => Some(Kind::Int),
        Function::Sum | Function::Avg => number.then_some(Kind::Double),
        Function::Min | Function::Max => ordered.then_some(field.kind),
    };
    kind.filter(|_| field.filterable).map(|kind| Typed { kind, ..typed(field) })
}

/// How many relationships a path may follow.
const HOPS_MAX: usize = 5;
