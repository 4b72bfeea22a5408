//! One record: every property's value with all it was before, and who wrote it when.

/// Who wrote a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The user's token, as if at the desk.
    User,
    /// The integration's token.
    Integration,
    /// Seeded data.
    Import,
    /// A default that the portal filled in.
    Default,
}

/// One value in a property's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value; `""` when it was cleared.
    pub value: Box<str>,
    /// When it was written.
    pub at_ms: i64,
    /// Who wrote it.
    pub source: Source,
}

/// A property that has ever had a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    property: u16,
    current: Entry,
    past: Vec<Entry>,
}

impl Slot {
    /// The history, newest first.
    pub fn history(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.current).chain(self.past.iter().rev())
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id, unique within its type.
    pub id: u64,
    /// When it was created.
    pub created_ms: i64,
    /// When anything of it last changed, background work included.
    pub modified_ms: i64,
    /// When it was archived.
    pub archived_ms: Option<i64>,
    /// The records that were merged into it.
    pub merged: Vec<u64>,
    /// Who created it.
    pub origin: Source,
    slots: Vec<Slot>,
    touches: Vec<i64>,
}

impl Record {
    /// A record without values.
    pub fn new(id: u64, created_ms: i64, origin: Source) -> Self {
        let (slots, touches, merged) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, created_ms, modified_ms: created_ms, archived_ms: None, merged, origin, slots, touches }
    }

    /// The slot of a property that has ever had a value.
    pub fn slot(&self, property: u16) -> Option<&Slot> {
        self.slots.binary_search_by_key(&property, |slot| slot.property).ok().map(|place| &self.slots[place])
    }

    /// The current value; `None` when there never was one.
    pub fn value(&self, property: u16) -> Option<&str> {
        self.slot(property).map(|slot| &*slot.current.value)
    }

    /// The value as it stood at `at_ms`.
    pub fn value_at(&self, property: u16, at_ms: i64) -> Option<&str> {
        self.slot(property)?.history().find(|entry| entry.at_ms <= at_ms).map(|entry| &*entry.value)
    }

    /// The modified date as it stood at `at_ms`.
    pub fn modified_at(&self, at_ms: i64) -> i64 {
        if self.modified_ms <= at_ms {
            return self.modified_ms;
        }
        let written = self.slots.iter().flat_map(Slot::history).map(|entry| entry.at_ms);
        written.chain(self.touches.iter().copied()).filter(|&at| at <= at_ms).max().unwrap_or(self.created_ms)
    }

    /// The time for a write at `now_ms`: later than all before it, so that two writes in one millisecond have an order.
    pub fn next_time(&self, now_ms: i64) -> i64 {
        now_ms.max(self.modified_ms + 1)
    }

    /// Writes a value at a time given by [`next_time`](Self::next_time), or at the record's creation.
    pub fn write(&mut self, property: u16, value: &str, at_ms: i64, source: Source) {
        assert!(at_ms >= self.modified_ms, "a record's writes have an order");
        let entry = Entry { value: value.into(), at_ms, source };
        match self.slots.binary_search_by_key(&property, |slot| slot.property) {
            Ok(place) => {
                let slot = &mut self.slots[place];
                slot.past.push(std::mem::replace(&mut slot.current, entry));
            }
            Err(place) => self.slots.insert(place, Slot { property, current: entry, past: Vec::new() }),
        }
        self.modified_ms = at_ms;
    }

    /// The same record under another id, as it comes out of a merge with others.
    pub fn renamed(&self, id: u64, merged: Vec<u64>) -> Self {
        Self { id, merged, ..self.clone() }
    }

    /// Background work: the modified date moves and nothing else.
    pub fn touch(&mut self, at_ms: i64) {
        self.modified_ms = self.next_time(at_ms);
        self.touches.push(self.modified_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_can_be_asked() {
        let mut record = Record::new(1, 1000, Source::Import);
        record.write(3, "a", 1000, Source::Import);
        record.write(3, "", 2000, Source::User);
        record.touch(2500);
        record.write(1, "x", 3000, Source::Integration);
        let check = |at_ms, value, modified| {
            assert_eq!((record.value_at(3, at_ms), record.modified_at(at_ms)), (value, modified), "at {at_ms}");
        };
        check(999, None, 1000);
        check(1999, Some("a"), 1000);
        check(2000, Some(""), 2000);
        check(2600, Some(""), 2500);
        check(9000, Some(""), 3000);
        let values: Vec<_> = record.slot(3).expect("written").history().map(|entry| &*entry.value).collect();
        assert_eq!(values, ["", "a"]);
    }

    #[test]
    fn two_writes_in_one_millisecond_have_an_order() {
        let mut record = Record::new(1, 1000, Source::Import);
        assert_eq!(record.next_time(1000), 1001);
        record.write(0, "a", 1001, Source::User);
        assert_eq!(record.next_time(1000), 1002);
        assert_eq!(record.next_time(5000), 5000);
    }
}
