//! Configurations that look right and are wrong, and some that look wrong and are right.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod common;

use std::collections::BTreeMap;

use common::{codes, configuration, input, linted, linted_with, rules};
use km_alerts::{InputKind, Level, Options};

const REST: &str = "route: { receiver: on-call }\nreceivers:\n  - name: on-call\n    webhook_configs: [ { url: \"http://a:1/\" } ]\n";

/// The codes of a configuration with these inhibit rules, each on its line.
fn inhibiting(inhibit_rules: &[&str]) -> Vec<&'static str> {
    codes(&linted(&[inhibit(inhibit_rules)]))
}

fn inhibit(inhibit_rules: &[&str]) -> km_alerts::Input {
    let list: String = inhibit_rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    configuration(&format!("{REST}inhibit_rules:\n{list}"))
}

/// A rule file with alerts `name: expression`, each with labels.
fn raising(alerts: &[(&str, &str, &str)]) -> km_alerts::Input {
    let list: String = alerts
        .iter()
        .map(|(name, expr, labels)| {
            format!("  - alert: {name}\n    expr: {expr:?}\n    labels: {{ {labels} }}\n")
        })
        .collect();
    rules(&format!("groups:\n- name: g\n  rules:\n{list}"))
}

fn closed() -> Options {
    Options { no_other_external_labels: true, ..Options::default() }
}

/// Code and level of what is said of inhibit rules by alerts.
fn of_alerts(
    inhibit_rule: &str,
    alerts: &[(&str, &str, &str)],
    options: &Options,
) -> Vec<(&'static str, Level)> {
    let linted = linted_with(&[inhibit(&[inhibit_rule]), raising(alerts)], options);
    let mut found: Vec<_> = linted.findings.iter().map(|finding| (finding.code, finding.level)).collect();
    found.dedup();
    found
}

