//! What `km` does on a data directory by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use harness::{Place, tampered};

/// Two Markdown files, in the way people keep them, and three writes.
fn sources(place: &Place) -> String {
    place.file(
        "sources/pool.md",
        "# Connection pool exhausted\n\nRaise `max_connections`, restart the pooler.\n",
    );
    place.file("sources/deep/cert.md", "# Certificate expired\n\nRenew it with the operator.\n");
    place.file(
        "sources/writes.jsonl",
        concat!(
            r#"{"path":"incident_resolve","incident_id":"INC-1","title":"数据库连接池耗尽","content":"扩大连接池"}"#,
            "\n\n",
            r#"{"path":"approval_manual","approval_id":"AP-1","incident_id":"INC-1","title":"Restart approved"}"#,
            "\n",
            r#"{"path":"playbook_extract","playbook":"drain-node","title":"Drain a node","content":"kubectl drain"}"#,
            "\n",
        ),
    );
    place.path("sources").to_str().unwrap().to_owned()
}

#[test]
fn what_is_written_is_found_and_shown() {
    let place = Place::new();
    place.write(&[], "INC-7", "Checkout latency after deploy");
    let found = place.json(&["search", "checkout", "latency"]);
    let entry = &found["hits"][0]["entry"];
    assert_eq!(entry["incident_id"], "INC-7");
    let shown = place.done(&["show", entry["entry_id"].as_str().unwrap()]);
    assert!(shown.contains("Checkout latency after deploy") && shown.contains("INC-7"), "{shown}");
    let chain = place.json(&["show", "incident", "INC-7"]);
    assert_eq!(chain["entries"][0]["title"], "Checkout latency after deploy");
}

#[test]
fn the_same_write_again_is_replayed_with_the_same_receipt() {
    let place = Place::new();
    let write = ["--json", "write", "--path", "incident_resolve", "--incident", "INC-1", "--title", "a"];
    let first = place.json(&write[1..]);
    let again = place.json(&write[1..]);
    assert_eq!((&first["outcome"], &again["outcome"]), (&"created".into(), &"replayed".into()));
    assert_eq!(first["receipt"]["write_id"], again["receipt"]["write_id"]);
    let became = place.json(&["show", "write", first["receipt"]["write_id"].as_str().unwrap()]);
    assert_eq!(became["state"], "applied");
}

#[test]
fn a_second_import_replays_everything() {
    let place = Place::new();
    let sources = sources(&place);
    let first = place.json(&["import", &sources]);
    assert_eq!((&first["files"], &first["created"], &first["refused"]), (&3.into(), &5.into(), &0.into()));
    let again = place.json(&["import", &sources]);
    assert_eq!((&again["created"], &again["replayed"]), (&0.into(), &5.into()));
    let found = place.json(&["search", "连接池"]);
    assert_eq!(found["hits"][0]["entry"]["incident_id"], "INC-1");
}

#[test]
fn a_broken_line_is_named_and_the_others_go_in() {
    let place = Place::new();
    let sources = sources(&place);
    place.file(
        "sources/broken.jsonl",
        "{\"path\":\"incident_resolve\",\"incident_id\":\"INC-2\",\"title\":\"good\"}\nthis is no write\n",
    );
    let ended = place.km(&["import", &sources]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("broken.jsonl, line 2: "), "{}", ended.err);
    assert!(ended.out.contains("6 created") && ended.out.contains("1 refused"), "{}", ended.out);
}

