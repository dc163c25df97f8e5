//! Alertmanager notifications: the webhook body of version 4, and what older and similar senders make of it.
//!
//! Source of the format: the `webhook_config` section of Alertmanager's documentation.
//!
//! # What makes a resolution another version
//!
//! A resolved alert is notified again and again: by a repeated flush, by each peer of a cluster, after a restart. So a
//! resolution is made only of what such a copy repeats (labels, annotations, start and end), in one order. The
//! link to the rule is left out: it names the replica of Prometheus that sent last; the alert itself keeps it. And it
//! states no time of its own: the moment of intake is when it was so, and is not part of the content. Hence
//!
//! - the same resolution again, whichever peer sends it and however often, is the same write, and replayed;
//! - a resolution that says something new (an annotation, a later end) is a new revision, and the head, because it
//!   came later. Two texts that peers keep repeating in turn are two revisions and no more.

use std::collections::BTreeMap;

use km_model::limits::{CONTENT_BYTES_MAX, ID_BYTES_MAX, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TITLE_BYTES_MAX};
use km_model::{
    Alert, AlertNotice, AlertStatus, EntryType, Fingerprint, IncidentId, Metadata, Provenance, Source,
    Timestamp, Write, WritePath,
};
use serde::Deserialize;
use serde_json::Value;

use crate::Unreadable;
use crate::text::{first_line, fit, fit_id, fit_labels, without_bom};

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its alerts; each has a status of its own.
    pub alerts: Vec<AlertNotice>,
    /// How many alerts the sender left out.
    pub truncated_alerts: u64,
}

/// The body, with everything optional: unknown fields are passed over.
#[derive(Deserialize)]
struct Body {
    alerts: Vec<RawAlert>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, rename = "truncatedAlerts")]
    truncated_alerts: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAlert {
    #[serde(default)]
    status: Option<Value>,
    #[serde(default)]
    labels: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    starts_at: Option<Value>,
    #[serde(default)]
    ends_at: Option<Value>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<Value>,
    #[serde(default)]
    fingerprint: Option<Value>,
}

/// Reads a notification. Text beyond km's limits is cut, never refused.
///
/// # Errors
/// [`Unreadable`] when the body is not JSON or has no list of alerts.
pub fn read(body: &[u8]) -> Result<Notification, Unreadable> {
    let body: Body = serde_json::from_slice(without_bom(body)).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Unreadable::new("NO_ALERTS", "the body has no readable list of alerts")
        }
        _ => Unreadable::new("NOT_JSON", "the body is not JSON"),
    })?;
    let group = body.status.as_deref();
    let alerts: Option<Vec<AlertNotice>> = body.alerts.iter().map(|alert| notice(alert, group)).collect();
    match alerts {
        Some(alerts) if !alerts.is_empty() => {
            Ok(Notification { alerts, truncated_alerts: body.truncated_alerts.unwrap_or(0) })
        }
        Some(_) => Err(Unreadable::new("NO_ALERTS", "the list of alerts is empty")),
        None => Err(Unreadable::new("NO_STATUS", "an alert has neither a known status nor labels")),
    }
}

/// Reads what Alertmanager's API answers to `GET /api/v2/alerts`: the alerts that are not over. Their `endsAt` is when
/// Alertmanager will give them up, and no end.
///
/// # Errors
/// [`Unreadable`] when the body is anything but a list of alerts with labels: a part of it is no answer.
pub fn read_firing(body: &[u8]) -> Result<Vec<AlertNotice>, Unreadable> {
    let listed: Vec<RawAlert> = serde_json::from_slice(without_bom(body))
        .map_err(|_| Unreadable::new("NO_ALERTS", "the answer is not a list of alerts"))?;
    let firing = |raw: RawAlert| {
        let raw = RawAlert { status: Some(Value::from("firing")), ends_at: None, ..raw };
        raw.labels.as_ref().is_some_and(|labels| !labels.is_empty()).then(|| notice(&raw, None)).flatten()
    };
    let alerts: Option<Vec<AlertNotice>> = listed.into_iter().map(firing).collect();
    alerts.ok_or_else(|| Unreadable::new("NO_LABELS", "the answer has an alert without labels"))
}

