//! km asks a real Alertmanager and a real Prometheus what their webhooks did not tell it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use harness::alerting::{Alertmanager, Prometheus};
use harness::http::{Call, encoded};
use harness::{Place, Server, free_port, items, until};
use rustix::process::Signal;
use serde_json::Value;

/// km, which an Alertmanager delivers to and which asks its sources every second.
struct Asking {
    place: Place,
    port: u16,
    sender: String,
    reader: String,
    km: Option<Server>,
}

impl Asking {
    fn new() -> Self {
        let place = Place::new();
        let (sender, reader) = (place.key(&["write"]), place.key(&["read"]));
        Self { place, port: free_port(), sender, reader, km: None }
    }

    fn alertmanager(&self) -> Alertmanager {
        Alertmanager::start(&self.place, &format!("http://127.0.0.1:{}", self.port), &self.sender)
    }

    /// An Alertmanager whose deliveries reach nobody.
    fn mute(&self) -> Alertmanager {
        Alertmanager::start(&self.place, &format!("http://127.0.0.1:{}", free_port()), &self.sender)
    }

    /// Starts km with one source.
    fn start(&mut self, source: &str) {
        let config = self.place.file("sources.toml", &format!("[[sources]]\nname = \"prod\"\n{source}"));
        let settings = [("KM_CONFIG", config.as_str()), ("KM__RECONCILE__SOURCES__INTERVAL", "1s")];
        self.km = Some(self.place.serve_with(self.port, &settings).with_key(&self.reader));
    }

    fn stop(&mut self) {
        self.km.take().unwrap().end(Signal::TERM);
    }

    fn km(&self) -> &Server {
        self.km.as_ref().unwrap()
    }

    /// The last run of the job, as soon as there is one that looks so.
    fn run(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        until(what, || {
            let jobs = self.km().get("/v1/reconcilers");
            let job = items(&jobs["reconcilers"]).iter().find(|job| job["name"] == "sources")?.clone();
            good(&job["last"]).then(|| job["last"].clone())
        })
    }

    /// Waits for so many runs from now on.
    fn runs(&self, count: usize) {
        let mut last = Value::Null;
        for _ in 0..count {
            last = self.run("one run more", |run| !run.is_null() && run["at"] != last)["at"].clone();
        }
    }

    /// The only entry of an alert, as soon as there is one.
    fn remembered(&self, name: &str) -> Value {
        let path = format!("/v1/entries?path=incident_resolve&label.alertname={}", encoded(name));
        let entries = until(&format!("{name} is remembered"), || {
            let entries = self.km().get(&path)["entries"].clone();
            (!items(&entries).is_empty()).then_some(entries)
        });
        assert_eq!(items(&entries).len(), 1, "{entries:#}");
        entries[0].clone()
    }

    fn chain(&self, incident: &str) -> Option<Value> {
        let chain = self.km().call(&Call::get(&format!("/v1/incidents/{incident}")));
        (chain.status == 200).then(|| chain.json())
    }

    /// The incident of an alert that fires, as soon as km knows of it.
    fn firing(&self, alertmanager: &Alertmanager, name: &str) -> String {
        until(&format!("{name} fires"), || {
            let (fingerprint, starts_at) = alertmanager.known(name)?;
            let millis = starts_at.subsec_millisecond();
            let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
            let incident = format!("AM-{fingerprint}-{}{fraction}", starts_at.as_second());
            (self.chain(&incident)?["status"] == "firing").then_some(incident)
        })
    }
}

fn peers(alertmanagers: &[&Alertmanager]) -> String {
    let urls: Vec<String> = alertmanagers.iter().map(|one| format!("{:?}", one.url())).collect();
    format!("alertmanagers = [{}]\n", urls.join(", "))
}

