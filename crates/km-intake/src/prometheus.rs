//! What Prometheus remembers of alerts that fired: answers of its API about the series `ALERTS`.
//!
//! The series lacks what Prometheus adds when it sends an alert on (its external labels) and carries what it adds for
//! itself (`__name__`, `alertstate`). [`SentLabels`] makes the labels of the alert out of it, and so the fingerprint
//! that Alertmanager computes.

use std::collections::{BTreeMap, BTreeSet};

use km_model::{Fingerprint, Timestamp};
use serde::Deserialize;

use crate::Unreadable;
use crate::alertmanager::computed_fingerprint;
use crate::text::{fit_labels, without_bom};

/// Asks when the rules were evaluated that say that an alert fires: at a look, the time of the newest sample.
pub const QUERY: &str = r#"timestamp(ALERTS{alertstate="firing"})"#;
/// Series of one answer; more are [`TOO_MANY`].
pub const SERIES_MAX: usize = 20_000;
/// The code of an answer with more series than are taken at once.
pub const TOO_MANY: &str = "TOO_MANY_SERIES";
/// The code of a configuration whose effect on labels km does not follow.
pub const RELABELLED: &str = "RELABELLED";
/// Bytes of one section of Prometheus' configuration that are read.
const SECTION_BYTES_MAX: usize = 1 << 20;

/// How Prometheus changes the labels of an alert before it sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentLabels {
    /// Labels that are added where an alert does not have them.
    pub added: BTreeMap<String, String>,
    /// Labels that are taken away then.
    pub dropped: BTreeSet<String>,
}

/// When one alert was seen firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// As the Alertmanager computes it.
    pub fingerprint: Fingerprint,
    /// As the Alertmanager shows them.
    pub labels: BTreeMap<String, String>,
    /// Instants that were looked at, each with the evaluation that was the newest then.
    pub looks: Vec<(Timestamp, Timestamp)>,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
    #[serde(default)]
    warnings: Vec<String>,
    /// What VictoriaMetrics says when a part of its storage did not answer.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Deserialize)]
