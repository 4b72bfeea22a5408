use super::*;
use crate::cli::Output;
use crate::connector::{BoxFuture, DeletedPage, Keys, ReadAnswer, ReadSpec, WriteAnswer, WriteItem};
use crate::model::{Ability, ClockOffset, ObjectSchema, PropertySchema, PropertyType, RawPage};
use crate::rules::config::{self, SystemKind};
use std::path::Path;

const CONFIG: &str = r#"
[systems.hubspot]
token = "env:SYNCLINE_TEST_NOT_SET"
[systems.salesforce]
url = "http://127.0.0.1:1"
token = "exec:echo t"
[entities.person]
match = ["email"]
at.hubspot = { object = "contacts" }
at.salesforce = { object = "Contact" }
[entities.person.fields]
email = { type = "email", hubspot = "email", salesforce = "Email" }
"#;

fn parsed() -> Config {
    config::parse(CONFIG, Path::new("s.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A remote that only tells its schema.
struct Remote {
    ability: Ability,
    properties: Result<Vec<&'static str>, ConnectorError>,
}

fn remote(properties: Result<Vec<&'static str>, ConnectorError>) -> Arc<dyn Connector> {
    Arc::new(Remote { ability: SystemKind::Salesforce.ability(), properties })
}

impl Connector for Remote {
    fn ability(&self) -> &Ability {
        &self.ability
    }

    fn offset(&self) -> ClockOffset {
        ClockOffset::default()
    }

    fn calls(&self) -> u64 {
        0
    }

    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>> {
        let property = |name: &&str| PropertySchema {
            name: (*name).to_owned(),
            label: String::new(),
            kind: PropertyType::Text,
            writable: true,
            required: false,
            unique: true,
            length: None,
            precision: None,
            scale: None,
            refers_to: Vec::new(),
            options: Vec::new(),
            choices: Vec::new(),
        };
        let schema = self
            .properties
            .clone()
            .map(|names| ObjectSchema { object: object.to_owned(), properties: names.iter().map(property).collect() });
        Box::pin(async move { schema })
    }

    fn scan<'a>(&'a self, _: &'a ReadSpec, _: Option<&'a [u8]>) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        unreachable!("check reads no records")
    }

    fn changes<'a>(&'a self, _: &'a ReadSpec, _: Option<&'a [u8]>) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        unreachable!("check reads no records")
    }

    fn deleted<'a>(
        &'a self,
        _: &'a ReadSpec,
        _: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>> {
        unreachable!("check reads no records")
    }

    fn read<'a>(&'a self, _: &'a ReadSpec, _: Keys<'a>, _: bool) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>> {
        unreachable!("check reads no records")
    }

    fn write<'a>(&'a self, _: &'a str, _: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer> {
        unreachable!("check writes nothing")
    }
}

fn check(hubspot: Arc<dyn Connector>, salesforce: Arc<dyn Connector>) -> Result<Exit, CliError> {
    let mut config = parsed();
    let connectors = [(SystemId::of("hubspot"), hubspot), (SystemId::of("salesforce"), salesforce)];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(check_remotes(&mut config, &connectors)).verdict(&config)
}

fn sound() -> Arc<dyn Connector> {
    remote(Ok(vec!["email", "Email", "syncline_id", "Syncline_Id__c"]))
}

#[test]
fn a_missing_secret_points_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let context = Context { config: file, profile: None, output: Output { json: true } };
    let args = |offline| CheckArgs { offline, create_properties: false };
    assert_eq!(run(&args(true), &context), Ok(Exit::Equal), "the config alone is sound");
    let error = run(&args(false), &context).unwrap_err();
    assert_eq!((error.code, error.blame), ("secret", Blame::Usage));
    let said = error.config.as_ref().map_or(0, |config| config.errors.len());
    assert_eq!(said, 2, "the other remote, which is not there, is told of as well: {error}");
    assert!(error.message.contains("s.toml:3:9") && error.message.contains("SYNCLINE_TEST_NOT_SET"), "{error}");
    assert!(error.mend.contains("export"), "{error}");
}

#[test]
fn the_schema_knows_this_config() {
    assert_eq!(config::schema_faults(CONFIG), [""; 0]);
}

#[test]
fn remotes_that_fit_are_fine() {
    assert_eq!(check(sound(), sound()), Ok(Exit::Equal));
}

#[test]
fn a_property_that_is_not_there_is_the_configs_fault() {
    let error = check(sound(), remote(Ok(vec!["EMail", "Syncline_Id__c"]))).unwrap_err();
    assert_eq!((error.code, error.blame), ("schema", Blame::Usage));
    assert!(error.message.contains("s.toml:12:") && error.message.contains("no property `Email`"), "{error}");
    assert!(error.mend.contains("did you mean `EMail`?"), "{error}");
}

#[test]
fn a_remote_that_fails_does_not_hide_what_the_other_says() {
    let unauthorized = ConnectorError::Unauthorized {
        system: "hubspot".into(),
        code: "INVALID_AUTHENTICATION".into(),
        message: "no".into(),
    };
    let error = check(remote(Err(unauthorized)), remote(Ok(vec!["Email"]))).unwrap_err();
    assert_eq!((error.code, error.blame), ("unauthorized", Blame::World));
    let config = error.config.unwrap();
    assert_eq!(config.errors.len(), 2, "{config}");
    assert_eq!(config.errors[0].place.as_ref().map(|place| place.line), Some(3));
}
