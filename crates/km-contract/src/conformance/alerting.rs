//! Notices of alerts become occurrences, whatever their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use km_model::{
    Alert, AlertNotice, AlertStatus, Fingerprint, IncidentId, Outcome, PathKind, Provenance, TenantId,
    Timestamp,
};

use super::commuting::permutations;
use super::{Hands, Rig, resolve, tenant, test_readers};
use crate::occurrence::{Claim, End, LATE_SECONDS_MAX, Occurrence, occurrences};
use crate::port::{Chain, LetterFormat, Store};
use crate::verify::verify;
use crate::{Clock, Delivered, Delivery, Intake, Jitter, Readers, Unreadable};

/// When an alert was on, in seconds.
type Interval = (i64, Option<i64>);

/// Seconds as microseconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn notice(status: AlertStatus, starts_at: Option<Timestamp>, ends_at: Option<Timestamp>) -> AlertNotice {
    AlertNotice {
        fingerprint: Fingerprint::parse("f00d").unwrap(),
        status,
        starts_at,
        ends_at,
        ends_by: None,
        provenance: Provenance::Delivered,
        labels: BTreeMap::from([("alertname".to_owned(), "Full".to_owned())]),
        annotations: BTreeMap::new(),
        generator_url: None,
    }
}

fn fires(starts_at: i64) -> AlertNotice {
    notice(AlertStatus::Firing, Some(at(starts_at)), None)
}

fn over(starts_at: i64, ends_at: i64) -> AlertNotice {
    notice(AlertStatus::Resolved, Some(at(starts_at)), Some(at(ends_at)))
}

async fn observe_all(rig: &Rig, tenant: &TenantId, notices: Vec<AlertNotice>) -> Vec<Alert> {
    rig.writer.observe(tenant, notices, test_readers().incident, crate::Arrival::Call).await.unwrap()
}

async fn observe(rig: &Rig, notice: AlertNotice) -> Alert {
    observe_all(rig, &tenant(), vec![notice]).await.remove(0)
}

/// Whether what is kept of the alerts follows from what was said.
async fn is_sound(rig: &Rig) {
    let verdict = verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound() && verdict.alerts > 0, "{:?}", verdict.findings);
}

/// The name that the suite gives to an alert since this second.
fn named(starts_at: i64) -> IncidentId {
    IncidentId::parse(format!("AM-f00d-{starts_at}")).unwrap()
}

async fn chain(rig: &Rig, tenant: &TenantId, incident: &IncidentId) -> Option<Chain> {
    rig.store.library.chain(tenant, incident).await.unwrap()
}

fn interval(alert: &Alert) -> Interval {
    let seconds = |time: Timestamp| time.as_micros() / 1_000_000;
    (seconds(alert.starts_at), alert.ends_at.map(seconds))
}

/// What a name leads to: the incident, and when it was on.
async fn led_to(rig: &Rig, tenant: &TenantId, name: &IncidentId) -> (IncidentId, Vec<Interval>) {
    let chain = chain(rig, tenant, name).await.unwrap_or_else(|| panic!("{name} leads nowhere"));
    (chain.incident, chain.alerts.iter().map(interval).collect())
}

/// The incidents that names lead to, once each.
async fn incidents(rig: &Rig, names: &[i64]) -> BTreeSet<IncidentId> {
    let mut incidents = BTreeSet::new();
    for name in names {
        incidents.insert(led_to(rig, &tenant(), &named(*name)).await.0);
    }
    incidents
}

pub async fn alerts_of_one_fingerprint_that_overlap_are_one_occurrence(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let first = observe(&rig, fires(100)).await;
    let resent = observe(&rig, fires(130)).await;
    let resolved = observe(&rig, over(120, 200)).await;
    assert_eq!(first.incident, resent.incident);
    assert_eq!(first.incident, resolved.incident);
    assert_eq!((interval(&resolved), resolved.status()), ((100, Some(200)), AlertStatus::Resolved));
    let again = observe(&rig, fires(300)).await;
    assert_ne!(again.incident, first.incident);
}

