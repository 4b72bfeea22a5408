//! A list that is nearly always empty.

use crate::codec::{BorrowDecode, BorrowDecoder, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};
use std::ops::{Deref, DerefMut};

/// As a [`Vec`], and stored as one; empty it takes a word. What is kept of a field has several such lists, and how much memory that is
/// decides how many fields can be merged in a second.
#[derive(Debug, Clone)]
#[expect(clippy::box_collection, reason = "an empty one takes a word instead of three")]
pub struct Few<T>(Option<Box<Vec<T>>>);

impl<T> Few<T> {
    /// Adds one at the end.
    pub fn push(&mut self, item: T) {
        self.list().push(item);
    }

    /// Takes out the one at a place, which must be there.
    pub fn remove(&mut self, at: usize) -> T {
        self.list().remove(at)
    }

    /// Forgets those for which `keep` does not hold.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if let Some(list) = &mut self.0 {
            list.retain(keep);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    fn list(&mut self) -> &mut Vec<T> {
        self.0.get_or_insert_default()
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |list| list)
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_mut().map_or(&mut [], |list| list)
    }
}

/// By what is in them: an emptied one is an empty one.
impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T> From<Vec<T>> for Few<T> {
    fn from(list: Vec<T>) -> Self {
        Self((!list.is_empty()).then(|| Box::new(list)))
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(|list| *list).unwrap_or_default().into_iter()
    }
}

impl<T: Encode> Encode for Few<T> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (**self).encode(encoder)
    }
}

impl<C, T: Decode<C> + 'static> Decode<C> for Few<T> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Vec::decode(decoder).map(Self::from)
    }
}

impl<'de, C, T: Decode<C> + 'static> BorrowDecode<'de, C> for Few<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_list_and_stored_as_one(items in prop::collection::vec(any::<u32>(), 0..9), odd in any::<bool>()) {
            let (mut few, mut list) = (Few::default(), Vec::new());
            for item in items {
                few.push(item);
                list.push(item);
            }
            few.retain(|item| (item % 2 == 1) == odd);
            list.retain(|item| (item % 2 == 1) == odd);
            if !list.is_empty() {
                prop_assert_eq!(few.remove(0), list.remove(0));
            }
            prop_assert_eq!(&*few, &*list);
            prop_assert_eq!(&few, &Few::from(list.clone()));
            prop_assert_eq!(codec::encode(1, &few), codec::encode(1, &list));
            prop_assert_eq!(codec::decode::<Few<u32>>(1, &codec::encode(1, &list)), Ok(few.clone()));
            prop_assert_eq!(few.into_iter().collect::<Vec<_>>(), list);
        }
    }
}
