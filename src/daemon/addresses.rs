//! Where people find records: asked of the systems, told to the rules.

use crate::connector::{Connector, ConnectorError};
use crate::model::SystemId;
use crate::rules::Rules;
use std::sync::Arc;

/// Asks every system of whose records an address is wanted that the config does not state, and tells the rules.
///
/// # Errors
/// A system cannot be asked, or cannot say.
pub async fn read_record_urls(
    rules: &mut Rules,
    connectors: &[(SystemId, Arc<dyn Connector>)],
) -> Result<(), (SystemId, ConnectorError)> {
    for (system, connector) in connectors {
        let wanted = rules.record_urls_wanted(*system);
        if wanted.is_empty() {
            continue;
        }
        let objects: Vec<String> = wanted.iter().map(|(_, object)| object.clone()).collect();
        let told = connector.record_urls(&objects).await.map_err(|error| (*system, error))?;
        for ((home, object), template) in wanted.into_iter().zip(told) {
            let Some(template) = template else {
                let name = rules.system(*system).map(|system| system.name.clone()).unwrap_or_default();
                let message = "state record_url in the config".to_owned();
                let (what, code) =
                    (format!("to say where people find records of {object}"), "NO_RECORD_URL".to_owned());
                return Err((*system, ConnectorError::Refused { system: name, what, status: 0, code, message }));
            };
            rules.set_record_url(home, &template);
        }
    }
    Ok(())
}
