//! The scopes that a token needs, by object; and those that it has, as far as HubSpot says so.

use super::super::encode::json_text;
use super::super::transport::{Method, Request};
use super::HubSpot;
use secrecy::ExposeSecret;
use serde_json::Value;

/// What a token needs to do with the records of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectScopes {
    /// To read them, and the definitions of their properties.
    pub read: String,
    /// To write them.
    pub write: String,
    /// To make a property.
    pub define: Option<String>,
}

/// The scopes of an object. What is no standard object is a custom one; activities go by the scopes of contacts.
pub fn object_scopes(object: &str) -> ObjectScopes {
    let lower = object.to_ascii_lowercase();
    let (name, defines) = match lower.as_str() {
        "contacts" | "contact" | "0-1" => ("contacts", true),
        "companies" | "company" | "0-2" => ("companies", true),
        "deals" | "deal" | "0-3" => ("deals", true),
        "tasks" | "notes" | "calls" | "meetings" | "emails" => ("contacts", false),
        _ => ("custom", true),
    };
    ObjectScopes {
        read: format!("crm.objects.{name}.read"),
        write: format!("crm.objects.{name}.write"),
        define: defines.then(|| format!("crm.schemas.{name}.write")),
    }
}

impl HubSpot {
    /// The scopes of a private app's token. What this call answers is not written down for certain, so whatever is not as expected
    /// means that nothing is known.
    pub(super) async fn granted_scopes(&self) -> Option<Vec<String>> {
        let token = self.token.as_ref()?;
        let body = format!(r#"{{"tokenKey":{}}}"#, json_text(token.expose_secret()));
        let request = Request::json(Method::Post, "/oauth/v2/private-apps/get/access-token-info".to_owned(), body);
        let reply = self.client.read(request).await.ok()?;
        (reply.answer.status == 200).then(|| scopes_in(&reply.answer.body)).flatten()
    }
}

fn scopes_in(body: &[u8]) -> Option<Vec<String>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let scopes = value.get("scopes")?.as_array()?.iter().map(|scope| scope.as_str().map(str::to_owned));
    scopes.collect::<Option<Vec<_>>>().filter(|scopes| !scopes.is_empty())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_not_as_expected_says_nothing() {
        let of = |body: &str| super::scopes_in(body.as_bytes());
        assert_eq!(of(r#"{"hubId":1,"scopes":["a","b"]}"#), Some(vec!["a".to_owned(), "b".to_owned()]));
        for other in ["", "[]", r#"{"scopes":[]}"#, r#"{"scopes":"a b"}"#, r#"{"scopes":[1]}"#] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    use super::*;

    #[test]
    fn objects_have_scopes_by_any_of_their_names() {
        for (object, read) in [
            ("contacts", "crm.objects.contacts.read"),
            ("0-2", "crm.objects.companies.read"),
            ("Deals", "crm.objects.deals.read"),
            ("notes", "crm.objects.contacts.read"),
            ("p_project", "crm.objects.custom.read"),
            ("2-7001", "crm.objects.custom.read"),
        ] {
            assert_eq!(object_scopes(object).read, read, "{object}");
        }
        assert_eq!(object_scopes("p_project").define.as_deref(), Some("crm.schemas.custom.write"));
        assert_eq!(object_scopes("notes").define, None);
    }
}
