//! How hard and how long a write is tried: a value, so that a mode is never a branch.

use std::time::Duration;

use crate::Jitter;

/// The bounds on the tries of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WritePolicy {
    /// Which of the two.
    pub name: PolicyName,
    /// Tries in all, at least one.
    pub tries: u32,
    /// The longest pause after the first try; it doubles with each further one.
    pub backoff: Duration,
    /// All tries and pauses together end here.
    pub deadline: Duration,
    /// One try ends here; its outcome is then unknown.
    pub try_timeout: Duration,
}

/// The names of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyName {
    /// The usual bounds.
    Normal,
    /// Callers cannot wait: one try, a short deadline. The promise is the same.
    Emergency,
}

impl PolicyName {
    /// Every policy.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Emergency];

    /// The name in the API and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Emergency => "emergency",
        }
    }

    /// The policy with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

impl WritePolicy {
    /// Three tries within eight seconds.
    pub const NORMAL: Self = Self {
        name: PolicyName::Normal,
        tries: 3,
        backoff: Duration::from_secs(1),
        deadline: Duration::from_secs(8),
        try_timeout: Duration::from_secs(5),
    };
    /// One try within two seconds.
    pub const EMERGENCY: Self = Self {
        name: PolicyName::Emergency,
        tries: 1,
        backoff: Duration::ZERO,
        deadline: Duration::from_secs(2),
        try_timeout: Duration::from_secs(2),
    };

    /// The pauses between tries, with full jitter: one less than there are tries.
    pub fn backoffs<'a>(&self, jitter: &'a Jitter) -> impl Iterator<Item = Duration> + use<'a> {
        let first = self.backoff;
        (1..self.tries).map(move |nth| (first * (1 << (nth - 1).min(16))).mul_f64(jitter.fraction()))
    }
}

/// The bounds on what may wait for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Most writes that wait or are being committed.
    pub writes_max: usize,
    /// Most bytes of payload that wait or are being committed.
    pub bytes_max: usize,
    /// Most writes in one transaction.
    pub batch_writes_max: usize,
    /// Most bytes of payload in one transaction, the first write aside.
    pub batch_bytes_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { writes_max: 4_096, bytes_max: 16 << 20, batch_writes_max: 256, batch_bytes_max: 4 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_pause_less_than_tries_and_each_is_bounded() {
        let jitter = Jitter::from_seed(1);
        for _ in 0..100 {
            let pauses: Vec<Duration> = WritePolicy::NORMAL.backoffs(&jitter).collect();
            assert_eq!(pauses.len(), 2);
            assert!(pauses[0] < Duration::from_secs(1) && pauses[1] < Duration::from_secs(2));
        }
        assert_eq!(WritePolicy::EMERGENCY.backoffs(&jitter).count(), 0);
    }
}
