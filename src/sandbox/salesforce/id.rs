//! Record ids: 15 case-sensitive characters, written with a three-character checksum as 18.

use std::fmt;

/// A record id. Ordered as the vendor orders ids: case-sensitive base 62, which is ASCII order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 15]);

impl Id {
    /// Reads 15 characters, or 18 with the right checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let id = Self(bytes.get(..15)?.try_into().ok()?);
        match bytes.len() {
            15 => Some(id),
            18 => (bytes.get(15..)? == id.checksum()).then_some(id),
            _ => None,
        }
    }

    /// The `number`th id of an object with `prefix`, in an org named by two characters.
    pub fn mint(prefix: &str, org: [u8; 2], mut number: u64) -> Self {
        let mut bytes = [b'0'; 15];
        for (place, byte) in bytes.iter_mut().zip(prefix.bytes().take(3)) {
            *place = byte;
        }
        bytes[3..5].copy_from_slice(&org);
        for place in bytes[5..].iter_mut().rev() {
            *place = DIGITS[(number % 62) as usize];
            number /= 62;
        }
        Self(bytes)
    }

    /// True when the id belongs to the object with `prefix`.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix.as_bytes())
    }

    /// One character per group of five: the group's upper-case letters as bits, the first character the lowest.
    fn checksum(&self) -> [u8; 3] {
        let mut suffix = [b'A'; 3];
        for (place, group) in suffix.iter_mut().zip(self.0.chunks(5)) {
            let upper = |(bit, byte): (usize, &u8)| usize::from(byte.is_ascii_uppercase()) << bit;
            *place = SUFFIXES[group.iter().enumerate().map(upper).sum::<usize>()];
        }
        suffix
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 18];
        text[..15].copy_from_slice(&self.0);
        text[15..].copy_from_slice(&self.checksum());
        out.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

const SUFFIXES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The digits of base 62, in ASCII order.
pub const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    /// The published vectors.
    #[test]
    fn checksums() {
        for (short, suffix) in [
            ("0035g00000AbCdE", "AAV"),
            ("70130000001tcyI", "AAQ"),
            ("a0BA0000000L2ZC", "MA0"),
            ("AAaAAbbBBBCcCCC", "123"),
            ("0012800000CXn0k", "AAD"),
            ("01gRO0000016PIA", "YA2"),
            ("001000000000001", "AAA"),
            ("003xx000004TmiQ", "AAS"),
        ] {
            let long = format!("{short}{suffix}");
            assert_eq!(Id::parse(short).map(|id| id.to_string()), Some(long.clone()));
            assert_eq!(Id::parse(&long), Id::parse(short));
        }
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in ["", "003", "0035g00000AbCdEAAA", "0035g00000AbCd-", "0035g00000AbCdEAA", "ééééééééééééééé"]
        {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn minted_ids_rise() {
        let ids: Vec<_> = (0..5000).map(|n| Id::mint("003", *b"5g", n)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.has_prefix("003") && Id::parse(&id.to_string()) == Some(*id)));
    }
}
