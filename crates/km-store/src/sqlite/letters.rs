//! Dead letters: rows of the ledger with what was decided about them.

use std::borrow::Cow;

use async_trait::async_trait;
use km_contract::LetterLimits;
use km_contract::port::{
    DEAD_LETTERS_FULL, Decision, Letter, LetterCount, LetterEvent, LetterFilter, LetterFormat, LetterSummary,
    Letters, NewLetter, Page, Parked, Position, Reason, Redrive, RedriveState, StoreError, StoreErrorKind,
    Undecidable,
};
use km_model::{ContentHash, LetterState, TenantId, Timestamp, WriteId};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql, Transaction, params};

use super::classify::damaged;
use super::readers::Reader;
use super::{SqliteStore, find, rows};

/// Events of one letter that are shown.
const EVENTS_MAX: usize = 1_000;

#[async_trait]
impl Letters for SqliteStore {
    async fn park(&self, letter: &NewLetter) -> Result<Parked, StoreError> {
        let letter = letter.clone();
        let limits = self.letters_max;
        self.writer()?.transact(move |transaction| park(transaction, &letter, limits)).await
    }

    async fn letters(
        &self,
        filter: &LetterFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<LetterSummary>, StoreError> {
        let filter = filter.clone();
        self.readers.call(move |reader| list(reader, &filter, after, limit)).await
    }

    async fn letter(&self, tenant: &TenantId, id: &WriteId) -> Result<Option<Letter>, StoreError> {
        let (tenant, id) = (tenant.to_string(), id.to_string());
        self.readers.call(move |reader| letter(reader, &tenant, &id)).await
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        id: &WriteId,
        decision: &Decision,
        by: &str,
        at: Timestamp,
    ) -> Result<Result<LetterState, Undecidable>, StoreError> {
        let file = File { tenant: tenant.to_string(), id: id.to_string(), by: by.to_owned(), at };
        let decision = decision.clone();
        self.writer()?.transact(move |transaction| file.decide(transaction, &decision)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, WriteId)>, StoreError> {
        let sql = include_str!("sql/due_letters.sql");
        let ask = move |reader: &mut Reader| {
            find::all(&reader.ledger, sql, params![now.as_micros(), find::limit(limit)], |row| {
                Ok((rows::id(row, 0, TenantId::parse)?, rows::id(row, 1, WriteId::parse)?))
            })
        };
        self.readers.call(ask).await
    }

    async fn letter_counts(&self) -> Result<Vec<LetterCount>, StoreError> {
        let sql = include_str!("sql/letter_counts.sql");
        let ask = |reader: &mut Reader| {
            find::all(&reader.ledger, sql, [], |row| {
                Ok(LetterCount {
                    state: rows::name(row, 0, LetterState::from_name)?,
                    class: rows::name(row, 1, class_named)?,
                    letters: row.get(2)?,
                    bytes: row.get(3)?,
                    oldest: rows::time(row, 4)?,
                })
            })
        };
        self.readers.call(ask).await
    }

    async fn save_redrive(&self, redrive: &Redrive) -> Result<bool, StoreError> {
        let redrive = redrive.clone();
        self.writer()?.transact(move |transaction| save_redrive(transaction, &redrive)).await
    }

    async fn cancel_redrive(&self, tenant: &TenantId, id: &str) -> Result<bool, StoreError> {
        let (tenant, id) = (tenant.to_string(), id.to_owned());
        let sql = include_str!("sql/cancel_redrive.sql");
        self.writer()?
            .transact(move |transaction| Ok(find::execute(transaction, sql, [tenant, id])? == 1))
            .await
    }

    async fn redrive(&self, tenant: &TenantId, id: &str) -> Result<Option<Redrive>, StoreError> {
        let (tenant, id) = (tenant.to_string(), id.to_owned());
        let sql = include_str!("sql/redrive.sql");
        self.readers.call(move |reader| find::one(&reader.ledger, sql, [tenant, id], read_redrive)).await
    }

    async fn running_redrives(&self) -> Result<Vec<Redrive>, StoreError> {
        let sql = include_str!("sql/running_redrives.sql");
        self.readers.call(move |reader| find::all(&reader.ledger, sql, [], read_redrive)).await
    }
}

fn class_named(name: &str) -> Option<StoreErrorKind> {
    StoreErrorKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn park(
    transaction: &Transaction<'_>,
    letter: &NewLetter,
    limits: LetterLimits,
) -> Result<Parked, StoreError> {
    if let Some(kept) = find::write(transaction, &letter.tenant, &letter.id)? {
        return Ok(Parked { stored_at: kept.stored_at, content_hash: kept.content_hash });
    }
    refuse_when_full(transaction, limits, letter.payload.len())?;
    let (tenant, id) = (letter.tenant.as_str(), letter.id.as_str());
    let content_hash = ContentHash::of(&letter.payload);
    let row = params![tenant, id, letter.at.as_micros(), content_hash.as_bytes(), Bytes(&letter.payload)];
    find::execute(transaction, include_str!("sql/park_write.sql"), row)?;
    let reason = &letter.reason;
    let row =
        params![tenant, id, letter.format.as_str(), reason.class.as_str(), reason.code, reason.template];
    find::execute(transaction, include_str!("sql/insert_letter.sql"), row)?;
    let file = File { tenant: tenant.to_owned(), id: id.to_owned(), by: "km".to_owned(), at: letter.at };
    file.note(transaction, "parked", &letter.reason.template)?;
    Ok(Parked { stored_at: letter.at, content_hash })
}

fn refuse_when_full(
    transaction: &Transaction<'_>,
    limits: LetterLimits,
    more_bytes: usize,
) -> Result<(), StoreError> {
    let load = find::one(transaction, include_str!("sql/letter_load.sql"), [], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
    })?;
    let (letters, bytes) = load.unwrap_or_default();
    if letters >= limits.count_max || bytes.saturating_add(more_bytes as u64) > limits.bytes_max {
        return Err(StoreError::bare(StoreErrorKind::Exhausted, DEAD_LETTERS_FULL));
    }
    Ok(())
}

/// A payload as it came in, for a column of text: SQLite gives back the bytes that it was given, also those that are
/// not UTF-8 (<https://sqlite.org/invalidutf.html>).
struct Bytes<'b>(&'b [u8]);

impl ToSql for Bytes<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// The payload as it came in stays when other content is applied under its id.
pub(super) fn keep_original(
    transaction: &Transaction<'_>,
    tenant: &TenantId,
    id: &WriteId,
    applied: &ContentHash,
) -> Result<(), StoreError> {
    let kept = find::write(transaction, tenant, id)?;
    if kept.is_none_or(|kept| kept.content_hash == *applied) {
        return Ok(());
    }
    let row = params![tenant.as_str(), id.as_str(), LetterFormat::Write.as_str(), None::<i64>];
    find::execute(transaction, include_str!("sql/edit_letter.sql"), row).map(|_| ())
}

/// Notes that a letter became a revision.
pub(super) fn note_settled(
    transaction: &Transaction<'_>,
    tenant: &TenantId,
    id: &WriteId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let file = File { tenant: tenant.to_string(), id: id.to_string(), by: "km".to_owned(), at };
    file.schedule(transaction, None)?;
    file.note(transaction, "settled", "applied as a revision")
}

fn list(
    reader: &Reader,
    filter: &LetterFilter,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<LetterSummary>, StoreError> {
    let row = params![
        filter.tenant.as_str(),
        filter.state.map(LetterState::as_str),
        filter.format.map(LetterFormat::as_str),
        filter.code,
        after,
        find::limit(limit.saturating_add(1)),
    ];
    let mut items = find::all(&reader.ledger, include_str!("sql/letters.sql"), row, summary)?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.position);
    Ok(Page { items, next })
}

fn letter(reader: &Reader, tenant: &str, id: &str) -> Result<Option<Letter>, StoreError> {
    let found = find::one(&reader.ledger, include_str!("sql/letter.sql"), params![tenant, id], |row| {
        let original = row.get_ref(13)?.as_bytes_or_null()?.map(<[u8]>::to_vec);
        Ok((summary(row)?, rows::bytes(row, 12)?, original))
    })?;
    let Some((summary, payload, original)) = found else { return Ok(None) };
    let sql = include_str!("sql/letter_events.sql");
    let events = find::all(&reader.ledger, sql, params![tenant, id, find::limit(EVENTS_MAX)], |row| {
        Ok(LetterEvent { at: rows::time(row, 0)?, by: row.get(1)?, what: row.get(2)?, detail: row.get(3)? })
    })?;
    Ok(Some(Letter { summary, payload, original, events }))
}

/// The first twelve columns of `letters.sql` and `letter.sql`.
fn summary(row: &Row<'_>) -> rusqlite::Result<LetterSummary> {
    let reason = Reason {
        class: rows::name(row, 5, class_named)?,
        code: Cow::Owned(row.get(6)?),
        template: Cow::Owned(row.get(7)?),
    };
    Ok(LetterSummary {
        tenant: rows::id(row, 0, TenantId::parse)?,
        id: rows::id(row, 1, WriteId::parse)?,
        position: row.get(2)?,
        state: rows::name(row, 3, LetterState::from_name)?,
        format: rows::name(row, 4, LetterFormat::from_name)?,
        reason,
        tries: row.get(8)?,
        next_try_at: rows::optional_time(row, 9)?,
        stored_at: rows::time(row, 10)?,
        payload_bytes: row.get(11)?,
    })
}

/// A letter, with who decides about it and when.
struct File {
    tenant: String,
    id: String,
    by: String,
    at: Timestamp,
}

impl File {
    fn decide(
        &self,
        transaction: &Transaction<'_>,
        decision: &Decision,
    ) -> Result<Result<LetterState, Undecidable>, StoreError> {
        let Some((standing, kept)) = self.standing(transaction)? else {
            return Ok(Err(Undecidable::NotFound));
        };
        if !matches!(standing, LetterState::Pending | LetterState::Parked) {
            return Ok(Err(Undecidable::Closed(standing)));
        }
        if matches!(decision, Decision::Settle { of } | Decision::Fail { of, .. } if *of != kept) {
            return Ok(Err(Undecidable::Changed));
        }
        let (state, what, detail) = self.carry_out(transaction, decision)?;
        self.set_state(transaction, state)?;
        // A store that is down would otherwise fill the history with tries that were none.
        if !matches!(decision, Decision::Fail { counted: false, .. }) {
            self.note(transaction, what, &detail)?;
        }
        Ok(Ok(state))
    }

