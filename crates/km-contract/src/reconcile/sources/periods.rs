//! Looks at what fired, put together into periods.
//!
//! A look every so often tells a start and an end only so far: a period has begun when it was seen first, or up to one
//! step before; it was over between the last evaluation that says it fired, and the first look that did not find it.
//! What lies between two looks is not seen.

use std::collections::BTreeMap;

use km_model::{AlertNotice, AlertStatus, Fingerprint, Provenance, Timestamp};

use crate::port::{FiringSeries, Sighting};

/// Periods that were not over at the last look.
pub(super) struct Periods {
    step: i64,
    open: BTreeMap<Fingerprint, Period>,
}

struct Period {
    labels: BTreeMap<String, String>,
    /// The first evaluation that was seen.
    starts_at: Timestamp,
    /// The last evaluation that was seen.
    sampled_at: Timestamp,
    /// The last look that found it.
    seen_at: Timestamp,
}

impl Periods {
    /// None yet; looks are `step` microseconds apart.
    pub(super) const fn new(step: i64) -> Self {
        Self { step, open: BTreeMap::new() }
    }

    /// Adds the looks that follow those before, up to `through`, and returns the periods that are over.
    pub(super) fn add(&mut self, series: Vec<FiringSeries>, through: Timestamp) -> Vec<AlertNotice> {
        let mut over = Vec::new();
        for (fingerprint, (labels, looks)) in joined(series) {
            for (at, sampled_at) in looks {
                let look = Sighting { at, sampled_at };
                let going_on =
                    self.open.get_mut(&fingerprint).filter(|open| !is_gap(open.seen_at, at, self.step));
                match going_on {
                    Some(open) => (open.sampled_at, open.seen_at) = (sampled_at, at),
                    None => over.extend(self.begin(&fingerprint, &labels, look)),
                }
            }
        }
        let ended = self.open.extract_if(.., |_, open| open.seen_at < through);
        over.extend(ended.map(|(fingerprint, period)| period.over(fingerprint, self.step)));
        over
    }

    /// What goes on: each alert with the first evaluation that was seen.
    pub(super) fn going_on(&self) -> impl Iterator<Item = (&Fingerprint, Timestamp)> {
        self.open.iter().map(|(fingerprint, period)| (fingerprint, period.starts_at))
    }

    fn begin(
        &mut self,
        fingerprint: &Fingerprint,
        labels: &BTreeMap<String, String>,
        look: Sighting,
    ) -> Option<AlertNotice> {
        let period = Period {
            labels: labels.clone(),
            starts_at: look.sampled_at,
            sampled_at: look.sampled_at,
            seen_at: look.at,
        };
        let before = self.open.insert(fingerprint.clone(), period);
        before.map(|before| before.over(fingerprint.clone(), self.step))
    }
}

impl Period {
    fn over(self, fingerprint: Fingerprint, step: i64) -> AlertNotice {
        AlertNotice {
            fingerprint,
            status: AlertStatus::Resolved,
            starts_at: Some(self.starts_at),
            // One that was seen once was on for an instant at least.
            ends_at: Some(self.sampled_at.max(later(self.starts_at, 1))),
            ends_by: Some(later(self.seen_at, step)),
            provenance: Provenance::Reconciled,
            labels: self.labels,
            annotations: BTreeMap::new(),
            generator_url: None,
        }
    }
}

/// One row of looks for each alert: replicas of Prometheus may have seen the same one.
type Joined = BTreeMap<Fingerprint, (BTreeMap<String, String>, BTreeMap<Timestamp, Timestamp>)>;

fn joined(series: Vec<FiringSeries>) -> Joined {
    let mut joined = Joined::new();
    for FiringSeries { fingerprint, labels, sightings } in series {
        let (_, looks) = joined.entry(fingerprint).or_insert_with(|| (labels, BTreeMap::new()));
        for Sighting { at, sampled_at } in sightings {
            looks.entry(at).and_modify(|known| *known = sampled_at.max(*known)).or_insert(sampled_at);
        }
    }
    joined
}

fn is_gap(before: Timestamp, at: Timestamp, step: i64) -> bool {
    at.as_micros() - before.as_micros() > step
}

pub(super) const fn later(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros().saturating_add(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 10;

    fn series(name: &str, looks: &[(i64, i64)]) -> FiringSeries {
        let at = Timestamp::from_micros;
        let look = |(looked, sampled): &(i64, i64)| Sighting { at: at(*looked), sampled_at: at(*sampled) };
        FiringSeries {
            fingerprint: Fingerprint::parse(name).unwrap(),
            labels: BTreeMap::new(),
            sightings: looks.iter().map(look).collect(),
        }
    }

    /// Name, start, end, and by when it was over.
    fn shown(over: &[AlertNotice]) -> Vec<(&str, i64, i64, i64)> {
        let micros = |at: Option<Timestamp>| at.unwrap().as_micros();
        let show = |one: &'_ AlertNotice| (micros(one.starts_at), micros(one.ends_at), micros(one.ends_by));
        over.iter()
            .map(|one| {
                let (starts_at, ends_at, ends_by) = show(one);
                (one.fingerprint.as_str(), starts_at, ends_at, ends_by)
            })
            .collect()
    }

    fn through(at: i64) -> Timestamp {
        Timestamp::from_micros(at)
    }

    #[test]
    fn a_gap_parts_two_periods_and_the_last_look_leaves_one_open() {
        let mut periods = Periods::new(STEP);
        let looks = [(100, 97), (110, 107), (140, 139), (150, 149)];
        let over = periods.add(vec![series("a", &looks)], through(150));
        assert_eq!(shown(&over), [("a", 97, 107, 120)]);
        assert_eq!(periods.going_on().map(|(_, at)| at.as_micros()).collect::<Vec<_>>(), [139]);
    }

    #[test]
    fn a_period_goes_on_across_windows() {
        let mut periods = Periods::new(STEP);
        assert!(periods.add(vec![series("a", &[(100, 97), (110, 107)])], through(110)).is_empty());
        assert!(periods.add(vec![series("a", &[(120, 117)])], through(120)).is_empty());
        let over = periods.add(Vec::new(), through(130));
        assert_eq!(shown(&over), [("a", 97, 117, 130)]);
        assert_eq!(periods.going_on().count(), 0);
    }

    #[test]
    fn a_period_that_ends_with_a_window_and_comes_back_later_is_two() {
        let mut periods = Periods::new(STEP);
        assert!(periods.add(vec![series("a", &[(110, 107)])], through(110)).is_empty());
        let over = periods.add(vec![series("a", &[(140, 133)])], through(150));
        assert_eq!(shown(&over), [("a", 107, 108, 120), ("a", 133, 134, 150)]);
    }

    #[test]
    fn what_replicas_saw_is_one_period() {
        let mut periods = Periods::new(STEP);
        let replicas = vec![series("a", &[(100, 95), (120, 115)]), series("a", &[(110, 108), (120, 118)])];
        let over = periods.add(replicas, through(200));
        assert_eq!(shown(&over), [("a", 95, 118, 130)]);
    }
}
