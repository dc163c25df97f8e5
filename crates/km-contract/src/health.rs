//! Whether writes can be served: one board, read by everybody, written by whoever meets a failure.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::port::{Disposition, StoreError, StoreErrorKind};

/// Whether writes can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Writes are served.
    Ready,
    /// The store is left alone for a while; it resumes by itself.
    Degraded {
        /// The class of the last failure.
        kind: StoreErrorKind,
        /// Its code.
        code: String,
    },
    /// The store can no longer be trusted: the process has to end.
    Failed {
        /// The code of the failure.
        code: String,
    },
}

/// The board. Cheap to clone; a store makes it, and shares it with the contract in front of it.
///
/// What it says of a failed store it says for good.
#[derive(Clone)]
pub struct HealthBoard(Arc<watch::Sender<Health>>);

impl Default for HealthBoard {
    fn default() -> Self {
        Self(Arc::new(watch::channel(Health::Ready).0))
    }
}

impl HealthBoard {
    /// The health, now and as it changes.
    pub fn subscribe(&self) -> watch::Receiver<Health> {
        self.0.subscribe()
    }

    /// Passes a result of the store on, and ends the service if it says that the store cannot be trusted.
    pub fn examine<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && error.disposition() == Disposition::Stop
        {
            self.fail(error);
        }
        result
    }

    /// Whether the store may be asked to change something.
    ///
    /// # Errors
    /// `Fatal`, with the code of the failure after which it may not.
    pub fn trusted(&self) -> Result<(), StoreError> {
        match &*self.0.borrow() {
            Health::Failed { code } => Err(StoreError::bare(StoreErrorKind::Fatal, code.clone())),
            Health::Ready | Health::Degraded { .. } => Ok(()),
        }
    }

    /// Ends the service: nothing that the store says from now on can be trusted.
    pub(crate) fn fail(&self, cause: &StoreError) {
        let failed = Health::Failed { code: cause.code.to_string() };
        let first = self.0.send_if_modified(|health| {
            let first = !matches!(health, Health::Failed { .. });
            if first {
                *health = failed;
            }
            first
        });
        if first {
            error!(error = cause as &dyn std::error::Error, "the store cannot be trusted any longer");
        }
    }

    /// Says why the store is left alone.
    pub(crate) fn degrade(&self, cause: &StoreError) {
        let became =
            self.change(Health::Ready, Health::Degraded { kind: cause.kind, code: cause.code.to_string() });
        if became {
            warn!(error = cause as &dyn std::error::Error, "the store is left alone for a while");
        }
    }

    /// Says that the store serves again.
    pub(crate) fn recover(&self) {
        let degraded = self.0.borrow().clone();
        if matches!(degraded, Health::Degraded { .. }) && self.change(degraded, Health::Ready) {
            info!("the store takes writes again");
        }
    }

    fn change(&self, from: Health, to: Health) -> bool {
        self.0.send_if_modified(|health| {
            let changes = *health == from;
            if changes {
                *health = to;
            }
            changes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: StoreErrorKind) -> StoreError {
        StoreError::bare(kind, "CODE")
    }

    #[test]
    fn a_failed_store_stays_failed() {
        let board = HealthBoard::default();
        board.degrade(&error(StoreErrorKind::Exhausted));
        assert!(board.trusted().is_ok());
        assert!(board.examine::<()>(Err(error(StoreErrorKind::Fatal))).is_err());
        board.recover();
        board.degrade(&error(StoreErrorKind::Transient));
        assert_eq!(*board.subscribe().borrow(), Health::Failed { code: "CODE".to_owned() });
        assert!(board.trusted().is_err());
    }

    #[test]
    fn only_a_fatal_failure_ends_the_service() {
        let board = HealthBoard::default();
        for kind in StoreErrorKind::ALL.into_iter().filter(|kind| *kind != StoreErrorKind::Fatal) {
            assert!(board.examine::<()>(Err(error(kind))).is_err());
        }
        assert_eq!(*board.subscribe().borrow(), Health::Ready);
    }
}
