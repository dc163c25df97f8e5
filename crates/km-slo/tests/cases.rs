//! Every case of `cases.yml`, through the client and a server that answers as the case says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod fake;

use std::collections::BTreeMap;
use std::time::Duration;

use fake::{Answer, Fake};
use km_model::Timestamp;
use km_slo::{
    Address, Alerting, Credentials, ErrorReason, Indicator, Meta, NoDataReason, Objective, Place, Prometheus,
    Query, Report, Share, State, Window,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    objectives: Vec<Case>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    when: String,
    target: Option<f64>,
    min_events: Option<f64>,
    total: Option<Value>,
    good: Option<Value>,
    bad: Option<Value>,
    success: Option<Value>,
    failure: Option<Value>,
    /// What the look for series in the window gives.
    seen: Option<Value>,
    says: String,
    sli: Option<f64>,
    burn_rate: Option<f64>,
    budget_remaining: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    when: String,
    of: Vec<String>,
    weights: Option<Vec<f64>>,
    status: String,
    all_skipped: Option<bool>,
    /// A null says that there is none; a run without the key says nothing of it.
    #[serde(default, deserialize_with = "said")]
    health_score: Option<Option<f64>>,
    self_failure: Option<bool>,
    coverage: Option<f64>,
    alerts: Vec<String>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn cases() -> Cases {
    serde_saphyr::from_str(include_str!("cases.yml")).unwrap()
}

impl Case {
    /// The queries are named after what they stand for, by which the server knows them.
    fn objective(&self) -> Objective {
        let query = |name: &str| Query { text: format!("{name}_events"), path: name.to_owned(), line: 1 };
        let indicator = match (&self.good, &self.success, &self.failure) {
            (Some(_), None, None) => Indicator::Good { good: query("good"), total: query("total") },
            (None, Some(_), None) => Indicator::Raw { ratio: query("success"), of: Share::Success },
            (None, None, Some(_)) => Indicator::Raw { ratio: query("failure"), of: Share::Failure },
            _ => Indicator::Bad { bad: query("bad"), total: query("total") },
        };
        Objective {
            id: "of/a-case".to_owned(),
            service: "of".to_owned(),
            name: "a-case".to_owned(),
            description: String::new(),
            labels: BTreeMap::new(),
            target: self.target.unwrap_or(0.999),
            window: Window::parse("30d").unwrap(),
            indicator,
            weight: 1.0,
            events_min: self.min_events.unwrap_or(0.0),
            alerting: Alerting::default(),
            place: Place { file: "cases.yml".to_owned(), line: 1 },
        }
    }

    fn answers(&self) -> Vec<(&'static str, Answer)> {
        let named = [
            ("count_over_time", &self.seen),
            ("total_events", &self.total),
            ("good_events", &self.good),
            ("bad_events", &self.bad),
            ("success_events", &self.success),
            ("failure_events", &self.failure),
        ];
        let mut answers: Vec<_> = named
            .into_iter()
            .filter_map(|(name, answer)| Some((name, answer_of(answer.as_ref()?))))
            .collect();
        // A case that says nothing of the look finds nothing, and not what the query within it gives.
        answers.push(("", Answer::none()));
        if self.seen.is_none() {
            answers.insert(0, ("count_over_time", Answer::none()));
        }
        answers
    }
}

fn answer_of(said: &Value) -> Answer {
    match said {
        Value::Object(map) if map.contains_key("waits") => Answer::Waits,
        Value::Object(map) if map.contains_key("cut") => Answer::Cut,
        Value::Object(map) if map.contains_key("floods") => Answer::Floods,
        Value::Object(map) => Answer::Body {
            status: map
                .get("http")
                .and_then(Value::as_u64)
                .map_or(200, |status| u16::try_from(status).unwrap()),
            body: map["body"].as_str().unwrap().to_owned(),
        },
        Value::String(text) if text == "none" => Answer::none(),
        Value::String(text) => Answer::value(text),
        number => Answer::value(&number.to_string()),
    }
}

fn check_all(objectives: &[Objective], url: &str, credentials: Credentials) -> Report {
    fake::set_up();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = Address::parse(url).unwrap();
    let prometheus = Prometheus::new(&address, credentials, Duration::from_millis(700)).unwrap();
    let at = Timestamp::from_micros(1_700_000_000_250_000);
    runtime.block_on(prometheus.check(objectives, at))
}

fn check_with(objective: &Objective, url: &str, credentials: Credentials) -> Report {
    check_all(std::slice::from_ref(objective), url, credentials)
}

fn check(objective: &Objective, fake: &Fake) -> Report {
    check_with(objective, &fake.url(), Credentials::None)
}

#[test]
fn every_case_says_what_the_table_says() {
    let cases = cases().objectives;
    assert!(cases.len() > 60, "{}", cases.len());
    for case in cases {
        let fake = Fake::start(case.answers());
        let report = check(&case.objective(), &fake);
        let line = &report.objectives[0];
        let when = &case.when;
        assert_eq!(line.reason.unwrap_or(line.state.as_str()), case.says, "{when}: {}", line.detail);
        for (expected, found) in [
            (case.sli, line.sli),
            (case.burn_rate, line.burn_rate),
            (case.budget_remaining, line.budget_remaining),
        ] {
            let Some(expected) = expected else { continue };
            let found = found.expect(when);
            assert!((found - expected).abs() < 1e-9, "{when}: {found} and not {expected}");
        }
        assert_eq!(line.reason.is_some(), line.sli.is_none(), "{when}: figures where it was evaluated");
    }
}

#[test]
fn every_query_is_asked_for_one_instant_the_whole_first() {
    let case = cases().objectives.remove(0);
    let fake = Fake::start(case.answers());
    check(&case.objective(), &fake);
    let asked = fake.asked();
    assert_eq!(
        asked.iter().map(|asked| asked["query"].as_str()).collect::<Vec<_>>(),
        ["total_events", "bad_events"]
    );
    assert!(asked.iter().all(|asked| asked["time"] == "1700000000.250000"), "{asked:?}");
}

#[test]
fn a_query_that_is_long_is_sent_in_a_body() {
    let case = cases().objectives.remove(0);
    let mut objective = case.objective();
    if let Indicator::Bad { total, .. } = &mut objective.indicator {
        total.text += &format!(" + 0 * {}", "x".repeat(5_000));
    }
    let fake = Fake::start(case.answers());
    assert_eq!(check(&objective, &fake).objectives[0].state, State::Ok);
    assert!(fake.asked()[0]["query"].len() > 5_000);
}

#[test]
fn events_of_a_rate_are_counted_over_the_window() {
    let case = cases().objectives.remove(0);
    let mut objective = case.objective();
    if let Indicator::Bad { total, .. } = &mut objective.indicator {
        total.text = "sum(rate(total_events[30d]))".to_owned();
    }
    let fake =
        Fake::start(vec![("total_events", Answer::value("0.001")), ("bad_events", Answer::value("0"))]);
    objective.events_min = 2_592.0;
    assert_eq!(check(&objective, &fake).objectives[0].events, Some(2_592.0));
    objective.events_min = 2_593.0;
    assert_eq!(check(&objective, &fake).objectives[0].reason, Some("no_data.insufficient"));
}

#[test]
fn a_prometheus_that_is_silent_is_not_waited_for_again_and_again() {
    let fake = Fake::start(vec![("", Answer::Waits)]);
    let objectives = vec![cases().objectives[0].objective(); 40];
    let report = check_all(&objectives, &fake.url(), Credentials::None);
    assert_eq!(report.meta.error_count, 40);
    assert!(report.objectives.iter().all(|line| line.reason == Some("error.unreachable")));
    assert!(fake.asked().len() <= 16, "{}", fake.asked().len());
}

#[test]
fn nobody_there_is_unreachable() {
    let fake = Fake::start(Vec::new());
    let url = fake.url();
    drop(fake);
    let report = check_with(&cases().objectives[0].objective(), &url, Credentials::None);
    assert_eq!(report.objectives[0].reason, Some("error.unreachable"));
    assert!(!report.objectives[0].detail.contains("total_events"), "{}", report.objectives[0].detail);
}

#[test]
fn a_token_is_shown_and_read_again_and_its_absence_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let case = cases().objectives.remove(0);
    let fake = Fake::start(case.answers());
    let check = || check_with(&case.objective(), &fake.url(), Credentials::BearerFile(file.clone()));
    for token in ["first\n", "second"] {
        std::fs::write(&file, token).unwrap();
        check();
    }
    let shown: Vec<String> = fake.asked().iter().map(|asked| asked["authorization"].clone()).collect();
    assert_eq!(shown, ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(check().objectives[0].reason, Some("error.auth"));
}

fn state(name: &str) -> State {
    let no_data =
        NoDataReason::ALL.iter().find(|reason| reason.as_str() == name).map(|reason| State::NoData(*reason));
    let error =
        ErrorReason::ALL.iter().find(|reason| reason.as_str() == name).map(|reason| State::Error(*reason));
    match name {
        "ok" => State::Ok,
        "violated" => State::Violated,
        _ => no_data.or(error).unwrap_or_else(|| panic!("{name} is no state")),
    }
}

#[test]
fn every_run_comes_to_what_the_table_says() {
    for run in cases().runs {
        let weights = run.weights.unwrap_or_else(|| vec![1.0; run.of.len()]);
        let results: Vec<_> = run.of.iter().map(|name| state(name)).zip(weights).collect();
        let meta = Meta::of(Timestamp::from_micros(0), &results);
        let when = &run.when;
        assert_eq!(meta.status.as_str(), run.status, "{when}");
        assert_eq!(meta.alerts, run.alerts, "{when}");
        assert_eq!(meta.all_skipped, run.all_skipped.unwrap_or(meta.all_skipped), "{when}");
        assert_eq!(meta.self_failure, run.self_failure.unwrap_or(meta.self_failure), "{when}");
        assert_eq!(meta.health_score, run.health_score.unwrap_or(meta.health_score), "{when}");
        assert!(
            (meta.coverage - run.coverage.unwrap_or(meta.coverage)).abs() < 1e-4,
            "{when}: {}",
            meta.coverage
        );
        assert_eq!(meta.total_count, meta.ok_count + meta.violated_count + meta.skipped_count, "{when}");
        assert_eq!(meta.skipped_count, meta.no_data_count + meta.error_count, "{when}");
    }
}
