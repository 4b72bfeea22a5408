use super::*;
use crate::cli::Output;
use crate::model::Raw;
use crate::rules::config::SecretRef;
use crate::rules::{ConflictPolicy, LinkPolicy};

const READY: &str = r#"{"hubspot":{"url":"http://127.0.0.1:4010","token":"hs-1","user_token":"hu","client_id":"c","client_secret":"s","refresh_token":"r","app_id":77,"developer_key":"d"},"salesforce":{"url":"http://127.0.0.1:4011","token":"sf-1","user_token":"su","client_id":"c","client_secret":"s","username":"u","password":"p","refresh_token":"r","jwt_key_file":"k","pubsub":null}}
"#;

fn context(folder: &Path) -> Context {
    Context { config: folder.join("syncline.toml"), profile: None, output: Output { json: true } }
}

fn args(sandbox: Option<PathBuf>, out: Option<PathBuf>) -> InitArgs {
    InitArgs { sandbox, from: None, out, schema: false, salesforce_metadata: None, force: false }
}

#[test]
fn the_template_is_a_sound_config_with_safe_defaults() {
    let config = config::parse(TEMPLATE, Path::new("syncline.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    let fields = || config.rules.entities.iter().flat_map(|entity| &entity.fields);
    assert!(fields().all(|field| field.on_link == LinkPolicy::FillBlanks && field.conflict == ConflictPolicy::Latest));
    let tokens: Vec<String> = config.settings.systems.iter().map(|system| system.token.to_string()).collect();
    assert_eq!(tokens, ["env:HUBSPOT_TOKEN", "env:SALESFORCE_TOKEN"]);
    // What is commented out is sound, too: single options, and the deals at the end.
    let (head, deals) = TEMPLATE.split_at(TEMPLATE.find("# [entities.deal]").unwrap());
    let mut all = head.to_owned();
    for option in [
        "rank =",
        "app_id =",
        "mode =",
        "version =",
        "[profile.staging]",
        "store = {",
        "systems.hubspot =",
        "systems.salesforce =",
    ] {
        assert_eq!(all.matches(&format!("# {option}")).count(), 1, "{option}");
        all = all.replace(&format!("# {option}"), option);
    }
    for line in deals.lines() {
        all.push_str(line.strip_prefix("# ").unwrap_or_default());
        all.push('\n');
    }
    let config = config::parse(&all, Path::new("syncline.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.rules.entities.len(), 3, "{all}");
    assert_eq!(config::schema_faults(&all), [""; 0]);
}

#[test]
fn nothing_is_overwritten_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    assert_eq!(run(&args(None, None), &context), Ok(Exit::Equal));
    std::fs::write(&context.config, "mine").unwrap();
    let error = run(&args(None, None), &context).unwrap_err();
    assert!(error.code == "exists" && error.mend.contains("--force"), "{error}");
    assert_eq!(std::fs::read_to_string(&context.config).unwrap(), "mine");
    assert_eq!(run(&InitArgs { force: true, ..args(None, None) }, &context), Ok(Exit::Equal));
    assert_eq!(std::fs::read_to_string(&context.config).unwrap(), TEMPLATE);
}

#[test]
fn a_ready_line_becomes_a_config_and_closed_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("READY.json");
    std::fs::write(&ready, READY).unwrap();
    let out = folder.path().join("s.toml");
    assert_eq!(run(&args(Some(ready), Some(out.clone())), &context(folder.path())), Ok(Exit::Equal));
    let config = config::load(&out).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!config.source.text.contains("hs-1"), "the secret is not in the config");
    assert_eq!(config::schema_faults(&config.source.text), [""; 0]);
    let names: Vec<&str> = config.rules.systems.iter().map(|system| &*system.name).collect();
    assert_eq!(names, ["salesforce", "hubspot"]);
    let [hubspot, salesforce] = &config.settings.systems[..] else { panic!("two systems") };
    assert_eq!((&*hubspot.url, hubspot.app_id.as_deref()), ("http://127.0.0.1:4010", Some("77")));
    for (system, secret) in [(hubspot, "hs-1"), (salesforce, "sf-1")] {
        assert!(matches!(&system.token, SecretRef::File(path) if path.starts_with(folder.path().join("secrets"))));
        // Resolving refuses files that others can read.
        assert_eq!(crate::daemon::secrets::resolve(&system.token).unwrap().expose(), secret);
    }
    let deal = config.rules.entities.iter().find(|entity| entity.name == "deal").unwrap();
    assert!(deal.bindings.iter().all(|binding| binding.create));
    let stage = deal.fields.iter().find(|field| field.name == "stage").unwrap();
    assert_eq!(stage.on_link, LinkPolicy::Prefer(salesforce.id));
    let (sf, hs) = (stage.first_in(salesforce.id).unwrap(), stage.first_in(hubspot.id).unwrap());
    for (theirs, ours) in [("Value Proposition", "presentationscheduled"), ("Proposal/Price Quote", "contractsent")] {
        let value = stage.read(sf, &[Raw::Text(theirs.into())]).unwrap();
        assert_eq!(stage.write(hs, &value), Ok(vec![Raw::Text(ours.into())]));
    }
    assert_eq!(stage.write(sf, &crate::model::Value::Null), Ok(vec![Raw::Text("Prospecting".into())]));
}

#[test]
fn a_line_that_is_not_ready_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let context = context(folder.path());
    let ready = folder.path().join("READY.json");
    for text in ["", "{}", "not json", &READY.replace("http://127.0.0.1:4010", "http://a.example")] {
        std::fs::write(&ready, text).unwrap();
        let error = run(&args(Some(ready.clone()), None), &context).unwrap_err();
        assert!(error.code == "ready" && !context.config.exists(), "{text}: {error}");
    }
    let error = run(&args(Some(folder.path().join("none")), None), &context).unwrap_err();
    assert!(error.message.contains("cannot be read"), "{error}");
}

#[test]
fn the_schema_knows_the_realistic_example() {
    assert_eq!(config::schema_faults(include_str!("../../../examples/realistic/syncline.toml")), [""; 0]);
}
