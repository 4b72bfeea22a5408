//! Phone numbers as they are written at home: with the region that they belong to, they are the same number as with its code.

/// A region by its two letters, `DE`: how its people write numbers is known. There is none in a build without the feature `phone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region([u8; 2]);

/// Why a text names no region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRegion {
    /// There is no such region, or its numbers are not known.
    #[error("there is no such region")]
    Unknown,
    /// This build knows none.
    #[error("this build does not know how phone numbers are written in any region")]
    NotBuilt,
}

impl NoRegion {
    /// What to do about it.
    pub fn mend(self) -> &'static str {
        match self {
            Self::Unknown => "write its two letters, as in \"DE\", \"GB\" or \"US\"",
            Self::NotBuilt => {
                "build with the feature `phone`, or take `region` away: numbers are then compared by their digits"
            }
        }
    }
}

impl Region {
    /// The region of two letters, in any case.
    ///
    /// # Errors
    /// There is none.
    pub fn parse(text: &str) -> Result<Self, NoRegion> {
        if !cfg!(feature = "phone") {
            return Err(NoRegion::NotBuilt);
        }
        let upper = text.trim().to_ascii_uppercase();
        let letters: [u8; 2] = upper.as_bytes().try_into().map_err(|_| NoRegion::Unknown)?;
        let region = Self(letters);
        if region.is_known() { Ok(region) } else { Err(NoRegion::Unknown) }
    }

    /// Its two letters.
    pub fn letters(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    #[cfg(feature = "phone")]
    fn is_known(self) -> bool {
        self.letters().parse::<phonenumber::country::Id>().is_ok()
    }

    #[cfg(not(feature = "phone"))]
    fn is_known(self) -> bool {
        false
    }

    /// The number with its country's code, and its extension behind it; none = it is no valid number of this region or of the one
    /// whose code it has.
    #[cfg(feature = "phone")]
    pub(super) fn international(self, text: &str) -> Option<String> {
        // What is longer is no number, and costs time.
        if text.len() > 64 {
            return None;
        }
        let home = self.letters().parse().ok();
        let number = phonenumber::parse(home, text).ok().filter(phonenumber::is_valid)?;
        let main = format!("+{}{}", number.code().value(), number.national());
        Some(match number.extension() {
            Some(extension) => format!("{main} x{extension}"),
            None => main,
        })
    }

    /// No build without the feature has a region.
    #[cfg(not(feature = "phone"))]
    pub(super) fn international(self, _text: &str) -> Option<String> {
        None
    }
}

#[cfg(all(test, feature = "phone"))]
mod tests {
    use super::*;
    use crate::model::{FieldKind, Raw, Value};
    use proptest::prelude::*;

    fn read(region: &str, text: &str) -> String {
        let kind = FieldKind::PhoneOf(Region::parse(region).unwrap());
        kind.read(&Raw::Text(text.into())).unwrap().to_string()
    }

    #[test]
    fn numbers_of_a_region_are_equal_however_they_are_written() {
        for text in ["030 12345", "+49 30 12345", "0049 30 12345", "+49 (0)30 12345", "(030) 123-45", "+493012345"] {
            assert_eq!(read("DE", text), "+493012345", "{text}");
        }
        assert_eq!(read("us", "(415) 555-2671 ext. 7"), "+14155552671 x7");
        assert_eq!(read("DE", "+1 415 555 2671"), "+14155552671", "another region's code counts");
        assert_eq!(read("IT", "06 1234 5678"), "+390612345678", "a leading zero that belongs to the number");
    }

    #[test]
    fn what_is_no_number_stays_as_without_a_region() {
        for text in ["ask Ann", "12", "999999999999999999999", "x"] {
            let plain = FieldKind::Phone.read(&Raw::Text(text.into())).unwrap().to_string();
            assert_eq!(read("DE", text), plain);
        }
    }

    #[test]
    fn regions_are_named_by_two_letters() {
        assert_eq!(Region::parse(" de ").map(|region| region.letters().to_owned()), Ok("DE".to_owned()));
        for text in ["XX", "D", "DEU", "", "Ü"] {
            assert_eq!(Region::parse(text), Err(NoRegion::Unknown), "{text}");
        }
    }

    proptest! {
        /// What is written back is read as the same again, whatever it was.
        #[test]
        fn reading_is_idempotent(
            region in prop::sample::select(vec!["DE", "US", "GB", "IT", "FR", "AR", "MX", "RU"]),
            text in "(\\+|00|0)?[0-9 ()./x-]{0,18}( ?(ext\\.?|x) ?[0-9]{1,4})?|\\PC{0,12}",
        ) {
            let kind = FieldKind::PhoneOf(Region::parse(region).unwrap());
            let once = kind.read(&Raw::Text(text.into())).unwrap();
            prop_assert_eq!(kind.read(&kind.write(&once)), Ok(once.clone()));
            if let Value::Text(once) = once {
                prop_assert!(!once.is_empty());
            }
        }
    }
}
