//! A real Prometheus is asked whether objectives are kept, and a real Alertmanager hears when that fails.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

#[path = "../../km-slo/tests/fake/mod.rs"]
mod fake;
mod harness;

use std::collections::BTreeMap;
use std::process::Command;

use fake::{Answer, Fake};
use harness::alerting::Alertmanager;
use harness::http::Call;
use harness::scraping::{Exporter, Scraper};
use harness::{Ended, Place, Server, free_port, items, until};
use rustix::process::Signal;
use serde_json::Value;

/// An objective of Sloth whose queries count `{name}_bad` of `{name}_total`.
fn counted(name: &str) -> String {
    format!(
        "  - name: {name}
    objective: 99
    sli:
      events:
        error_query: sum(increase({name}_bad[{{{{.window}}}}]))
        total_query: sum(increase({name}_total[{{{{.window}}}}]))
"
    )
}

/// An objective whose error ratio is what a query gives.
fn raw(name: &str, query: &str) -> String {
    format!("  - name: {name}\n    objective: 99\n    sli: {{raw: {{error_ratio_query: '{query}'}}}}\n")
}

fn sloth(slos: &[String]) -> String {
    format!("version: prometheus/v1\nservice: shop\nslos:\n{}", slos.concat())
}

/// Counters that grow with every scrape, and figures of every other kind.
fn page(scrape: u64) -> String {
    let (all, some) = (100 * scrape, 10 * scrape);
    format!(
        "kept_total {all}\nkept_bad 3\nbroken_total {all}\nbroken_bad {some}\nnever_total {all}\nidle_total 5\nidle_bad 1\n\
         few_total{{pod=\"a\"}} {scrape}\nnothing NaN\nmany{{pod=\"a\"}} 0.1\nmany{{pod=\"b\"}} 0.2\nhigh 7\n"
    )
}

/// What `km slo check` says about each objective, by name.
fn said(ended: &Ended) -> BTreeMap<String, String> {
    let report: Value = serde_json::from_str(&ended.out)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.out, ended.err));
    let said = |line: &Value| {
        let name = line["slo"].as_str().unwrap().trim_start_matches("shop/").to_owned();
        (name, line["reason"].as_str().unwrap_or_else(|| line["state"].as_str().unwrap()).to_owned())
    };
    items(&report["objectives"]).iter().map(said).collect()
}

fn check(place: &Place, file: &str, prometheus: &str, settings: &[(&str, &str)]) -> Ended {
    let mut command = place.command(&["--json", "slo", "check", file, "--prometheus", prometheus]);
    command.envs(settings.iter().copied());
    Ended::from(command.output().unwrap())
}

