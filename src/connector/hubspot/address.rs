//! Where people find a record: an address with the account's number and that of the object's type.

use super::super::ConnectorError;
use super::super::transport::Request;
use super::HubSpot;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    portal_id: u64,
    /// Accounts of other regions have another one.
    ui_domain: Option<String>,
}

impl HubSpot {
    /// By one call for all of them.
    pub(super) async fn addresses(&self, objects: &[String]) -> Result<Vec<Option<String>>, ConnectorError> {
        const WHAT: &str = "asking for the account's number";
        let path = format!("/account-info/{}/details", self.version);
        let body = self.expect(WHAT, self.client.read(Request::get(path)).await?)?;
        let details = serde_json::from_str::<Details>(&body).map_err(|error| error.to_string());
        let Details { portal_id, ui_domain } = self.parsed(WHAT, details)?;
        let domain = ui_domain.filter(|domain| !domain.is_empty()).unwrap_or_else(|| "app.hubspot.com".to_owned());
        let each =
            |object: &String| Some(format!("https://{domain}/contacts/{portal_id}/record/{}/{{id}}", type_id(object)?));
        Ok(objects.iter().map(each).collect())
    }
}

/// The number of an object's type; of a custom object only where it is called by that.
pub(super) fn type_id(object: &str) -> Option<&str> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match &*object.to_ascii_lowercase() {
        "contacts" | "contact" => Some("0-1"),
        "companies" | "company" => Some("0-2"),
        "deals" | "deal" => Some("0-3"),
        "tickets" | "ticket" => Some("0-5"),
        _ => object.split_once('-').is_some_and(|(kind, id)| number(kind) && number(id)).then_some(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_their_numbers() {
        assert_eq!([type_id("contacts"), type_id("DEAL"), type_id("0-2")], [Some("0-1"), Some("0-3"), Some("0-2")]);
        assert_eq!([type_id("2-7001"), type_id("p_project"), type_id("2-")], [Some("2-7001"), None, None]);
    }
}
