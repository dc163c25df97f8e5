//! Figures of a round, medians over rounds, the table that shows them, and the goals they are held against.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::processors::{DISTURBED, Watch};

/// What one round measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    /// Writes that were acknowledged, or queries that were answered.
    pub(crate) calls: usize,
    pub(crate) took: Duration,
    /// Processor time of all calls, where it was measured.
    pub(crate) processor: Option<Duration>,
    /// Time from call to answer, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Writes in one transaction; none for queries.
    pub(crate) mean_batch: Option<f64>,
    /// Writes that were not indexed yet when the round ended.
    pub(crate) index_lag: Option<u64>,
    /// The most memory that the server used.
    pub(crate) resident_mib: Option<f64>,
}

impl Round {
    /// A round of calls that took so long each.
    pub(crate) fn of(mut latencies: Vec<Duration>, took: Duration) -> Self {
        latencies.sort_unstable();
        Self { calls: latencies.len(), took, latencies, ..Self::default() }
    }

    /// The mean batch as a number of rows; where it is not known, that of the largest batch so many callers can
    /// fill, which favours what is compared with.
    pub(crate) fn batch(&self, callers: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most some hundreds")]
        let batch = self.mean_batch.map_or(callers, |batch| batch.round() as usize);
        batch.max(1)
    }
}

/// Figures of a round, or their medians over rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    /// Processor time of one call.
    pub(crate) processor: Option<Duration>,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) mean_batch: Option<f64>,
    pub(crate) index_lag: Option<u64>,
    pub(crate) resident_mib: Option<f64>,
}

impl From<&Round> for Figures {
    fn from(round: &Round) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let calls = round.calls as f64;
        Self {
            per_second: calls / round.took.as_secs_f64(),
            processor: round.processor.map(|time| time.div_f64(calls.max(1.0))),
            p50: percentile(&round.latencies, 0.50),
            p99: percentile(&round.latencies, 0.99),
            mean_batch: round.mean_batch,
            index_lag: round.index_lag,
            resident_mib: round.resident_mib,
        }
    }
}

