//! Asks the monitoring systems what their webhooks did not deliver.
//!
//! Alertmanager never tells of an alert that fired and was resolved while nobody listened, nor of the end of one that
//! was inhibited by then, nor of what it forgot in a restart. So every run
//!
//! 1. asks each Alertmanager of each source what fires,
//! 2. reads from Prometheus what fired while nobody asked: at the start, and after a pause of more than two intervals,
//! 3. takes in what fires and is not open here, as an ordinary delivery,
//! 4. concludes that an open alert is over when its source does not show it any more: in two runs or more, for longer
//!    than [`SourceLimits::absent_for`], each of which had an answer from every Alertmanager of the source.
//!
//! An alert belongs to a source when a run was shown it there, or when it carries the labels that the source owns by
//! its configuration. Others are left alone: a webhook may send what no source is configured for. Two sources that
//! were shown one alert have to agree that it is over.
//!
//! A run depends on the store, on the answers, and on the time it is given, so whoever runs several of them has only
//! to decide whose turn it is.

mod note;
mod periods;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use km_model::{Alert, AlertNotice, AlertStatus, Fingerprint, Provenance, TenantId, Timestamp};
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::{Reconcile, ReconcileError};
use crate::port::{Monitor, Sources};
use crate::{Clock, Delivery, Intake};
use note::{Absence, Note, Shown};
use periods::{Periods, later};

/// Runs in a row that must not see an open alert before it is taken as over.
const ABSENT_RUNS_MIN: u32 = 2;
/// Looks at the past that one question asks for; fewer after an answer that is too large.
const WINDOW_LOOKS: i64 = 720;
/// The shortest time between two looks, in microseconds.
const STEP_MIN: i64 = 1_000_000;
/// How far a run goes back for something that fires in Prometheus and in no Alertmanager, in microseconds.
const HOLD: i64 = 600 * 1_000_000;
/// Notices of one delivery.
const NOTICES_MAX: usize = 200;
/// Open alerts that are read at once, and of one tenant in all.
const OPEN_PAGE: usize = 1_000;
const OPEN_MAX: usize = 50_000;

/// A monitoring system that is asked.
#[derive(Clone)]
pub struct Source {
    /// Its name, under which its note is kept.
    pub name: String,
    /// Whose alerts they are.
    pub tenant: TenantId,
    /// An open alert with all of these labels is this source's, also when no run was shown it. None owns nothing.
    pub owns: BTreeMap<String, String>,
    /// Bounds in time.
    pub limits: SourceLimits,
    /// How it is asked.
    pub monitor: Arc<dyn Monitor>,
}

/// Bounds in time of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// An open alert is over when it is absent for longer.
    pub absent_for: Duration,
    /// How far back Prometheus is asked at most.
    pub look_back: Duration,
    /// The longest time between two looks at the past: a short past is looked at more often, down to every second.
    /// What fires for less may be missed.
    pub step: Duration,
}

/// Reconciles what km knows of alerts with what their sources know.
pub struct SourceReconciler {
    sources: Vec<Source>,
    store: Arc<dyn Sources>,
    intake: Intake,
    clock: Arc<dyn Clock>,
    every: Duration,
    /// Whether a run of this process read the past already.
    caught_up: AtomicBool,
    /// One run at a time.
    turn: Mutex<()>,
}

/// A source in the course of a run.
struct Asked<'a> {
    source: &'a Source,
    note: Note,
    firing: BTreeMap<Fingerprint, AlertNotice>,
    /// Whether every Alertmanager answered.
    whole: bool,
    answers: (usize, usize),
    failures: Vec<String>,
    open: Vec<Alert>,
    taken_in: usize,
    from_history: usize,
    concluded: usize,
}

impl SourceReconciler {
    /// A reconciler that runs `every` so often, or less often when it is held up.
    pub fn new(
        sources: Vec<Source>,
        store: Arc<dyn Sources>,
        intake: Intake,
        clock: Arc<dyn Clock>,
        every: Duration,
    ) -> Self {
        let (caught_up, turn) = (AtomicBool::new(false), Mutex::new(()));
        Self { sources, store, intake, clock, every, caught_up, turn }
    }

