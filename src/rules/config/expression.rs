//! Expressions in CEL: bounded when they are read, since nothing else bounds what they cost, and without any outside.

use crate::model::Value;
use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::extensions::{math, strings};
use cel::{Context, DeclarationError, Env, ExecutionError, Program};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A longer one is refused.
const TEXT_MAX: usize = 4096;

/// What is wrong, and the mend.
pub(super) type Flaw = (String, String);

/// Why an expression gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stumble {
    /// Its types do not fit each other, so none of the kind will do.
    Always(String),
    /// Over these values.
    Here(String),
}

/// A compiled expression.
pub(super) struct Expression {
    env: Arc<Env>,
    program: Program,
    /// What it names, ascending.
    pub names: Vec<String>,
}

impl Expression {
    /// Reads an expression; `example` is one that would do.
    pub fn compile(text: &str, example: &str) -> Result<Self, Flaw> {
        if text.len() > TEXT_MAX {
            return Err((format!("the expression is longer than {TEXT_MAX} bytes"), "shorten it".into()));
        }
        let env = environment().map_err(|error| (error.to_string(), "report it".to_owned()))?;
        let program = env.compile(text).map_err(|errors| unreadable(&errors.to_string(), example))?;
        let mut look = Look::default();
        look.at(program.expression());
        if look.deepest > 1 {
            let mend = "use at most one of `exists`, `all`, `map` and `filter`, and none within it".to_owned();
            return Err(("the expression runs through lists within lists".into(), mend));
        }
        let names = look.names.into_iter().map(str::to_owned).collect();
        Ok(Self { env, program, names })
    }

    /// Its result for the values of what it names, in that order.
    pub fn run(&self, values: &[&Value]) -> Result<cel::Value, Stumble> {
        self.run_over(values.iter().map(|value| seen(value)).collect())
    }

    /// As [`Self::run`], of values as an expression sees them.
    pub fn run_over(&self, values: Vec<cel::Value>) -> Result<cel::Value, Stumble> {
        let mut context = Context::with_env(self.env.clone());
        for (name, value) in self.names.iter().zip(values) {
            context.add_variable_from_value(&**name, value);
        }
        self.program.execute(&context).map_err(|error| match error {
            ExecutionError::UndeclaredReference(name) => Stumble::Always(format!("there is no function `{name}`")),
            ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::NoSuchKey(_)
            | ExecutionError::FunctionError { .. }
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..) => Stumble::Here(error.to_string()),
            error => Stumble::Always(error.to_string()),
        })
    }
}

/// The standard library of CEL, with its functions for texts and numbers: none of them sees a clock, a file or chance.
fn environment() -> Result<Arc<Env>, DeclarationError> {
    let mut env = Env::stdlib();
    strings(&mut env)?;
    math(&mut env)?;
    Ok(Arc::new(env))
}

/// Of what the parser says, the first cause and where it is.
fn unreadable(why: &str, example: &str) -> Flaw {
    let first = why.lines().next().unwrap_or_default();
    let cause = first.rsplit("Syntax error: ").next().and_then(|cause| cause.split(" expecting").next());
    let column = first.split(':').nth(3).map(|column| format!(" at character {}", column.trim())).unwrap_or_default();
    (format!("this is no CEL expression: {}{column}", cause.unwrap_or(first)), format!("write one such as {example}"))
}

/// A value as an expression sees it.
pub(super) fn seen(value: &Value) -> cel::Value {
    let text = |text: &str| cel::Value::String(Arc::new(text.to_owned()));
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Int(value) => cel::Value::Int(*value),
        Value::Decimal(value) => cel::Value::Float(value.to_f64()),
        Value::Text(value) | Value::Enum(value) => text(value),
        Value::Set(options) => cel::Value::List(Arc::new(options.iter().map(|option| text(option)).collect())),
        Value::Date(_) | Value::DateTime(_) => text(&value.to_string()),
        // Neither is let into a condition.
        Value::Ref(_) | Value::Refs(_) | Value::Group(_) => cel::Value::Null,
    }
}

/// What an expression names, and how deep its loops lie within each other.
#[derive(Default)]
struct Look<'e> {
    names: BTreeSet<&'e str>,
    /// Names that loops give to the items that they run through.
    bound: Vec<&'e str>,
    depth: usize,
    deepest: usize,
}

impl<'e> Look<'e> {
    fn at(&mut self, expr: &'e IdedExpr) {
        match &expr.expr {
            Expr::Ident(name) => {
                if !self.bound.contains(&&**name) {
                    self.names.insert(name);
                }
            }
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.at(target));
                call.args.iter().for_each(|arg| self.at(arg));
            }
            Expr::Comprehension(run) => {
                self.at(&run.iter_range);
                let before = self.bound.len();
                self.bound.extend([&*run.iter_var, &*run.accu_var]);
                self.bound.extend(run.iter_var2.as_deref());
                self.depth += 1;
                self.deepest = self.deepest.max(self.depth);
                for part in [&run.accu_init, &run.loop_cond, &run.loop_step, &run.result] {
                    self.at(part);
                }
                self.depth -= 1;
                self.bound.truncate(before);
            }
            Expr::List(list) => list.elements.iter().for_each(|item| self.at(item)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(made) => made.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Select(select) => self.at(&select.operand),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.at(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.at(&entry.key);
                self.at(&entry.value);
            }
        }
    }
}
