//! Which notices of an alert are one occurrence: the rule that every store applies.
//!
//! A notice says since when an alert fires, and, once it is over, until when it did. All that is said under one
//! start is a [`Claim`]; it takes what notices say in any order, any number of times. Occurrences follow from the
//! claims of a fingerprint, in the order of their starts:
//!
//! - A claim belongs to the occurrence before it while that one goes on, or when it begins before that one ends.
//!   Otherwise it opens the next one. An alert that fires again at the very instant of the end is a new occurrence.
//! - An occurrence ends at the latest end that was named. It goes on while none was named, and goes on after all
//!   when a firing notice of it was seen more than [`LATE_SECONDS_MAX`] after that end was heard of: an
//!   Alertmanager that lost its Prometheus calls an alert resolved, and fires it again under its old start. An end
//!   that km only concluded gives way to any firing notice that was seen after it.
//! - It has the smallest of its claims' names. A name that was answered with a resolution, or under which knowledge
//!   is kept, comes before all others: what is remembered of an occurrence is revised, never doubled.

use km_model::{AlertNotice, AlertStatus, IncidentId, Provenance, Timestamp};

use crate::AdmittedAlert;

/// How long after an end was heard of a firing notice is late news of what went before it, in seconds.
///
/// An Alertmanager tries to deliver a notice until its `group_interval` is over, and calls an alert that it hears
/// nothing of resolved after `resolve_timeout`. Both are five minutes by default; this is twice as long.
pub const LATE_SECONDS_MAX: i64 = 600;

/// What was said of an alert under one start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The start that was named.
    pub starts_at: Timestamp,
    /// The incident that it opened, or would have opened.
    pub incident: IncidentId,
    /// Whether that incident was answered as resolved, or has knowledge of its own.
    pub told: bool,
    /// When a firing notice was seen last.
    pub firing_seen_at: Option<Timestamp>,
    /// The latest end that was named.
    pub end: Option<End>,
    /// The best way in which a notice of it came.
    pub provenance: Provenance,
}

/// An end of an alert, and when it was heard of first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When the alert ended.
    pub at: Timestamp,
    /// When a notice that says so was seen first.
    pub seen_at: Timestamp,
    /// The best way in which that was heard of.
    pub provenance: Provenance,
    /// By when it was over, where `at` is only when it was last known to go on.
    pub by: Option<Timestamp>,
}

impl End {
    /// The later end; of one end that was seen twice, the first sight of it and what is known best.
    fn or_later(self, other: Self) -> Self {
        match self.at.cmp(&other.at) {
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Equal => {
                let known = |end: Self| (end.provenance, end.by);
                let (provenance, by) = known(self).min(known(other));
                Self { at: self.at, seen_at: self.seen_at.min(other.seen_at), provenance, by }
            }
        }
    }

    /// Firing notices that were seen until then are late news of what went before this end.
    fn late_until(self) -> Timestamp {
        match self.provenance {
            Provenance::Delivered | Provenance::Reconciled => self.seen_at.plus_seconds(LATE_SECONDS_MAX),
            Provenance::Observed => self.seen_at,
        }
    }
}

/// The later of two ends that may be unknown.
fn later_end(one: Option<End>, other: Option<End>) -> Option<End> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.or_later(other)),
        (one, other) => one.or(other),
    }
}

impl Claim {
    /// What a notice says, given the start it is filed under and the end it is taken to name.
    pub fn of(alert: &AdmittedAlert, starts_at: Timestamp, ends_at: Option<Timestamp>) -> Self {
        let (notice, seen_at) = (alert.notice(), alert.seen_at());
        let AlertNotice { provenance, ends_by: by, .. } = *notice;
        Self {
            starts_at,
            incident: alert.incident().clone(),
            told: false,
            firing_seen_at: (notice.status == AlertStatus::Firing).then_some(seen_at),
            end: ends_at.map(|at| End { at: at.max(starts_at), seen_at, provenance, by }),
            provenance,
        }
    }

    /// Takes in what was said under the same start. The order does not matter, nor does saying it twice.
    pub fn absorb(&mut self, other: &Self) {
        self.told |= other.told;
        self.firing_seen_at = self.firing_seen_at.max(other.firing_seen_at);
        self.end = later_end(self.end, other.end);
        self.provenance = self.provenance.min(other.provenance);
    }
}

/// Claims that are one occurrence, by their starts.
#[derive(Clone, Debug)]
pub struct Occurrence {
    claims: Vec<Claim>,
    firing_seen_at: Option<Timestamp>,
    end: Option<End>,
}

impl Occurrence {
    /// An occurrence of one claim.
    pub fn opened_by(claim: Claim) -> Self {
        Self { firing_seen_at: claim.firing_seen_at, end: claim.end, claims: vec![claim] }
    }

    /// Whether a claim that starts later belongs to it.
    pub fn takes(&self, claim: &Claim) -> bool {
        self.ends_at().is_none_or(|ends_at| claim.starts_at < ends_at)
    }

    /// Adds a claim that starts later than all before.
    pub fn add(&mut self, claim: Claim) {
        self.firing_seen_at = self.firing_seen_at.max(claim.firing_seen_at);
        self.end = later_end(self.end, claim.end);
        self.claims.push(claim);
    }

    /// Its claims, by their starts; at least one.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The earliest start.
    pub fn starts_at(&self) -> Timestamp {
        self.claims[0].starts_at
    }

    /// The end; none while it goes on.
    pub fn end(&self) -> Option<End> {
        let end = self.end?;
        let goes_on = self.firing_seen_at.is_some_and(|seen_at| seen_at > end.late_until());
        (!goes_on).then_some(end)
    }

    /// When it ended; none while it goes on.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.end().map(|end| end.at)
    }

    /// The best way in which a notice of it came.
    pub fn provenance(&self) -> Provenance {
        self.claims.iter().map(|claim| claim.provenance).min().unwrap_or(Provenance::Delivered)
    }

    /// The incident that it is.
    pub fn incident(&self) -> &IncidentId {
        let first = &self.claims[0];
        let rank = |claim: &&Claim| (!claim.told, claim.incident.clone());
        &self.claims.iter().min_by_key(rank).unwrap_or(first).incident
    }
}

/// The occurrences of claims that come in the order of their starts.
pub fn occurrences(claims: impl IntoIterator<Item = Claim>) -> Vec<Occurrence> {
    let mut occurrences: Vec<Occurrence> = Vec::new();
    for claim in claims {
        match occurrences.last_mut().filter(|last| last.takes(&claim)) {
            Some(last) => last.add(claim),
            None => occurrences.push(Occurrence::opened_by(claim)),
        }
    }
    occurrences
}

#[cfg(test)]
mod tests;
