//! A real Alertmanager delivers to km: every alert becomes one incident, and what is over is remembered once,
//! whatever is stopped, killed or sent again in between.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use harness::alerting::{Alertmanager, Prometheus};
use harness::http::{Call, encoded};
use harness::{Place, Server, free_port, items, until};
use rustix::process::Signal;
use serde_json::Value;

/// km and an Alertmanager that delivers to it with a key.
struct Watched {
    place: Place,
    port: u16,
    sender: String,
    reader: String,
    km: Option<Server>,
}

impl Watched {
    fn new() -> Self {
        let place = Place::new();
        let (sender, reader) = (place.key(&["write"]), place.key(&["read"]));
        let mut watched = Self { place, port: free_port(), sender, reader, km: None };
        watched.start_km();
        watched
    }

    fn alertmanager(&self) -> Alertmanager {
        Alertmanager::start(&self.place, &self.km_url(), &self.sender)
    }

    fn peer(&self, name: &str, peer: Option<&Alertmanager>) -> Alertmanager {
        Alertmanager::peer_of(&self.place, name, &self.km_url(), &self.sender, peer)
    }

    fn km_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn start_km(&mut self) {
        self.km = Some(self.place.serve_with(self.port, &[]).with_key(&self.reader));
    }

    fn end_km(&mut self, signal: Signal) {
        self.km.take().unwrap().end(signal);
    }

    fn km(&self) -> &Server {
        self.km.as_ref().unwrap()
    }

    /// The incident of a firing alert, as soon as km knows that it fires.
    fn firing(&self, alertmanager: &Alertmanager, name: &str) -> String {
        until(&format!("{name} fires"), || {
            let (fingerprint, starts_at) = alertmanager.known(name)?;
            let fraction = match starts_at.subsec_millisecond() {
                0 => String::new(),
                millis => format!(".{millis:03}"),
            };
            let incident = format!("AM-{fingerprint}-{}{fraction}", starts_at.as_second());
            (self.chain(&incident)?["status"] == "firing").then_some(incident)
        })
    }

    fn chain(&self, incident: &str) -> Option<Value> {
        let chain = self.km().call(&Call::get(&format!("/v1/incidents/{incident}")));
        (chain.status == 200).then(|| chain.json())
    }

    /// What is remembered of an alert by Path A, as soon as there is something.
    fn remembered(&self, name: &str) -> Vec<Value> {
        let path = format!("/v1/entries?path=incident_resolve&label.alertname={}", encoded(name));
        until(&format!("{name} is remembered"), || {
            let entries = self.km().get(&path)["entries"].clone();
            (!items(&entries).is_empty()).then(|| items(&entries).to_vec())
        })
    }

    /// The promise: one entry of one write, and a chain that shows one alert, over.
    fn assert_once(&self, name: &str, incident: &str) {
        let entries = self.remembered(name);
        assert_eq!(entries.len(), 1, "{entries:#?}");
        assert_eq!((&entries[0]["incident_id"], &entries[0]["revisions"]), (&incident.into(), &1.into()));
        let chain = self.chain(incident).unwrap();
        assert_eq!((&chain["status"], items(&chain["alerts"]).len()), (&"resolved".into(), 1), "{chain:#}");
        assert_eq!(chain["alerts"][0]["labels"]["alertname"], name);
        assert_eq!(items(&self.km().get("/v1/writes")["writes"]).len(), 1, "one write");
    }
}

#[test]
fn an_alert_of_the_api_is_delivered_firing_then_resolved_and_remembered_once() {
    let watched = Watched::new();
    let alertmanager = watched.alertmanager();
    alertmanager.fire("DiskFull");
    let incident = watched.firing(&alertmanager, "DiskFull");
    assert!(items(&watched.km().get("/v1/entries")["entries"]).is_empty(), "nothing while it fires");
    alertmanager.resolve("DiskFull");
    watched.assert_once("DiskFull", &incident);
}

#[test]
fn an_alert_of_amtool_is_delivered_firing_then_resolved_and_remembered_once() {
    let watched = Watched::new();
    let alertmanager = watched.alertmanager();
    alertmanager.amtool(&["alertname=PoolFull", "severity=critical", "--annotation=summary=Pool is full"]);
    let incident = watched.firing(&alertmanager, "PoolFull");
    let end = format!("--end={}", jiff::Timestamp::now());
    alertmanager.amtool(&["alertname=PoolFull", "severity=critical", &end]);
    watched.assert_once("PoolFull", &incident);
}

#[test]
fn what_is_delivered_again_and_again_stays_one_incident() {
    let watched = Watched::new();
    let alertmanager = watched.alertmanager();
    alertmanager.fire("Flood");
    let incident = watched.firing(&alertmanager, "Flood");
    until("it was delivered again", || (alertmanager.delivered() >= 2.0).then_some(()));
    alertmanager.resolve("Flood");
    watched.assert_once("Flood", &incident);
}

