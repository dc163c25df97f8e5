//! Alerts: what notices say is kept by its start, and occurrences are derived from it where it changed.
//!
//! The rule is [`km_contract::occurrence`]; what it needs is bounded here. An occurrence is made of a bounded number
//! of starts, so that a sender that names another start each time makes nothing grow.

mod track;

use km_contract::AdmittedAlert;
use km_contract::occurrence::{Claim, Occurrence, occurrences};
use km_contract::port::{StoreError, StoreErrorKind};
use km_model::limits::ID_BYTES_MAX;
use km_model::{Alert, AlertStatus, IncidentId, Timestamp};
use rusqlite::{Connection, Transaction, params};
use tracing::warn;

use super::classify::damaged;
use super::{find, rows};
pub(super) use track::read_claim;
use track::{Kept, Track};

/// Alerts of one incident that are shown.
const ALERTS_MAX: usize = 1_000;
/// Names of one incident that are followed.
const NAMES_MAX: usize = 1_000;
/// Starts of one occurrence that are kept apart. What is said under a further one counts under the one before it.
const STARTS_MAX: usize = 64;
/// Starts that are looked at when one changes: a notice joins no more occurrences than lie within as many.
const WALK_MAX: usize = 256;

const END_OF_TIME: Timestamp = Timestamp::from_micros(i64::MAX);

/// Folds notices in, and returns the occurrence that each belongs to, as it stands after all of them.
pub(super) fn observe(
    transaction: &Transaction<'_>,
    notices: &[AdmittedAlert],
) -> Result<Vec<Alert>, StoreError> {
    let mut starts = Vec::with_capacity(notices.len());
    for admitted in notices {
        starts.push(Track::of(transaction, admitted).fold(admitted)?);
    }
    let answer = |(admitted, starts_at)| Track::of(transaction, admitted).answer(starts_at);
    notices.iter().zip(starts).map(answer).collect()
}

