//! A real store that fails on command: what the contract makes of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use km_model::{Alert, Durability, Outcome, TenantId, WriteId};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use super::writing::{Begun, futures_poll_once};
use super::{Hands, Rig, resolve, tenant, write_id};
use crate::port::{Committed, Ledger, Record, Store, StoreError, StoreErrorKind};
use crate::telemetry::Telemetry;
use crate::{
    Admission, Admitted, AdmittedAlert, Arrival, Health, Jitter, QueueLimits, WriteError, WritePolicy, Writer,
};

/// What happens to one call of `commit`.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It fails and nothing is committed.
    Before(StoreErrorKind),
    /// It is committed and the reply is lost.
    After(StoreErrorKind),
}

/// The real ledger behind a list of faults; when the list is empty, calls go through.
struct Faulty {
    real: Arc<dyn Ledger>,
    faults: Mutex<VecDeque<Fault>>,
    poison: &'static str,
    gate: Semaphore,
    calls: AtomicUsize,
}

impl Faulty {
    fn new(store: &Store, faults: impl IntoIterator<Item = Fault>) -> Arc<Self> {
        Arc::new(Self {
            real: store.ledger.clone(),
            faults: Mutex::new(faults.into_iter().collect()),
            poison: "poison",
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            calls: AtomicUsize::new(0),
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Ledger for Faulty {
    async fn commit(&self, batch: &[Arc<Admitted>]) -> Result<Vec<Committed>, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.acquire().await.unwrap());
        let fault = self.faults.lock().unwrap().pop_front();
        if let Some(Fault::Before(kind)) = fault {
            return Err(StoreError::bare(kind, "INJECTED"));
        }
        if batch.iter().any(|admitted| admitted.write_id().as_str() == self.poison) {
            return Err(StoreError::bare(StoreErrorKind::Refused, "POISON"));
        }
        let answers = self.real.commit(batch).await?;
        match fault {
            Some(Fault::After(kind)) => Err(StoreError::bare(kind, "INJECTED")),
            Some(Fault::Before(_)) | None => Ok(answers),
        }
    }

    async fn observe(&self, alerts: &[AdmittedAlert]) -> Result<Vec<Alert>, StoreError> {
        self.real.observe(alerts).await
    }

    async fn find(&self, tenant: &TenantId, write_id: &WriteId) -> Result<Option<Record>, StoreError> {
        self.real.find(tenant, write_id).await
    }

    fn durability(&self) -> Durability {
        self.real.durability()
    }
}

/// The usual policy with pauses that a test can wait for.
const HASTY: WritePolicy = WritePolicy { backoff: Duration::from_millis(5), ..WritePolicy::NORMAL };

async fn writes_in(rig: &Rig) -> u64 {
    rig.store.upkeep.measures().await.unwrap().writes
}

pub async fn a_transient_failure_is_tried_again_and_nothing_is_doubled(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, [Fault::Before(StoreErrorKind::Transient); 2]);
    let rig = Rig::behind(faulty.clone(), store, clock, HASTY);
    let written = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap();
    assert_eq!((written.outcome, faulty.calls(), writes_in(&rig).await), (Outcome::Created, 3, 1));
    faulty.faults.lock().unwrap().extend([Fault::Before(StoreErrorKind::Transient); 3]);
    let refused = rig.write("w-2", resolve("INC-2", "x", None)).await.unwrap_err();
    assert!(matches!(refused, WriteError::Unavailable { .. }), "{refused}");
    assert_eq!(faulty.calls(), 6, "three tries, and none after the last");
}

pub async fn a_lost_reply_after_the_commit_is_resolved_by_doing_it_again(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, [Fault::After(StoreErrorKind::Unknown)]);
    let rig = Rig::behind(faulty, store, clock, HASTY);
    let written = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap();
    assert_eq!((written.outcome, writes_in(&rig).await), (Outcome::Replayed, 1));
}

pub async fn one_poisoned_write_does_not_take_its_neighbours_with_it(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, []);
    let rig = Rig::behind(faulty.clone(), store, clock, HASTY);
    let ids: Vec<String> =
        (0..32).map(|n| if n == 13 { "poison".into() } else { format!("w-{n}") }).collect();
    let mut calls = Vec::new();
    for id in &ids {
        calls.push(Begun::of(rig.write(id, resolve(&format!("INC-{id}"), "x", None))).await);
    }
    for (id, call) in ids.iter().zip(calls) {
        match call.end().await {
            Ok(written) => assert_eq!(written.outcome, Outcome::Created),
            Err(error) => {
                assert!(id == "poison" && matches!(error, WriteError::Unstorable(_)), "{id}: {error}")
            }
        }
    }
    assert_eq!(writes_in(&rig).await, 31);
}

pub async fn a_full_store_refuses_at_once_and_resumes_by_itself(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, [Fault::Before(StoreErrorKind::Exhausted)]);
    let rig = Rig::behind(faulty.clone(), store, clock, HASTY);
    let refused = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap_err();
    let WriteError::Unavailable { cause: Some(cause), .. } = refused else { panic!("{refused}") };
    assert_eq!((cause.kind, faulty.calls()), (StoreErrorKind::Exhausted, 1));
    assert!(matches!(*rig.writer.health().borrow(), Health::Degraded { .. }));
    let while_open = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap_err();
    let WriteError::Unavailable { retry_after, cause: None } = while_open else { panic!("{while_open}") };
    assert_eq!(faulty.calls(), 1, "an open breaker asks nobody");
    tokio::time::sleep(retry_after).await;
    assert_eq!(rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap().outcome, Outcome::Created);
    assert_eq!(*rig.writer.health().borrow(), Health::Ready);
}

