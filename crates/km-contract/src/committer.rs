//! Group commit: whatever waits is committed together, and answered only afterwards.
//!
//! There is no linger timer. While one batch is flushed the next gathers, so batches grow with load and
//! an idle store adds no latency.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::breaker::Breaker;
use crate::port::{Committed, Disposition, Ledger, Store, StoreError, StoreErrorKind};
use crate::telemetry::Telemetry;
use crate::{Admitted, HealthBoard, Jitter, QueueLimits, WriteError, WritePolicy};

/// What a job is answered with.
pub(crate) type Answer = Result<Committed, WriteError>;

/// A write that waits for its commit. Holds its share of the queue's bytes until it is answered.
pub(crate) struct Job {
    pub(crate) admitted: Arc<Admitted>,
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Answer>,
    pub(crate) bytes: OwnedSemaphorePermit,
}

/// The one task that commits. Nothing cancels it: when its callers are gone it still finishes.
pub struct Committer {
    store: &'static str,
    ledger: Arc<dyn Ledger>,
    jobs: mpsc::Receiver<Job>,
    stopped: watch::Receiver<bool>,
    policy: watch::Receiver<WritePolicy>,
    health: HealthBoard,
    limits: QueueLimits,
    jitter: Arc<Jitter>,
    telemetry: Telemetry,
    breaker: Breaker,
    watched: Watched,
}

impl Committer {
    pub(crate) fn new(
        store: &Store,
        jobs: mpsc::Receiver<Job>,
        stopped: watch::Receiver<bool>,
        policy: watch::Receiver<WritePolicy>,
        limits: QueueLimits,
        jitter: Arc<Jitter>,
        telemetry: Telemetry,
    ) -> Self {
        let breaker = Breaker::closed();
        let (ledger, health) = (store.ledger.clone(), store.health.clone());
        let watched = Watched(Some(health.clone()));
        Self {
            store: store.name,
            ledger,
            jobs,
            stopped,
            policy,
            health,
            limits,
            jitter,
            telemetry,
            breaker,
            watched,
        }
    }

    /// Commits until the writer is stopped or gone, and everything that was admitted is answered.
    pub async fn run(mut self) {
        let mut waiting = VecDeque::with_capacity(self.limits.batch_writes_max);
        let mut arrived = Vec::with_capacity(self.limits.batch_writes_max);
        while !waiting.is_empty() || self.receive(&mut arrived).await > 0 {
            waiting.extend(arrived.drain(..));
            let batch = self.next_batch(&mut waiting);
            self.serve(batch).await;
        }
        self.watched.0 = None;
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
        if let Err(untrusted) = self.health.trusted() {
            let (retry_after, cause) = (Duration::from_secs(1), Arc::new(untrusted));
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
        while let Some(part) = parts.pop_front() {
            let Err((mut part, error)) = self.commit(part).await else { continue };
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
    async fn commit(&mut self, mut batch: Vec<Job>) -> Result<(), (Vec<Job>, StoreError)> {
        let policy = *self.policy.borrow();
        let jitter = self.jitter.clone();
        let mut backoffs = policy.backoffs(&jitter);
        let mut in_doubt = false;
        while !batch.is_empty() {
            let error = match self.try_once(&batch, policy.try_timeout).await {
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

    async fn try_once(&self, batch: &[Job], limit: Duration) -> Result<Vec<Committed>, StoreError> {
        self.health.trusted()?;
        let writes: Vec<Arc<Admitted>> = batch.iter().map(|job| job.admitted.clone()).collect();
        let begun = Instant::now();
        let tried = timeout(limit, self.ledger.commit(&writes)).await;
        self.telemetry.committed(self.store, begun.elapsed());
        match tried {
            Ok(answers) => answers,
            Err(_) => Err(StoreError::bare(StoreErrorKind::Unknown, "TRY_TIMEOUT")),
        }
    }

    fn succeeded(&mut self) {
        self.breaker.succeeded();
        self.telemetry.breaker(false);
        self.health.recover();
    }

    fn failed(&mut self, cause: &StoreError) {
        match cause.disposition() {
            Disposition::CallersTurn => return,
            Disposition::Stop => self.health.fail(cause),
            Disposition::Retry | Disposition::StandBack => {}
        }
        let at_once = cause.disposition() != Disposition::Retry;
        self.breaker.failed(at_once, Instant::now(), &self.jitter);
        self.telemetry.breaker(self.breaker.is_open());
        if self.breaker.is_open() {
            self.health.degrade(cause);
        }
    }

    fn give_up(&self, batch: Vec<Job>, error: &Arc<StoreError>) {
        let retry_after = self.breaker.pause_left(Instant::now()).unwrap_or(Duration::from_secs(1));
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

/// Tells that the committer is gone unless it came to its end, so that nobody waits for it in vain.
struct Watched(Option<HealthBoard>);

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(health) = &self.0 {
            health.fail(&StoreError::bare(StoreErrorKind::Fatal, "COMMITTER_GONE"));
        }
    }
}
