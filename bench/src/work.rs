//! The writes that every candidate makes: resolved incidents with 1–2 kB of text.

use std::collections::BTreeMap;
use std::time::Duration;

use km_model::{EntryType, IncidentId, Metadata, Source, Write, WritePath};

const WORDS: [&str; 64] = [
    "pod",
    "node",
    "disk",
    "latency",
    "timeout",
    "restart",
    "cluster",
    "prod",
    "memory",
    "cpu",
    "alert",
    "threshold",
    "replica",
    "shard",
    "queue",
    "consumer",
    "lag",
    "leader",
    "election",
    "quota",
    "certificate",
    "expired",
    "rollback",
    "deploy",
    "config",
    "cache",
    "eviction",
    "database",
    "connection",
    "pool",
    "exhausted",
    "network",
    "partition",
    "dns",
    "resolver",
    "retry",
    "backoff",
    "circuit",
    "breaker",
    "gateway",
    "ingress",
    "upstream",
    "health",
    "probe",
    "volume",
    "mount",
    "snapshot",
    "backup",
    "restore",
    "index",
    "segment",
    "compaction",
    "garbage",
    "collector",
    "pause",
    "thread",
    "deadlock",
    "kernel",
    "panic",
    "firmware",
    "switch",
    "磁盘已满",
    "网络延迟",
    "内存不足",
];

/// A stream of pseudo-random numbers; the same seed gives the same work.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) const fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_possible_truncation, reason = "a remainder is wanted")]
        let rolled = self.0 as usize;
        rolled % below
    }

    /// A word: common ones often, and one in eight of a vocabulary of 20,000.
    pub(crate) fn word(&mut self) -> String {
        match self.roll(8) {
            0 => format!("svc{}", self.roll(20_000)),
            _ => WORDS[self.roll(64).min(self.roll(64))].to_owned(),
        }
    }
}

/// Writes a second that the fastest candidate makes at most, alone and with company.
const FASTEST: (f64, f64) = (8_000.0, 90_000.0);

/// The first so many writes of the work.
pub(crate) fn corpus(count: usize) -> impl Iterator<Item = Write> {
    let mut dice = Dice::new(1);
    (0..count).map(move |nth| write(nth, &mut dice))
}

/// The id under which a write is made.
pub(crate) fn write_id(write: &Write) -> String {
    format!("w-{}", write.path.incident().map_or("", AsRef::as_ref))
}

/// How many writes outlast a round of the fastest candidate.
pub(crate) fn enough(callers: usize, length: Duration) -> usize {
    let fastest = if callers == 1 { FASTEST.0 } else { FASTEST.1 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let writes = (length.as_secs_f64() * fastest) as usize;
    writes
}

/// Writes are made before the clock runs, and dealt to the callers.
pub(crate) fn prepare(callers: usize, length: Duration) -> Vec<Vec<Write>> {
    let each = (enough(callers, length) / callers).max(1_000);
    (0..callers)
        .map(|caller| {
            let mut dice = Dice::new(caller as u64 + 1);
            (0..each).map(|nth| write(nth * callers + caller, &mut dice)).collect()
        })
        .collect()
}

/// Queries of two words, as often as the texts use them.
pub(crate) fn queries(count: usize) -> Vec<String> {
    let mut dice = Dice::new(7);
    (0..count).map(|_| format!("{} {}", dice.word(), dice.word())).collect()
}

/// The text of one incident.
fn text(dice: &mut Dice, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.push_str(&dice.word());
        text.push(' ');
    }
    text
}

/// One write with 1–2 kB of content.
fn write(nth: usize, dice: &mut Dice) -> Write {
    let bytes = 1_000 + dice.roll(1_000);
    Write {
        path: WritePath::IncidentResolve {
            incident: IncidentId::parse(format!("INC-{nth}")).expect("a valid id"),
            approval: None,
        },
        playbook: None,
        execution: None,
        title: text(dice, 40),
        content: text(dice, bytes),
        entry_type: Some(EntryType::parse("incident_case").expect("a valid type")),
        tags: vec!["bench".to_owned()],
        labels: BTreeMap::from([("cluster".to_owned(), format!("c{}", dice.roll(8)))]),
        source: Source { service: Some("km-bench".to_owned()), ..Source::default() },
        occurred_at: None,
        metadata: Metadata::default(),
    }
}
