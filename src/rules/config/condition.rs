//! `where`: a condition in CEL over an object's fields, checked as far as it can be before anything is read.

use crate::model::{FieldKind, Value};
use crate::rules::{FieldSpec, ScopeSpec};
use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use cel::{Context, Env, ExecutionError, Program};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A longer condition is refused, since nothing else bounds what it costs.
const TEXT_MAX: usize = 4096;

/// Compiles `text` over these fields.
///
/// # Errors
/// What is wrong with it, and the mend.
pub(super) fn compile(text: &str, fields: &[FieldSpec]) -> Result<ScopeSpec, (String, String)> {
    if text.len() > TEXT_MAX {
        return Err((format!("the condition is longer than {TEXT_MAX} bytes"), "shorten it".into()));
    }
    let env = Arc::new(Env::stdlib());
    let program = env.compile(text).map_err(|errors| unreadable(&errors.to_string()))?;
    let mut look = Look::default();
    look.at(program.expression());
    if look.deepest > 1 {
        let mend = "use at most one of `exists`, `all`, `map` and `filter`, and none within it".to_owned();
        return Err(("the condition runs through lists within lists".into(), mend));
    }
    let reads: Vec<String> = look.names.into_iter().map(str::to_owned).collect();
    let mut kinds = Vec::new();
    for name in &reads {
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            let near = crate::rules::nearest::nearest(name, fields.iter().map(|field| &*field.name));
            let mend =
                near.map_or_else(|| "name a field of the entity".into(), |near| format!("did you mean `{near}`?"));
            return Err((format!("the condition names `{name}`, which is no field"), mend));
        };
        if matches!(field.kind, FieldKind::Ref { .. }) {
            let mend = "use a field with a value of its own".to_owned();
            return Err((format!("`{name}` refers to another record, which a condition cannot see"), mend));
        }
        kinds.push(field.kind.clone());
    }
    if reads.is_empty() {
        return Err(("the condition names no field".into(), "name one, or take `where` away".into()));
    }
    let condition = Condition { env, program, reads };
    condition.try_out(&kinds)?;
    let reads = condition.reads.clone();
    Ok(ScopeSpec::new(text, reads, move |values| condition.decide(values) == Ok(true)))
}

/// Of what the parser says, the first cause and where it is.
fn unreadable(why: &str) -> (String, String) {
    let first = why.lines().next().unwrap_or_default();
    let cause = first.rsplit("Syntax error: ").next().and_then(|cause| cause.split(" expecting").next());
    let column = first.split(':').nth(3).map(|column| format!(" at character {}", column.trim())).unwrap_or_default();
    let mend = "write a condition such as country == \"DE\" && stage in [\"customer\", \"evangelist\"]";
    (format!("the condition is no CEL expression: {}{column}", cause.unwrap_or(first)), mend.into())
}

struct Condition {
    env: Arc<Env>,
    program: Program,
    reads: Vec<String>,
}

impl Condition {
    /// With values of every kind that a field can show: what is no condition then never is one, short cuts apart.
    fn try_out(&self, kinds: &[FieldKind]) -> Result<(), (String, String)> {
        for round in 0..3 {
            let samples: Vec<Value> = kinds.iter().map(|kind| sample(kind, round)).collect();
            let values: Vec<&Value> = samples.iter().collect();
            let works = self.decide(&values);
            works.map_err(|why| (format!("the condition does not work: {why}"), mend(&self.reads, kinds)))?;
        }
        Ok(())
    }

