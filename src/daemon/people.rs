//! The tables of users: read from their systems, told to the rules.

use crate::connector::{Connector, ConnectorError};
use crate::model::{People, SystemId};
use crate::rules::Rules;
use std::sync::Arc;

/// Reads the users of every system in which an owner lives, and tells the rules.
///
/// # Errors
/// A system cannot be asked.
pub async fn read_people(
    rules: &mut Rules,
    connectors: &[(SystemId, Arc<dyn Connector>)],
) -> Result<(), (SystemId, ConnectorError)> {
    for (system, connector) in connectors {
        if rules.people(*system).is_none() {
            continue;
        }
        let users = connector.users().await.map_err(|error| (*system, error))?;
        rules.set_people(*system, &Arc::new(People::new(users.unwrap_or_default())));
    }
    Ok(())
}
