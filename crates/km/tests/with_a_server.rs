//! What `km` does with a server, and how a server begins and ends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use harness::{Place, Server, post, tampered};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn what_is_written_is_found_and_shown() {
    let place = Place::new();
    let server = place.serve(&[]);
    let url = ["--url", &server.url];
    place.write(&url, "INC-7", "Checkout latency after deploy");
    let found = place.json(&[&url[..], &["search", "checkout"]].concat());
    let entry = found["hits"][0]["entry"]["entry_id"].as_str().unwrap();
    assert!(place.done(&[&url[..], &["show", entry]].concat()).contains("INC-7"));
    assert!(server.stop().success());
}

#[test]
fn the_server_may_be_named_by_a_variable() {
    let place = Place::new();
    let server = place.serve(&[]);
    let status = place.command(&["--json", "status"]).env("KM_URL", &server.url).output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_second_server_on_a_directory_is_refused_and_the_first_is_named() {
    let place = Place::new();
    let _server = place.serve(&[]);
    let second = place.km(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, 75, "{}", second.err);
    assert!(second.err.contains("in use by process") && second.err.contains("--url"), "{}", second.err);
    assert_eq!(
        place.km(&["write", "--path", "incident_resolve", "--incident", "I", "--title", "t"]).code,
        75
    );
}

#[test]
fn an_address_beyond_loopback_needs_a_key() {
    let place = Place::new();
    let ended = place.km(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("key"), "{}", ended.err);
    place.done(&["keys", "create", "first"]);
    let server = Server::start(&mut place.command(&["serve", "--listen", "0.0.0.0:0"]));
    assert!(server.stop().success());
}

#[test]
fn from_the_first_key_on_a_key_is_needed() {
    let place = Place::new();
    let key = place.done(&["keys", "create", "reader", "--scope", "read"]);
    let server = place.serve(&[]);
    let search = ["search", "anything", "--url", &server.url];
    let without = place.km(&search);
    assert_eq!(without.code, 1, "{}", without.err);
    assert!(without.err.contains("KM0022"), "{}", without.err);
    let with = place.command(&search).env("KM_KEY", key.trim()).output().unwrap();
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    assert!(server.stop().success());
    let listed = place.json(&["keys", "list"]);
    let id = listed["keys"][0]["id"].as_str().unwrap();
    place.done(&["keys", "revoke", id]);
    assert!(!place.json(&["keys", "list"])["keys"][0]["revoked_at"].is_null());
}

#[test]
fn km_write_await_false_means_the_emergency_policy() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.env("KM_WRITE_AWAIT", "false"));
    assert_eq!(place.done(&["policy", "--url", &server.url]).trim(), "emergency");
    assert_eq!(place.done(&["policy", "normal", "--url", &server.url]).trim(), "normal");
    assert_eq!(place.done(&["policy", "--url", &server.url]).trim(), "normal");
}

#[test]
fn verify_backup_and_doctor_work_beside_a_server() {
    let place = Place::new();
    let server = place.serve(&[]);
    let receipts = place.file("receipts.ndjson", &place.write(&["--url", &server.url], "INC-1", "kept"));
    assert_eq!(place.json(&["verify", "--receipts", &receipts])["lost"], 0);
    place.done(&["backup", "copy.db"]);
    assert_eq!(place.km(&["verify", "--data", "none"]).code, 1);
    let report = place.done(&["doctor", "--url", &server.url]);
    assert!(report.contains("is ready") && !report.contains("fail"), "{report}");
}

#[test]
fn a_sealed_part_that_was_changed_ends_the_server() {
    let place = Place::new();
    place.write(&[], "INC-unmistakable", "kept");
    place.done(&["reconcile", "sealer"]);
    let ledger = place.path("km-data/km.db");
    std::fs::write(&ledger, tampered(&ledger, "INC-unmistakable")).unwrap();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.env("KM__RECONCILE__SEALER__INTERVAL", "50ms"));
    assert_eq!(server.wait().code(), Some(70));
}

#[test]
fn a_server_that_is_not_there_ends_with_75() {
    let place = Place::new();
    let server = place.serve(&[]);
    let url = server.url.clone();
    assert!(server.stop().success());
    let ended = place.km(&["status", "--url", &url]);
    assert_eq!(ended.code, 75, "{}", ended.err);
}

#[test]
fn an_orderly_end_loses_nothing_that_was_acknowledged() {
    let place = Place::new();
    let server = place.serve(&[]);
    let receipts = write_until(&server, Signal::TERM);
    assert!(server.wait().success());
    assert_receipts_hold(&place, &receipts);
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let place = Place::new();
    let server = place.serve(&[]);
    let receipts = write_until(&server, Signal::KILL);
    assert!(!server.wait().success());
    assert_receipts_hold(&place, &receipts);
    let next = place.serve(&[]);
    assert!(next.stop().success(), "the next start needs no repair");
}

/// Writes from four callers, sends the signal in the middle, and returns every receipt that was given.
fn write_until(server: &Server, signal: Signal) -> String {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (host, acknowledged) = (server.host(), acknowledged.clone());
            thread::spawn(move || write_until_gone(&host, caller, &acknowledged))
        })
        .collect();
    while acknowledged.load(Ordering::SeqCst) < 100 {
        thread::yield_now();
    }
    server.signal(signal);
    callers.into_iter().map(|caller| caller.join().unwrap()).collect()
}

fn write_until_gone(host: &str, caller: usize, acknowledged: &AtomicUsize) -> String {
    let mut receipts = String::new();
    for number in 0.. {
        let body = format!(
            r#"{{"path":"incident_resolve","incident_id":"INC-{caller}-{number}","title":"write {number}"}}"#
        );
        let Some((status, answer)) = post(host, "/v1/writes", &body) else { break };
        if status != 201 {
            break;
        }
        receipts += answer.trim();
        receipts += "\n";
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    receipts
}

fn assert_receipts_hold(place: &Place, receipts: &str) {
    let given = receipts.lines().count();
    let receipts = place.file("receipts.ndjson", receipts);
    let verdict = place.json(&["verify", "--receipts", &receipts]);
    assert!(given >= 100);
    assert_eq!(
        (&verdict["receipts"], &verdict["lost"], &verdict["broken"]),
        (&given.into(), &0.into(), &0.into())
    );
}