impl Track<'_> {
    /// Files what a notice says, and derives the occurrences around it. Returns the start it is filed under.
    fn fold(&self, admitted: &AdmittedAlert) -> Result<Timestamp, StoreError> {
        let (starts_at, ends_at) = self.place(admitted)?;
        let starts_at = self.start_with_room(starts_at)?;
        let claim = self.claim(Claim::of(admitted, starts_at, ends_at))?;
        self.save(&claim)?;
        self.derive_around(starts_at, admitted)?;
        Ok(starts_at)
    }

    /// The occurrence that covers a start. A resolution counts as told from now on.
    fn answer(&self, starts_at: Timestamp) -> Result<Alert, StoreError> {
        let kept = self.occurrence_before(starts_at)?;
        let alert = kept.ok_or_else(|| damaged("ALERT_WITHOUT_OCCURRENCE"))?.alert;
        if alert.status() == AlertStatus::Resolved {
            self.tell(&alert.incident)?;
        }
        Ok(alert)
    }

    /// From when to when an alert was on: as its notice says, or as follows from what is known.
    fn place(&self, admitted: &AdmittedAlert) -> Result<(Timestamp, Option<Timestamp>), StoreError> {
        let (notice, seen_at) = (admitted.notice(), admitted.seen_at());
        match (notice.status, notice.starts_at, notice.ends_at) {
            (AlertStatus::Firing, Some(_), _) => Ok((admitted.starts_at(), None)),
            (AlertStatus::Firing, None, _) => Ok((self.newest_open()?.unwrap_or(seen_at), None)),
            (AlertStatus::Resolved, Some(_), Some(ends_at)) => Ok((admitted.starts_at(), Some(ends_at))),
            (AlertStatus::Resolved, None, Some(ends_at)) => Ok((just_before(ends_at), Some(ends_at))),
            (AlertStatus::Resolved, Some(_), None) => self.over_by_now(admitted.starts_at(), seen_at),
            (AlertStatus::Resolved, None, None) => match self.claim_before(END_OF_TIME)? {
                Some(newest) => self.over_by_now(newest.starts_at, seen_at),
                None => Ok((just_before(seen_at), Some(seen_at))),
            },
        }
    }

    /// The start that a firing notice without one repeats: the newest, while the alert is on.
    fn newest_open(&self) -> Result<Option<Timestamp>, StoreError> {
        let newest = self.occurrence_before(END_OF_TIME)?;
        if newest.is_none_or(|newest| newest.alert.status() == AlertStatus::Resolved) {
            return Ok(None);
        }
        Ok(self.claim_before(END_OF_TIME)?.map(|claim| claim.starts_at))
    }

    /// What a resolved notice without an end says: over by now, or nothing new where an end is known.
    fn over_by_now(
        &self,
        starts_at: Timestamp,
        seen_at: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>), StoreError> {
        let around = self.occurrence_before(starts_at)?.filter(|kept| kept.covers(starts_at));
        let known_end = around.and_then(|kept| kept.alert.ends_at);
        Ok((starts_at, Some(known_end.map_or(seen_at, |_| starts_at))))
    }

    /// A start, or the one before it where the occurrence has as many as are kept apart.
    fn start_with_room(&self, starts_at: Timestamp) -> Result<Timestamp, StoreError> {
        let crowded = |kept: &Kept| kept.starts >= STARTS_MAX && kept.covers(starts_at);
        match self.occurrence_before(starts_at)?.filter(crowded) {
            Some(_) => Ok(self.claim_before(starts_at)?.map_or(starts_at, |claim| claim.starts_at)),
            None => Ok(starts_at),
        }
    }

    /// All that is said under a start, with what is said now.
    fn claim(&self, said: Claim) -> Result<Claim, StoreError> {
        let known = self.claim_before(said.starts_at)?.filter(|known| known.starts_at == said.starts_at);
        let known = match known {
            Some(known) => Some(known),
            None => self.moved_forward(&said)?,
        };
        match known {
            Some(mut known) => {
                known.absorb(&said);
                Ok(known)
            }
            None => Ok(Claim { incident: self.unused(said.incident, said.starts_at)?, ..said }),
        }
    }

    /// The first claim of the occurrence that begins after this one and that this one joins, if that has as many
    /// starts as are kept apart: it begins earlier then.
    fn moved_forward(&self, said: &Claim) -> Result<Option<Claim>, StoreError> {
        let joins = Occurrence::opened_by(said.clone());
        let next = self.occurrence_after(said.starts_at)?.filter(|next| next.starts >= STARTS_MAX);
        let Some(first) = next.map(|next| self.claim_before(next.alert.starts_at)).transpose()?.flatten()
        else {
            return Ok(None);
        };
        if !joins.takes(&first) {
            return Ok(None);
        }
        self.remove(&first)?;
        Ok(Some(Claim { starts_at: said.starts_at, ..first }))
    }

    /// A name that no other start of this alert has.
    fn unused(&self, incident: IncidentId, starts_at: Timestamp) -> Result<IncidentId, StoreError> {
        if !self.is_named(&incident)? {
            return Ok(incident);
        }
        let short = &incident.as_str()[..incident.as_str().floor_char_boundary(ID_BYTES_MAX - 24)];
        IncidentId::parse(format!("{short}-{}", starts_at.as_micros()))
            .map_err(|violation| StoreError::new(StoreErrorKind::Refused, "INCIDENT_ID", violation))
    }

    /// Derives the occurrences anew that a changed claim may have joined, parted or moved.
    fn derive_around(&self, changed: Timestamp, admitted: &AdmittedAlert) -> Result<(), StoreError> {
        let around = self.occurrence_before(changed)?.filter(|kept| kept.covers(changed));
        let from = around.map_or(changed, |kept| kept.alert.starts_at);
        let derived = self.derived_from(from, changed)?;
        let through = derived.last().map_or(from, last_start);
        let replaced = self.take_between(from, through)?;
        for occurrence in &derived {
            let mut alert = described(occurrence, &replaced, admitted);
            if holds(occurrence, changed) {
                retell(&mut alert, admitted);
            }
            self.insert(&Kept { alert, starts: occurrence.claims().len() })?;
        }
        Ok(())
    }

    /// The occurrences from a start on, until what follows is what it was before.
    fn derived_from(&self, from: Timestamp, changed: Timestamp) -> Result<Vec<Occurrence>, StoreError> {
        let mut derived: Vec<Occurrence> = Vec::new();
        let (mut walked, mut whole) = (0, 0);
        self.look_from(from, WALK_MAX + 1, |claim, begins| {
            let stands = begins && claim.starts_at > changed;
            let joined = derived.last_mut().filter(|last| last.takes(&claim));
            if stands && joined.is_none() {
                return true;
            }
            whole = if stands { walked } else { whole };
            walked += 1;
            match joined {
                Some(last) => last.add(claim),
                None => derived.push(Occurrence::opened_by(claim)),
            }
            false
        })?;
        if walked <= WALK_MAX {
            return Ok(derived);
        }
        warn!(starts = WALK_MAX, "a notice spans more starts of its alert than are joined at once");
        Ok(occurrences(derived.iter().flat_map(|one| one.claims().to_vec()).take(whole)))
    }
}