pub async fn a_late_firing_notice_does_not_open_an_alert_again(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let resolved = observe(&rig, over(100, 200)).await;
    rig.clock.advance_seconds(LATE_SECONDS_MAX);
    let late = observe(&rig, fires(100)).await;
    assert_eq!((late.incident, late.ends_at), (resolved.incident, resolved.ends_at));
}

pub async fn an_alert_that_fires_long_after_its_end_was_heard_of_goes_on(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let resolved = observe(&rig, over(100, 200)).await;
    rig.clock.advance_seconds(LATE_SECONDS_MAX + 1);
    let firing = observe(&rig, fires(100)).await;
    assert_eq!((&firing.incident, firing.status()), (&resolved.incident, AlertStatus::Firing));
    let repeated = observe(&rig, over(100, 200)).await;
    assert_eq!(repeated.status(), AlertStatus::Firing, "an end that was known is no news");
    let over_at_last = observe(&rig, over(100, 5_000)).await;
    assert_eq!(
        (over_at_last.incident.clone(), interval(&over_at_last)),
        (resolved.incident, (100, Some(5_000)))
    );
}

pub async fn an_alert_that_fires_again_as_it_ends_is_a_new_occurrence(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let first = observe(&rig, over(100, 200)).await;
    let second = observe(&rig, fires(200)).await;
    assert_ne!(second.incident, first.incident);
    assert_eq!((interval(&first), interval(&second)), ((100, Some(200)), (200, None)));
}

/// Notices of one alert, of which some come twice, as a pair of Alertmanagers sends them.
fn sets_of_notices() -> Vec<Vec<AlertNotice>> {
    vec![
        vec![fires(100), fires(130), over(120, 200), over(120, 200)],
        vec![fires(100), over(100, 200), fires(300), over(300, 400)],
        vec![over(100, 200), fires(300), over(150, 400), over(150, 400)],
        vec![fires(100), fires(300), over(100, 200), fires(100)],
        vec![fires(100), over(250, 400), over(100, 200), fires(250)],
        vec![over(100, 200), over(200, 300), fires(300), over(100, 200)],
        vec![fires(100), fires(101), over(100, 200), over(101, 202), fires(300)],
    ]
}

pub async fn every_order_of_notices_gives_the_same_occurrences(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for (nth, notices) in sets_of_notices().into_iter().enumerate() {
        let mut outcomes = BTreeSet::new();
        for (order, places) in permutations(notices.len()).into_iter().enumerate() {
            let tenant = TenantId::parse(format!("s{nth}-{order}")).unwrap();
            for place in places {
                observe_all(&rig, &tenant, vec![notices[place].clone()]).await;
            }
            outcomes.insert(occurrences_of(&rig, &tenant, &notices).await);
        }
        assert_eq!(outcomes.len(), 1, "{notices:?}: {outcomes:#?}");
    }
    is_sound(&rig).await;
}

/// The occurrences of notices: when each was on, and by which of their names it is reached. Which of its names an
/// occurrence carries is left out: that may depend on what was told before.
async fn occurrences_of(
    rig: &Rig,
    tenant: &TenantId,
    notices: &[AlertNotice],
) -> BTreeMap<Interval, BTreeSet<IncidentId>> {
    let mut occurrences: BTreeMap<_, BTreeSet<IncidentId>> = BTreeMap::new();
    let mut carried: BTreeMap<_, BTreeSet<IncidentId>> = BTreeMap::new();
    for notice in notices {
        let name = named(notice.starts_at.unwrap().as_micros() / 1_000_000);
        let (incident, intervals) = led_to(rig, tenant, &name).await;
        assert_eq!(intervals.len(), 1, "{name} is a name of one occurrence");
        occurrences.entry(intervals[0]).or_default().insert(name);
        carried.entry(intervals[0]).or_default().insert(incident);
    }
    for (interval, names) in &occurrences {
        let incidents: Vec<_> = carried[interval].iter().collect();
        assert!(incidents.len() == 1 && names.contains(incidents[0]), "{names:?} carry {incidents:?}");
    }
    occurrences
}

