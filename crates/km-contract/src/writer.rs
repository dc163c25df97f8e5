//! The face of the contract: give it a write, get a receipt.

use std::sync::Arc;
use std::time::Duration;

use km_model::{
    Alert, AlertNotice, ContentHash, IncidentId, Outcome, TenantId, Timestamp, Violation, Write, WriteId,
};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::committer::{Answer, Committer, Job};
use crate::port::{Committed, Ledger, Store, StoreError, StoreErrorKind};
use crate::telemetry::Telemetry;
use crate::{
    Admission, Admitted, Arrival, Health, HealthBoard, Jitter, QueueLimits, Receipt, WritePolicy, Written,
};

/// Takes writes from any number of callers and hands them to the committer. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    admission: Admission,
    ledger: Arc<dyn Ledger>,
    jobs: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
    limits: QueueLimits,
    policy: Arc<watch::Sender<WritePolicy>>,
    health: HealthBoard,
    stop: Arc<watch::Sender<bool>>,
    telemetry: Telemetry,
}

/// Why a write was not acknowledged, by whose turn it is.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The caller's: it breaks rules.
    #[error("the write breaks {} rule(s)", .0.len())]
    Refused(Vec<Violation>),
    /// The caller's: its write id is taken by other content.
    #[error("the write id {write_id} was used for other content")]
    Conflict {
        /// The id that was used twice.
        write_id: WriteId,
        /// The hash of what is kept.
        kept: ContentHash,
    },
    /// The caller's: the store will never take it as it is.
    #[error("the store refused the write")]
    Unstorable(#[source] Arc<StoreError>),
    /// Later: a bounded queue is full.
    #[error("too many writes are waiting: the limit of {limit} is reached")]
    Overloaded {
        /// Which bound.
        limit: &'static str,
    },
    /// Later: it was not kept, and that is certain.
    #[error("the write was not kept")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What the store said last; `None` when it was not asked.
        #[source]
        cause: Option<Arc<StoreError>>,
    },
    /// Later, of the next process: this one finishes what it admitted and takes nothing more.
    #[error("km is stopping; the write was not kept")]
    Stopping,
    /// Again, with the same write id: the deadline passed with the outcome in doubt.
    #[error("the outcome is not known{}", write_id.as_ref().map(|id| format!(" of the write {id}")).unwrap_or_default())]
    Unknown {
        /// The id to repeat; none for alerts, which are delivered again.
        write_id: Option<WriteId>,
    },
}

impl Writer {
    /// A writer and the committer that serves it; the writer works while [`Committer::run`] does.
    pub fn new(
        store: &Store,
        admission: Admission,
        policy: WritePolicy,
        limits: QueueLimits,
        jitter: Arc<Jitter>,
        telemetry: Telemetry,
    ) -> (Self, Committer) {
        let (jobs, waiting) = mpsc::channel(limits.writes_max);
        let (policy, _) = watch::channel(policy);
        let (stop, stopped) = watch::channel(false);
        let policy = Arc::new(policy);
        let committer = Committer::new(
            store,
            (jobs.downgrade(), waiting),
            stopped,
            policy.subscribe(),
            limits,
            jitter,
            telemetry.clone(),
        );
        let writer = Self {
            admission,
            ledger: store.ledger.clone(),
            jobs,
            bytes: Arc::new(Semaphore::new(limits.bytes_max)),
            limits,
            policy,
            health: store.health.clone(),
            stop: Arc::new(stop),
            telemetry,
        };
        (writer, committer)
    }

    /// Remembers one write. Without `write_id` one is derived from what the write is about and says.
    ///
    /// The answer is [`Written`] only when the write is durable. Dropping the returned future gives up the
    /// answer, not the write.
    ///
    /// # Errors
    /// [`WriteError`], which says whose turn it is. After [`WriteError::Unknown`] the same call resolves
    /// the doubt.
    pub async fn write(
        &self,
        tenant: &TenantId,
        write_id: Option<WriteId>,
        write: Write,
        arrival: Arrival,
    ) -> Result<Written, WriteError> {
        self.write_when_there_is_room(tenant, write_id, write, arrival, Room::Now).await
    }

