//! From text to tree, by recursive descent.

use super::ast::*;
use super::dates::Span;
use super::lexer::{Token, TokenKind, tokens};
use super::{DEPTH_MAX, STATEMENT_MAX, TEXT_MAX, malformed};
use crate::sandbox::salesforce::error::Refusal;

/// Reads a whole statement.
pub fn parse(source: &str) -> Result<Query, Refusal> {
    if source.chars().count() > STATEMENT_MAX {
        let message = format!("SOQL statements cannot be longer than {STATEMENT_MAX} characters.");
        return Err(Refusal::new(400, "MALFORMED_QUERY", message));
    }
    let mut parser = Parser { source, tokens: tokens(source)?, at: 0 };
    let query = parser.query(0)?;
    match parser.peek().kind {
        TokenKind::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    source: &'a str,
    /// Never empty: the last token is `End`, which is never passed.
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn query(&mut self, depth: usize) -> Result<Query, Refusal> {
        self.expect_word("SELECT")?;
        let select = self.list(Self::item)?;
        self.expect_word("FROM")?;
        let from = self.name()?;
        let with_as = self.word("AS");
        let alias = if with_as || !self.at_clause() { self.optional_name() } else { None };
        let filter = if self.word("WHERE") { Some(self.condition(depth)?) } else { None };
        let group = if self.words("GROUP", "BY")? { self.list(Self::path)? } else { Vec::new() };
        let having = if self.word("HAVING") { Some(self.condition(depth)?) } else { None };
        let order = if self.words("ORDER", "BY")? { self.list(Self::order)? } else { Vec::new() };
        let limit_at = self.peek().at;
        let limit = if self.word("LIMIT") { Some(self.count()?) } else { None };
        let offset = if self.word("OFFSET") { self.count()? } else { 0 };
        Ok(Query { select, from, alias, filter, group, having, order, limit, offset, limit_at })
    }

    fn item(&mut self) -> Result<Item, Refusal> {
        let at = self.peek().at;
        if self.peek().kind == TokenKind::Sign("(") {
            return Err(malformed(self.source, at, "child sub-queries are not supported by this emulation"));
        }
        if !self.is_call() {
            return Ok(Item::Field(self.path()?, self.optional_name()));
        }
        if self.next_is_word("FIELDS") {
            self.advance();
            self.sign("(")?;
            let set = self.name()?;
            self.sign(")")?;
            return match set.text.to_ascii_uppercase().as_str() {
                "ALL" => Ok(Item::Fields(FieldSet::All, at)),
                "STANDARD" => Ok(Item::Fields(FieldSet::Standard, at)),
                "CUSTOM" => Ok(Item::Fields(FieldSet::Custom, at)),
                _ => Err(malformed(self.source, set.at, format!("unexpected token: '{}'", set.text))),
            };
        }
        if self.next_is_word("COUNT") && self.kind_ahead(2) == Some(&TokenKind::Sign(")")) {
            self.at += 3;
            return Ok(Item::CountAll(at));
        }
        Ok(Item::Call(self.call()?, self.optional_name()))
    }

    fn call(&mut self) -> Result<Call, Refusal> {
        let name = self.name()?;
        let function = Function::named(&name.text)
            .ok_or_else(|| malformed(self.source, name.at, format!("unknown function: '{}'", name.text)))?;
        self.sign("(")?;
        let argument = self.path()?;
        self.sign(")")?;
        Ok(Call { function, argument })
    }

    fn term(&mut self) -> Result<Term, Refusal> {
        if self.is_call() { self.call().map(Term::Call) } else { self.path().map(Term::Field) }
    }

    fn order(&mut self) -> Result<Order, Refusal> {
        let term = self.term()?;
        let descending = !self.word("ASC") && self.word("DESC");
        let nulls_last = self.word("NULLS") && !self.word("FIRST") && {
            self.expect_word("LAST")?;
            true
        };
        Ok(Order { term, descending, nulls_last })
    }

    /// `AND` and `OR` do not mix without parentheses.
    fn condition(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let first = self.operand(depth)?;
        let (word, join): (_, fn(Vec<Condition>) -> Condition) = match () {
            () if self.next_is_word("AND") => ("AND", Condition::And),
            () if self.next_is_word("OR") => ("OR", Condition::Or),
            () => return Ok(first),
        };
        let mut all = vec![first];
        while self.word(word) {
            all.push(self.operand(depth)?);
        }
        if self.next_is_word("AND") || self.next_is_word("OR") {
            return Err(self.unexpected());
        }
        Ok(join(all))
    }

    fn operand(&mut self, depth: usize) -> Result<Condition, Refusal> {
        if depth >= DEPTH_MAX {
            return Err(malformed(self.source, self.peek().at, "conditions are nested too deeply"));
        }
        if self.next_is_word("NOT") {
            self.advance();
            return Ok(Condition::Not(Box::new(self.operand(depth + 1)?)));
        }
        if self.peek().kind == TokenKind::Sign("(") {
            self.advance();
            let inner = self.condition(depth + 1)?;
            self.sign(")")?;
            return Ok(inner);
        }
        let term = self.term()?;
        if self.word("LIKE") {
            return Ok(Condition::Like(term, self.literal()?));
        }
        let negated = self.word("NOT");
        if negated && !self.next_is_word("IN") {
            return Err(self.unexpected());
        }
        if self.word("IN") {
            return Ok(Condition::In(term, negated, self.set(depth)?));
        }
        let operator = self.operator()?;
        Ok(Condition::Compare(term, operator, self.literal()?))
    }

    fn set(&mut self, depth: usize) -> Result<Set, Refusal> {
        self.sign("(")?;
        let set = match self.next_is_word("SELECT") {
            true => Set::Query(Box::new(self.query(depth + 1)?)),
            false => Set::Literals(self.list(Self::literal)?),
        };
        self.sign(")")?;
        Ok(set)
    }

    fn operator(&mut self) -> Result<Operator, Refusal> {
        let operator = match self.peek().kind {
            TokenKind::Sign("=") => Operator::Equal,
            TokenKind::Sign("!=") => Operator::Unequal,
            TokenKind::Sign("<") => Operator::Less,
            TokenKind::Sign("<=") => Operator::LessOrEqual,
            TokenKind::Sign(">") => Operator::Greater,
            TokenKind::Sign(">=") => Operator::GreaterOrEqual,
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(operator)
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        let Token { kind, at, .. } = self.peek().clone();
        let value = match kind {
            TokenKind::Number(number) => Constant::Number(number),
            TokenKind::Date(date) => Constant::Date(date),
            TokenKind::DateTime(instant) => Constant::DateTime(instant),
            TokenKind::Text { plain, .. } if plain.chars().count() > TEXT_MAX => {
                return Err(malformed(self.source, at, format!("a string may not exceed {TEXT_MAX} characters")));
            }
            TokenKind::Text { plain, pattern } => Constant::Text { plain, pattern },
            TokenKind::Word(word) if word.eq_ignore_ascii_case("null") => Constant::Null,
            TokenKind::Word(word) if word.eq_ignore_ascii_case("true") => Constant::Bool(true),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("false") => Constant::Bool(false),
            TokenKind::Word(word) => {
                let number = match (self.kind_ahead(1), self.kind_ahead(2)) {
                    (Some(TokenKind::Sign(":")), Some(TokenKind::Number(number))) => u32::try_from(*number).ok(),
                    _ => None,
                };
                let span = number.map_or_else(|| Span::named(&word), |number| Span::counted(&word, number));
                let span = span.ok_or_else(|| self.unexpected())?;
                self.at += if number.is_some() { 2 } else { 0 };
                Constant::Span(span)
            }
            TokenKind::Sign(_) | TokenKind::End => return Err(self.unexpected()),
        };
        self.advance();
        Ok(Literal { value, at })
    }

    fn path(&mut self) -> Result<Path, Refusal> {
        let first = self.name()?;
        let mut parts = vec![first.text];
        while self.peek().kind == TokenKind::Sign(".") {
            self.advance();
            parts.push(self.name()?.text);
        }
        Ok(Path { parts, at: first.at })
    }

    fn count(&mut self) -> Result<usize, Refusal> {
        match self.peek().kind {
            TokenKind::Number(number) if number.is_integer() => {
                let count = usize::try_from(number).map_err(|_| self.unexpected())?;
                self.advance();
                Ok(count)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn list<T>(&mut self, one: fn(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let mut all = vec![one(self)?];
        while self.peek().kind == TokenKind::Sign(",") {
            self.advance();
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn name(&mut self) -> Result<Name, Refusal> {
        match self.peek() {
            Token { kind: TokenKind::Word(word), at, .. } if !is_reserved(word) => {
                let name = Name { text: word.clone(), at: *at };
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn optional_name(&mut self) -> Option<Name> {
        self.name().ok()
    }

    fn is_call(&self) -> bool {
        matches!(self.peek().kind, TokenKind::Word(_)) && self.kind_ahead(1) == Some(&TokenKind::Sign("("))
    }

    /// Does a clause follow (or the end), so that a word is no alias?
    fn at_clause(&self) -> bool {
        ["GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WITH", "FOR", "USING", "ALL"]
            .iter()
            .any(|w| self.next_is_word(w))
    }

    fn next_is_word(&self, word: &str) -> bool {
        matches!(&self.peek().kind, TokenKind::Word(next) if next.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.next_is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn words(&mut self, first: &str, second: &str) -> Result<bool, Refusal> {
        let found = self.word(first);
        if found {
            self.expect_word(second)?;
        }
        Ok(found)
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Refusal> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), Refusal> {
        if self.peek().kind != TokenKind::Sign(sign) {
            return Err(self.unexpected());
        }
        self.advance();
        Ok(())
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn kind_ahead(&self, steps: usize) -> Option<&TokenKind> {
        self.tokens.get(self.at + steps).map(|token| &token.kind)
    }

    fn advance(&mut self) {
        self.at += 1;
    }

    fn unexpected(&self) -> Refusal {
        let token = self.peek();
        let text = match token.kind {
            TokenKind::End => "<EOF>",
            _ => self.source.get(token.at..token.end).unwrap_or_default(),
        };
        malformed(self.source, token.at, format!("unexpected token: '{text}'"))
    }
}

/// Words that cannot name a field, an object or an alias.
fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 21] = [
        "AND", "AS", "ASC", "BY", "DESC", "EXCLUDES", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LIKE", "LIMIT",
        "NOT", "NULL", "NULLS", "OR", "SELECT", "TYPEOF", "USING", "WHERE",
    ];
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