/// A start and an end, which may be to come, from a small span of seconds.
fn any_notice(jitter: &Jitter) -> AlertNotice {
    #[expect(clippy::cast_possible_truncation, reason = "a small number")]
    let up_to = |max: f64| (jitter.fraction() * max) as i64;
    let starts_at = 100 + up_to(60.0);
    if up_to(2.0) == 0 { fires(starts_at) } else { over(starts_at, starts_at + 1 + up_to(30.0)) }
}

/// What the rule says of notices that were seen at these times: each start with the interval it belongs to.
fn by_the_rule(seen: &[(AlertNotice, Timestamp)]) -> Vec<(i64, Vec<Interval>)> {
    let mut claims: BTreeMap<Timestamp, Claim> = BTreeMap::new();
    for (notice, seen_at) in seen {
        let starts_at = notice.starts_at.unwrap();
        let provenance = notice.provenance;
        let claim = Claim {
            starts_at,
            incident: named(0),
            told: false,
            firing_seen_at: (notice.status == AlertStatus::Firing).then_some(*seen_at),
            end: notice.ends_at.map(|at| End { at, seen_at: *seen_at, provenance, by: None }),
            provenance,
        };
        claims.entry(starts_at).and_modify(|known| known.absorb(&claim)).or_insert(claim);
    }
    let seconds = |time: Timestamp| time.as_micros() / 1_000_000;
    let of_one = |one: &Occurrence| {
        let interval = (seconds(one.starts_at()), one.ends_at().map(seconds));
        one.claims().iter().map(|claim| (seconds(claim.starts_at), vec![interval])).collect::<Vec<_>>()
    };
    occurrences(claims.into_values()).iter().flat_map(of_one).collect()
}

pub async fn any_order_gives_what_the_rule_says(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let jitter = Jitter::from_seed(7);
    for round in 0..40 {
        let tenant = TenantId::parse(format!("r{round}")).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let batch: Vec<_> = (0..4).map(|_| any_notice(&jitter)).collect();
            seen.extend(batch.iter().map(|notice| (notice.clone(), rig.clock.now())));
            observe_all(&rig, &tenant, batch).await;
            rig.clock.advance_seconds(LATE_SECONDS_MAX / 2 + 1);
        }
        for (starts_at, expected) in by_the_rule(&seen) {
            let found = led_to(&rig, &tenant, &named(starts_at)).await.1;
            assert_eq!(found, expected, "{starts_at} in {seen:?}");
        }
    }
    is_sound(&rig).await;
}

pub async fn every_order_of_firing_notices_gives_the_same_incident(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let notices = [fires(130), fires(100), fires(160), fires(130)];
    for (order, places) in permutations(notices.len()).into_iter().enumerate() {
        let tenant = TenantId::parse(format!("f{order}")).unwrap();
        let together = places.iter().map(|place| notices[*place].clone()).collect();
        let alerts = observe_all(&rig, &tenant, together).await;
        assert!(alerts.iter().all(|alert| alert.incident == named(100)), "{alerts:?}");
        for name in [100, 130, 160] {
            assert_eq!(led_to(&rig, &tenant, &named(name)).await, (named(100), vec![(100, None)]));
        }
    }
}

pub async fn one_notice_joins_all_occurrences_it_overlaps(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for notice in [over(100, 200), over(300, 350), fires(500)] {
        observe(&rig, notice).await;
    }
    assert_eq!(incidents(&rig, &[100, 300, 500]).await.len(), 3);
    let joined = observe(&rig, over(150, 600)).await;
    assert_eq!((joined.incident.clone(), interval(&joined)), (named(100), (100, Some(600))));
    assert_eq!(incidents(&rig, &[100, 150, 300, 500]).await, BTreeSet::from([named(100)]));
    for seen_before in [over(100, 200), over(300, 350), fires(500)] {
        assert_eq!(observe(&rig, seen_before).await, joined);
    }
}