#[test]
fn a_write_that_breaks_a_rule_is_refused_with_its_code() {
    let place = Place::new();
    let ended = place.km(&["write", "--path", "incident_resolve", "--title", "whose?"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("incident_id") && ended.err.contains("km explain KM"), "{}", ended.err);
}

#[test]
fn what_cannot_be_meant_ends_with_2() {
    let place = Place::new();
    for arguments in [
        vec!["no-such-verb"],
        vec!["write"],
        vec!["search"],
        vec!["--url", "somewhere", "status"],
        vec!["--url", "http://127.0.0.1:9", "--data", "x", "status"],
        vec!["explain", "KM9999"],
    ] {
        assert_eq!(place.km(&arguments).code, 2, "{arguments:?}");
    }
    assert!(!place.path("km-data").exists(), "nothing was made");
}

#[test]
fn reading_makes_no_store() {
    let place = Place::new();
    let ended = place.km(&["search", "anything"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("no store in km-data") && ended.err.contains("--data"), "{}", ended.err);
    assert!(!place.path("km-data").exists());
}

#[test]
fn a_sound_store_verifies_and_its_receipts_hold() {
    let place = Place::new();
    place.done(&["import", &sources(&place)]);
    let receipts: String = ["INC-8", "INC-9"].map(|incident| place.write(&[], incident, "kept")).concat();
    let receipts = place.file("receipts.ndjson", &receipts);
    place.done(&["reconcile", "sealer"]);
    let verdict = place.json(&["verify", "--receipts", &receipts]);
    assert_eq!((&verdict["broken"], &verdict["lost"]), (&0.into(), &0.into()));
    assert_eq!((&verdict["receipts"], &verdict["seals"]), (&2.into(), &1.into()));
}

#[test]
fn verify_finds_a_changed_byte() {
    let place = Place::new();
    let receipt = place.write(&[], "INC-1", "unmistakable-marker");
    let receipts = place.file("receipts.ndjson", &receipt);
    place.done(&["backup", "copy.db"]);
    let changed = tampered(&place.path("copy.db"), "unmistakable-marker");
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::write(place.path("other/km.db"), changed).unwrap();
    let ended = place.km(&["verify", "--data", "other", "--receipts", &receipts]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("does not match its hash"), "{}", ended.out);
    assert!(ended.out.contains("1 lost"), "{}", ended.out);
}

#[test]
fn verify_holds_the_store_to_a_seal_that_was_kept_elsewhere() {
    let place = Place::new();
    place.write(&[], "INC-1", "in the backup");
    place.done(&["reconcile", "sealer"]);
    place.done(&["backup", "copy.db"]);
    place.write(&[], "INC-2", "after the backup");
    place.done(&["reconcile", "sealer"]);
    let seal = place.json(&["status"])["seal"].clone();
    let hash = seal["hash"].as_str().unwrap();
    assert_eq!(place.json(&["verify", "--expect-seal", hash])["newest_seal"], seal);
    assert!(place.done(&["verify"]).contains(hash), "people see it too");
    place.done(&["restore", "copy.db", "--data", "older"]);
    assert_eq!(place.km(&["verify", "--data", "older"]).code, 0);
    let ended = place.km(&["verify", "--data", "older", "--expect-seal", hash]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("is not in the chain"), "{}", ended.out);
    assert_eq!(place.km(&["verify", "--expect-seal", "abc"]).code, 2);
}

#[test]
fn a_lost_write_is_found_by_its_receipt() {
    let place = Place::new();
    let receipt = place.write(&["--data", "one"], "INC-1", "only in one");
    let receipts = place.file("receipts.ndjson", &receipt);
    place.write(&["--data", "two"], "INC-2", "only in two");
    assert_eq!(place.km(&["verify", "--data", "one", "--receipts", &receipts]).code, 0);
    let ended = place.km(&["verify", "--data", "two", "--receipts", &receipts]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("1 lost"), "{}", ended.out);
}

#[test]
fn a_restored_backup_holds_every_receipt() {
    let place = Place::new();
    place.done(&["import", &sources(&place)]);
    let receipts = place.file("receipts.ndjson", &place.write(&[], "INC-3", "kept"));
    place.done(&["backup", "copy.db"]);
    place.done(&["restore", "copy.db", "--data", "restored"]);
    let verdict = place.json(&["verify", "--data", "restored", "--receipts", &receipts]);
    assert_eq!((&verdict["writes"], &verdict["lost"]), (&6.into(), &0.into()));
    let again = place.km(&["restore", "copy.db", "--data", "restored"]);
    assert_eq!(again.code, 1, "an existing store is never overwritten");
}

#[test]
fn an_export_changes_nothing_in_the_store_it_came_from_and_its_receipts_hold_elsewhere() {
    let place = Place::new();
    let receipts = place.file("receipts.ndjson", &place.write(&[], "INC-1", "without a time"));
    place.done(&["export", "--output", "all.ndjson"]);
    assert_eq!(place.json(&["import", "all.ndjson"])["replayed"], 1);
    place.done(&["import", "all.ndjson", "--data", "new"]);
    assert_eq!(place.json(&["verify", "--data", "new", "--receipts", &receipts])["lost"], 0);
}

#[test]
fn an_export_goes_into_a_new_store_with_its_ids_and_times() {
    let place = Place::new();
    place.done(&["import", &sources(&place)]);
    place.done(&["export", "--output", "all.ndjson"]);
    let first = place.json(&["import", "all.ndjson", "--data", "new"]);
    assert_eq!((&first["created"], &first["refused"]), (&5.into(), &0.into()));
    place.done(&["--data", "new", "export", "--output", "again.ndjson"]);
    let texts = ["all.ndjson", "again.ndjson"].map(|name| std::fs::read_to_string(place.path(name)).unwrap());
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn a_rebuilt_index_finds_the_same() {
    let place = Place::new();
    place.done(&["import", &sources(&place)]);
    let before = place.json(&["search", "certificate"]);
    place.done(&["reindex"]);
    let after = place.json(&["search", "certificate"]);
    assert_eq!(before["hits"][0]["entry"]["entry_id"], after["hits"][0]["entry"]["entry_id"]);
    assert!(after["hits"][0]["entry"]["entry_id"].is_string());
}

#[test]
fn every_reconciler_runs_when_asked() {
    let place = Place::new();
    place.write(&[], "INC-1", "something to seal");
    let out = place.done(&["reconcile"]);
    for name in ["links", "sealer", "receipts", "canary", "dead-letters"] {
        assert!(out.lines().any(|line| line.starts_with(name) && line.contains("ok")), "{name}: {out}");
    }
}
