//! Objectives: what was promised, and the queries that say whether it was kept.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::promql;

/// What a query has where the length of a window belongs.
pub(crate) const WINDOW: &str = "{{.window}}";

/// One promise about a service, and how it is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// `service/name`, which no other objective has.
    pub id: String,
    /// The service that it is about.
    pub service: String,
    /// Its name within the service.
    pub name: String,
    /// What it promises, in words; may be empty.
    pub description: String,
    /// Labels for the alerts of `km slo rules`.
    pub labels: BTreeMap<String, String>,
    /// The share of events that must be good. One outside `0 ≤ target < 1` is an error of the configuration, which
    /// the evaluation states.
    pub target: f64,
    /// How far back the promise looks.
    pub window: Window,
    /// How it is measured.
    pub indicator: Indicator,
    /// How much it counts in the health score; above zero.
    pub weight: f64,
    /// With fewer events in the window nothing is said about it.
    pub events_min: f64,
    /// What the file says about alerts on the burn rate.
    pub alerting: Alerting,
    /// Where it stands.
    pub place: Place,
}

/// The queries of an objective.
#[derive(Clone, Debug, PartialEq)]
pub enum Indicator {
    /// Bad events of all events.
    Bad {
        /// Counts bad events.
        bad: Query,
        /// Counts all events.
        total: Query,
    },
    /// Good events of all events.
    Good {
        /// Counts good events.
        good: Query,
        /// Counts all events.
        total: Query,
    },
    /// One query that gives a share between 0 and 1.
    Raw {
        /// The share.
        ratio: Query,
        /// What it is the share of.
        of: Share,
    },
}

/// What a share is the share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Good events.
    Success,
    /// Bad events.
    Failure,
}

/// A PromQL query, with `{{.window}}` where the length of the window belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The text.
    pub text: String,
    /// Its place in the document, such as `slos[0].sli.events.total_query`.
    pub path: String,
    /// The line on which it begins.
    pub line: usize,
}

/// What a file says about alerts on the burn rate. Empty means km's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerting {
    /// The name of the alerts.
    pub name: Option<String>,
    /// Labels of every alert.
    pub labels: BTreeMap<String, String>,
    /// Annotations of every alert.
    pub annotations: BTreeMap<String, String>,
    /// The alerts that wake somebody.
    pub page: Channel,
    /// The alerts that can wait for the morning.
    pub ticket: Channel,
}

/// One kind of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// There are none.
    pub disabled: bool,
    /// More labels.
    pub labels: BTreeMap<String, String>,
    /// More annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// A length of time in whole seconds, above zero, written as Prometheus does: `30d`, `90m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(Duration);

/// The units of Prometheus that have one length, in seconds.
const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
/// The longest window: about ten years.
const SECONDS_MAX: u64 = 3_653 * 86_400;

impl Window {
    /// A window of so many whole seconds; `None` for less than one and for more than ten years.
    pub const fn from_secs(seconds: u64) -> Option<Self> {
        if seconds == 0 || seconds > SECONDS_MAX { None } else { Some(Self(Duration::from_secs(seconds))) }
    }

    /// Reads a whole number with a unit: `w`, `d`, `h`, `m` or `s`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        Self::from_secs(number.parse::<u64>().ok()?.checked_mul(*seconds)?)
    }

    /// Its length in seconds.
    pub const fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        // Weeks are shown in days, as everybody says them.
        let unit = UNITS.iter().skip(1).find(|(_, length)| seconds.is_multiple_of(*length));
        let (name, length) = unit.copied().unwrap_or(("s", 1));
        write!(f, "{}{name}", seconds / length)
    }
}

impl Query {
    /// The query over a window of this length.
    pub fn over(&self, window: &str) -> String {
        self.text.replace(WINDOW, window)
    }

    /// Whether the query follows the window that it is asked for.
    pub fn follows_window(&self) -> bool {
        self.text.contains(WINDOW)
    }

    /// Whether its value is a rate in events a second and no count.
    pub(crate) fn is_per_second(&self) -> bool {
        let text = self.over("1m");
        let words = promql::functions(&text);
        words.contains(&"rate") || words.contains(&"irate")
    }
}

impl Indicator {
    /// Every query, the one that counts all events first.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        let (first, second) = match self {
            Self::Bad { bad, total } => (total, Some(bad)),
            Self::Good { good, total } => (total, Some(good)),
            Self::Raw { ratio, .. } => (ratio, None),
        };
        [Some(first), second].into_iter().flatten()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// An objective for tests; its queries are called `q`, and stand in line 7 of its file.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    pub(crate) fn query(text: &str) -> Query {
        Query { text: text.to_owned(), path: "q".to_owned(), line: 7 }
    }

    pub(crate) fn objective(target: f64, indicator: Indicator) -> Objective {
        Objective {
            id: "shop/checkout".to_owned(),
            service: "shop".to_owned(),
            name: "checkout".to_owned(),
            description: String::new(),
            labels: BTreeMap::new(),
            target,
            window: Window::parse("30d").expect("a window"),
            indicator,
            weight: 1.0,
            events_min: 0.0,
            alerting: Alerting::default(),
            place: Place { file: "slo.yml".to_owned(), line: 3 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_back_as_people_write_them() {
        for (text, shown) in [("30d", "30d"), ("4w", "28d"), ("24h", "1d"), ("90m", "90m"), ("61s", "61s")] {
            assert_eq!(Window::parse(text).map(|window| window.to_string()).as_deref(), Some(shown));
        }
        for text in ["", "30", "d", "0d", "1M", "1.5h", "-1d", "99999999999999999999d", "20000d"] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }
}
