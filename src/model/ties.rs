//! Ties between records: a set of others to which one is tied, each with labels or without. Its elements come and go one by one.

use super::{Raw, RecordId, Value};
use crate::codec::{Decode, Encode};
use std::collections::BTreeSet;

/// How the name of a property begins that is no value of a record but a set of associations of it: what follows is the object
/// at their other end.
pub const ASSOCIATIONS: &str = "associations:";

/// How the name of a property begins that is a set of rows of another object, each of which ties two records: what follows is
/// that object, its reference to the record, its reference to the other one, and where there is one its label, with points between.
pub const JUNCTION: &str = "junction:";

/// One tie, or one label of one. A pair with labels is tied without one as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Tied {
    /// The record at the other end.
    pub to: RecordId,
    /// A label by its canonical name; "" = that they are tied at all.
    pub label: String,
}

impl Tied {
    /// Tied, without a label.
    pub fn plain(to: RecordId) -> Self {
        Self { to, label: String::new() }
    }
}

/// What comes and what goes between two sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TieChange {
    /// In the later one only.
    pub added: BTreeSet<Tied>,
    /// In the earlier one only.
    pub removed: BTreeSet<Tied>,
}

/// Is a property of this name a set of ties? Then what is written to it says what comes and what goes.
pub fn is_ties(property: &str) -> bool {
    property.starts_with(ASSOCIATIONS) || property.starts_with(JUNCTION)
}

impl Value {
    /// Ties in their canonical form; none at all is blank.
    pub fn ties(ties: impl IntoIterator<Item = Tied>) -> Self {
        let mut all: BTreeSet<Tied> = ties.into_iter().collect();
        let plain: Vec<Tied> = all.iter().map(|tied| Tied::plain(tied.to)).collect();
        all.extend(plain);
        if all.is_empty() { Self::Null } else { Self::Refs(all.into_iter().collect()) }
    }

    /// Elements of a set of ties that is none by itself: what comes, or what goes.
    pub(crate) fn ties_as_they_are(ties: BTreeSet<Tied>) -> Self {
        if ties.is_empty() { Self::Null } else { Self::Refs(ties.into_iter().collect()) }
    }

    /// The ties; none of any other value.
    pub fn tied(&self) -> &[Tied] {
        match self {
            Self::Refs(ties) => ties,
            _ => &[],
        }
    }

    /// A record has another name now. True if it was named.
    pub fn rename_record(&mut self, from: RecordId, to: RecordId) -> bool {
        match self {
            Self::Ref(id) if *id == from => *id = to,
            Self::Refs(ties) if ties.iter().any(|tied| tied.to == from) => {
                let ties = std::mem::take(ties).into_iter();
                let renamed = ties.map(|tied| Tied { to: if tied.to == from { to } else { tied.to }, ..tied });
                *self = Self::ties(renamed);
            }
            _ => return false,
        }
        true
    }
}

impl TieChange {
    /// From one set to another.
    pub fn between(before: &Value, after: &Value) -> Self {
        let [before, after] = [before, after].map(|value| value.tied().iter().cloned().collect::<BTreeSet<_>>());
        Self { added: &after - &before, removed: &before - &after }
    }

    /// Nothing?
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// This change done to a set. What a pair has left of labels when it goes brings it back: nobody took those away.
    pub fn on(&self, value: &Value) -> Value {
        let all: BTreeSet<Tied> = value.tied().iter().cloned().collect();
        Value::ties(all.into_iter().filter(|tied| !self.removed.contains(tied)).chain(self.added.iter().cloned()))
    }

    /// What of it is part of another one, and what is not.
    pub fn split(self, by: &Self) -> (Self, Self) {
        let part = |of: &BTreeSet<Tied>, by: &BTreeSet<Tied>| (of & by, of - by);
        let ((added, added_not), (removed, removed_not)) =
            (part(&self.added, &by.added), part(&self.removed, &by.removed));
        (Self { added, removed }, Self { added: added_not, removed: removed_not })
    }
}