#[test]
fn what_fired_and_ended_while_km_was_down_is_an_incident_with_its_resolution_and_provenance() {
    let mut asking = Asking::new();
    let alertmanager = asking.alertmanager();
    let prometheus = Prometheus::start(&asking.place, &alertmanager);
    let source = format!("{}prometheus = {:?}\n", peers(&[&alertmanager]), prometheus.url());
    asking.start(&source);
    asking.run("the sources were asked", |run| run["ok"] == true);
    asking.stop();
    prometheus.toggle(true);
    let (fingerprint, _) = until("it fires", || alertmanager.known("Toggled"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    prometheus.toggle(false);
    until("it is over, and forgotten", || alertmanager.known("Toggled").is_none().then_some(()));
    asking.start(&source);
    let entry = asking.remembered("Toggled");
    let incident = entry["incident_id"].as_str().unwrap();
    assert!(incident.starts_with(&format!("AM-{fingerprint}-")), "{incident}, and not {fingerprint}");
    assert_eq!(entry["metadata"]["provenance"], "reconciled", "{entry:#}");
    assert_eq!(entry["metadata"]["end_provenance"], "reconciled");
    let chain = asking.chain(incident).unwrap();
    let alert = &chain["alerts"][0];
    assert_eq!((&chain["status"], items(&chain["alerts"]).len()), (&"resolved".into(), 1), "{chain:#}");
    assert_eq!(
        (&alert["provenance"], &alert["end_provenance"]),
        (&"reconciled".into(), &"reconciled".into())
    );
    assert_eq!((&alert["fingerprint"], &alert["labels"]["region"]), (&fingerprint.into(), &"eu".into()));
    assert!(alert["ends_at"].as_str() < alert["ends_by"].as_str(), "{alert:#}");
    let metrics = asking.km().call(&Call::get("/metrics")).body;
    assert!(metrics.contains("km_reconcile_runs_total{reconciler=\"sources\",result=\"ok\"}"), "{metrics}");
}

#[test]
fn what_no_webhook_delivers_is_known_by_asking_and_its_end_is_observed() {
    let mut asking = Asking::new();
    let alertmanager = asking.mute();
    asking.start(&format!("{}absent-for = \"2s\"\n", peers(&[&alertmanager])));
    alertmanager.fire("Unheard");
    let incident = asking.firing(&alertmanager, "Unheard");
    let alert = asking.chain(&incident).unwrap()["alerts"][0].clone();
    assert_eq!((&alert["provenance"], &alert["end_provenance"]), (&"reconciled".into(), &Value::Null));
    alertmanager.resolve("Unheard");
    let entry = asking.remembered("Unheard");
    assert_eq!(
        (&entry["incident_id"], &entry["metadata"]["end_provenance"]),
        (&incident.into(), &"observed".into())
    );
}

#[test]
fn one_alert_by_webhook_and_by_asking_is_one_incident() {
    let mut asking = Asking::new();
    let alertmanager = asking.alertmanager();
    asking.start(&peers(&[&alertmanager]));
    alertmanager.fire("Twice");
    let incident = asking.firing(&alertmanager, "Twice");
    asking.runs(3);
    until("it was delivered", || (alertmanager.delivered() >= 1.0).then_some(()));
    alertmanager.resolve("Twice");
    let entry = asking.remembered("Twice");
    assert_eq!(entry["incident_id"].as_str(), Some(incident.as_str()), "{entry:#}");
    asking.runs(2);
    let chain = asking.chain(&incident).unwrap();
    assert_eq!((&chain["status"], items(&chain["alerts"]).len()), (&"resolved".into(), 1), "{chain:#}");
    assert_eq!(chain["alerts"][0]["end_provenance"], "delivered");
    assert_eq!(asking.remembered("Twice")["revisions"], 1);
}

#[test]
fn an_alert_that_alertmanager_forgot_is_over_as_observed() {
    let mut asking = Asking::new();
    let alertmanager = asking.alertmanager();
    asking.start(&format!("{}absent-for = \"2s\"\n", peers(&[&alertmanager])));
    alertmanager.fire("Forgotten");
    let incident = asking.firing(&alertmanager, "Forgotten");
    asking.runs(2);
    let alertmanager = alertmanager.started_again(&asking.place);
    assert!(alertmanager.known("Forgotten").is_none());
    let entry = asking.remembered("Forgotten");
    let chain = asking.chain(&incident).unwrap();
    let alert = &chain["alerts"][0];
    assert_eq!(
        (&chain["status"], &alert["provenance"]),
        (&"resolved".into(), &"delivered".into()),
        "{chain:#}"
    );
    assert_eq!(
        (&alert["end_provenance"], &entry["metadata"]["end_provenance"]),
        (&"observed".into(), &"observed".into())
    );
    assert!(alert["ends_at"].as_str() < alert["ends_by"].as_str(), "{alert:#}");
    assert!(entry["content"].as_str().unwrap().contains("ended: between"), "{entry:#}");
}

#[test]
fn nothing_is_over_while_an_alertmanager_does_not_answer() {
    let mut asking = Asking::new();
    let (one, two) =
        (asking.alertmanager(), Alertmanager::peer_of(&asking.place, "two", "http://127.0.0.1:9", "x", None));
    asking.start(&format!("{}absent-for = \"1s\"\n", peers(&[&one, &two])));
    one.fire("Kept");
    let incident = asking.firing(&one, "Kept");
    asking.runs(2);
    drop(two);
    let one = one.started_again(&asking.place);
    assert!(one.known("Kept").is_none());
    let told = asking.run("it is told", |run| run["ok"] == false);
    assert!(told["report"].as_str().unwrap().contains("1 of 2 Alertmanagers answered"), "{told}");
    asking.runs(5);
    assert_eq!(asking.chain(&incident).unwrap()["status"], "firing");
}

#[test]
fn what_ends_while_it_is_inhibited_is_over_as_observed() {
    let mut asking = Asking::new();
    let alertmanager = asking.alertmanager();
    asking.start(&format!("{}absent-for = \"2s\"\n", peers(&[&alertmanager])));
    alertmanager.fire("Inhibited");
    let incident = asking.firing(&alertmanager, "Inhibited");
    until("it was delivered", || (alertmanager.delivered() >= 1.0).then_some(()));
    alertmanager.fire("Inhibitor");
    until("it is inhibited", || alertmanager.suppresses("Inhibited").then_some(()));
    asking.runs(4);
    assert_eq!(asking.chain(&incident).unwrap()["status"], "firing", "what is inhibited is not over");
    alertmanager.resolve("Inhibited");
    let entry = asking.remembered("Inhibited");
    assert_eq!(entry["incident_id"].as_str(), Some(incident.as_str()));
    assert_eq!(entry["metadata"]["end_provenance"], "observed");
    assert_eq!(entry["metadata"].get("provenance"), None, "its start was delivered");
}
