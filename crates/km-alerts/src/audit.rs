//! What a running Alertmanager does to its alerts, and whether it should.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use crate::UNREADABLE;
use crate::finding::{Finding, Level, Place};
use crate::input::Input;
use crate::lint::{Options, lint};
use crate::version::Version;

/// What one Alertmanager answered.
#[derive(Clone, Debug)]
pub struct Peer {
    /// How findings name it.
    pub name: String,
    /// The body of `GET /api/v2/alerts`, of every state, or why there is none.
    pub alerts: Result<String, String>,
    /// The body of `GET /api/v2/status`, or why there is none.
    pub status: Result<String, String>,
}

/// What is expected of the alerts.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Labels whose value an alert and what inhibits it have to share.
    pub scope: Vec<String>,
    /// Labels that every alert has to carry.
    pub required: Vec<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Audited {
    /// What is wrong, peer by peer.
    pub findings: Vec<Finding>,
    /// Alerts that were looked at.
    pub alerts: usize,
    /// Those of them that are inhibited.
    pub inhibited: usize,
}

#[derive(Debug, Deserialize)]
struct Alert {
    fingerprint: String,
    labels: BTreeMap<String, String>,
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default, rename = "inhibitedBy")]
    inhibited_by: Vec<String>,
    #[serde(default, rename = "silencedBy")]
    silenced_by: Vec<String>,
}

impl Status {
    fn is_active(&self) -> bool {
        self.inhibited_by.is_empty() && self.silenced_by.is_empty()
    }
}

#[derive(Debug, Deserialize)]
struct Running {
    #[serde(rename = "versionInfo")]
    version: VersionInfo,
}

#[derive(Debug, Deserialize)]
struct VersionInfo {
    version: String,
}

/// Looks at what every peer says. `configuration` is the one that they are meant to read.
pub fn audit(peers: &[Peer], expected: &Expected, configuration: Option<&Input>) -> Audited {
    let mut audited = Audited::default();
    let mut versions: BTreeMap<Version, Vec<&str>> = BTreeMap::new();
    for peer in peers {
        match peer.alerts.as_deref().map_err(Clone::clone).and_then(read::<Vec<Alert>>) {
            Ok(alerts) => Look { peer, expected, alerts: &alerts }.into(&mut audited),
            Err(why) => {
                audited.findings.push(say(peer, UNREADABLE, Level::Error, format!("cannot be read: {why}")))
            }
        }
        match peer.status.as_deref().map_err(Clone::clone).and_then(read::<Running>) {
            Ok(running) => match running.version.version.parse() {
                Ok(version) => versions.entry(version).or_default().push(&peer.name),
                Err(_) => {
                    let message = format!("its version `{}` cannot be read", running.version.version);
                    audited.findings.push(say(peer, "AM505", Level::Warning, message));
                }
            },
            Err(why) => {
                audited.findings.push(say(peer, UNREADABLE, Level::Error, format!("cannot be read: {why}")))
            }
        }
    }
    audited.findings.extend(of_versions(&versions, configuration));
    audited
}

fn read<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, String> {
    serde_json::from_str(body)
        .map_err(|error| format!("it answers something else than an Alertmanager: {error}"))
}

fn say(peer: &Peer, code: &'static str, level: Level, message: String) -> Finding {
    let place = Place { file: peer.name.clone(), line: None, column: None };
    Finding { code, level, message, place, help: None }
}

/// The alerts of one peer.
struct Look<'a> {
    peer: &'a Peer,
    expected: &'a Expected,
    alerts: &'a [Alert],
}

