//! What the samples promise: an alert finds its runbook first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use km_contract::conformance::{Hands, Rig, playbook, resolve, tenant};
use km_contract::port::{Filter, Hit, SearchRequest};
use km_model::Write;
use km_store::OpenOptions;
use serde_json::Value;
use tempfile::TempDir;

/// The title and the text of a sample.
struct Page {
    title: String,
    text: String,
}

fn samples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
}

fn page(path: &Path) -> Page {
    let whole = fs::read_to_string(path).unwrap();
    let (front, text) = whole.strip_prefix("---\n").unwrap().split_once("---\n").unwrap();
    let title = front.lines().find_map(|line| line.strip_prefix("title: ")).unwrap();
    Page { title: title.trim_matches('"').to_owned(), text: text.to_owned() }
}

/// A store that holds every runbook and post-mortem, indexed or still in the tail.
async fn stocked(data: &TempDir) -> Rig {
    let clock = Hands::at_seconds(2_000_000_000);
    let store = km_store::open(OpenOptions::at(data.path()), clock.clone()).await.unwrap();
    let rig = Rig::new(store, clock);
    for (n, path) in samples("runbooks").into_iter().chain(samples("postmortems")).enumerate() {
        let Page { title, text } = page(&path);
        let write = Write { title, ..playbook(&format!("sample-{n}"), None, &text, Some(1)) };
        rig.write(&format!("sample-{n}"), write).await.unwrap();
    }
    rig
}

async fn first(rig: &Rig, text: &str) -> Hit {
    let request = SearchRequest { text: text.into(), filter: Filter::all(tenant()), after: None, limit: 3 };
    rig.store.library.search(&request).await.unwrap().hits.remove(0)
}

/// The names of the runbooks that are called by an alert.
fn alerts() -> Vec<Page> {
    let pages = samples("runbooks").iter().map(|path| page(path)).collect::<Vec<_>>();
    let named: Vec<Page> = pages.into_iter().filter(|page| km_search::is_identifier(&page.title)).collect();
    assert!(named.len() >= 12, "{} runbooks are called by an alert", named.len());
    named
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_finds_the_runbook_of_its_alert_first() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rig = stocked(&data).await;
    for path in samples("alerts") {
        let body = fs::read_to_string(&path).unwrap();
        let read: Value = serde_json::from_str(&body).unwrap();
        let name = read["commonLabels"]["alertname"].as_str().unwrap();
        let summary = read["commonAnnotations"]["summary"].as_str().unwrap();
        for text in [body.clone(), format!("{name}\n{summary}"), format!("[FIRING:1] {name} ({summary})")] {
            let hit = first(&rig, &text).await;
            assert_eq!(hit.entry.head.write.title.as_deref(), Some(name), "{text}: {:?}", hit.why);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_beats_the_whole_text_of_another_runbook() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rig = stocked(&data).await;
    let alerts = alerts();
    for (alert, other) in alerts.iter().zip(alerts.iter().cycle().skip(1)) {
        let nameless = alerts.iter().fold(other.text.clone(), |text, named| text.replace(&named.title, ""));
        let text = format!("alertname=\"{}\"\n{nameless}", alert.title);
        let hit = first(&rig, &text).await;
        assert_eq!(hit.entry.head.write.title.as_deref(), Some(&*alert.title), "{:?}", hit.why);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_that_carries_the_alert_as_a_label_comes_before_any_text_about_it() {
    let data = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rig = stocked(&data).await;
    let labels = BTreeMap::from([("alertname".to_owned(), "PaymentsLatencyHigh".to_owned())]);
    let write = Write { labels, ..resolve("INC-1", "Restarted the gateway.", Some(1)) };
    rig.write("incident", write).await.unwrap();
    let text = "PaymentsLatencyHigh\nthe latency of payments is high, requests are lost, look at the latency diagnosis";
    assert_eq!(first(&rig, text).await.entry.head.write_id.as_str(), "incident");
}