pub async fn a_fatal_failure_ends_the_service(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, [Fault::Before(StoreErrorKind::Fatal)]);
    let rig = Rig::behind(faulty.clone(), store, clock, HASTY);
    let doubt = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap_err();
    assert!(matches!(doubt, WriteError::Unknown { .. }), "a failed flush may have kept it: {doubt}");
    let mut health = rig.writer.health();
    assert!(health.wait_for(|health| matches!(health, Health::Failed { .. })).await.is_ok());
    let refused = rig.write("w-2", resolve("INC-2", "x", None)).await.unwrap_err();
    let WriteError::Unavailable { cause: Some(cause), .. } = refused else { panic!("{refused}") };
    assert_eq!((cause.kind, faulty.calls()), (StoreErrorKind::Fatal, 1), "nobody asks it again");
}

pub async fn a_doubt_stays_a_doubt_when_later_tries_fail(store: Store, clock: Arc<Hands>) {
    use StoreErrorKind::{Exhausted, Transient, Unknown};
    let faults = [Fault::After(Unknown), Fault::Before(Transient), Fault::Before(Exhausted)];
    let rig = Rig::behind(Faulty::new(&store, faults), store, clock, HASTY);
    let doubt = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap_err();
    assert!(matches!(doubt, WriteError::Unknown { .. }), "it was committed: {doubt}");
    assert_eq!(writes_in(&rig).await, 1);
}

pub async fn the_deadline_answers_unknown_and_a_repeat_resolves_it(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, []);
    let policy = WritePolicy { deadline: Duration::from_millis(50), ..HASTY };
    let rig = Rig::behind(faulty.clone(), store, clock, policy);
    faulty.gate.forget_permits(Semaphore::MAX_PERMITS);
    let unknown = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap_err();
    assert!(matches!(unknown, WriteError::Unknown { .. }), "{unknown}");
    faulty.gate.add_permits(1_000);
    rig.writer.set_policy(HASTY);
    let resolved = rig.write("w-1", resolve("INC-1", "x", None)).await.unwrap();
    assert_eq!((resolved.outcome, writes_in(&rig).await), (Outcome::Replayed, 1));
}

pub async fn nothing_is_acknowledged_before_the_commit_returns(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, []);
    let rig = Rig::behind(faulty.clone(), store, clock, HASTY);
    faulty.gate.forget_permits(Semaphore::MAX_PERMITS);
    let mut call = Box::pin(rig.write("w-1", resolve("INC-1", "x", None)));
    while faulty.calls() == 0 {
        assert!(futures_poll_once(&mut call).await.is_none());
        tokio::task::yield_now().await;
    }
    assert!(futures_poll_once(&mut call).await.is_none(), "the store has not answered yet");
    assert!(rig.store.ledger.find(&tenant(), &write_id("w-1")).await.unwrap().is_none());
    faulty.gate.add_permits(1_000);
    assert_eq!(call.await.unwrap().outcome, Outcome::Created);
}

pub async fn a_neighbours_deadline_does_not_end_the_tries_of_others(store: Store, clock: Arc<Hands>) {
    let faulty = Faulty::new(&store, [Fault::Before(StoreErrorKind::Transient)]);
    let store = Store { ledger: faulty, ..store };
    let patient = WritePolicy::NORMAL;
    let (writer, committer) = Writer::new(
        &store,
        Admission::new(clock),
        WritePolicy { deadline: Duration::from_millis(500), ..patient },
        QueueLimits::default(),
        // The first pause of this stream is 0.9 s: longer than the one caller waits, and not the other.
        Arc::new(Jitter::from_seed(23)),
        Telemetry::register(&mut Registry::default()),
    );
    let tenant = tenant();
    let write = |id: &str| {
        let write = resolve(&format!("INC-{id}"), "x", None);
        Box::pin(writer.write(&tenant, Some(write_id(id)), write, Arrival::Call))
    };
    let mut hurried = write("hurried");
    assert!(futures_poll_once(&mut hurried).await.is_none());
    writer.set_policy(patient);
    let mut other = write("other");
    assert!(futures_poll_once(&mut other).await.is_none());
    let committer = tokio::spawn(committer.run());
    assert!(hurried.await.is_err());
    assert_eq!(other.await.unwrap().outcome, Outcome::Created);
    committer.abort();
}

pub async fn a_fatal_failure_anywhere_ends_the_service(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let met: Result<(), StoreError> = Err(StoreError::bare(StoreErrorKind::Fatal, "INJECTED"));
    assert!(rig.store.health.examine(met).is_err());
    let refused = rig.write("w-1", resolve("INC-1", "x", None)).await;
    assert!(refused.is_err() && writes_in(&rig).await == 0, "{refused:?}");
    let ended = rig.store.letters.cancel_redrive(&tenant(), "none").await.unwrap_err();
    assert_eq!(ended.kind, StoreErrorKind::Fatal, "nobody changes it any more");
}

pub async fn a_committer_that_is_gone_is_noticed(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    rig.committer.abort();
    let mut health = rig.writer.health();
    assert!(health.wait_for(|health| matches!(health, Health::Failed { .. })).await.is_ok());
    assert!(rig.write("w-1", resolve("INC-1", "x", None)).await.is_err());
}