struct Matrix {
    #[serde(rename = "resultType")]
    kind: String,
    result: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Configuration {
    yaml: String,
}

#[derive(Default, Deserialize)]
struct Global {
    #[serde(default)]
    external_labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct Alerting {
    #[serde(default)]
    alert_relabel_configs: Option<Vec<Relabelling>>,
    #[serde(default)]
    alertmanagers: Option<Vec<Target>>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    alert_relabel_configs: Option<Vec<Relabelling>>,
}

#[derive(Deserialize)]
struct Relabelling {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    regex: Option<String>,
}

/// Reads the answer to `GET /api/v1/query_range` with [`QUERY`].
///
/// # Errors
/// [`Unreadable`]: the answer is none of Prometheus, is not whole, or has more than [`SERIES_MAX`] series.
pub fn series(body: &[u8], sent: &SentLabels) -> Result<Vec<Series>, Unreadable> {
    let answer: Answer<Matrix> = answer(body)?;
    // "PromQL info" and "PromQL warning" are about the query; all others are about the data.
    if answer.is_partial || answer.warnings.iter().any(|warning| !warning.starts_with("PromQL ")) {
        return Err(Unreadable::new("PARTIAL", "the answer is not whole: it has warnings about its data"));
    }
    if answer.data.kind != "matrix" {
        return Err(Unreadable::new("NO_MATRIX", "the answer is not a range of values"));
    }
    if answer.data.result.len() > SERIES_MAX {
        return Err(Unreadable::new(TOO_MANY, "the answer has more series than are taken at once"));
    }
    answer.data.result.into_iter().map(|row| sent.series(row)).collect()
}

/// Reads the answer to `GET /api/v1/status/config`: what Prometheus does to the labels of an alert.
///
/// # Errors
/// [`Unreadable`]: the answer is none of Prometheus, or alerts are relabelled in another way than by dropping labels
/// that are named.
pub fn sent_labels(body: &[u8]) -> Result<SentLabels, Unreadable> {
    let answer: Answer<Configuration> = answer(body)?;
    let unreadable = |_| Unreadable::new("NO_CONFIGURATION", "the configuration cannot be read");
    let global: Global = section(&answer.data.yaml, "global").map_err(unreadable)?.unwrap_or_default();
    let alerting: Alerting = section(&answer.data.yaml, "alerting").map_err(unreadable)?.unwrap_or_default();
    let for_each = alerting.alertmanagers.into_iter().flatten().flat_map(|one| one.alert_relabel_configs);
    let rules = alerting.alert_relabel_configs.into_iter().chain(for_each).flatten();
    let dropped: Option<Vec<Vec<String>>> = rules.map(|rule| rule.dropped()).collect();
    let Some(dropped) = dropped else {
        return Err(Unreadable::new(
            RELABELLED,
            "Prometheus changes the labels of alerts before it sends them",
        ));
    };
    Ok(SentLabels {
        added: global.external_labels.unwrap_or_default(),
        dropped: dropped.into_iter().flatten().collect(),
    })
}

fn answer<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Answer<T>, Unreadable> {
    serde_json::from_slice(without_bom(body))
        .map_err(|_| Unreadable::new("NOT_PROMETHEUS", "the answer is not one of Prometheus"))
}

/// One section of the configuration. Prometheus prints each at the beginning of a line; the others may be long, and
/// are not read.
fn section<T: for<'de> Deserialize<'de>>(yaml: &str, name: &str) -> Result<Option<T>, serde_saphyr::Error> {
    let header = format!("{name}:");
    let mut lines = yaml.split_inclusive('\n').skip_while(|line| line.trim_end() != header);
    let Some(_) = lines.next() else { return Ok(None) };
    let inside = |line: &&str| line.starts_with([' ', '-', '#']) || line.trim().is_empty();
    let mut text = String::new();
    for line in lines.take_while(inside) {
        if text.len() + line.len() > SECTION_BYTES_MAX {
            break;
        }
        text.push_str(line);
    }
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_saphyr::from_str(&text).map(Some)
}

impl Relabelling {
    /// The labels that the rule drops, if that is all it does: a `labeldrop` of names.
    fn dropped(&self) -> Option<Vec<String>> {
        if self.action.as_deref() != Some("labeldrop") {
            return None;
        }
        let regex = self.regex.as_deref()?;
        let names = regex.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(regex);
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        names.split('|').map(|name| is_name(name).then(|| name.to_owned())).collect()
    }
}

impl SentLabels {
    fn series(&self, row: Row) -> Result<Series, Unreadable> {
        let labels = self.labels(row.metric);
        let fingerprint = computed_fingerprint(&labels)
            .ok_or(Unreadable::new("NO_FINGERPRINT", "an alert has no fingerprint"))?;
        let looks = row.values.iter().map(|(at, value)| Some((time(*at)?, time(value.parse().ok()?)?)));
        let looks: Option<Vec<_>> = looks.collect();
        let looks = looks.ok_or(Unreadable::new("NO_TIME", "the answer has a value that is no time"))?;
        Ok(Series { fingerprint, labels: fit_labels(&labels), looks })
    }

    /// The labels of an alert as they are sent. An empty value is no label.
    fn labels(&self, metric: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels = metric;
        labels.retain(|name, value| name != "__name__" && name != "alertstate" && !value.is_empty());
        for (name, value) in self.added.iter().filter(|(_, value)| !value.is_empty()) {
            labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        labels.retain(|name, _| !self.dropped.contains(name));
        labels
    }
}

/// Seconds since 1970 as Prometheus shows them, to the millisecond that it keeps.
fn time(seconds: f64) -> Option<Timestamp> {
    /// The end of the year 9999.
    const SECONDS_MAX: f64 = 253_402_300_799.0;
    if !(0.0..SECONDS_MAX).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it lies in the range that was asked for")]
    let millis = (seconds * 1_000.0).round() as i64;
    Some(Timestamp::from_micros(millis * 1_000))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests;