impl Look<'_> {
    fn into(self, audited: &mut Audited) {
        audited.alerts += self.alerts.len();
        audited.inhibited += self.alerts.iter().filter(|alert| !alert.status.inhibited_by.is_empty()).count();
        let by_fingerprint: HashMap<&str, &Alert> =
            self.alerts.iter().map(|alert| (alert.fingerprint.as_str(), alert)).collect();
        for alert in self.alerts.iter().filter(|alert| !alert.status.inhibited_by.is_empty()) {
            self.inhibitors(alert, &by_fingerprint, &mut audited.findings);
            self.ancestors(alert, &by_fingerprint, &mut audited.findings);
        }
        self.lacking(&mut audited.findings);
    }

    fn inhibitors(&self, alert: &Alert, known: &HashMap<&str, &Alert>, findings: &mut Vec<Finding>) {
        for fingerprint in &alert.status.inhibited_by {
            let Some(inhibitor) = known.get(fingerprint.as_str()) else {
                let message =
                    format!("{} is inhibited by {fingerprint}, which is not there any longer", shown(alert));
                findings.push(say(self.peer, "AM503", Level::Warning, message));
                continue;
            };
            for label in &self.expected.scope {
                let (mine, theirs) = (alert.labels.get(label), inhibitor.labels.get(label));
                let (level, how) = match (mine, theirs) {
                    (Some(mine), Some(theirs)) if mine == theirs => continue,
                    (None, None) => (Level::Warning, format!("neither carries `{label}`")),
                    (mine, theirs) => {
                        let value = |value: Option<&String>| {
                            value.map_or("nothing".to_owned(), |value| format!("`{value}`"))
                        };
                        (Level::Error, format!("`{label}` is {} and {}", value(mine), value(theirs)))
                    }
                };
                let message = format!("{} is inhibited by {}: {how}", shown(alert), shown(inhibitor));
                findings.push(say(self.peer, "AM501", level, message));
            }
        }
    }

    /// Walks from an inhibited alert to all that inhibit it, and theirs: one of them has to be heard.
    fn ancestors(&self, alert: &Alert, known: &HashMap<&str, &Alert>, findings: &mut Vec<Finding>) {
        let mut waiting: Vec<&str> = alert.status.inhibited_by.iter().map(String::as_str).collect();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(fingerprint) = waiting.pop() {
            if !seen.insert(fingerprint) {
                continue;
            }
            let Some(ancestor) = known.get(fingerprint) else { return };
            if ancestor.status.is_active() {
                return;
            }
            waiting.extend(ancestor.status.inhibited_by.iter().map(String::as_str));
        }
        let message = format!(
            "nobody is told of {}: all that inhibit it are inhibited or silenced themselves",
            shown(alert)
        );
        findings.push(say(self.peer, "AM502", Level::Error, message));
    }

    /// Labels that alerts lack, once for each name of an alert.
    fn lacking(&self, findings: &mut Vec<Finding>) {
        let mut lacking: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for alert in self.alerts {
            let name = alert.labels.get("alertname").map_or("", String::as_str);
            for label in self.expected.required.iter().filter(|label| !alert.labels.contains_key(*label)) {
                *lacking.entry((name, label)).or_default() += 1;
            }
        }
        for ((name, label), count) in lacking {
            let message = format!("{count} alerts `{name}` lack the label `{label}`");
            findings.push(say(self.peer, "AM504", Level::Warning, message));
        }
    }
}

fn shown(alert: &Alert) -> String {
    let name = alert.labels.get("alertname").map_or("", String::as_str);
    format!("`{name}` ({})", alert.fingerprint)
}

