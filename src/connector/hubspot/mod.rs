//! HubSpot, by its CRM objects interface.
//!
//! What it promises: per-property history with millisecond times and the writer's app id; a search index that lags, over
//! which changes are read with an overlap; unique properties, on which a create is an upsert.

mod address;
mod associated;
mod cursor;
mod lists;
mod make;
mod read;
mod schema;
mod scopes;
mod sets;
mod ties;
mod users;
mod wire;
mod write;

pub use scopes::{ObjectScopes, object_scopes};

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

/// How to reach one HubSpot account.
#[derive(Debug, Clone)]
pub struct HubSpotConfig {
    /// The system's name in messages.
    pub name: String,
    /// `https://api.hubapi.com`; plain `http` for this machine only.
    pub url: String,
    /// How we are let in.
    pub credential: Credential,
    /// The interface's version in paths.
    pub version: String,
    /// Our app's id, by which the history's entries are told apart; without it none is marked.
    pub app_id: Option<String>,
    /// How far a pass over changes reaches back. The index was seen to lag by up to 30 s, rarely longer.
    pub overlap: Overlap,
    /// How often all records are listed whose associations are mapped, in milliseconds: a change of an association alone moves no
    /// modified time.
    pub associations_every_ms: i64,
    /// (object, number) of the lists of which members are wanted.
    pub lists: Vec<(String, String)>,
    /// (object, property) of the sets of associations that are mapped.
    pub sets: Vec<(String, String)>,
    /// Longest time that a request whose answer was lost may still land, in milliseconds.
    pub stray_ms: i64,
    /// Unique properties by which records are looked up freshly, as (object, property).
    pub lookups: Vec<(String, String)>,
    /// When to give up on an exchange.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub patience: Patience,
}

impl HubSpotConfig {
    /// With a private app's or service key's token, and defaults for the rest.
    pub fn new(name: impl Into<String>, url: impl Into<String>, token: SecretString) -> Self {
        let pair = |object: &str, property: &str| (object.to_owned(), property.to_owned());
        let mut lookups = vec![pair("contacts", "email")];
        lookups.extend(["contacts", "companies", "deals"].map(|object| pair(object, "syncline_id")));
        Self {
            name: name.into(),
            url: url.into(),
            credential: Credential::Static(token),
            version: "2026-03".to_owned(),
            app_id: None,
            overlap: Overlap { near_ms: 30_000, far_ms: 300_000, far_every_ms: 60_000 },
            associations_every_ms: 600_000,
            lists: Vec::new(),
            sets: Vec::new(),
            stray_ms: 600_000,
            lookups,
            timeouts: Timeouts::default(),
            patience: Patience::default(),
        }
    }
}

/// A HubSpot account.
pub struct HubSpot {
    client: Client,
    version: String,
    app_id: Option<String>,
    overlap: Overlap,
    associations_every_ms: i64,
    lists: Vec<(String, String)>,
    sets: Vec<(String, String)>,
    /// A token that is not renewed, to be asked about.
    token: Option<SecretString>,
    ability: Ability,
}

impl HubSpot {
    /// Over HTTP. Nothing is sent yet.
    #[cfg(feature = "hubspot")]
    pub fn new(config: HubSpotConfig) -> Result<Self, ConnectorError> {
        let http = super::http::Http::new(&config.name, &config.url, config.timeouts)?;
        let shown = http.base().to_owned();
        Self::with_transport(HubSpotConfig { url: shown, ..config }, Arc::new(http))
    }

    /// Over any transport; the config's address then serves messages only.
    pub fn with_transport(config: HubSpotConfig, transport: Arc<dyn Transport>) -> Result<Self, ConnectorError> {
        if !wire::is_name(&config.version) {
            return Err(ConnectorError::Address {
                system: config.name,
                url: config.url,
                cause: format!("`{}` is no version", config.version),
            });
        }
        let token = match &config.credential {
            Credential::Static(token) => Some(token.clone()),
            _ => None,
        };
        let token_path = format!("/oauth/{}/token", config.version);
        let client = Client::new(
            config.name,
            config.url,
            transport,
            config.credential,
            token_path,
            config.patience,
            wire::verdict,
        );
        let ability = Ability {
            source: SourceKind::History,
            resolution_ms: 1,
            stray_ms: config.stray_ms,
            lag_ms: config.overlap.lag_ms(),
            batch: BatchLimits { read: wire::BATCH, read_history: wire::BATCH_HISTORY, write: wire::BATCH },
            creates: Some(Creates::Upsert),
            lookups: Some(config.lookups),
            read_first: false,
        };
        Ok(Self {
            client,
            version: config.version,
            app_id: config.app_id,
            overlap: config.overlap,
            associations_every_ms: config.associations_every_ms,
            lists: config.lists,
            sets: config.sets,
            token,
            ability,
        })
    }
}

impl Connector for HubSpot {
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
            .filter_map(|(at, item)| Some((ties::without_ties(item)?, refused.get(at).copied().unwrap_or(false))))
            .unzip();
        super::batch::calls(&records, wire::BATCH, &bad, true)
            + ties::calls_to_tie(items, refused)
            + sets::calls_to_set(items, refused)
    }

    fn calls_to_read(&self, spec: &ReadSpec, keys: Keys<'_>, history: bool) -> u64 {
        self.read_calls(spec, keys, history)
    }

    fn schema<'a>(&'a self, object: &'a str) -> BoxFuture<'a, Result<ObjectSchema, ConnectorError>> {
        Box::pin(self.describe(object))
    }

    fn granted(&self) -> BoxFuture<'_, Option<Vec<String>>> {
        Box::pin(self.granted_scopes())
    }

    fn record_urls<'a>(&'a self, objects: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<String>>, ConnectorError>> {
        Box::pin(self.addresses(objects))
    }

    fn users(&self) -> BoxFuture<'_, Result<Option<Vec<User>>, ConnectorError>> {
        Box::pin(async { self.all_users().await.map(Some) })
    }

    fn make_id_property<'a>(
        &'a self,
        object: &'a str,
        property: &'a str,
    ) -> BoxFuture<'a, Result<IdProperty, ConnectorError>> {
        Box::pin(self.make(object, property))
    }

    fn scan<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(HubSpot::scan(self, spec, cursor))
    }

    fn changes<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<RawPage, ConnectorError>> {
        Box::pin(HubSpot::changes(self, spec, cursor))
    }

    fn deleted<'a>(
        &'a self,
        spec: &'a ReadSpec,
        cursor: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<DeletedPage, ConnectorError>> {
        Box::pin(HubSpot::deleted(self, spec, cursor))
    }

    fn read<'a>(
        &'a self,
        spec: &'a ReadSpec,
        keys: Keys<'a>,
        history: bool,
    ) -> BoxFuture<'a, Result<ReadAnswer, ConnectorError>> {
        let by_value = matches!(keys, Keys::Values { .. });
        Box::pin(async move {
            let answer = HubSpot::read(self, spec, keys, history).await;
            answer.map_err(|error| if by_value { error.without_words() } else { error })
        })
    }

    fn write<'a>(&'a self, object: &'a str, items: &'a [WriteItem]) -> BoxFuture<'a, WriteAnswer> {
        Box::pin(HubSpot::write(self, object, items))
    }

    fn delete<'a>(&'a self, object: &'a str, ids: &'a [crate::model::RemoteId]) -> BoxFuture<'a, WriteAnswer> {
        Box::pin(HubSpot::delete(self, object, ids))
    }
}

impl fmt::Debug for HubSpot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubSpot({})", self.client.url)
    }
}

#[cfg(test)]
mod tests;
