//! Alerts: what a monitoring system says, and what km makes of it.

use std::collections::BTreeMap;

use crate::{Fingerprint, IncidentId, Timestamp};

/// One alert of one notification, as the sender saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertNotice {
    /// Equal labels, equal fingerprint.
    pub fingerprint: Fingerprint,
    /// The alert's own status, not the group's.
    pub status: AlertStatus,
    /// When it began by the sender's clock; re-sends and merges change it.
    pub starts_at: Option<Timestamp>,
    /// When it ended; only on a resolved notice.
    pub ends_at: Option<Timestamp>,
    /// Identity.
    pub labels: BTreeMap<String, String>,
    /// Explanation.
    pub annotations: BTreeMap<String, String>,
    /// Where the rule can be seen.
    pub generator_url: Option<String>,
}

/// Whether an alert goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertStatus {
    /// It goes on.
    Firing,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One occurrence of an alert: all notices of one fingerprint whose intervals overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The incident that this occurrence opened.
    pub incident: IncidentId,
    /// Equal labels, equal fingerprint.
    pub fingerprint: Fingerprint,
    /// The earliest start any notice named.
    pub starts_at: Timestamp,
    /// The end; `None` while it goes on.
    pub ends_at: Option<Timestamp>,
    /// When km last heard of it.
    pub seen_at: Timestamp,
    /// Identity.
    pub labels: BTreeMap<String, String>,
    /// Explanation, by the newest notice.
    pub annotations: BTreeMap<String, String>,
    /// Where the rule can be seen.
    pub generator_url: Option<String>,
}

impl Alert {
    /// Whether it goes on.
    pub const fn status(&self) -> AlertStatus {
        match self.ends_at {
            Some(_) => AlertStatus::Resolved,
            None => AlertStatus::Firing,
        }
    }

    /// The alert's name, where its labels carry one.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("alert", String::as_str)
    }
}
