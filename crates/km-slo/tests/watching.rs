//! The background job, from the first bad run to the end of the alert.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]
#![allow(clippy::disallowed_methods, reason = "the test is the composition root")]

mod fake;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fake::{Answer, Fake};
use km_model::Timestamp;
use km_slo::{
    Address, Alerting, Alertmanagers, Credentials, Indicator, Objective, Place, Prometheus, Query, Share,
    Sink, State, Telemetry, Watch, Window,
};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::sync::watch;

const INTERVAL: Duration = Duration::from_millis(100);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap())
}

fn objective() -> Objective {
    let ratio = Query { text: "ratio".to_owned(), path: String::new(), line: 1 };
    Objective {
        id: "a/b".to_owned(),
        service: "a".to_owned(),
        name: "b".to_owned(),
        description: String::new(),
        labels: BTreeMap::new(),
        target: 0.9,
        window: Window::parse("30d").unwrap(),
        indicator: Indicator::Raw { ratio, of: Share::Failure },
        weight: 1.0,
        events_min: 0.0,
        alerting: Alerting::default(),
        place: Place { file: String::new(), line: 1 },
    }
}

fn watch_of(prometheus: &Fake, alertmanager: &Fake, directory: &Path) -> Watch {
    fake::set_up();
    let address = |fake: &Fake| Address::parse(&fake.url()).unwrap();
    let prometheus =
        Prometheus::new(&address(prometheus), Credentials::None, Duration::from_secs(1)).unwrap();
    let alertmanagers = Alertmanagers::new(vec![address(alertmanager)]).unwrap();
    Watch {
        objectives: vec![objective()],
        prometheus,
        sink: Some(Sink::new(alertmanagers, "prod").unwrap()),
        remembered: directory.join("slo.json"),
        interval: INTERVAL,
        telemetry: Telemetry::register(&mut Registry::default(), INTERVAL),
        now,
    }
}

/// Waits for the nth time that the Alertmanager is told something, and returns it.
async fn told(alertmanager: &Fake, nth: usize) -> Value {
    for _ in 0..400 {
        if let Some(asked) = alertmanager.asked().get(nth) {
            let alerts: Value = serde_json::from_str(&asked["body"]).unwrap();
            return alerts[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("nothing was told");
}

fn time(alert: &Value, field: &str) -> Timestamp {
    Timestamp::parse(alert[field].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn what_fires_is_told_at_once_and_so_is_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let failing = Answer::Body { status: 401, body: String::new() };
    let prometheus = Fake::start(vec![("ratio", failing)]);
    let alertmanager = Fake::start(vec![("", Answer::Body { status: 200, body: String::new() })]);
    let (latest, mut reports) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let job = watch_of(&prometheus, &alertmanager, directory.path()).keep_running(latest, stopped);
    let job = tokio::spawn(job);

    let fired = told(&alertmanager, 0).await;
    assert!(time(&fired, "endsAt").seconds_since(now()) > 200, "{fired}");
    assert_eq!(
        (fired["labels"]["cluster"].as_str(), fired["labels"]["layer"].as_str()),
        (Some("prod"), Some("governance"))
    );
    assert!(fired["annotations"]["description"].as_str().unwrap().starts_with("a/b: error.auth"), "{fired}");
    assert!(fired["annotations"].as_object().unwrap().values().all(Value::is_string));

    prometheus.answer(vec![("ratio", Answer::value("0.05"))]);
    let ended = told(&alertmanager, 1).await;
    assert!(time(&ended, "endsAt") <= now(), "{ended}");
    assert_eq!((&ended["startsAt"], &ended["labels"]), (&fired["startsAt"], &fired["labels"]));

    let report =
        reports.wait_for(|report| report.as_ref().is_some_and(|report| !report.meta.self_failure)).await;
    assert_eq!(report.unwrap().as_ref().unwrap().objectives[0].state, State::Ok);
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(5), job).await.expect("it stops when it is told to").unwrap();
}
