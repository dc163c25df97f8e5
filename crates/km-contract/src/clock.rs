//! Time and chance, handed in by the composition root.

use std::sync::atomic::{AtomicU64, Ordering};

use km_model::Timestamp;

/// The wall clock. Nothing that must be right depends on it: it stamps rows and bounds tolerances.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// A stream of fractions that spreads retries apart: splitmix64, good enough for jitter and nothing else.
#[derive(Debug)]
pub struct Jitter(AtomicU64);

impl Jitter {
    /// A stream that begins at `seed`; equal seeds give equal streams.
    pub const fn from_seed(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next fraction, at least 0 and less than 1.
    pub fn fraction(&self) -> f64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let numerator = ((z ^ (z >> 31)) >> 11) as f64;
        numerator / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_stay_below_one_and_differ() {
        let jitter = Jitter::from_seed(7);
        let drawn: Vec<f64> = (0..1_000).map(|_| jitter.fraction()).collect();
        assert!(drawn.iter().all(|f| (0.0..1.0).contains(f)));
        assert!(drawn.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