/// `None` when an alert's status cannot be told.
fn notice(raw: &RawAlert, group: Option<&str>) -> Option<AlertNotice> {
    let labels = fit_labels(&texts(raw.labels.as_ref()));
    let named = raw.status.as_ref().and_then(Value::as_str).or(group);
    let ends_at = time(raw.ends_at.as_ref());
    let status = match named {
        Some("resolved") => AlertStatus::Resolved,
        Some("firing") => AlertStatus::Firing,
        Some(_) => return None,
        None => ends_at.map_or(AlertStatus::Firing, |_| AlertStatus::Resolved),
    };
    let given = raw.fingerprint.as_ref().and_then(Value::as_str).map(|text| fit_id(text, ID_BYTES_MAX));
    let fingerprint = given.and_then(|text| Fingerprint::parse(text).ok());
    let generator_url = raw.generator_url.as_ref().and_then(Value::as_str).filter(|url| !url.is_empty());
    Some(AlertNotice {
        fingerprint: fingerprint.or_else(|| computed_fingerprint(&texts(raw.labels.as_ref())))?,
        status,
        starts_at: time(raw.starts_at.as_ref()),
        ends_at: ends_at.filter(|_| status == AlertStatus::Resolved),
        ends_by: None,
        provenance: Provenance::Delivered,
        annotations: fit_labels(&texts(raw.annotations.as_ref())),
        generator_url: generator_url.map(|url| fit(url, SOURCE_BYTES_MAX)),
        labels,
    })
}

