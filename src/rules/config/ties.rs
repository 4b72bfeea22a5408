//! Ties to several records, as a config names them: `associated contacts` of HubSpot, `OpportunityContactRole(OpportunityId,
//! ContactId, Role)` of Salesforce.

/// The object at the other end of HubSpot's associations.
pub(super) fn associated(property: &str) -> Option<&str> {
    let object = property.strip_prefix("associated ")?.trim();
    is_name(object, |byte| matches!(byte, b'_' | b'-')).then_some(object)
}

/// Salesforce's rows that tie two records: the object, and its references to the record and to the other one, with points between;
/// where there is one also its label.
pub(super) fn junction(property: &str) -> Option<String> {
    let (object, rest) = property.trim().strip_suffix(')')?.split_once('(')?;
    let parts: Vec<&str> = std::iter::once(object).chain(rest.split(',')).map(str::trim).collect();
    let fit = matches!(parts.len(), 3 | 4) && parts.iter().all(|part| is_name(part, |byte| byte == b'_'));
    fit.then(|| parts.join("."))
}

fn is_name(text: &str, other: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || other(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_named_by_their_other_end_or_by_the_rows_that_make_them() {
        assert_eq!(associated("associated contacts"), Some("contacts"));
        assert_eq!([associated("associated "), associated("contacts")], [None, None]);
        let of = |text| junction(text).unwrap_or_default();
        assert_eq!(
            of("OpportunityContactRole(OpportunityId, ContactId)"),
            "OpportunityContactRole.OpportunityId.ContactId"
        );
        assert_eq!(of(" R( A,B , Role )"), "R.A.B.Role");
        assert_eq!([of("R(A)"), of("R(A, B, C, D)"), of("Name"), of("R(A, B")], ["", "", "", ""]);
    }
}
