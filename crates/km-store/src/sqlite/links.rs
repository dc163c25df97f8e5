//! Links and approvals: stated by writes in their own transaction, and compared with the ledger by the reconciler.
//!
//! The comparison reads in pages beside the writer. Only what differs goes to the writer, a few rows at a time,
//! and each row is taken from the ledger again there: a write that came in between is never undone.

use km_contract::Admitted;
use km_contract::port::{LinkReport, StoreError};
use km_model::{EntryId, EntryKey, IncidentId, TenantId};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Row, Transaction, params};

use super::find;
use super::readers::Readers;
use super::writer::WriterThread;

/// Rows that one look at a reader compares.
const PAGE: usize = 1_000;
/// Rows that one transaction mends, so that writes never wait for long.
const MENDED_MAX: usize = 100;

/// States what a write knows of links and of an approval, whether or not their other ends are known.
pub(super) fn state(transaction: &Transaction<'_>, admitted: &Admitted) -> rusqlite::Result<()> {
    state_approval(transaction, admitted)?;
    let Some(incident) = admitted.incident() else { return Ok(()) };
    let approval = admitted.approval().map(|approval| ("approval", approval.as_str()));
    let playbook = admitted.playbook().map(|playbook| ("playbook", playbook.as_str()));
    for (kind, target) in [approval, playbook].into_iter().flatten() {
        transaction.prepare_cached(include_str!("sql/state_link.sql"))?.execute(params![
            admitted.tenant().as_str(),
            incident.as_str(),
            kind,
            target,
            admitted.occurred_at().as_micros(),
        ])?;
    }
    Ok(())
}

fn state_approval(transaction: &Transaction<'_>, admitted: &Admitted) -> rusqlite::Result<()> {
    let Some((approval, status)) = admitted.approval().zip(admitted.approval_status()) else { return Ok(()) };
    transaction.prepare_cached(include_str!("sql/state_approval.sql"))?.execute(params![
        admitted.tenant().as_str(),
        approval.as_str(),
        status.as_str(),
        admitted.occurred_at().as_micros(),
        admitted.write_id().as_str(),
    ])?;
    Ok(())
}

/// Compares links and approvals with what the ledger states, and mends them.
pub(super) async fn mend(readers: &Readers, writer: &WriterThread) -> Result<LinkReport, StoreError> {
    let mut report = LinkReport::default();
    for listing in Listing::ALL {
        mend_listing(readers, writer, listing, &mut report).await?;
    }
    count(readers, &mut report).await?;
    Ok(report)
}

/// What the ledger states, in listings that one index each answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    ApprovalLinks,
    PlaybookLinks,
    Approvals,
}

/// A row that the ledger states: tenant, incident (empty for an approval), approval or playbook.
type Key = [String; 3];

/// How a stated row was found beside the writer.
#[derive(Debug)]
struct Stated {
    key: Key,
    kept: bool,
    right: bool,
}

impl Listing {
    const ALL: [Self; 3] = [Self::ApprovalLinks, Self::PlaybookLinks, Self::Approvals];

    const fn stated(self) -> &'static str {
        match self {
            Self::ApprovalLinks => include_str!("sql/stated_approval_links.sql"),
            Self::PlaybookLinks => include_str!("sql/stated_playbook_links.sql"),
            Self::Approvals => include_str!("sql/stated_approvals.sql"),
        }
    }

    const fn mend(self) -> &'static str {
        match self {
            Self::ApprovalLinks => include_str!("sql/mend_approval_link.sql"),
            Self::PlaybookLinks => include_str!("sql/mend_playbook_link.sql"),
            Self::Approvals => include_str!("sql/mend_approval.sql"),
        }
    }
}

async fn mend_listing(
    readers: &Readers,
    writer: &WriterThread,
    listing: Listing,
    report: &mut LinkReport,
) -> Result<(), StoreError> {
    let mut after = Key::default();
    loop {
        let page = readers.call(move |reader| stated(&reader.ledger, listing, &after)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.key.clone();
        if listing != Listing::Approvals {
            report.stated += page.len() as u64;
        }
        let mut wrong: Vec<Stated> = page.into_iter().filter(|stated| !stated.right).collect();
        while !wrong.is_empty() {
            let few: Vec<Stated> = wrong.drain(..wrong.len().min(MENDED_MAX)).collect();
            let (added, corrected) = writer.transact(move |t| mend_few(t, listing, &few)).await?;
            report.added += added;
            report.corrected += corrected;
        }
    }
}

fn stated(ledger: &Connection, listing: Listing, after: &Key) -> Result<Vec<Stated>, StoreError> {
    let [tenant, incident, target] = after;
    let behind = params![tenant, incident, target, find::limit(PAGE)];
    find::all(ledger, listing.stated(), behind, |row| {
        Ok(Stated { key: [row.get(0)?, row.get(1)?, row.get(2)?], kept: row.get(3)?, right: row.get(4)? })
    })
}

/// Mends rows in the caller's transaction; how many were added and how many corrected.
fn mend_few(
    transaction: &Transaction<'_>,
    listing: Listing,
    few: &[Stated],
) -> Result<(u64, u64), StoreError> {
    let (mut added, mut corrected) = (0, 0);
    for Stated { key: [tenant, incident, target], kept, .. } in few {
        let changed = find::execute(transaction, listing.mend(), [tenant, incident, target])? as u64;
        *(if *kept { &mut corrected } else { &mut added }) += changed;
    }
    Ok((added, corrected))
}

/// Counts the links that no write states, and those whose incident nobody has written about.
async fn count(readers: &Readers, report: &mut LinkReport) -> Result<(), StoreError> {
    let mut after = Default::default();
    loop {
        let page = readers.call(move |reader| kept(&reader.ledger, &after)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.key.clone();
        report.unstated += page.iter().filter(|link| !link.stated).count() as u64;
        report.without_incident += page.iter().filter(|link| !link.incident_known).count() as u64;
    }
}

/// A link that is there: tenant, incident, kind, target.
struct Kept {
    key: [String; 4],
    stated: bool,
    incident_known: bool,
}

fn kept(ledger: &Connection, after: &[String; 4]) -> Result<Vec<Kept>, StoreError> {
    let [tenant, incident, kind, target] = after;
    let behind = params![tenant, incident, kind, target, find::limit(PAGE)];
    let read = |row: &Row<'_>| {
        let key = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        Ok(Kept { key, stated: row.get(4)?, incident_known: row.get(5)? })
    };
    find::all(ledger, include_str!("sql/kept_links.sql"), behind, read)
}

/// Lets SQL ask for the id of the entry that an incident's resolution has.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("incident_entry", 2, flags, |context| {
        let tenant = TenantId::parse(context.get::<String>(0)?);
        let incident = IncidentId::parse(context.get::<String>(1)?);
        let id = tenant.and_then(|tenant| Ok(EntryId::of(&tenant, &EntryKey::Incident(incident?))));
        Ok(id.ok().map(|id| id.as_bytes().to_vec()))
    })
}

#[cfg(test)]
mod tests;
