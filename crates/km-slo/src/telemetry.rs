//! Every metric of the governance, by name. They are there only where objectives are configured.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use km_model::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::evaluate::State;
use crate::report::{Line, Report};

type Ratio = Gauge<f64, AtomicU64>;

/// The metrics of the governance. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Metrics>);

struct Metrics {
    objectives: Family<StateLabels, Gauge>,
    violated: Family<SloLabels, Gauge>,
    budget: Family<SloLabels, Ratio>,
    coverage: Ratio,
    self_failure: Gauge,
    last_run: Gauge<f64, AtomicU64>,
    interval: Gauge<f64, AtomicU64>,
    untold: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

/// The objectives are a closed set: those of the configuration, at most 1,000.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SloLabels {
    service: String,
    slo: String,
}

/// The states by which objectives are counted.
const STATES: [&str; 4] = ["ok", "violated", "no_data", "error"];

impl Telemetry {
    /// The metrics, named in `registry`. A run is due every `interval`.
    pub fn register(registry: &mut Registry, interval: Duration) -> Self {
        let metrics = Metrics {
            objectives: Family::default(),
            violated: Family::default(),
            budget: Family::default(),
            coverage: Gauge::default(),
            self_failure: Gauge::default(),
            last_run: Gauge::default(),
            interval: Gauge::default(),
            untold: Counter::default(),
        };
        metrics.interval.set(interval.as_secs_f64());
        let km = registry.sub_registry_with_prefix("km");
        km.register(
            "slo_objectives",
            "Objectives by what the last run said of them",
            metrics.objectives.clone(),
        );
        km.register(
            "slo_violated",
            "1 for an objective that is broken, 0 for one that is kept",
            metrics.violated.clone(),
        );
        let budget = metrics.budget.clone();
        km.register(
            "slo_error_budget_remaining_ratio",
            "What is left of an error budget; 1 at first",
            budget,
        );
        let coverage = metrics.coverage.clone();
        km.register("slo_coverage_ratio", "Share of the weight that the last run could evaluate", coverage);
        let failure = metrics.self_failure.clone();
        km.register(
            "governance_self_failure",
            "1 when the last run could not look, or had nothing to",
            failure,
        );
        let last = metrics.last_run.clone();
        km.register(
            "governance_last_run_timestamp_seconds",
            "When the last run ended; 0 before the first",
            last,
        );
        let interval = metrics.interval.clone();
        km.register("governance_interval_seconds", "How often a run is due", interval);
        let untold = metrics.untold.clone();
        km.register("governance_alerts_untold", "Times that an Alertmanager did not take an alert", untold);
        Self(Arc::new(metrics))
    }

    /// Takes over what a run that ended at `at` came to.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit a double well enough")]
    pub(crate) fn ran(&self, report: &Report, at: Timestamp) {
        let metrics = &self.0;
        let counted = [
            report.meta.ok_count,
            report.meta.violated_count,
            report.meta.no_data_count,
            report.meta.error_count,
        ];
        for (state, count) in STATES.into_iter().zip(counted) {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            metrics.objectives.get_or_create(&StateLabels { state }).set(count);
        }
        for line in &report.objectives {
            self.judged(line);
        }
        metrics.coverage.set(report.meta.coverage);
        metrics.self_failure.set(i64::from(report.meta.self_failure));
        metrics.last_run.set(at.as_micros() as f64 / 1e6);
    }

    /// Of an objective that was skipped nothing is claimed: it is neither broken nor kept.
    fn judged(&self, line: &Line) {
        let labels = SloLabels { service: line.service.clone(), slo: line.slo.clone() };
        if let Some(remaining) = line.budget_remaining {
            self.0.budget.get_or_create(&labels).set(remaining);
            self.0.violated.get_or_create(&labels).set(i64::from(line.state == State::Violated));
        } else {
            self.0.budget.remove(&labels);
            self.0.violated.remove(&labels);
        }
    }

    pub(crate) fn untold(&self, peers: usize) {
        self.0.untold.inc_by(peers as u64);
    }
}