#[test]
fn many_alerts_of_one_moment_are_as_many_incidents() {
    let watched = Watched::new();
    let alertmanager = watched.alertmanager();
    let names = ["A", "B", "C", "D", "E"];
    names.iter().for_each(|name| alertmanager.fire(name));
    let mut incidents = names.map(|name| watched.firing(&alertmanager, name)).to_vec();
    names.iter().for_each(|name| alertmanager.resolve(name));
    names.iter().for_each(|name| assert_eq!(watched.remembered(name).len(), 1, "{name}"));
    incidents.sort();
    incidents.dedup();
    assert_eq!(incidents.len(), names.len());
}

#[test]
fn an_alert_that_fires_again_later_is_an_incident_of_its_own() {
    let watched = Watched::new();
    let alertmanager = watched.alertmanager();
    alertmanager.fire("Relapse");
    let first = watched.firing(&alertmanager, "Relapse");
    alertmanager.resolve("Relapse");
    watched.assert_once("Relapse", &first);
    until("it is forgotten", || alertmanager.known("Relapse").is_none().then_some(()));
    alertmanager.fire("Relapse");
    assert_ne!(watched.firing(&alertmanager, "Relapse"), first);
}

#[test]
fn a_stop_between_firing_and_resolved_changes_nothing() {
    assert_once_across(Signal::TERM);
}

#[test]
fn a_kill_between_firing_and_resolved_changes_nothing() {
    assert_once_across(Signal::KILL);
}

/// km is away while the alert ends, and comes back on the same data and port.
fn assert_once_across(signal: Signal) {
    let mut watched = Watched::new();
    let alertmanager = watched.alertmanager();
    alertmanager.fire("Outlived");
    let incident = watched.firing(&alertmanager, "Outlived");
    watched.end_km(signal);
    alertmanager.resolve("Outlived");
    until("a delivery met nobody", || (alertmanager.failed_requests() > 0.0).then_some(()));
    watched.start_km();
    watched.assert_once("Outlived", &incident);
}

#[test]
fn an_alert_that_is_sent_while_km_is_down_arrives_when_it_is_up() {
    let mut watched = Watched::new();
    let alertmanager = watched.alertmanager();
    watched.end_km(Signal::TERM);
    alertmanager.fire("Early");
    until("a delivery met nobody", || (alertmanager.failed_requests() > 0.0).then_some(()));
    watched.start_km();
    let incident = watched.firing(&alertmanager, "Early");
    alertmanager.resolve("Early");
    watched.assert_once("Early", &incident);
}

#[test]
fn a_rule_of_prometheus_that_fires_and_ends_is_remembered_once() {
    let watched = Watched::new();
    let alertmanager = watched.alertmanager();
    let prometheus = Prometheus::start(&watched.place, &alertmanager);
    prometheus.toggle(true);
    let incident = watched.firing(&alertmanager, "Toggled");
    prometheus.toggle(false);
    watched.assert_once("Toggled", &incident);
}

#[test]
fn peers_of_one_cluster_open_one_incident() {
    let watched = Watched::new();
    let one = watched.peer("one", None);
    let two = watched.peer("two", Some(&one));
    until("the peers see each other", || (one.peers() == 2 && two.peers() == 2).then_some(()));
    assert_one_of_two(&watched, [one, two], |[one, two]| one.max(two) >= 1.0);
}

#[test]
fn peers_that_do_not_see_each_other_both_deliver_and_open_one_incident() {
    let watched = Watched::new();
    let peers = [watched.peer("one", None), watched.peer("two", None)];
    assert_one_of_two(&watched, peers, |[one, two]| one.min(two) >= 1.0);
}

/// Two peers hear of an alert, of its start differently, and of its end; `enough` says whose deliveries it takes.
fn assert_one_of_two(watched: &Watched, peers: [Alertmanager; 2], enough: fn([f64; 2]) -> bool) {
    peers.iter().zip([20, 10]).for_each(|(peer, seconds)| peer.fire_since("Shared", seconds));
    let delivered = || peers.each_ref().map(Alertmanager::delivered);
    until("it was delivered", || enough(delivered()).then_some(()));
    let firing = delivered();
    peers.iter().for_each(|peer| peer.resolve("Shared"));
    let more = || [0, 1].map(|peer| delivered()[peer] - firing[peer]);
    until("its end was delivered", || enough(more()).then_some(()));
    let (entries, chain) = (watched.remembered("Shared"), |id: &Value| watched.chain(id.as_str().unwrap()));
    assert_eq!(entries.len(), 1, "{entries:#?}");
    let chain = chain(&entries[0]["incident_id"]).unwrap();
    assert_eq!((&chain["status"], items(&chain["alerts"]).len()), (&"resolved".into(), 1), "{chain:#}");
}

#[test]
fn a_delivery_without_the_key_is_refused_and_keeps_nothing() {
    let watched = Watched::new();
    let stranger = Alertmanager::start(&watched.place, &watched.km_url(), &watched.reader);
    stranger.fire("Foreign");
    until("it was refused", || (stranger.failed_requests() > 0.0).then_some(()));
    assert!(items(&watched.km().get("/v1/writes")["writes"]).is_empty());
}