/// Checks until what is said is what is expected, which takes some scrapes.
fn until_said(place: &Place, file: &str, prometheus: &str, expected: &[(&str, &str)]) -> Ended {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(name, said)| ((*name).to_owned(), (*said).to_owned())).collect();
    let mut last = BTreeMap::new();
    for _ in 0..60 {
        let ended = check(place, file, prometheus, &[("KM__SLO__PERIOD", "1m")]);
        last = said(&ended);
        if last == expected {
            return ended;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("{last:#?}\nand not {expected:#?}");
}

#[test]
fn every_way_of_knowing_and_of_not_knowing_is_told_apart() {
    let place = Place::new();
    let exporter = Exporter::start(|scrape| page(scrape) + "gone 0.1\n");
    let prometheus = Scraper::start(&place, &exporter);
    let few = counted("few")
        .replace("slo: few", "")
        .replace("    sli:", "    labels: {km_min_events: 1000000}\n    sli:");
    let file = place.file(
        "slo.yml",
        &sloth(&[
            counted("kept"),
            counted("broken"),
            counted("never"),
            counted("missing"),
            counted("idle"),
            few,
            raw("gone", "gone"),
            raw("nothing", "nothing"),
            raw("many", "many"),
            raw("high", "high"),
            raw("unfinished", "avg(high) +"),
            raw("unmatched", "many * on() many"),
            raw("text", "\"text\""),
            raw("matrix", "many[1m]"),
        ]),
    );
    until("the figure was scraped", || {
        let seen = Call::get("/api/v1/query?query=gone").send(prometheus.host())?;
        seen.body.contains("\"0.1\"").then_some(())
    });
    exporter.show(page);
    let ended = until_said(
        &place,
        &file,
        &prometheus.url(),
        &[
            ("kept", "ok"),
            ("broken", "violated"),
            ("never", "ok"),
            ("missing", "no_data.absent"),
            ("idle", "no_data.no_traffic"),
            ("few", "no_data.insufficient"),
            ("gone", "no_data.stale"),
            ("nothing", "no_data.nan"),
            ("many", "error.ambiguous"),
            ("high", "error.range"),
            ("unfinished", "error.query"),
            ("unmatched", "error.query"),
            ("text", "error.type"),
            ("matrix", "error.type"),
        ],
    );
    assert_eq!(ended.code, 1, "one is violated");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let broken = items(&report["objectives"]).iter().find(|line| line["slo"] == "shop/broken").unwrap();
    assert!(
        (broken["burn_rate"].as_f64().unwrap() - 10.0).abs() < 0.5,
        "a tenth is bad where 1 % may be: {broken}"
    );
    assert!((broken["budget_remaining"].as_f64().unwrap() + 9.0).abs() < 0.5, "{broken}");
    let table = place.km(&["slo", "check", &file, "--prometheus", &prometheus.url()]);
    assert!(table.out.contains("violated"), "{}", table.out);
}

#[test]
fn the_exit_code_tells_kept_from_broken_from_not_looked() {
    let place = Place::new();
    let answers = |total: &str, bad: &str| {
        Fake::start(vec![("kept_bad", Answer::value(bad)), ("kept_total", Answer::value(total))])
    };
    let file = place.file("slo.yml", &sloth(&[counted("kept")]));
    for (total, bad, code) in [("100", "0", 0), ("100", "50", 1), ("0", "0", 1), ("-1", "0", 2)] {
        assert_eq!(check(&place, &file, &answers(total, bad).url(), &[]).code, code, "{bad} of {total}");
    }
    assert_eq!(check(&place, &file, &format!("http://127.0.0.1:{}", free_port()), &[]).code, 2);
    assert_eq!(check(&place, "nothing.yml", "http://127.0.0.1:1", &[]).code, 2);
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let ended = check(&place, empty.to_str().unwrap(), "http://127.0.0.1:1", &[]);
    assert_eq!((ended.code, ended.out.contains("\"status\":\"empty\"")), (2, true), "{}", ended.out);
    assert_eq!(place.km(&["slo", "check"]).code, 2);
    assert_eq!(place.km(&["slo", "check", &file]).code, 2, "no Prometheus is named");
}

#[test]
fn whatever_answers_instead_of_prometheus_is_told_apart() {
    let place = Place::new();
    let file = place.file("slo.yml", &sloth(&[counted("kept")]));
    let body = |status: u16, body: &str| Answer::Body { status, body: body.to_owned() };
    let partial =
        r#"{"status":"success","warnings":["store unreachable"],"data":{"resultType":"vector","result":[]}}"#;
    for (answer, reason) in [
        (body(200, "<!DOCTYPE html><html><title>Sign in</title></html>"), "error.protocol"),
        (body(302, ""), "error.protocol"),
        (body(401, "Unauthorized"), "error.auth"),
        (body(503, "Service Unavailable"), "error.unreachable"),
        (body(200, partial), "error.partial"),
        (body(503, r#"{"status":"error","errorType":"timeout","error":"x"}"#), "error.timeout"),
        (Answer::Waits, "error.unreachable"),
        (Answer::Floods, "error.protocol"),
    ] {
        let fake = Fake::start(vec![("", answer)]);
        let ended = check(&place, &file, &fake.url(), &[("KM__SLO__TIMEOUT", "1s")]);
        assert_eq!((said(&ended)["kept"].as_str(), ended.code), (reason, 2), "{}", ended.out);
    }
    let nobody = format!("http://127.0.0.1:{}", free_port());
    assert_eq!(said(&check(&place, &file, &nobody, &[]))["kept"], "error.unreachable");
}

#[test]
fn a_prometheus_with_a_password_lets_in_who_knows_it() {
    let place = Place::new();
    let prometheus = Scraper::with_password(&place, &Exporter::start(page));
    let file = place.file("slo.yml", &sloth(&[counted("kept")]));
    let stranger = check(&place, &file, &prometheus.url(), &[]);
    assert_eq!(said(&stranger)["kept"], "error.auth");
    let known = format!("http://alice:alice123@{}", prometheus.host());
    let ended = until_said(&place, &file, &known, &[("kept", "ok")]);
    assert!(!ended.out.contains("alice123"));
}

#[test]
fn a_query_that_takes_prometheus_too_long_is_its_timeout() {
    let place = Place::new();
    let exporter = Exporter::start(page);
    let port = free_port();
    let prometheus = Scraper::on_port(&place, &exporter, port, &["--query.timeout=1ms".to_owned()]);
    let heavy = "sum(sum_over_time((rate(kept_total[1m]) * rate(kept_total[2m]))[30d:1s]))";
    let file = place.file("slo.yml", &sloth(&[raw("heavy", heavy)]));
    until_said(&place, &file, &prometheus.url(), &[("heavy", "error.timeout")]);
}

/// km with a watch that looks once, at its start: every start is a run.
struct Watched {
    place: Place,
    prometheus: u16,
    alertmanager: Alertmanager,
}

impl Watched {
    fn new() -> Self {
        let place = Place::new();
        place.file("slo.yml", &sloth(&[counted("kept")]));
        let alertmanager = Alertmanager::start(&place, "http://127.0.0.1:9", "none");
        Self { place, prometheus: free_port(), alertmanager }
    }

    fn km(&self) -> Server {
        let prometheus = format!("http://127.0.0.1:{}", self.prometheus);
        let settings = [
            ("KM__SLO__OBJECTIVES", "slo.yml"),
            ("KM__SLO__PROMETHEUS", prometheus.as_str()),
            ("KM__SLO__PERIOD", "1m"),
            ("KM__SLO__INTERVAL", "1h"),
            ("KM__SLO__CLUSTER", "prod-eu"),
            ("KM__SLO__ALERTMANAGERS", &self.alertmanager.url()),
        ];
        self.place.serve_with(0, &settings)
    }

    fn alert(&self) -> Option<Value> {
        self.alertmanager.alert("governance_self_failure")
    }

    /// Starts km, lets it look once, and ends it in the way of the test.
    fn run(&self, signal: Signal) -> Value {
        let km = self.km();
        let report = report(&km);
        km.end(signal);
        report
    }
}

/// The first report of a server.
fn report(km: &Server) -> Value {
    until("the objectives were looked at", || {
        let answer = km.call(&Call::get("/v1/slo"));
        (answer.status == 200).then(|| answer.json())
    })
}

#[test]
fn a_self_failure_is_told_after_two_bad_runs_and_its_end_after_two_good_ones_across_restarts() {
    let watched = Watched::new();
    let report = watched.run(Signal::KILL);
    assert_eq!(
        (&report["_meta"]["status"], &report["_meta"]["self_failure"]),
        (&"error".into(), &true.into())
    );
    assert_eq!(report["objectives"][0]["reason"], "error.unreachable");
    assert!(watched.alert().is_none(), "one bad run is none");
    let km = watched.km();
    let fired = until("the alert fires", || watched.alert());
    let labels = fired["labels"].as_object().unwrap();
    let expected = ["alertname", "cluster", "component", "layer", "protected", "severity"];
    assert_eq!(labels.keys().collect::<Vec<_>>(), expected, "nothing in it changes from run to run");
    assert_eq!(
        (&fired["labels"]["cluster"], &fired["labels"]["layer"]),
        (&"prod-eu".into(), &"governance".into())
    );
    assert!(fired["annotations"]["description"].as_str().unwrap().contains("error.unreachable"), "{fired}");
    km.end(Signal::KILL);

    let exporter = Exporter::start(page);
    let _prometheus = Scraper::on_port(&watched.place, &exporter, watched.prometheus, &[]);
    let file = watched.place.path("slo.yml");
    let url = format!("http://127.0.0.1:{}", watched.prometheus);
    until_said(&watched.place, file.to_str().unwrap(), &url, &[("kept", "ok")]);
    let km = watched.km();
    assert_eq!(self::report(&km)["_meta"]["status"], "ok");
    let again = until("it is told again", || {
        watched.alert().filter(|alert| alert["updatedAt"] != fired["updatedAt"])
    });
    assert_eq!(again["startsAt"], fired["startsAt"], "a restart begins no new alert");
    km.stop();
    let _km = watched.km();
    until("its end is told", || watched.alert().is_none().then_some(()));
}

#[test]
fn a_damaged_history_is_said_and_begun_anew() {
    let watched = Watched::new();
    std::fs::create_dir_all(watched.place.path("km-data")).unwrap();
    let history = watched.place.file("km-data/slo.json", "{\"version\":1,");
    watched.run(Signal::TERM);
    let log = std::fs::read_to_string(watched.place.path("serve.log")).unwrap();
    assert!(log.contains("the history of the objectives cannot be read; it begins anew"), "{log}");
    let text = std::fs::read_to_string(history).unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_ok_and(|history| history["version"] == 1), "{text}");
}

#[test]
fn a_server_shows_the_same_report_as_the_command_and_its_figures_as_metrics() {
    let watched = Watched::new();
    let exporter = Exporter::start(page);
    let prometheus = Scraper::on_port(&watched.place, &exporter, watched.prometheus, &[]);
    let file = watched.place.path("slo.yml");
    let ended = until_said(&watched.place, file.to_str().unwrap(), &prometheus.url(), &[("kept", "ok")]);
    let asked: Value = serde_json::from_str(&ended.out).unwrap();
    let km = watched.km();
    let shown = report(&km);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&asked));
    assert_eq!(names(&shown["_meta"]), names(&asked["_meta"]));
    assert_eq!(names(&shown["objectives"][0]), names(&asked["objectives"][0]));
    let told = watched.place.km(&["--url", &km.url, "slo", "check"]);
    assert_eq!((told.code, told.out.contains("shop/kept")), (0, true), "{}{}", told.out, told.err);
    let mut command = watched.place.command(&["slo", "check"]);
    let told = Ended::from(command.env("KM_URL", &km.url).output().unwrap());
    assert_eq!(told.code, 0, "{}", told.err);
    let metrics = km.call(&Call::get("/metrics")).body;
    for line in [
        "km_slo_objectives{state=\"ok\"} 1",
        "km_slo_objectives{state=\"error\"} 0",
        "km_slo_violated{service=\"shop\",slo=\"shop/kept\"} 0",
        "km_governance_self_failure 0",
        "km_governance_interval_seconds 3600",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let last =
        metrics.lines().find_map(|line| line.strip_prefix("km_governance_last_run_timestamp_seconds "));
    let age = jiff::Timestamp::now().as_second() - last.unwrap().parse::<f64>().unwrap() as i64;
    assert!((0..60).contains(&age), "{last:?}");
}

#[test]
fn a_server_without_objectives_watches_nothing_and_says_so() {
    let place = Place::new();
    let km = place.serve(&[]);
    let answer = km.call(&Call::get("/v1/slo"));
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("KM0025")));
    assert!(!km.call(&Call::get("/metrics")).body.contains("governance"));
}