impl Figures {
    /// Medians of rates, times and batches; the largest lag and memory.
    fn over(rounds: &[Self]) -> Self {
        let seconds = |pick: fn(&Self) -> Duration| {
            Duration::from_secs_f64(median(rounds.iter().map(|round| pick(round).as_secs_f64())))
        };
        Self {
            per_second: median(rounds.iter().map(|round| round.per_second)),
            processor: median_of_some(
                rounds.iter().map(|round| round.processor.map(|time| time.as_secs_f64())),
            )
            .map(Duration::from_secs_f64),
            p50: seconds(|round| round.p50),
            p99: seconds(|round| round.p99),
            mean_batch: median_of_some(rounds.iter().map(|round| round.mean_batch)),
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

/// The median of those that are there.
fn median_of_some(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    (!values.is_empty()).then(|| median(values.into_iter()))
}

/// The latency below which a share of the sorted latencies lies.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Rounds of km, each followed at once by one of what it is compared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    km: Vec<Figures>,
    other: Vec<Figures>,
    watch: Option<Watch>,
    /// The largest share of the processors that other programs used during a pair.
    others: f64,
}

impl Pairs {
    /// Pairs during which nothing else should run.
    pub(crate) fn watched() -> Self {
        Self { watch: Some(Watch::begin()), ..Self::default() }
    }

    pub(crate) fn push(&mut self, km: &Round, other: impl Into<Figures>) {
        self.km.push(km.into());
        self.other.push(other.into());
        self.others = self.others.max(self.watch.as_mut().map_or(0.0, Watch::others));
    }

    pub(crate) fn km(&self) -> Figures {
        Figures::over(&self.km)
    }

    /// km's share of the other's rate: least, median and most over the pairs. The two of a pair ran side by
    /// side, so that a machine whose speed drifts moves both.
    fn ratios(&self) -> [f64; 3] {
        let rounds = self.km.iter().zip(&self.other);
        let ratios: Vec<f64> = rounds.map(|(km, other)| km.per_second / other.per_second).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        [least, median(ratios.into_iter()), most]
    }
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// The rows of a run.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Value>,
    missed: Vec<String>,
    goals: usize,
    disturbed: usize,
}

impl Report {
    /// Begins a group of rows.
    pub(crate) fn heading(&self, text: &str) {
        println!("\n{text}");
    }

    /// km beside what it is compared with; answers the median of km's shares of the other's rate.
    pub(crate) fn row(&mut self, name: &str, against: &str, pairs: &Pairs) -> f64 {
        let (km, other) = (pairs.km(), Figures::over(&pairs.other));
        let [least, ratio, most] = pairs.ratios();
        println!(
            "{name:<24}{}{}{}{} | {against}{} | ratio {ratio:.2} ({least:.2} to {most:.2})",
            shown(&km),
            km.mean_batch.map_or(String::new(), |batch| format!("  batch {batch:>5.1}")),
            km.index_lag.map_or(String::new(), |lag| format!("  index lag {lag:>6}")),
            km.resident_mib.map_or(String::new(), |mib| format!("  resident {mib:>3.0} MiB")),
            shown(&other),
        );
        self.warn(pairs.others);
        self.rows.push(json!({
            "name": name, "per_second": km.per_second, "p50_ms": milliseconds(km.p50), "p99_ms": milliseconds(km.p99),
            "processor_us": km.processor.map(microseconds), "mean_batch": km.mean_batch, "index_lag": km.index_lag, "resident_mib": km.resident_mib,
            "against": against, "against_per_second": other.per_second, "against_p50_ms": milliseconds(other.p50),
            "against_p99_ms": milliseconds(other.p99), "against_processor_us": other.processor.map(microseconds),
            "ratio": ratio, "ratio_least": least, "ratio_most": most,
            "others_share": pairs.others,
        }));
        ratio
    }

    fn warn(&mut self, others: f64) {
        if others >= DISTURBED {
            println!("    disturbed: other programs used up to {:.0} % of the processors", others * 100.0);
            self.disturbed += 1;
        }
    }

    /// A figure that stands alone.
    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &str) {
        println!("{name:<64} {value:>10.2} {unit}");
        self.rows.push(json!({ "name": name, "value": value, "unit": unit }));
    }

    /// A figure that has to reach something.
    pub(crate) fn goal(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let met = goal.is_met(value);
        let verdict = if met { "met" } else { "MISSED" };
        println!("{name:<64} {value:>10.2} {unit:<5} goal {goal}: {verdict}");
        self.rows.push(json!({
            "name": name, "value": value, "unit": unit, "goal": goal.to_string(), "met": met,
        }));
        self.goals += 1;
        if !met {
            self.missed.push(format!("{name}: {value:.2} {unit}, goal {goal}"));
        }
    }

    /// Says that something was not measured, and what would change that.
    pub(crate) fn absent(&mut self, name: &str, why: &str) {
        println!("{name}: not measured; {why}");
        self.rows.push(json!({ "name": name, "absent": why }));
    }

    /// The goals that were missed, and every row as JSON when wanted.
    pub(crate) fn finish(&self, as_json: bool) {
        if self.goals > 0 {
            println!("\n{} of {} goals met", self.goals - self.missed.len(), self.goals);
        }
        self.missed.iter().for_each(|missed| println!("  missed: {missed}"));
        if self.disturbed > 0 {
            println!(
                "{} rows were disturbed by other programs: repeat them on a quiet machine",
                self.disturbed
            );
        }
        if as_json {
            println!("{}", json!({ "rows": self.rows }));
        }
    }
}

fn shown(figures: &Figures) -> String {
    format!(
        " {:>7.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms{}",
        figures.per_second,
        milliseconds(figures.p50),
        milliseconds(figures.p99),
        figures.processor.map_or(String::new(), |time| format!("  cpu {:>5.0} µs", microseconds(time))),
    )
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_those_of_the_values() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([].into_iter()), 0.0);
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_secs).collect();
        assert_eq!(percentile(&sorted, 0.5), Duration::from_secs(51));
        assert_eq!(percentile(&sorted, 1.0), Duration::from_secs(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn a_ratio_is_the_median_of_pairs_that_ran_side_by_side() {
        let round = |calls| Round { calls, took: Duration::from_secs(1), ..Round::default() };
        let mut pairs = Pairs::default();
        for (km, other) in [(80, 100), (8, 10), (900, 1_000)] {
            pairs.push(&round(km), &round(other));
        }
        assert_eq!(pairs.ratios(), [0.8, 0.8, 0.9]);
    }

    #[test]
    fn goals_are_counted() {
        let mut report = Report::default();
        report.goal("a", 0.9, "", Goal::AtLeast(0.85));
        report.goal("b", 11.0, "ms", Goal::AtMost(10.0));
        assert_eq!((report.goals, report.missed.len()), (2, 1));
        assert!(report.missed[0].starts_with("b: 11.00 ms, goal ≤ 10"));
    }
}
