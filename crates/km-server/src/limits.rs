//! Bounds on what one server and one key may ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use km_model::limits::BATCH_BODY_BYTES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::app::Settings;
use crate::code::Code;
use crate::problem::Problem;

/// Requests under way, and the pace of each key.
pub(crate) struct Limits {
    in_flight: Arc<Semaphore>,
    body_bytes: Arc<Semaphore>,
    pub(crate) request_timeout: Duration,
    per_second: u32,
    burst: u32,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// The requests that a key may still send at once: refilled at its rate, up to its burst.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        // Less than the largest body that is taken would refuse it for ever.
        let body_bytes = settings.body_bytes_max.clamp(BATCH_BODY_BYTES_MAX, Semaphore::MAX_PERMITS);
        Self {
            in_flight: Arc::new(Semaphore::new(settings.requests_in_flight_max)),
            body_bytes: Arc::new(Semaphore::new(body_bytes)),
            request_timeout: settings.request_timeout,
            per_second: settings.requests_per_second,
            burst: settings.request_burst,
            buckets: Mutex::default(),
        }
    }

    /// A place among the requests that are worked on; it is given back when it is dropped.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.in_flight.clone().try_acquire_owned();
        place.map_err(|_| Problem::new(Code::Busy, "the limit of http.requests-in-flight-max is reached"))
    }

    /// Room for a body of `bytes`; it is given back when it is dropped.
    pub(crate) fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = self.body_bytes.clone().try_acquire_many_owned(bytes);
        room.map_err(|_| Problem::new(Code::Busy, "the limit of http.body-bytes-max is reached"))
    }

    /// Counts a request of a key. There are no more buckets than keys.
    pub(crate) fn pace(&self, key_id: &str) -> Result<(), Problem> {
        if self.per_second == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let full = Bucket { left: f64::from(self.burst), at: now };
        let bucket = buckets.entry(key_id.to_owned()).or_insert(full);
        if bucket.take(f64::from(self.per_second), f64::from(self.burst), now) {
            return Ok(());
        }
        let detail = format!("this key may send {} requests a second", self.per_second);
        Err(Problem::new(Code::RateLimited, detail))
    }
}

impl Bucket {
    fn take(&mut self, per_second: f64, burst: f64, now: Instant) -> bool {
        let refilled = now.duration_since(self.at).as_secs_f64() * per_second;
        self.left = (self.left + refilled).min(burst);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let now = Instant::now();
        let mut bucket = Bucket { left: 3.0, at: now };
        let taken = (0..5).filter(|_| bucket.take(2.0, 3.0, now)).count();
        assert_eq!(taken, 3);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..5).filter(|_| bucket.take(2.0, 3.0, later)).count(), 2);
        let much_later = now + Duration::from_secs(100);
        assert_eq!((0..5).filter(|_| bucket.take(2.0, 3.0, much_later)).count(), 3);
    }
}
