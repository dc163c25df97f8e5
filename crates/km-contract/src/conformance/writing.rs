//! What an acknowledgement means.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use km_model::{Outcome, TenantId};

use super::{Hands, Rig, resolve, tenant, write_id};
use crate::port::{RecordState, Store};
use crate::{Arrival, QueueLimits, WriteError, WritePolicy};

pub async fn a_committed_write_is_found(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let written = rig.write("w-1", resolve("INC-1", "disk full", Some(10))).await.unwrap();
    assert_eq!((written.outcome, written.receipt.revision()), (Outcome::Created, 1));
    let record = rig.store.ledger.find(&tenant(), &write_id("w-1")).await.unwrap().unwrap();
    assert_eq!(&record.content_hash, written.receipt.content_hash());
    let RecordState::Applied(placement) = record.state else { panic!("not applied") };
    assert_eq!(placement.entry_id, written.receipt.entry_id());
    assert!(rig.store.ledger.find(&tenant(), &write_id("w-2")).await.unwrap().is_none());
}

pub async fn the_same_write_again_is_replayed_with_its_first_receipt(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let first = rig.write("w-1", resolve("INC-1", "disk full", None)).await.unwrap();
    rig.clock.advance_seconds(60);
    let again = rig.write("w-1", resolve("INC-1", "disk full", None)).await.unwrap();
    assert_eq!((again.outcome, again.receipt), (Outcome::Replayed, first.receipt));
    assert_eq!(rig.store.upkeep.measures().await.unwrap().writes, 1);
}

pub async fn other_content_under_the_same_id_is_a_conflict(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let first = rig.write("w-1", resolve("INC-1", "disk full", None)).await.unwrap();
    let other = rig.write("w-1", resolve("INC-1", "disk empty", None)).await.unwrap_err();
    let WriteError::Conflict { kept, .. } = other else { panic!("{other}") };
    assert_eq!(&kept, first.receipt.content_hash());
}

pub async fn two_writes_of_one_id_in_one_batch_come_one_after_the_other(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let admit = |content: &str| {
        let write = resolve("INC-1", content, Some(5));
        let id = Some(write_id("w-1"));
        Arc::new(rig.writer.admission().admit(&tenant(), id, write, Arrival::Call).unwrap())
    };
    let answers = rig.store.ledger.commit(&[admit("a"), admit("a"), admit("b")]).await.unwrap();
    use crate::port::Committed::{Applied, Conflict, Replayed};
    let [Applied(first), Replayed(second), Conflict { .. }] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(first, second);
}

pub async fn an_older_write_that_arrives_late_is_history(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    rig.write("w-new", resolve("INC-1", "new", Some(20))).await.unwrap();
    let late = rig.write("w-old", resolve("INC-1", "old", Some(10))).await.unwrap();
    assert_eq!((late.outcome, late.receipt.revision()), (Outcome::Superseded, 2));
    let newest = rig.write("w-newest", resolve("INC-1", "newest", Some(30))).await.unwrap();
    assert_eq!((newest.outcome, newest.receipt.revision()), (Outcome::Revised, 3));
    let entry = rig.store.library.entry(&tenant(), late.receipt.entry_id()).await.unwrap().unwrap();
    assert_eq!((entry.head.write.content.as_deref(), entry.revisions), (Some("newest"), 3));
}

pub async fn of_two_writes_at_one_time_the_greater_id_is_the_head(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let b = rig.write("b", resolve("INC-1", "b", Some(10))).await.unwrap();
    assert_eq!(rig.write("a", resolve("INC-1", "a", Some(10))).await.unwrap().outcome, Outcome::Superseded);
    assert_eq!(rig.write("c", resolve("INC-1", "c", Some(10))).await.unwrap().outcome, Outcome::Revised);
    let entry = rig.store.library.entry(&tenant(), b.receipt.entry_id()).await.unwrap().unwrap();
    assert_eq!(entry.head.write_id, write_id("c"));
}