/// A resolved notice without a start covers the last instant before its end: that is all it says.
fn just_before(ends_at: Timestamp) -> Timestamp {
    Timestamp::from_micros(ends_at.as_micros().saturating_sub(1))
}

fn last_start(occurrence: &Occurrence) -> Timestamp {
    occurrence.claims().last().map_or(occurrence.starts_at(), |claim| claim.starts_at)
}

fn holds(occurrence: &Occurrence, starts_at: Timestamp) -> bool {
    (occurrence.starts_at()..=last_start(occurrence)).contains(&starts_at)
}

/// An occurrence with the words of the one that was heard of last among those it was joined from, or of the one
/// that it was parted from.
fn described(occurrence: &Occurrence, replaced: &[Alert], admitted: &AdmittedAlert) -> Alert {
    let joined = replaced.iter().filter(|alert| holds(occurrence, alert.starts_at));
    let parted = || replaced.iter().rfind(|alert| alert.starts_at <= occurrence.starts_at());
    let words = joined.max_by_key(|alert| alert.seen_at).or_else(parted).cloned();
    let end = occurrence.end();
    Alert {
        incident: occurrence.incident().clone(),
        starts_at: occurrence.starts_at(),
        ends_at: end.map(|end| end.at),
        ends_by: end.and_then(|end| end.by),
        provenance: occurrence.provenance(),
        end_provenance: end.map(|end| end.provenance),
        ..words.unwrap_or_else(|| first_words(admitted))
    }
}

fn first_words(admitted: &AdmittedAlert) -> Alert {
    let notice = admitted.notice();
    Alert {
        incident: admitted.incident().clone(),
        fingerprint: notice.fingerprint.clone(),
        starts_at: admitted.starts_at(),
        ends_at: None,
        ends_by: None,
        provenance: notice.provenance,
        end_provenance: None,
        seen_at: admitted.seen_at(),
        labels: notice.labels.clone(),
        annotations: notice.annotations.clone(),
        generator_url: notice.generator_url.clone(),
    }
}

/// The newest notice has the words, where it says any.
fn retell(alert: &mut Alert, admitted: &AdmittedAlert) {
    if admitted.seen_at() < alert.seen_at {
        return;
    }
    let notice = admitted.notice();
    alert.seen_at = admitted.seen_at();
    if !notice.annotations.is_empty() {
        alert.annotations.clone_from(&notice.annotations);
    }
    if notice.generator_url.is_some() {
        alert.generator_url.clone_from(&notice.generator_url);
    }
}

/// The alerts that an incident is a name of, the earliest first.
pub(super) fn of_incident(
    connection: &Connection,
    tenant: &str,
    incident: &str,
) -> Result<Vec<Alert>, StoreError> {
    let sql = include_str!("sql/incident_alerts.sql");
    let row = params![tenant, incident, find::limit(ALERTS_MAX)];
    let mut alerts = find::all(connection, sql, row, rows::alert)?;
    alerts.sort_by(|a, b| (a.starts_at, &a.fingerprint).cmp(&(b.starts_at, &b.fingerprint)));
    Ok(alerts)
}

/// Every name of the alerts that an incident is a name of; none when it is no alert's.
pub(super) fn names(
    connection: &Connection,
    tenant: &str,
    incident: &str,
) -> Result<Vec<IncidentId>, StoreError> {
    let sql = include_str!("sql/incident_names.sql");
    let row = params![tenant, incident, find::limit(NAMES_MAX)];
    find::all(connection, sql, row, |row| rows::id(row, 0, IncidentId::parse))
}
