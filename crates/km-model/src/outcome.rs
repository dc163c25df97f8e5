//! What became of a write, and what its acknowledgement is worth.

/// What the caller of a write is told when the write was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The first revision of its entry.
    Created,
    /// The new head of its entry; the old head is history.
    Revised,
    /// The same write was applied before; its receipt is given again.
    Replayed,
    /// Kept as history: a newer revision is the head.
    Superseded,
    /// Kept whole as a dead letter; a person must decide.
    Parked,
}

impl Outcome {
    /// Every outcome, for tables and metrics.
    pub const ALL: [Self; 5] = [Self::Created, Self::Revised, Self::Replayed, Self::Superseded, Self::Parked];

    /// The name in the API, on disk and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Revised => "revised",
            Self::Replayed => "replayed",
            Self::Superseded => "superseded",
            Self::Parked => "parked",
        }
    }

    /// The outcome with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// What an acknowledgement is worth: measured when the store is opened, never assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Flushed to a local disk before the acknowledgement.
    Disk,
    /// On a file system that a restart of the machine or container may empty.
    Volatile,
}

impl Durability {
    /// Every class, for tables and metrics.
    pub const ALL: [Self; 2] = [Self::Disk, Self::Volatile];

    /// The name in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Volatile => "volatile",
        }
    }
}

/// Where a dead letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterState {
    /// Will be tried again by itself.
    Pending,
    /// A person must decide.
    Parked,
    /// Was applied; its history stays.
    Settled,
    /// A person decided against it, with a reason; its payload stays.
    Discarded,
}

impl LetterState {
    /// Every state, for tables and metrics.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Parked, Self::Settled, Self::Discarded];

    /// The name in the API, on disk and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Parked => "parked",
            Self::Settled => "settled",
            Self::Discarded => "discarded",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
