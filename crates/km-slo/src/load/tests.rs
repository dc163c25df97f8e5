//! What is read, and how what is not understood is refused.

use super::*;
use crate::objective::{Indicator, Share, WINDOW};

const SLOTH: &str = r#"version: "prometheus/v1"
service: "myservice"
labels:
  owner: "myteam"
  tier: 2
slos:
  - name: "requests-availability"
    objective: 99.9
    description: "Common SLO based on availability for HTTP request responses."
    labels:
      category: availability
      km_weight: 3
    sli:
      events:
        error_query: sum(rate(http_request_duration_seconds_count{job="myservice",code=~"(5..|429)"}[{{.window}}]))
        total_query: sum(rate(http_request_duration_seconds_count{job="myservice"}[{{ .window }}]))
    alerting:
      name: "MyServiceHighErrorRate"
      labels:
        category: "availability"
      annotations:
        summary: "High error rate on 'myservice' requests responses"
      page_alert:
        labels:
          severity: "pageteam"
      ticket_alert:
        disable: true
"#;

const OPENSLO: &str = r#"apiVersion: openslo/v1
kind: SLI
metadata:
  name: search-ratio
spec:
  ratioMetric:
    counter: true
    good:
      metricSource:
        type: Prometheus
        spec:
          query: sum(localhost_server_requests{code=~"2xx|3xx|4xx"})
    total:
      metricSource:
        type: Prometheus
        spec:
          query: sum(localhost_server_requests)
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: search
  displayName: Searching
  labels:
    team: [search, web]
    example.org/tier: 1
  annotations:
    km_min_events: "50"
spec:
  description: Searching works
  service: web
  indicatorRef: search-ratio
  timeWindow:
    - duration: 4w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: All
      targetPercent: 99.5
"#;

fn read_all(files: &[(&str, &str)]) -> Result<Vec<Objective>, Vec<String>> {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let defaults = Defaults { period: Window::parse("30d").expect("a window"), events_min: 1.0 };
    let start = format!("{}/", directory.path().display());
    load(&[directory.path().to_path_buf()], &defaults).map_err(|LoadErrors(found)| {
        found.iter().map(|error| error.to_string().replace(&start, "")).collect()
    })
}

fn refused(text: &str) -> Vec<String> {
    read_all(&[("slo.yml", text)]).expect_err("refused")
}

/// The first problem of the Sloth document with one text in it replaced.
fn with(old: &str, new: &str) -> String {
    assert!(SLOTH.contains(old), "{old}");
    refused(&SLOTH.replacen(old, new, 1)).remove(0)
}

fn openslo_with(old: &str, new: &str) -> String {
    assert!(OPENSLO.contains(old), "{old}");
    refused(&OPENSLO.replacen(old, new, 1)).remove(0)
}

#[test]
fn sloth_is_read_with_everything_it_says() {
    let objective = read_all(&[("slo.yml", SLOTH)]).expect("sound").remove(0);
    assert_eq!((objective.id.as_str(), objective.target), ("myservice/requests-availability", 0.999));
    assert_eq!((objective.weight, objective.events_min, objective.place.line), (3.0, 1.0, 7));
    let labels: Vec<_> = objective.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["category=availability", "owner=myteam", "tier=2"]);
    let Indicator::Bad { bad, total } = &objective.indicator else { panic!("{:?}", objective.indicator) };
    assert_eq!(
        total.text,
        format!("sum(rate(http_request_duration_seconds_count{{job=\"myservice\"}}[{WINDOW}]))")
    );
    assert_eq!((bad.line, bad.path.as_str()), (15, "slos[0].sli.events.error_query"));
    assert!(objective.alerting.ticket.disabled);
    assert_eq!(objective.alerting.page.labels["severity"], "pageteam");
}

#[test]
fn openslo_is_read_and_its_counters_become_increases() {
    let objective = read_all(&[("slo.yml", OPENSLO)]).expect("sound").remove(0);
    assert_eq!((objective.id.as_str(), objective.target), ("web/search", 0.995));
    assert_eq!((objective.window.to_string().as_str(), objective.events_min), ("28d", 50.0));
    let labels: Vec<_> = objective.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["example_org_tier=1", "team=search,web"]);
    let Indicator::Good { good, total } = &objective.indicator else { panic!("{:?}", objective.indicator) };
    assert_eq!(total.text, "sum(increase(localhost_server_requests[{{.window}}]))");
    assert!(good.over("28d").ends_with("{code=~\"2xx|3xx|4xx\"}[28d]))"), "{}", good.text);
}