#[test]
fn structure_of_inhibit_rules() {
    for (rules, expected) in [
        // Old and new spellings are the same rule.
        (vec!["{source_match: {a: x}, target_match: {b: y}}"], vec!["AM101"]),
        (vec!["{source_match_re: {a: x.*}, target_matchers: ['b=y'], equal: []}"], vec!["AM101"]),
        (vec!["{source_matchers: ['a=x'], target_matchers: ['b=y'], equal: }"], vec!["AM101"]),
        // The same place is named on both sides.
        (vec!["{source_matchers: ['a=x', 'cluster=c'], target_matchers: ['b=y', 'cluster=c']}"], vec![]),
        // The same severity is no place.
        (
            vec!["{source_matchers: ['a=x', 'severity=c'], target_matchers: ['b=y', 'severity=c']}"],
            vec!["AM101"],
        ),
        // One guard is enough to tell absence from equality.
        (
            vec!["{source_matchers: ['a=x', 'cluster!=\"\"'], target_matchers: ['b=y'], equal: [cluster]}"],
            vec![],
        ),
        (
            vec!["{source_matchers: ['a=x', 'cluster=~\".*\"'], target_matchers: ['b=y'], equal: [cluster]}"],
            vec!["AM104"],
        ),
        (vec!["{source_matchers: ['a=x'], target_matchers: ['b=y'], equal: [alertname]}"], vec![]),
        // Equal labels that exclude each other.
        (
            vec!["{source_matchers: ['a=x', 'z=1'], target_matchers: ['b=y', 'z=2'], equal: [z]}"],
            vec!["AM103"],
        ),
        (
            vec![
                "{source_matchers: ['a=x', 'z=~\"1|2\"'], target_matchers: ['b=y', 'z=~\"2|3\"'], equal: [z]}",
            ],
            vec![],
        ),
        // Both sides are the same, also in another order.
        (
            vec![
                "{source_matchers: ['a=x', 'b=~\"y|z\"'], target_matchers: ['b=~\"z|y\"', 'a=x'], equal: [alertname]}",
            ],
            vec!["AM105"],
        ),
        // Circles of one, two and three.
        (vec!["{source_matchers: ['a=x'], target_matchers: ['a=y'], equal: [alertname]}"], vec![]),
        (
            vec![
                "{source_matchers: ['a=x'], target_matchers: ['a=y'], equal: [alertname]}",
                "{source_matchers: ['a=y'], target_matchers: ['a=z'], equal: [alertname]}",
            ],
            vec![],
        ),
        (
            vec![
                "{source_matchers: ['a=x'], target_matchers: ['a=y'], equal: [alertname]}",
                "{source_matchers: ['a=y'], target_matchers: ['a=z'], equal: [alertname]}",
                "{source_matchers: ['a=~\"z|q\"'], target_matchers: ['a=x'], equal: [alertname]}",
            ],
            vec!["AM106"],
        ),
        // Missing sides, and sides that exclude themselves.
        (vec!["{target_matchers: ['b=y'], equal: [alertname]}"], vec!["AM107"]),
        (
            vec!["{source_matchers: ['a=x', 'a=y'], target_matchers: ['b=y'], equal: [alertname]}"],
            vec!["AM109"],
        ),
        // Targets by what they are not.
        (
            vec!["{source_matchers: ['a=x'], target_matchers: ['severity!=critical'], equal: [alertname]}"],
            vec!["AM108"],
        ),
        (
            vec![
                "{source_matchers: ['a=x'], target_matchers: ['severity!=critical', 'b=y'], equal: [alertname]}",
            ],
            vec![],
        ),
        (
            vec![
                "{source_matchers: ['a=x'], target_matchers: ['alertname=B', 'severity!=critical'], equal: [alertname]}",
            ],
            vec![],
        ),
        (
            vec![
                "{source_matchers: ['alertname=H'], target_match_re: {alertname: '.*'}, equal: [alertname]}",
            ],
            vec!["AM108"],
        ),
        (
            vec!["{source_matchers: ['a=x'], target_matchers: ['alertname!=B'], equal: [alertname]}"],
            vec!["AM108"],
        ),
        (
            vec!["{source_matchers: ['a=x'], target_matchers: ['alertname=~\"B.*\"'], equal: [alertname]}"],
            vec![],
        ),
        // Layers.
        (
            vec![
                "{source_matchers: ['layer=~\"app|slo\"'], target_matchers: ['layer=node'], equal: [alertname]}",
            ],
            vec!["AM111"],
        ),
        (
            vec![
                "{source_matchers: ['layer=~\"node|cluster\"'], target_matchers: ['layer=~\"app|slo\"'], equal: [alertname]}",
            ],
            vec![],
        ),
        (
            vec![
                "{source_matchers: ['layer=backend', 'a=x'], target_matchers: ['layer=backend', 'b=y'], equal: [alertname]}",
            ],
            vec![],
        ),
        (
            vec![
                "{source_matchers: ['a=x'], target_matchers: ['protected=~\"true|yes\"'], equal: [alertname]}",
            ],
            vec!["AM110"],
        ),
    ] {
        assert_eq!(inhibiting(&rules), expected, "{rules:#?}");
    }
}

const BY_CLUSTER: &str =
    "{source_matchers: ['alertname=Down'], target_matchers: ['needs=\"down\"'], equal: [cluster]}";

#[test]
fn what_rules_drop_makes_a_rule_unscoped_or_dead() {
    let needs = "needs: down";
    for (source, target, expected) in [
        ("sum(up) == 0", "sum(x) > 1", vec![("AM104", Level::Warning), ("AM102", Level::Error)]),
        ("up{cluster!=\"\"} == 0", "sum(x) > 1", vec![("AM103", Level::Warning)]),
        ("max by (cluster) (up{cluster!=\"\"}) == 0", "sum(x) > 1", vec![("AM103", Level::Error)]),
        ("sum(up) == 0", "x{cluster=~\".+\"} > 1", vec![("AM103", Level::Error)]),
        ("up{cluster=\"a\"} == 0", "x{cluster=\"b\"} > 1", vec![("AM103", Level::Note)]),
        ("sum by (cluster) (up) == 0", "x > 1", vec![("AM104", Level::Warning)]),
        ("sum by (cluster) (up{cluster!=\"\"}) == 0", "x > 1", vec![]),
        ("absent(up{cluster=\"a\"})", "x > on (cluster) y{cluster!=\"\"}", vec![]),
    ] {
        let alerts = [("Down", source, ""), ("Slow", target, needs)];
        let mut found = of_alerts(BY_CLUSTER, &alerts, &closed());
        found.sort_by_key(|(_, level)| std::cmp::Reverse(*level));
        assert_eq!(found, expected, "{source} {target}");
    }
}

