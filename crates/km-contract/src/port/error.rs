//! What can go wrong in a store, by what to do about it.

use std::borrow::Cow;
use std::error::Error;

use thiserror::Error;

/// A failed call to a store: its class, its driver's code, and its cause. Shown and kept without the
/// cause's text, which may quote data.
#[derive(Debug, Error)]
#[error("the store answered {} ({code})", kind.as_str())]
pub struct StoreError {
    /// What kind of failure it is; decides what happens next.
    pub kind: StoreErrorKind,
    /// The driver's own code, such as `SQLITE_FULL`.
    pub code: Cow<'static, str>,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// The code of an [`StoreErrorKind::Exhausted`] at the limit of dead letters.
pub const DEAD_LETTERS_FULL: &str = "DEAD_LETTERS_FULL";
/// The code of a [`StoreErrorKind::Refused`] for a cursor that this store did not give out.
pub const BAD_CURSOR: &str = "BAD_CURSOR";

/// The exhaustive classes of store failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// May succeed when tried again: contention, a lost connection before COMMIT.
    Transient,
    /// In doubt: it died after COMMIT was handed over. Only doing the same again resolves it.
    Unknown,
    /// This write's own fault: the store will never take it as it is.
    Refused,
    /// Out of disk or memory; resumes by itself when there is room.
    Exhausted,
    /// Our fault, not the write's: a missing table, a wrong password.
    Misconfigured,
    /// The store can no longer be trusted: a failed flush, a corrupt page.
    Fatal,
}

/// What the contract does about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Try the same write ids again, within the deadline.
    Retry,
    /// The caller must change something.
    CallersTurn,
    /// Keep it elsewhere, or say that it cannot be kept; the store is asked again later.
    StandBack,
    /// Stop serving writes and exit.
    Stop,
}

impl StoreErrorKind {
    /// Every class, for tables and metrics.
    pub const ALL: [Self; 6] =
        [Self::Transient, Self::Unknown, Self::Refused, Self::Exhausted, Self::Misconfigured, Self::Fatal];

    /// The name in metrics, logs and dead letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Misconfigured => "misconfigured",
            Self::Fatal => "fatal",
        }
    }

    /// The one decision about this class.
    pub const fn disposition(self) -> Disposition {
        match self {
            Self::Transient | Self::Unknown => Disposition::Retry,
            Self::Refused => Disposition::CallersTurn,
            Self::Exhausted | Self::Misconfigured => Disposition::StandBack,
            Self::Fatal => Disposition::Stop,
        }
    }
}

impl StoreError {
    /// A failure with the error that caused it.
    pub fn new(
        kind: StoreErrorKind,
        code: impl Into<Cow<'static, str>>,
        cause: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self { kind, code: code.into(), cause: Some(Box::new(cause)) }
    }

    /// A failure that the code explains by itself.
    pub fn bare(kind: StoreErrorKind, code: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code: code.into(), cause: None }
    }

    /// What to do about it.
    pub const fn disposition(&self) -> Disposition {
        self.kind.disposition()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_one_disposition() {
        use Disposition::{CallersTurn, Retry, StandBack, Stop};
        let expected = [Retry, Retry, CallersTurn, StandBack, StandBack, Stop];
        assert_eq!(StoreErrorKind::ALL.map(StoreErrorKind::disposition), expected);
    }

    #[test]
    fn the_text_of_a_failure_quotes_no_cause() {
        let error =
            StoreError::new(StoreErrorKind::Refused, "SQLITE_TOOBIG", std::io::Error::other("secret"));
        assert_eq!(error.to_string(), "the store answered refused (SQLITE_TOOBIG)");
    }
}
