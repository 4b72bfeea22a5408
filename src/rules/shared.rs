//! Domains that belong to no company: who shares one is not the same.

use super::builder::Checks;
use super::{Fault, Field, FieldSpec};
use crate::model::{FieldKind, Raw, Value};

/// Those of mail providers, unless the field has a list of its own.
pub const SHARED_DOMAINS: [&str; 24] = [
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "web.de",
    "yahoo.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

impl Field {
    /// Does a domain belong to nobody in particular, so that it matches nothing?
    pub fn is_shared_domain(&self, domain: &str) -> bool {
        match &self.shared_domains {
            Some(own) => own.iter().any(|shared| shared == domain),
            None => SHARED_DOMAINS.contains(&domain),
        }
    }
}

/// The field's own list, in canonical form, ascending.
pub(super) fn compile(spec: &FieldSpec, kind: &FieldKind, at: &str, checks: &mut Checks) -> Option<Vec<String>> {
    let own = spec.shared_domains.as_ref()?;
    let at = format!("{at}.shared_domains");
    if *kind != FieldKind::Domain {
        checks.fault(at, Fault::SharedOfOtherKind { kind: kind.name() });
        return None;
    }
    let mut domains = Vec::with_capacity(own.len());
    for text in own {
        match kind.read(&Raw::Text(text.as_str().into())) {
            Ok(Value::Text(domain)) if domain.contains('.') => domains.push(domain.into()),
            _ => checks.fault(at.clone(), Fault::NoDomain { text: text.clone() }),
        }
    }
    domains.sort();
    domains.dedup();
    Some(domains)
}
