//! Group commit: whatever waits is committed together, and answered only afterwards.
//!
//! There is no linger timer. While one batch is flushed the next gathers, so batches grow with load and
//! an idle store adds no latency.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::breaker::Breaker;
use crate::port::{Committed, Disposition, Ledger, StoreError, StoreErrorKind};
use crate::telemetry::Telemetry;
use crate::{Admitted, Jitter, QueueLimits, WriteError, WritePolicy};

/// What a job is answered with.
pub(crate) type Answer = Result<Committed, WriteError>;

/// A write that waits for its commit. Holds its share of the queue's bytes until it is answered.
pub(crate) struct Job {
    pub(crate) admitted: Arc<Admitted>,
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Answer>,
    pub(crate) bytes: OwnedSemaphorePermit,
}

/// Whether writes can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Writes are served.
    Ready,
    /// The store is left alone for a while; it resumes by itself.
    Degraded {
        /// The class of the last failure.
        kind: StoreErrorKind,
        /// Its code.
        code: String,
    },
    /// The store can no longer be trusted: the process has to end.
    Failed {
        /// The code of the failure.
        code: String,
    },
}

/// The one task that commits. Nothing cancels it: when its callers are gone it still finishes.
pub struct Committer {
    ledger: Arc<dyn Ledger>,
    jobs: mpsc::Receiver<Job>,
    stopped: watch::Receiver<bool>,
    policy: watch::Receiver<WritePolicy>,
    health: watch::Sender<Health>,
    limits: QueueLimits,
    jitter: Arc<Jitter>,
    telemetry: Telemetry,
    breaker: Breaker,
    /// Why the store is not asked any more.
    untrusted: Option<Arc<StoreError>>,
}

impl Committer {
    #[expect(clippy::too_many_arguments, reason = "called once, by the writer that shares these parts")]
    pub(crate) const fn new(
        ledger: Arc<dyn Ledger>,
        jobs: mpsc::Receiver<Job>,
        stopped: watch::Receiver<bool>,
        policy: watch::Receiver<WritePolicy>,
        health: watch::Sender<Health>,
        limits: QueueLimits,
        jitter: Arc<Jitter>,
        telemetry: Telemetry,
    ) -> Self {
        let breaker = Breaker::closed();
        let untrusted = None;
        Self { ledger, jobs, stopped, policy, health, limits, jitter, telemetry, breaker, untrusted }
    }

    /// Commits until the writer is stopped or gone, and everything that was admitted is answered.
    pub async fn run(mut self) {
        let mut waiting = VecDeque::with_capacity(self.limits.batch_writes_max);
        let mut arrived = Vec::with_capacity(self.limits.batch_writes_max);
        loop {
            if waiting.is_empty() && self.receive(&mut arrived).await == 0 {
                return;
            }
            waiting.extend(arrived.drain(..));
            let batch = self.next_batch(&mut waiting);
            self.serve(batch).await;
        }
    }

    /// Waits for one write and takes whatever else waits already; 0 when there will be no more.
    async fn receive(&mut self, arrived: &mut Vec<Job>) -> usize {
        if !self.jobs.is_closed() {
            tokio::select! {
                biased;
                count = self.jobs.recv_many(arrived, self.limits.batch_writes_max) => return count,
                _ = self.stopped.wait_for(|stopped| *stopped) => self.jobs.close(),
            }
        }
        self.jobs.recv_many(arrived, self.limits.batch_writes_max).await
    }

    fn next_batch(&self, waiting: &mut VecDeque<Job>) -> Vec<Job> {
        let mut bytes = 0;
        let within = waiting
            .iter()
            .take_while(|job| {
                let fits = bytes == 0 || bytes + job.admitted.cost() <= self.limits.batch_bytes_max;
                bytes += job.admitted.cost();
                fits
            })
            .count();
        waiting.drain(..within).collect()
    }

    async fn serve(&mut self, batch: Vec<Job>) {
        let now = Instant::now();
        let (batch, expired): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(|job| job.deadline > now);
        answer_all(expired, || WriteError::Unavailable { retry_after: Duration::from_secs(1), cause: None });
        if batch.is_empty() {
            return;
        }
        if let Some(cause) = &self.untrusted {
            let retry_after = Duration::from_secs(1);
            answer_all(batch, || WriteError::Unavailable { retry_after, cause: Some(cause.clone()) });
            return;
        }
        if let Some(retry_after) = self.breaker.pause_left(now) {
            answer_all(batch, || WriteError::Unavailable { retry_after, cause: None });
            return;
        }
        self.telemetry.batch(batch.len());
        self.commit_isolating(batch).await;
    }

