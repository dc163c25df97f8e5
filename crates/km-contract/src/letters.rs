//! Working the dead letters: one at a time, or many at a bounded rate.

use std::sync::Arc;
use std::time::Duration;

use km_model::{LetterState, TenantId, Timestamp, WriteId};
use thiserror::Error;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::admit::fresh_id;
use crate::port::{
    Decision, Disposition, Letter, LetterFilter, LetterFormat, Letters, Reason, Redrive, RedriveState,
    StoreError, StoreErrorKind, Undecidable,
};
use crate::telemetry::Telemetry;
use crate::{Clock, Delivered, Intake, Jitter, WriteError, redact, redact_payload};

/// Tries of a pending letter before a person must decide.
const TRIES_MAX: u32 = 10;
/// The first pause of a pending letter; it doubles with each try.
const PAUSE_SECONDS: i64 = 30;
/// The longest pause of a pending letter.
const PAUSE_SECONDS_MAX: i64 = 3_600;
/// Letters that one look takes.
const PAGE: usize = 100;

/// Where dead letters are decided and tried again. Cheap to clone.
#[derive(Clone)]
pub struct LetterOffice {
    letters: Arc<dyn Letters>,
    intake: Intake,
    clock: Arc<dyn Clock>,
    jitter: Arc<Jitter>,
    telemetry: Telemetry,
}

/// Why a decision about letters was not carried out.
#[derive(Debug, Error)]
pub enum LetterError {
    /// There is no such letter or redrive.
    #[error("there is no such dead letter")]
    NotFound,
    /// It was applied or discarded already.
    #[error("the dead letter is {} already", .0.as_str())]
    Closed(LetterState),
    /// The store failed.
    #[error("the dead letters cannot be reached")]
    Store(#[from] StoreError),
}

/// How a try of a letter ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Settled,
    Failed,
    /// The store as a whole is down: nothing counts, nothing else is tried now.
    StoreDown,
}

impl LetterOffice {
    /// An office that applies letters through `intake`.
    pub fn new(
        letters: Arc<dyn Letters>,
        intake: Intake,
        clock: Arc<dyn Clock>,
        jitter: Arc<Jitter>,
        telemetry: Telemetry,
    ) -> Self {
        Self { letters, intake, clock, jitter, telemetry }
    }

    /// Replaces what would be applied, and makes the letter pending. The original stays.
    ///
    /// # Errors
    /// [`LetterError`].
    pub async fn edit(
        &self,
        tenant: &TenantId,
        id: &WriteId,
        payload: String,
        format: LetterFormat,
        by: &str,
    ) -> Result<LetterState, LetterError> {
        let decision = Decision::Edit { payload: redact_payload(payload.as_bytes()), format };
        self.decide(tenant, id, &decision, by).await
    }

    /// Decides that a letter will not be applied. It stays readable.
    ///
    /// # Errors
    /// [`LetterError`].
    pub async fn discard(
        &self,
        tenant: &TenantId,
        id: &WriteId,
        reason: &str,
        by: &str,
    ) -> Result<LetterState, LetterError> {
        let decision = Decision::Discard { reason: redact(reason.to_owned()) };
        self.decide(tenant, id, &decision, by).await
    }

    /// Tries one letter now and returns where it then stands. Repeating it is harmless.
    ///
    /// # Errors
    /// [`LetterError`].
    pub async fn redrive(
        &self,
        tenant: &TenantId,
        id: &WriteId,
        by: &str,
    ) -> Result<LetterState, LetterError> {
        self.decide(tenant, id, &Decision::Redrive, by).await?;
        self.try_letter(tenant, id).await?;
        let letter = self.letters.letter(tenant, id).await?.ok_or(LetterError::NotFound)?;
        Ok(letter.summary.state)
    }

