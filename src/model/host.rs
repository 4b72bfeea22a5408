//! Hosts of addresses: `münchen.example` and `xn--mnchen-3ya.example` are one.

use std::borrow::Cow;

/// A host in the form that the net knows it by (IDNA as of UTS 46), which every system can hold. What is no such host, and
/// everything in a build without the feature `idna`, stays as it is; mappings say by which of the two they were made.
pub(super) fn ascii(host: &str) -> Cow<'_, str> {
    #[cfg(feature = "idna")]
    if !host.is_ascii()
        && let Ok(ascii) = idna::domain_to_ascii(host)
        && !ascii.is_empty()
    {
        return Cow::Owned(ascii);
    }
    Cow::Borrowed(host)
}

/// An e-mail address in lower case, its host as of [`ascii`].
pub(super) fn email(text: &str) -> String {
    let lower = text.to_lowercase();
    match lower.rsplit_once('@') {
        Some((name, host)) if !host.is_ascii() => format!("{name}@{}", ascii(host)),
        _ => lower,
    }
}

#[cfg(all(test, feature = "idna"))]
mod tests {
    use crate::model::{FieldKind, Raw};

    #[test]
    fn hosts_of_other_letters_are_known_by_their_names_on_the_net() {
        let (email, domain, url) = (FieldKind::Email, FieldKind::Domain, FieldKind::Url);
        for (kind, text, canonical) in [
            (&email, "Ann@München.example", "ann@xn--mnchen-3ya.example"),
            (&email, "ann@xn--mnchen-3ya.example", "ann@xn--mnchen-3ya.example"),
            (&email, "jörg@acme.example", "jörg@acme.example"),
            (&domain, "https://www.MÜNCHEN.example/kontakt", "xn--mnchen-3ya.example"),
            (&domain, "ｗｗｗ．münchen．example", "xn--mnchen-3ya.example"),
            (&domain, "straße.example", "xn--strae-oqa.example"),
            (&url, "https://München.example:443/Straße", "https://xn--mnchen-3ya.example/Straße"),
            (&url, "http://münchen.example:8080", "http://xn--mnchen-3ya.example:8080"),
            (&domain, "\u{200d}", "\u{200d}"),
        ] {
            let value = kind.read(&Raw::Text(text.into())).unwrap();
            assert_eq!(value.to_string(), canonical, "{text}");
            assert_eq!(kind.read(&kind.write(&value)), Ok(value), "{text}");
        }
    }
}