    /// Where the letter stands, and the hash of what it says.
    fn standing(
        &self,
        transaction: &Transaction<'_>,
    ) -> Result<Option<(LetterState, ContentHash)>, StoreError> {
        let sql = include_str!("sql/letter_standing.sql");
        find::one(transaction, sql, params![self.tenant, self.id], |row| {
            Ok((rows::name(row, 0, LetterState::from_name)?, rows::hash(row, 1)?))
        })
    }

    fn carry_out<'d>(
        &self,
        transaction: &Transaction<'_>,
        decision: &'d Decision,
    ) -> Result<(LetterState, &'static str, Cow<'d, str>), StoreError> {
        Ok(match decision {
            Decision::Edit { payload, format } => {
                self.edit(transaction, payload, *format)?;
                (LetterState::Pending, "edited", "".into())
            }
            Decision::Redrive => {
                self.schedule(transaction, Some(self.at))?;
                (LetterState::Pending, "redriven", "".into())
            }
            Decision::Settle { .. } => {
                self.schedule(transaction, None)?;
                (LetterState::Settled, "settled", "".into())
            }
            Decision::Fail { reason, next_try_at, counted, .. } => {
                self.fail(transaction, reason, *next_try_at, *counted)?;
                let state = next_try_at.map_or(LetterState::Parked, |_| LetterState::Pending);
                let Reason { class, code, template } = reason;
                (state, "tried", format!("{} {code}: {template}", class.as_str()).into())
            }
            Decision::Discard { reason } => {
                self.schedule(transaction, None)?;
                (LetterState::Discarded, "discarded", reason.into())
            }
        })
    }

