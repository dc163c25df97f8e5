//! One batch on its way through the store: tried, tried again, parted from what poisons it, answered.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Answer, Job};
use crate::breaker::Breaker;
use crate::port::{Committed, Disposition, Ledger, OnApplied, Store, StoreError, StoreErrorKind};
use crate::telemetry::Telemetry;
use crate::{Admitted, HealthBoard, Jitter, WriteError, WritePolicy};

/// What the batches in the making share.
pub(super) struct Commits {
    store: &'static str,
    ledger: Arc<dyn Ledger>,
    policy: watch::Receiver<WritePolicy>,
    health: HealthBoard,
    jitter: Arc<Jitter>,
    telemetry: Telemetry,
    breaker: Mutex<Breaker>,
}

impl Commits {
    pub(super) fn new(
        store: &Store,
        policy: watch::Receiver<WritePolicy>,
        jitter: Arc<Jitter>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            store: store.name,
            ledger: store.ledger.clone(),
            policy,
            health: store.health.clone(),
            jitter,
            telemetry,
            breaker: Mutex::new(Breaker::closed()),
        }
    }

    /// Commits a batch and answers all of it.
    pub(super) async fn serve(&self, batch: Vec<Job>, applied: OnApplied) {
        let now = Instant::now();
        let (batch, expired): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(|job| job.deadline > now);
        answer_all(expired, || WriteError::Unavailable { retry_after: Duration::from_secs(1), cause: None });
        if batch.is_empty() {
            return;
        }
        if let Err(untrusted) = self.health.trusted() {
            let (retry_after, cause) = (Duration::from_secs(1), Arc::new(untrusted));
            answer_all(batch, || WriteError::Unavailable { retry_after, cause: Some(cause.clone()) });
            return;
        }
        if let Some(retry_after) = self.breaker().pause_left(now) {
            answer_all(batch, || WriteError::Unavailable { retry_after, cause: None });
            return;
        }
        self.telemetry.batch(batch.len());
        self.commit_isolating(batch, applied).await;
    }

    /// Commits a batch; one that fails by the fault of one of its writes is halved until that one is alone.
    async fn commit_isolating(&self, batch: Vec<Job>, applied: OnApplied) {
        let mut applied = Some(applied);
        let mut parts = VecDeque::from([batch]);
        while let Some(part) = parts.pop_front() {
            let Err((mut part, error)) = self.commit(part, &mut applied).await else { continue };
            if error.disposition() == Disposition::CallersTurn && part.len() > 1 {
                let rest = part.split_off(part.len() / 2);
                parts.push_front(rest);
                parts.push_front(part);
            } else {
                self.give_up(part, &Arc::new(error));
            }
        }
    }

    /// Tries a batch within the policy's bounds, and answers it; what could not be answered comes back with the
    /// reason. Every try carries the same write ids, so a try whose outcome is in doubt is resolved by the next;
    /// if none succeeds, the doubt is what remains.
    async fn commit(
        &self,
        mut batch: Vec<Job>,
        applied: &mut Option<OnApplied>,
    ) -> Result<(), (Vec<Job>, StoreError)> {
        let policy = *self.policy.borrow();
        let jitter = self.jitter.clone();
        let mut backoffs = policy.backoffs(&jitter);
        let mut in_doubt = false;
        while !batch.is_empty() {
            let error =
                match self.try_once(&batch, applied.take().unwrap_or_default(), policy.try_timeout).await {
                    Ok(answers) => {
                        self.succeeded();
                        batch.into_iter().zip(answers).for_each(|(job, answer)| reply(job, Ok(answer)));
                        return Ok(());
                    }
                    Err(error) => error,
                };
            self.failed(&error);
            in_doubt |= error.kind == StoreErrorKind::Unknown;
            let error = if in_doubt { doubtful(error) } else { error };
            let again = backoffs.next().filter(|_| error.disposition() == Disposition::Retry);
            let Some(pause) = again else { return Err((batch, error)) };
            batch = self.answer_expiring(batch, Instant::now() + pause, error);
            sleep(pause).await;
        }
        Ok(())
    }

    /// Answers those whose time is over before the next try; the others are not given up with them.
    fn answer_expiring(&self, batch: Vec<Job>, next_try: Instant, error: StoreError) -> Vec<Job> {
        self.telemetry.retried(error.kind);
        let (lasting, expiring): (Vec<Job>, Vec<Job>) =
            batch.into_iter().partition(|job| job.deadline > next_try);
        self.give_up(expiring, &Arc::new(error));
        lasting
    }

    async fn try_once(
        &self,
        batch: &[Job],
        applied: OnApplied,
        limit: Duration,
    ) -> Result<Vec<Committed>, StoreError> {
        self.health.trusted()?;
        let writes: Vec<Arc<Admitted>> = batch.iter().map(|job| job.admitted.clone()).collect();
        let begun = Instant::now();
        let tried = timeout(limit, self.ledger.commit(&writes, applied)).await;
        self.telemetry.committed(self.store, begun.elapsed());
        match tried {
            Ok(answers) => answers,
            Err(_) => Err(StoreError::bare(StoreErrorKind::Unknown, "TRY_TIMEOUT")),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self) {
        self.breaker().succeeded();
        self.telemetry.breaker(false);
        self.health.recover();
    }

    fn failed(&self, cause: &StoreError) {
        match cause.disposition() {
            Disposition::CallersTurn => return,
            Disposition::Stop => self.health.fail(cause),
            Disposition::Retry | Disposition::StandBack => {}
        }
        let at_once = cause.disposition() != Disposition::Retry;
        let opened = {
            let mut breaker = self.breaker();
            breaker.failed(at_once, Instant::now(), &self.jitter);
            breaker.is_open()
        };
        self.telemetry.breaker(opened);
        if opened {
            self.health.degrade(cause);
        }
    }

    fn give_up(&self, batch: Vec<Job>, error: &Arc<StoreError>) {
        let retry_after = self.breaker().pause_left(Instant::now()).unwrap_or(Duration::from_secs(1));
        for job in batch {
            let write_id = job.admitted.write_id().clone();
            let verdict = match error.kind {
                StoreErrorKind::Refused => WriteError::Unstorable(error.clone()),
                // A flush that failed may have reached the disk all the same: only the next start tells.
                StoreErrorKind::Unknown | StoreErrorKind::Fatal => {
                    WriteError::Unknown { write_id: Some(write_id) }
                }
                StoreErrorKind::Transient | StoreErrorKind::Exhausted | StoreErrorKind::Misconfigured => {
                    WriteError::Unavailable { retry_after, cause: Some(error.clone()) }
                }
            };
            reply(job, Err(verdict));
        }
    }
}

/// A failure after a try in doubt. What is certain about the last try is not certain about the write; a refusal
/// and a store that cannot be trusted stay what they are.
fn doubtful(mut error: StoreError) -> StoreError {
    if matches!(error.disposition(), Disposition::Retry | Disposition::StandBack) {
        error.kind = StoreErrorKind::Unknown;
    }
    error
}

fn answer_all(jobs: Vec<Job>, error: impl Fn() -> WriteError) {
    jobs.into_iter().for_each(|job| reply(job, Err(error())));
}

/// Answers a caller; one that went away has its write all the same.
fn reply(job: Job, answer: Answer) {
    drop(job.bytes);
    drop(job.reply.send(answer));
}