#[test]
fn a_server_that_could_not_do_its_work_refuses_to_start() {
    let place = Place::new();
    place.file("slo.yml", &sloth(&[counted("kept")]));
    place.file("bad.yml", &sloth(&[counted("kept").replace("99", "101")]));
    let sound = ("KM__SLO__OBJECTIVES", "slo.yml");
    let asked = ("KM__SLO__PROMETHEUS", "http://127.0.0.1:1");
    let mut command = place.command(&["doctor"]);
    let doctor = Ended::from(command.env("KM__SLO__OBJECTIVES", "bad.yml").output().unwrap());
    assert!(doctor.out.contains("bad.yml:5:16"), "{}", doctor.out);
    for (settings, reason) in [
        (
            vec![("KM__SLO__OBJECTIVES", "bad.yml"), asked],
            "bad.yml:5:16: `slos[0].objective`: expected a percentage",
        ),
        (vec![("KM__SLO__OBJECTIVES", "nothing.yml"), asked], "nothing.yml"),
        (vec![sound], "no Prometheus to ask"),
        (
            vec![sound, ("KM__SLO__PROMETHEUS", "prometheus:9090")],
            "slo.prometheus: `prometheus:9090` is no address",
        ),
        (vec![sound, asked, ("KM__SLO__ALERTMANAGERS", "http://127.0.0.1:2")], "slo.cluster is empty"),
        (
            vec![sound, asked, ("KM__SLO__ALERTMANAGERS", "x"), ("KM__SLO__CLUSTER", "c")],
            "slo.alertmanagers: `x`",
        ),
    ] {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        let ended = Ended::from(command.envs(settings).output().unwrap());
        assert_eq!(ended.code, 2, "{reason}: {}", ended.err);
        assert!(ended.err.contains(reason), "{reason}: {}", ended.err);
    }
}