/// What is no value of a record, as a config calls it: `associated contacts`, `OpportunityContactRole(OpportunityId, ContactId)`.
pub fn spoken(property: &str) -> String {
    if let Some(to) = property.strip_prefix(ASSOCIATIONS) {
        return format!("associated {to}");
    }
    if let Some(list) = property.strip_prefix(super::LIST) {
        return format!("list {list}");
    }
    match property.strip_prefix(JUNCTION).and_then(|rows| rows.split_once('.')) {
        Some((object, fields)) => format!("{object}({})", fields.replace('.', ", ")),
        None => property.to_owned(),
    }
}

/// A tie as systems tell it: the id of the other record there, and a label.
pub fn parse_tie(text: &str) -> (&str, &str) {
    text.split_once('\t').unwrap_or((text, ""))
}

/// What a set of ties shows after a write: one line a tie that comes (`+id`) or goes (`-id`), a label behind a tab.
pub fn lay_ties(shown: &Raw, written: &Raw) -> Raw {
    let lines = |raw: &Raw| match raw {
        Raw::Text(text) => text.lines().map(str::to_owned).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let mut ties: BTreeSet<String> = lines(shown).into_iter().collect();
    for line in lines(written) {
        let (sign, tie) = line.split_at(line.len().min(1));
        let (id, label) = parse_tie(tie);
        match sign {
            "+" => ties.extend([tie.to_owned(), id.to_owned()]),
            _ if label.is_empty() => ties.retain(|known| parse_tie(known).0 != id),
            _ => ties.retain(|known| known != tie),
        }
    }
    if ties.is_empty() { Raw::Null } else { Raw::Text(ties.into_iter().collect::<Vec<_>>().join("\n").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sets() -> impl Strategy<Value = Value> {
        let tied = (0u8..4, 0usize..3).prop_map(|(to, label)| {
            let label = ["", "boss", "payer"][label].to_owned();
            Tied { to: RecordId([to; 16]), label }
        });
        prop::collection::vec(tied, 0..6).prop_map(Value::ties)
    }

    proptest! {
        #[test]
        fn a_change_leads_from_one_to_the_other_and_changes_of_different_ties_in_any_order(a in sets(), b in sets(), c in sets()) {
            let change = TieChange::between(&a, &b);
            prop_assert_eq!(change.on(&a), b.clone());
            prop_assert_eq!(change.is_empty(), a == b);
            // Two people start from the same: what both did holds, whoever is heard first.
            let other = TieChange::between(&a, &c);
            let (one, two) = (other.on(&change.on(&a)), change.on(&other.on(&a)));
            let undone = change.removed.iter().any(|tied| tied.label.is_empty()) || other.removed.iter().any(|tied| tied.label.is_empty());
            prop_assert!(one == two || undone, "{one:?} {two:?}");
        }
    }

    #[test]
    fn what_is_no_property_is_called_as_a_config_has_it() {
        assert_eq!(spoken("associations:contacts"), "associated contacts");
        assert_eq!(spoken("junction:R.A__c.B.Role"), "R(A__c, B, Role)");
        assert_eq!([spoken("list:7"), spoken("email")], ["list 7", "email"]);
    }

    #[test]
    fn what_is_written_is_laid_over_what_is_shown() {
        let text = |text: &str| Raw::Text(text.into());
        assert_eq!(lay_ties(&Raw::Null, &text("+7\n+8\tboss")), text("7\n8\n8\tboss"));
        assert_eq!(lay_ties(&text("7\n8\n8\tboss"), &text("-8\n+9")), text("7\n9"));
        assert_eq!(lay_ties(&text("8\n8\tboss"), &text("-8\tboss")), text("8"));
        assert_eq!(lay_ties(&text("8"), &text("-8")), Raw::Null);
    }
}