#[test]
fn an_indicator_may_stand_in_another_file() {
    let (indicator, objective) = OPENSLO.split_once("---\n").expect("two documents");
    let read = read_all(&[("z/sli.yaml", indicator), ("a.yml", objective)]).expect("sound");
    assert_eq!(read.len(), 1);
    let alone = read_all(&[("a.yml", objective)]).expect_err("refused");
    assert_eq!(
        alone,
        ["a.yml:14:17: `spec.indicatorRef`: there is no SLI `search-ratio` in the files that were read"]
    );
}

#[test]
fn a_percentage_becomes_the_nearest_share() {
    for (percent, share) in
        [("99.9", 0.999), ("99", 0.99), ("99.95", 0.9995), ("0.1", 0.001), ("99.999", 0.99999)]
    {
        let text = SLOTH.replacen("99.9", percent, 1);
        assert_eq!(
            read_all(&[("slo.yml", &text)]).expect("sound")[0].target.to_bits(),
            f64::to_bits(share),
            "{percent}"
        );
    }
}

#[test]
fn what_is_not_understood_is_refused_with_file_line_and_path() {
    for (old, new, expected) in [
        ("    objective:", "    objectiv:", "slo.yml:7:5: `slos[0]`: `objective` is missing"),
        ("99.9", "\"99.9\"", "slo.yml:8:16: `slos[0].objective`: expected a number, found the text \"99.9\""),
        (
            "99.9",
            "101",
            "slo.yml:8:16: `slos[0].objective`: expected a percentage from 0 to 100, found `101`",
        ),
        ("99.9", ".nan", "slo.yml:8:16: no YAML: value `.nan` is not a finite number"),
        (
            "prometheus/v1",
            "prometheus/v2",
            "slo.yml:1:10: `version`: km reads Sloth with `version: prometheus/v1`",
        ),
        (
            "{{ .window }}",
            "{{ .service }}",
            "slo.yml:16:22: `slos[0].sli.events.total_query`: km knows the template",
        ),
        (
            "[{{ .window }}]))",
            "[{{ .window }}])",
            "slo.yml:16:22: `slos[0].sli.events.total_query`: a bracket",
        ),
        ("km_weight: 3", "km_weight: none", "slo.yml:7:5: `slos[0]`: `km_weight` is `none`"),
        (
            "disable: true",
            "disable: yes please",
            "slo.yml:27:18: `slos[0].alerting.ticket_alert.disable`: expected true",
        ),
        (
            "        disable: true",
            "        mute: true",
            "slo.yml:27:15: `slos[0].alerting.ticket_alert.mute`: km does not",
        ),
        (
            "      category: availability",
            "      a-b: c",
            "slo.yml:11:7: `slos[0].labels`: `a-b` is no name of a label",
        ),
        ("service: \"myservice\"", "service: \"\"", "slo.yml:2:10: `service`: must not be empty"),
        (
            "      events:",
            "      plugin: {id: x}\n      events:",
            "slo.yml:14:15: `slos[0].sli.plugin`: km runs no",
        ),
    ] {
        let found = with(old, new);
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn labels_are_taken_as_they_are_written() {
    for (written, label) in [("1.10", "1.10"), ("on", "on"), ("0x10", "0x10"), ("!!str 2", "2"), ("~", "")] {
        let text = SLOTH.replacen("tier: 2", &format!("tier: {written}"), 1);
        assert_eq!(read_all(&[("slo.yml", &text)]).expect("sound")[0].labels["tier"], label);
    }
}

#[test]
fn keys_that_are_no_names_and_merges_of_nothing_are_refused() {
    for (old, new, expected) in [
        ("  tier: 2", "  ? [tier]\n  : 2", "slo.yml:5:5: no YAML: a key is a text, not a list"),
        ("  tier: 2", "  ~: 2", "slo.yml:5:3: no YAML: a key is a text, not nothing"),
        ("slos:", "<<: nobody\nslos:", "slo.yml:6:5: `<<`: km does not know this field"),
    ] {
        let found = with(old, new);
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn openslo_beyond_the_part_that_is_read_is_refused() {
    for (old, new, path) in [
        ("budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "`spec.budgetingMethod`"),
        ("isRolling: true", "isRolling: false", "`spec.timeWindow[0].isRolling`"),
        ("duration: 4w", "duration: 1M", "`spec.timeWindow[0].duration`"),
        (
            "    - duration: 4w",
            "    - {duration: 1d, isRolling: true}\n    - duration: 4w",
            "`spec.timeWindow`",
        ),
        ("kind: SLO", "kind: Service", "`kind`"),
        ("      targetPercent: 99.5", "      targetPercent: 99.5\n      target: 0.9", "`spec.objectives[0]`"),
        ("      targetPercent: 99.5", "      target: 99.5", "`spec.objectives[0].target`"),
        ("      targetPercent: 99.5", "      target: 0.9\n      op: lte", "`spec.objectives[0].op`"),
        ("        type: Prometheus", "        type: Datadog", "`spec.ratioMetric.good.metricSource.type`"),
        (
            "        type: Prometheus",
            "        metricSourceRef: x",
            "`spec.ratioMetric.good.metricSource`: `type` is missing",
        ),
        ("    counter: true", "    counter: true\n    rawType: success", "`spec.ratioMetric`"),
        ("  ratioMetric:", "  thresholdMetric: {}\n  ratioMetric:", "`spec.thresholdMetric`"),
        ("openslo/v1\nkind: SLO", "openslo/v1alpha\nkind: SLO", "`apiVersion`"),
        ("  description: Searching works", "  descriptoin: Searching works", "`spec.descriptoin`"),
    ] {
        let found = openslo_with(old, new);
        assert!(found.contains(path), "{path}: {found}");
    }
}

#[test]
fn every_reference_is_to_one_prometheus() {
    let named = |first: &str, second: &str| {
        let mut names = [first, second].into_iter();
        let text: Vec<String> = OPENSLO
            .lines()
            .map(|line| match line.trim() == "type: Prometheus" {
                true => format!("{line}\n        metricSourceRef: {}", names.next().expect("a name")),
                false => line.to_owned(),
            })
            .collect();
        text.join("\n")
    };
    assert!(read_all(&[("slo.yml", &named("thanos", "thanos"))]).is_ok());
    let refused = refused(&named("thanos", "mimir"));
    assert!(
        refused[0].ends_with("another data source than `thanos` before: km asks one Prometheus"),
        "{refused:?}"
    );
}

#[test]
fn a_raw_ratio_says_what_it_is_the_share_of() {
    let (_, objective) = OPENSLO.split_once("---\n").expect("two documents");
    let raw = "indicator:\n    metadata: {name: x}\n    spec:\n      ratioMetric:\n        raw: {metricSource: {type: Prometheus, \
               spec: {query: 'avg(ratio)'}}}\n        rawType: failure";
    let text = objective.replace("indicatorRef: search-ratio", raw);
    let read = read_all(&[("slo.yml", &text)]).expect("sound");
    assert!(
        matches!(&read[0].indicator, Indicator::Raw { of: Share::Failure, ratio } if ratio.text == "avg(ratio)")
    );
    assert!(refused(&text.replace("        rawType: failure", ""))[0].contains("`raw` and `rawType`"));
}

#[test]
fn every_problem_of_every_file_is_told_at_once() {
    let broken = SLOTH.replace("99.9", "no").replace("service: \"myservice\"", "servis: x");
    let found = read_all(&[("a.yml", &broken), ("b.yml", "x: [1"), ("c.yaml", SLOTH)]).expect_err("refused");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.iter().any(|problem| problem.starts_with("b.yml:1:")), "{found:#?}");
}

#[test]
fn what_is_no_yaml_is_said_in_our_words_with_its_place_once() {
    for (text, expected) in [
        (
            "version: prometheus/v1\nservice: a\nservice: b\n",
            "slo.yml:3:1: no YAML: duplicate mapping key `service`",
        ),
        ("version: [1\n", "slo.yml:"),
        ("a: *b\n", "slo.yml:1:4: no YAML: "),
    ] {
        let found = refused(text).remove(0);
        assert!(found.starts_with(expected), "{found}");
        assert!(!found.contains("at line") && !found.contains("Policy") && !found.contains('\n'), "{found}");
    }
}

#[test]
fn the_same_objective_twice_is_refused() {
    let found = read_all(&[("a.yml", SLOTH), ("b.yml", SLOTH)]).expect_err("refused");
    assert!(
        found[0].starts_with("b.yml:7: the objective `myservice/requests-availability` stands at"),
        "{found:?}"
    );
}

#[test]
fn documents_of_one_file_keep_their_lines() {
    let second = SLOTH.replace("myservice\"", "other\"").replace("99.9", "x");
    let found = refused(&format!("# first\n---\n{SLOTH}---\n{second}"));
    assert!(found[0].starts_with("slo.yml:38:16: `slos[0].objective`"), "{found:?}");
}

#[test]
fn hostile_files_are_refused_quickly() {
    let laughs: String =
        (0..30).map(|at| format!("a{}: &a{} [*a{at}, *a{at}, *a{at}, *a{at}]\n", at + 1, at + 1)).collect();
    for text in [
        format!("a0: &a0 x\n{laughs}"),
        "&a [*a]".to_owned(),
        "a: &a {b: *a}".to_owned(),
        "[".repeat(100_000),
        format!("a: {}", "{a: ".repeat(10_000)),
        "a: *nothing".to_owned(),
        "a: 1\na: 2".to_owned(),
        "\u{0}".to_owned(),
        "- 1".to_owned(),
        "just text".to_owned(),
        "{}".to_owned(),
        "version: 1".to_owned(),
        "version: prometheus/v1\napiVersion: openslo/v1".to_owned(),
        "version: prometheus/v1\nservice: a\nslos: []".to_owned(),
        "version: prometheus/v1\nservice: a\nslos:".to_owned(),
        "x".repeat(5 << 20),
    ] {
        let shown: String = text.chars().take(40).collect();
        let found = read_all(&[("slo.yml", &text)]);
        assert!(found.is_err_and(|problems| problems[0].starts_with("slo.yml:")), "{shown}");
    }
}

#[test]
fn a_file_that_is_no_utf_8_and_a_path_that_is_not_there_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("slo.yml");
    fs::write(&file, [0xff, 0xfe]).expect("a file");
    let defaults = Defaults { period: Window::parse("30d").expect("a window"), events_min: 1.0 };
    assert!(load(&[file], &defaults).is_err());
    assert!(load(&[directory.path().join("nothing")], &defaults).is_err());
}

#[test]
#[cfg(unix)]
fn links_in_a_circle_do_no_harm_and_a_mounted_config_map_is_read() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let mounted = root.join("..2026_11_24");
    fs::create_dir(&mounted).expect("a folder");
    fs::write(mounted.join("slo.yml"), SLOTH).expect("a file");
    symlink("..2026_11_24", root.join("..data")).expect("a link");
    symlink("..data/slo.yml", root.join("slo.yml")).expect("a link");
    symlink(".", root.join("circle")).expect("a link");
    let defaults = Defaults { period: Window::parse("30d").expect("a window"), events_min: 1.0 };
    assert_eq!(load(&[root.to_path_buf()], &defaults).map(|read| read.len()), Ok(1));
    symlink("self.yml", root.join("self.yml")).expect("a link");
    assert!(load(&[root.to_path_buf()], &defaults).is_err());
}

#[test]
fn an_empty_directory_has_no_objectives() {
    assert_eq!(read_all(&[]), Ok(Vec::new()));
    assert_eq!(read_all(&[("notes.txt", "x"), (".hidden.yml", "x")]), Ok(Vec::new()));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(version: prometheus/v1\n)?(\\PC|\n){0,200}") {
        if let Err(problems) = read_all(&[("slo.yml", &text)]) {
            proptest::prop_assert!(!problems.is_empty());
        }
    }
}
