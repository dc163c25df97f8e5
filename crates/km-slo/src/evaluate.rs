//! Whether an objective is kept: numbers in, state and reason out. Pure.

use serde::Serialize;

use crate::objective::{Indicator, Objective, Share};

/// Rates of two queries are extrapolated apart, so that the part may exceed the whole a little.
const NOISE: f64 = 0.01;
/// An error ratio that exceeds the budget by less than this share of it is on target.
const ON_TARGET: f64 = 1e-9;

/// What became of one query.
pub type Asked = Result<Reading, Trouble>;

/// What a query that was answered gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// One number; it may be no finite one.
    Value(f64),
    /// Nothing, though there were series in the window.
    Stale,
    /// Nothing, and there were no series in the whole window.
    Absent,
}

/// What was asked for an objective, the query of all events first.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Two counts.
    Counts {
        /// All events.
        total: Asked,
        /// Good or bad ones, as the indicator says.
        part: Asked,
    },
    /// A share.
    Ratio(Asked),
}

/// Why a query has no answer that could be used: a failure on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which kind.
    pub reason: ErrorReason,
    /// What was seen, in words.
    pub detail: String,
}

impl Trouble {
    pub(crate) fn new(reason: ErrorReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What is said about an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The state, with its reason.
    pub state: State,
    /// What was seen, in words; empty where the figures say it all.
    pub detail: String,
    /// The figures, where it was evaluated.
    pub figures: Option<Figures>,
}

/// The figures of an objective that was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The share of good events.
    pub sli: f64,
    /// The error ratio as a multiple of what is allowed; 1 uses the budget up.
    pub burn_rate: f64,
    /// What is left of the error budget, 1 at first; below 0 when it is overdrawn.
    pub budget_remaining: f64,
    /// All events in the window, where they were counted.
    pub events: Option<f64>,
}

/// Whether an objective is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is kept.
    Ok,
    /// It is broken.
    Violated,
    /// It cannot be said, because there is nothing to say it from.
    NoData(NoDataReason),
    /// It cannot be said, because looking failed.
    Error(ErrorReason),
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident, $prefix:literal: $($(#[$variant:meta])* $reason:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant])* $reason,)+
        }

        impl $name {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)+];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => concat!($prefix, ".", $text),)+
                }
            }
        }
    };
}

reasons! {
    /// Why there is nothing to judge by; no failure of ours.
    NoDataReason, "no_data":
    /// No series in the whole window: what emits them is not there.
    Absent = "absent",
    /// There were series in the window, and the query gives nothing now.
    Stale = "stale",
    /// No events.
    NoTraffic = "no_traffic",
    /// Not a number, such as 0/0.
    Nan = "nan",
    /// Fewer events than `min_events`.
    Insufficient = "insufficient",
}

reasons! {
    /// Why looking failed.
    ErrorReason, "error":
    /// Prometheus was not reached, or cannot serve yet.
    Unreachable = "unreachable",
    /// Prometheus gave the query up.
    Timeout = "timeout",
    /// Prometheus did not let us in.
    Auth = "auth",
    /// The answer is not that of Prometheus.
    Protocol = "protocol",
    /// The answer is not whole.
    Partial = "partial",
    /// Prometheus refused the query.
    Query = "query",
    /// More than one series: none of them is the answer.
    Ambiguous = "ambiguous",
    /// No number: a matrix, a text, a histogram.
    Type = "type",
    /// A number that cannot be: infinite, negative, or a part above the whole.
    Range = "range",
    /// The objective cannot be judged at all.
    Config = "config",
}

impl State {
    /// `ok`, `violated` or `skipped`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Violated => "violated",
            Self::NoData(_) | Self::Error(_) => "skipped",
        }
    }

    /// Why it was skipped.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Ok | Self::Violated => None,
            Self::NoData(reason) => Some(reason.as_str()),
            Self::Error(reason) => Some(reason.as_str()),
        }
    }
}

impl Verdict {
    /// An objective about which nothing can be said, because looking failed.
    pub fn failed(trouble: Trouble) -> Self {
        Self { state: State::Error(trouble.reason), detail: trouble.detail, figures: None }
    }

    fn error(reason: ErrorReason, detail: impl Into<String>) -> Self {
        Self::failed(Trouble::new(reason, detail))
    }

    fn no_data(reason: NoDataReason, detail: impl Into<String>) -> Self {
        Self { state: State::NoData(reason), detail: detail.into(), figures: None }
    }
}

