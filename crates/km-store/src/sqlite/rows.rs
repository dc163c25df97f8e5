//! Rows into words. Whatever does not fit was not written by km: the store is then damaged.

use std::error::Error;

use km_contract::port::{Entry, Placement, Record, RecordState, Revision};
use km_model::{
    Alert, ApprovalId, ApprovalStanding, ApprovalStatus, ContentHash, EntryId, Fingerprint, IncidentId,
    LetterState, Link, LinkTarget, Outcome, PlaybookSlug, Provenance, TenantId, Timestamp, Violation,
    WriteDocument, WriteId,
};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Error as SqliteError, Row};

/// A column whose value is none of ours.
fn unfit(column: usize, cause: impl Error + Send + Sync + 'static) -> SqliteError {
    SqliteError::FromSqlConversionFailure(column, Type::Text, Box::new(cause))
}

fn missing(column: usize, what: &'static str) -> SqliteError {
    unfit(column, std::io::Error::other(what))
}

/// Reads an id.
pub(super) fn id<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(String) -> Result<T, Violation>,
) -> rusqlite::Result<T> {
    parse(row.get(column)?).map_err(|violation| unfit(column, violation))
}

/// Reads a name of a closed set.
pub(super) fn name<T>(row: &Row<'_>, column: usize, from: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    from(row.get_ref(column)?.as_str()?).ok_or_else(|| missing(column, "an unknown name"))
}

/// As [`name`], where there may be none.
pub(super) fn optional_name<T>(
    row: &Row<'_>,
    column: usize,
    from: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => name(row, column, from).map(Some),
    }
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column).map(|micros| micros.map(Timestamp::from_micros))
}

pub(super) fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<ContentHash> {
    row.get(column).map(ContentHash::from_bytes)
}

pub(super) fn entry_id(row: &Row<'_>, column: usize) -> rusqlite::Result<EntryId> {
    row.get(column).map(EntryId::from_bytes)
}

pub(super) fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(row.get_ref(column)?.as_bytes()?.to_vec())
}

pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_slice(row.get_ref(column)?.as_bytes()?).map_err(|error| unfit(column, error))
}

/// The columns of `find_write.sql`, `feed.sql` and `records.sql`.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let state = match row.get_ref(3)?.as_str()? {
        "applied" => RecordState::Applied(Placement {
            entry_id: entry_id(row, 4)?,
            revision: row.get(5)?,
            outcome: name(row, 6, Outcome::from_name)?,
            stored_at: time(row, 8)?,
        }),
        _ => RecordState::Letter(name(row, 3, LetterState::from_name)?),
    };
    Ok(Record {
        position: row.get(0)?,
        tenant: id(row, 1, TenantId::parse)?,
        write_id: id(row, 2, WriteId::parse)?,
        state,
        occurred_at: time(row, 7)?,
        stored_at: time(row, 8)?,
        content_hash: hash(row, 9)?,
        payload: bytes(row, 10)?,
    })
}

/// How many bytes the payload has, in a row that [`entry`] reads.
pub(super) fn payload_bytes(row: &Row<'_>) -> rusqlite::Result<usize> {
    Ok(row.get_ref(9)?.as_bytes()?.len())
}

/// The columns of `find_entry_head.sql` and `walk_heads.sql`.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let head = Revision {
        position: row.get(2)?,
        write_id: id(row, 3, WriteId::parse)?,
        revision: row.get(4)?,
        outcome: name(row, 5, Outcome::from_name)?,
        occurred_at: time(row, 6)?,
        stored_at: time(row, 7)?,
        content_hash: hash(row, 8)?,
        write: json::<WriteDocument>(row, 9)?,
    };
    Ok(Entry { entry_id: entry_id(row, 0)?, revisions: row.get(1)?, head })
}

/// The columns of `history.sql`.
pub(super) fn revision(row: &Row<'_>) -> rusqlite::Result<Revision> {
    Ok(Revision {
        position: row.get(0)?,
        write_id: id(row, 1, WriteId::parse)?,
        revision: row.get(2)?,
        outcome: name(row, 3, Outcome::from_name)?,
        occurred_at: time(row, 4)?,
        stored_at: time(row, 5)?,
        content_hash: hash(row, 6)?,
        write: json(row, 7)?,
    })
}

/// Six columns of a link, the first of which is `from`: the last two say where its approval stands.
pub(super) fn link(row: &Row<'_>, from: usize) -> rusqlite::Result<Link> {
    let target = match row.get_ref(from + 1)?.as_str()? {
        "approval" => LinkTarget::Approval(id(row, from + 2, ApprovalId::parse)?, standing(row, from + 4)?),
        _ => LinkTarget::Playbook(id(row, from + 2, PlaybookSlug::parse)?),
    };
    Ok(Link { incident: id(row, from, IncidentId::parse)?, target, since: time(row, from + 3)? })
}

/// The status and the first approval of an approval, or neither.
fn standing(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<ApprovalStanding>> {
    if row.get_ref(from)? == ValueRef::Null {
        return Ok(None);
    }
    let status = name(row, from, ApprovalStatus::from_name)?;
    Ok(Some(ApprovalStanding { status, approved_since: optional_time(row, from + 1)? }))
}

/// The columns of `incident_alerts.sql`, `occurrences_between.sql` and `open_alerts.sql`, and the first of
/// `occurrence_before.sql`.
pub(super) fn alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        incident: id(row, 0, IncidentId::parse)?,
        fingerprint: id(row, 1, Fingerprint::parse)?,
        starts_at: time(row, 2)?,
        ends_at: optional_time(row, 3)?,
        seen_at: time(row, 4)?,
        labels: json(row, 5)?,
        annotations: json(row, 6)?,
        generator_url: row.get(7)?,
        ends_by: optional_time(row, 8)?,
        end_provenance: optional_name(row, 9, Provenance::from_name)?,
        provenance: name(row, 10, Provenance::from_name)?,
    })
}
