//! A real Alertmanager and a real Prometheus, on ports and directories of their own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::http::{Answer, Call};
use super::{Place, free_port, items, until};

const INSTALL: &str =
    "apt-get update && apt-get install -y --no-install-recommends prometheus prometheus-alertmanager patch";

/// A program that is killed when the test ends.
pub(super) struct Daemon {
    child: Child,
    pub(super) host: String,
}

impl Daemon {
    /// Starts `program`, and waits until it says that it is ready.
    pub(super) fn start(place: &Place, name: &str, program: &str, port: u16, arguments: &[String]) -> Self {
        let log = place.path(&format!("{name}.log"));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(place.directory.path());
        let child = installed(
            program,
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn(),
        );
        let mut daemon = Self { child, host: format!("127.0.0.1:{port}") };
        until(&format!("{name} is ready"), || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "{name}: {}", std::fs::read_to_string(&log).unwrap());
            // One that asks for a password is up all the same.
            daemon.get("/-/ready").filter(|ready| matches!(ready.status, 200 | 401))
        });
        daemon
    }

    fn get(&self, path: &str) -> Option<Answer> {
        Call::get(path).send(&self.host)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a tool of the packages to its end: whether it succeeded, and all that it said.
pub fn tool<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> (bool, String) {
    let output = installed(program, Command::new(program).args(arguments).output());
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A missing program fails the test with the line that installs it.
pub(super) fn installed<T>(program: &str, begun: std::io::Result<T>) -> T {
    match begun {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{program} is missing: {INSTALL}"),
        begun => begun.unwrap(),
    }
}

/// An Alertmanager that delivers to km: at once, with what is resolved, and every second again.
pub struct Alertmanager {
    daemon: Daemon,
    cluster: String,
    arguments: Vec<String>,
}

impl Alertmanager {
    /// One that stands alone.
    pub fn start(place: &Place, km_url: &str, key: &str) -> Self {
        Self::peer_of(place, "alertmanager", km_url, key, None)
    }

    /// One more of the same installation. They do not wait for each other, as when the gossip between them is
    /// slow, so that both may deliver.
    pub fn peer_of(place: &Place, name: &str, km_url: &str, key: &str, peer: Option<&Self>) -> Self {
        Self::configured(place, name, &configuration(km_url, key), peer)
    }

    /// One with a configuration of its own.
    pub fn configured(place: &Place, name: &str, configuration: &str, peer: Option<&Self>) -> Self {
        let config = place.file(&format!("{name}.yml"), configuration);
        let (port, gossip) = (free_port(), free_port());
        let cluster = format!("127.0.0.1:{gossip}");
        let mut arguments = vec![
            format!("--config.file={config}"),
            format!("--storage.path={}", place.path(name).display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            format!("--cluster.listen-address={cluster}"),
            "--cluster.peer-timeout=0s".to_owned(),
            "--cluster.settle-timeout=0s".to_owned(),
        ];
        arguments.extend(peer.map(|peer| format!("--cluster.peer={}", peer.cluster)));
        let daemon = Daemon::start(place, name, "prometheus-alertmanager", port, &arguments);
        Self { daemon, cluster, arguments }
    }

    /// Stops it, and starts it again at the same address: it knows of no alert then.
    pub fn started_again(self, place: &Place) -> Self {
        let Self { daemon, cluster, arguments } = self;
        let port = daemon.host.rsplit(':').next().unwrap().parse().unwrap();
        drop(daemon);
        let daemon = Daemon::start(place, "alertmanager-again", "prometheus-alertmanager", port, &arguments);
        Self { daemon, cluster, arguments }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.daemon.host)
    }

    /// How many peers it sees, itself included.
    pub fn peers(&self) -> usize {
        items(&self.get("/api/v2/status")["cluster"]["peers"]).len()
    }

    fn get(&self, path: &str) -> Value {
        self.daemon.get(path).unwrap().expect(200)
    }

    /// Says through the API that alerts fire, or with an end that they are over.
    pub fn tell(&self, alerts: &Value) {
        let answer = Call::post("/api/v2/alerts", alerts.to_string()).send(&self.daemon.host).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub fn fire(&self, name: &str) {
        self.tell(&json!([{"labels": labels(name), "annotations": {"summary": format!("{name} fires")}}]));
    }

    /// As [`Alertmanager::fire`], of an alert that fires for some seconds already.
    pub fn fire_since(&self, name: &str, seconds: i64) {
        let starts_at = Timestamp::now() - SignedDuration::from_secs(seconds);
        self.tell(&json!([{"labels": labels(name), "startsAt": starts_at.to_string()}]));
    }

    /// The labels say which alert is over.
    pub fn resolve(&self, name: &str) {
        self.tell(&json!([{"labels": labels(name), "endsAt": Timestamp::now().to_string()}]));
    }

    /// `amtool alert add` with these arguments.
    pub fn amtool<S: AsRef<OsStr>>(&self, arguments: &[S]) {
        let mut command = Command::new("amtool");
        command.arg(format!("--alertmanager.url={}", self.url())).args(["alert", "add"]).args(arguments);
        let output = installed("amtool", command.output());
        assert!(output.status.success(), "{output:?}");
    }

    /// Every alert that it knows, whatever state it is in.
    pub fn alerts(&self) -> Vec<Value> {
        items(&self.get("/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true")).to_vec()
    }

    /// The alerts that it knows by this name: fingerprint and start.
    pub fn known(&self, name: &str) -> Option<(String, Timestamp)> {
        let alerts = self.get("/api/v2/alerts");
        let alert = items(&alerts).iter().find(|alert| alert["labels"]["alertname"] == name)?;
        let starts_at = alert["startsAt"].as_str()?.parse().ok()?;
        Some((alert["fingerprint"].as_str()?.to_owned(), starts_at))
    }

    /// The whole of an alert that it knows by this name.
    pub fn alert(&self, name: &str) -> Option<Value> {
        let alerts = self.get("/api/v2/alerts");
        items(&alerts).iter().find(|alert| alert["labels"]["alertname"] == name).cloned()
    }

    /// Whether it tells nobody of an alert that it knows.
    pub fn suppresses(&self, name: &str) -> bool {
        self.alert(name).is_some_and(|alert| alert["status"]["state"] == "suppressed")
    }

    /// Deliveries that were answered well.
    pub fn delivered(&self) -> f64 {
        self.figure("alertmanager_notifications_total")
            - self.figure("alertmanager_notifications_failed_total")
    }

    /// Requests that were refused, or met nobody.
    pub fn failed_requests(&self) -> f64 {
        self.figure("alertmanager_notification_requests_failed_total")
    }

    fn figure(&self, name: &str) -> f64 {
        let page = self.daemon.get("/metrics").unwrap();
        let start = format!("{name}{{integration=\"webhook\"}} ");
        page.body.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or_default()
    }
}

fn labels(name: &str) -> Value {
    json!({"alertname": name, "severity": "critical", "cluster": "prod"})
}

fn configuration(km_url: &str, key: &str) -> String {
    format!(
        "route:
  receiver: km
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1s
inhibit_rules:
- source_matchers: [alertname=\"Inhibitor\"]
  target_matchers: [alertname=\"Inhibited\"]
receivers:
- name: km
  webhook_configs:
  - url: {km_url}/v1/webhooks/alertmanager
    send_resolved: true
    http_config:
      authorization:
        type: Bearer
        credentials: {key}
"
    )
}

/// A Prometheus with one rule, `Toggled`, that fires or does not.
pub struct Prometheus {
    daemon: Daemon,
    rules: std::path::PathBuf,
}

impl Prometheus {
    /// One whose rule does not fire yet.
    pub fn start(place: &Place, alertmanager: &Alertmanager) -> Self {
        let port = free_port();
        let target = &alertmanager.daemon.host;
        let config = place.file(
            "prometheus.yml",
            &format!(
                "global: {{evaluation_interval: 200ms, external_labels: {{region: eu}}}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - static_configs: [{{targets: ['{target}']}}]
"
            ),
        );
        let rules = place.file("rules.yml", &rule(false)).into();
        let arguments = [
            format!("--config.file={config}"),
            format!("--storage.tsdb.path={}", place.path("prometheus").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--rules.alert.resend-delay=1s".to_owned(),
        ];
        Self { daemon: Daemon::start(place, "prometheus", "prometheus", port, &arguments), rules }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.daemon.host)
    }

    /// Changes the rule and has the configuration read again.
    pub fn toggle(&self, fires: bool) {
        std::fs::write(&self.rules, rule(fires)).unwrap();
        kill_process(Pid::from_child(&self.daemon.child), Signal::HUP).unwrap();
    }
}

fn rule(fires: bool) -> String {
    let value = u8::from(fires);
    format!(
        "groups:
- name: of a test
  rules:
  - alert: Toggled
    expr: vector({value}) > 0
    labels: {{severity: critical}}
    annotations: {{summary: 'The toggle is on'}}
"
    )
}
