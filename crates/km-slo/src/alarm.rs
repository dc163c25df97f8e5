//! When the alert for a failure of the governance itself fires and ends: two bad runs begin it, two good ones end it,
//! and its end is told for a while, since a peer may be away. Pure; what it remembers outlives the process.

use km_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Runs of one kind in a row that change the state.
const RUNS: u8 = 2;
/// How often what fires, or has ended, is told again, in seconds.
pub(crate) const RESEND_SECONDS: i64 = 60;
/// A firing alert ends by itself after so many resends that did not come.
const MISSED_RESENDS: i64 = 4;
/// How long an end is told again, in seconds.
const END_TOLD_SECONDS: i64 = 15 * 60;

/// The state of the alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alarm {
    state: AlarmState,
    /// Runs in a row that speak against the state.
    against: u8,
    /// When the first of them was, in seconds since 1970.
    against_since: i64,
}

/// Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum AlarmState {
    #[default]
    Quiet,
    Firing {
        since: i64,
    },
    Ended {
        since: i64,
        at: i64,
    },
}

/// What is to be told, and whether it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Timestamp,
}

impl Alarm {
    /// Takes a run into account.
    pub(crate) fn observe(&mut self, bad: bool, at: Timestamp) {
        let now = seconds(at);
        let firing = self.is_firing();
        if bad == firing {
            self.against = 0;
            return;
        }
        if self.against == 0 {
            self.against_since = now;
        }
        self.against = self.against.saturating_add(1);
        if self.against < RUNS {
            return;
        }
        self.against = 0;
        self.state = match self.state {
            AlarmState::Firing { since } => AlarmState::Ended { since, at: now },
            AlarmState::Quiet | AlarmState::Ended { .. } => AlarmState::Firing { since: self.against_since },
        };
    }

    pub(crate) const fn is_firing(&self) -> bool {
        matches!(self.state, AlarmState::Firing { .. })
    }

    /// What every peer is to be told now.
    pub(crate) fn told(&self, now: Timestamp) -> Option<Told> {
        match self.state {
            AlarmState::Quiet => None,
            AlarmState::Firing { since } => Some(Told {
                starts_at: instant(since),
                ends_at: now.plus_seconds(MISSED_RESENDS * RESEND_SECONDS),
            }),
            AlarmState::Ended { since, at } => {
                let recent = (0..=END_TOLD_SECONDS).contains(&(seconds(now) - at));
                recent.then(|| Told { starts_at: instant(since), ends_at: instant(at) })
            }
        }
    }
}

const fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

const fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(runs: &[bool]) -> Alarm {
        let mut alarm = Alarm::default();
        for (minute, bad) in (0..).zip(runs) {
            alarm.observe(*bad, instant(60 * minute));
        }
        alarm
    }

    fn told(alarm: Alarm, at: i64) -> Option<(i64, i64)> {
        alarm.told(instant(at)).map(|told| (seconds(told.starts_at), seconds(told.ends_at)))
    }

    #[test]
    fn two_bad_runs_in_a_row_begin_it_at_the_first_of_them() {
        assert_eq!(told(after(&[true]), 0), None);
        assert_eq!(told(after(&[true, false, true, false]), 180), None);
        assert_eq!(told(after(&[false, true, true]), 120), Some((60, 120 + 240)));
    }

    #[test]
    fn two_good_runs_in_a_row_end_it_and_the_start_stays() {
        assert_eq!(told(after(&[true, true, false]), 120), Some((0, 120 + 240)));
        assert_eq!(told(after(&[true, true, false, true, false]), 240), Some((0, 240 + 240)));
        assert_eq!(told(after(&[true, true, false, false]), 180), Some((0, 180)));
    }

    #[test]
    fn an_end_is_told_for_a_quarter_of_an_hour() {
        let ended = after(&[true, true, false, false]);
        assert_eq!(told(ended, 180 + 900), Some((0, 180)));
        assert_eq!(told(ended, 180 + 901), None);
    }

    #[test]
    fn what_begins_again_is_a_new_alert() {
        assert_eq!(told(after(&[true, true, false, false, true, true]), 300), Some((240, 300 + 240)));
    }

    #[test]
    fn a_restart_between_two_runs_changes_nothing() -> serde_json::Result<()> {
        let mut before = after(&[true]);
        let mut alarm: Alarm = serde_json::from_str(&serde_json::to_string(&before)?)?;
        assert_eq!(alarm, before);
        alarm.observe(true, instant(60));
        before.observe(true, instant(60));
        assert_eq!(told(alarm, 60), told(before, 60));
        assert_eq!(told(alarm, 60), Some((0, 60 + 240)));
        Ok(())
    }
}
