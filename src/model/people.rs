//! The users of a system, by whom its records are owned: what an id there means elsewhere is the person's e-mail address.

use crate::codec::{Decode, Encode};
use std::collections::BTreeMap;

/// A user of a system, as it lists its users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id that records show of their owner.
    pub id: String,
    /// The e-mail address, in any case.
    pub email: String,
    /// May records be given to this user?
    pub active: bool,
}

/// The users of one system: a table that is read from it, and data to everything that decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct People {
    users: BTreeMap<String, (String, bool)>,
    /// Whom an address means where records are given to somebody: the first active user that has it.
    active: BTreeMap<String, String>,
}

/// The canonical form of an e-mail address; none = it is none.
pub fn address(text: &str) -> Option<String> {
    let text = super::host::email(text.trim());
    let (name, host) = text.rsplit_once('@')?;
    let fit = !name.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace);
    fit.then_some(text)
}

impl People {
    /// Those who have an address; others can be matched with nobody.
    pub fn new(users: impl IntoIterator<Item = User>) -> Self {
        let known = users.into_iter().filter_map(|user| Some((user.id, (address(&user.email)?, user.active))));
        Self::of(known.collect())
    }

    fn of(users: BTreeMap<String, (String, bool)>) -> Self {
        let mut active = BTreeMap::new();
        for (id, (email, _)) in users.iter().filter(|(_, (_, active))| *active) {
            active.entry(email.clone()).or_insert_with(|| id.clone());
        }
        Self { users, active }
    }

    /// With those whom an older table knew and this one does not list any more, as inactive: records may still show them.
    #[must_use]
    pub fn after(self, older: &Self) -> Self {
        let mut users = older.users.clone();
        users.values_mut().for_each(|(_, active)| *active = false);
        users.extend(self.users);
        Self::of(users)
    }

    /// Is nobody known?
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The address of a user.
    pub fn email_of(&self, id: &str) -> Option<&str> {
        self.users.get(id).map(|(email, _)| &**email)
    }

    /// The active user with this address.
    pub fn id_of(&self, email: &str) -> Option<&str> {
        self.active.get(email).map(String::as_str)
    }

    /// Has anybody this address, active or not?
    pub fn knows(&self, email: &str) -> bool {
        self.users.values().any(|(known, _)| known == email)
    }

    /// Addresses that meant somebody in `self` who has another one in `next`.
    pub fn renamed<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = &'a str> {
        self.users
            .iter()
            .filter(|(id, (email, _))| next.email_of(id).is_some_and(|now| now != email))
            .map(|(_, (email, _))| &**email)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, email: &str, active: bool) -> User {
        User { id: id.into(), email: email.into(), active }
    }

    #[test]
    fn ids_and_addresses_lead_to_each_other_and_whoever_goes_stays_known() {
        let first =
            People::new([user("2", "Ann@X.example ", true), user("1", "ann@x.example", false), user("3", "", true)]);
        assert_eq!((first.email_of("1"), first.email_of("2")), (Some("ann@x.example"), Some("ann@x.example")));
        assert_eq!((first.id_of("ann@x.example"), first.email_of("3")), (Some("2"), None));
        let next = People::new([user("2", "ann.b@x.example", true)]).after(&first);
        assert_eq!((next.id_of("ann@x.example"), next.knows("ann@x.example")), (None, true));
        assert_eq!(first.renamed(&next).collect::<Vec<_>>(), ["ann@x.example"]);
        assert_eq!((address("x"), address("a b@c"), address("@c")), (None, None, None));
    }
}
