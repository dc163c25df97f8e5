//! Figures of a round, medians over rounds, and the table that shows them.

use std::time::Duration;

use serde_json::{Value, json};

/// What one round measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) writes: usize,
    pub(crate) took: Duration,
    /// Time from call to answer, sorted.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) mean_batch: f64,
    /// Writes that were not indexed yet when the round ended.
    pub(crate) index_lag: Option<u64>,
    pub(crate) resident_mib: Option<f64>,
}

/// Medians over rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) mean_batch: f64,
    pub(crate) index_lag: Option<u64>,
    pub(crate) resident_mib: Option<f64>,
}

impl Figures {
    pub(crate) fn of_rounds(rounds: &[Round]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of writes")]
        let rate = |round: &Round| round.writes as f64 / round.took.as_secs_f64();
        Self {
            per_second: median(rounds.iter().map(rate)),
            p50: Duration::from_secs_f64(median(rounds.iter().map(|r| percentile(&r.latencies, 0.50)))),
            p99: Duration::from_secs_f64(median(rounds.iter().map(|r| percentile(&r.latencies, 0.99)))),
            mean_batch: median(rounds.iter().map(|round| round.mean_batch)),
            index_lag: rounds.iter().filter_map(|round| round.index_lag).max(),
            resident_mib: rounds.iter().filter_map(|round| round.resident_mib).reduce(f64::max),
        }
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The latency in seconds below which a share of the sorted latencies lies.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, Duration::as_secs_f64)
}

/// The rows of a run.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Value>,
}

impl Report {
    pub(crate) fn row(&mut self, name: &str, km: &Figures, against: &str, other: &Figures) {
        let ratio = km.per_second / other.per_second;
        println!(
            "{name:<28} {:>8.0}/s  p50 {:>8.2} ms  p99 {:>8.2} ms  batch {:>5.1}  | {against} {:>8.0}/s p50 {:.2} ms | ratio {ratio:.2}{}{}",
            km.per_second,
            milliseconds(km.p50),
            milliseconds(km.p99),
            km.mean_batch,
            other.per_second,
            milliseconds(other.p50),
            km.index_lag.map_or(String::new(), |lag| format!("  index lag {lag}")),
            km.resident_mib.map_or(String::new(), |mib| format!("  resident {mib:.0} MiB")),
        );
        self.rows.push(json!({
            "name": name, "per_second": km.per_second, "p50_ms": milliseconds(km.p50), "p99_ms": milliseconds(km.p99),
            "mean_batch": km.mean_batch, "index_lag": km.index_lag, "resident_mib": km.resident_mib,
            "against": against, "against_per_second": other.per_second, "against_p50_ms": milliseconds(other.p50),
            "ratio": ratio,
        }));
    }

    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &str) {
        println!("{name:<48} {value:>10.2} {unit}");
        self.rows.push(json!({ "name": name, "value": value, "unit": unit }));
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", json!({ "rows": self.rows }));
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
