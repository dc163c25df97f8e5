//! What a layer counted, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::history::{Counts, History};

/// What one layer did and found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    pub(crate) cycles: u64,
    pub(crate) counts: Counts,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    /// How often both checkers looked at the whole store.
    pub(crate) checks: u64,
    /// What was done to km, and how often.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Answers that were no acknowledgements, by code.
    pub(crate) problems: BTreeMap<String, u64>,
    /// What acknowledgements were worth where the data lay.
    pub(crate) durability: Option<String>,
    /// How long after there was room again all clients were served, at worst.
    pub(crate) resumed_within: Option<Duration>,
    pub(crate) took: Duration,
    pub(crate) failed: bool,
}

impl Figures {
    pub(crate) fn new(name: &'static str, seed: u64) -> Self {
        Self { name, seed, ..Self::default() }
    }

    /// Counts something that was done to km.
    pub(crate) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Adds the figures of a history that is closed.
    pub(crate) fn add(&mut self, history: &History) {
        let Counts { acknowledged, unknown, resolved, refused, replayed } = history.counts();
        self.counts.acknowledged += acknowledged;
        self.counts.unknown += unknown;
        self.counts.resolved += resolved;
        self.counts.refused += refused;
        self.counts.replayed += replayed;
        for (code, count) in &history.problems {
            *self.problems.entry(code.clone()).or_default() += count;
        }
    }

    /// How far a long run has come.
    pub(crate) fn progress(&self, cycles: u64) -> String {
        let Self { name, cycles: done, counts, lost, duplicated, took, .. } = self;
        let (acknowledged, seconds) = (counts.acknowledged, took.as_secs());
        format!(
            "{name}: {done} of {cycles} cycles, {acknowledged} acknowledged, {lost} lost, {duplicated} duplicated, {seconds} s"
        )
    }

    fn json(&self) -> Value {
        let Counts { acknowledged, unknown, resolved, refused, replayed } = self.counts;
        json!({
            "name": self.name, "seed": self.seed, "cases": self.cycles, "acknowledged": acknowledged,
            "unknown": unknown, "resolved": resolved, "refused": refused, "replayed": replayed,
            "lost": self.lost, "duplicated": self.duplicated, "checks": self.checks, "faults": self.faults,
            "problems": self.problems,
            "durability": self.durability,
            "resumed_within_seconds": self.resumed_within.map(|time| time.as_secs_f64()), "seconds": self.took.as_secs_f64(), "passed": !self.failed,
        })
    }

    fn cells(&self) -> [String; 12] {
        let Counts { acknowledged, unknown, resolved, refused, replayed } = self.counts;
        let counts =
            [self.cycles, acknowledged, unknown, resolved, refused, replayed, self.lost, self.duplicated];
        let [cycles, acknowledged, unknown, resolved, refused, replayed, lost, duplicated] =
            counts.map(|count| count.to_string());
        let seconds = format!("{:.1}", self.took.as_secs_f64());
        let verdict = if self.failed { "FAILED" } else { "held" };
        [
            self.name.to_owned(),
            self.seed.to_string(),
            cycles,
            acknowledged,
            unknown,
            resolved,
            refused,
            replayed,
            lost,
            duplicated,
            seconds,
            verdict.to_owned(),
        ]
    }

    /// What was done to km, in one line.
    fn remarks(&self) -> String {
        let faults = self.faults.iter().map(|(name, count)| format!("{count} {name}"));
        let checks = format!("{} checks", self.checks);
        let problems = self.problems.iter().map(|(code, count)| format!("{count} {code}"));
        let durability = self.durability.iter().map(|class| format!("durability {class}"));
        let resumed = self.resumed_within.iter().map(|time| format!("resumed within {time:.1?}"));
        faults.chain([checks]).chain(problems).chain(durability).chain(resumed).collect::<Vec<_>>().join(", ")
    }
}

const HEADINGS: [&str; 12] = [
    "layer",
    "seed",
    "cycles",
    "acknowledged",
    "unknown",
    "resolved",
    "refused",
    "replayed",
    "lost",
    "duplicated",
    "seconds",
    "promise",
];

/// Prints the figures of all layers.
pub(crate) fn print(layers: &[Figures], as_json: bool) {
    let rows: Vec<_> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(layers.iter().map(Figures::cells)).collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default())
        .collect();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    for figures in layers {
        println!("{}: {}", figures.name, figures.remarks());
    }
    if as_json {
        let layers: Vec<Value> = layers.iter().map(Figures::json).collect();
        println!("{}", json!({ "layers": layers }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_holds_what_the_plan_of_proofs_asks_for() {
        let mut figures = Figures::new("T4", 7);
        figures.fault("kills under load");
        let json = figures.json();
        for name in ["name", "cases", "acknowledged", "lost", "duplicated", "seed", "seconds"] {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["lost"], 0);
    }
}