    /// Begins a bulk redrive; [`LetterOffice::work`] carries it out, also after a restart.
    ///
    /// # Errors
    /// [`LetterError::Store`].
    pub async fn begin(
        &self,
        filter: LetterFilter,
        per_second: u32,
        by: &str,
    ) -> Result<Redrive, LetterError> {
        let now = self.clock.now();
        let redrive = Redrive {
            id: fresh_id("redrive", now, &self.jitter),
            filter,
            per_second: per_second.max(1),
            by: by.to_owned(),
            created_at: now,
            state: RedriveState::Running,
            cursor: None,
            tried: 0,
            settled: 0,
            failed: 0,
        };
        self.letters.save_redrive(&redrive).await?;
        Ok(redrive)
    }

    /// Stops a bulk redrive; letters that were tried stay as they are.
    ///
    /// # Errors
    /// [`LetterError`].
    pub async fn cancel(&self, tenant: &TenantId, id: &str) -> Result<Redrive, LetterError> {
        let mut redrive = self.letters.redrive(tenant, id).await?.ok_or(LetterError::NotFound)?;
        if redrive.state == RedriveState::Running {
            redrive.state = RedriveState::Cancelled;
            self.letters.save_redrive(&redrive).await?;
        }
        Ok(redrive)
    }

    /// One round of work: letters that are due, then a page of every running redrive. Safe at any time.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn work(&self) -> Result<usize, LetterError> {
        let mut tried = 0;
        for (tenant, id) in self.letters.due(self.clock.now(), PAGE).await? {
            tried += 1;
            if self.try_letter(&tenant, &id).await? == Tried::StoreDown {
                return Ok(tried);
            }
        }
        for redrive in self.letters.running_redrives().await? {
            tried += self.advance(redrive).await?;
        }
        self.report().await?;
        Ok(tried)
    }

    async fn advance(&self, mut redrive: Redrive) -> Result<usize, LetterError> {
        let page = self.letters.letters(&redrive.filter, redrive.cursor, PAGE).await?;
        let pause = Duration::from_secs(1) / redrive.per_second;
        let tenant = redrive.filter.tenant.clone();
        for summary in &page.items {
            if matches!(summary.state, LetterState::Pending | LetterState::Parked) {
                self.decide(&tenant, &summary.id, &Decision::Redrive, &redrive.by).await?;
                match self.try_letter(&tenant, &summary.id).await? {
                    Tried::Settled => redrive.settled += 1,
                    Tried::Failed => redrive.failed += 1,
                    Tried::StoreDown => break,
                }
                redrive.tried += 1;
                sleep(pause).await;
            }
            redrive.cursor = Some(summary.position);
            if !self.save_unless_cancelled(&redrive).await? {
                return Ok(page.items.len());
            }
        }
        if page.next.is_none()
            && page.items.last().map(|last| last.position)
                == redrive.cursor.filter(|_| !page.items.is_empty())
        {
            redrive.state = RedriveState::Done;
            self.save_unless_cancelled(&redrive).await?;
            info!(redrive.id = %redrive.id, settled = redrive.settled, failed = redrive.failed, "redrive ended");
        }
        Ok(page.items.len())
    }

    async fn save_unless_cancelled(&self, redrive: &Redrive) -> Result<bool, LetterError> {
        let kept = self.letters.redrive(&redrive.filter.tenant, &redrive.id).await?;
        if kept.is_none_or(|kept| kept.state != RedriveState::Running) {
            return Ok(false);
        }
        self.letters.save_redrive(redrive).await?;
        Ok(true)
    }

    async fn try_letter(&self, tenant: &TenantId, id: &WriteId) -> Result<Tried, LetterError> {
        let Some(letter) = self.letters.letter(tenant, id).await? else { return Ok(Tried::Failed) };
        if letter.summary.state != LetterState::Pending {
            return Ok(Tried::Failed);
        }
        let Letter { summary, payload, .. } = &letter;
        let answer = self.intake.apply_letter(tenant, id, summary.format, payload).await;
        let decision = self.judge(summary.tries, &answer);
        let tried = match &decision {
            Decision::Settle => Tried::Settled,
            Decision::Fail { counted: false, .. } => Tried::StoreDown,
            _ => Tried::Failed,
        };
        self.telemetry.redriven(if tried == Tried::Settled { "settled" } else { "failed" });
        self.decide(tenant, id, &decision, "km").await?;
        Ok(tried)
    }

    /// What a try decides. A store that is down consumes nobody's tries.
    fn judge(
        &self,
        tries: u32,
        answer: &Result<Result<Delivered, WriteError>, crate::Unreadable>,
    ) -> Decision {
        let refused = |code: &'static str, template: &'static str| {
            let reason =
                Reason { class: StoreErrorKind::Refused, code: code.into(), template: template.into() };
            Decision::Fail { reason, next_try_at: None, counted: true }
        };
        match answer {
            Ok(Ok(_)) => Decision::Settle,
            Err(unreadable) => refused(unreadable.code, unreadable.template),
            Ok(Err(WriteError::Refused(_))) => refused("INVALID", "the write breaks the rules of km"),
            Ok(Err(WriteError::Conflict { .. })) => {
                refused("CONFLICT", "the write id was used for other content")
            }
            Ok(Err(WriteError::Unstorable(_))) => refused("UNSTORABLE", "the store refused the write"),
            Ok(Err(WriteError::Overloaded { .. } | WriteError::Unknown { .. })) => {
                self.again(tries, StoreErrorKind::Transient, "BUSY")
            }
            Ok(Err(WriteError::Stopping)) => self.uncounted(tries, StoreErrorKind::Transient),
            Ok(Err(WriteError::Unavailable { cause, .. })) => {
                let kind = cause.as_ref().map_or(StoreErrorKind::Transient, |cause| cause.kind);
                debug_assert_ne!(
                    kind.disposition(),
                    Disposition::CallersTurn,
                    "a refusal is answered as one"
                );
                self.uncounted(tries, kind)
            }
        }
    }

    fn uncounted(&self, tries: u32, class: StoreErrorKind) -> Decision {
        let next_try_at = Some(self.next_try_at(tries));
        Decision::Fail { reason: not_taken(class, "STORE_DOWN"), next_try_at, counted: false }
    }

    fn again(&self, tries: u32, class: StoreErrorKind, code: &'static str) -> Decision {
        let next_try_at = (tries < TRIES_MAX).then(|| self.next_try_at(tries));
        Decision::Fail { reason: not_taken(class, code), next_try_at, counted: true }
    }

    fn next_try_at(&self, tries: u32) -> Timestamp {
        let longest = PAUSE_SECONDS.saturating_mul(1 << tries.min(20)).min(PAUSE_SECONDS_MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "at most 3,600 seconds"
        )]
        let pause = (longest as f64 * self.jitter.fraction()) as i64;
        self.clock.now().plus_seconds(pause.max(1))
    }

    async fn decide(
        &self,
        tenant: &TenantId,
        id: &WriteId,
        decision: &Decision,
        by: &str,
    ) -> Result<LetterState, LetterError> {
        match self.letters.decide(tenant, id, decision, by, self.clock.now()).await? {
            Ok(state) => Ok(state),
            Err(Undecidable::NotFound) => Err(LetterError::NotFound),
            // A letter of one write is settled by the commit itself.
            Err(Undecidable::Closed(LetterState::Settled)) if matches!(decision, Decision::Settle) => {
                Ok(LetterState::Settled)
            }
            Err(Undecidable::Closed(state)) => Err(LetterError::Closed(state)),
        }
    }

    async fn report(&self) -> Result<(), LetterError> {
        let counts = self.letters.letter_counts().await?;
        let open = counts.iter().filter(|c| matches!(c.state, LetterState::Pending | LetterState::Parked));
        let oldest = open.map(|count| count.oldest).min();
        let age = oldest.map_or(0, |oldest| self.clock.now().seconds_since(oldest).max(0));
        self.telemetry.letters(&counts, age);
        if age > 7 * 24 * 3_600 {
            warn!(age_seconds = age, "a dead letter waits for a decision");
        }
        Ok(())
    }
}

fn not_taken(class: StoreErrorKind, code: &'static str) -> Reason {
    Reason { class, code: code.into(), template: "the store could not take the write".into() }
}