#[test]
fn external_labels_decide_what_is_certain() {
    let alerts = [("Down", "sum(up) == 0", ""), ("Slow", "sum(x) > 1", "needs: down")];
    let unknown = of_alerts(BY_CLUSTER, &alerts, &Options::default());
    assert!(unknown.contains(&("AM102", Level::Warning)), "{unknown:?}");
    let external_labels = BTreeMap::from([("cluster".to_owned(), "prod".to_owned())]);
    let told = Options { external_labels, ..Options::default() };
    assert_eq!(of_alerts(BY_CLUSTER, &alerts, &told), []);
    let prometheus = rules("global: { external_labels: { cluster: prod } }\nscrape_configs: []\n");
    assert_eq!(codes(&linted(&[inhibit(&[BY_CLUSTER]), raising(&alerts), prometheus])), [""; 0]);
    let dropped = "global: { external_labels: { cluster: prod } }\nscrape_configs: []\nalerting:\n  \
                   alert_relabel_configs: [ { action: labeldrop, regex: clust.* } ]\n";
    let found = linted(&[inhibit(&[BY_CLUSTER]), raising(&alerts), rules(dropped)]);
    assert!(codes(&found).contains(&"AM102"), "{:?}", found.findings);
    let relabelled = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: { name: k8s }\n\
                      spec: { additionalAlertRelabelConfigs: { name: a, key: b } }\n";
    let by_name = "{source_matchers: [severity=critical], target_matchers: ['severity=~\"warning|none\"'], \
                   equal: [alertname, cluster]}";
    let named = raising(&[("A", "a", "severity: critical"), ("Watchdog", "vector(1)", "severity: none")]);
    let found = linted(&[inhibit(&[by_name]), named, rules(relabelled)]);
    assert!(!codes(&found).contains(&"AM110"), "names stay what they are: {:#?}", found.findings);
    let resource = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: { name: k8s }\n\
                    spec: { externalLabels: { cluster: prod } }\n";
    assert_eq!(codes(&linted(&[inhibit(&[BY_CLUSTER]), raising(&alerts), rules(resource)])), [""; 0]);
}

#[test]
fn alerts_that_others_post_are_known_exactly() {
    let posted = r#"[{"labels": {"alertname": "Down"}}, {"labels": {"alertname": "Slow", "needs": "down"}}]"#;
    let found = linted(&[inhibit(&[BY_CLUSTER]), input("alerts.json", posted, InputKind::Alerts)]);
    assert!(found.findings.iter().any(|finding| finding.code == "AM102" && finding.level == Level::Error));
    let plain = "- { alertname: Down, cluster: a }\n- { alertname: Slow, needs: down, cluster: a }\n";
    let found = linted(&[inhibit(&[BY_CLUSTER]), input("alerts.yml", plain, InputKind::Alerts)]);
    assert_eq!(found.findings, []);
}

#[test]
fn protected_alerts_layers_and_circles_of_real_rules() {
    let all =
        "{source_matchers: ['alertname=Down'], target_matchers: ['severity=warning'], equal: [cluster]}";
    let down = ("Down", "up{cluster!=\"\"} == 0", "severity: critical, layer: app");
    let target = |labels: &'static str| [down, ("Lost", "lost{cluster!=\"\"} > 0", labels)];
    let found = of_alerts(all, &target("severity: warning, protected: \"true\""), &closed());
    assert_eq!(found, [("AM110", Level::Error)]);
    let found = of_alerts(all, &target("severity: warning, layer: node"), &closed());
    assert_eq!(found, [("AM111", Level::Error)]);
    let switch = [down, ("Watchdog", "vector(1)", "severity: warning, cluster: a")];
    assert_eq!(of_alerts(all, &switch, &closed()), [("AM110", Level::Error)]);
    let circle = inhibit(&[
        "{source_matchers: ['team=a'], target_matchers: ['kind=b'], equal: [cluster]}",
        "{source_matchers: ['team=b'], target_matchers: ['kind=a'], equal: [cluster]}",
    ]);
    let alerts = raising(&[
        ("A", "a{cluster!=\"\"}", "team: a, kind: a"),
        ("B", "b{cluster!=\"\"}", "team: b, kind: b"),
    ]);
    assert_eq!(codes(&linted_with(&[circle, alerts], &closed())), ["AM106"]);
}

