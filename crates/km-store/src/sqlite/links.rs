//! Links: stated by writes in their own transaction, and compared with the ledger by the reconciler.

use km_contract::Admitted;
use km_contract::port::{LinkReport, StoreError};
use km_model::{EntryId, EntryKey, IncidentId, TenantId};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::classify::failed;

/// States the links that a write knows of, whether or not their other ends are known.
pub(super) fn state(transaction: &Transaction<'_>, admitted: &Admitted) -> rusqlite::Result<()> {
    let Some(incident) = admitted.incident() else { return Ok(()) };
    let status = admitted.approval_status().map(|status| status.as_str());
    let approval = admitted.approval().map(|approval| ("approval", approval.as_str(), status));
    let playbook = admitted.playbook().map(|playbook| ("playbook", playbook.as_str(), None));
    for (kind, target, status) in [approval, playbook].into_iter().flatten() {
        transaction.prepare_cached(include_str!("sql/state_link.sql"))?.execute(params![
            admitted.tenant().as_str(),
            incident.as_str(),
            kind,
            target,
            admitted.occurred_at().as_micros(),
            status,
            admitted.write_id().as_str(),
        ])?;
    }
    Ok(())
}

/// Compares the links with what the ledger states, and mends them.
pub(super) fn mend(connection: &mut Connection) -> Result<LinkReport, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let report = mended(&transaction).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(report)
}

fn mended(transaction: &Transaction<'_>) -> rusqlite::Result<LinkReport> {
    transaction.execute_batch(include_str!("sql/stated_links.sql"))?;
    let added = transaction.execute(include_str!("sql/missing_links.sql"), [])?;
    let corrected = transaction.execute(include_str!("sql/wrong_links.sql"), [])?;
    let report = transaction.query_row(include_str!("sql/count_links.sql"), [], |row| {
        Ok(LinkReport {
            stated: row.get(0)?,
            added: u64::try_from(added).unwrap_or(u64::MAX),
            corrected: u64::try_from(corrected).unwrap_or(u64::MAX),
            unstated: row.get(1)?,
            without_incident: row.get(2)?,
        })
    })?;
    transaction.execute_batch("DROP TABLE temp.stated")?;
    Ok(report)
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
