//! What a simulated history is made from, and what it reports.

/// Which conflict policy a run uses; systems are named by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `latest`.
    Latest,
    /// `prefer` the first system.
    Prefer,
    /// The first system `owns`.
    Owns,
    /// `max`, over numbers.
    Max,
    /// `min`, over numbers.
    Min,
    /// `forward only`, over stages of which one is not named.
    Forward,
    /// `union`, over sets.
    Union,
    /// `append`, over lines.
    Append,
}

impl Policy {
    /// Each of them.
    pub const ALL: [Self; 8] =
        [Self::Latest, Self::Prefer, Self::Owns, Self::Max, Self::Min, Self::Forward, Self::Union, Self::Append];

    /// Those that decide about values of any type, groups too.
    pub const OF_ANY: [Self; 3] = [Self::Latest, Self::Prefer, Self::Owns];
}

/// What the sides' sources are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// Ordered streams with positions everywhere.
    Streams,
    /// Marks with history everywhere.
    Histories,
    /// A history and a stream (and a history).
    Mixed,
    /// One side is only polled, and its rows say who changed a record last; the others have histories.
    OnePolled,
    /// All sides are only polled, and their rows say who changed a record last.
    AllPolled,
    /// As `OnePolled`, but a row does not say who changed it.
    OneUnmarked,
    /// As `AllPolled`, but no row says who changed it.
    AllUnmarked,
}

impl Sources {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Streams,
        Self::Histories,
        Self::Mixed,
        Self::OnePolled,
        Self::AllPolled,
        Self::OneUnmarked,
        Self::AllUnmarked,
    ];

    /// Does every side tell its edits one by one?
    pub fn exact(self) -> bool {
        matches!(self, Self::Streams | Self::Histories | Self::Mixed)
    }
}

/// What happens in a history besides edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Also {
    /// Nothing.
    Nothing,
    /// An operator decides about fields.
    Operator,
    /// Somebody deletes the record in a system; true = its counterparts are to be deleted too.
    Deletes(bool),
    /// An older copy of the mirror takes its place.
    Restore,
    /// Our own clock is set, forward and back.
    Jumps,
    /// An operator decides about fields, and takes back what was done.
    Undo,
    /// A system has a second record, and somebody merges the two.
    Merges,
}

impl Also {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Operator,
        Self::Deletes(false),
        Self::Deletes(true),
        Self::Restore,
        Self::Jumps,
        Self::Undo,
        Self::Merges,
    ];
}

/// One run's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The seed of every choice.
    pub seed: u64,
    /// Two or three systems.
    pub systems: usize,
    /// The policy.
    pub policy: Policy,
    /// The sources.
    pub sources: Sources,
    /// Is the first field a group of two, of which people edit one at a time?
    pub grouped: bool,
    /// Is the mirror a real store, on a disk whose power fails in the middle of commits?
    pub stored: bool,
    /// What happens besides edits.
    pub also: Also,
    /// Print what happens.
    pub trace: bool,
}

impl Options {
    /// Fields of their own, a mirror in maps, nothing but edits, nothing printed.
    pub fn new(seed: u64, systems: usize, policy: Policy, sources: Sources) -> Self {
        Self { seed, systems, policy, sources, grouped: false, stored: false, also: Also::Nothing, trace: false }
    }
}

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// The journal does not tell every value that a register has had.
    Unbooked,
    /// A stamp or a time of the journal stepped back.
    Stepped,
    /// An undo took back something else than it should.
    Miscarried,
    /// A checkpoint and the journal since then give another mirror than the one that is there.
    Unrebuilt,
    /// The final value is none that is right: an edit was lost.
    Lost,
    /// An edit on a polled side looked exactly like a write of ours whose answer was lost, and was taken for it.
    Mistaken,
    /// The sides do not show the same in the end.
    Diverged,
    /// Work is left when nothing happens any more.
    Restless,
    /// More writes than edits can explain, or writes in the silence.
    Loop,
    /// A record was created twice.
    Duplicate,
    /// What was deleted came back.
    Resurrected,
    /// What should have gone with a deleted record is still there.
    Outlived,
    /// The engine said that its view cannot be read, or the store that it cannot be opened, or does not agree with itself.
    Broken,
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was wrong, if anything.
    pub violation: Option<Violation>,
    /// Edits by people.
    pub edits: u32,
    /// Writes of ours that were accepted.
    pub writes: u32,
    /// Crashes.
    pub crashes: u32,
    /// Answers lost.
    pub lost_answers: u32,
}
