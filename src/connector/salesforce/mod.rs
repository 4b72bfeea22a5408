//! Salesforce, by its REST interface.
//!
//! What it promises without change events: snapshots whose times have whole seconds; rows that become visible up to ten
//! minutes after their time, because a transaction takes its time before it commits; look-ups by any field, read freshly.

mod delete;
mod junctions;
mod missing;
mod read;
mod schema;
mod user;
mod users;
mod wire;
mod write;

use super::auth::Credential;
use super::client::Client;
use super::overlap::Overlap;
use super::retry::Patience;
use super::transport::{Timeouts, Transport};
use super::{
    BoxFuture, Connector, ConnectorError, DeletedPage, IdProperty, Keys, ReadAnswer, ReadSpec, WriteAnswer, WriteItem,
};
use crate::model::{Ability, BatchLimits, ClockOffset, Creates, ObjectSchema, RawPage, SourceKind, User};
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;

/// How to reach one Salesforce org.
#[derive(Debug, Clone)]
pub struct SalesforceConfig {
    /// The system's name in messages.
    pub name: String,
    /// The instance's address, `https://MyDomain.my.salesforce.com`; plain `http` for this machine only.
    pub url: String,
    /// How we are let in.
    pub credential: Credential,
    /// The interface's version in paths; v60.0 and later have all that is used.
    pub version: String,
    /// How far a pass over changes reaches back. A transaction may take ten minutes, and its rows carry its own time.
    pub overlap: Overlap,
    /// How often all records are listed whose ties to others are mapped, in milliseconds: nothing says that a change of them moves a
    /// modified time.
    pub associations_every_ms: i64,
    /// (object, property) of the ties that are mapped.
    pub junctions: Vec<(String, String)>,
    /// Longest time that a request whose answer was lost may still land, in milliseconds: requests end after ten minutes.
    pub stray_ms: i64,
    /// Ask once whose token it is, and with each row who changed it last: so a write of ours that lands late is told from a
    /// person who restores the same value.
    pub marks: bool,
    /// When to give up on an exchange.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub patience: Patience,
}

impl SalesforceConfig {
    /// With a bearer token, and defaults for the rest.
    pub fn new(name: impl Into<String>, url: impl Into<String>, token: SecretString) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            credential: Credential::Static(token),
            version: "v61.0".to_owned(),
            overlap: Overlap { near_ms: 10_000, far_ms: 600_000, far_every_ms: 60_000 },
            associations_every_ms: 600_000,
            junctions: Vec::new(),
            stray_ms: 600_000,
            marks: false,
            timeouts: Timeouts::default(),
            patience: Patience::default(),
        }
    }
}

/// A Salesforce org.
pub struct Salesforce {
    client: Client,
    version: String,
    overlap: Overlap,
    ability: Ability,
    /// Do we ask who changed a row last, and if so, who we are once that is known.
    marks: bool,
    user: user::User,
    missing: missing::Missing,
    associations_every_ms: i64,
    junctions: Vec<(String, String)>,
}

impl Salesforce {
    /// Over HTTP. Nothing is sent yet.
    #[cfg(feature = "salesforce")]
    pub fn new(config: SalesforceConfig) -> Result<Self, ConnectorError> {
        let http = super::http::Http::new(&config.name, &config.url, config.timeouts)?;
        let shown = http.base().to_owned();
        Self::with_transport(SalesforceConfig { url: shown, ..config }, Arc::new(http))
    }