#[test]
fn the_configuration_is_shown_without_passwords() {
    let place = Place::new();
    let settings = [
        ("KM__SLO__PROMETHEUS", "http://km:s3cret-zoo@p:9090/x"),
        ("KM__SLO__ALERTMANAGERS", "http://a, https://km:s3cret-zoo@b"),
    ];
    for flags in [vec!["config", "print"], vec!["--json", "config", "print"]] {
        let shown = Ended::from(place.command(&flags).envs(settings).output().unwrap()).out;
        assert!(shown.contains("http://…@p:9090/x") && shown.contains("https://…@b"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn lint_tells_faults_from_files_that_cannot_be_read() {
    let place = Place::new();
    let sound = place.file("sound.yml", &sloth(&[counted("kept")]));
    assert_eq!(place.km(&["slo", "lint", &sound]).code, 0);
    let faulty = place.file("faulty.yml", &sloth(&[raw("x", "avg(x_ratio{a=\"b\"}) > 0.5")]));
    let ended = place.km(&["slo", "lint", &faulty, "--format", "json"]);
    let found: Value = serde_json::from_str(&ended.out).unwrap();
    let codes: Vec<_> =
        items(&found["findings"]).iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!((ended.code, codes), (1, vec!["SL101", "SL104"]));
    assert_eq!(found["findings"][0]["place"]["line"], 6);
    let broken = place.file("broken.yml", "version: prometheus/v1\nservice: [");
    let ended = place.km(&["slo", "lint", &sound, &broken]);
    assert_eq!((ended.code, ended.out.contains("broken.yml:")), (2, true), "{}", ended.out);
    assert!(place.done(&["explain", "sl101"]).contains("compares at its top"));
}

/// promtool must be content.
fn promtool(place: &Place, arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(place.directory.path()).output();
    let output = output.expect("promtool is missing: apt-get install -y --no-install-recommends prometheus");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn the_rules_of_objectives_fire_while_the_budget_burns_and_are_silent_without_traffic() {
    let place = Place::new();
    let slos =
        [counted("kept"), counted("broken"), counted("idle"), counted("never"), raw("ratio", "avg(ratio)")];
    let file = place.file("slo.yml", &sloth(&slos));
    place.done(&["slo", "rules", &file, "--output", "rules.yml"]);
    promtool(&place, &["check", "rules", "rules.yml"]);
    place.file(
        "test.yml",
        "rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: kept_total, values: '0+100x300'}
  - {series: kept_bad, values: '0x300'}
  - {series: broken_total, values: '0+100x300'}
  - {series: broken_bad, values: '0+20x300'}
  - {series: idle_total, values: '5x300'}
  - {series: idle_bad, values: '5x300'}
  - {series: never_total, values: '0+100x300'}
  - {series: ratio, values: '0.5x300'}
  promql_expr_test:
  - expr: 'km_slo:error_ratio:rate1h{slo=~\"shop/(broken|idle|never)\"}'
    eval_time: 4h
    exp_samples:
    - {labels: 'km_slo:error_ratio:rate1h{service=\"shop\",slo=\"shop/broken\"}', value: 0.2}
    - {labels: 'km_slo:error_ratio:rate1h{service=\"shop\",slo=\"shop/never\"}', value: 0}
  - expr: 'count by (slo) (ALERTS{alertstate=\"firing\",severity=\"critical\"})'
    eval_time: 4h
    exp_samples:
    - {labels: '{slo=\"shop/broken\"}', value: 2}
    - {labels: '{slo=\"shop/ratio\"}', value: 2}
",
    );
    promtool(&place, &["test", "rules", "test.yml"]);
    let resource = place.done(&["slo", "rules", &file, "--format", "kubernetes"]);
    assert!(
        resource.starts_with("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"),
        "{resource}"
    );
}

#[test]
fn the_shipped_rules_do_what_their_tests_say() {
    let place = Place::new();
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prometheus");
    promtool(&place, &["check", "rules", &format!("{deploy}/rules/slo.yml")]);
    promtool(&place, &["test", "rules", &format!("{deploy}/tests/slo_test.yml")]);
}
