//! Failures of reconcilers, and what is told of them.

use prometheus_client::registry::Registry;

use super::*;
use crate::port::StoreErrorKind;

struct Failing(Mutex<Option<ReconcileError>>);

#[async_trait]
impl Reconcile for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        self.0.lock().unwrap().take().map_or(Ok("well".to_owned()), Err)
    }
}

struct Midnight;

impl Clock for Midnight {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }
}

fn error(kind: StoreErrorKind) -> StoreError {
    StoreError::bare(kind, "TEST")
}

/// Runs a job that fails so, twice: the second time it ends well.
async fn distrust_after(failure: ReconcileError) -> Option<StoreErrorKind> {
    let (distrust, distrusted) = watch::channel(None);
    let job = Arc::new(Failing(Mutex::new(Some(failure))));
    let telemetry = Telemetry::register(&mut Registry::default());
    let reconciler = Reconciler::new(job, Duration::from_secs(1), Arc::new(Midnight), telemetry, distrust);
    assert!(!reconciler.run_now().await.ok && reconciler.run_now().await.ok);
    distrusted.borrow().as_ref().map(|cause: &Arc<StoreError>| cause.kind)
}

#[tokio::test]
async fn a_failure_that_leaves_the_store_untrusted_is_passed_on_and_stays() {
    let unavailable =
        |kind| WriteError::Unavailable { retry_after: Duration::ZERO, cause: Some(Arc::new(error(kind))) };
    for kind in StoreErrorKind::ALL {
        let expected = (kind == StoreErrorKind::Fatal).then_some(kind);
        assert_eq!(distrust_after(error(kind).into()).await, expected);
        assert_eq!(distrust_after(LetterError::Store(error(kind)).into()).await, expected);
        assert_eq!(distrust_after(unavailable(kind).into()).await, expected);
    }
    assert_eq!(distrust_after(ReconcileError::Broken("a promise".to_owned())).await, None);
}

#[tokio::test]
async fn the_first_cause_of_distrust_stays() {
    let (distrust, distrusted) =
        watch::channel(Some(Arc::new(StoreError::bare(StoreErrorKind::Fatal, "FIRST"))));
    let job = Arc::new(Failing(Mutex::new(Some(error(StoreErrorKind::Fatal).into()))));
    let telemetry = Telemetry::register(&mut Registry::default());
    Reconciler::new(job, Duration::from_secs(1), Arc::new(Midnight), telemetry, distrust).run_now().await;
    assert_eq!(distrusted.borrow().as_ref().map(|cause| cause.code.to_string()).as_deref(), Some("FIRST"));
}