pub async fn tenants_do_not_see_each_other(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let other = TenantId::parse("other").unwrap();
    let written = rig.write("w-1", resolve("INC-1", "ours", None)).await.unwrap();
    let theirs = resolve("INC-1", "theirs", None);
    let answer = rig.writer.write(&other, Some(write_id("w-1")), theirs, Arrival::Call).await.unwrap();
    assert_eq!(answer.outcome, Outcome::Created);
    let library = &rig.store.library;
    assert!(library.entry(&other, written.receipt.entry_id()).await.unwrap().is_none());
    let chain = library.chain(&other, &km_model::IncidentId::parse("INC-1").unwrap()).await.unwrap().unwrap();
    assert_eq!(chain.entries.len(), 1);
    assert_eq!(chain.entries[0].head.write.content.as_deref(), Some("theirs"));
}

pub async fn a_dropped_caller_does_not_cancel_its_write(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for n in 0..50 {
        let tenant = tenant();
        let mut hurried = Box::pin(rig.writer.write(
            &tenant,
            Some(write_id(&format!("dropped-{n}"))),
            resolve(&format!("INC-D{n}"), "left alone", None),
            Arrival::Call,
        ));
        // One poll hands the write over; then the caller goes away, if it was not answered already.
        if let Some(answered) = futures_poll_once(&mut hurried).await {
            answered.unwrap();
        }
    }
    rig.write("last", resolve("INC-last", "last", None)).await.unwrap();
    for n in 0..50 {
        let id = write_id(&format!("dropped-{n}"));
        assert!(rig.store.ledger.find(&tenant(), &id).await.unwrap().is_some(), "{id}");
    }
}

/// Polls a future once.
pub(super) async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// A call that was polled once: it waits, or was answered at once.
pub(super) enum Begun<F: Future> {
    Waits(Pin<Box<F>>),
    Answered(F::Output),
}

impl<F: Future> Begun<F> {
    pub(super) async fn of(call: F) -> Self {
        let mut call = Box::pin(call);
        match futures_poll_once(&mut call).await {
            Some(answer) => Self::Answered(answer),
            None => Self::Waits(call),
        }
    }

    pub(super) async fn end(self) -> F::Output {
        match self {
            Self::Waits(call) => call.await,
            Self::Answered(answer) => answer,
        }
    }
}

pub async fn a_full_queue_refuses(store: Store, clock: Arc<Hands>) {
    let limits = QueueLimits { writes_max: 1_000, bytes_max: 2_000, ..QueueLimits::default() };
    let rig = Rig::with(store, clock, WritePolicy::NORMAL, limits);
    let big = |n: usize| resolve(&format!("INC-{n}"), &"x".repeat(1_200), None);
    let ids: Vec<String> = (0..20).map(|n| format!("w-{n}")).collect();
    let mut calls: Vec<_> = ids.iter().enumerate().map(|(n, id)| Box::pin(rig.write(id, big(n)))).collect();
    let mut refused = 0;
    for call in &mut calls {
        refused +=
            usize::from(matches!(futures_poll_once(call).await, Some(Err(WriteError::Overloaded { .. }))));
    }
    assert!(refused > 0, "twenty writes of 1,700 bytes cannot all wait in 2,000");
    let tenant = tenant();
    let patient = rig.writer.write_patiently(&tenant, Some(write_id("p")), big(99), Arrival::Call);
    drop(calls);
    assert_eq!(patient.await.unwrap().outcome, Outcome::Created);
}

pub async fn writes_after_stop_are_refused_and_those_before_are_answered(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let ids: Vec<String> = (0..100).map(|n| format!("w-{n}")).collect();
    let mut calls = Vec::new();
    for id in &ids {
        calls.push(Begun::of(rig.write(id, resolve(&format!("INC-{id}"), "x", None))).await);
    }
    rig.writer.stop();
    for call in calls {
        assert_eq!(call.end().await.unwrap().outcome, Outcome::Created);
    }
    let late = rig.write("late", resolve("INC-late", "x", None)).await.unwrap_err();
    assert!(matches!(late, WriteError::Stopping), "{late}");
    tokio::time::timeout(Duration::from_secs(5), rig.committer).await.unwrap().unwrap();
}

pub async fn the_policy_changes_at_runtime(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    assert_eq!(rig.writer.policy(), WritePolicy::NORMAL);
    rig.writer.set_policy(WritePolicy::EMERGENCY);
    assert_eq!(rig.writer.policy(), WritePolicy::EMERGENCY);
    let written = rig.write("w-1", resolve("INC-1", "in an emergency", None)).await.unwrap();
    assert_eq!(written.outcome, Outcome::Created);
}
