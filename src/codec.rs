//! The one place that names the serialisation crate.
//!
//! Every stored value is a version byte followed by bincode 2 (`standard`: little-endian, varint). The crate is frozen
//! upstream, so the format is ours: golden files hold its bytes, and a test shows that another crate writes the same ones.
//! Decoding is bounded, because an unbounded length prefix of nine hostile bytes is enough to exhaust memory.

use bincode::de::read::Reader;
use bincode::enc::write::Writer;
pub use bincode::{
    Decode, Encode,
    de::{BorrowDecode, BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

/// Upper bound of one encoded value, in bytes.
pub const SIZE_MAX: usize = 16 << 20;

/// Bytes that are not a value of the asked type and version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The value was written by another format version.
    #[error("format version {found}, this program reads version {wanted}")]
    Version {
        /// The version byte that was found.
        found: u8,
        /// The version that this program reads.
        wanted: u8,
    },
    /// The bytes are damaged.
    #[error("damaged value: {0}")]
    Damaged(String),
}

const fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<SIZE_MAX>()
}

/// Encodes `value` behind the version byte.
///
/// # Panics
/// Never for the types of this crate: encoding into memory fails only where a type's own encoder refuses, and ours do not.
pub fn encode<T: Encode>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(version, value, &mut bytes);
    bytes
}

/// Appends what [`encode`] returns.
///
/// # Panics
/// As [`encode`].
pub fn encode_into<T: Encode>(version: u8, value: &T, out: &mut Vec<u8>) {
    out.push(version);
    bincode::encode_into_writer(value, Append(out), config()).expect("encoding into memory cannot fail");
}

/// Appends, without the detour by way of an output that can fail.
struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Writes bytes of a known number as they are.
pub(crate) fn encode_bytes<E: Encoder>(bytes: &[u8], encoder: &mut E) -> Result<(), EncodeError> {
    encoder.writer().write(bytes)
}

/// Reads what [`encode_bytes`] wrote.
pub(crate) fn decode_bytes<const N: usize, D: Decoder>(decoder: &mut D) -> Result<[u8; N], DecodeError> {
    let mut bytes = [0; N];
    decoder.claim_bytes_read(N)?;
    decoder.reader().read(&mut bytes)?;
    Ok(bytes)
}

/// Reads a text as `String` is encoded, and hands it on where it stands.
pub(crate) fn decode_str<D: Decoder, T>(decoder: &mut D, take: impl FnOnce(&str) -> T) -> Result<T, DecodeError> {
    let len = u64::decode(decoder)?;
    let len = usize::try_from(len).map_err(|_| DecodeError::OutsideUsizeRange(len))?;
    decoder.claim_bytes_read(len)?;
    fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
        std::str::from_utf8(bytes).map_err(|inner| DecodeError::Utf8 { inner })
    }
    let reader = decoder.reader();
    if let Some(bytes) = reader.peek_read(len) {
        let taken = take(text(bytes)?);
        reader.consume(len);
        return Ok(taken);
    }
    let mut bytes = vec![0; len];
    reader.read(&mut bytes)?;
    Ok(take(text(&bytes)?))
}

/// Decodes what [`encode`] wrote; trailing bytes are damage.
pub fn decode<T: Decode<()>>(version: u8, bytes: &[u8]) -> Result<T, CodecError> {
    let Some((&found, rest)) = bytes.split_first() else {
        return Err(CodecError::Damaged("empty".into()));
    };
    if found != version {
        return Err(CodecError::Version { found, wanted: version });
    }
    let (value, used) =
        bincode::decode_from_slice(rest, config()).map_err(|error| CodecError::Damaged(error.to_string()))?;
    if used != rest.len() {
        return Err(CodecError::Damaged(format!("{} trailing bytes", rest.len() - used)));
    }
    Ok(value)
}

/// Is the next value this variant of an enum, or one whose number is written in a longer form than ours ever is?
pub fn may_be_variant(decoder: &mut impl Decoder, number: u8) -> bool {
    /// Numbers from here on are markers of longer forms.
    const LONGER: u8 = 251;
    decoder.reader().peek_read(1).is_some_and(|next| next[0] == number || next[0] >= LONGER)
}

/// Is nothing left to be decoded?
pub fn ends(decoder: &mut impl Decoder) -> bool {
    decoder.reader().peek_read(1).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_lengths_are_refused_not_allocated() {
        let bytes = [1, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(decode::<Vec<u64>>(1, &bytes), Err(CodecError::Damaged(_))));
    }

    #[test]
    fn trailing_bytes_and_other_versions_are_damage() {
        let mut bytes = encode(1, &7u32);
        assert_eq!(decode::<u32>(1, &bytes), Ok(7));
        assert_eq!(decode::<u32>(2, &bytes), Err(CodecError::Version { found: 1, wanted: 2 }));
        bytes.push(0);
        assert!(decode::<u32>(1, &bytes).is_err());
        assert!(decode::<u32>(1, &[]).is_err());
    }
}
