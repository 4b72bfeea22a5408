//! Content hashes: blake3, truncated.

use super::{FieldId, Value};
use crate::codec::{Decode, Encode};
use std::borrow::Borrow;
use std::fmt;

/// 128 bits of blake3 over canonical bytes: equal meaning = equal bytes = equal digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
pub struct Digest(pub [u8; 16]);

/// 64 bits of blake3 over a remote's own bytes of the mapped properties. Equal means unchanged; different means only
/// "decode and compare".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RawDigest(pub u64);

impl Digest {
    /// Digest of any canonical bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut out = [0; 16];
        out.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(out)
    }

    /// Digest of one value.
    pub fn of_value(value: &Value) -> Self {
        let mut bytes = Vec::with_capacity(32);
        value.canonical_bytes(&mut bytes);
        Self::of_bytes(&bytes)
    }

    /// Digest of a set of fields. The caller gives them in ascending [`FieldId`] order; the digest then depends on the
    /// fields and values alone.
    pub fn of_fields(fields: impl Iterator<Item = (FieldId, impl Borrow<Value>)>) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        let mut last = None;
        for (field, value) in fields {
            debug_assert!(last < Some(field), "fields must ascend");
            last = Some(field);
            bytes.extend_from_slice(&field.0.to_be_bytes());
            value.borrow().canonical_bytes(&mut bytes);
        }
        Self::of_bytes(&bytes)
    }
}

impl RawDigest {
    /// Digest of a remote's own bytes; many at once go faster through a [`RawBatch`](super::RawBatch).
    pub fn of_bytes(bytes: &[u8]) -> Self {
        super::wide::one(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