    /// Commits a batch; one that fails by the fault of one of its writes is halved until that one is alone.
    async fn commit_isolating(&mut self, batch: Vec<Job>) {
        let mut parts = VecDeque::from([batch]);
        while let Some(mut part) = parts.pop_front() {
            if let Some(cause) = &self.untrusted {
                self.give_up(part, &cause.clone());
                continue;
            }
            let error = match self.commit(&part).await {
                Ok(answers) => {
                    part.into_iter().zip(answers).for_each(|(job, answer)| reply(job, Ok(answer)));
                    continue;
                }
                Err(error) => Arc::new(error),
            };
            if error.disposition() == Disposition::Stop {
                self.untrusted = Some(error.clone());
            }
            if error.disposition() == Disposition::CallersTurn && part.len() > 1 {
                let rest = part.split_off(part.len() / 2);
                parts.push_front(rest);
                parts.push_front(part);
                continue;
            }
            self.give_up(part, &error);
        }
    }

    /// Tries a batch within the policy's bounds. Every try carries the same write ids, so a try whose
    /// outcome is in doubt is resolved by the next; if none succeeds, the doubt is what remains.
    async fn commit(&mut self, batch: &[Job]) -> Result<Vec<Committed>, StoreError> {
        let policy = *self.policy.borrow();
        let writes: Vec<Arc<Admitted>> = batch.iter().map(|job| job.admitted.clone()).collect();
        let deadline = batch.iter().map(|job| job.deadline).min().unwrap_or_else(Instant::now);
        let jitter = self.jitter.clone();
        let mut backoffs = policy.backoffs(&jitter);
        let mut in_doubt = false;
        loop {
            let error = match self.try_once(&writes, policy.try_timeout).await {
                Ok(answers) => {
                    self.succeeded();
                    return Ok(answers);
                }
                Err(error) => error,
            };
            self.failed(&error);
            in_doubt |= error.kind == StoreErrorKind::Unknown;
            let backoff = backoffs.next().filter(|pause| {
                error.disposition() == Disposition::Retry && Instant::now() + *pause < deadline
            });
            let Some(backoff) = backoff else { return Err(if in_doubt { doubtful(error) } else { error }) };
            self.telemetry.retried(error.kind);
            sleep(backoff).await;
        }
    }

    async fn try_once(
        &self,
        writes: &[Arc<Admitted>],
        limit: Duration,
    ) -> Result<Vec<Committed>, StoreError> {
        let begun = Instant::now();
        let tried = timeout(limit, self.ledger.commit(writes)).await;
        self.telemetry.committed(begun.elapsed());
        match tried {
            Ok(answers) => answers,
            Err(_) => Err(StoreError::bare(StoreErrorKind::Unknown, "TRY_TIMEOUT")),
        }
    }

    fn succeeded(&mut self) {
        self.breaker.succeeded();
        self.telemetry.breaker(false);
        let became_ready = self.health.send_if_modified(|health| {
            let degraded = matches!(health, Health::Degraded { .. });
            if degraded {
                *health = Health::Ready;
            }
            degraded
        });
        if became_ready {
            info!("the store takes writes again");
        }
    }

    fn failed(&mut self, cause: &StoreError) {
        let kind = cause.kind;
        match kind.disposition() {
            Disposition::CallersTurn => return,
            Disposition::Stop => {
                error!(error = cause as &dyn std::error::Error, "the store cannot be trusted any longer");
                self.health.send_replace(Health::Failed { code: cause.code.to_string() });
            }
            Disposition::Retry | Disposition::StandBack => {}
        }
        self.breaker.failed(kind.disposition() != Disposition::Retry, Instant::now(), &self.jitter);
        self.telemetry.breaker(self.breaker.is_open());
        let opened = self.breaker.is_open() && self.health.send_if_modified(|health| degrade(health, cause));
        if opened {
            warn!(error = cause as &dyn std::error::Error, "the store is left alone for a while");
        }
    }

    fn give_up(&self, batch: Vec<Job>, error: &Arc<StoreError>) {
        let retry_after = self.breaker.pause_left(Instant::now()).unwrap_or(Duration::from_secs(1));
        for job in batch {
            let write_id = job.admitted.write_id().clone();
            let verdict = match error.kind {
                StoreErrorKind::Refused => WriteError::Unstorable(error.clone()),
                // A flush that failed may have reached the disk all the same: only the next start tells.
                StoreErrorKind::Unknown | StoreErrorKind::Fatal => WriteError::Unknown { write_id },
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

/// Only the first failure changes the health; a failed store stays failed.
fn degrade(health: &mut Health, cause: &StoreError) -> bool {
    let ready = *health == Health::Ready;
    if ready {
        *health = Health::Degraded { kind: cause.kind, code: cause.code.to_string() };
    }
    ready
}

fn answer_all(jobs: Vec<Job>, error: impl Fn() -> WriteError) {
    jobs.into_iter().for_each(|job| reply(job, Err(error())));
}

/// Answers a caller; one that went away has its write all the same.
fn reply(job: Job, answer: Answer) {
    drop(job.bytes);
    drop(job.reply.send(answer));
}
