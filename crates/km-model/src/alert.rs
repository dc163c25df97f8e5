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
    /// Where the end is not known exactly: it was over by then, and `ends_at` is when it was last known to go on.
    pub ends_by: Option<Timestamp>,
    /// How km came by it.
    pub provenance: Provenance,
    /// Identity.
    pub labels: BTreeMap<String, String>,
    /// Explanation.
    pub annotations: BTreeMap<String, String>,
    /// Where the rule can be seen.
    pub generator_url: Option<String>,
}

/// How km came by what it knows of an alert, the best way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// The monitoring system sent it.
    Delivered,
    /// km asked, and the monitoring system answered so.
    Reconciled,
    /// km concluded it: the monitoring system does not know of the alert any more.
    Observed,
}

impl Provenance {
    /// The name in the API and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Reconciled => "reconciled",
            Self::Observed => "observed",
        }
    }

    /// The provenance of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Delivered, Self::Reconciled, Self::Observed].into_iter().find(|one| one.as_str() == name)
    }
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
    /// Where the end is not known exactly: it was over by then, and went on at `ends_at`.
    pub ends_by: Option<Timestamp>,
    /// The best way in which km heard of it.
    pub provenance: Provenance,
    /// How km came by its end; `None` while it goes on.
    pub end_provenance: Option<Provenance>,
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