    fn decide(&self, values: &[&Value]) -> Result<bool, String> {
        let mut context = Context::with_env(self.env.clone());
        for (name, value) in self.reads.iter().zip(values) {
            context.add_variable_from_value(&**name, seen(value));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it gives {}, and must give true or false", other.type_of())),
            Err(ExecutionError::UndeclaredReference(name)) => Err(format!("there is no function `{name}`")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn mend(reads: &[String], kinds: &[FieldKind]) -> String {
    let each = reads.iter().zip(kinds).map(|(name, kind)| {
        let seen = match kind {
            FieldKind::Integer => "a whole number such as 3",
            FieldKind::Decimal { .. } => "a number such as 3.0",
            FieldKind::Bool => "true or false",
            FieldKind::Date => "a text such as \"2026-01-31\"",
            FieldKind::DateTime { .. } => "a text such as \"2026-01-31T08:00:00.000Z\"",
            FieldKind::Set => "a list of texts",
            _ => "a text",
        };
        format!("`{name}` is {seen}")
    });
    format!("{}; blank is null", each.collect::<Vec<_>>().join(", "))
}

fn sample(kind: &FieldKind, round: usize) -> Value {
    let n = round as i64;
    match kind {
        FieldKind::Integer => Value::Int(n * 1000),
        FieldKind::Decimal { .. } => Value::Decimal((n * 1000).into()),
        FieldKind::Bool => Value::Bool(round.is_multiple_of(2)),
        FieldKind::Date => Value::Date(20_000 + round as i32),
        FieldKind::DateTime { .. } => Value::DateTime(1_700_000_000_000 + n),
        FieldKind::Set => Value::set(["a", "b"]),
        FieldKind::Enum => Value::Enum("a".into()),
        _ => Value::Text("a".into()),
    }
}

fn seen(value: &Value) -> cel::Value {
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
        Value::Ref(_) | Value::Group(_) => cel::Value::Null,
    }
}

/// What a condition names, and how deep its loops lie within each other.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields() -> Vec<FieldSpec> {
        let kinds = [
            ("country", FieldKind::Text),
            ("stage", FieldKind::Enum),
            ("amount", FieldKind::Decimal { scale: None }),
            ("size", FieldKind::Integer),
            ("vip", FieldKind::Bool),
            ("since", FieldKind::Date),
            ("tags", FieldKind::Set),
            ("email", FieldKind::Email),
        ];
        let mut fields: Vec<FieldSpec> = kinds.map(|(name, kind)| FieldSpec::new(name, kind)).into();
        fields.push(FieldSpec::reference("boss", "person"));
        fields
    }

    fn holds(text: &str, values: &[(&str, Value)]) -> bool {
        let scope = compile(text, &fields()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let value = |name: &String| values.iter().find(|(of, _)| of == name).map_or(&Value::Null, |(_, value)| value);
        let values: Vec<&Value> = scope.reads.iter().map(value).collect();
        scope.compile().decide(&values)
    }

    #[test]
    fn conditions_see_what_a_record_shows() {
        let country = |name: &str| ("country", Value::Text(name.into()));
        let cases = [
            ("country == \"DE\"", vec![country("DE")], true),
            ("country == \"DE\"", vec![country("FR")], false),
            ("country == \"DE\"", vec![], false),
            ("country != \"DE\"", vec![], true),
            ("country in [\"DE\", \"AT\"]", vec![country("AT")], true),
            ("stage == \"customer\" || vip", vec![("vip", Value::Bool(true))], true),
            ("amount > 1000", vec![("amount", Value::Decimal(1001.into()))], true),
            ("amount > 1000", vec![], false),
            ("amount == null || amount > 1000", vec![], true),
            ("size >= 3", vec![("size", Value::Int(3))], true),
            ("since >= \"2026-01-01\"", vec![("since", Value::Date(20_454))], true),
            ("\"vip\" in tags", vec![("tags", Value::set(["vip", "old"]))], true),
            ("tags.exists(t, t.startsWith(\"v\"))", vec![("tags", Value::set(["vip"]))], true),
            ("\"vip\" in tags", vec![], false),
            ("email.endsWith(\"@acme.example\")", vec![("email", Value::Text("a@acme.example".into()))], true),
        ];
        for (text, values, expected) in cases {
            assert_eq!(holds(text, &values), expected, "{text} of {values:?}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_a_mend() {
        let cases = [
            ("country ==", "no CEL expression", "write a condition such as"),
            ("countri == \"DE\"", "`countri`, which is no field", "did you mean `country`?"),
            ("country", "must give true or false", "`country` is a text; blank is null"),
            ("amount > \"much\"", "does not work", "`amount` is a number such as 3.0; blank is null"),
            ("lower(country) == \"de\"", "there is no function `lower`", "`country` is a text"),
            ("1 == 1", "names no field", "take `where` away"),
            ("boss == \"x\"", "refers to another record", "a value of its own"),
            ("tags.exists(t, tags.exists(u, u == t))", "lists within lists", "at most one"),
        ];
        for (text, message, mend) in cases {
            let (said, mends) = compile(text, &fields()).expect_err(text);
            assert!(said.contains(message), "{text}: {said}");
            assert!(mends.contains(mend), "{text}: {mends}");
        }
        let long = format!("country == \"{}\"", "x".repeat(TEXT_MAX));
        assert!(compile(&long, &fields()).expect_err("too long").0.contains("longer than"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "[a-z\"'=&|()\\[\\]{}.,?:!<> 0-9\\\\é-]{0,40}") {
            let _ = compile(&text, &fields());
        }
    }
}