    /// One run, as of `now`. Returns what it did, in words.
    ///
    /// # Errors
    /// The store's failure, after which the next run does all of it again; or [`ReconcileError::Sources`] when a
    /// source could not be asked, after everything else was done.
    pub async fn reconcile_once(&self, now: Timestamp) -> Result<String, ReconcileError> {
        let first = !self.caught_up.load(Ordering::Relaxed);
        let mut run = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let mut asked = self.ask(source).await?;
            if self.is_behind(&asked, first, now) {
                self.catch_up(&mut asked, now).await?;
            } else if asked.whole {
                asked.note.cursor = Some(now);
            }
            self.take_in_what_fires(&mut asked).await?;
            asked.note_what_was_shown(now);
            run.push(asked);
        }
        self.conclude(&mut run, now).await?;
        for asked in &run {
            let text = asked.note.text().map_err(|error| ReconcileError::Sources(error.to_string()))?;
            self.store.keep_source_note(&asked.source.name, &text).await?;
        }
        self.caught_up.store(true, Ordering::Relaxed);
        told(&run)
    }

    async fn ask<'a>(&self, source: &'a Source) -> Result<Asked<'a>, ReconcileError> {
        let note = self.store.source_note(&source.name).await?;
        let mut asked = Asked::of(source, note.as_deref().and_then(Note::read).unwrap_or_default());
        for answer in source.monitor.firing().await {
            asked.answers.1 += 1;
            match answer {
                Ok(alerts) => {
                    asked.answers.0 += 1;
                    alerts.into_iter().for_each(|alert| asked.add(alert));
                }
                Err(error) => asked.failures.push(error.to_string()),
            }
        }
        asked.whole = asked.answers.0 == asked.answers.1;
        Ok(asked)
    }

    /// Whether something may have fired and ended that no run has seen.
    fn is_behind(&self, asked: &Asked<'_>, first: bool, now: Timestamp) -> bool {
        let pause = 2 * micros(self.every);
        let late = asked.note.cursor.is_none_or(|cursor| later(cursor, pause) < now);
        asked.source.monitor.remembers() && (first || asked.note.unsettled || late)
    }

    /// Reads the past from where the source was known last, window by window, and takes in what is over.
    async fn catch_up(&self, asked: &mut Asked<'_>, now: Timestamp) -> Result<(), ReconcileError> {
        let limits = asked.source.limits;
        // A little of what is known is read again, since clocks differ.
        let from = asked.read_from(later(now, -micros(limits.look_back)), micros(self.every));
        let step = step_of(from, now, micros(limits.step));
        let mut periods = Periods::new(step);
        let mut at = aligned(from, step);
        let last = aligned(now, step);
        let mut looks = WINDOW_LOOKS;
        asked.note.unsettled = true;
        while at <= last {
            let through = later(at, (looks - 1) * step).min(last);
            match asked.source.monitor.history(at, through, duration(step)).await {
                Ok(series) => {
                    let mut over = periods.add(series, through);
                    over.retain(|notice| !asked.contradicts(notice));
                    asked.from_history += self.take_in(asked.source, over).await?;
                    let since = periods.going_on().map(|(_, since)| since).min();
                    asked.note.cursor = Some(since.map_or(through, |since| since.min(through)));
                    at = later(through, step);
                }
                Err(error) if error.too_large && looks > 1 => looks /= 2,
                Err(error) => {
                    asked.failures.push(error.to_string());
                    return Ok(());
                }
            }
        }
        asked.settle(&periods, last);
        Ok(())
    }

    async fn take_in_what_fires(&self, asked: &mut Asked<'_>) -> Result<(), ReconcileError> {
        let (open, all) = self.open_alerts(&asked.source.tenant).await?;
        if !all {
            asked.whole = false;
            asked.failures.push(format!("more than {OPEN_MAX} alerts are open: none is taken as over"));
        }
        let mut missing = asked.firing.clone();
        open.iter().for_each(|alert| drop(missing.remove(&alert.fingerprint)));
        asked.open = open;
        asked.taken_in = self.take_in(asked.source, missing.into_values().collect()).await?;
        Ok(())
    }

    /// What is open of a tenant, and whether that is all.
    async fn open_alerts(&self, tenant: &TenantId) -> Result<(Vec<Alert>, bool), ReconcileError> {
        let mut open: Vec<Alert> = Vec::new();
        while open.len() < OPEN_MAX {
            let after = open.last().map(|last| (last.fingerprint.clone(), last.starts_at));
            let page = self.store.open_alerts(tenant, after, OPEN_PAGE).await?;
            let ended = page.len() < OPEN_PAGE;
            open.extend(page);
            if ended {
                return Ok((open, true));
            }
        }
        Ok((open, false))
    }

    async fn take_in(&self, source: &Source, notices: Vec<AlertNotice>) -> Result<usize, ReconcileError> {
        for alerts in notices.chunks(NOTICES_MAX) {
            let delivery = Delivery { alerts: alerts.to_vec(), ..Delivery::default() };
            self.intake.take_in(&source.tenant, delivery).await?;
        }
        Ok(notices.len())
    }

    /// Takes open alerts as over that every source they belong to has lost.
    async fn conclude(&self, run: &mut [Asked<'_>], now: Timestamp) -> Result<(), ReconcileError> {
        for nth in 0..run.len() {
            let source = run[nth].source;
            let lost = |alert: &Alert| lost(&source.tenant, alert, run, now);
            let over: Vec<AlertNotice> = run[nth].open.iter().filter_map(lost).collect();
            for notice in &over {
                info!(source = source.name, fingerprint = %notice.fingerprint, "an alert is taken as over");
                // A second source of the tenant has it in its list too.
                let of_tenant = run.iter_mut().filter(|asked| asked.source.tenant == source.tenant);
                of_tenant.for_each(|asked| asked.forget(&notice.fingerprint));
            }
            run[nth].concluded = self.take_in(source, over).await?;
        }
        Ok(())
    }
}

