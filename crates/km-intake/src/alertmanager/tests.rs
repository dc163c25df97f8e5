//! Real notifications, and what is made of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn one(alert: Value) -> AlertNotice {
    let body = json!({ "alerts": [alert] }).to_string();
    read(body.as_bytes()).unwrap_or_else(|unreadable| panic!("{unreadable}")).alerts.remove(0)
}

#[test]
fn every_alert_has_its_own_status_and_firing_ones_have_no_end() {
    let body = json!({ "status": "firing", "version": "4", "truncatedAlerts": 2, "unknown": {}, "alerts": [
        { "status": "resolved", "labels": {"alertname": "A"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z" },
        { "status": "firing", "labels": {"alertname": "B"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z" },
        { "labels": {"alertname": "C"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z" },
    ] });
    let read = read(body.to_string().as_bytes()).unwrap_or_else(|unreadable| panic!("{unreadable}"));
    let statuses: Vec<_> = read.alerts.iter().map(|alert| (alert.status, alert.ends_at.is_some())).collect();
    assert_eq!(
        statuses,
        [(AlertStatus::Resolved, true), (AlertStatus::Firing, false), (AlertStatus::Firing, false)]
    );
    assert_eq!(read.truncated_alerts, 2);
}

#[test]
fn a_missing_fingerprint_is_computed_as_alertmanager_does() {
    // The fingerprint is what Alertmanager 0.25 answered for these labels.
    let labels = json!({ "alertname": "DiskFull", "severity": "critical", "instance": "db-1" });
    let notice = one(json!({ "status": "firing", "labels": labels }));
    assert_eq!(notice.fingerprint.as_str(), "9556f853bb27ef8b");
}

#[test]
fn values_that_are_no_text_and_labels_past_the_limit_are_taken() {
    let mut labels: BTreeMap<String, Value> = (0..100).map(|n| (format!("l{n:03}"), json!(n))).collect();
    labels.insert("a".to_owned(), json!("x".repeat(10_000)));
    let notice = one(json!({ "status": "firing", "labels": labels }));
    assert_eq!(notice.labels.len(), 64);
    assert_eq!(notice.labels["l001"], "1");
    assert!(notice.labels["a"].ends_with("…[cut]") && notice.labels["a"].len() <= 4_096);
}

#[test]
fn what_is_no_notification_has_a_code() {
    let code = |body: &str| read(body.as_bytes()).err().map(|unreadable| unreadable.code);
    assert_eq!(code("{"), Some("NOT_JSON"));
    assert_eq!(code("{}"), Some("NO_ALERTS"));
    assert_eq!(code(r#"{"alerts": []}"#), Some("NO_ALERTS"));
    assert_eq!(code(r#"{"alerts": [{"status": "odd", "labels": {}}]}"#), Some("NO_STATUS"));
}

#[test]
fn every_real_notification_is_understood() -> std::io::Result<()> {
    let mut read_files = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/payloads"))? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let read = read(&std::fs::read(&path)?).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!read.alerts.is_empty());
        read_files += 1;
    }
    assert_eq!(read_files, 25);
    Ok(())
}

#[test]
fn an_incident_is_named_by_what_fired_and_since_when() {
    let now = Timestamp::from_micros(2_000_000_000_000_000);
    let name = |starts_at: &str, ends_at: &str| {
        let notice = one(json!({ "status": "resolved", "labels": {"alertname": "A"}, "fingerprint": "f00d",
            "startsAt": starts_at, "endsAt": ends_at }));
        incident_id(&notice, now).to_string()
    };
    const NONE: &str = "0001-01-01T00:00:00Z";
    let second = "2026-01-01T00:00:00Z";
    assert_eq!(name(second, "2026-01-01T00:05:00Z"), "AM-f00d-1767225600");
    assert_eq!(name("2026-01-01T00:00:00.100200300Z", NONE), "AM-f00d-1767225600.100");
    assert_ne!(name("2026-01-01T00:00:00.8Z", NONE), name("2026-01-01T00:00:00.1Z", NONE));
    assert_eq!(name(NONE, second), "AM-f00d-1767225599.999", "no start: the last instant before the end");
    assert_eq!(name(NONE, NONE), "AM-f00d-2000000000", "no time at all: now");
    assert_eq!(name("2999-01-01T00:00:00Z", NONE), "AM-f00d-2000000000", "never later than now");
}

fn occurrence(notice: AlertNotice) -> Alert {
    let starts_at = notice.starts_at.unwrap_or(Timestamp::from_micros(0));
    Alert {
        incident: incident_id(&notice, starts_at),
        fingerprint: notice.fingerprint,
        starts_at,
        ends_at: notice.ends_at,
        ends_by: notice.ends_by,
        provenance: notice.provenance,
        end_provenance: notice.ends_at.map(|_| notice.provenance),
        seen_at: starts_at,
        labels: notice.labels,
        annotations: notice.annotations,
        generator_url: notice.generator_url,
    }
}

#[test]
fn a_resolution_tells_what_happened() {
    let alert = occurrence(one(json!({
        "status": "resolved", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z",
        "labels": {"alertname": "DiskFull", "severity": "critical", "instance": "db-1"},
        "annotations": {"summary": "disk of db-1 is full\nmore", "runbook_url": "https://runbooks/disk"},
    })));
    let write = resolution(&alert);
    assert_eq!(write.title, "DiskFull: disk of db-1 is full");
    assert!(write.content.contains("after 300 s") && write.content.contains("https://runbooks/disk"));
    assert_eq!(write.tags, ["DiskFull", "critical"]);
    assert_eq!(write.occurred_at, None);
    assert_eq!(write.metadata.0["ends_at"], "2026-01-01T00:05:00Z");
}

/// Every order of a few things.
fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let led_by = |first: usize| {
        let mut rest = items.to_vec();
        let first = rest.remove(first);
        permutations(&rest).into_iter().map(move |rest| [vec![first.clone()], rest].concat())
    };
    (0..items.len()).flat_map(led_by).collect()
}

#[test]
fn copies_of_a_resolution_are_one_write_whoever_sends_them_and_in_whatever_order() {
    let annotations =
        [r#""summary": "full""#, r#""runbook_url": "https://runbooks/disk""#, r#""value": "97""#];
    let copy = |annotations: &[&str], replica: usize| {
        let body = format!(
            r#"{{"alerts": [{{"status": "resolved", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z",
                "labels": {{"alertname": "DiskFull"}}, "annotations": {{{}}},
                "generatorURL": "http://prometheus-{replica}:9090/graph?g0.expr=disk"}}]}}"#,
            annotations.join(",")
        );
        let notice = read(body.as_bytes()).unwrap_or_else(|error| panic!("{error}")).alerts.remove(0);
        let heard = Timestamp::from_micros(1_800_000_000_000_000).plus_seconds(60 * replica as i64);
        resolution(&Alert { seen_at: heard, ..occurrence(notice) })
    };
    let first = copy(&annotations, 0);
    for (replica, annotations) in permutations(&annotations).into_iter().enumerate() {
        assert_eq!(copy(&annotations, replica), first);
    }
    assert_ne!(copy(&annotations[..2], 0), first);
}

#[test]
fn two_long_fingerprints_open_two_incidents() {
    let opened = |end: &str| {
        let fingerprint = format!("{}{end}", "f".repeat(240));
        incident_id(&one(json!({ "fingerprint": fingerprint, "labels": {} })), Timestamp::from_micros(0))
    };
    assert_ne!(opened("a"), opened("b"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_resolution_keeps_every_rule(
        labels in prop::collection::btree_map(".{0,300}", ".{0,20}", 0..70),
        long in ".{1000,1500}",
        annotations in prop::collection::btree_map(".{0,20}", ".{0,200}", 0..5),
        fingerprint in ".{0,300}",
    ) {
        let mut labels = labels;
        labels.insert("long".to_owned(), long);
        let alert = json!({ "status": "resolved", "labels": labels, "annotations": annotations,
            "fingerprint": fingerprint, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z" });
        let write = resolution(&occurrence(one(alert)));
        let checked = Write::try_from(km_model::WriteDocument::from(&write));
        prop_assert!(checked.is_ok(), "{:?}", checked.err());
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&body).is_err());
    }
}

#[test]
fn what_the_api_lists_fires_whatever_its_end_and_state() {
    let listed = json!([
        {"labels": {"alertname": "A"}, "annotations": {}, "startsAt": "2026-01-01T00:00:00.000Z",
         "endsAt": "2026-01-01T00:04:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z", "fingerprint": "f00d",
         "receivers": [{"name": "km"}], "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}},
        {"labels": {"alertname": "B"}, "startsAt": "2026-01-01T00:00:00.000Z", "fingerprint": "beef",
         "status": {"state": "suppressed", "silencedBy": ["x"], "inhibitedBy": ["y"]}},
    ]);
    let alerts = read_firing(listed.to_string().as_bytes()).unwrap();
    let shown: Vec<_> =
        alerts.iter().map(|one| (one.fingerprint.as_str(), one.status, one.ends_at)).collect();
    assert_eq!(shown, [("f00d", AlertStatus::Firing, None), ("beef", AlertStatus::Firing, None)]);
    assert_eq!(read_firing(b"[]").unwrap(), []);
}

#[test]
fn what_is_not_a_list_of_alerts_is_no_answer() {
    for body in
        ["{}", "<html>", "null", "[{}]", "[1]", "[{\"labels\":{}}]", "{\"status\":\"success\",\"data\":[]}"]
    {
        assert!(read_firing(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_resolution_says_how_it_is_known_where_nobody_told() {
    let told = occurrence(one(json!({
        "status": "resolved", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:05:00Z",
        "labels": {"alertname": "DiskFull"},
    })));
    let plain = resolution(&told);
    assert!(!plain.content.contains("known by") && !plain.metadata.0.contains_key("provenance"));
    let ends_by = Timestamp::parse("2026-01-01T00:06:00Z").ok();
    let end = |provenance, end| Alert { provenance, end_provenance: Some(end), ends_by, ..told.clone() };
    let lost = resolution(&end(Provenance::Delivered, Provenance::Observed));
    assert!(
        lost.content.contains("ended: between 2026-01-01T00:05:00Z, when it was last seen, and"),
        "{}",
        lost.content
    );
    assert!(lost.content.contains("do not know of it any more (observed)"), "{}", lost.content);
    assert_eq!(
        (lost.metadata.0.get("provenance"), &lost.metadata.0["end_provenance"]),
        (None, &"observed".into())
    );
    assert_eq!(lost.metadata.0["ends_by"], "2026-01-01T00:06:00Z");
    let asked = resolution(&end(Provenance::Reconciled, Provenance::Reconciled));
    assert_eq!(asked.metadata.0["provenance"], "reconciled");
    assert!(
        asked.content.contains("it was not delivered; km asked for it (reconciled)"),
        "{}",
        asked.content
    );
}
