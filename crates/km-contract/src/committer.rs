//! Group commit: whatever waits is committed together, and answered only afterwards.
//!
//! There is no linger timer. While one batch is flushed the next gathers, so batches grow with load and
//! an idle store adds no latency. A batch is handed over as soon as the one before it is applied and only its flush
//! remains: the store need not wait for this task between two batches.

mod commits;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::port::{Committed, OnApplied, Store, StoreError, StoreErrorKind};
use crate::telemetry::Telemetry;
use crate::{Admitted, HealthBoard, Jitter, QueueLimits, WriteError, WritePolicy};
use commits::Commits;

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
    gathering: Gathering,
    commits: Commits,
    watched: Watched,
}

/// A batch that is being committed.
type Serving<'c> = Pin<Box<dyn Future<Output = ()> + Send + 'c>>;

impl Committer {
    pub(crate) fn new(
        store: &Store,
        jobs: (mpsc::WeakSender<Job>, mpsc::Receiver<Job>),
        stopped: watch::Receiver<bool>,
        policy: watch::Receiver<WritePolicy>,
        limits: QueueLimits,
        jitter: Arc<Jitter>,
        telemetry: Telemetry,
    ) -> Self {
        let (sender, jobs) = jobs;
        Self {
            gathering: Gathering {
                jobs,
                sender,
                arrived: Vec::with_capacity(limits.batch_writes_max),
                waiting: VecDeque::with_capacity(limits.batch_writes_max),
                stopped,
                limits,
            },
            commits: Commits::new(store, policy, jitter, telemetry),
            watched: Watched(Some(store.health.clone())),
        }
    }

    /// Commits until the writer is stopped or gone, and everything that was admitted is answered.
    pub async fn run(mut self) {
        let mut flushing: Option<Serving<'_>> = None;
        while let Some(batch) = beside(&mut flushing, self.gathering.batch()).await {
            let (applied, only_flush_left) = self.gathering.applied();
            let mut serving: Serving<'_> = Box::pin(self.commits.serve(batch, applied));
            let goes_on = beside(&mut flushing, async {
                tokio::select! {
                    () = &mut serving => false,
                    () = only_flush_left => true,
                }
            });
            let goes_on = goes_on.await;
            // The batch before is done by now, unless it has to be tried again: then the next one waits for it.
            if let Some(before) = flushing.take() {
                before.await;
            }
            flushing = goes_on.then_some(serving);
        }
        if let Some(last) = flushing {
            last.await;
        }
        self.watched.0 = None;
    }
}

/// Does `work`, and goes on with what is being flushed meanwhile.
async fn beside<T>(flushing: &mut Option<Serving<'_>>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    while let Some(serving) = flushing {
        tokio::select! {
            done = &mut work => return done,
            () = serving => *flushing = None,
        }
    }
    work.await
}

/// The queue, as the committer takes batches from it.
struct Gathering {
    jobs: mpsc::Receiver<Job>,
    /// Tells whether anything waits. It does not keep the queue open.
    sender: mpsc::WeakSender<Job>,
    /// What is being received; empty in between.
    arrived: Vec<Job>,
    /// What was received and did not fit into the batch before.
    waiting: VecDeque<Job>,
    stopped: watch::Receiver<bool>,
    limits: QueueLimits,
}

impl Gathering {
    /// Waits for one write and takes whatever else waits already, within the bounds of a batch; none when there
    /// will be no more. Nothing is lost when this is dropped before it is done.
    async fn batch(&mut self) -> Option<Vec<Job>> {
        if self.waiting.is_empty() {
            self.receive().await;
            self.waiting.extend(self.arrived.drain(..));
        }
        Some(self.within_bounds()).filter(|batch| !batch.is_empty())
    }

    /// Receives nothing only when there will be no more.
    async fn receive(&mut self) {
        if !self.jobs.is_closed() {
            tokio::select! {
                biased;
                _ = self.jobs.recv_many(&mut self.arrived, self.limits.batch_writes_max) => return,
                _ = self.stopped.wait_for(|stopped| *stopped) => self.jobs.close(),
            }
        }
        self.jobs.recv_many(&mut self.arrived, self.limits.batch_writes_max).await;
    }

    fn within_bounds(&mut self) -> Vec<Job> {
        let mut bytes = 0;
        let within = self
            .waiting
            .iter()
            .take_while(|job| {
                let fits = bytes == 0 || bytes + job.admitted.cost() <= self.limits.batch_bytes_max;
                bytes += job.admitted.cost();
                fits
            })
            .count();
        self.waiting.drain(..within).collect()
    }

    /// What the store tells when only the flush of a batch remains. It is passed on when something waits that could
    /// follow: waking this task for nothing would slow a caller that is alone.
    fn applied(&self) -> (OnApplied, impl Future<Output = ()> + use<>) {
        let told = Arc::new(Notify::new());
        let (tell, sender, left_over) = (told.clone(), self.sender.clone(), !self.waiting.is_empty());
        let applied = OnApplied::then(move || {
            let waits = || sender.upgrade().is_some_and(|jobs| jobs.capacity() < jobs.max_capacity());
            if left_over || waits() {
                tell.notify_one();
            }
        });
        let only_flush_left = async move { told.notified().await };
        (applied, only_flush_left)
    }
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