    /// Over any transport; the config's address then serves messages only.
    pub fn with_transport(config: SalesforceConfig, transport: Arc<dyn Transport>) -> Result<Self, ConnectorError> {
        let number = config.version.strip_prefix('v').unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(ConnectorError::Address {
                system: config.name,
                url: config.url,
                cause: format!("`{}` is no version; write one like v61.0", config.version),
            });
        }
        let client = Client::new(
            config.name,
            config.url,
            transport,
            config.credential,
            "/services/oauth2/token".to_owned(),
            config.patience,
            wire::verdict,
        );
        let ability = Ability {
            source: SourceKind::Polled,
            resolution_ms: 1_000,
            stray_ms: config.stray_ms,
            lag_ms: config.overlap.lag_ms(),
            batch: BatchLimits { read: wire::BATCH, read_history: wire::BATCH, write: wire::BATCH },
            creates: Some(Creates::Insert),
            lookups: None,
            read_first: true,
        };
        let (marks, user) = (config.marks, user::User::default());
        let missing = missing::Missing::default();
        let (version, overlap, junctions) = (config.version, config.overlap, config.junctions);
        let associations_every_ms = config.associations_every_ms;
        Ok(Self { client, version, overlap, ability, marks, user, missing, associations_every_ms, junctions })
    }
}

impl Connector for Salesforce {
    fn ability(&self) -> &Ability {
        &self.ability
    }

    fn offset(&self) -> ClockOffset {
        self.client.known_offset().unwrap_or_default()
    }

    fn calls(&self) -> u64 {
        self.client.calls()
    }

    fn daily_limit(&self) -> Option<u64> {
        self.client.daily_limit()
    }

    fn rate(&self) -> Option<super::Rate> {
        self.client.rate()
    }

    fn calls_to_write(&self, items: &[WriteItem], refused: &[bool]) -> u64 {
        let (records, bad): (Vec<WriteItem>, Vec<bool>) = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| Some((junctions::without_ties(item)?, refused.get(at).copied().unwrap_or(false))))
            .unzip();
        super::batch::calls(&records, wire::BATCH, &bad, false) + junctions::calls_to_tie(items)
    }

    fn calls_to_read(&self, spec: &ReadSpec, keys: Keys<'_>, _history: bool) -> u64 {
        self.read_calls(spec, keys)
    }

    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>> {
        Box::pin(self.describe(object))
    }

    /// The instance's own address leads to Lightning, whatever the domain is there.
    fn record_urls<'a>(&'a self, objects: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectorError>> {
        let base = self.client.url.trim_end_matches('/');
        let each = |object: &String| Some(format!("{base}/lightning/r/{object}/{{id}}/view"));
        Box::pin(std::future::ready(Ok(objects.iter().map(each).collect())))
    }

    fn users(&self) -> BoxFuture<'_, Result<Option<Vec<User>>, ConnectorError>> {
        Box::pin(async { self.all_users().await.map(Some) })
    }

    fn make_id_property<'a>(
        &'a self,
        object: &'a str,
        property: &'a str,
    ) -> BoxFuture<'a, Result<IdProperty, ConnectorError>> {
        Box::pin(std::future::ready(Ok(IdProperty::ByHand(schema::id_field_steps(object, property)))))
    }

    fn scan<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(Salesforce::scan(self, spec, cursor))
    }

    fn changes<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(Salesforce::changes(self, spec, cursor))
    }

    fn deleted<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>> {
        Box::pin(Salesforce::deleted(self, spec, cursor))
    }

    fn read<'a>(
        &'a self,
        spec: &'a ReadSpec,
        keys: Keys<'a>,
        _history: bool,
    ) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>> {
        let by_value = matches!(keys, Keys::Values { .. });
        Box::pin(async move {
            let answer = Salesforce::read(self, spec, keys).await;
            answer.map_err(|error| if by_value { error.without_words() } else { error })
        })
    }

    fn write<'a>(&'a self, object: &'a str, items: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer> {
        Box::pin(Salesforce::write(self, object, items))
    }

    fn delete<'a>(&'a self, object: &'a str, ids: &'a [crate::model::RemoteId]) -> BoxFuture<'a, WriteAnswer> {
        Box::pin(Salesforce::delete(self, object, ids))
    }

    fn calls_to_delete(&self, object: &str, records: usize) -> u64 {
        self.delete_calls(object, records)
    }
}

impl fmt::Debug for Salesforce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Salesforce({})", self.client.url)
    }
}

#[cfg(test)]
mod tests;
