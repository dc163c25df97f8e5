//! Reading knowledge: by id, by tie, by filter, by text.

use std::collections::HashSet;

use async_trait::async_trait;
use km_contract::port::{
    Chain, Entry, Filter, Library, Page, Position, Record, Revision, SearchPage, SearchRequest, StoreError,
};
use km_model::{ApprovalId, EntryId, EntryKey, IncidentId, Link, LinkTarget, TenantId, Verdict};
use rusqlite::{Connection, params};

use super::classify::{damaged, failed};
use super::readers::Reader;
use super::{SqliteStore, alerts, find, listing, rows, searching};

/// Rows of the ledger that a feed walks before it takes its tenant for one of few rows.
const FEED_WALK: i64 = 10_000;
/// Links of one incident that are shown.
const LINKS_MAX: usize = 1_000;

#[async_trait]
impl Library for SqliteStore {
    async fn entry(&self, tenant: &TenantId, entry: EntryId) -> Result<Option<Entry>, StoreError> {
        let tenant = tenant.clone();
        self.readers.call(move |reader| head(&reader.ledger, &tenant, entry)).await
    }

    async fn revisions(
        &self,
        tenant: &TenantId,
        entry: EntryId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Revision>, StoreError> {
        let tenant = tenant.clone();
        self.readers.call(move |reader| history(&reader.ledger, &tenant, entry, before, limit)).await
    }

    async fn entries(
        &self,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<Entry>, StoreError> {
        let filter = filter.clone();
        self.readers.call(move |reader| listing::list(reader, &filter, after, limit)).await
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError> {
        let request = request.clone();
        self.readers.call(move |reader| searching::search(reader, &request)).await
    }

    async fn chain(&self, tenant: &TenantId, incident: &IncidentId) -> Result<Option<Chain>, StoreError> {
        let (tenant, incident) = (tenant.clone(), incident.clone());
        self.readers.call(move |reader| chain(&reader.ledger, &tenant, incident)).await
    }

    async fn incidents_of(
        &self,
        tenant: &TenantId,
        approval: &ApprovalId,
        limit: usize,
    ) -> Result<Vec<IncidentId>, StoreError> {
        let (tenant, approval) = (tenant.to_string(), approval.to_string());
        let sql = include_str!("sql/approval_incidents.sql");
        let ask = move |reader: &mut Reader| {
            let ends = params![tenant, approval, find::limit(limit)];
            find::all(&reader.ledger, sql, ends, |row| rows::id(row, 0, IncidentId::parse))
        };
        self.readers.call(ask).await
    }

    async fn feed(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let tenant = tenant.to_string();
        self.readers.call(move |reader| feed(&reader.ledger, &tenant, after, limit)).await
    }
}

fn head(ledger: &Connection, tenant: &TenantId, entry: EntryId) -> Result<Option<Entry>, StoreError> {
    let sql = include_str!("sql/find_entry_head.sql");
    find::one(ledger, sql, params![tenant.as_str(), entry.as_bytes()], rows::entry)
}

/// Walks the ledger for a while. A tenant of whom too little is met there is one of few rows, whose positions are
/// looked up instead: no tenant pays for what others have written, and no index for this costs every write.
fn feed(ledger: &Connection, tenant: &str, after: i64, limit: usize) -> Result<Vec<Record>, StoreError> {
    // The end of the ledger and the rows before it are read at one moment.
    let moment = ledger.unchecked_transaction().map_err(failed)?;
    let newest = find::one(&moment, include_str!("sql/newest_position.sql"), [], |row| row.get(0))?;
    let newest: i64 = newest.unwrap_or_default();
    let end = newest.min(after.saturating_add(FEED_WALK));
    let row = params![tenant, after, end, find::limit(limit)];
    let met = find::all(&moment, include_str!("sql/feed.sql"), row, rows::record)?;
    if met.len() == limit || end == newest {
        return Ok(met);
    }
    let row = params![tenant, after, find::limit(limit)];
    find::all(&moment, include_str!("sql/feed_of_few.sql"), row, rows::record)
}

/// Walks from the revision that was applied last to those before it: as many steps as there are newer revisions.
fn history(
    ledger: &Connection,
    tenant: &TenantId,
    entry: EntryId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Revision>, StoreError> {
    // The count and the chain are read at one moment.
    let moment = ledger.unchecked_transaction().map_err(failed)?;
    let ends = params![tenant.as_str(), entry.as_bytes()];
    let counted = find::one(&moment, include_str!("sql/find_entry.sql"), ends, |row| row.get(3))?;
    let Some(count) = counted else { return Ok(Vec::new()) };
    let count: u64 = count;
    let before = before.map_or(count + 1, |before| before.min(count + 1));
    let row = params![tenant.as_str(), entry.as_bytes(), before, find::limit(limit)];
    let revisions = find::all(&moment, include_str!("sql/history.sql"), row, rows::revision)?;
    let due = before.saturating_sub(1).min(limit.try_into().unwrap_or(u64::MAX));
    if revisions.len() as u64 != due {
        return Err(damaged("REVISION_CHAIN"));
    }
    Ok(revisions)
}

/// The chain of an incident. An alert's incident may have been opened under several names: all of them lead here.
fn chain(ledger: &Connection, tenant: &TenantId, incident: IncidentId) -> Result<Option<Chain>, StoreError> {
    let alerts = alerts::of_incident(ledger, tenant.as_str(), incident.as_str())?;
    let mut names = alerts::names(ledger, tenant.as_str(), incident.as_str())?;
    if names.is_empty() {
        names.push(incident.clone());
    }
    let links = links_of(ledger, tenant, &names)?;
    let mut entries = Vec::new();
    for key in keys_around(&names, &links) {
        entries.extend(head(ledger, tenant, EntryId::of(tenant, &key))?);
    }
    entries
        .sort_by(|a, b| (a.head.occurred_at, &a.head.write_id).cmp(&(b.head.occurred_at, &b.head.write_id)));
    let known = !(links.is_empty() && alerts.is_empty() && entries.is_empty());
    let incident = alerts.first().map_or(incident, |alert| alert.incident.clone());
    Ok(known.then_some(Chain { incident, entries, links, alerts }))
}

/// The links of an incident under all of its names, the earliest first.
fn links_of(ledger: &Connection, tenant: &TenantId, names: &[IncidentId]) -> Result<Vec<Link>, StoreError> {
    let sql = include_str!("sql/incident_links.sql");
    let mut links = Vec::new();
    for name in names {
        let ends = params![tenant.as_str(), name.as_str(), find::limit(LINKS_MAX)];
        links.extend(find::all(ledger, sql, ends, |row| rows::link(row, 0))?);
    }
    links.sort_by_key(|link| link.since);
    links.truncate(LINKS_MAX);
    Ok(links)
}

/// Every key under which something of this chain can be kept, each once.
fn keys_around(names: &[IncidentId], links: &[Link]) -> HashSet<EntryKey> {
    let mut keys: HashSet<EntryKey> = names.iter().flat_map(EntryKey::of_incident).collect();
    for link in links {
        match &link.target {
            LinkTarget::Approval(approval, _) => {
                keys.extend(Verdict::ALL.map(|verdict| EntryKey::Approval(approval.clone(), verdict)));
            }
            LinkTarget::Playbook(playbook) => {
                let own = |name: &IncidentId| EntryKey::Playbook(playbook.clone(), Some(name.clone()));
                keys.extend(names.iter().map(own));
                keys.insert(EntryKey::Playbook(playbook.clone(), None));
            }
        }
    }
    keys
}
