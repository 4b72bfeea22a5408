//! A map for keys that mostly come in their order, as the rows of a page do: then what is added goes to the end of one list, and
//! what is new is known to be new by a look at the last. The few that come out of order stand beside it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A sorted map; a key stands in the list or beside it, never in both.
pub(super) struct Ascending<K, V> {
    run: Vec<(K, V)>,
    late: BTreeMap<K, V>,
}

impl<K, V> Default for Ascending<K, V> {
    fn default() -> Self {
        Self { run: Vec::new(), late: BTreeMap::new() }
    }
}

impl<K: Ord, V> Ascending<K, V> {
    /// Its place in the list, or whether it would be the last there.
    fn place(&self, key: &K) -> Result<usize, bool> {
        match self.run.last().map(|(last, _)| key.cmp(last)) {
            None | Some(Ordering::Greater) => Err(true),
            Some(Ordering::Equal) => Ok(self.run.len() - 1),
            Some(Ordering::Less) => self.run.binary_search_by(|(known, _)| known.cmp(key)).map_err(|_| false),
        }
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        match self.place(key) {
            Ok(at) => Some(&self.run[at].1),
            Err(_) => self.late.get(key),
        }
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.place(key) {
            Ok(at) => Some(&mut self.run[at].1),
            Err(_) => self.late.get_mut(key),
        }
    }

    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => self.run[at].1 = value,
            Err(true) if !self.late.contains_key(&key) => self.run.push((key, value)),
            Err(_) => drop(self.late.insert(key, value)),
        }
    }

    /// All, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        merged(self.run.iter().map(|(key, value)| (key, value)), self.late.iter())
    }

    /// All, ascending, given away.
    pub fn into_all(self) -> impl Iterator<Item = (K, V)> {
        merged(self.run.into_iter(), self.late)
    }
}

fn merged<K: Ord, V>(
    run: impl Iterator<Item = (K, V)>,
    late: impl IntoIterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, V)> {
    let (mut run, mut late) = (run.peekable(), late.into_iter().peekable());
    std::iter::from_fn(move || match (run.peek(), late.peek()) {
        (Some((a, _)), Some((b, _))) if b < a => late.next(),
        (Some(_), _) => run.next(),
        (None, _) => late.next(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_map(keys in prop::collection::vec(0u8..40, 0..60), asked in 0u8..40) {
            let (mut map, mut model) = (Ascending::default(), BTreeMap::new());
            for (value, key) in keys.into_iter().enumerate() {
                map.insert(key, value);
                model.insert(key, value);
                prop_assert_eq!(map.get(&asked), model.get(&asked));
                prop_assert_eq!(map.get_mut(&key).copied(), Some(value));
            }
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!(map.into_all().eq(model));
        }

        #[test]
        fn what_ascends_stands_in_the_list(keys in prop::collection::btree_set(any::<u16>(), 0..60)) {
            let mut map = Ascending::default();
            keys.iter().for_each(|key| map.insert(*key, ()));
            prop_assert!(map.late.is_empty());
            prop_assert_eq!(map.run.len(), keys.len());
        }
    }
}
