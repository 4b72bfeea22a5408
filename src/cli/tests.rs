use super::*;
use crate::rules::config;
use clap::CommandFactory;
use std::path::Path;

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_anywhere() {
    for args in [["--config", "x", "--json", "check"], ["check", "--json", "--config", "x"]] {
        let cli = Cli::try_parse_from(["syncline"].into_iter().chain(args)).unwrap();
        assert!(cli.global.json && cli.global.config == Path::new("x"));
    }
}

#[test]
fn a_call_that_is_not_understood_is_told_why() {
    for (args, message, mend) in [
        (&["chek"][..], "unrecognized subcommand 'chek'", "check"),
        (&["run", "--interval", "5"], "invalid value '5'", "--help"),
        (&["run", "--interval", "1ms"], "100ms", "--help"),
        (&["sandbox", "--faults", "[]"], "JSON object", "--help"),
        (&["sandbox", "--overlap", "2"], "0 to 1", "--help"),
        (&[], "no command", "--help"),
    ] {
        let error = Cli::try_parse_from(["syncline"].iter().chain(args)).unwrap_err();
        let error = usage_error(&error);
        assert!(error.message.contains(message) && error.mend.contains(mend), "{error:?}");
        let json = error.to_json();
        assert_eq!(json["error"]["code"], "usage");
    }
}

#[test]
fn the_sandbox_takes_what_the_contract_says() {
    let spec = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(spec.path(), r#"{"latency_ms":50}"#).unwrap();
    let faults = format!("@{}", spec.path().display());
    let line = "syncline sandbox --hubspot 127.0.0.1:0 --salesforce 127.0.0.1:1 --seed 7 --records 10 --overlap 0.5 \
                --no-external-id --ambiguous 3 --hubspot-csv a --salesforce-csv b --limits {}";
    let cli = Cli::try_parse_from(line.split_whitespace().chain(["--faults", &faults])).unwrap();
    let Command::Sandbox(args) = cli.command else { panic!("{:?}", cli.command) };
    assert_eq!((args.seed, args.records, args.ambiguous, args.no_external_id), (7, 10, 3, true));
    assert_eq!(args.faults.map(|faults| faults["latency_ms"].clone()), Some(50.into()));
    assert_eq!(args.limits.map(|limits| limits.len()), Some(0));
}

#[test]
fn a_config_error_shows_its_line_with_a_caret_and_the_mend() {
    let errors = config::parse("rank = [\n  \"sap\",\n]\n", Path::new("s.toml")).unwrap_err();
    let error = CliError::from(errors);
    let report = error.to_report(false);
    for part in ["no system is named `sap`", "s.toml:2:3", "2 │   \"sap\",", "here", "help: ", "there is no entity"] {
        assert!(report.contains(part), "{part:?} in\n{report}");
    }
    let json = error.to_json();
    assert_eq!(json["error"]["code"], "config");
    let details = json["error"]["details"].as_array().unwrap();
    assert!(details.iter().any(|detail| detail["line"] == 2 && detail["column"] == 3), "{json}");
    assert!(!json.to_string().contains('\n'));
}
