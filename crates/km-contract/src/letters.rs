//! Working the dead letters: one at a time, or many at a bounded rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use km_model::{ContentHash, LetterState, TenantId, Timestamp, WriteId};
use thiserror::Error;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::admit::fresh_id;
use crate::port::{
    Decision, LetterFilter, LetterFormat, LetterSummary, Letters, Reason, Redrive, RedriveState, StoreError,
    StoreErrorKind, Undecidable,
};
use crate::telemetry::Telemetry;
use crate::{Clock, Delivered, Intake, Jitter, WriteError, redact, redact_payload};

/// Tries of a pending letter before a person must decide.
const TRIES_MAX: u32 = 10;
/// The first pause of a pending letter; it doubles with each try.
const PAUSE_SECONDS: i64 = 30;
/// The longest pause of a pending letter.
const PAUSE_SECONDS_MAX: i64 = 3_600;
/// Letters that are due that one look takes.
const PAGE: usize = 100;
/// Letters of a redrive that one round takes at most.
const PAGE_MAX: usize = 1_000;
/// How long a redrive works in one round, and how often it does.
const ROUND: Duration = Duration::from_secs(1);

/// Share of the limit from which on an operator should look.
const NEAR_LIMIT: f64 = 0.7;

/// The bounds on the dead letters that wait for a decision. At one of them no more are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterLimits {
    /// Most letters.
    pub count_max: u64,
    /// Most bytes of payload.
    pub bytes_max: u64,
}