#[test]
fn mistyped_matchers_are_named_with_what_was_meant() {
    let alerts =
        [("NodeDown", "up == 0", "severity: critical"), ("Slow", "x > 1", "severity: warning, team: db")];
    for (source, meant) in [
        ("alertname=NodeDwon", "`NodeDown`"),
        ("severty=critical", "`severity`"),
        ("severity=critcal", "`critical`"),
    ] {
        let rule =
            format!("{{source_matchers: ['{source}'], target_matchers: ['team=db'], equal: [alertname]}}");
        let linted = linted(&[inhibit(&[&rule]), raising(&alerts)]);
        let help = linted
            .findings
            .iter()
            .filter(|finding| finding.code == "AM109")
            .filter_map(|one| one.help.clone());
        assert!(help.clone().any(|help| help.contains(meant)), "{source}: {:#?}", linted.findings);
    }
}

#[test]
fn routes() {
    let routed = |routes: &str| {
        let receivers = "receivers:\n- name: a\n  webhook_configs: [{url: 'http://a/'}]\n";
        codes(&linted(&[configuration(&format!("route:\n  receiver: a\n  routes:\n{routes}{receivers}"))]))
    };
    for (routes, expected) in [
        ("  - {}\n  - {matchers: [x=y]}\n", vec!["AM201"]),
        ("  - {continue: true}\n  - {matchers: [x=y]}\n", vec![]),
        ("  - {match: {x: y}}\n  - {match_re: {x: y}}\n", vec!["AM201"]),
        ("  - {match: {x: y, z: w}}\n  - {match: {x: y}}\n", vec![]),
        ("  - {matchers: ['x!=y']}\n  - {matchers: ['x=z']}\n", vec!["AM201"]),
        ("  - {matchers: ['x=~\"a.*\"']}\n  - {matchers: ['x=ab']}\n", vec!["AM201"]),
        ("  - {matchers: ['x=~\"a.*\"']}\n  - {matchers: ['x=~\"ab.*\"']}\n", vec![]),
        ("  - {matchers: ['x=y', 'x!=y']}\n", vec!["AM202"]),
        ("  - {matchers: ['x=y'], routes: [{matchers: ['x=~\"z|w\"']}, {}]}\n", vec!["AM202"]),
        ("  - {receiver: b}\n", vec!["AM206"]),
        ("  - {active_time_intervals: [night]}\n", vec!["AM207"]),
        ("  - {group_by: ['...', a]}\n", vec!["AM306"]),
        ("  - {group_by: [a, a]}\n", vec!["AM306"]),
        ("  - {group_interval: 0s}\n", vec!["AM306"]),
        ("  - {repeat_interval: 1d2w}\n", vec!["AM306"]),
        ("  - {match: {x-y: z}}\n", vec!["AM306"]),
        ("  - {matchers: x=y}\n", vec!["AM306"]),
        ("  - {matchers: ['x=~\"(\"']}\n", vec!["AM306"]),
        ("  - {matchers: [['x=y']]}\n", vec!["AM306"]),
        ("  - {recever: a}\n", vec!["AM305"]),
        ("  - {continue: maybe}\n", vec!["AM306"]),
    ] {
        assert_eq!(routed(routes), expected, "{routes}");
    }
}

