//! Decimal numbers in canonical form.

use crate::codec::{BorrowDecode, BorrowDecoder, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};
use std::fmt;

/// A decimal number without trailing zeros: `1.0` and `1` are one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(rust_decimal::Decimal);

impl Decimal {
    /// The canonical form of a decimal text: plain or scientific notation, at most 28 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let number = rust_decimal::Decimal::from_str_exact(text)
            .or_else(|_| rust_decimal::Decimal::from_scientific(text))
            .ok()?;
        Some(Self::canonical(number))
    }

    /// Rounded half away from zero to `scale` digits after the point, which is how CRMs store currency.
    pub fn rounded(self, scale: u32) -> Self {
        let strategy = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
        Self::canonical(self.0.round_dp_with_strategy(scale, strategy))
    }

    /// Digits after the point.
    pub fn scale(self) -> u32 {
        self.0.scale()
    }

    /// Digits before the point; none for a number below 1.
    pub fn digits(self) -> u32 {
        self.0.trunc().mantissa().unsigned_abs().checked_ilog10().map_or(0, |log| log + 1)
    }

    /// The nearest number in binary: for comparing, never to be written.
    pub fn to_f64(self) -> f64 {
        use rust_decimal::prelude::ToPrimitive;
        self.0.to_f64().unwrap_or(f64::NAN)
    }

    /// Times ten to a power, exactly; none if that takes more digits than there are.
    pub fn shifted(self, power: i32) -> Option<Self> {
        const MAX: i32 = rust_decimal::Decimal::MAX_SCALE as i32;
        let (mantissa, scale) = (self.0.mantissa(), i32::try_from(self.0.scale()).ok()?.checked_sub(power)?);
        let ten_to = |power: i32| 10i128.checked_pow(power.unsigned_abs());
        let (mantissa, scale) = match scale {
            _ if mantissa == 0 => (0, 0),
            ..0 => (mantissa.checked_mul(ten_to(scale)?)?, 0),
            0..=MAX => (mantissa, scale),
            // Zeros at the end of a large number need no place after the point.
            _ => {
                let factor = ten_to(scale - MAX)?;
                (mantissa % factor == 0).then_some((mantissa / factor, MAX))?
            }
        };
        let number = rust_decimal::Decimal::try_from_i128_with_scale(mantissa, scale.unsigned_abs()).ok()?;
        Some(Self::canonical(number))
    }

    /// The power of ten that this is, if it is one.
    pub fn power_of_ten(self) -> Option<i32> {
        let mantissa = u128::try_from(self.0.mantissa()).ok()?;
        let log = mantissa.checked_ilog10()?;
        let power = i32::try_from(log).ok()? - i32::try_from(self.0.scale()).ok()?;
        (10u128.checked_pow(log)? == mantissa).then_some(power)
    }

    /// The whole number, if it is one that fits.
    pub fn to_int(self) -> Option<i64> {
        (self.0.scale() == 0).then(|| i64::try_from(self.0.mantissa()).ok()).flatten()
    }

    /// The canonical bytes.
    pub(super) fn bytes(self) -> [u8; 16] {
        self.0.serialize()
    }

    fn canonical(number: rust_decimal::Decimal) -> Self {
        let number = number.normalize();
        // Minus zero prints as "-0", but means zero.
        Self(if number.is_zero() { rust_decimal::Decimal::ZERO } else { number })
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::canonical(number.into())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encode for Decimal {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.serialize().encode(encoder)
    }
}

impl<C> Decode<C> for Decimal {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let number = rust_decimal::Decimal::deserialize(<[u8; 16]>::decode(decoder)?);
        // Foreign bytes may name a scale that no decimal has, or a form that is not the canonical one.
        if number.scale() > rust_decimal::Decimal::MAX_SCALE
            || Self::canonical(number).0.serialize() != number.serialize()
        {
            return Err(DecodeError::Other("decimal is not in canonical form"));
        }
        Ok(Self(number))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Decimal {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_counted_as_they_are_written() {
        for (text, digits, scale) in [("0", 0, 0), ("0.05", 0, 2), ("-12.340", 2, 2), ("1000", 4, 0), ("1e3", 4, 0)] {
            let number = Decimal::parse(text).unwrap();
            assert_eq!((number.digits(), number.scale()), (digits, scale), "{text}");
        }
    }

    #[test]
    fn powers_of_ten_are_known() {
        for (text, power) in
            [("1", Some(0)), ("100", Some(2)), ("0.01", Some(-2)), ("-10", None), ("12", None), ("0", None)]
        {
            assert_eq!(Decimal::parse(text).unwrap().power_of_ten(), power, "{text}");
        }
    }

    proptest! {
        /// Exactly, or not at all.
        #[test]
        fn a_shift_is_taken_back(number in any::<i64>(), scale in 0u32..20, power in -40i32..40) {
            let number = Decimal::canonical(rust_decimal::Decimal::from_i128_with_scale(number.into(), scale));
            if let Some(shifted) = number.shifted(power) {
                prop_assert_eq!(shifted.shifted(-power), Some(number));
            }
        }
    }
}