/// An intake that reads lines of `start end` in seconds; an end of 0 is one to come.
fn intake(rig: &Rig) -> Intake {
    Intake::new(rig.writer.clone(), rig.store.letters.clone(), Readers { read: read_lines, ..test_readers() })
}

fn read_lines(_: LetterFormat, body: &[u8]) -> Result<Delivery, Unreadable> {
    let read = |line: &str| {
        let (starts_at, ends_at) = line.split_once(' ').unwrap();
        let (starts_at, ends_at): (i64, i64) = (starts_at.parse().unwrap(), ends_at.parse().unwrap());
        if ends_at == 0 { fires(starts_at) } else { over(starts_at, ends_at) }
    };
    let alerts = std::str::from_utf8(body).unwrap().lines().map(read).collect();
    Ok(Delivery { alerts, ..Delivery::default() })
}

async fn deliver(rig: &Rig, lines: &str) -> Delivered {
    intake(rig).deliver(&tenant(), LetterFormat::Alertmanager, lines.as_bytes()).await.unwrap()
}

/// What is remembered by Path A in a chain: which incidents, in how many revisions.
async fn remembered(rig: &Rig, name: i64) -> BTreeSet<(String, u64)> {
    let entries = chain(rig, &tenant(), &named(name)).await.unwrap().entries;
    let resolutions = entries
        .iter()
        .filter(|entry| entry.head.write.path.as_deref() == Some(PathKind::IncidentResolve.as_str()));
    resolutions.map(|entry| (entry.head.write.incident_id.clone().unwrap(), entry.revisions)).collect()
}

pub async fn what_is_remembered_of_joined_occurrences_is_revised_not_doubled(
    store: Store,
    clock: Arc<Hands>,
) {
    let rig = Rig::new(store, clock);
    deliver(&rig, "100 200").await;
    deliver(&rig, "300 0").await;
    let joined = deliver(&rig, "150 400").await;
    assert_eq!(joined.written[0].outcome, Outcome::Revised);
    let once = BTreeSet::from([(named(100).to_string(), 2)]);
    for name in [100, 150, 300] {
        assert_eq!(remembered(&rig, name).await, once, "{name}");
    }
    deliver(&rig, "700 800").await;
    let earlier = deliver(&rig, "650 750").await;
    assert_eq!(
        earlier.alerts[0].incident,
        named(700),
        "what was told keeps its name, though another is smaller"
    );
    assert_eq!(remembered(&rig, 650).await.len(), 1);
    let again = deliver(&rig, "100 200\n300 0\n150 400\n650 750\n700 800").await;
    assert!(again.written.iter().all(|written| written.outcome == Outcome::Replayed), "{again:?}");
}

pub async fn knowledge_of_an_incident_keeps_its_name(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    observe(&rig, fires(130)).await;
    rig.write("w-1", resolve(named(130).as_str(), "a person knows why", Some(140))).await.unwrap();
    assert_eq!(observe(&rig, fires(100)).await.incident, named(130));
    let chain = chain(&rig, &tenant(), &named(100)).await.unwrap();
    assert_eq!((chain.incident, chain.entries.len()), (named(130), 1));
}

pub async fn a_resolution_without_a_start_is_one_incident_however_often_it_is_sent(
    store: Store,
    clock: Arc<Hands>,
) {
    let rig = Rig::new(store, clock);
    let ended = || notice(AlertStatus::Resolved, None, Some(at(200)));
    let first = observe(&rig, ended()).await;
    assert_eq!(first.ends_at, Some(at(200)), "the end that was named is kept");
    for _ in 0..3 {
        rig.clock.advance_seconds(60);
        let again = observe(&rig, ended()).await;
        assert_eq!((again.incident, again.ends_at), (first.incident.clone(), first.ends_at));
    }
    assert_ne!(observe(&rig, fires(200)).await.incident, first.incident);
    assert_eq!(observe(&rig, fires(100)).await.ends_at, Some(at(200)), "it says since when it was on");
    observe(&rig, fires(1_000)).await;
    let ended = || notice(AlertStatus::Resolved, None, Some(at(1_200)));
    for _ in 0..3 {
        rig.clock.advance_seconds(60);
        assert_eq!(interval(&observe(&rig, ended()).await), (200, Some(1_200)));
    }
}

