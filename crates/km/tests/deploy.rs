//! What km ships for Alertmanager and Prometheus: their own tools take it, its rules fire as they should, and a real
//! Alertmanager mutes with it what follows from something else, and nothing more.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use harness::alerting::{Alertmanager, tool};
use harness::http::Call;
use harness::{Place, until};
use serde_json::{Value, json};

/// Where the shipped configuration expects the key of km.
const KEY_FILE: &str = "/etc/alertmanager/secrets/km-key";

/// Counters that are exported from their first count on.
const ONLY_WHEN_IT_HAPPENS: [&str; 2] = ["km_redriven_total", "km_retries_total"];

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(shipped(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_tools_of_prometheus_take_what_is_shipped() {
    let (taken, said) =
        tool("amtool", &["check-config".as_ref(), shipped("alertmanager/alertmanager.yml").as_os_str()]);
    assert!(taken && said.contains("8 inhibit rules") && said.contains("2 receivers"), "{said}");
    let (taken, said) = tool(
        "promtool",
        &["check".as_ref(), "config".as_ref(), shipped("prometheus/prometheus.yml").as_os_str()],
    );
    assert!(taken, "{said}");
    for rules in files("prometheus/rules") {
        let (taken, said) = tool("promtool", &["check".as_ref(), "rules".as_ref(), rules.as_os_str()]);
        assert!(taken, "{said}");
    }
}

#[test]
fn the_shipped_rules_fire_as_their_tests_say() {
    for tests in files("prometheus/tests") {
        let (passed, said) = tool("promtool", &["test".as_ref(), "rules".as_ref(), tests.as_os_str()]);
        assert!(passed, "{said}");
    }
}

#[test]
fn the_linter_has_nothing_to_say_of_what_is_shipped() {
    let place = Place::new();
    // km tells Alertmanager by itself of what it could not evaluate.
    let posted = place.file(
        "posted.yml",
        "- {alertname: governance_self_failure, cluster: prod, layer: governance, severity: critical, protected: 'true'}\n\
         - {alertname: governance_slo_data_gap, cluster: prod, layer: governance, severity: warning}\n",
    );
    let configuration = shipped("alertmanager/alertmanager.yml");
    let (configuration, rules) = (configuration.to_str().unwrap(), shipped("prometheus"));
    let alone = place.done(&["alertmanager", "lint", configuration, "--target-version", "0.25"]);
    assert!(alone.contains("errors 0, warnings 0, notes 0"), "{alone}");
    let with_rules = place.done(&[
        "alertmanager",
        "lint",
        configuration,
        "--rules",
        rules.to_str().unwrap(),
        "--alerts",
        &posted,
    ]);
    assert!(with_rules.contains("errors 0, warnings 0, notes 0"), "{with_rules}");
}

#[test]
fn the_rules_speak_of_metrics_that_km_has() {
    let place = Place::new();
    let server = place.serve(&[]);
    let rules = fs::read_to_string(shipped("prometheus/rules/km.yml")).unwrap();
    let words =
        rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("km_"));
    let names: BTreeSet<&str> = words.collect();
    assert!(names.len() > 15, "{names:?}");
    // Some families appear with the first thing that they count.
    server.write(&json!({ "path": "incident_resolve", "incident_id": "INC-1", "title": "Disk full" }));
    server.get("/v1/search?q=disk");
    for name in names.into_iter().filter(|name| !ONLY_WHEN_IT_HAPPENS.contains(name)) {
        let family = format!("# TYPE {}", name.trim_end_matches("_total").trim_end_matches("_bucket"));
        until(&format!("km exports {name}"), || {
            server.call(&Call::get("/metrics")).body.contains(&family).then_some(())
        });
    }
}

/// An alert by its name and where it is from, with more labels.
fn alert(name: &str, place: &[(&str, &str)], more: &[&str]) -> Value {
    let mut labels = json!({ "alertname": name, "severity": "warning" });
    for (label, value) in place {
        labels[label] = json!(value);
    }
    for label in more {
        labels[label] = json!("true");
    }
    json!({ "labels": labels })
}

/// How the tests call an alert.
fn called(labels: &Value) -> String {
    let parts =
        ["alertname", "cluster", "node", "instance"].iter().filter_map(|label| labels[label].as_str());
    parts.collect::<Vec<_>>().join(" ")
}

/// Every alert, and those that inhibit it.
fn inhibited(alertmanager: &Alertmanager) -> BTreeMap<String, BTreeSet<String>> {
    let alerts = alertmanager.alerts();
    let names: BTreeMap<&str, String> = alerts
        .iter()
        .map(|alert| (alert["fingerprint"].as_str().unwrap(), called(&alert["labels"])))
        .collect();
    let by = |alert: &Value| {
        let fingerprints = alert["status"]["inhibitedBy"].as_array().unwrap().iter();
        fingerprints.map(|fingerprint| names[fingerprint.as_str().unwrap()].clone()).collect()
    };
    alerts.iter().map(|alert| (called(&alert["labels"]), by(alert))).collect()
}

fn with_shipped_configuration(place: &Place) -> Alertmanager {
    let key = place.file("km-key", "not-a-key");
    let configuration = fs::read_to_string(shipped("alertmanager/alertmanager.yml")).unwrap();
    assert!(configuration.contains(KEY_FILE));
    Alertmanager::configured(place, "shipped", &configuration.replace(KEY_FILE, &key), None)
}

#[test]
fn what_follows_is_muted_in_its_own_cluster_and_nothing_else() {
    let place = Place::new();
    let alertmanager = with_shipped_configuration(&place);
    let (a, b, c) = ([("cluster", "a")], [("cluster", "b")], [("cluster", "c")]);
    let on = |cluster: &'static str, name: &'static str| [("cluster", cluster), ("node", name)];
    let of = |cluster: &'static str, name: &'static str| [("cluster", cluster), ("instance", name)];
    alertmanager.tell(&json!([
        // The whole pool of cluster a is down, and one instance of two in cluster b.
        alert("OllamaPoolDown", &a, &["needs_cluster"]),
        alert("OllamaInstanceDown", &of("a", "0"), &["needs_ollama", "needs_cluster", "needs_node"]),
        alert("AiRequestsFailing", &a, &["needs_ollama"]),
        alert("ModelsLost", &a, &["needs_ollama", "protected"]),
        alert("OllamaInstanceDown", &of("b", "0"), &["needs_ollama", "needs_cluster", "needs_node"]),
        alert("AiRequestsFailing", &b, &["needs_ollama"]),
        // The same without a cluster: somebody forgot the label.
        alert("OllamaPoolDown", &[], &["needs_cluster"]),
        alert("AiRequestsFailing", &[], &["needs_ollama"]),
        // A node, and what runs on it, on another one, and nobody knows where.
        alert("NodeDown", &on("a", "n1"), &["needs_cluster"]),
        alert("NodeMemoryShort", &on("a", "n1"), &["needs_node"]),
        alert("NodeMemoryShort", &on("a", "n2"), &["needs_node"]),
        alert("NodeMemoryShort", &on("b", "n1"), &["needs_node"]),
        alert("NodeMemoryShort", &a, &["needs_node"]),
        alert("NodeDiskAlmostFull", &on("a", "n1"), &["needs_node", "protected"]),
        // The other causes, each with what follows from it here and elsewhere.
        alert("RedisDown", &a, &["needs_cluster"]),
        alert("RedisInstanceDown", &of("a", "r"), &["needs_redis"]),
        alert("RedisInstanceDown", &of("b", "r"), &["needs_redis"]),
        alert("KmConverterDown", &a, &["needs_cluster"]),
        alert("KmConverterInstanceDown", &of("a", "k"), &["needs_converter"]),
        alert("KmDeadLettersNearLimit", &a, &["protected"]),
        alert("KmDeadLettersGrowing", &a, &[]),
        alert("KmDeadLettersGrowing", &b, &[]),
        alert("governance_self_failure", &a, &["protected"]),
        alert("governance_slo_data_gap", &a, &[]),
        alert("governance_slo_data_gap", &b, &[]),
        // A cluster that does not answer: what it carries is muted, and goes on muting what that carries.
        alert("ClusterApiDown", &c, &[]),
        alert("PostgresDown", &c, &["needs_cluster"]),
        alert("PostgresInstanceDown", &of("c", "p"), &["needs_postgres"]),
        alert("Watchdog", &c, &["protected"]),
    ]));
    let expected = BTreeMap::from([
        ("OllamaInstanceDown a 0", "OllamaPoolDown a"),
        ("AiRequestsFailing a", "OllamaPoolDown a"),
        ("NodeMemoryShort a n1", "NodeDown a n1"),
        ("RedisInstanceDown a r", "RedisDown a"),
        ("KmConverterInstanceDown a k", "KmConverterDown a"),
        ("KmDeadLettersGrowing a", "KmDeadLettersNearLimit a"),
        ("governance_slo_data_gap a", "governance_self_failure a"),
        ("PostgresDown c", "ClusterApiDown c"),
        ("PostgresInstanceDown c p", "PostgresDown c"),
    ]);
    let muted = until("all that follows is muted", || {
        let all = inhibited(&alertmanager);
        let muted: BTreeMap<String, BTreeSet<String>> =
            all.into_iter().filter(|(_, by)| !by.is_empty()).collect();
        (muted.len() >= expected.len()).then_some(muted)
    });
    let muted: BTreeMap<&str, String> = muted
        .iter()
        .map(|(name, by)| (name.as_str(), by.iter().cloned().collect::<Vec<_>>().join(", ")))
        .collect();
    let expected: BTreeMap<&str, String> =
        expected.into_iter().map(|(name, by)| (name, by.to_owned())).collect();
    assert_eq!(muted, expected);

    let configuration = shipped("alertmanager/alertmanager.yml");
    let audit = ["alertmanager", "audit", &alertmanager.url(), "--for", configuration.to_str().unwrap()];
    let audited = place.km(&audit);
    assert_eq!(audited.code, 1, "{}{}", audited.out, audited.err);
    let codes: BTreeSet<&str> =
        audited.out.split('[').skip(1).filter_map(|rest| rest.split(']').next()).collect();
    assert_eq!(codes, BTreeSet::from(["AM504"]), "what lacks a cluster is named: {}", audited.out);
}

/// A configuration as one finds them: no guard, no scope, and two rules in a circle.
const CARELESS: &str = "
route: {receiver: nobody}
receivers: [{name: nobody}]
inhibit_rules:
- {source_matchers: [alertname=PoolDown], target_matchers: [needs_pool=\"true\"]}
- {source_matchers: [alertname=Api], target_matchers: [alertname=Database], equal: [cluster]}
- {source_matchers: [alertname=Database], target_matchers: [alertname=Api], equal: [cluster]}
";

#[test]
fn an_audit_finds_what_a_careless_configuration_does() {
    let place = Place::new();
    let alertmanager = Alertmanager::configured(&place, "careless", CARELESS, None);
    let (a, b) = ([("cluster", "a")], [("cluster", "b")]);
    alertmanager.tell(&json!([
        alert("PoolDown", &a, &[]),
        alert("Requests", &b, &["needs_pool"]),
        alert("Api", &a, &[]),
        alert("Database", &a, &[]),
    ]));
    until("three are muted", || {
        (inhibited(&alertmanager).values().filter(|by| !by.is_empty()).count() == 3).then_some(())
    });
    let audited = place.km(&["--json", "alertmanager", "audit", &alertmanager.url()]);
    assert_eq!(audited.code, 1, "{}", audited.err);
    let document: Value = serde_json::from_str(&audited.out).unwrap();
    let mut codes: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, ["AM501", "AM502", "AM502"], "{document:#}");
    assert_eq!(document["summary"]["inhibited"], 3);
    // The linter says the same without anybody having been muted.
    let linted = place.km(&["alertmanager", "lint", &place.file("careless.yml", CARELESS)]);
    for code in ["AM101", "AM106"] {
        assert!(linted.out.contains(&format!("error[{code}]")), "{code}: {}", linted.out);
    }
}

#[test]
fn an_audit_of_nobody_says_so() {
    let place = Place::new();
    let audited = place.km(&["alertmanager", "audit", "http://user:hunter2@127.0.0.1:9"]);
    assert_eq!(audited.code, 2);
    assert!(audited.out.contains("AM001") && !audited.out.contains("hunter2"), "{}", audited.out);
    assert_eq!(place.km(&["alertmanager", "audit", "alertmanager"]).code, 2);
}