/// What the versions mean for each other and for the configuration.
fn of_versions(versions: &BTreeMap<Version, Vec<&str>>, configuration: Option<&Input>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if versions.len() > 1 {
        let each: Vec<String> =
            versions.iter().map(|(version, names)| format!("{} {version}", names.join(" and "))).collect();
        let name = versions.values().flatten().next().copied().unwrap_or_default();
        let place = Place { file: name.to_owned(), line: None, column: None };
        let message = format!("the peers run different versions: {}", each.join(", "));
        findings.push(Finding { code: "AM505", level: Level::Warning, message, place, help: None });
    }
    let (Some(configuration), Some(oldest)) = (configuration, versions.keys().next()) else {
        return findings;
    };
    let options = Options { target_version: Some(*oldest), ..Options::default() };
    let linted = lint(std::slice::from_ref(configuration), &options, &|_| true);
    for finding in linted.findings {
        match finding.code {
            "AM304" => findings.push(Finding { code: "AM505", ..finding }),
            UNREADABLE => findings.push(finding),
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::InputKind;

    /// An alert: its fingerprint, its cluster, and by which alerts and silences it is suppressed.
    fn alert(fingerprint: &str, cluster: &str, inhibited: &[&str], silenced: &[&str]) -> serde_json::Value {
        let mut labels =
            serde_json::json!({ "alertname": fingerprint.to_uppercase(), "severity": "warning" });
        if !cluster.is_empty() {
            labels["cluster"] = cluster.into();
        }
        serde_json::json!({
            "fingerprint": fingerprint, "labels": labels,
            "status": { "state": "x", "inhibitedBy": inhibited, "silencedBy": silenced },
        })
    }

    fn peer(version: &str, alerts: &[serde_json::Value]) -> Peer {
        Peer {
            name: format!("http://am-{version}"),
            alerts: Ok(serde_json::json!(alerts).to_string()),
            status: Ok(serde_json::json!({ "versionInfo": { "version": version } }).to_string()),
        }
    }

    fn found(peers: &[Peer], configuration: Option<&Input>) -> Vec<(&'static str, Level)> {
        let expected = Expected { scope: vec!["cluster".to_owned()], required: vec!["severity".to_owned()] };
        audit(peers, &expected, configuration)
            .findings
            .iter()
            .map(|finding| (finding.code, finding.level))
            .collect()
    }

    #[test]
    fn an_alert_that_its_own_cluster_mutes_is_as_it_should_be() {
        assert_eq!(
            found(&[peer("0.28.0", &[alert("a", "x", &[], &[]), alert("b", "x", &["a"], &[])])], None),
            []
        );
    }

    #[test]
    fn muting_across_clusters_is_found() {
        let across = [alert("a", "x", &[], &[]), alert("b", "y", &["a"], &[])];
        assert_eq!(found(&[peer("0.28.0", &across)], None), [("AM501", Level::Error)]);
        let nowhere = [alert("a", "", &[], &[]), alert("b", "", &["a"], &[])];
        assert_eq!(found(&[peer("0.28.0", &nowhere)], None), [("AM501", Level::Warning)]);
    }

    #[test]
    fn an_incident_that_nobody_hears_of_is_found() {
        let silenced =
            [alert("a", "x", &[], &["s"]), alert("b", "x", &["a"], &[]), alert("c", "x", &["b"], &[])];
        assert_eq!(found(&[peer("0.28.0", &silenced)], None), [("AM502", Level::Error); 2]);
        let circle = [alert("a", "x", &["b"], &[]), alert("b", "x", &["a"], &[])];
        assert_eq!(found(&[peer("0.28.0", &circle)], None), [("AM502", Level::Error); 2]);
        let heard =
            [alert("a", "x", &[], &["s"]), alert("h", "x", &[], &[]), alert("b", "x", &["a", "h"], &[])];
        assert_eq!(found(&[peer("0.28.0", &heard)], None), []);
    }

    #[test]
    fn an_inhibitor_that_is_gone_is_found() {
        assert_eq!(
            found(&[peer("0.28.0", &[alert("b", "x", &["gone"], &[])])], None),
            [("AM503", Level::Warning)]
        );
    }

    #[test]
    fn versions_are_held_against_each_other_and_the_configuration() {
        let text = "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{name: x}]\n";
        let input =
            Input { name: "am.yml".to_owned(), text: Ok(text.to_owned()), kind: InputKind::Configuration };
        assert_eq!(found(&[peer("0.28.0", &[])], Some(&input)), [("AM505", Level::Error)]);
        assert_eq!(found(&[peer("0.31.0", &[])], Some(&input)), []);
        assert_eq!(found(&[peer("0.31.0", &[]), peer("0.30.0", &[])], None), [("AM505", Level::Warning)]);
    }

    #[test]
    fn what_is_no_alertmanager_is_said_to_be_none() {
        let page =
            Peer { name: "x".to_owned(), alerts: Ok("<html>".to_owned()), status: Err("refused".to_owned()) };
        assert_eq!(found(&[page], None), [(UNREADABLE, Level::Error); 2]);
    }
}
