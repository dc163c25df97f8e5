//! How Alertmanagers are told.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod fake;

use std::collections::BTreeMap;

use fake::{Answer, Fake};
use km_model::Timestamp;
use km_slo::{Address, Alert, Alertmanagers, NoCluster, Sink};
use serde_json::Value;

fn alert(name: &str) -> Alert {
    Alert {
        labels: BTreeMap::from([("alertname", name.to_owned())]),
        annotations: BTreeMap::new(),
        starts_at: Timestamp::from_micros(0),
        ends_at: Timestamp::from_micros(60_000_000),
    }
}

fn taking(status: u16) -> Fake {
    Fake::start(vec![("", Answer::Body { status, body: String::new() })])
}

/// Tells these peers, and returns how many did not take everything.
fn tell(peers: &[&str], alerts: &[Alert]) -> usize {
    fake::set_up();
    let peers = peers.iter().map(|url| Address::parse(url).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Alertmanagers::new(peers).unwrap().tell(alerts))
}

/// The names of the alerts in each request.
fn heard(fake: &Fake) -> Vec<Vec<String>> {
    let names = |body: &String| {
        let alerts: Vec<Value> = serde_json::from_str(body).unwrap();
        alerts.iter().map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    };
    fake.asked().iter().map(|asked| names(&asked["body"])).collect()
}

#[test]
fn every_peer_is_told_though_one_is_away() {
    let (one, two, away) = (taking(200), taking(200), taking(200));
    let gone = away.url();
    drop(away);
    assert_eq!(tell(&[&one.url(), &gone, &two.url()], &[alert("a")]), 1);
    for peer in [&one, &two] {
        assert_eq!(heard(peer), [["a"]]);
        assert_eq!(peer.asked()[0]["path"], "/api/v2/alerts");
    }
}

#[test]
fn a_batch_that_is_refused_is_told_one_by_one() {
    let peer = taking(400);
    assert_eq!(tell(&[&peer.url()], &[alert("a"), alert("b")]), 1);
    assert_eq!(heard(&peer), [vec!["a", "b"], vec!["a"], vec!["b"]]);
}

#[test]
fn what_is_refused_for_another_reason_is_not_told_again_at_once() {
    let peer = taking(500);
    assert_eq!(tell(&[&peer.url()], &[alert("a"), alert("b")]), 1);
    assert_eq!(heard(&peer), [["a", "b"]]);
}

#[test]
fn a_login_in_front_of_a_peer_is_not_taken_for_the_peer() {
    let page = Fake::start(vec![("", Answer::Page)]);
    assert_eq!(tell(&[&page.url()], &[alert("a")]), 1);
    assert_eq!(tell(&[&taking(302).url()], &[alert("a")]), 1);
}

#[test]
fn times_and_figures_are_texts() {
    let peer = taking(200);
    assert_eq!(tell(&[&peer.url()], &[alert("a")]), 0);
    let alerts: Value = serde_json::from_str(&peer.asked()[0]["body"]).unwrap();
    assert_eq!(alerts[0]["startsAt"], "1970-01-01T00:00:00Z");
    assert_eq!(alerts[0]["endsAt"], "1970-01-01T00:01:00Z");
}

#[test]
fn nobody_speaks_for_no_cluster() {
    fake::set_up();
    let alertmanagers = || Alertmanagers::new(Vec::new()).unwrap();
    assert_eq!(Sink::new(alertmanagers(), " ").err(), Some(NoCluster));
    assert!(Sink::new(alertmanagers(), "prod-eu").is_ok());
}
