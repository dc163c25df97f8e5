//! What the contract does while a batch is flushed: the next one is handed over, and no more than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use km_model::{Alert, Durability, Outcome, TenantId, WriteId};
use tokio::sync::Semaphore;

use super::writing::Begun;
use super::{Hands, Rig, resolve, tenant};
use crate::port::{Committed, Ledger, OnApplied, Record, Store, StoreError, StoreErrorKind};
use crate::{Admitted, AdmittedAlert, WritePolicy};

/// The real ledger behind two gates: one before a batch counts as applied, one before it is flushed.
struct Gated {
    real: Arc<dyn Ledger>,
    apply: Semaphore,
    flush: Semaphore,
    calls: AtomicUsize,
    /// How many flushes fail, the first ones.
    failures: AtomicUsize,
}

impl Gated {
    fn new(store: &Store, failures: usize) -> Arc<Self> {
        Arc::new(Self {
            real: store.ledger.clone(),
            apply: Semaphore::new(0),
            flush: Semaphore::new(0),
            calls: AtomicUsize::new(0),
            failures: AtomicUsize::new(failures),
        })
    }

    async fn called(&self, times: usize) {
        let enough = async {
            while self.calls.load(Ordering::SeqCst) < times {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enough).await.expect("the store is asked");
    }
}

#[async_trait]
impl Ledger for Gated {
    async fn commit(
        &self,
        batch: &[Arc<Admitted>],
        applied: OnApplied,
    ) -> Result<Vec<Committed>, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.apply.acquire().await.unwrap().forget();
        applied.tell();
        self.flush.acquire().await.unwrap().forget();
        let one_less = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(StoreError::bare(StoreErrorKind::Transient, "INJECTED"));
        }
        self.real.commit(batch, OnApplied::default()).await
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

pub async fn the_next_batch_is_handed_over_while_one_is_flushed(store: Store, clock: Arc<Hands>) {
    let gated = Gated::new(&store, 0);
    let rig = Rig::behind(gated.clone(), store, clock, WritePolicy::NORMAL);
    let write = |id: &'static str| Begun::of(rig.write(id, resolve(&format!("INC-{id}"), "x", None)));
    let first = write("w-1").await;
    gated.called(1).await;
    let second = write("w-2").await;
    gated.apply.add_permits(2);
    gated.called(2).await;
    let third = write("w-3").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(gated.calls.load(Ordering::SeqCst), 2, "two at once, and no more");
    assert!(rig.store.ledger.find(&tenant(), &super::write_id("w-1")).await.unwrap().is_none());
    gated.apply.add_permits(1);
    gated.flush.add_permits(3);
    for call in [first, second, third] {
        assert_eq!(call.end().await.unwrap().outcome, Outcome::Created);
    }
}

pub async fn a_flush_that_fails_beside_the_next_batch_costs_neither(store: Store, clock: Arc<Hands>) {
    let gated = Gated::new(&store, 1);
    let rig = Rig::behind(gated.clone(), store, clock, WritePolicy::NORMAL);
    let first = Begun::of(rig.write("w-1", resolve("INC-1", "x", None))).await;
    gated.called(1).await;
    let second = Begun::of(rig.write("w-2", resolve("INC-2", "x", None))).await;
    let stopping = Begun::of(rig.write("w-3", resolve("INC-3", "x", None))).await;
    gated.apply.add_permits(1_000);
    gated.called(2).await;
    rig.writer.stop();
    gated.flush.add_permits(1_000);
    for call in [first, second, stopping] {
        assert_eq!(call.end().await.unwrap().outcome, Outcome::Created);
    }
    tokio::time::timeout(Duration::from_secs(20), rig.committer).await.unwrap().unwrap();
}