/// Judges an objective by what was measured.
///
/// What failed is said before what is missing: a failure is ours, and must be heard. All events come before their
/// part: without events the part says nothing.
pub fn evaluate(objective: &Objective, measured: &Measured) -> Verdict {
    let Some(budget) = budget(objective.target) else {
        let reason = format!("a target of {} leaves no error budget to judge by", objective.target);
        return Verdict::error(ErrorReason::Config, reason);
    };
    match (measured, &objective.indicator) {
        (Measured::Counts { total: Err(trouble), .. }, _)
        | (Measured::Counts { part: Err(trouble), .. }, _)
        | (Measured::Ratio(Err(trouble)), _) => Verdict::failed(trouble.clone()),
        (Measured::Ratio(Ok(reading)), Indicator::Raw { of, .. }) => of_ratio(*reading, *of, budget),
        (Measured::Counts { total: Ok(total), part: Ok(part) }, Indicator::Bad { total: query, .. }) => {
            let events = Events { per_second: query.is_per_second(), objective };
            events.judge(*total, *part, Part::Bad, budget)
        }
        (Measured::Counts { total: Ok(total), part: Ok(part) }, Indicator::Good { total: query, .. }) => {
            let events = Events { per_second: query.is_per_second(), objective };
            events.judge(*total, *part, Part::Good, budget)
        }
        (Measured::Counts { .. }, Indicator::Raw { .. })
        | (Measured::Ratio(_), Indicator::Bad { .. } | Indicator::Good { .. }) => {
            Verdict::error(ErrorReason::Config, "what was measured is not what the objective names")
        }
    }
}

/// The error ratio that is allowed; none for a target that is no share, or that allows nothing.
fn budget(target: f64) -> Option<f64> {
    (0.0..1.0).contains(&target).then_some(1.0 - target)
}

#[derive(Clone, Copy)]
enum Part {
    Good,
    Bad,
}

struct Events<'a> {
    per_second: bool,
    objective: &'a Objective,
}

impl Events<'_> {
    fn judge(&self, total: Reading, part: Reading, is: Part, budget: f64) -> Verdict {
        let total = match total {
            Reading::Absent => return absent(),
            Reading::Stale => return stale(),
            Reading::Value(value) if value.is_nan() => return nan("the count of all events"),
            Reading::Value(value) if is_impossible(value) => {
                return impossible("the count of all events", value);
            }
            Reading::Value(0.0) => return Verdict::no_data(NoDataReason::NoTraffic, "there were no events"),
            Reading::Value(value) => value,
        };
        let events = self.count(total);
        if events < self.objective.events_min {
            let reason = format!(
                "{events:.0} events in {}, fewer than {}",
                self.objective.window, self.objective.events_min
            );
            return Verdict::no_data(NoDataReason::Insufficient, reason);
        }
        let name = match is {
            Part::Good => "the count of good events",
            Part::Bad => "the count of bad events",
        };
        let part = match part {
            // There are events, and none of this kind was ever seen.
            Reading::Absent | Reading::Stale => 0.0,
            Reading::Value(value) if value.is_nan() => return nan(name),
            Reading::Value(value) if is_impossible(value) => return impossible(name, value),
            Reading::Value(value) if value > total * (1.0 + NOISE) => {
                let reason = format!("{name} is {value}, more than all events, {total}");
                return Verdict::error(ErrorReason::Range, reason);
            }
            Reading::Value(value) => value.min(total),
        };
        let error_ratio = match is {
            Part::Good => (total - part) / total,
            Part::Bad => part / total,
        };
        judged(error_ratio, budget, Some(events))
    }

    /// Events in the whole window: a rate is multiplied by its length.
    #[expect(clippy::cast_precision_loss, reason = "a window has fewer than 2^53 seconds")]
    fn count(&self, total: f64) -> f64 {
        if self.per_second { total * self.objective.window.seconds() as f64 } else { total }
    }
}

fn of_ratio(reading: Reading, of: Share, budget: f64) -> Verdict {
    let ratio = match reading {
        Reading::Absent => return absent(),
        Reading::Stale => return stale(),
        Reading::Value(value) if value.is_nan() => return nan("the ratio"),
        Reading::Value(value) if is_impossible(value) => return impossible("the ratio", value),
        Reading::Value(value) if value > 1.0 + NOISE => {
            return Verdict::error(
                ErrorReason::Range,
                format!("the ratio is {value}: a share lies between 0 and 1"),
            );
        }
        Reading::Value(value) => value.min(1.0),
    };
    let error_ratio = match of {
        Share::Success => 1.0 - ratio,
        Share::Failure => ratio,
    };
    judged(error_ratio, budget, None)
}

fn judged(error_ratio: f64, budget: f64, events: Option<f64>) -> Verdict {
    let burn_rate = error_ratio / budget;
    let violated = error_ratio > budget * (1.0 + ON_TARGET);
    let remaining = 1.0 - burn_rate;
    // What is on target has used its budget up, and not overdrawn it by a rounding.
    let budget_remaining = if remaining.abs() < ON_TARGET { 0.0 } else { remaining };
    let figures = Figures { sli: 1.0 - error_ratio, burn_rate, budget_remaining, events };
    let state = if violated { State::Violated } else { State::Ok };
    Verdict { state, detail: String::new(), figures: Some(figures) }
}

fn is_impossible(value: f64) -> bool {
    value.is_infinite() || value < 0.0
}

fn absent() -> Verdict {
    Verdict::no_data(NoDataReason::Absent, "there are no series in the whole window")
}

fn stale() -> Verdict {
    Verdict::no_data(NoDataReason::Stale, "there were series in the window, and the query gives nothing now")
}

fn nan(what: &str) -> Verdict {
    Verdict::no_data(NoDataReason::Nan, format!("{what} is not a number"))
}

fn impossible(what: &str, value: f64) -> Verdict {
    Verdict::error(ErrorReason::Range, format!("{what} is {value}"))
}
