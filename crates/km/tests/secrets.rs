//! Secrets are taken out before anything is kept or logged: wherever one is planted, no file of the data
//! directory and no line of the log holds it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};

use harness::http::{Call, encoded};
use harness::zoo::{Secret, zoo};
use harness::{Place, Server};
use serde_json::{Value, json};

/// A server that logs all that it ever logs.
fn talkative(place: &Place) -> Server {
    place.serve_with(0, &[("KM__LOG__LEVEL", "trace")])
}

/// Ends the server and looks through every file that it leaves.
fn assert_nothing_leaks(place: &Place, server: Server) {
    assert!(server.stop().success());
    place.done(&["reconcile"]);
    place.done(&["backup", "copy.db"]);
    let files = files_below(place.directory.path());
    assert!(files.iter().any(|file| file.ends_with("km.db")), "{files:?}");
    for file in files {
        let text = text_of(&file).to_ascii_lowercase();
        for secret in zoo() {
            let leaked = secret.traces().iter().any(|trace| text.contains(trace));
            assert!(!leaked, "{} holds the {} of `{}`", file.display(), secret.kind, secret.sentence);
        }
    }
}

/// Whatever of a file is text.
fn text_of(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Plants every secret by `plant`, ends the server and looks for them.
fn assert_taken_out(plant: impl Fn(&Server, &str, &Secret)) {
    let place = Place::new();
    let server = talkative(&place);
    zoo().iter().zip(0..).for_each(|(secret, nth)| plant(&server, &format!("INC-{nth}"), secret));
    assert_nothing_leaks(&place, server);
}

/// Writes with one more field, and returns the text of what was kept.
fn kept(server: &Server, incident: &str, field: &str, value: Value) -> String {
    let mut write = json!({"path": "incident_resolve", "incident_id": incident, "title": "of a test"});
    write[field] = value;
    let written = server.write(&write);
    let entry = server.get(&format!("/v1/entries/{}", written["receipt"]["entry_id"].as_str().unwrap()));
    entry[field].as_str().map_or_else(|| entry[field].to_string(), str::to_owned)
}

fn unreadable(server: &Server, body: &str) -> String {
    let answer = server.call(&Call::post("/v1/webhooks/alertmanager", body)).expect(202);
    format!("/v1/dead-letters/{}", answer["parked"][0].as_str().unwrap())
}

#[test]
fn the_search_for_leaks_finds_what_is_there() {
    for secret in zoo() {
        let sentence = secret.sentence.to_ascii_lowercase();
        assert!(secret.traces().iter().all(|trace| sentence.contains(trace)), "{sentence}");
    }
}

#[test]
fn a_title_and_a_content_lose_their_secrets() {
    for field in ["title", "content"] {
        assert_taken_out(|server, incident, secret| {
            secret.placeholder_in(&kept(server, incident, field, secret.sentence.as_str().into()));
        });
    }
}

#[test]
fn tags_and_label_values_lose_their_secrets() {
    assert_taken_out(|server, incident, secret| {
        secret.placeholder_in(&kept(server, incident, "tags", json!([secret.sentence])));
        secret.placeholder_in(&kept(server, incident, "labels", json!({"x": secret.sentence})));
    });
}

#[test]
fn metadata_loses_its_secrets_at_every_depth() {
    assert_taken_out(|server, incident, secret| {
        let deep = json!({"flat": secret.sentence, "deep": [{"er": [secret.sentence]}]});
        secret.placeholder_in(&kept(server, incident, "metadata", deep));
    });
}

#[test]
fn what_a_secret_name_holds_in_metadata_is_taken_out_whatever_it_is() {
    assert_taken_out(|server, incident, secret| {
        let named = json!({"db_password": secret.text, "deep": {"api_key": secret.text}});
        assert!(kept(server, incident, "metadata", named).contains("[redacted:credential:"));
    });
}

#[test]
fn a_kubeconfig_loses_its_secrets_in_every_notation() {
    assert_taken_out(|server, incident, secret| {
        let notations = ["token: X", "token: \"X\"", "client-key-data: 'X'", "{\"token\": \"X\"}"];
        for notation in notations.into_iter().filter(|_| secret.kind == "kubeconfig") {
            kept(server, incident, "content", notation.replace('X', &secret.text).into());
        }
    });
}

#[test]
fn names_in_metadata_lose_their_secrets() {
    assert_taken_out(|server, incident, secret| {
        kept(server, incident, "metadata", json!({secret.sentence.as_str(): 1}));
    });
}

#[test]
fn names_of_labels_lose_their_secrets() {
    assert_taken_out(|server, incident, secret| {
        kept(server, incident, "labels", json!({secret.sentence.as_str(): "x"}));
    });
}

#[test]
fn a_source_loses_its_secrets() {
    assert_taken_out(|server, incident, secret| {
        for part in ["actor", "service", "url"] {
            secret.placeholder_in(&kept(server, incident, "source", json!({part: secret.sentence})));
        }
    });
}

#[test]
fn an_alert_loses_its_secrets_firing_and_resolved() {
    assert_taken_out(|server, incident, secret| {
        for status in ["firing", "resolved"] {
            let alert = json!({"status": status, "fingerprint": incident, "startsAt": "2026-11-20T10:00:00Z",
                "endsAt": "2026-11-20T10:05:00Z", "generatorURL": secret.sentence,
                "labels": {"alertname": "Leak", "x": secret.sentence},
                "annotations": {"summary": secret.sentence, "description": secret.sentence}});
            let answer = server.post("/v1/webhooks/alertmanager", &json!({"alerts": [alert]})).expect(200);
            let chain = server.get(&format!("/v1/incidents/{}", answer["incidents"][0].as_str().unwrap()));
            secret.placeholder_in(chain["alerts"][0]["annotations"]["summary"].as_str().unwrap());
        }
    });
}

#[test]
fn a_delivery_of_any_form_loses_its_secrets() {
    assert_taken_out(|server, incident, secret| {
        let body = json!({"id": incident, "title": secret.sentence, "more": {"deep": [secret.sentence]}});
        server.post("/v1/webhooks/generic", &body).expect(200);
    });
}

#[test]
fn a_body_that_cannot_be_read_is_parked_without_its_secrets() {
    assert_taken_out(|server, _, secret| {
        let letter = unreadable(server, &secret.sentence);
        secret.placeholder_in(server.get(&letter)["payload"].as_str().unwrap());
    });
}

#[test]
fn a_broken_body_of_json_is_parked_without_its_secrets() {
    assert_taken_out(|server, _, secret| {
        let whole = json!({"alerts": [{"annotations": {"summary": secret.sentence}}]}).to_string();
        let letter = unreadable(server, &whole[..whole.len() - 2]);
        secret.placeholder_in(server.get(&letter)["payload"].as_str().unwrap());
    });
}

#[test]
fn json_within_a_broken_body_of_json_is_parked_without_its_secrets() {
    let place = Place::new();
    let server = talkative(&place);
    for secret in zoo().iter().filter(|secret| secret.kind == "credential") {
        let inner = json!({"password": secret.text, "api_key": secret.text}).to_string();
        let whole = json!({"alerts": [{"annotations": {"summary": inner}}]}).to_string();
        unreadable(&server, &whole[..whole.len() - 2]);
    }
    assert_nothing_leaks(&place, server);
}

#[test]
fn a_conflicting_write_leaves_no_secrets() {
    assert_taken_out(|server, incident, secret| {
        kept(server, incident, "write_id", incident.into());
        let other = json!({"write_id": incident, "path": "incident_resolve", "incident_id": incident,
            "title": secret.sentence, "content": secret.sentence});
        assert_eq!(server.post("/v1/writes", &other).expect(422)["code"], "KM0014");
    });
}

#[test]
fn a_refused_write_and_a_search_leave_no_secrets() {
    assert_taken_out(|server, _, secret| {
        let nobodys = json!({"path": "incident_resolve", "title": secret.sentence});
        server.post("/v1/writes", &nobodys).expect(422);
        server.post("/v1/writes", &json!({"path": secret.sentence, "title": "x"})).expect(422);
        server.get(&format!("/v1/search?q={}", encoded(&secret.sentence)));
        server.get(&format!("/v1/entries?label.x={}", encoded(&secret.sentence)));
    });
}

#[test]
fn an_edit_of_a_letter_loses_its_secrets() {
    assert_taken_out(|server, incident, secret| {
        let letter = unreadable(server, &format!("unreadable {incident}"));
        let payload = json!({"path": "incident_resolve", "incident_id": incident, "title": secret.sentence});
        let edit = json!({"payload": payload.to_string(), "format": "write"});
        server.post(&format!("{letter}:edit"), &edit).expect(200);
        server.post(&format!("{letter}:redrive"), &json!({})).expect(200);
        secret.placeholder_in(server.get(&letter)["payload"].as_str().unwrap());
    });
}

#[test]
fn the_reason_of_a_discard_loses_its_secrets() {
    assert_taken_out(|server, incident, secret| {
        let letter = unreadable(server, &format!("unreadable {incident}"));
        server.post(&format!("{letter}:discard"), &json!({"reason": secret.sentence})).expect(200);
        let events = server.get(&letter)["events"].to_string();
        secret.placeholder_in(&events);
    });
}

#[test]
fn a_key_of_km_is_kept_nowhere() {
    let place = Place::new();
    let key = place.key(&["admin"]);
    let server = talkative(&place).with_key(&key);
    let made = server.post("/v1/keys", &json!({"name": "second", "scopes": ["read"]})).expect(201);
    kept(&server, "INC-1", "content", json!(format!("the keys are {key} and {}", made["key"])));
    assert!(server.stop().success());
    for file in files_below(place.directory.path()) {
        let text = text_of(&file);
        let leaked = [key.as_str(), made["key"].as_str().unwrap()].map(|key| text.contains(key));
        assert_eq!(leaked, [false, false], "{}", file.display());
    }
}

#[test]
fn equal_secrets_are_shown_alike_wherever_they_stood_and_others_are_not() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut placeholders = Vec::new();
    for (secret, nth) in zoo().iter().zip(0..) {
        let title = kept(&server, &format!("T-{nth}"), "title", secret.sentence.as_str().into());
        let content = kept(&server, &format!("C-{nth}"), "content", secret.sentence.as_str().into());
        let letter = server.get(&unreadable(&server, &secret.sentence));
        let shown = [title.as_str(), content.as_str(), letter["payload"].as_str().unwrap()];
        let shown = shown.map(|text| secret.placeholder_in(text));
        assert!(shown.iter().all(|placeholder| *placeholder == shown[0]), "{shown:?}");
        placeholders.extend(shown);
    }
    placeholders.sort();
    placeholders.dedup();
    assert_eq!(placeholders.len(), zoo().len());
}
