//! A breaker: after repeated failures the store is left alone for a while, then asked once.

use std::time::Duration;

use tokio::time::Instant;

use crate::Jitter;

/// Failures in a row that open the breaker.
const FAILURES_MAX: u32 = 5;
/// The first pause; it doubles while probes fail.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Whether the store is asked.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures: u32,
    closed_again_at: Option<Instant>,
    pause: Duration,
}

impl Breaker {
    pub(crate) const fn closed() -> Self {
        Self { failures: 0, closed_again_at: None, pause: PAUSE }
    }

    /// How long the store is left alone; `None` when it may be asked. After the pause one call is let
    /// through as a probe: it closes the breaker or opens it for longer.
    pub(crate) fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.closed_again_at.map(|at| at.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.closed_again_at.is_some()
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::closed();
    }

    /// Counts a failure; `at_once` opens without waiting for more of them.
    pub(crate) fn failed(&mut self, at_once: bool, now: Instant, jitter: &Jitter) {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_MAX && !at_once && !self.is_open() {
            return;
        }
        self.closed_again_at = Some(now + self.pause.mul_f64(0.5 + jitter.fraction() / 2.0));
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_closes_after_a_good_probe() {
        let jitter = Jitter::from_seed(3);
        let mut breaker = Breaker::closed();
        for _ in 1..FAILURES_MAX {
            breaker.failed(false, Instant::now(), &jitter);
            assert!(!breaker.is_open());
        }
        breaker.failed(false, Instant::now(), &jitter);
        let pause = breaker.pause_left(Instant::now()).unwrap_or_default();
        assert!(pause >= PAUSE / 2 && pause <= PAUSE, "{pause:?}");
        tokio::time::advance(pause).await;
        assert!(breaker.is_open() && breaker.pause_left(Instant::now()).is_none());
        breaker.failed(false, Instant::now(), &jitter);
        assert!(breaker.pause_left(Instant::now()).unwrap_or_default() >= PAUSE);
        breaker.succeeded();
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_opens_it_at_once() {
        let mut breaker = Breaker::closed();
        breaker.failed(true, Instant::now(), &Jitter::from_seed(3));
        assert!(breaker.is_open());
    }
}