/// Where dead letters are decided and tried again. Cheap to clone.
#[derive(Clone)]
pub struct LetterOffice {
    letters: Arc<dyn Letters>,
    intake: Intake,
    clock: Arc<dyn Clock>,
    jitter: Arc<Jitter>,
    telemetry: Telemetry,
    limits: LetterLimits,
    redriving: Arc<AtomicBool>,
    near_limit: Arc<AtomicBool>,
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
        limits: LetterLimits,
    ) -> Self {
        let (redriving, near_limit) = (Arc::default(), Arc::default());
        Self { letters, intake, clock, jitter, telemetry, limits, redriving, near_limit }
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
        self.letters.cancel_redrive(tenant, id).await?;
        self.letters.redrive(tenant, id).await?.ok_or(LetterError::NotFound)
    }

    /// One round of work: letters that are due, then a second's worth of every running redrive. Safe at any time.
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
        let redrives = self.letters.running_redrives().await?;
        self.redriving.store(!redrives.is_empty(), Ordering::Relaxed);
        for redrive in redrives {
            tried += self.advance(redrive).await?;
        }
        self.report().await?;
        Ok(tried)
    }

    /// How long to wait before the next round: a redrive that runs has a rate by the second.
    pub(crate) fn pause(&self, every: Duration) -> Duration {
        if self.redriving.load(Ordering::Relaxed) { every.min(ROUND) } else { every }
    }

    /// Tries as many letters as the rate allows in a second, and no longer than a second.
    async fn advance(&self, mut redrive: Redrive) -> Result<usize, LetterError> {
        let until = Instant::now() + ROUND;
        let limit = usize::try_from(redrive.per_second).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        let page = self.letters.letters(&redrive.filter, redrive.cursor, limit).await?;
        for (nth, summary) in (1..).zip(&page.items) {
            match self.redrive_one(summary, &redrive.by).await? {
                None => {}
                Some(Tried::Settled) => redrive.settled += 1,
                Some(Tried::Failed) => redrive.failed += 1,
                Some(Tried::StoreDown) => return Ok(nth),
            }
            redrive.cursor = Some(summary.position);
            redrive.tried = redrive.settled + redrive.failed;
            let last = nth == page.items.len();
            if last && page.next.is_none() {
                redrive.state = RedriveState::Done;
            }
            if !self.letters.save_redrive(&redrive).await? || (!last && Instant::now() >= until) {
                return Ok(nth);
            }
        }
        if page.items.is_empty() {
            redrive.state = RedriveState::Done;
            self.letters.save_redrive(&redrive).await?;
        }
        if redrive.state == RedriveState::Done {
            info!(redrive.id = %redrive.id, settled = redrive.settled, failed = redrive.failed, "redrive ended");
        }
        Ok(page.items.len())
    }

    /// `None` for a letter that is decided, before this or meanwhile.
    async fn redrive_one(&self, summary: &LetterSummary, by: &str) -> Result<Option<Tried>, LetterError> {
        let LetterSummary { tenant, id, state, .. } = summary;
        if !matches!(state, LetterState::Pending | LetterState::Parked) {
            return Ok(None);
        }
        match self.decide(tenant, id, &Decision::Redrive, by).await {
            Ok(_) => self.try_letter(tenant, id).await.map(Some),
            Err(LetterError::Closed(_) | LetterError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn try_letter(&self, tenant: &TenantId, id: &WriteId) -> Result<Tried, LetterError> {
        let Some(letter) = self.letters.letter(tenant, id).await? else { return Ok(Tried::Failed) };
        if letter.summary.state != LetterState::Pending {
            return Ok(Tried::Failed);
        }
        let answer = self.intake.apply_letter(&letter).await;
        let of = ContentHash::of(&letter.payload);
        let decision = self.judge(letter.summary.tries, of, &answer);
        let tried = match &decision {
            Decision::Settle { .. } => Tried::Settled,
            Decision::Fail { counted: false, .. } => Tried::StoreDown,
            _ => Tried::Failed,
        };
        self.telemetry.redriven(if tried == Tried::Settled { "settled" } else { "failed" });
        match self.letters.decide(tenant, id, &decision, "km", self.clock.now()).await? {
            Ok(_) => Ok(tried),
            // A letter of one write is settled by the commit itself.
            Err(Undecidable::Closed(LetterState::Settled) | Undecidable::NotFound) => Ok(tried),
            // Somebody decided, or edited it, while it was tried: that stands, and an edit is tried next.
            Err(Undecidable::Closed(_) | Undecidable::Changed) => Ok(Tried::Failed),
        }
    }

    /// What a try decides. A store that is down consumes nobody's tries.
    fn judge(
        &self,
        tries: u32,
        of: ContentHash,
        answer: &Result<Result<Delivered, WriteError>, crate::Unreadable>,
    ) -> Decision {
        let refused = |code: &'static str, template: &'static str| {
            let reason =
                Reason { class: StoreErrorKind::Refused, code: code.into(), template: template.into() };
            Decision::Fail { of, reason, next_try_at: None, counted: true }
        };
        let later = |class, code, counted: bool| {
            let next_try_at = Some(self.next_try_at(tries)).filter(|_| !counted || tries < TRIES_MAX);
            Decision::Fail { of, reason: not_taken(class, code), next_try_at, counted }
        };
        match answer {
            Ok(Ok(_)) => Decision::Settle { of },
            Err(unreadable) => refused(unreadable.code, unreadable.template),
            Ok(Err(WriteError::Refused(_))) => refused("INVALID", "the write breaks the rules of km"),
            Ok(Err(WriteError::Conflict { .. })) => {
                refused("CONFLICT", "the write id was used for other content")
            }
            Ok(Err(WriteError::Unstorable(_))) => refused("UNSTORABLE", "the store refused the write"),
            // It took too long while the store serves others: that may be its own doing.
            Ok(Err(WriteError::Unknown { .. })) => {
                later(StoreErrorKind::Unknown, "DEADLINE", self.intake.store_is_up())
            }
            Ok(Err(WriteError::Overloaded { .. })) => later(StoreErrorKind::Transient, "BUSY", false),
            Ok(Err(WriteError::Stopping)) => later(StoreErrorKind::Transient, "STOPPING", false),
            Ok(Err(WriteError::Unavailable { cause, .. })) => {
                let class = cause.as_ref().map_or(StoreErrorKind::Transient, |cause| cause.kind);
                later(class, "STORE_DOWN", false)
            }
        }
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
            Err(Undecidable::Closed(state)) => Err(LetterError::Closed(state)),
            // Only the outcome of a try can be about another payload.
            Err(Undecidable::Changed) => Err(LetterError::Closed(LetterState::Pending)),
        }
    }

    /// Counts the letters that wait, and says when they come near their limit.
    async fn report(&self) -> Result<(), LetterError> {
        let counts = self.letters.letter_counts().await?;
        let open = counts.iter().filter(|c| matches!(c.state, LetterState::Pending | LetterState::Parked));
        let oldest = open.clone().map(|count| count.oldest).min();
        let age = oldest.map_or(0, |oldest| self.clock.now().seconds_since(oldest).max(0));
        let (letters, bytes) =
            open.fold((0, 0), |(letters, bytes), count| (letters + count.letters, bytes + count.bytes));
        let full = self.limits.share(letters, bytes);
        self.telemetry.letters(&counts, age, full);
        let near = full >= NEAR_LIMIT;
        if near && !self.near_limit.swap(near, Ordering::Relaxed) {
            warn!(letters, bytes, "dead letters come near their limit, at which no more are kept");
        }
        self.near_limit.store(near, Ordering::Relaxed);
        Ok(())
    }
}

impl LetterLimits {
    /// How much of the limit that is nearer is used up.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn share(self, letters: u64, bytes: u64) -> f64 {
        let of = |used: u64, max: u64| used as f64 / max.max(1) as f64;
        of(letters, self.count_max).max(of(bytes, self.bytes_max))
    }
}

fn not_taken(class: StoreErrorKind, code: &'static str) -> Reason {
    Reason { class, code: code.into(), template: "the store could not take the write".into() }
}