/// The end of an open alert, if every source that it belongs to has lost it.
fn lost(tenant: &TenantId, alert: &Alert, run: &[Asked<'_>], now: Timestamp) -> Option<AlertNotice> {
    let mut seen_at = None;
    let mut since = None;
    let of_tenant = run.iter().filter(|asked| asked.source.tenant == *tenant);
    for asked in of_tenant.filter(|asked| asked.may_know(alert)) {
        let shown = asked.note.alerts.get(&alert.fingerprint)?;
        let absent = shown.absent.filter(|absent| {
            absent.runs >= ABSENT_RUNS_MIN
                && later(absent.since, micros(asked.source.limits.absent_for)) < now
                && asked.whole
        })?;
        seen_at = seen_at.max(shown.seen_at);
        since = since.max(Some(absent.since));
    }
    let went_on_at = seen_at.unwrap_or(alert.seen_at);
    Some(AlertNotice {
        fingerprint: alert.fingerprint.clone(),
        status: AlertStatus::Resolved,
        starts_at: Some(alert.starts_at),
        ends_at: Some(went_on_at.max(later(alert.starts_at, 1))),
        ends_by: Some(since?),
        provenance: Provenance::Observed,
        labels: alert.labels.clone(),
        annotations: BTreeMap::new(),
        generator_url: None,
    })
}

impl<'a> Asked<'a> {
    fn of(source: &'a Source, note: Note) -> Self {
        Self {
            source,
            note,
            firing: BTreeMap::new(),
            whole: false,
            answers: (0, 0),
            failures: Vec::new(),
            open: Vec::new(),
            taken_in: 0,
            from_history: 0,
            concluded: 0,
        }
    }

    /// Of what several Alertmanagers say of one alert, the earliest start counts.
    fn add(&mut self, alert: AlertNotice) {
        let alert = AlertNotice { provenance: Provenance::Reconciled, ..alert };
        match self.firing.get(&alert.fingerprint) {
            Some(known) if known.starts_at <= alert.starts_at => {}
            Some(_) | None => drop(self.firing.insert(alert.fingerprint.clone(), alert)),
        }
    }

    /// From when on the past is read: from what is known, less an overlap.
    fn read_from(&self, earliest: Timestamp, overlap: i64) -> Timestamp {
        let Some(known) = self.note.cursor else { return earliest };
        let cursor = later(known, -overlap);
        if known < earliest {
            let source = &self.source.name;
            warn!(source, from = %known, to = %earliest, "the past is longer ago than look-back, and not read");
        }
        cursor.max(earliest)
    }

    /// Whether an Alertmanager says that an alert goes on which seems to have ended: another Prometheus may send it.
    fn contradicts(&self, over: &AlertNotice) -> bool {
        self.firing.get(&over.fingerprint).is_some_and(|firing| firing.starts_at <= over.ends_at)
    }

    /// The past is read. Something that fires there and in no Alertmanager may end before the next look.
    fn settle(&mut self, periods: &Periods, last: Timestamp) {
        let unknown = periods.going_on().filter(|(fingerprint, _)| !self.firing.contains_key(fingerprint));
        let (unknown, since) = unknown.fold((0, last), |(count, since), (_, at)| (count + 1, since.min(at)));
        self.note.unsettled = unknown > 0;
        self.note.cursor = Some(since.max(later(last, -HOLD)).min(last));
        if unknown > 0 && self.whole {
            let (source, alerts) = (&self.source.name, unknown);
            warn!(
                source,
                alerts, "Prometheus knows firing alerts that no Alertmanager shows: see external-labels"
            );
        }
    }

    /// Whether an open alert is this source's: then it has to agree that it is over.
    fn may_know(&self, alert: &Alert) -> bool {
        self.owns(alert) || self.note.alerts.contains_key(&alert.fingerprint)
    }

    fn owns(&self, alert: &Alert) -> bool {
        let owns = &self.source.owns;
        !owns.is_empty() && owns.iter().all(|(name, value)| alert.labels.get(name) == Some(value))
    }

    /// Notes what fires, and which open alerts of this source do not. A run without an answer from everybody proves
    /// no absence, and forgets those before it.
    fn note_what_was_shown(&mut self, now: Timestamp) {
        let before = std::mem::take(&mut self.note.alerts);
        for alert in &self.open {
            let known = before.get(&alert.fingerprint).copied();
            if known.is_none() && !self.owns(alert) {
                continue;
            }
            let Shown { seen_at, absent } = known.unwrap_or(Shown { seen_at: None, absent: None });
            let absent = self.whole.then(|| match absent {
                Some(absence) => Absence { runs: absence.runs.saturating_add(1), ..absence },
                None => Absence { since: now, runs: 1 },
            });
            self.note.alerts.insert(alert.fingerprint.clone(), Shown { seen_at, absent });
        }
        let shown = Shown { seen_at: Some(now), absent: None };
        self.note.alerts.extend(self.firing.keys().map(|fingerprint| (fingerprint.clone(), shown)));
    }

    fn forget(&mut self, fingerprint: &Fingerprint) {
        self.note.alerts.remove(fingerprint);
        self.open.retain(|alert| alert.fingerprint != *fingerprint);
    }

    fn report(&self) -> String {
        let (answered, asked) = self.answers;
        let mut report = format!(
            "{}: {answered} of {asked} Alertmanagers answered, {} alerts fire, {} taken in, {} from history, {} taken \
             as over",
            self.source.name,
            self.firing.len(),
            self.taken_in,
            self.from_history,
            self.concluded,
        );
        for failure in &self.failures {
            report.push_str("; ");
            report.push_str(failure);
        }
        report
    }
}

fn told(run: &[Asked<'_>]) -> Result<String, ReconcileError> {
    let report = run.iter().map(Asked::report).collect::<Vec<_>>().join("\n");
    let failed = run.iter().any(|asked| !asked.failures.is_empty());
    if failed { Err(ReconcileError::Sources(report)) } else { Ok(report) }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// How far two looks at a past are apart: whole seconds, as many as one question for all of it takes.
fn step_of(from: Timestamp, through: Timestamp, max: i64) -> i64 {
    let seconds = through.seconds_since(from) / WINDOW_LOOKS;
    seconds.saturating_mul(1_000_000).clamp(STEP_MIN.min(max), max)
}

/// The last whole multiple of `step` that is not after `at`: the same past is looked at at the same instants.
fn aligned(at: Timestamp, step: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(step).saturating_mul(step))
}

#[async_trait]
impl Reconcile for SourceReconciler {
    fn name(&self) -> &'static str {
        "sources"
    }

    fn may_be_cut(&self) -> bool {
        true
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        let _turn = self.turn.lock().await;
        self.reconcile_once(self.clock.now()).await
    }
}
