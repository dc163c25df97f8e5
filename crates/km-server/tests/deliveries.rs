//! Which of two texts about one fact is the head, when neither says when it was written.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use km_contract::port::{LetterFormat, Store};
use km_contract::telemetry::Telemetry;
use km_contract::{Admission, Arrival, Clock, Intake, Jitter, QueueLimits, WritePolicy, Writer, Written};
use km_intake::import::markdown;
use km_model::{Outcome, TenantId, Timestamp};
use km_store::OpenOptions;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A clock that every look at it moves on by a second.
struct Steps(AtomicI64);

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000_000, Ordering::SeqCst))
    }
}

struct Place {
    store: Store,
    writer: Writer,
    intake: Intake,
    _directory: TempDir,
}

async fn place() -> Place {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // 2027: after every time that the bodies name.
    let clock: Arc<dyn Clock> = Arc::new(Steps(AtomicI64::new(1_800_000_000_000_000)));
    let options = OpenOptions { allow_volatile: true, ..OpenOptions::at(directory.path()) };
    let store = km_store::open(options, clock.clone()).await.unwrap();
    let (writer, committer) = Writer::new(
        &store,
        Admission::new(clock),
        WritePolicy::NORMAL,
        QueueLimits::default(),
        Arc::new(Jitter::from_seed(1)),
        Telemetry::register(&mut Registry::default()),
    );
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(committer.run());
    let intake = Intake::new(writer.clone(), store.letters.clone(), km_server::readers());
    Place { store, writer, intake, _directory: directory }
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

impl Place {
    async fn import(&self, name: &str, text: &str) -> Outcome {
        let request = markdown(name, text.as_bytes()).unwrap();
        let written = self.writer.write(&tenant(), request.write_id, request.write, Arrival::Call).await;
        written.unwrap().outcome
    }

    async fn resolved(&self, fingerprint: &str, replica: u32, annotations: Value) -> Written {
        let body = json!({ "version": "4", "status": "resolved", "alerts": [{
            "status": "resolved", "fingerprint": fingerprint, "labels": {"alertname": "DiskFull"},
            "annotations": annotations, "generatorURL": format!("http://prometheus-{replica}:9090/graph"),
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z",
        }]});
        let delivered =
            self.intake.deliver(&tenant(), LetterFormat::Alertmanager, body.to_string().as_bytes()).await;
        delivered.unwrap().written.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_file_is_the_head_although_its_date_stays() {
    let place = place().await;
    for nth in 0..50 {
        let name = format!("postmortems/2026-03-01-db-{nth}.md");
        let text =
            |body: &str| format!("---\ndate: 2026-03-01\nlastmod: 2026-03-02\n---\n# Outage\n\n{body}\n");
        assert_eq!(place.import(&name, &text("first")).await, Outcome::Created);
        assert_eq!(place.import(&name, &text("first")).await, Outcome::Replayed);
        assert_eq!(place.import(&name, &text("edited")).await, Outcome::Revised, "{name}");
        assert_eq!(place.import(&name, &text("edited")).await, Outcome::Replayed);
        assert_eq!(place.import(&name, &text("first")).await, Outcome::Replayed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolution_is_one_write_whoever_repeats_it() {
    let place = place().await;
    let annotations = json!({"summary": "full", "value": "91%"});
    let first = place.resolved("f00d", 0, annotations.clone()).await;
    assert_eq!(first.outcome, Outcome::Created);
    for replica in 0..5 {
        let again = place.resolved("f00d", replica, annotations.clone()).await;
        assert_eq!(again.outcome, Outcome::Replayed, "replica {replica}");
        assert_eq!(again.receipt.write_id(), first.receipt.write_id());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolution_that_says_more_is_the_head_and_two_that_alternate_stay_two() {
    let place = place().await;
    for nth in 0..50 {
        let fingerprint = format!("f{nth:04}");
        let old = || json!({"summary": "full", "value": "91%"});
        let new = || json!({"summary": "full", "value": "97%"});
        assert_eq!(place.resolved(&fingerprint, 0, old()).await.outcome, Outcome::Created);
        let revised = place.resolved(&fingerprint, 1, new()).await;
        assert_eq!(revised.outcome, Outcome::Revised, "{fingerprint}");
        for replica in 0..3 {
            assert_eq!(place.resolved(&fingerprint, replica, old()).await.outcome, Outcome::Replayed);
            assert_eq!(place.resolved(&fingerprint, replica, new()).await.outcome, Outcome::Replayed);
        }
        let entry = place.store.library.entry(&tenant(), revised.receipt.entry_id()).await.unwrap().unwrap();
        assert_eq!((&entry.head.write_id, entry.revisions), (revised.receipt.write_id(), 2));
    }
}