    fn edit(
        &self,
        transaction: &Transaction<'_>,
        payload: &[u8],
        format: LetterFormat,
    ) -> Result<(), StoreError> {
        let row = params![self.tenant, self.id, format.as_str(), self.at.as_micros()];
        find::execute(transaction, include_str!("sql/edit_letter.sql"), row)?;
        let content_hash = ContentHash::of(payload);
        let row = params![self.tenant, self.id, Bytes(payload), content_hash.as_bytes()];
        find::execute(transaction, include_str!("sql/edit_payload.sql"), row)?;
        Ok(())
    }

    fn fail(
        &self,
        transaction: &Transaction<'_>,
        reason: &Reason,
        next_try_at: Option<Timestamp>,
        counted: bool,
    ) -> Result<(), StoreError> {
        let next = next_try_at.map(Timestamp::as_micros);
        let class = reason.class.as_str();
        let row =
            params![self.tenant, self.id, class, reason.code, reason.template, u32::from(counted), next];
        find::execute(transaction, include_str!("sql/fail_letter.sql"), row).map(|_| ())
    }

    fn schedule(
        &self,
        transaction: &Transaction<'_>,
        next_try_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let row = params![self.tenant, self.id, next_try_at.map(Timestamp::as_micros)];
        find::execute(transaction, include_str!("sql/schedule_letter.sql"), row).map(|_| ())
    }