/// What the Helm chart of kube-prometheus ships: any alert mutes `InfoInhibitor`, which mutes those of level info.
#[test]
fn an_alert_that_is_only_there_to_mute_may_be_muted_by_all() {
    let rules = [
        "{source_matchers: ['severity = critical'], target_matchers: ['severity =~ warning|info'], equal: [namespace, alertname]}",
        "{source_matchers: ['severity = warning'], target_matchers: ['severity = info'], equal: [namespace, alertname]}",
        "{source_matchers: ['alertname = InfoInhibitor'], target_matchers: ['severity = info'], equal: [namespace]}",
        "{target_matchers: ['alertname = InfoInhibitor']}",
    ];
    let info = "ALERTS{severity=\"info\"} == 1 unless on(namespace) ALERTS{alertname!=\"InfoInhibitor\", severity=~\"warning|critical\"} == 1";
    let alerts = [
        ("InfoInhibitor", info, "severity: none"),
        ("Busy", "sum by (namespace) (x) > 1", "severity: info"),
        ("Down", "sum by (namespace) (y) > 1", "severity: critical"),
        ("Watchdog", "vector(1)", "severity: none"),
    ];
    let linted = linted_with(&[inhibit(&rules), raising(&alerts)], &closed());
    let errors = linted.findings.iter().filter(|finding| finding.level == Level::Error);
    assert_eq!(errors.count(), 0, "{:#?}", linted.findings);
    assert!(codes(&linted).contains(&"AM107"));
}

#[test]
fn roots_that_alertmanager_refuses() {
    let receivers = "receivers: [{name: a, webhook_configs: [{url: 'http://a/'}]}]\n";
    for (route, code) in [
        ("", "AM306"),
        ("route: {}\n", "AM306"),
        ("route: {receiver: a, matchers: [x=y]}\n", "AM306"),
        ("route: {receiver: a, continue: true}\n", "AM306"),
        ("route: {receiver: a, mute_time_intervals: [n]}\n", "AM306"),
        ("route: [a]\n", "AM306"),
        ("route: {receiver: a}\nroute: {receiver: a}\n", "AM208"),
    ] {
        let found = codes(&linted(&[configuration(&format!("{route}{receivers}"))]));
        assert!(found.contains(&code), "{route}: {found:?}");
    }
}

#[test]
fn km_is_told_everything() {
    let webhook = |rest: &str| {
        let url = "url: \"https://km.example.org/prefix/v1/webhooks/alertmanager\"";
        codes(&linted(&[configuration(&format!(
            "route: {{receiver: km}}\nreceivers:\n- name: km\n  webhook_configs: [{{{url}{rest}}}]\n"
        ))]))
    };
    assert_eq!(webhook(", send_resolved: true"), [""; 0]);
    assert_eq!(webhook(", send_resolved: true, max_alerts: 0"), [""; 0]);
    assert_eq!(webhook(", send_resolved: true, max_alerts: 5"), ["AM303"]);
    assert_eq!(webhook(", send_resolved: false"), ["AM302"]);
    assert_eq!(webhook(""), ["AM302"]);
}

#[test]
fn a_secret_is_named_and_never_shown() {
    let text = "route: {receiver: a}\nreceivers:\n- name: a\n  slack_configs: [{api_url: hunter2}]\n  \
                webhook_configs: [{url: 'http://u:hunter2@a/'}]\n  pagerduty_configs: [{routing_key: hunter2}]\n";
    let linted = linted(&[configuration(text)]);
    assert_eq!(linted.findings.iter().filter(|finding| finding.code == "AM301").count(), 3);
    assert!(!format!("{:?}", linted.findings).contains("hunter2"), "{:#?}", linted.findings);
}

#[test]
fn versions_take_what_they_know() {
    let text = format!(
        "{REST}inhibit_rules:\n- name: x\n  source_matchers: [a=b, 'c=~\".+\"']\n  target_matchers: [d=e]\n  equal: [c]\n"
    );
    for (version, expected) in
        [("0.20", vec!["AM304"]), ("0.29", vec!["AM304"]), ("0.30", vec![]), ("1.0", vec![])]
    {
        let options = Options { target_version: Some(version.parse().unwrap()), ..Options::default() };
        assert_eq!(codes(&linted_with(&[configuration(&text)], &options)), expected, "{version}");
    }
}