fn texts(map: Option<&BTreeMap<String, Value>>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    map.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The zero time of Go, year 1, stands for "none".
fn time(value: Option<&Value>) -> Option<Timestamp> {
    let at = Timestamp::parse(value?.as_str()?).ok()?;
    (at.as_micros() > 0).then_some(at)
}

/// What Alertmanager computes itself: FNV-1a of the sorted labels, each name and value followed by 0xff
/// (`LabelSet.Fingerprint` of prometheus/common).
pub(crate) fn computed_fingerprint(labels: &BTreeMap<String, String>) -> Option<Fingerprint> {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    for (name, value) in labels {
        name.bytes().for_each(&mut eat);
        eat(0xff);
        value.bytes().for_each(&mut eat);
        eat(0xff);
    }
    Fingerprint::parse(format!("{hash:016x}")).ok()
}

/// The incident that a new alert opens: named by what fired and since when, so that a repeated delivery to an
/// empty store opens the same one, and one that fires twice in a second opens two. A resolved notice that names no
/// start is known for the last instant before its end.
pub fn incident_id(notice: &AlertNotice, now: Timestamp) -> IncidentId {
    let just_before = |ends_at: Timestamp| Timestamp::from_micros(ends_at.as_micros().saturating_sub(1));
    let since = notice.starts_at.or(notice.ends_at.map(just_before)).unwrap_or(now).min(now).as_micros();
    // Milliseconds are what every interface of Alertmanager shows of a start.
    let (seconds, millis) = (since.div_euclid(1_000_000), since.rem_euclid(1_000_000) / 1_000);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    let fingerprint = fit_id(notice.fingerprint.as_str(), ID_BYTES_MAX - 32);
    #[expect(clippy::expect_used, reason = "a fingerprint is printable, and 32 bytes are left for the rest")]
    IncidentId::parse(format!("AM-{fingerprint}-{seconds}{fraction}")).expect("a printable, bounded id")
}

/// What is worth remembering of an alert that is over; the module says what makes two of them equal.
pub fn resolution(alert: &Alert) -> Write {
    let tags = ["alertname", "severity"].iter().filter_map(|name| alert.labels.get(*name));
    let mut tags: Vec<String> =
        tags.filter(|tag| !tag.trim().is_empty()).map(|tag| fit(tag, TAG_BYTES_MAX)).collect();
    tags.dedup();
    Write {
        path: WritePath::IncidentResolve { incident: alert.incident.clone(), approval: None },
        playbook: None,
        execution: None,
        title: fit(&title(alert), TITLE_BYTES_MAX),
        content: fit(&content(alert), CONTENT_BYTES_MAX),
        entry_type: EntryType::parse("incident_case").ok(),
        tags,
        labels: fit_labels(&alert.labels),
        source: Source { service: Some("alertmanager".to_owned()), actor: None, url: None },
        occurred_at: None,
        metadata: interval(alert),
    }
}

/// Which alert it was, from when to when, and how km came by that where nobody told it.
fn interval(alert: &Alert) -> Metadata {
    let ends_at = alert.ends_at.map(|ends_at| ("ends_at", ends_at.to_string()));
    let ends_by = alert.ends_by.map(|ends_by| ("ends_by", ends_by.to_string()));
    let told = |provenance: &Provenance| *provenance != Provenance::Delivered;
    let name = |provenance: Provenance| provenance.as_str().to_owned();
    let provenance = Some(alert.provenance).filter(told).map(|one| ("provenance", name(one)));
    let end = alert.end_provenance.filter(told).map(|one| ("end_provenance", name(one)));
    let known = [("fingerprint", alert.fingerprint.to_string()), ("starts_at", alert.starts_at.to_string())];
    let members = known.into_iter().chain(ends_at).chain(ends_by).chain(provenance).chain(end);
    Metadata(members.map(|(name, text)| (name.to_owned(), Value::from(text))).collect())
}

fn title(alert: &Alert) -> String {
    let annotation = |name: &&str| alert.annotations.get(*name).map(|text| first_line(text));
    let said =
        ["summary", "message", "title", "description"].iter().filter_map(annotation).find(|s| !s.is_empty());
    match said {
        Some(said) => format!("{}: {said}", alert.name()),
        None => alert.name().to_owned(),
    }
}

fn content(alert: &Alert) -> String {
    let mut lines = vec![format!("Alert **{}** fired and was resolved.", alert.name()), String::new()];
    lines.push(format!("- started: {}", alert.starts_at));
    if let Some(ends_at) = alert.ends_at {
        lines.push(ended(alert, ends_at));
    }
    lines.extend(how_known(alert));
    for (name, text) in &alert.annotations {
        lines.extend([String::new(), format!("## {name}"), String::new(), text.clone()]);
    }
    lines.extend([String::new(), "## labels".to_owned(), String::new()]);
    lines.extend(alert.labels.iter().map(|(name, value)| format!("- {name}: `{value}`")));
    lines.join("\n")
}

fn ended(alert: &Alert, ends_at: Timestamp) -> String {
    let seconds = ends_at.seconds_since(alert.starts_at);
    match alert.ends_by {
        None => format!("- ended: {ends_at} (after {seconds} s)"),
        Some(ends_by) => {
            format!(
                "- ended: between {ends_at}, when it was last seen, and {ends_by} (after {seconds} s or more)"
            )
        }
    }
}

/// How km came by it, where no notification said so.
fn how_known(alert: &Alert) -> Option<String> {
    let known = alert.provenance.max(alert.end_provenance.unwrap_or(Provenance::Delivered));
    let how = match (alert.provenance, known) {
        (_, Provenance::Delivered) => return None,
        (Provenance::Delivered, Provenance::Reconciled) => {
            "its end was not delivered; km asked for it (reconciled)"
        }
        (_, Provenance::Reconciled) => "it was not delivered; km asked for it (reconciled)",
        (_, Provenance::Observed) => {
            "its end was not delivered; its Alertmanagers do not know of it any more (observed)"
        }
    };
    Some(format!("- known by: {how}"))
}

#[cfg(test)]
mod tests;
