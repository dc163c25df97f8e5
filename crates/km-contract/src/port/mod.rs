//! What the contract asks of a store, and of monitoring systems. One store implements all of the ports but
//! [`Monitor`]; the suite in `conformance` says what each promise means.
//!
//! Every call may be dropped by its caller: a change that was begun is then finished or undone whole.

mod audit;
mod error;
mod keys;
mod ledger;
mod letters;
mod library;
mod monitor;
mod sources;
mod upkeep;

use std::sync::Arc;

use crate::HealthBoard;

pub use audit::{
    AlertRow, ApprovalRow, Audit, Columns, EntryRow, LedgerRow, LetterEventRow, LetterRow, LetterStanding,
    LinkRow, OccurrenceRow, Seal, Snapshot,
};
pub use error::{BAD_CURSOR, DEAD_LETTERS_FULL, Disposition, StoreError, StoreErrorKind};
pub use keys::{ApiKey, KeyDigest, Keys, Scope};
pub use ledger::{Committed, Ledger, OnApplied, Placement, Record, RecordState};
pub use letters::{
    Decision, Letter, LetterCount, LetterEvent, LetterFilter, LetterFormat, LetterSummary, Letters,
    NewLetter, Parked, Reason, Redrive, RedriveState, Undecidable,
};
pub use library::{
    Chain, Entry, Filter, Highlight, Hit, Library, Page, Position, Revision, SearchPage, SearchRequest,
    Searched,
};
pub use monitor::{FiringSeries, Monitor, MonitorError, Sighting};
pub use sources::Sources;
pub use upkeep::{LinkReport, Measures, Upkeep};

/// One store, behind every port it serves.
#[derive(Clone)]
pub struct Store {
    /// What it is, in metrics.
    pub name: &'static str,
    /// Where writes and alerts go.
    pub ledger: Arc<dyn Ledger>,
    /// Where knowledge is read.
    pub library: Arc<dyn Library>,
    /// Where dead letters are worked.
    pub letters: Arc<dyn Letters>,
    /// What reconcilers mend.
    pub upkeep: Arc<dyn Upkeep>,
    /// What source reconciliation compares and remembers.
    pub sources: Arc<dyn Sources>,
    /// Where API keys are kept.
    pub keys: Arc<dyn Keys>,
    /// What `km verify` reads.
    pub audit: Arc<dyn Audit>,
    /// Whether all of this can be trusted.
    pub health: HealthBoard,
}

impl Store {
    /// A bundle whose every port is `store`, which tells its failures on `health`.
    pub fn new<S: Ledger + Library + Letters + Upkeep + Sources + Keys + Audit + 'static>(
        name: &'static str,
        store: Arc<S>,
        health: HealthBoard,
    ) -> Self {
        Self {
            name,
            ledger: store.clone(),
            library: store.clone(),
            letters: store.clone(),
            upkeep: store.clone(),
            sources: store.clone(),
            keys: store.clone(),
            audit: store,
            health,
        }
    }
}