    fn set_state(&self, transaction: &Transaction<'_>, state: LetterState) -> Result<(), StoreError> {
        let row = params![self.tenant, self.id, state.as_str()];
        match find::execute(transaction, include_str!("sql/decide_letter.sql"), row)? {
            1 => Ok(()),
            _ => Err(damaged("LETTER_WITHOUT_ROW")),
        }
    }

    fn note(&self, transaction: &Transaction<'_>, what: &str, detail: &str) -> Result<(), StoreError> {
        let row = params![self.tenant, self.id, self.at.as_micros(), self.by, what, detail];
        find::execute(transaction, include_str!("sql/insert_letter_event.sql"), row).map(|_| ())
    }
}

fn save_redrive(transaction: &Transaction<'_>, redrive: &Redrive) -> Result<bool, StoreError> {
    let filter = &redrive.filter;
    let row = params![
        redrive.id,
        filter.tenant.as_str(),
        redrive.state.as_str(),
        filter.state.map(LetterState::as_str),
        filter.format.map(LetterFormat::as_str),
        filter.code,
        redrive.per_second,
        redrive.by,
        redrive.created_at.as_micros(),
        redrive.cursor,
        redrive.tried,
        redrive.settled,
        redrive.failed,
    ];
    Ok(find::execute(transaction, include_str!("sql/save_redrive.sql"), row)? == 1)
}

/// The columns of `redrive.sql` and `running_redrives.sql`.
fn read_redrive(row: &Row<'_>) -> rusqlite::Result<Redrive> {
    let state: Option<String> = row.get(3)?;
    let format: Option<String> = row.get(4)?;
    let filter = LetterFilter {
        tenant: rows::id(row, 1, TenantId::parse)?,
        state: state.and_then(|name| LetterState::from_name(&name)),
        format: format.and_then(|name| LetterFormat::from_name(&name)),
        code: row.get(5)?,
    };
    Ok(Redrive {
        id: row.get(0)?,
        filter,
        per_second: row.get(6)?,
        by: row.get(7)?,
        created_at: rows::time(row, 8)?,
        state: rows::name(row, 2, RedriveState::from_name)?,
        cursor: row.get(9)?,
        tried: row.get(10)?,
        settled: row.get(11)?,
        failed: row.get(12)?,
    })
}
