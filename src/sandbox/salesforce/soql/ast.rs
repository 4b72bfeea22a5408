//! The tree of a query, names not yet looked up.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::dates::Span;

/// A whole statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What to answer.
    pub select: Vec<Item>,
    /// The object.
    pub from: Name,
    /// What else the object is called in this query.
    pub alias: Option<Name>,
    /// Which rows.
    pub filter: Option<Condition>,
    /// What to group by.
    pub group: Vec<Path>,
    /// Which groups.
    pub having: Option<Condition>,
    /// In which order.
    pub order: Vec<Order>,
    /// How many at most.
    pub limit: Option<usize>,
    /// How many to leave out first.
    pub offset: usize,
    /// Where `LIMIT` and `OFFSET` stand, for complaints.
    pub limit_at: usize,
}

/// A word and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// As it was written.
    pub text: String,
    /// The byte offset.
    pub at: usize,
}

/// `Account.Owner.Name`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The words between the dots; never empty.
    pub parts: Vec<String>,
    /// The byte offset.
    pub at: usize,
}

/// One thing in a select list.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A field, perhaps renamed (in grouped queries only).
    Field(Path, Option<Name>),
    /// An aggregate, perhaps named.
    Call(Call, Option<Name>),
    /// `COUNT()`.
    CountAll(usize),
    /// `FIELDS(ALL)` and its kin.
    Fields(FieldSet, usize),
}

/// Which fields `FIELDS` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldSet {
    /// All.
    All,
    /// Those of the standard schema.
    Standard,
    /// Those an administrator added.
    Custom,
}

/// An aggregate of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// Of what.
    pub argument: Path,
}

/// The aggregate functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// How many are not null.
    Count,
    /// How many different ones there are.
    CountDistinct,
    /// The smallest.
    Min,
    /// The greatest.
    Max,
    /// The sum.
    Sum,
    /// The mean.
    Avg,
}

/// What a condition or an order speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A field.
    Field(Path),
    /// An aggregate.
    Call(Call),
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// A comparison.
    Compare(Term, Operator, Literal),
    /// `LIKE`.
    Like(Term, Literal),
    /// `IN`, or with `true` `NOT IN`.
    In(Term, bool, Set),
}

/// The right side of `IN`.
#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    /// Literals.
    Literals(Vec<Literal>),
    /// A sub-query of one field.
    Query(Box<Query>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`, `<>`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A constant and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// The constant.
    pub value: Constant,
    /// The byte offset.
    pub at: usize,
}

/// What a literal says.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// `null`
    Null,
    /// `TRUE`, `FALSE`
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// A text, its escapes resolved, and as it is written for `LIKE`, where `\%` and `\_` stay.
    Text {
        /// Escapes resolved.
        plain: String,
        /// Escapes resolved, but for those of the wild cards.
        pattern: String,
    },
    /// A day.
    Date(Date),
    /// Milliseconds, UTC.
    DateTime(i64),
    /// `TODAY` and its kin.
    Span(Span),
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// By what.
    pub term: Term,
    /// The greatest first?
    pub descending: bool,
    /// Nulls last? By default they come first.
    pub nulls_last: bool,
}
