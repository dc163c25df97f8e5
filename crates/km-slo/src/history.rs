//! What is remembered between runs and across restarts: the state of the alert, and how the error budgets went. One
//! small file, bounded, replaced whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use km_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alarm::Alarm;
use crate::report::Report;

/// The version of the file.
const VERSION: u32 = 1;
/// The largest file that is read: more than every objective takes.
const BYTES_MAX: u64 = 16 << 20;
/// Points that are kept of each objective.
const POINTS_MAX: usize = 48;
/// Each point stands for so many seconds, so that all of them reach back a day.
const POINT_SECONDS: i64 = 30 * 60;

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    version: u32,
    alarm: Alarm,
    objectives: BTreeMap<String, Vec<Point>>,
}

/// What was left of an error budget, by the slot of half an hour since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Point(i64, Option<f64>);

impl Default for History {
    fn default() -> Self {
        Self { version: VERSION, alarm: Alarm::default(), objectives: BTreeMap::new() }
    }
}

impl History {
    /// Reads the file; an empty history when there is none yet.
    ///
    /// # Errors
    /// The file cannot be read, or is none of ours. Whoever hears that begins anew, and says so.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(BYTES_MAX).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let history: Self = serde_json::from_slice(&text)?;
        if history.version == VERSION {
            return Ok(history);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("version {} is not known", history.version)))
    }

    /// Replaces the file: after a crash it holds this history or the one before.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(part, path)
    }

    /// Takes a run in, and forgets objectives that are no more.
    pub(crate) fn record(&mut self, report: &Report) {
        self.alarm.observe(report.meta.self_failure, report.meta.evaluated_at);
        let mut before = std::mem::take(&mut self.objectives);
        for line in &report.objectives {
            let mut points = before.remove(&line.slo).unwrap_or_default();
            let slot = slot(report.meta.evaluated_at);
            points.retain(|Point(at, _)| *at < slot && *at > slot - POINTS_MAX as i64);
            points.push(Point(slot, line.budget_remaining.map(rounded)));
            self.objectives.insert(line.slo.clone(), points);
        }
    }

    /// Puts the trends into a report: one value for each half hour from the first that is remembered to the report's,
    /// null where nothing was known.
    pub fn put_trends(&self, report: &mut Report) {
        let now = slot(report.meta.evaluated_at);
        for line in &mut report.objectives {
            let points: BTreeMap<i64, Option<f64>> = self
                .objectives
                .get(&line.slo)
                .into_iter()
                .flatten()
                .map(|Point(at, value)| (*at, *value))
                .filter(|(at, _)| *at < now && *at > now - POINTS_MAX as i64)
                .collect();
            let first = points.keys().next().copied().unwrap_or(now);
            line.trend = (first..now).map(|at| points.get(&at).copied().flatten()).collect();
            line.trend.push(line.budget_remaining.map(rounded));
        }
    }

    pub(crate) const fn alarm(&self) -> &Alarm {
        &self.alarm
    }
}

const fn slot(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(POINT_SECONDS * 1_000_000)
}

/// Four digits are enough for a trend.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests;