    /// As [`Writer::write`], but waits for room in the queue until the deadline instead of refusing: for
    /// callers that bring many writes at once.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn write_patiently(
        &self,
        tenant: &TenantId,
        write_id: Option<WriteId>,
        write: Write,
        arrival: Arrival,
    ) -> Result<Written, WriteError> {
        self.write_when_there_is_room(tenant, write_id, write, arrival, Room::ByDeadline).await
    }

    async fn write_when_there_is_room(
        &self,
        tenant: &TenantId,
        write_id: Option<WriteId>,
        write: Write,
        arrival: Arrival,
        room: Room,
    ) -> Result<Written, WriteError> {
        let path = write.path.kind();
        let begun = Instant::now();
        let answer = match self.admission.admit(tenant, write_id, write, arrival) {
            Ok(admitted) => self.submit(admitted, room).await,
            Err(violations) => Err(WriteError::Refused(violations)),
        };
        self.telemetry.answered(path, begun.elapsed(), &answer);
        answer
    }

    async fn submit(&self, admitted: Admitted, room: Room) -> Result<Written, WriteError> {
        let admitted = Arc::new(admitted);
        let deadline = Instant::now() + self.policy.borrow().deadline;
        let (reply, answer) = oneshot::channel();
        self.enqueue(admitted.clone(), deadline, reply, room).await?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => self.conclude(&admitted, answer),
            // The committer went away without an answer, or takes longer than the caller may wait.
            Ok(Err(_)) | Err(_) => Err(WriteError::Unknown { write_id: Some(admitted.write_id().clone()) }),
        }
    }

    async fn enqueue(
        &self,
        admitted: Arc<Admitted>,
        deadline: Instant,
        reply: oneshot::Sender<Answer>,
        room: Room,
    ) -> Result<(), WriteError> {
        let cost = u32::try_from(admitted.cost().min(self.limits.bytes_max)).unwrap_or(u32::MAX);
        let bytes = match room {
            Room::Now => self.bytes.clone().try_acquire_many_owned(cost).ok(),
            Room::ByDeadline => timeout_at(deadline, self.bytes.clone().acquire_many_owned(cost))
                .await
                .ok()
                .and_then(Result::ok),
        };
        let bytes = bytes.ok_or(WriteError::Overloaded { limit: "queue.bytes-max" })?;
        let slot = match room {
            Room::Now => self.jobs.try_reserve().map_err(|full| no_slot(&full))?,
            Room::ByDeadline => timeout_at(deadline, self.jobs.reserve())
                .await
                .map_err(|_| WriteError::Overloaded { limit: "queue.writes-max" })?
                .map_err(|_| WriteError::Stopping)?,
        };
        slot.send(Job { admitted, deadline, reply, bytes });
        Ok(())
    }

    fn conclude(&self, admitted: &Admitted, answer: Answer) -> Result<Written, WriteError> {
        let (outcome, placement) = match answer? {
            Committed::Applied(placement) => (placement.outcome, placement),
            Committed::Replayed(placement) => (Outcome::Replayed, placement),
            Committed::Conflict { kept } => {
                return Err(WriteError::Conflict { write_id: admitted.write_id().clone(), kept });
            }
        };
        let receipt = Receipt::new(admitted, placement, self.ledger.durability());
        self.telemetry.acknowledged(admitted.tenant(), &receipt);
        Ok(Written { outcome, receipt })
    }

    /// Folds what a monitoring system says into the alerts that km knows, durably, and returns for each
    /// notice the occurrence that it belongs to. `name` names the incident of an alert that is new.
    ///
    /// # Errors
    /// [`WriteError::Unavailable`] or [`WriteError::Unknown`]; repeating the call is harmless.
    pub async fn observe(
        &self,
        tenant: &TenantId,
        notices: Vec<AlertNotice>,
        name: fn(&AlertNotice, Timestamp) -> IncidentId,
        arrival: Arrival,
    ) -> Result<Vec<Alert>, WriteError> {
        let unavailable = |error| {
            let retry_after = Duration::from_secs(1);
            WriteError::Unavailable { retry_after, cause: Some(Arc::new(error)) }
        };
        self.health.trusted().map_err(unavailable)?;
        let since = arrival.since(self.admission.now());
        let admit = |notice: AlertNotice| {
            let incident = name(&notice, since);
            self.admission.admit_alert(tenant, notice, incident, arrival)
        };
        let admitted: Vec<_> = notices.into_iter().map(admit).collect();
        let deadline = self.policy.borrow().deadline;
        match timeout(deadline, self.ledger.observe(&admitted)).await {
            Ok(Ok(alerts)) => Ok(alerts),
            Ok(Err(error)) if !matches!(error.kind, StoreErrorKind::Unknown | StoreErrorKind::Fatal) => {
                Err(unavailable(error))
            }
            Ok(Err(_)) | Err(_) => Err(WriteError::Unknown { write_id: None }),
        }
    }

    /// The door that this writer uses.
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The policy in force.
    pub fn policy(&self) -> WritePolicy {
        *self.policy.borrow()
    }

    /// Puts a policy in force for every write from now on.
    pub fn set_policy(&self, policy: WritePolicy) {
        self.policy.send_replace(policy);
    }

    /// Whether writes can be served, now and as it changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// How many writes and bytes wait or are being committed.
    pub fn queued(&self) -> (usize, usize) {
        let writes = self.limits.writes_max - self.jobs.capacity();
        (writes, self.limits.bytes_max - self.bytes.available_permits())
    }

    /// Takes no more writes; the committer finishes those it has and then ends.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

fn no_slot(error: &mpsc::error::TrySendError<()>) -> WriteError {
    match error {
        mpsc::error::TrySendError::Full(()) => WriteError::Overloaded { limit: "queue.writes-max" },
        mpsc::error::TrySendError::Closed(()) => WriteError::Stopping,
    }
}

/// Whether a caller waits for room in the queue.
#[derive(Clone, Copy)]
enum Room {
    Now,
    ByDeadline,
}
