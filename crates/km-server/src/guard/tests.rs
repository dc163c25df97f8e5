//! The bounds hold, and a fault of one request stays its own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http_body_util::BodyExt;
use km_contract::telemetry::Telemetry;
use km_contract::{
    Admission, Clock, Intake, Jitter, LetterLimits, LetterOffice, QueueLimits, WritePolicy, Writer,
};
use km_model::Timestamp;
use km_store::OpenOptions;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::*;
use crate::app::{Parts, Settings};
use crate::auth::KeyBook;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::readers;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0)
    }
}

/// The state of a server on a store of its own, with these bounds.
async fn app(settings: Settings) -> (App, TempDir) {
    let directory = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Noon);
    let options = OpenOptions { allow_volatile: true, ..OpenOptions::at(directory.path()) };
    let store = km_store::open(options, clock.clone()).await.unwrap();
    let mut registry = Registry::default();
    let telemetry = Telemetry::register(&mut registry);
    let jitter = Arc::new(Jitter::from_seed(1));
    let (writer, _) = Writer::new(
        &store,
        Admission::new(clock.clone()),
        WritePolicy::NORMAL,
        QueueLimits::default(),
        jitter.clone(),
        telemetry.clone(),
    );
    let intake = Intake::new(writer.clone(), store.letters.clone(), readers());
    let parts = Parts {
        letters: LetterOffice::new(
            store.letters.clone(),
            intake.clone(),
            clock.clone(),
            jitter,
            telemetry,
            LetterLimits { count_max: 1, bytes_max: 1 },
        ),
        keys: KeyBook::new(store.keys.clone()),
        limits: Limits::new(&settings),
        metrics: Metrics::register(registry, store.ledger.durability()),
        reconcilers: Vec::new(),
        slo: None,
        entropy: || [0; 32],
        version: "test",
        writer,
        intake,
        store,
        clock,
    };
    (Arc::new(parts), directory)
}

const SETTINGS: Settings = Settings {
    request_timeout: Duration::from_secs(30),
    requests_in_flight_max: 1,
    body_bytes_max: 1 << 20,
    requests_per_second: 0,
    request_burst: 1,
};

fn guarded(app: App, gate: Arc<Semaphore>) -> Router {
    let wait = move || async move {
        let _permit = gate.acquire().await;
        "done"
    };
    let fault = || async {
        let nothing: Vec<&str> = Vec::new();
        nothing[0]
    };
    Router::new()
        .route("/wait", get(wait))
        .route("/fault", get(fault))
        .layer(from_fn_with_state(app, bounded))
}

async fn ask(router: Router, path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn one_request_too_many_is_refused_and_its_place_is_given_back() {
    let (app, _directory) = app(SETTINGS).await;
    let gate = Arc::new(Semaphore::new(0));
    let router = guarded(app, gate.clone());
    let mut first = Box::pin(ask(router.clone(), "/wait"));
    assert!((&mut first).now_or_never().is_none());
    let (status, problem) = ask(router.clone(), "/wait").await;
    assert_eq!((status, &problem["code"]), (503, &Value::from(Code::Busy.id())));
    gate.add_permits(1);
    assert_eq!(first.await.0, 200);
    assert_eq!(ask(router, "/wait").await.0, 200);
}

#[tokio::test]
async fn a_request_ends_when_its_time_is_over() {
    let settings = Settings { request_timeout: Duration::from_millis(20), ..SETTINGS };
    let (app, _directory) = app(settings).await;
    let (status, problem) = ask(guarded(app, Arc::new(Semaphore::new(0))), "/wait").await;
    assert_eq!((status, &problem["code"]), (504, &Value::from(Code::RequestTimeout.id())));
}

#[tokio::test]
async fn a_fault_is_answered_and_ends_nothing_else() {
    let (app, _directory) = app(SETTINGS).await;
    let router = guarded(app, Arc::new(Semaphore::new(1)));
    let (status, problem) = ask(router.clone(), "/fault").await;
    assert_eq!((status, &problem["code"]), (500, &Value::from(Code::Internal.id())));
    assert_eq!(ask(router, "/wait").await.0, 200);
}
