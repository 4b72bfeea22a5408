//! The org's users, to whom records belong.

use super::super::{ConnectorError, ReadSpec};
use super::Salesforce;
use crate::model::{PageEnd, Raw, User};

impl Salesforce {
    /// All users, listed like any other object. Queues own records, too, but are no users and have no address of a person.
    pub(super) async fn all_users(&self) -> Result<Vec<User>, ConnectorError> {
        let spec = ReadSpec {
            object: "User".to_owned(),
            properties: ["Email", "IsActive"].map(str::to_owned).into(),
            external_id: None,
        };
        let (mut users, mut cursor) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let page = self.scan(&spec, cursor.as_deref()).await?;
            for (at, row) in page.rows.iter().enumerate() {
                let values = page.decoder.decode(at).map_err(|cause| self.client.protocol("listing User", cause))?;
                if let [Raw::Text(email), active, ..] = &*values {
                    let (id, active) = (row.remote.as_str().to_owned(), *active == Raw::Bool(true));
                    users.push(User { id, email: email.as_str().to_owned(), active });
                }
            }
            match page.end {
                PageEnd::More(next) => cursor = Some(next),
                PageEnd::Done(_) => return Ok(users),
            }
        }
    }
}
