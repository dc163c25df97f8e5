//! The rows of one alert.

use km_contract::AdmittedAlert;
use km_contract::occurrence::{Claim, End};
use km_contract::port::{StoreError, StoreErrorKind};
use km_model::{Alert, IncidentId, Provenance, Timestamp};
use rusqlite::{Connection, Row, Rows, params};

use super::super::classify::failed;
use super::super::{find, rows};

/// Where the rows of one alert lie.
pub(super) struct Track<'t> {
    connection: &'t Connection,
    tenant: &'t str,
    fingerprint: &'t str,
}

/// An occurrence with the number of starts it covers.
pub(super) struct Kept {
    pub(super) alert: Alert,
    pub(super) starts: usize,
}

impl Kept {
    /// Whether a start that is not before its own belongs to it.
    pub(super) fn covers(&self, starts_at: Timestamp) -> bool {
        self.alert.ends_at.is_none_or(|ends_at| starts_at < ends_at)
    }
}

impl<'t> Track<'t> {
    pub(super) fn of(connection: &'t Connection, admitted: &'t AdmittedAlert) -> Self {
        let fingerprint = admitted.notice().fingerprint.as_str();
        Self { connection, tenant: admitted.tenant().as_str(), fingerprint }
    }

    /// The occurrence with the latest start that is not after `at`.
    pub(super) fn occurrence_before(&self, at: Timestamp) -> Result<Option<Kept>, StoreError> {
        let row = params![self.tenant, self.fingerprint, at.as_micros()];
        find::one(self.connection, include_str!("../sql/occurrence_before.sql"), row, read_kept)
    }

    /// The occurrence with the earliest start after `at`.
    pub(super) fn occurrence_after(&self, at: Timestamp) -> Result<Option<Kept>, StoreError> {
        let row = params![self.tenant, self.fingerprint, at.as_micros()];
        find::one(self.connection, include_str!("../sql/occurrence_after.sql"), row, read_kept)
    }

    /// What was said under the latest start that is not after `at`.
    pub(super) fn claim_before(&self, at: Timestamp) -> Result<Option<Claim>, StoreError> {
        let row = params![self.tenant, self.fingerprint, at.as_micros()];
        find::one(self.connection, include_str!("../sql/alert_before.sql"), row, read_claim)
    }

    /// Reads what was said under the starts from one on, and whether an occurrence begins there, until `look` has
    /// seen enough; at most `limit` of them.
    pub(super) fn look_from(
        &self,
        from: Timestamp,
        limit: usize,
        look: impl FnMut(Claim, bool) -> bool,
    ) -> Result<(), StoreError> {
        let row = params![self.tenant, self.fingerprint, from.as_micros(), find::limit(limit)];
        self.connection
            .prepare_cached(include_str!("../sql/alerts_from.sql"))
            .and_then(|mut statement| look_at(statement.query(row)?, look))
            .map_err(failed)
    }

    /// Whether another start of this alert has that name.
    pub(super) fn is_named(&self, incident: &IncidentId) -> Result<bool, StoreError> {
        let row = params![self.tenant, incident.as_str(), self.fingerprint];
        let sql = include_str!("../sql/find_alert_name.sql");
        Ok(find::one(self.connection, sql, row, |_| Ok(()))?.is_some())
    }

    pub(super) fn save(&self, claim: &Claim) -> Result<(), StoreError> {
        let row = params![
            self.tenant,
            self.fingerprint,
            claim.starts_at.as_micros(),
            claim.incident.as_str(),
            claim.told,
            claim.firing_seen_at.map(Timestamp::as_micros),
            claim.end.map(|end| end.at.as_micros()),
            claim.end.map(|end| end.seen_at.as_micros()),
            claim.end.and_then(|end| end.by).map(Timestamp::as_micros),
            claim.end.map(|end| end.provenance.as_str()),
            claim.provenance.as_str(),
        ];
        find::execute(self.connection, include_str!("../sql/save_alert.sql"), row).map(|_| ())
    }

    pub(super) fn remove(&self, claim: &Claim) -> Result<(), StoreError> {
        let row = params![self.tenant, self.fingerprint, claim.starts_at.as_micros()];
        find::execute(self.connection, include_str!("../sql/delete_alert.sql"), row).map(|_| ())
    }

    /// Notes that an incident was answered as resolved.
    pub(super) fn tell(&self, incident: &IncidentId) -> Result<(), StoreError> {
        let row = params![self.tenant, incident.as_str(), self.fingerprint];
        find::execute(self.connection, include_str!("../sql/tell_alert.sql"), row).map(|_| ())
    }

    /// Takes out the occurrences that begin between two starts, and returns them.
    pub(super) fn take_between(&self, from: Timestamp, through: Timestamp) -> Result<Vec<Alert>, StoreError> {
        let row = params![self.tenant, self.fingerprint, from.as_micros(), through.as_micros()];
        let taken =
            find::all(self.connection, include_str!("../sql/occurrences_between.sql"), row, rows::alert)?;
        find::execute(self.connection, include_str!("../sql/delete_occurrences.sql"), row)?;
        Ok(taken)
    }

    pub(super) fn insert(&self, kept: &Kept) -> Result<(), StoreError> {
        let Kept { alert, starts } = kept;
        let json = |map| {
            serde_json::to_string(map)
                .map_err(|error| StoreError::new(StoreErrorKind::Refused, "ALERT_JSON", error))
        };
        let row = params![
            self.tenant,
            self.fingerprint,
            alert.starts_at.as_micros(),
            alert.incident.as_str(),
            alert.ends_at.map(Timestamp::as_micros),
            alert.seen_at.as_micros(),
            starts,
            json(&alert.labels)?,
            json(&alert.annotations)?,
            alert.generator_url,
            alert.ends_by.map(Timestamp::as_micros),
            alert.end_provenance.map(Provenance::as_str),
            alert.provenance.as_str(),
        ];
        find::execute(self.connection, include_str!("../sql/insert_occurrence.sql"), row).map(|_| ())
    }
}

fn look_at(mut claims: Rows<'_>, mut look: impl FnMut(Claim, bool) -> bool) -> rusqlite::Result<()> {
    while let Some(row) = claims.next()? {
        if look(read_claim(row)?, row.get(9)?) {
            return Ok(());
        }
    }
    Ok(())
}

/// The columns of `occurrence_before.sql` and `occurrence_after.sql`.
fn read_kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept { alert: rows::alert(row)?, starts: row.get(11)? })
}

/// The columns of `alert_before.sql`, and the first of `alerts_from.sql` and `alert_rows.sql`.
pub(in super::super) fn read_claim(row: &Row<'_>) -> rusqlite::Result<Claim> {
    let (ends_at, end_seen_at) = (rows::optional_time(row, 4)?, rows::optional_time(row, 5)?);
    let by = rows::optional_time(row, 6)?;
    let heard = rows::optional_name(row, 7, Provenance::from_name)?;
    let end = ends_at.zip(end_seen_at).zip(heard);
    Ok(Claim {
        starts_at: rows::time(row, 0)?,
        incident: rows::id(row, 1, IncidentId::parse)?,
        told: row.get(2)?,
        firing_seen_at: rows::optional_time(row, 3)?,
        end: end.map(|((at, seen_at), provenance)| End { at, seen_at, provenance, by }),
        provenance: rows::name(row, 8, Provenance::from_name)?,
    })
}
