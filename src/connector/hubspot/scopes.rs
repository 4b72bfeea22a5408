//! The scopes that a token needs, by object.

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

#[cfg(test)]
mod tests {
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
