//! From a config to connectors that are ready to be asked.

use super::secrets::{self, SecretError};
use crate::connector::hubspot::{HubSpot, HubSpotConfig};
use crate::connector::salesforce::{Salesforce, SalesforceConfig};
use crate::connector::{Connector, ConnectorError, Overlap, ReadSpec};
use crate::model::{SystemId, is_ties};
use crate::rules::config::{Settings, SystemKind, SystemSettings};
use crate::rules::{Binding, Entity, Rules};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// Systems with their connectors.
pub type Connectors = Vec<(SystemId, Arc<dyn Connector>)>;

/// Why a system has no connector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Its secret is not to be had.
    #[error("{error}")]
    Secret {
        /// The system's name.
        system: String,
        /// Why.
        error: SecretError,
    },
    /// It cannot be addressed.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
}

/// Makes the connectors of a config's systems, and tells the rules what each system can do. Nothing is sent yet.
///
/// # Errors
/// A secret is not to be had, or an address cannot be used.
pub fn connect(settings: &Settings, rules: &mut Rules) -> Result<Connectors, ConnectError> {
    let mut connectors = Connectors::new();
    for system in &settings.systems {
        connectors.push((system.id, connect_system(system, rules)?));
    }
    Ok(connectors)
}

/// As [`connect`], for one system.
///
/// # Errors
/// Its secret is not to be had, or its address cannot be used.
pub fn connect_system(system: &SystemSettings, rules: &mut Rules) -> Result<Arc<dyn Connector>, ConnectError> {
    let secret =
        secrets::resolve(&system.token).map_err(|error| ConnectError::Secret { system: system.name.clone(), error })?;
    let connector = connector(system, rules, secret.expose().into())?;
    rules.set_ability(system.id, connector.ability().clone());
    Ok(connector)
}

fn connector(
    system: &SystemSettings,
    rules: &Rules,
    token: SecretString,
) -> Result<Arc<dyn Connector>, ConnectorError> {
    Ok(match system.kind {
        SystemKind::HubSpot => {
            let mut config = HubSpotConfig::new(&system.name, &system.url, token);
            config.version = system.version.clone().unwrap_or(config.version);
            config.app_id = system.app_id.clone();
            config.overlap = overlap(config.overlap, system.overlap);
            if let Some(every) = system.associations_every {
                config.associations_every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
            }
            for (entity, binding) in
                rules.entities.iter().flat_map(|entity| entity.bindings_in(system.id).map(move |at| (entity, at)))
            {
                let lists = entity.leaves_at(binding.home()).filter_map(|(_, at)| at.list());
                config.lists.extend(lists.map(|list| (binding.object.clone(), list.to_owned())));
                let sets = entity.properties_at(binding.home()).filter(|property| is_ties(property));
                config.sets.extend(sets.map(|property| (binding.object.clone(), property.clone())));
            }
            // Our external ids are unique properties, whatever the config calls them.
            for binding in rules.entities.iter().flat_map(|entity| entity.bindings_in(system.id)) {
                let Some(external) = &binding.external_id else { continue };
                let pair = (binding.object.clone(), external.clone());
                if !config.lookups.contains(&pair) {
                    config.lookups.push(pair);
                }
            }
            Arc::new(HubSpot::new(config)?)
        }
        SystemKind::Salesforce => {
            let mut config = SalesforceConfig::new(&system.name, &system.url, token);
            config.marks = true;
            if let Some(every) = system.associations_every {
                config.associations_every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
            }
            for (entity, binding) in
                rules.entities.iter().flat_map(|entity| entity.bindings_in(system.id).map(move |at| (entity, at)))
            {
                let ties = entity.properties_at(binding.home()).filter(|property| is_ties(property));
                config.junctions.extend(ties.map(|property| (binding.object.clone(), property.clone())));
            }
            config.version = system.version.clone().unwrap_or(config.version);
            config.overlap = overlap(config.overlap, system.overlap);
            Arc::new(Salesforce::new(config)?)
        }
    })
}

fn overlap(usual: Overlap, wanted: Option<Duration>) -> Overlap {
    let Some(wanted) = wanted else { return usual };
    let near_ms = i64::try_from(wanted.as_millis()).unwrap_or(i64::MAX);
    Overlap { near_ms, far_ms: usual.far_ms.max(near_ms), ..usual }
}

/// What is asked of one of an entity's objects.
pub fn read_spec(entity: &Entity, binding: &Binding) -> ReadSpec {
    ReadSpec {
        object: binding.object.clone(),
        properties: entity.properties_at(binding.home()).cloned().collect(),
        external_id: binding.external_id.clone(),
    }
}
