//! Bodies that other projects' Alertmanagers sent: each is taken, and again without a trace. What cannot be
//! read is kept whole, and a person can mend it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::fs;

use harness::http::{Answer, Call};
use harness::{Place, Server, items};
use serde_json::{Value, json};

const WEBHOOK: &str = "/v1/webhooks/alertmanager";

/// Every collected body, by the name of its file.
fn bodies() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../km-intake/tests/payloads");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut bodies: Vec<_> =
        json.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    bodies.sort();
    assert_eq!(bodies.len(), 25);
    bodies
}

fn deliver(server: &Server, body: &[u8]) -> Answer {
    server.call(&Call::post(WEBHOOK, body))
}

/// The one letter of a delivery that was parked.
fn parked(server: &Server, body: &[u8]) -> String {
    let answer = deliver(server, body).expect(202);
    assert_eq!((&answer["alerts"], items(&answer["parked"]).len()), (&0.into(), 1), "{answer}");
    answer["parked"][0].as_str().unwrap().to_owned()
}

/// All that a tenant can see of some incidents, without when km last heard of them.
fn seen(server: &Server, incidents: &[String]) -> String {
    let mut chains: Vec<Value> =
        incidents.iter().map(|incident| server.get(&format!("/v1/incidents/{incident}"))).collect();
    for alert in chains.iter_mut().flat_map(|chain| chain["alerts"].as_array_mut().unwrap()) {
        alert.as_object_mut().unwrap().remove("seen_at");
    }
    let lists = ["/v1/writes?limit=100", "/v1/dead-letters?limit=100"].map(|path| server.get(path));
    json!([chains, lists]).to_string()
}

#[test]
fn every_body_is_taken_and_its_alerts_are_shown() {
    let place = Place::new();
    let server = place.serve(&[]);
    for (name, body) in bodies() {
        let answer = deliver(&server, &body);
        assert!(matches!(answer.status, 200 | 202), "{name}: {answer:?}");
        let sent = serde_json::from_slice::<Value>(&body).unwrap();
        let sent = sent["alerts"].as_array().map_or(0, Vec::len);
        assert_eq!(answer.json()["alerts"], sent, "{name}: {answer:?}");
    }
}

#[test]
fn every_body_delivered_twice_changes_nothing() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut incidents = Vec::new();
    for (_, body) in bodies() {
        let answer = deliver(&server, &body).json();
        incidents.extend(items(&answer["incidents"]).iter().map(|id| id.as_str().unwrap().to_owned()));
    }
    assert!(incidents.len() > 20, "{incidents:?}");
    let once = seen(&server, &incidents);
    bodies().iter().for_each(|(_, body)| assert!(deliver(&server, body).status < 300));
    assert_eq!(seen(&server, &incidents), once);
}

#[test]
fn a_body_that_cannot_be_read_is_parked_whole() {
    let place = Place::new();
    let server = place.serve(&[]);
    for body in ["{\"alerts\": [", "", "null", "[]", "{}", "\u{feff}", "{\"alerts\": []}", "磁盘已满"] {
        let letter = server.get(&format!("/v1/dead-letters/{}", parked(&server, body.as_bytes())));
        assert_eq!((&letter["payload"], &letter["state"]), (&body.into(), &"parked".into()), "{body}");
        assert_eq!((&letter["format"], &letter["original"]), (&"alertmanager".into(), &Value::Null));
    }
    assert_eq!(items(&server.get("/v1/dead-letters?state=parked")["dead_letters"]).len(), 8);
}

#[test]
fn a_body_parked_twice_is_one_letter() {
    let place = Place::new();
    let server = place.serve(&[]);
    assert_eq!(parked(&server, b"half a bo"), parked(&server, b"half a bo"));
    assert_eq!(items(&server.get("/v1/dead-letters")["dead_letters"]).len(), 1);
}

#[test]
fn a_parked_body_is_listed_by_the_command_line_and_outlives_a_kill() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = parked(&server, b"half a bo");
    server.end(rustix::process::Signal::KILL);
    let listed = place.json(&["dead-letters", "list"]);
    assert_eq!(listed["dead_letters"][0]["id"], id.as_str());
    assert!(place.done(&["dead-letters", "show", &id]).contains("half a bo"));
}

#[test]
fn a_parked_body_is_edited_and_redriven() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = parked(&server, b"{\"alerts\": [");
    let mended = json!({"alerts": [{
        "status": "resolved", "labels": {"alertname": "Mended"}, "fingerprint": "f1",
        "startsAt": "2026-11-20T10:00:00Z", "endsAt": "2026-11-20T10:05:00Z"
    }]});
    let letter = format!("/v1/dead-letters/{id}");
    let edit = json!({"payload": mended.to_string(), "format": "alertmanager"});
    assert_eq!(server.post(&format!("{letter}:edit"), &edit).expect(200)["state"], "pending");
    assert_eq!(server.post(&format!("{letter}:redrive"), &json!({})).expect(200)["state"], "settled");
    let entries = server.get("/v1/entries?label.alertname=Mended");
    assert_eq!(items(&entries["entries"]).len(), 1);
    let kept = server.get(&letter);
    assert_eq!((&kept["state"], &kept["original"]), (&"settled".into(), &"{\"alerts\": [".into()));
    let what = |at: usize| kept["events"][at]["what"].as_str().unwrap_or_default();
    assert!((0..4).any(|at| what(at).starts_with("edit")), "{kept:#}");
}

#[test]
fn a_redrive_of_all_parked_bodies_says_what_failed() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = parked(&server, b"still unreadable");
    let dry = server.post("/v1/redrives", &json!({"dry_run": true})).expect(200);
    assert_eq!((&dry["dry_run"], &dry["matching"]), (&true.into(), &1.into()));
    let begun = server.post("/v1/redrives", &json!({"rate_per_second": 1000})).expect(202);
    let path = format!("/v1/redrives/{}", begun["id"].as_str().unwrap());
    let done = harness::until("the redrive is done", || {
        let redrive = server.get(&path);
        (redrive["state"] == "done").then_some(redrive)
    });
    assert_eq!((&done["tried"], &done["failed"], &done["settled"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!(server.get(&format!("/v1/dead-letters/{id}"))["state"], "parked");
}
