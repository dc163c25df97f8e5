//! Alerts: notices are folded into occurrences by fingerprint and overlapping interval.

use km_contract::AdmittedAlert;
use km_contract::port::{StoreError, StoreErrorKind};
use km_model::{Alert, AlertStatus, Timestamp};
use rusqlite::{Connection, Transaction, params};

use super::{find, rows};

/// Alerts of one incident that are shown.
const ALERTS_MAX: usize = 1_000;

/// Folds one notice in, and returns the occurrence it belongs to.
pub(super) fn fold(transaction: &Transaction<'_>, admitted: &AdmittedAlert) -> Result<Alert, StoreError> {
    let known = overlapping(transaction, admitted)?;
    let alert = match known {
        Some(known) => joined(known, admitted),
        None => opened(admitted),
    };
    save(transaction, admitted, &alert)?;
    Ok(alert)
}

/// The end that a notice names: none while it fires; the time of intake when a resolved one names none.
fn named_end(admitted: &AdmittedAlert) -> Option<Timestamp> {
    let notice = admitted.notice();
    match notice.status {
        AlertStatus::Firing => None,
        AlertStatus::Resolved => Some(notice.ends_at.unwrap_or(admitted.seen_at()).max(admitted.starts_at())),
    }
}

fn overlapping(transaction: &Transaction<'_>, admitted: &AdmittedAlert) -> Result<Option<Alert>, StoreError> {
    find::one(
        transaction,
        include_str!("sql/overlapping_alert.sql"),
        params![
            admitted.tenant().as_str(),
            admitted.notice().fingerprint.as_str(),
            admitted.starts_at().as_micros(),
            named_end(admitted).map(Timestamp::as_micros)
        ],
        rows::alert,
    )
}

fn opened(admitted: &AdmittedAlert) -> Alert {
    let notice = admitted.notice();
    Alert {
        incident: admitted.incident().clone(),
        fingerprint: notice.fingerprint.clone(),
        starts_at: admitted.starts_at(),
        ends_at: named_end(admitted),
        seen_at: admitted.seen_at(),
        labels: notice.labels.clone(),
        annotations: notice.annotations.clone(),
        generator_url: notice.generator_url.clone(),
    }
}

/// A known end stands unless a notice names a later one: a late firing notice opens nothing again.
fn joined(known: Alert, admitted: &AdmittedAlert) -> Alert {
    let notice = admitted.notice();
    let ends_at = match (notice.status, known.ends_at, notice.ends_at) {
        (AlertStatus::Firing, ends_at, _) => ends_at,
        (AlertStatus::Resolved, Some(known_end), None) => Some(known_end),
        (AlertStatus::Resolved, known_end, _) => known_end.max(named_end(admitted)),
    };
    let annotations =
        if notice.annotations.is_empty() { known.annotations } else { notice.annotations.clone() };
    Alert {
        starts_at: known.starts_at.min(admitted.starts_at()),
        ends_at,
        seen_at: known.seen_at.max(admitted.seen_at()),
        annotations,
        generator_url: notice.generator_url.clone().or(known.generator_url),
        ..known
    }
}

fn save(transaction: &Transaction<'_>, admitted: &AdmittedAlert, alert: &Alert) -> Result<(), StoreError> {
    let json = |map| {
        serde_json::to_string(map)
            .map_err(|error| StoreError::new(StoreErrorKind::Refused, "ALERT_JSON", error))
    };
    find::execute(
        transaction,
        include_str!("sql/save_alert.sql"),
        params![
            admitted.tenant().as_str(),
            alert.fingerprint.as_str(),
            alert.incident.as_str(),
            alert.starts_at.as_micros(),
            alert.ends_at.map(Timestamp::as_micros),
            alert.seen_at.as_micros(),
            json(&alert.labels)?,
            json(&alert.annotations)?,
            alert.generator_url
        ],
    )?;
    Ok(())
}

/// The alerts that opened an incident, the earliest first.
pub(super) fn of_incident(
    connection: &Connection,
    tenant: &str,
    incident: &str,
) -> Result<Vec<Alert>, StoreError> {
    let sql = include_str!("sql/incident_alerts.sql");
    find::all(connection, sql, params![tenant, incident, find::limit(ALERTS_MAX)], rows::alert)
}
