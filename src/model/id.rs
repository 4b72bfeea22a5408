//! Ids are types, so that none can be taken for another.

use super::Text;
use crate::codec::{Decode, Encode};
use std::fmt;
use std::sync::LazyLock;

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Derived from the name by hash, so that reordering a config never renumbers what is stored. Two names of one
        /// config that share an id are refused when the rules are built.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(pub u32);

        impl $name {
            /// The id of a name.
            pub fn of(name: &str) -> Self {
                let hash = blake3::hash(name.as_bytes());
                let [a, b, c, d, ..] = *hash.as_bytes();
                Self(u32::from_be_bytes([a, b, c, d]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:08x})"), self.0)
            }
        }
    };
}

name_id!(
    /// One remote account: a HubSpot portal, a Salesforce org.
    SystemId
);
name_id!(
    /// A canonical type: person, company, deal.
    EntityId
);
name_id!(
    /// A canonical field of an entity.
    FieldId
);
name_id!(
    /// A system's record type: `contacts`, `Contact`.
    ObjectId
);

impl SystemId {
    /// Whoever decides with Syncline's own commands: counts as a side that outranks all systems.
    pub const OPERATOR: Self = Self(u32::MAX);
    /// Whoever takes back with `undo`: counts as a side that yields to all systems, so that edits which it has not seen are kept.
    pub const UNDO: Self = Self(u32::MAX - 1);

    /// Somebody who decides here, and no system.
    pub fn is_operator(self) -> bool {
        self == Self::OPERATOR || self == Self::UNDO
    }
}

/// One real-world thing, as the mirror names it: 128 bits derived from the first remote record that stood for it, of which the
/// first 48 mostly rise as its system counts up its ids, and 80 are a hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// The id of a record that is first mirrored from `key`.
    pub fn derive(key: &RemoteKey) -> Self {
        // What is hashed of the context is hashed once.
        static CONTEXT: LazyLock<blake3::Hasher> =
            LazyLock::new(|| blake3::Hasher::new_derive_key("syncline 2026 record id"));
        // In one piece, but for what only a damaged store can hold.
        let remote = key.remote.as_str().as_bytes();
        let (remote, more) = remote.split_at(remote.len().min(RemoteId::LEN_MAX));
        let mut name = [0; 12 + RemoteId::LEN_MAX];
        name[..4].copy_from_slice(&key.entity.0.to_be_bytes());
        name[4..8].copy_from_slice(&key.system.0.to_be_bytes());
        name[8..12].copy_from_slice(&key.object.0.to_be_bytes());
        name[12..][..remote.len()].copy_from_slice(remote);
        let mut hasher = CONTEXT.clone();
        hasher.update(&name[..12 + remote.len()]).update(more);
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&rising(key.remote.as_str()));
        bytes[6..].copy_from_slice(&hasher.finalize().as_bytes()[..10]);
        Self(bytes)
    }

    /// Reads what [`fmt::Display`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// What rises where ids are counted up: records that are listed together then lie together, and a first load fills pages one after
/// another. Only a hint: digits count as a number, and others in the places before their 15th, as Salesforce's do, whose last
/// three of 18 are a checksum.
fn rising(remote: &str) -> [u8; 6] {
    let number = remote.bytes().all(|byte| byte.is_ascii_digit()).then(|| remote.parse::<u64>().ok()).flatten();
    let mut lead = [0; 6];
    match number {
        Some(number) => lead.copy_from_slice(&number.min((1 << 48) - 1).to_be_bytes()[2..]),
        None => {
            let counted = &remote.as_bytes()[..remote.len().min(15)];
            let counted = &counted[counted.len().saturating_sub(6)..];
            lead[6 - counted.len()..].copy_from_slice(counted);
        }
    }
    lead
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

/// One write of ours: minted by the engine, it names the intent in the outbox, the call and the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct OpId(pub u64);

/// A record's id in its own system, as that system writes it (Salesforce: always 18 characters).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RemoteId(Text);

impl RemoteId {
    /// Longest id that is accepted, in bytes.
    pub const LEN_MAX: usize = 64;

    /// Parses an id: printable ASCII, 1 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::LEN_MAX && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One object of one system: where records of an entity live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Home {
    /// The system.
    pub system: SystemId,
    /// The object within the system.
    pub object: ObjectId,
}

impl Home {
    /// The ids of two names.
    pub fn of(system: &str, object: &str) -> Self {
        Self { system: SystemId::of(system), object: ObjectId::of(object) }
    }
}

/// Where a remote record lives. HubSpot ids are unique only within one object type, so all four parts are needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RemoteKey {
    /// The entity that the object belongs to.
    pub entity: EntityId,
    /// The system.
    pub system: SystemId,
    /// The object within the system.
    pub object: ObjectId,
    /// The record within the object.
    pub remote: RemoteId,
}

impl RemoteKey {
    /// The object that the record is one of.
    pub fn home(&self) -> Home {
        Home { system: self.system, object: self.object }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_are_counted_up_lie_one_behind_the_other() {
        let id = |remote: &str| {
            let (entity, system, object) = (EntityId(1), SystemId(2), ObjectId(3));
            RecordId::derive(&RemoteKey { entity, system, object, remote: RemoteId::parse(remote).unwrap() })
        };
        let counted = ["7", "99", "100", "51000000007", "51000000014", "99999999999999999999", "contact"];
        assert!(counted[..5].iter().map(|remote| id(remote)).is_sorted());
        let salesforce = ["0035g00000XyZabAAB", "0035g00000XyZacAAB", "0035g00000XyZbaAAB", "0035g00000XyaAAAAQ"];
        assert!(salesforce.iter().map(|remote| id(remote)).is_sorted());
        let all: std::collections::BTreeSet<_> = counted.iter().chain(&salesforce).map(|remote| id(remote)).collect();
        assert_eq!(all.len(), counted.len() + salesforce.len());
    }
}
