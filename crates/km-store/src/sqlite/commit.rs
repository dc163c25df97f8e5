//! Applying a batch of writes in one transaction.

use std::sync::Arc;

use async_trait::async_trait;
use km_contract::port::{Committed, Ledger, OnApplied, Placement, Record, RecordState, StoreError};
use km_contract::{Admitted, AdmittedAlert};
use km_model::{Alert, Durability, LetterState, Outcome, TenantId, Timestamp, WriteId};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, ToSql, Transaction, params};

use super::classify::failed;
use super::{SqliteStore, alerts, find, letters, links};

#[async_trait]
impl Ledger for SqliteStore {
    async fn commit(
        &self,
        batch: &[Arc<Admitted>],
        applied: OnApplied,
    ) -> Result<Vec<Committed>, StoreError> {
        let batch = batch.to_vec();
        let clock = self.clock.clone();
        let committed = self
            .writer()?
            .transact(move |transaction| {
                let now = clock.now();
                let answers = batch
                    .iter()
                    .map(|admitted| apply(transaction, admitted, now))
                    .collect::<Result<_, _>>()?;
                applied.tell();
                Ok(answers)
            })
            .await;
        self.wake_indexer();
        committed
    }

    async fn observe(&self, notices: &[AdmittedAlert]) -> Result<Vec<Alert>, StoreError> {
        let notices = notices.to_vec();
        self.writer()?.transact(move |transaction| alerts::observe(transaction, &notices)).await
    }

    async fn find(&self, tenant: &TenantId, write_id: &WriteId) -> Result<Option<Record>, StoreError> {
        let (tenant, write_id) = (tenant.clone(), write_id.clone());
        self.readers.call(move |reader| find::write(&reader.ledger, &tenant, &write_id)).await
    }

    fn durability(&self) -> Durability {
        self.durability
    }
}

/// The head of an entry and the end of its history, before a write is applied to it.
struct Standing {
    head_occurred_at: Timestamp,
    head_write_id: String,
    newest: i64,
    revisions: u64,
}

/// Applies one write, or says what became of its id before.
fn apply(
    transaction: &Transaction<'_>,
    admitted: &Admitted,
    now: Timestamp,
) -> Result<Committed, StoreError> {
    let standing = standing(transaction, admitted).map_err(failed)?;
    let placement = place(admitted, standing.as_ref(), now);
    let previous = standing.as_ref().map(|standing| standing.newest);
    let inserted = insert(transaction, admitted, &placement, previous).map_err(failed)?;
    let position = match inserted {
        Some(position) => position,
        None => match known(transaction, admitted, &placement, previous)? {
            Known::Settled(position) => position,
            Known::Answer(answer) => return Ok(answer),
        },
    };
    update_entry(transaction, admitted, &placement, position).map_err(failed)?;
    links::state(transaction, admitted).map_err(failed)?;
    Ok(Committed::Applied(placement))
}

fn standing(transaction: &Transaction<'_>, admitted: &Admitted) -> rusqlite::Result<Option<Standing>> {
    transaction
        .prepare_cached(include_str!("sql/find_entry.sql"))?
        .query_row(params![admitted.tenant().as_str(), admitted.entry_id().as_bytes()], |row| {
            Ok(Standing {
                head_occurred_at: Timestamp::from_micros(row.get(0)?),
                head_write_id: row.get(1)?,
                newest: row.get(2)?,
                revisions: row.get(3)?,
            })
        })
        .optional()
}

/// Where a write stands: the newest by `(occurred_at, write_id)` is the head, whatever came first.
fn place(admitted: &Admitted, standing: Option<&Standing>, now: Timestamp) -> Placement {
    let version = (admitted.occurred_at(), admitted.write_id().as_str());
    let outcome = match standing {
        None => Outcome::Created,
        Some(head) if version > (head.head_occurred_at, head.head_write_id.as_str()) => Outcome::Revised,
        Some(_) => Outcome::Superseded,
    };
    let revision = standing.map_or(1, |standing| standing.revisions + 1);
    Placement { entry_id: admitted.entry_id(), revision, outcome, stored_at: now }
}

/// Canonical documents are UTF-8, so they are bound as text without being checked again.
struct Payload<'a>(&'a [u8]);

