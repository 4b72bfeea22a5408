//! How a system writes the ids of its records, where another one keeps them as texts.

use super::RemoteId;

/// What counts as an id of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IdForm {
    /// Any text without blanks.
    #[default]
    Plain,
    /// A number (HubSpot).
    Number,
    /// 15 letters and digits whose case counts, or these with a checksum of 3 (Salesforce): both name one record.
    Checked,
}

impl IdForm {
    /// The id that a text says, as the system itself writes it; none = it is no id there.
    pub fn parse(self, text: &str) -> Option<RemoteId> {
        let text = text.trim();
        match self {
            Self::Plain => RemoteId::parse(text),
            Self::Number => {
                let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                // Zeros in front are another text, and the same number.
                RemoteId::parse(text.trim_start_matches('0')).filter(|_| number)
            }
            Self::Checked => {
                let (short, suffix) = text.split_at_checked(SHORT)?;
                let checked = format!("{short}{}", checksum(short)?);
                (suffix.is_empty() || text == checked).then(|| RemoteId::parse(&checked)).flatten()
            }
        }
    }
}

/// The three characters behind an id of 15, one for each five of them: which are upper-case letters, the first as the lowest bit.
pub fn checksum(short: &str) -> Option<String> {
    let bytes = short.as_bytes();
    if bytes.len() != SHORT || !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let suffix = bytes.chunks(5).map(|group| {
        let upper = group.iter().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase());
        char::from(SUFFIXES[upper.map(|(place, _)| 1usize << place).sum::<usize>()])
    });
    Some(suffix.collect())
}

const SHORT: usize = 15;
const SUFFIXES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checked(text: &str) -> Option<String> {
        IdForm::Checked.parse(text).map(|id| id.to_string())
    }

    #[test]
    fn short_ids_get_the_suffix_that_salesforce_gives_them() {
        for long in [
            "70130000001tcyIAAQ",
            "a0BA0000000L2ZCMA0",
            "AAaAAbbBBBCcCCC123",
            "0012800000CXn0kAAD",
            "01gRO0000016PIAYA2",
            "001000000000001AAA",
            "003xx000004TmiQAAS",
        ] {
            assert_eq!(checked(&long[..15]).as_deref(), Some(long));
            assert_eq!(checked(&format!(" {long}\n")).as_deref(), Some(long));
        }
    }

    #[test]
    fn what_is_no_id_names_nobody() {
        for text in
            ["", "003", "003xx000004TmiQAAA", "003xx000004TmiQaas", "003xx000004Tmi-", "003xx000004TmiQAA", "ééééééééé"]
        {
            assert_eq!(checked(text), None, "{text}");
        }
        let number = |text: &str| IdForm::Number.parse(text).map(|id| id.to_string());
        assert_eq!(number(" 0051 "), Some("51".into()));
        assert_eq!(
            [number(""), number("0"), number("5a"), number("-5"), number("5 1")],
            [None, None, None, None, None]
        );
        assert_eq!(IdForm::Plain.parse(" a-1 ").map(|id| id.to_string()), Some("a-1".into()));
        assert_eq!(IdForm::Plain.parse("a 1"), None);
    }

    proptest! {
        /// Both forms of an id are one, two ids are two, and what was read is read again as the same.
        #[test]
        fn a_long_id_is_its_short_one(a in "[0-9A-Za-z]{15}", b in "[0-9A-Za-z]{15}") {
            let (long, other) = (checked(&a).unwrap(), checked(&b).unwrap());
            prop_assert_eq!(&long[..15], &a);
            prop_assert_eq!(checked(&long), Some(long.clone()));
            prop_assert_eq!(long == other, a == b);
            // That is what the suffix is for: without regard to case they differ all the same.
            prop_assert_eq!(long.eq_ignore_ascii_case(&other), a == b);
        }

        /// Any other suffix is a damaged id.
        #[test]
        fn a_wrong_suffix_is_no_id(short in "[0-9A-Za-z]{15}", suffix in "[0-9A-Za-z]{3}") {
            let right = checksum(&short).unwrap() == suffix;
            prop_assert_eq!(checked(&format!("{short}{suffix}")).is_some(), right);
        }

        #[test]
        fn any_text_is_an_id_or_none(text in "\\PC{0,20}") {
            for form in [IdForm::Plain, IdForm::Number, IdForm::Checked] {
                if let Some(id) = form.parse(&text) {
                    prop_assert_eq!(form.parse(id.as_str()), Some(id.clone()));
                }
            }
        }
    }
}
