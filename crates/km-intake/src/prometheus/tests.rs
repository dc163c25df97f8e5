//! Answers of Prometheus, as it gives them and as others do.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::alertmanager;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn matrix(metric: &Value, values: &Value) -> Vec<u8> {
    json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}})
        .to_string()
        .into_bytes()
}

fn configuration(yaml: &str) -> Vec<u8> {
    json!({"status": "success", "data": {"yaml": yaml}}).to_string().into_bytes()
}

#[test]
fn a_series_has_the_fingerprint_that_alertmanager_gives_the_alert() {
    let sent =
        SentLabels { added: labels(&[("cluster", "prod"), ("severity", "page")]), ..SentLabels::default() };
    let metric = json!({"__name__": "ALERTS", "alertstate": "firing", "alertname": "DiskFull", "severity": "critical"});
    let body =
        matrix(&metric, &json!([[1_700_000_015, "1700000000.123"], [1_700_000_030.5, "1700000030.5"]]));
    let found = series(&body, &sent).unwrap().remove(0);
    assert_eq!(
        found.labels,
        labels(&[("alertname", "DiskFull"), ("cluster", "prod"), ("severity", "critical")])
    );
    let notification = json!({"alerts": [{"status": "firing", "labels": found.labels}]}).to_string();
    let told = alertmanager::read(notification.as_bytes()).unwrap();
    assert_eq!(found.fingerprint, told.alerts[0].fingerprint);
    let micros: Vec<_> =
        found.looks.iter().map(|(at, sampled)| (at.as_micros(), sampled.as_micros())).collect();
    let expected =
        [(1_700_000_015_000_000, 1_700_000_000_123_000), (1_700_000_030_500_000, 1_700_000_030_500_000)];
    assert_eq!(micros, expected);
}

#[test]
fn labels_that_are_dropped_or_empty_are_no_part_of_an_alert() {
    let sent = SentLabels {
        added: labels(&[("replica", "a"), ("none", "")]),
        dropped: ["replica".to_owned(), "prometheus".to_owned()].into(),
    };
    let body = matrix(&json!({"alertname": "A", "prometheus": "k8s-0", "empty": ""}), &json!([]));
    assert_eq!(series(&body, &sent).unwrap()[0].labels, labels(&[("alertname", "A")]));
}

#[test]
fn an_answer_that_is_not_whole_is_refused() {
    let code = |body: Value| series(body.to_string().as_bytes(), &SentLabels::default()).unwrap_err().code;
    let empty = json!({"resultType": "matrix", "result": []});
    assert_eq!(code(json!({"data": empty, "warnings": ["a store did not answer"]})), "PARTIAL");
    assert_eq!(code(json!({"data": empty, "isPartial": true})), "PARTIAL");
    assert_eq!(code(json!({"data": {"resultType": "vector", "result": []}})), "NO_MATRIX");
    assert_eq!(code(json!({"status": "error", "error": "x"})), "NOT_PROMETHEUS");
    assert_eq!(series(b"<html>log in</html>", &SentLabels::default()).unwrap_err().code, "NOT_PROMETHEUS");
    let one = json!({"metric": {}, "values": [[1, "NaN"]]});
    assert_eq!(code(json!({"data": {"resultType": "matrix", "result": [one]}})), "NO_TIME");
    let many = vec![json!({"metric": {}, "values": []}); SERIES_MAX + 1];
    assert_eq!(code(json!({"data": {"resultType": "matrix", "result": many}})), TOO_MANY);
    let told = json!({"data": empty, "warnings": ["PromQL info: metric might not be a counter"]}).to_string();
    assert_eq!(series(told.as_bytes(), &SentLabels::default()).unwrap(), []);
}

#[test]
fn what_prometheus_adds_and_drops_is_read_from_its_configuration() {
    let yaml = "global:
  scrape_interval: 15s
  external_labels:
    cluster: prod
    prometheus: monitoring/k8s
    replica: \"0\"
alerting:
  alert_relabel_configs:
  - separator: ;
    regex: prometheus_replica
    replacement: $1
    action: labeldrop
  alertmanagers:
  - follow_redirects: true
    scheme: http
    alert_relabel_configs:
    - regex: (replica|shard)
      action: labeldrop
rule_files:
- /etc/prometheus/rules.yml
scrape_configs:
- job_name: global
  params: {a: [b]}
";
    let sent = sent_labels(&configuration(yaml)).unwrap();
    let added = labels(&[("cluster", "prod"), ("prometheus", "monitoring/k8s"), ("replica", "0")]);
    assert_eq!(sent.added, added);
    assert_eq!(
        sent.dropped.iter().map(String::as_str).collect::<Vec<_>>(),
        ["prometheus_replica", "replica", "shard"]
    );
    let bare = "global:\n  scrape_interval: 1m\nscrape_configs:\n- job_name: x\n";
    assert_eq!(sent_labels(&configuration(bare)).unwrap(), SentLabels::default());
    assert_eq!(sent_labels(&configuration("")).unwrap(), SentLabels::default());
}

#[test]
fn relabelling_that_km_does_not_follow_is_refused() {
    for rule in [
        "{action: replace, target_label: cluster, replacement: x}",
        "{target_label: cluster, replacement: x}",
        "{action: drop, source_labels: [severity], regex: info}",
        "{action: labeldrop, regex: replica.*}",
        "{action: labelkeep, regex: replica}",
        "{action: labeldrop}",
    ] {
        let yaml = format!("alerting:\n  alert_relabel_configs:\n  - {rule}\n");
        assert_eq!(sent_labels(&configuration(&yaml)).unwrap_err().code, RELABELLED, "{rule}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), yaml in "(global|alerting):\n([ \\-a-z:\\[\\]{}&*!|>'\"#]{0,20}\n){0,6}") {
        prop_assert!(series(text.as_bytes(), &SentLabels::default()).is_err());
        prop_assert!(sent_labels(text.as_bytes()).is_err());
        drop(sent_labels(&configuration(&yaml)));
    }
}