impl ToSql for Payload<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// `None` when the write id is taken.
fn insert(
    transaction: &Transaction<'_>,
    admitted: &Admitted,
    placement: &Placement,
    previous: Option<i64>,
) -> rusqlite::Result<Option<i64>> {
    let inserted = transaction.prepare_cached(include_str!("sql/insert_write.sql"))?.execute(params![
        admitted.tenant().as_str(),
        admitted.write_id().as_str(),
        admitted.entry_id().as_bytes(),
        placement.revision,
        placement.outcome.as_str(),
        previous,
        admitted.path().as_str(),
        admitted.incident().map(AsRef::as_ref),
        admitted.approval().map(AsRef::as_ref),
        admitted.approval_status().map(|status| status.as_str()),
        admitted.playbook().map(AsRef::as_ref),
        admitted.occurred_at().as_micros(),
        placement.stored_at.as_micros(),
        admitted.content_hash().as_bytes(),
        Payload(admitted.payload()),
    ])?;
    Ok((inserted == 1).then(|| transaction.last_insert_rowid()))
}

/// What a write id that is taken means.
enum Known {
    /// It was a dead letter that waited for this; it is applied now.
    Settled(i64),
    /// It was answered before.
    Answer(Committed),
}

fn known(
    transaction: &Transaction<'_>,
    admitted: &Admitted,
    placement: &Placement,
    previous: Option<i64>,
) -> Result<Known, StoreError> {
    let kept = find::write(transaction, admitted.tenant(), admitted.write_id())?
        .ok_or_else(|| super::classify::damaged("LEDGER_INDEX"))?;
    let same = kept.content_hash == *admitted.content_hash();
    let meant = same || admitted.settles() == Some(&kept.content_hash);
    match kept.state {
        RecordState::Applied(placement) if same => Ok(Known::Answer(Committed::Replayed(placement))),
        RecordState::Letter(LetterState::Pending | LetterState::Parked) if meant => {
            settle(transaction, admitted, placement, previous).map(Known::Settled)
        }
        RecordState::Applied(_) | RecordState::Letter(_) => {
            Ok(Known::Answer(Committed::Conflict { kept: kept.content_hash }))
        }
    }
}

/// Turns a dead letter into the write that it was kept for. It takes a new place in the order of application.
fn settle(
    transaction: &Transaction<'_>,
    admitted: &Admitted,
    placement: &Placement,
    previous: Option<i64>,
) -> Result<i64, StoreError> {
    letters::keep_original(transaction, admitted.tenant(), admitted.write_id(), admitted.content_hash())?;
    let position = transaction
        .prepare_cached(include_str!("sql/settle_write.sql"))
        .and_then(|mut statement| {
            statement.query_row(
                params![
                    admitted.tenant().as_str(),
                    admitted.write_id().as_str(),
                    admitted.entry_id().as_bytes(),
                    placement.revision,
                    placement.outcome.as_str(),
                    previous,
                    admitted.path().as_str(),
                    admitted.incident().map(AsRef::as_ref),
                    admitted.approval().map(AsRef::as_ref),
                    admitted.approval_status().map(|status| status.as_str()),
                    admitted.playbook().map(AsRef::as_ref),
                    admitted.occurred_at().as_micros(),
                    placement.stored_at.as_micros(),
                    admitted.content_hash().as_bytes(),
                    Payload(admitted.payload()),
                ],
                |row| row.get(0),
            )
        })
        .map_err(failed)?;
    letters::note_settled(transaction, admitted.tenant(), admitted.write_id(), placement.stored_at)?;
    Ok(position)
}

fn update_entry(
    transaction: &Transaction<'_>,
    admitted: &Admitted,
    placement: &Placement,
    position: i64,
) -> rusqlite::Result<()> {
    let (tenant, entry_id) = (admitted.tenant().as_str(), admitted.entry_id());
    let (occurred_at, write_id) = (admitted.occurred_at().as_micros(), admitted.write_id().as_str());
    let changed = match placement.outcome {
        Outcome::Created => {
            transaction.prepare_cached(include_str!("sql/insert_entry.sql"))?.execute(params![
                tenant,
                entry_id.as_bytes(),
                admitted.key().to_string(),
                position,
                occurred_at,
                write_id
            ])?
        }
        Outcome::Revised => transaction
            .prepare_cached(include_str!("sql/revise_entry.sql"))?
            .execute(params![tenant, entry_id.as_bytes(), position, occurred_at, write_id])?,
        Outcome::Superseded | Outcome::Replayed | Outcome::Parked => transaction
            .prepare_cached(include_str!("sql/supersede_entry.sql"))?
            .execute(params![tenant, entry_id.as_bytes(), position])?,
    };
    assert_eq!(changed, 1, "a write changes exactly one entry");
    Ok(())
}
