//! The background job: it evaluates every objective at its interval, remembers, publishes, and tells the
//! Alertmanagers when it cannot do its work.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use km_model::Timestamp;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use crate::alarm::{Alarm, RESEND_SECONDS, Told};
use crate::alertmanager::{Alert, Alertmanagers};
use crate::evaluate::State;
use crate::history::History;
use crate::objective::Objective;
use crate::prometheus::Prometheus;
use crate::report::{Report, SELF_FAILURE};
use crate::telemetry::Telemetry;

/// Objectives that an alert names at most.
const NAMED_MAX: usize = 10;

/// The last report, once there is one.
pub type Latest = watch::Receiver<Option<Arc<Report>>>;

/// What the job is made of.
pub struct Watch {
    /// What is watched.
    pub objectives: Vec<Objective>,
    /// Whom to ask.
    pub prometheus: Prometheus,
    /// Whom to tell; none where nobody is configured.
    pub sink: Option<Sink>,
    /// The file that outlives the process.
    pub remembered: PathBuf,
    /// Time between the beginnings of two runs.
    pub interval: Duration,
    /// The metrics.
    pub telemetry: Telemetry,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

/// Whom to tell, and as whom.
pub struct Sink {
    alertmanagers: Alertmanagers,
    cluster: String,
}

/// An alert without a cluster would look like one of every cluster, and mute or be muted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("alerts need the name of the cluster that km runs in")]
pub struct NoCluster;

impl Sink {
    /// A sink that speaks for `cluster`.
    ///
    /// # Errors
    /// [`NoCluster`] when the name is empty.
    pub fn new(alertmanagers: Alertmanagers, cluster: &str) -> Result<Self, NoCluster> {
        let cluster = cluster.trim();
        if cluster.is_empty() {
            Err(NoCluster)
        } else {
            Ok(Self { alertmanagers, cluster: cluster.to_owned() })
        }
    }
}

impl Watch {
    /// Runs until `stopped` says so, and publishes each report.
    pub async fn keep_running(
        self,
        latest: watch::Sender<Option<Arc<Report>>>,
        stopped: watch::Receiver<bool>,
    ) {
        let mut stopped = stopped;
        tokio::select! {
            () = self.run_forever(latest) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Telling does not wait for looking, which takes long when Prometheus is slow: an alert that is not told again in
    /// time ends.
    async fn run_forever(&self, latest: watch::Sender<Option<Arc<Report>>>) {
        if self.sink.is_none() {
            info!("no Alertmanager is configured: that km cannot look is told by its metrics alone");
        }
        let mut history = self.recall();
        let (tell, told) = watch::channel((*history.alarm(), None));
        let looking = async {
            let mut ticks = interval(self.interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let report = self.run(&mut history).await;
                let before = latest.borrow().as_ref().map(|report: &Arc<Report>| report.meta.status);
                if before != Some(report.meta.status) {
                    say(&report);
                }
                latest.send_replace(Some(report.clone()));
                tell.send_replace((*history.alarm(), Some(report)));
            }
        };
        tokio::select! {
            () = looking => {}
            () = self.keep_telling(told) => {}
        }
    }

    /// Tells what fires once a minute, and at once when that changes.
    async fn keep_telling(&self, mut told: watch::Receiver<(Alarm, Option<Arc<Report>>)>) {
        let mut ticks = interval(Duration::from_secs(RESEND_SECONDS.unsigned_abs()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut firing = told.borrow().0.is_firing();
        loop {
            let changed = told.wait_for(|(alarm, _)| alarm.is_firing() != firing);
            tokio::select! {
                _ = ticks.tick() => {}
                Ok(_) = changed => ticks.reset(),
            }
            let (alarm, report) = told.borrow().clone();
            firing = alarm.is_firing();
            self.tell(alarm, report.as_deref()).await;
        }
    }

    /// What was remembered. A damaged file costs the trend and the hysteresis, and nothing else.
    fn recall(&self) -> History {
        History::read(&self.remembered).unwrap_or_else(|error| {
            let file = self.remembered.display();
            warn!(%file, error = &error as &dyn Error, "the history of the objectives cannot be read; it begins anew");
            History::default()
        })
    }

    async fn run(&self, history: &mut History) -> Arc<Report> {
        let mut report = self.prometheus.check(&self.objectives, (self.now)()).await;
        history.record(&report);
        history.put_trends(&mut report);
        self.remember(history.clone()).await;
        self.telemetry.ran(&report, (self.now)());
        Arc::new(report)
    }

    async fn remember(&self, history: History) {
        let path = self.remembered.clone();
        let written = spawn_blocking(move || history.write(&path)).await;
        if let Err(error) = written.map_err(io::Error::other).flatten() {
            let file = self.remembered.display();
            error!(%file, error = &error as &dyn Error, "the history of the objectives cannot be written");
        }
    }

    async fn tell(&self, alarm: Alarm, report: Option<&Report>) {
        let Some(sink) = &self.sink else { return };
        let Some(told) = alarm.told((self.now)()) else { return };
        let untold = sink.alertmanagers.tell(&[self_failure(&sink.cluster, told, report)]).await;
        self.telemetry.untold(untold);
    }
}

/// A line for every change; what stays as it is stands in the metrics.
fn say(report: &Report) {
    let meta = &report.meta;
    info!(
        status = meta.status.as_str(),
        ok = meta.ok_count,
        violated = meta.violated_count,
        no_data = meta.no_data_count,
        error = meta.error_count,
        "the objectives were evaluated"
    );
}

fn self_failure(cluster: &str, told: Told, report: Option<&Report>) -> Alert {
    let labels = [
        ("alertname", SELF_FAILURE),
        ("cluster", cluster),
        ("component", "km-slo"),
        ("layer", "governance"),
        ("protected", "true"),
        ("severity", "critical"),
    ];
    let mut annotations = BTreeMap::from([
        ("summary", "km cannot tell whether objectives are kept".to_owned()),
        (
            "description",
            report
                .map_or_else(|| "km has just started; its next run says what failed.".to_owned(), described),
        ),
    ]);
    if let Some(report) = report {
        annotations.insert("error_count", report.meta.error_count.to_string());
        annotations.insert("total_count", report.meta.total_count.to_string());
    }
    Alert {
        labels: labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
        annotations,
        starts_at: told.starts_at,
        ends_at: told.ends_at,
    }
}

/// Which objectives failed, and why.
fn described(report: &Report) -> String {
    if report.meta.total_count == 0 {
        return "No objectives are configured.".to_owned();
    }
    let failed: Vec<String> = report
        .objectives
        .iter()
        .filter(|line| matches!(line.state, State::Error(_)))
        .map(|line| format!("{}: {} ({})", line.slo, line.reason.unwrap_or_default(), line.detail))
        .collect();
    if failed.is_empty() {
        return "Every objective can be looked at again.".to_owned();
    }
    let mut text = failed.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
    if failed.len() > NAMED_MAX {
        text += &format!("; and {} more", failed.len() - NAMED_MAX);
    }
    text
}