pub async fn notices_without_any_time_belong_to_what_is_known(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let (firing, resolved) =
        (|| notice(AlertStatus::Firing, None, None), || notice(AlertStatus::Resolved, None, None));
    let first = observe(&rig, firing()).await;
    rig.clock.advance_seconds(60);
    assert_eq!(observe(&rig, firing()).await.starts_at, first.starts_at);
    let ended = observe(&rig, resolved()).await;
    assert_eq!((&ended.incident, ended.ends_at), (&first.incident, Some(first.starts_at.plus_seconds(60))));
    rig.clock.advance_seconds(60);
    assert_eq!(observe(&rig, resolved()).await.ends_at, ended.ends_at, "it was over before");
    let second = observe(&rig, firing()).await;
    assert_ne!(second.incident, first.incident);
    assert_eq!(second.status(), AlertStatus::Firing);
}

pub async fn two_occurrences_within_a_second_are_two_incidents(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let micros = |micros: i64| Some(Timestamp::from_micros(100_000_000 + micros));
    let first = observe(&rig, notice(AlertStatus::Resolved, micros(100_000), micros(200_000))).await;
    let second = observe(&rig, notice(AlertStatus::Firing, micros(800_000), None)).await;
    assert_ne!(first.incident, second.incident);
    for alert in [first, second] {
        let chain = chain(&rig, &tenant(), &alert.incident).await.unwrap();
        assert_eq!(chain.alerts, [alert]);
    }
}

pub async fn many_starts_of_one_alert_stay_one_occurrence(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let alerts = observe_all(&rig, &tenant(), (100..400).rev().map(fires).collect()).await;
    assert!(alerts.iter().all(|alert| alert.incident == alerts[0].incident));
    assert_eq!(interval(&alerts[0]), (100, None));
    assert_eq!(interval(&observe(&rig, over(399, 1_000)).await), (100, Some(1_000)));
    assert_eq!(interval(&observe(&rig, fires(1_000)).await), (1_000, None));
    is_sound(&rig).await;
}

pub async fn a_notice_that_spans_very_many_occurrences_leaves_none_unreachable(
    store: Store,
    clock: Arc<Hands>,
) {
    let rig = Rig::new(store, clock);
    let starts = || (0..600).map(|n| 1_000 + 10 * n);
    observe_all(&rig, &tenant(), starts().map(|start| over(start, start + 5)).collect()).await;
    for _ in 0..2 {
        let wide = observe(&rig, over(500, 100_000)).await;
        assert_eq!(interval(&wide), (500, Some(100_000)));
    }
    for start in starts() {
        let (_, intervals) = led_to(&rig, &tenant(), &named(start)).await;
        assert!(matches!(intervals[..], [(from, Some(to))] if from <= start && start < to), "{intervals:?}");
    }
    assert_eq!(interval(&observe(&rig, over(6_990, 7_100)).await).1, Some(7_100));
    is_sound(&rig).await;
}

pub async fn alerts_of_tenants_and_fingerprints_are_kept_apart(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let other = TenantId::parse("other").unwrap();
    let ours = observe(&rig, over(100, 200)).await;
    let theirs = observe_all(&rig, &other, vec![fires(150)]).await.remove(0);
    let beef = AlertNotice { fingerprint: Fingerprint::parse("beef").unwrap(), ..fires(150) };
    let beef = observe(&rig, beef).await;
    assert_eq!((theirs.status(), beef.status()), (AlertStatus::Firing, AlertStatus::Firing));
    assert_eq!(led_to(&rig, &tenant(), &ours.incident).await.1, [(100, Some(200))]);
    assert!(chain(&rig, &other, &ours.incident).await.is_none());
}