#[test]
fn allowances() {
    let rule = "- {source_matchers: [a=b], target_matchers: [c=d]}";
    let with = |before: &str, after: &str| {
        codes(&linted(&[configuration(&format!("{REST}inhibit_rules:\n{before}{rule}{after}\n"))]))
    };
    assert_eq!(with("# km: allow=AM101 wanted\n", ""), [""; 0]);
    assert_eq!(with("# km: allow=AM101 wanted\n\n# and more\n", ""), [""; 0]);
    assert_eq!(with("", " # km: allow=AM101 wanted"), [""; 0]);
    assert_eq!(with("# km: allow=AM101\n", ""), ["AM902"]);
    assert_eq!(with("# km: allow=AM104 wanted\n", ""), ["AM101", "AM901"]);
    assert_eq!(with("# km: allow=AM101,AM106 wanted\n", ""), ["AM901"]);
    assert_eq!(with("# km: allow=nonsense wanted\n", ""), ["AM101", "AM901"]);
    assert_eq!(
        with("# km: allow=SL101 wanted\n", ""),
        ["AM101"],
        "what another room allows is its own affair"
    );
}

#[test]
fn wrappings() {
    let bad = format!("{REST}inhibit_rules:\n  - source_matchers: [a=b]\n    target_matchers: [c=d]\n");
    let indented: String = bad.lines().map(|line| format!("    {line}\n")).collect();
    let config_map = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  alertmanager.yml: |\n{indented}");
    let list = format!("---\napiVersion: v1\nkind: Service\n---\n{config_map}");
    for (text, line) in [(bad.as_str(), 6), (&config_map, 10), (&list, 14)] {
        let linted = linted(&[configuration(text)]);
        assert_eq!(codes(&linted), ["AM101"], "{text}");
        assert_eq!(linted.findings[0].place.line, Some(line), "{text}");
    }
    // `route: {receiver: a}` and an inhibit rule, in base64.
    let secret = "apiVersion: v1\nkind: Secret\ndata:\n  alertmanager.yaml: \
                  cm91dGU6IHtyZWNlaXZlcjogYX0KcmVjZWl2ZXJzOiBbe25hbWU6IGEsIHdlYmhvb2tfY29uZmlnczogW3t1cmw6ICdodHRwOi8vYS8nfV19XQppbmhpYml0X3J1bGVzOiBbe3NvdXJjZV9tYXRjaGVyczogW2E9Yl0sIHRhcmdldF9tYXRjaGVyczogW2M9ZF19XQo=\n";
    let found = linted(&[configuration(secret)]);
    assert_eq!(codes(&found), ["AM101"]);
    assert!(found.findings[0].message.contains("line 3 of alertmanager.yaml"), "{:?}", found.findings);
    let torn = secret.replace("cm91", "****");
    assert_eq!(codes(&linted(&[configuration(&torn)])), ["AM001"]);
}

#[test]
fn what_cannot_be_read_is_said_and_does_no_harm() {
    let huge_list = format!("route: {{receiver: a}}\nreceivers: [{}]\n", "{name: a},".repeat(400_000));
    let anchors = "route: &r {receiver: a, routes: [*r]}\n";
    for (text, code) in [
        ("", "AM001"),
        ("a: [", "AM001"),
        ("- 1\n- 2\n", "AM001"),
        ("groups: []\n", "AM001"),
        ("{{ .Values.config }}", "AM001"),
        ("route:\n{% if x %}\n  receiver: a\n", "AM001"),
        ("apiVersion: v1\nkind: Secret\ndata: {other.txt: eA==}\n", "AM001"),
        (anchors, "AM001"),
        (huge_list.as_str(), "AM001"),
    ] {
        let linted = linted(&[configuration(text)]);
        assert!(codes(&linted).contains(&code), "{}: {:?}", &text[..text.len().min(60)], linted.findings);
    }
    let long = format!(
        "{REST}inhibit_rules:\n- {{source_matchers: ['a=~\"{}\"'], target_matchers: [c=d], equal: [alertname]}}\n",
        "a{900}".repeat(300)
    );
    assert_eq!(codes(&linted(&[configuration(&long)])), ["AM306"]);
}

#[test]
fn ten_mebibytes_are_read_in_good_time() {
    let template = "x".repeat(120);
    let receivers: String = (0..80_000)
        .map(|nth| format!("- name: r{nth}\n  webhook_configs:\n  - url: http://a/{template}\n"))
        .collect();
    let text = format!("route: {{receiver: r0}}\nreceivers:\n{receivers}");
    assert!(text.len() > 10 << 20);
    let linted = linted(&[configuration(&text)]);
    assert_eq!(codes(&linted), ["AM001"], "more values than are taken: {:?}", linted.findings.first());
}
