//! Reading knowledge: by id, by tie, by filter, by text.

use async_trait::async_trait;
use km_contract::port::{
    Chain, Entry, Filter, Library, Page, Position, Record, Revision, SearchPage, SearchRequest, StoreError,
};
use km_model::{ApprovalId, EntryId, EntryKey, IncidentId, Link, LinkTarget, TenantId, Verdict};
use rusqlite::{Connection, params};

use super::readers::Reader;
use super::{SqliteStore, alerts, find, listing, rows, searching};

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
        let sql = include_str!("sql/feed.sql");
        let ask = move |reader: &mut Reader| {
            find::all(&reader.ledger, sql, params![tenant, after, find::limit(limit)], rows::record)
        };
        self.readers.call(ask).await
    }
}

fn head(ledger: &Connection, tenant: &TenantId, entry: EntryId) -> Result<Option<Entry>, StoreError> {
    let sql = include_str!("sql/find_entry_head.sql");
    find::one(ledger, sql, params![tenant.as_str(), entry.as_bytes()], rows::entry)
}

/// Walks from the revision that was applied last to those before it.
fn history(
    ledger: &Connection,
    tenant: &TenantId,
    entry: EntryId,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Revision>, StoreError> {
    let newest = include_str!("sql/find_newest.sql");
    let mut next = find::one(ledger, newest, params![tenant.as_str(), entry.as_bytes()], |row| row.get(0))?;
    let mut revisions = Vec::new();
    while let Some(position) = next.filter(|_| revisions.len() < limit) {
        let position: i64 = position;
        let found = find::one(ledger, include_str!("sql/find_revision.sql"), [position], rows::revision)?;
        let (revision, previous) = found.ok_or_else(|| super::classify::damaged("REVISION_MISSING"))?;
        next = previous;
        if before.is_none_or(|before| revision.revision < before) {
            revisions.push(revision);
        }
    }
    Ok(revisions)
}

fn chain(ledger: &Connection, tenant: &TenantId, incident: IncidentId) -> Result<Option<Chain>, StoreError> {
    let sql = include_str!("sql/incident_links.sql");
    let ends = params![tenant.as_str(), incident.as_str(), find::limit(LINKS_MAX)];
    let links = find::all(ledger, sql, ends, |row| rows::link(row, 0))?;
    let alerts = alerts::of_incident(ledger, tenant.as_str(), incident.as_str())?;
    let mut entries = Vec::new();
    for key in keys_around(&incident, &links) {
        entries.extend(head(ledger, tenant, EntryId::of(tenant, &key))?);
    }
    entries
        .sort_by(|a, b| (a.head.occurred_at, &a.head.write_id).cmp(&(b.head.occurred_at, &b.head.write_id)));
    let known = !(links.is_empty() && alerts.is_empty() && entries.is_empty());
    Ok(known.then_some(Chain { incident, entries, links, alerts }))
}

/// Every key under which something of this incident's chain can be kept.
fn keys_around(incident: &IncidentId, links: &[Link]) -> Vec<EntryKey> {
    let mut keys: Vec<EntryKey> = EntryKey::of_incident(incident).collect();
    for link in links {
        match &link.target {
            LinkTarget::Approval(approval, _) => {
                keys.extend(Verdict::ALL.map(|verdict| EntryKey::Approval(approval.clone(), verdict)));
            }
            LinkTarget::Playbook(playbook) => {
                keys.push(EntryKey::Playbook(playbook.clone(), Some(incident.clone())));
                keys.push(EntryKey::Playbook(playbook.clone(), None));
            }
        }
    }
    keys
}
