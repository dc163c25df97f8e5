//! Where dead letters are kept and decided.

use std::borrow::Cow;

use async_trait::async_trait;
use km_model::{ContentHash, LetterState, TenantId, Timestamp, WriteId};

use super::{Page, Position, StoreError, StoreErrorKind};

/// Dead letters: rows of the ledger that were kept and not applied. A letter's id is its write id.
#[async_trait]
pub trait Letters: Send + Sync {
    /// Keeps a letter whole, as `parked`. Parking the same write id again changes nothing.
    ///
    /// # Errors
    /// `Exhausted` with the code `DEAD_LETTERS_FULL` at the limit of count or bytes.
    async fn park(&self, letter: &NewLetter) -> Result<Parked, StoreError>;

    /// Letters that pass `filter`, the newest first.
    ///
    /// # Errors
    /// The store's failure; so for every call here.
    async fn letters(
        &self,
        filter: &LetterFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<LetterSummary>, StoreError>;

    /// One letter with its payload and its history.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn letter(&self, tenant: &TenantId, id: &WriteId) -> Result<Option<Letter>, StoreError>;

    /// Carries out what was decided about a letter, and writes it into its history.
    ///
    /// # Errors
    /// The outer error is the store's; the inner says why the letter cannot be decided so.
    async fn decide(
        &self,
        tenant: &TenantId,
        id: &WriteId,
        decision: &Decision,
        by: &str,
        at: Timestamp,
    ) -> Result<Result<LetterState, Undecidable>, StoreError>;

    /// The pending letters of all tenants whose next try is due, the longest due first.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, WriteId)>, StoreError>;

    /// How many letters there are, by state and class.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn letter_counts(&self) -> Result<Vec<LetterCount>, StoreError>;

    /// Keeps how far a bulk redrive is, so that it outlives the process; `false` when it is not running any more,
    /// and nothing was changed.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn save_redrive(&self, redrive: &Redrive) -> Result<bool, StoreError>;

    /// Ends a bulk redrive where it is; `false` when there is none that is running.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn cancel_redrive(&self, tenant: &TenantId, id: &str) -> Result<bool, StoreError>;

    /// One bulk redrive of a tenant.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn redrive(&self, tenant: &TenantId, id: &str) -> Result<Option<Redrive>, StoreError>;

    /// The bulk redrives of all tenants that are still running, the oldest first.
    ///
    /// # Errors
    /// As [`Letters::letters`].
    async fn running_redrives(&self) -> Result<Vec<Redrive>, StoreError>;
}

/// A write to be kept without being applied.
#[derive(Clone, Debug)]
pub struct NewLetter {
    /// Whose it is.
    pub tenant: TenantId,
    /// The letter's id.
    pub id: WriteId,
    /// How to read the payload.
    pub format: LetterFormat,
    /// The canonical document or the raw body, without secrets.
    pub payload: Vec<u8>,
    /// Why it was not applied.
    pub reason: Reason,
    /// When.
    pub at: Timestamp,
}

/// How a letter's payload is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterFormat {
    /// The canonical document of one write.
    Write,
    /// The body of an Alertmanager notification.
    Alertmanager,
    /// The body of a generic webhook.
    Generic,
}

impl LetterFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Write, Self::Alertmanager, Self::Generic];

    /// The name in the API and on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Alertmanager => "alertmanager",
            Self::Generic => "generic",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// Why a write was not applied: class, code and template, never a value that could be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The class of the failure.
    pub class: StoreErrorKind,
    /// A stable code.
    pub code: Cow<'static, str>,
    /// A sentence without data.
    pub template: Cow<'static, str>,
}

/// The answer to parking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// When it was kept first.
    pub stored_at: Timestamp,
    /// SHA-256 of the payload.
    pub content_hash: ContentHash,
}

/// Which letters to look at. All conditions must hold.
#[derive(Clone, Debug)]
pub struct LetterFilter {
    /// Whose letters.
    pub tenant: TenantId,
    /// In this state.
    pub state: Option<LetterState>,
    /// Of this format.
    pub format: Option<LetterFormat>,
    /// With this reason code.
    pub code: Option<String>,
}

/// A letter without its payload.
#[derive(Clone, Debug)]
pub struct LetterSummary {
    /// Whose it is.
    pub tenant: TenantId,
    /// The letter's id.
    pub id: WriteId,
    /// Its place in listings.
    pub position: i64,
    /// Where it stands.
    pub state: LetterState,
    /// How to read the payload.
    pub format: LetterFormat,
    /// Why it was not applied, by the last try.
    pub reason: Reason,
    /// How often it was tried again.
    pub tries: u32,
    /// When it will be tried by itself; only while pending.
    pub next_try_at: Option<Timestamp>,
    /// When it was kept first.
    pub stored_at: Timestamp,
    /// Size of the payload.
    pub payload_bytes: usize,
}

/// A letter with all that happened to it.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What lists show of it.
    pub summary: LetterSummary,
    /// What would be applied now.
    pub payload: Vec<u8>,
    /// The payload as it came in, when it was edited since.
    pub original: Option<Vec<u8>>,
    /// What happened, the oldest first.
    pub events: Vec<LetterEvent>,
}

/// Something that happened to a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterEvent {
    /// When.
    pub at: Timestamp,
    /// Who: a key's name, or `km` itself.
    pub by: String,
    /// `parked`, `edited`, `redriven`, `tried`, `settled`, `discarded`.
    pub what: String,
    /// More, in words, without data.
    pub detail: String,
}

/// What can be decided about a letter.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Apply this instead; the original stays.
    Edit {
        /// The new payload, without secrets.
        payload: Vec<u8>,
        /// How to read it.
        format: LetterFormat,
    },
    /// Try it again soon.
    Redrive,
    /// What it said was applied.
    Settle {
        /// The hash of the payload that was applied.
        of: ContentHash,
    },
    /// A try failed: again at `next_try_at`, or parked when `None`.
    Fail {
        /// The hash of the payload that was tried.
        of: ContentHash,
        /// Why.
        reason: Reason,
        /// When to try again; `None` leaves it to a person.
        next_try_at: Option<Timestamp>,
        /// Whether the try counts; not when the store as a whole was down.
        counted: bool,
    },
    /// It will not be applied; it stays readable.
    Discard {
        /// Why, in the operator's words.
        reason: String,
    },
}

/// Why a letter cannot be decided so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecidable {
    /// There is no such letter.
    NotFound,
    /// It was applied or discarded already.
    Closed(LetterState),
    /// It says something else by now: what was tried is not what would be applied.
    Changed,
}

/// How many letters there are of one state and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterCount {
    /// The state.
    pub state: LetterState,
    /// The class of the last failure.
    pub class: StoreErrorKind,
    /// How many.
    pub letters: u64,
    /// How many bytes of payload.
    pub bytes: u64,
    /// When the oldest was kept.
    pub oldest: Timestamp,
}

/// A bulk redrive: which letters, how fast, how far.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// Its id.
    pub id: String,
    /// Which letters.
    pub filter: LetterFilter,
    /// At most so many letters a second.
    pub per_second: u32,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: RedriveState,
    /// Letters below this position remain to be tried; `None` before the first page.
    pub cursor: Option<Position>,
    /// Letters that were tried.
    pub tried: u64,
    /// Letters that were applied.
    pub settled: u64,
    /// Letters that failed again.
    pub failed: u64,
}

/// Where a bulk redrive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedriveState {
    /// It goes on, also after a restart.
    Running,
    /// It came to its end.
    Done,
    /// Somebody stopped it.
    Cancelled,
}

impl RedriveState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Cancelled];

    /// The name in the API and on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
