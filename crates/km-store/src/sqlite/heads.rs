//! From what the search index found to entries: only what the ledger confirms.

use km_contract::port::{Entry, Filter};
use km_model::{EntryId, TenantId, Timestamp};
use rusqlite::{Connection, params};

use super::index_file::Failure;
use super::search::{Document, Filter as IndexFilter, Found, SearchError, Snapshot};
use super::walk::newest;
use super::{find, rows};

/// A page ends with the entry that brings it to so many bytes.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// Entries whose heads were found.
pub(super) struct Confirmed {
    pub(super) entries: Vec<Entry>,
    /// What each of them was found as.
    pub(super) found: Vec<Found>,
    pub(super) rest: Rest,
}

/// Where the next page starts.
pub(super) enum Rest {
    /// There is none.
    None,
    /// After the last entry.
    AfterTheLast,
    /// After this one, though it is no entry of the page.
    After(Found),
}

/// The newest position of the ledger. An index that knows more is not of this ledger.
pub(super) fn newest_known(snapshot: &Snapshot<'_>, ledger: &Connection) -> Result<i64, Failure> {
    let newest = newest(ledger)?;
    if snapshot.indexed_through() > newest {
        return Err(SearchError::Foreign.into());
    }
    Ok(newest)
}

/// The first `limit` that are heads still, of all that was `found`, with the tail in which it was found. `cut` says
/// that more may be found.
///
/// The ledger must have been looked at after the index: what the index knows, the ledger then knows too, and an
/// index that contradicts it is not of this ledger.
pub(super) fn confirm(
    snapshot: &Snapshot<'_>,
    ledger: &Connection,
    tenant: &TenantId,
    (found, cut): (&[Found], bool),
    tail: &[Document<'_>],
    limit: usize,
) -> Result<Confirmed, Failure> {
    let mut page = Confirmed { entries: Vec::new(), found: Vec::new(), rest: Rest::None };
    let mut bytes = 0;
    for part in found.chunks(limit + 1) {
        for (&found, id) in part.iter().zip(snapshot.entries(part, tail)?) {
            if !is_head(ledger, tenant, id, found.position())? {
                continue;
            }
            if page.entries.len() == limit || bytes >= PAGE_BYTES_MAX {
                page.rest = Rest::AfterTheLast;
                return Ok(page);
            }
            let entry = entry(ledger, tenant, id)?;
            bytes += entry.head.write.content.as_ref().map_or(0, String::len);
            page.entries.push(entry);
            page.found.push(found);
        }
    }
    if let Some(last) = found.last().filter(|_| cut) {
        page.rest = Rest::After(*last);
    }
    Ok(page)
}

/// Whether an entry's head stands at this position.
fn is_head(ledger: &Connection, tenant: &TenantId, id: [u8; 16], position: i64) -> Result<bool, Failure> {
    let sql = include_str!("sql/find_head.sql");
    let head: Option<i64> = find::one(ledger, sql, params![tenant.as_str(), id], |row| row.get(0))?;
    match head {
        Some(head) if head >= position => Ok(head == position),
        Some(_) | None => Err(SearchError::Foreign.into()),
    }
}

fn entry(ledger: &Connection, tenant: &TenantId, id: [u8; 16]) -> Result<Entry, Failure> {
    let id = EntryId::from_bytes(id);
    let sql = include_str!("sql/find_entry_head.sql");
    let entry = find::one(ledger, sql, params![tenant.as_str(), id.as_bytes()], rows::entry)?;
    entry.ok_or_else(|| SearchError::Foreign.into())
}

/// A filter as the index takes it.
pub(super) fn index_filter(filter: &Filter) -> IndexFilter {
    IndexFilter {
        tenant: filter.tenant.to_string(),
        path: filter.path.map(|path| path.as_str().to_owned()),
        entry_type: filter.entry_type.as_ref().map(ToString::to_string),
        tags: filter.tags.clone(),
        labels: filter.labels.clone(),
        incident_id: filter.incident.as_ref().map(ToString::to_string),
        approval_id: filter.approval.as_ref().map(ToString::to_string),
        occurred_from: filter.occurred_from.map(Timestamp::as_micros),
        occurred_to: filter.occurred_before.map(Timestamp::as_micros),
    }
}
