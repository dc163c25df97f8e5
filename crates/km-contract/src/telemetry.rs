//! Every metric of the contract, by name.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use km_model::{PathKind, TenantId};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::port::StoreErrorKind;
use crate::reconcile::{Acknowledged, SAMPLE_MAX};
use crate::{Receipt, WriteError, Written};

/// What the contract leaves alone when it fails.
const STORE: DependencyLabels = DependencyLabels { dependency: "store" };
/// Every reason for which a write is not kept.
const REASONS: [&str; 7] =
    ["invalid", "conflict", "unstorable", "overloaded", "unavailable", "stopping", "unknown"];

/// The metrics of the write path. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Metrics>);

struct Metrics {
    writes: Family<WriteLabels, Counter>,
    write_seconds: Family<PathLabels, Histogram>,
    batch_writes: Histogram,
    commit_seconds: Family<StoreLabels, Histogram>,
    retries: Family<ClassLabels, Counter>,
    unknown: Counter,
    refused: Family<ReasonLabels, Counter>,
    breaker: Family<DependencyLabels, Gauge>,
    dead_letters: Family<LetterLabels, Gauge>,
    dead_letters_limit_ratio: Gauge<f64, AtomicU64>,
    dead_letter_oldest_seconds: Gauge,
    redriven: Family<OutcomeLabels, Counter>,
    links_without_incident: Gauge,
    reconcile_runs: Family<ReconcileLabels, Counter>,
    acknowledged_missing: Gauge,
    canary: Gauge,
    sample: Mutex<VecDeque<Acknowledged>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WriteLabels {
    path: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PathLabels {
    path: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StoreLabels {
    store: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DependencyLabels {
    dependency: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LetterLabels {
    state: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReconcileLabels {
    reconciler: &'static str,
    result: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Telemetry {
    /// The metrics, named in `registry`. Counters of loss are there from the start, at 0.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            writes: Family::default(),
            write_seconds: Family::new_with_constructor(seconds),
            batch_writes: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            commit_seconds: Family::new_with_constructor(seconds),
            retries: Family::default(),
            unknown: Counter::default(),
            refused: Family::default(),
            breaker: Family::default(),
            dead_letters: Family::default(),
            dead_letters_limit_ratio: Gauge::default(),
            dead_letter_oldest_seconds: Gauge::default(),
            redriven: Family::default(),
            links_without_incident: Gauge::default(),
            reconcile_runs: Family::default(),
            acknowledged_missing: Gauge::default(),
            canary: Gauge::default(),
            sample: Mutex::default(),
        };
        for kind in StoreErrorKind::ALL {
            drop(metrics.retries.get_or_create(&ClassLabels { class: kind.as_str() }));
        }
        for reason in REASONS {
            drop(metrics.refused.get_or_create(&ReasonLabels { reason }));
        }
        metrics.breaker.get_or_create(&STORE).set(0);
        let km = registry.sub_registry_with_prefix("km");
        km.register("writes", "Writes answered, by path and outcome", metrics.writes.clone());
        km.register("write_seconds", "Time from intake to answer", metrics.write_seconds.clone());
        km.register("batch_writes", "Writes in one transaction", metrics.batch_writes.clone());
        km.register(
            "store_commit_seconds",
            "Time of one try to commit a batch",
            metrics.commit_seconds.clone(),
        );
        km.register("retries", "Tries that were repeated, by class of failure", metrics.retries.clone());
        km.register("unknown", "Writes whose outcome was in doubt at the deadline", metrics.unknown.clone());
        km.register("refused", "Writes that were not kept, by reason", metrics.refused.clone());
        km.register("breaker_state", "1 while the store is left alone", metrics.breaker.clone());
        km.register("dead_letters", "Dead letters by state and class", metrics.dead_letters.clone());
        let full = metrics.dead_letters_limit_ratio.clone();
        km.register("dead_letters_limit_ratio", "Share of the limit on dead letters that is used up", full);
        let oldest = metrics.dead_letter_oldest_seconds.clone();
        km.register("dead_letter_oldest_seconds", "Age of the oldest undecided dead letter", oldest);
        km.register("redriven", "Dead letters tried again, by outcome", metrics.redriven.clone());
        let orphans = metrics.links_without_incident.clone();
        km.register("links_without_incident", "Links whose incident nobody has written about", orphans);
        km.register("reconcile_runs", "Runs of the reconcilers", metrics.reconcile_runs.clone());
        let missing = metrics.acknowledged_missing.clone();
        km.register(
            "acknowledged_missing",
            "Acknowledged writes that the store no longer has as they were",
            missing,
        );
        let canary = metrics.canary.clone();
        km.register(
            "canary_last_success_timestamp_seconds",
            "When the canary was last written and read",
            canary,
        );
        Self(Arc::new(metrics))
    }

    pub(crate) fn answered(&self, path: PathKind, took: Duration, answer: &Result<Written, WriteError>) {
        let path = path.as_str();
        let outcome = match answer {
            Ok(written) => written.outcome.as_str(),
            Err(error) => {
                let reason = reason_of(error);
                if reason == "unknown" {
                    self.0.unknown.inc();
                }
                self.0.refused.get_or_create(&ReasonLabels { reason }).inc();
                reason
            }
        };
        self.0.writes.get_or_create(&WriteLabels { path, outcome }).inc();
        self.0.write_seconds.get_or_create(&PathLabels { path }).observe(took.as_secs_f64());
    }

    pub(crate) fn acknowledged(&self, tenant: &TenantId, receipt: &Receipt) {
        let mut sample = self.0.sample.lock().unwrap_or_else(PoisonError::into_inner);
        if sample.len() == SAMPLE_MAX {
            sample.pop_front();
        }
        sample.push_back(Acknowledged {
            tenant: tenant.clone(),
            write_id: receipt.write_id().clone(),
            entry_id: receipt.entry_id(),
            revision: receipt.revision(),
            content_hash: *receipt.content_hash(),
        });
    }

    /// The receipts given most recently, at most 1,024.
    pub(crate) fn recent_receipts(&self) -> Vec<Acknowledged> {
        self.0.sample.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub(crate) fn batch(&self, writes: usize) {
        self.0.batch_writes.observe(writes as f64);
    }

    pub(crate) fn committed(&self, store: &'static str, took: Duration) {
        self.0.commit_seconds.get_or_create(&StoreLabels { store }).observe(took.as_secs_f64());
    }

    pub(crate) fn retried(&self, kind: StoreErrorKind) {
        self.0.retries.get_or_create(&ClassLabels { class: kind.as_str() }).inc();
    }

    pub(crate) fn breaker(&self, open: bool) {
        self.0.breaker.get_or_create(&STORE).set(i64::from(open));
    }

    pub(crate) fn letters(&self, counts: &[crate::port::LetterCount], oldest_seconds: i64, full: f64) {
        self.0.dead_letters_limit_ratio.set(full);
        self.0.dead_letters.clear();
        for count in counts {
            let labels = LetterLabels { state: count.state.as_str(), class: count.class.as_str() };
            self.0.dead_letters.get_or_create(&labels).set(i64::try_from(count.letters).unwrap_or(i64::MAX));
        }
        self.0.dead_letter_oldest_seconds.set(oldest_seconds);
    }

    pub(crate) fn redriven(&self, outcome: &'static str) {
        self.0.redriven.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn links_without_incident(&self, links: u64) {
        self.0.links_without_incident.set(i64::try_from(links).unwrap_or(i64::MAX));
    }

    pub(crate) fn reconciled(&self, reconciler: &'static str, result: &'static str) {
        self.0.reconcile_runs.get_or_create(&ReconcileLabels { reconciler, result }).inc();
    }

    pub(crate) fn acknowledged_missing(&self, writes: usize) {
        self.0.acknowledged_missing.set(i64::try_from(writes).unwrap_or(i64::MAX));
    }

    pub(crate) fn canary_succeeded(&self, at: km_model::Timestamp) {
        self.0.canary.set(at.as_micros() / 1_000_000);
    }
}

fn reason_of(error: &WriteError) -> &'static str {
    match error {
        WriteError::Refused(_) => "invalid",
        WriteError::Conflict { .. } => "conflict",
        WriteError::Unstorable(_) => "unstorable",
        WriteError::Overloaded { .. } => "overloaded",
        WriteError::Unavailable { .. } => "unavailable",
        WriteError::Stopping => "stopping",
        WriteError::Unknown { .. } => "unknown",
    }
}
