//! Background jobs without input: each looks at the state and mends it. Any of them may run at any time,
//! twice, in two processes.

mod canary;
mod receipts;
mod sample;
mod sources;

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use km_model::{Outcome, Timestamp};
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tracing::{info, warn};

pub use canary::Canary;
pub use receipts::Receipts;
pub(crate) use sample::{Acknowledged, SAMPLE_MAX};
pub use sources::{Source, SourceLimits, SourceReconciler};

use crate::port::{StoreError, Upkeep};
use crate::telemetry::Telemetry;
use crate::{Clock, LetterError, LetterOffice, WriteError};

/// A job that mends something.
#[async_trait]
pub trait Reconcile: Send + Sync {
    /// Its name in the API, in logs and in metrics.
    fn name(&self) -> &'static str;

    /// Looks at the state once, mends it, and says in words what it found.
    ///
    /// # Errors
    /// [`ReconcileError`]; the next run starts afresh.
    async fn run(&self) -> Result<String, ReconcileError>;

    /// Whether a run may be given up half-way when km stops: one that waits for other systems.
    fn may_be_cut(&self) -> bool {
        false
    }

    /// How long to wait before the next run, where that is shorter than the interval.
    fn pause(&self, every: Duration) -> Duration {
        every
    }
}

/// Why a run did not end well.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A write of the job was not acknowledged.
    #[error("a write was not acknowledged")]
    Write(#[from] WriteError),
    /// The dead letters could not be worked.
    #[error("the dead letters could not be worked")]
    Letters(#[from] LetterError),
    /// The receipts that outlive the process could not be read or written.
    #[error("the remembered receipts cannot be read or written")]
    Memory(#[source] std::io::Error),
    /// Some sources could not be asked. What the others said was taken in.
    #[error("{0}")]
    Sources(String),
    /// What was found breaks a promise.
    #[error("{0}")]
    Broken(String),
}

/// A job with its interval and what is known of its last run.
#[derive(Clone)]
pub struct Reconciler {
    job: Arc<dyn Reconcile>,
    every: Duration,
    wake: Arc<Notify>,
    last: Arc<Mutex<Option<Run>>>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
}

/// What a run of a job came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it ended well.
    pub ok: bool,
    /// What it found, or what went wrong.
    pub report: String,
}

impl Reconciler {
    /// A reconciler that runs `job` every so often.
    pub fn new(
        job: Arc<dyn Reconcile>,
        every: Duration,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Self {
        Self { job, every, wake: Arc::default(), last: Arc::default(), clock, telemetry }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.job.name()
    }

    /// How often it runs.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// Its last run.
    pub fn last(&self) -> Option<Run> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs it earlier than its interval says.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Runs it now, and remembers what it came to.
    pub async fn run_now(&self) -> Run {
        let outcome = self.job.run().await;
        let result = if outcome.is_ok() { "ok" } else { "failed" };
        self.telemetry.reconciled(self.name(), result);
        let run = match outcome {
            Ok(report) => Run { at: self.clock.now(), ok: true, report },
            Err(error) => {
                warn!(
                    reconciler = self.name(),
                    error = &error as &dyn std::error::Error,
                    "a reconciler failed"
                );
                Run { at: self.clock.now(), ok: false, report: error.to_string() }
            }
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.clone());
        run
    }

    /// Runs it at its interval and whenever it is woken, until `stopped` says so.
    pub async fn keep_running(self, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = sleep(self.job.pause(self.every)) => {}
                () = self.wake.notified() => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let cut = async {
                match self.job.may_be_cut() {
                    true => drop(stopped.wait_for(|stopped| *stopped).await),
                    false => pending().await,
                }
            };
            tokio::select! {
                _ = self.run_now() => {}
                () = cut => return,
            }
        }
    }
}

/// Keeps the links as the ledger states them.
pub struct Links {
    /// The store.
    pub upkeep: Arc<dyn Upkeep>,
    /// Where orphans are counted.
    pub telemetry: Telemetry,
}

#[async_trait]
impl Reconcile for Links {
    fn name(&self) -> &'static str {
        "links"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        let report = self.upkeep.mend_links().await?;
        self.telemetry.links_without_incident(report.without_incident);
        if report.added + report.corrected > 0 {
            info!(added = report.added, corrected = report.corrected, "links were mended");
        }
        Ok(format!(
            "{} stated, {} added, {} corrected, {} unstated, {} without incident",
            report.stated, report.added, report.corrected, report.unstated, report.without_incident
        ))
    }
}

/// Chains finished parts of the ledger, so that a later change shows.
pub struct Sealer {
    /// The store.
    pub upkeep: Arc<dyn Upkeep>,
    /// When a seal was made.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Reconcile for Sealer {
    fn name(&self) -> &'static str {
        "sealer"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        Ok(match self.upkeep.seal(self.clock.now()).await? {
            Some(seal) => format!("sealed through position {}", seal.through),
            None => "nothing new to seal".to_owned(),
        })
    }
}

/// Tries dead letters that are due, and carries bulk redrives on.
#[async_trait]
impl Reconcile for LetterOffice {
    fn name(&self) -> &'static str {
        "dead-letters"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        Ok(format!("{} tried", self.work().await?))
    }

    fn pause(&self, every: Duration) -> Duration {
        Self::pause(self, every)
    }
}

/// Whether a canary's write was applied in any way.
const fn applied(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Created | Outcome::Revised | Outcome::Replayed | Outcome::Superseded => true,
        Outcome::Parked => false,
    }
}
