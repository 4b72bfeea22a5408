//! The JSON schema of `syncline.toml`, for editors; tests keep it true to the parser.

/// The schema, as JSON text.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(all(test, feature = "wire"))]
pub(crate) mod tests {
    use super::super::entities::{OPTIONS, TYPES};
    use super::super::settings::SecretRef;
    use super::super::{parse, parse_duration};
    use super::SCHEMA;
    use crate::rules::{ConflictSpec, LinkSpec};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use std::path::Path;

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).unwrap()
    }

    /// A part of the schema, with its reference followed.
    fn part<'a>(all: &'a Value, part: &'a Value) -> &'a Value {
        let Some(reference) = part["$ref"].as_str() else { return part };
        all.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference}"))
    }

    fn from_toml(value: &toml::Value) -> Value {
        match value {
            toml::Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), from_toml(value))).collect(),
            toml::Value::Array(list) => list.iter().map(from_toml).collect(),
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(value) => json!(value),
            toml::Value::Datetime(moment) => json!(moment.to_string()),
        }
    }

    /// What the schema has against a config: the words of the schema that this file uses, and no others.
    pub(crate) fn faults(config: &str) -> Vec<String> {
        let (all, mut out) = (schema(), Vec::new());
        let config: toml::Table = config.parse().unwrap();
        validate(&all, &all, &from_toml(&toml::Value::Table(config)), "", &mut out);
        out
    }

    fn is(value: &Value, kind: &str) -> bool {
        match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            other => panic!("type {other}"),
        }
    }

    fn validate(all: &Value, rule: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
        let rule = part(all, rule);
        let texts = |key: &str| -> Vec<String> {
            let one = |value: &Value| value.as_str().unwrap().to_owned();
            match &rule[key] {
                Value::Null => Vec::new(),
                Value::Array(list) => list.iter().map(one).collect(),
                single => vec![one(single)],
            }
        };
        let kinds = texts("type");
        if !kinds.is_empty() && !kinds.iter().any(|kind| is(value, kind)) {
            out.push(format!("{at} is no {}", kinds.join(" or ")));
        }
        if let Some(allowed) = rule["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
            out.push(format!("{at} is none of {allowed:?}"));
        }
        if let Some(either) = rule["anyOf"].as_array() {
            let fits = |rule: &Value| {
                let mut faults = Vec::new();
                validate(all, rule, value, at, &mut faults);
                faults.is_empty()
            };
            if !either.iter().any(fits) {
                out.push(format!("{at} fits nothing"));
            }
        }
        for (at_value, items) in value.as_array().into_iter().flatten().zip(std::iter::repeat(&rule["items"])) {
            validate(all, items, at_value, &format!("{at}[]"), out);
        }
        let Some(table) = value.as_object().filter(|_| rule["type"] == "object") else { return };
        out.extend(
            texts("required").iter().filter(|key| !table.contains_key(*key)).map(|key| format!("{at} lacks {key}")),
        );
        for (key, value) in table {
            let at = format!("{at}.{key}");
            match (rule["properties"].get(key), &rule["additionalProperties"]) {
                (Some(rule), _) => validate(all, rule, value, &at, out),
                (None, Value::Bool(false)) => out.push(format!("{at} is unknown")),
                (None, rule) => validate(all, rule, value, &at, out),
            }
        }
    }

    /// The keys that the parser knows in a table, by asking for one that nobody knows.
    fn known(config: &str) -> BTreeSet<String> {
        let errors = parse(config, Path::new("s.toml")).unwrap_err().errors;
        let list = errors.iter().find_map(|error| error.mend.strip_prefix("take it away; known here: "));
        list.unwrap_or_else(|| panic!("{config}: {errors:?}")).split(", ").map(str::to_owned).collect()
    }

    fn keys(rule: &Value) -> BTreeSet<String> {
        rule["properties"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn schema_and_parser_know_the_same_keys() {
        let all = schema();
        let of = |name: &str| keys(&all["$defs"][name]);
        let (q, systems) = ("qqqqqqqqqqqqqqqqqqqqqq = 1", "[systems.hubspot]\ntoken = \"env:A\"\n");
        assert_eq!(known(q), keys(&all));
        assert_eq!(known(&format!("[store]\n{q}")), of("store"));
        assert_eq!(known(&format!("[run]\n{q}")), keys(&all["properties"]["run"]));
        assert_eq!(known(&format!("[systems.hubspot]\n{q}")), of("system"));
        assert_eq!(known(&format!("[entities.a]\n{q}")), of("entity"));
        assert_eq!(known(&format!("[entities.a.at.b]\n{q}")), of("object"));
        assert_eq!(known(&format!("[entities.a.groups.b]\n{q}")), of("group"));
        assert_eq!(known(&format!("[profile.a]\n{q}")), of("profile"));
        assert_eq!(known(&format!("{systems}[profile.a.systems.hubspot]\n{q}")), of("profile_system"));
        // Beside these stand system names.
        assert_eq!(OPTIONS.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), of("field"));
        assert_eq!(of("value_row"), BTreeSet::from(["is".to_owned()]));
        let types: Value = TYPES.split(", ").collect();
        assert_eq!(all["$defs"]["field"]["properties"]["type"]["enum"], types);
    }

    #[test]
    fn the_examples_are_what_they_illustrate() {
        let all = schema();
        let examples = |name: &str| -> Vec<String> {
            let list = all["$defs"][name]["examples"].as_array().unwrap();
            list.iter().map(|example| example.as_str().unwrap().to_owned()).collect()
        };
        assert!(examples("conflict").iter().all(|text| text.parse::<ConflictSpec>().is_ok()));
        assert!(examples("on_link").iter().all(|text| text.parse::<LinkSpec>().is_ok()));
        assert!(examples("duration").iter().all(|text| parse_duration(text).is_ok()));
        assert!(examples("secret").iter().all(|text| SecretRef::parse(text, Path::new("")).is_ok()));
    }

    #[test]
    fn the_schema_refuses_what_it_should() {
        let sound =
            "[systems.hubspot]\ntoken = \"env:A\"\n[entities.a.fields]\nx = { type = \"text\", hubspot = \"x\" }\n";
        assert_eq!(faults(sound), [""; 0]);
        for (old, new, fault) in [
            ("token", "tokn", ".systems.hubspot lacks token"),
            ("\"text\"", "\"txt\"", ".entities.a.fields.x.type is none of"),
            ("hubspot = \"x\"", "hubspot = 1", ".entities.a.fields.x.hubspot fits nothing"),
            ("hubspot = \"x\"", "default = [1]", ".entities.a.fields.x.default fits nothing"),
            ("hubspot = \"x\"", "values = [{ is = 1 }]", ".entities.a.fields.x.values[].is is no string"),
            ("[entities.a.fields]", "[entity.a.fields]", ".entity is unknown"),
        ] {
            let faults = faults(&sound.replace(old, new));
            assert!(faults.iter().any(|found| found.starts_with(fault) || found == fault), "{new}: {faults:?}");
        }
    }
}
