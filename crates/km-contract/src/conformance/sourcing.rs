//! What sources say when km asks them, whatever their webhooks did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use km_model::{
    Alert, AlertNotice, AlertStatus, Fingerprint, IncidentId, PathKind, Provenance, TenantId, Timestamp,
};

use super::{Hands, Rig, tenant, test_readers};
use crate::port::{Chain, FiringSeries, Monitor, MonitorError, Sighting, Store};
use crate::reconcile::{ReconcileError, Source, SourceLimits, SourceReconciler};
use crate::verify::verify;
use crate::{Arrival, Clock};

const MINUTE: i64 = 60;
const STEP: i64 = 15;

/// An alert, since when and until when it fired.
type Fired = (&'static str, i64, i64);

/// A source that says what a test wants: what each Alertmanager shows, and from when to when alerts fired.
#[derive(Default)]
struct Script {
    peers: Mutex<Vec<Option<Vec<AlertNotice>>>>,
    fired: Mutex<Option<Vec<Fired>>>,
    asked: Mutex<Vec<(i64, i64)>>,
}

impl Script {
    fn shows(&self, peers: &[Option<&[(&'static str, i64)]>]) {
        let peer = |peer: &Option<&[(&'static str, i64)]>| {
            peer.map(|alerts| alerts.iter().map(|(name, since)| notice(name, Some(*since), None)).collect())
        };
        *self.peers.lock().unwrap() = peers.iter().map(peer).collect();
    }

    fn remembers(&self, fired: &[Fired]) {
        *self.fired.lock().unwrap() = Some(fired.to_vec());
    }

    fn questions(&self) -> Vec<(i64, i64)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Monitor for Script {
    async fn firing(&self) -> Vec<Result<Vec<AlertNotice>, MonitorError>> {
        let peers = self.peers.lock().unwrap().clone();
        peers.into_iter().map(|peer| peer.ok_or_else(|| broken("an Alertmanager", false))).collect()
    }

    fn remembers(&self) -> bool {
        self.fired.lock().unwrap().is_some()
    }

    async fn history(
        &self,
        from: Timestamp,
        through: Timestamp,
        step: Duration,
    ) -> Result<Vec<FiringSeries>, MonitorError> {
        let (from, through) = (seconds(from), seconds(through));
        self.asked.lock().unwrap().push((from, through));
        let fired = self.fired.lock().unwrap().clone().unwrap();
        if fired.iter().any(|(name, ..)| *name == "TooLarge") && through - from > 600 {
            return Err(broken("Prometheus", true));
        }
        if fired.iter().any(|(name, ..)| *name == "Broken") {
            return Err(broken("Prometheus", false));
        }
        let step = i64::try_from(step.as_secs()).unwrap();
        let looks = |since: i64, until: i64| {
            let during = (from..=through).step_by(usize::try_from(step).unwrap());
            during.filter(move |look| (since..until).contains(look))
        };
        // Rules are evaluated at every look.
        let series = |(name, since, until): &Fired| FiringSeries {
            fingerprint: fingerprint(name),
            labels: labels(name),
            sightings: looks(*since, *until)
                .map(|look| Sighting { at: at(look), sampled_at: at(look) })
                .collect(),
        };
        Ok(fired.iter().map(series).collect())
    }
}

fn broken(whom: &str, too_large: bool) -> MonitorError {
    MonitorError { whom: whom.to_owned(), what: "it is down".to_owned(), too_large }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros() / 1_000_000
}

fn fingerprint(name: &str) -> Fingerprint {
    Fingerprint::parse(format!("f-{name}")).unwrap()
}

fn labels(name: &str) -> BTreeMap<String, String> {
    [("alertname", name), ("cluster", "prod")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn notice(name: &str, starts_at: Option<i64>, ends_at: Option<i64>) -> AlertNotice {
    AlertNotice {
        fingerprint: fingerprint(name),
        status: ends_at.map_or(AlertStatus::Firing, |_| AlertStatus::Resolved),
        starts_at: starts_at.map(at),
        ends_at: ends_at.map(at),
        ends_by: None,
        provenance: Provenance::Delivered,
        labels: labels(name),
        annotations: BTreeMap::new(),
        generator_url: None,
    }
}

/// A rig whose only source is `script`; the time is a whole number of steps.
struct Sourced {
    rig: Rig,
    script: Arc<Script>,
    sources: Vec<Source>,
    job: SourceReconciler,
}

impl Sourced {
    fn new(store: Store, clock: Arc<Hands>) -> Self {
        clock.advance_seconds(STEP - seconds(clock.now()) % STEP);
        let script = Arc::new(Script::default());
        let sources = vec![source("prod", &script)];
        Self::of(Rig::new(store, clock), script, sources)
    }

    fn of(rig: Rig, script: Arc<Script>, sources: Vec<Source>) -> Self {
        let (store, intake) = (rig.store.sources.clone(), rig.intake.clone());
        let every = Duration::from_secs(60);
        let job = SourceReconciler::new(sources.clone(), store, intake, rig.clock.clone(), every);
        Self { rig, script, sources, job }
    }

    /// km starts again on the same store.
    fn restarted(self) -> Self {
        Self::of(self.rig, self.script, self.sources)
    }

    fn now(&self) -> i64 {
        seconds(self.rig.clock.now())
    }

    async fn run(&self) -> Result<String, ReconcileError> {
        self.job.reconcile_once(self.rig.clock.now()).await
    }

    /// A run a minute, so many times.
    async fn minutes(&self, minutes: i64) {
        for _ in 0..minutes {
            self.rig.clock.advance_seconds(MINUTE);
            drop(self.run().await);
        }
    }

    async fn delivered(&self, notice: AlertNotice) -> Alert {
        let incident = test_readers().incident;
        self.rig.writer.observe(&tenant(), vec![notice], incident, Arrival::Delivery).await.unwrap().remove(0)
    }

    async fn chain(&self, name: &str, since: i64) -> Option<Chain> {
        let incident = IncidentId::parse(format!("AM-f-{name}-{since}")).unwrap();
        self.rig.store.library.chain(&tenant(), &incident).await.unwrap()
    }

    async fn alert(&self, name: &str, since: i64) -> Alert {
        let mut chain = self.chain(name, since).await.unwrap_or_else(|| panic!("{name} is not known"));
        assert_eq!(chain.alerts.len(), 1, "{chain:#?}");
        chain.alerts.remove(0)
    }

    async fn resolutions(&self) -> usize {
        let filter = crate::port::Filter {
            path: Some(PathKind::IncidentResolve),
            ..crate::port::Filter::all(tenant())
        };
        self.rig.store.library.entries(&filter, None, 100).await.unwrap().items.len()
    }

    async fn is_sound(&self) {
        let verdict = verify(&*self.rig.store.audit).await.unwrap();
        assert!(verdict.is_sound(), "{:?}", verdict.findings);
    }
}

fn source(name: &str, script: &Arc<Script>) -> Source {
    Source {
        name: name.to_owned(),
        tenant: tenant(),
        owns: BTreeMap::new(),
        limits: SourceLimits {
            absent_for: Duration::from_secs(300),
            look_back: Duration::from_secs(86_400),
            step: Duration::from_secs(STEP as u64),
        },
        monitor: script.clone(),
    }
}

fn interval(alert: &Alert) -> (i64, Option<i64>, Option<i64>) {
    (seconds(alert.starts_at), alert.ends_at.map(seconds), alert.ends_by.map(seconds))
}

pub async fn what_fires_and_was_not_delivered_is_taken_in(store: Store, clock: Arc<Hands>) {
    let km = Sourced::new(store, clock);
    let since = km.now() - 100;
    km.script.shows(&[Some(&[("Full", since)])]);
    assert!(km.run().await.unwrap().contains("1 alerts fire, 1 taken in"));
    let alert = km.alert("Full", since).await;
    assert_eq!((alert.status(), alert.provenance), (AlertStatus::Firing, Provenance::Reconciled));
    km.rig.clock.advance_seconds(MINUTE);
    assert!(km.run().await.unwrap().contains("1 alerts fire, 0 taken in"), "it is known now");
    km.is_sound().await;
}

pub async fn one_alert_by_webhook_and_by_asking_is_one_occurrence_in_any_order(
    store: Store,
    clock: Arc<Hands>,
) {
    let km = Sourced::new(store, clock);
    let since = km.now() - 100;
    km.delivered(notice("First", Some(since), None)).await;
    km.script.shows(&[Some(&[("First", since + 5), ("Second", since)])]);
    km.run().await.unwrap();
    km.delivered(notice("Second", Some(since - 3), None)).await;
    for (name, start) in [("First", since), ("Second", since - 3)] {
        let alert = km.alert(name, start).await;
        assert_eq!((interval(&alert), alert.provenance), ((start, None, None), Provenance::Delivered));
    }
    assert_eq!(km.alert("Second", since).await.starts_at, at(since - 3), "both names lead to it");
    km.is_sound().await;
}

pub async fn a_period_that_nobody_told_of_is_an_incident_with_its_end(store: Store, clock: Arc<Hands>) {
    let km = Sourced::new(store, clock);
    km.script.shows(&[Some(&[])]);
    km.script.remembers(&[]);
    km.run().await.unwrap();
    let down = km.now();
    km.rig.clock.advance_seconds(3 * 3_600);
    let since = down + 1_500;
    km.script.remembers(&[("Missed", since, since + 600), ("Missed", since + 4_500, since + 4_800)]);
    let km = km.restarted();
    assert!(km.run().await.unwrap().contains("2 from history"));
    let alert = km.alert("Missed", since).await;
    assert_eq!(interval(&alert), (since, Some(since + 600 - STEP), Some(since + 600)));
    assert_eq!(
        (alert.provenance, alert.end_provenance),
        (Provenance::Reconciled, Some(Provenance::Reconciled))
    );
    km.alert("Missed", since + 4_500).await;
    assert_eq!(km.resolutions().await, 2);
    let told = km.restarted();
    told.run().await.unwrap();
    assert_eq!(told.resolutions().await, 2, "twice is once");
    let exact = told.delivered(notice("Missed", Some(since - 2), Some(since + 597))).await;
    assert_eq!(
        (interval(&exact), exact.end_provenance),
        ((since - 2, Some(since + 597), None), Some(Provenance::Delivered))
    );
    told.is_sound().await;
}

pub async fn history_ends_an_open_incident_and_never_opens_a_known_end_again(
    store: Store,
    clock: Arc<Hands>,
) {
    let km = Sourced::new(store, clock);
    let down = km.now();
    km.script.shows(&[Some(&[("Open", down - 90), ("Lasts", down - 90)])]);
    km.script.remembers(&[]);
    km.run().await.unwrap();
    km.delivered(notice("Over", Some(down - 90), None)).await;
    km.delivered(notice("Over", Some(down - 90), Some(down + 1_000))).await;
    km.rig.clock.advance_seconds(7_200);
    km.script.shows(&[Some(&[("Lasts", down - 90)])]);
    let now = km.now();
    km.script.remembers(&[
        ("Open", down - 90, down + 3_000),
        ("Over", down - 90, down + 1_000),
        // Another Prometheus went on sending it while this one was away.
        ("Lasts", down - 90, down + 1_800),
        ("Lasts", down + 3_600, now + 60),
    ]);
    km.restarted_and_run().await;
    assert_eq!(
        interval(&km.alert("Open", down - 90).await).1,
        Some(down + 3_000 - 5),
        "looks are ten seconds apart"
    );
    assert_eq!(interval(&km.alert("Over", down - 90).await), (down - 90, Some(down + 1_000), None));
    assert_eq!(interval(&km.alert("Lasts", down - 90).await), (down - 90, None, None));
    km.is_sound().await;
}

pub async fn history_is_read_from_where_it_was_left_and_in_parts(store: Store, clock: Arc<Hands>) {
    let km = Sourced::new(store, clock);
    km.script.shows(&[Some(&[])]);
    km.script.remembers(&[("TooLarge", 0, 1)]);
    km.run().await.unwrap();
    let asked = km.script.questions();
    assert!(asked.len() > 100, "a day in parts of ten minutes: {}", asked.len());
    assert_eq!(asked[0].0 / STEP, (km.now() - 86_400) / STEP, "the first time as far as look-back reaches");
    km.minutes(5).await;
    assert_eq!(km.script.questions(), [], "nothing was missed");
    let left = km.now();
    km.rig.clock.advance_seconds(121);
    km.run().await.unwrap();
    assert_eq!(km.script.questions(), [(left - MINUTE, km.now())], "from a minute before on");
    km.rig.clock.advance_seconds(10);
    km.script.remembers(&[("Broken", 0, 1)]);
    let left = km.now();
    km.restarted_and_run().await;
    km.minutes(3).await;
    km.script.remembers(&[]);
    drop(km.script.questions());
    km.minutes(1).await;
    assert!(km.script.questions()[0].0 <= left, "what could not be read is read later");
}

pub async fn what_ended_just_before_it_was_asked_for_is_not_lost(store: Store, clock: Arc<Hands>) {
    let km = Sourced::new(store, clock);
    let since = km.now() - 120;
    // Prometheus has it, and no Alertmanager does, or does any more.
    km.script.shows(&[Some(&[])]);
    km.script.remembers(&[("Brief", since, km.now() + 5)]);
    km.run().await.unwrap();
    assert!(km.chain("Brief", since).await.is_none(), "it is not over yet");
    km.minutes(1).await;
    assert_eq!(interval(&km.alert("Brief", since).await), (since, Some(since + 124), Some(since + 125)));
}

pub async fn an_open_alert_that_its_source_lost_is_over_as_observed(store: Store, clock: Arc<Hands>) {
    let km = Sourced::new(store, clock);
    let since = km.now() - 100;
    km.script.shows(&[Some(&[("Lost", since)]), Some(&[])]);
    km.run().await.unwrap();
    km.minutes(10).await;
    let seen = km.now();
    km.script.shows(&[Some(&[]), Some(&[])]);
    km.minutes(6).await;
    assert_eq!(
        km.alert("Lost", since).await.status(),
        AlertStatus::Firing,
        "absent for five minutes, not longer"
    );
    km.minutes(1).await;
    let alert = km.alert("Lost", since).await;
    assert_eq!(interval(&alert), (since, Some(seen), Some(seen + MINUTE)));
    assert_eq!(
        (alert.provenance, alert.end_provenance),
        (Provenance::Reconciled, Some(Provenance::Observed))
    );
    assert_eq!(km.resolutions().await, 1);
    km.script.shows(&[Some(&[("Lost", since)]), Some(&[])]);
    km.minutes(1).await;
    assert_eq!(km.alert("Lost", since).await.status(), AlertStatus::Firing, "it was not over after all");
    let told = km.delivered(notice("Lost", Some(since), Some(km.now()))).await;
    assert_eq!(told.end_provenance, Some(Provenance::Delivered));
    km.is_sound().await;
}

pub async fn nothing_is_over_while_an_alertmanager_does_not_answer(store: Store, clock: Arc<Hands>) {
    let km = Sourced::new(store, clock);
    let since = km.now() - 100;
    km.script.shows(&[Some(&[("Kept", since)]), Some(&[])]);
    km.run().await.unwrap();
    km.script.shows(&[Some(&[]), None]);
    km.minutes(60).await;
    let told = km.run().await.unwrap_err().to_string();
    assert!(told.contains("1 of 2 Alertmanagers answered") && told.contains("it is down"), "{told}");
    assert_eq!(km.alert("Kept", since).await.status(), AlertStatus::Firing);
    km.script.shows(&[Some(&[]), Some(&[])]);
    km.minutes(3).await;
    km.script.shows(&[Some(&[]), None]);
    km.minutes(1).await;
    km.script.shows(&[Some(&[]), Some(&[])]);
    km.minutes(4).await;
    assert_eq!(km.alert("Kept", since).await.status(), AlertStatus::Firing, "the wait begins again");
    km.minutes(4).await;
    assert_eq!(km.alert("Kept", since).await.status(), AlertStatus::Resolved);
}

pub async fn alerts_of_nobodys_source_are_left_alone(store: Store, clock: Arc<Hands>) {
    let script = Arc::new(Script::default());
    let other = Arc::new(Script::default());
    let owns = BTreeMap::from([("cluster".to_owned(), "prod".to_owned())]);
    let foreign = TenantId::parse("other").unwrap();
    let sources = vec![source("prod", &script), Source { tenant: foreign, owns, ..source("other", &other) }];
    let km = Sourced::of(Rig::new(store, clock), script, sources);
    let since = km.now() - 100;
    km.delivered(notice("Elsewhere", Some(since), None)).await;
    [&km.script, &other].iter().for_each(|script| script.shows(&[Some(&[])]));
    km.minutes(20).await;
    assert_eq!(
        km.alert("Elsewhere", since).await.status(),
        AlertStatus::Firing,
        "no source was ever shown it"
    );
    let mut sources = km.sources.clone();
    sources[0].owns = sources[1].owns.clone();
    let km = Sourced::of(km.rig, km.script, sources);
    km.minutes(7).await;
    assert_eq!(
        km.alert("Elsewhere", since).await.status(),
        AlertStatus::Resolved,
        "it is owned by its labels"
    );
}

pub async fn two_sources_of_one_alert_have_to_agree_that_it_is_over(store: Store, clock: Arc<Hands>) {
    let (one, two) = (Arc::new(Script::default()), Arc::new(Script::default()));
    let km = Sourced::of(Rig::new(store, clock), one.clone(), vec![source("one", &one), source("two", &two)]);
    let since = km.now() - 100;
    [&one, &two].iter().for_each(|script| script.shows(&[Some(&[("Both", since)])]));
    km.run().await.unwrap();
    one.shows(&[Some(&[])]);
    km.minutes(20).await;
    two.shows(&[None]);
    km.minutes(20).await;
    assert_eq!(km.alert("Both", since).await.status(), AlertStatus::Firing);
    two.shows(&[Some(&[])]);
    km.minutes(7).await;
    assert_eq!(km.alert("Both", since).await.status(), AlertStatus::Resolved);
    assert_eq!(km.resolutions().await, 1);
}

impl Sourced {
    /// A run of a new process on the same store.
    async fn restarted_and_run(&self) {
        let (store, intake) = (self.rig.store.sources.clone(), self.rig.intake.clone());
        let every = Duration::from_secs(60);
        let job = SourceReconciler::new(self.sources.clone(), store, intake, self.rig.clock.clone(), every);
        drop(job.reconcile_once(self.rig.clock.now()).await);
    }
}
