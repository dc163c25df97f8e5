//! What can be configured: typed and closed. The shipped `config/default.toml` is the default.

mod layers;
mod sources;
mod units;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use km_contract::{QueueLimits, WritePolicy};
use serde::Deserialize;

pub(crate) use layers::{ConfigError, Environment, Layers, Source};
pub(crate) use sources::SourceSection;
pub(crate) use units::{ByteSize, Span};

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    #[serde(deserialize_with = "sources::sources")]
    pub(crate) sources: Vec<SourceSection>,
    pub(crate) http: Http,
    pub(crate) data: Data,
    pub(crate) write: WriteSection,
    pub(crate) queue: Queue,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) reconcile: Reconcilers,
    pub(crate) slo: Slo,
    pub(crate) store: StoreSection,
    pub(crate) log: Log,
    pub(crate) shutdown: Shutdown,
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    pub(crate) request_timeout: Span,
    pub(crate) requests_in_flight_max: NonZeroUsize,
    pub(crate) body_bytes_max: ByteSize,
    /// 0 sets no limit.
    pub(crate) requests_per_second: u32,
    pub(crate) request_burst: NonZeroU32,
}

/// `[data]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
    pub(crate) allow_volatile: bool,
}

/// `[write]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct WriteSection {
    pub(crate) policy: Policy,
}

/// The write policies, as they are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    #[default]
    Normal,
    Emergency,
}

/// `[queue]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Queue {
    pub(crate) writes_max: NonZeroUsize,
    pub(crate) bytes_max: ByteSize,
    pub(crate) batch_writes_max: NonZeroUsize,
    pub(crate) batch_bytes_max: ByteSize,
}

/// `[dead-letters]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DeadLetters {
    pub(crate) count_max: NonZeroU64,
    pub(crate) bytes_max: ByteSize,
    pub(crate) interval: Span,
}

/// `[reconcile]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Reconcilers {
    pub(crate) links: Job,
    pub(crate) sealer: Job,
    pub(crate) receipts: Job,
    pub(crate) canary: Job,
    pub(crate) sources: Job,
}

/// A section of `[reconcile]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Job {
    pub(crate) enabled: bool,
    pub(crate) interval: Span,
}

/// `[slo]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Slo {
    pub(crate) objectives: Vec<PathBuf>,
    pub(crate) prometheus: String,
    pub(crate) credentials_file: PathBuf,
    pub(crate) timeout: Span,
    pub(crate) interval: Span,
    pub(crate) period: Span,
    pub(crate) min_events: u32,
    pub(crate) cluster: String,
    pub(crate) alertmanagers: Vec<String>,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StoreSection {
    pub(crate) readers: NonZeroUsize,
}

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: LogLevel,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    Human,
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// `[shutdown]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Shutdown {
    pub(crate) timeout: Span,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            request_timeout: Span::from_secs(30),
            requests_in_flight_max: at_least_one(1_024),
            body_bytes_max: ByteSize::mebibytes(64),
            requests_per_second: 0,
            request_burst: NonZeroU32::MIN.saturating_add(199),
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("km-data"), allow_volatile: false }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            writes_max: at_least_one(4_096),
            bytes_max: ByteSize::mebibytes(16),
            batch_writes_max: at_least_one(256),
            batch_bytes_max: ByteSize::mebibytes(4),
        }
    }
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self {
            count_max: NonZeroU64::MIN.saturating_add(99_999),
            bytes_max: ByteSize::mebibytes(1_024),
            interval: Span::from_secs(5),
        }
    }
}

impl Default for Reconcilers {
    fn default() -> Self {
        let every = |seconds| Job { enabled: true, interval: Span::from_secs(seconds) };
        Self {
            links: every(300),
            sealer: every(60),
            receipts: every(60),
            canary: every(60),
            sources: every(60),
        }
    }
}

impl Default for Slo {
    fn default() -> Self {
        Self {
            objectives: Vec::new(),
            prometheus: String::new(),
            credentials_file: PathBuf::new(),
            timeout: Span::from_secs(10),
            interval: Span::from_secs(60),
            period: Span::from_secs(30 * 86_400),
            min_events: 1,
            cluster: String::new(),
            alertmanagers: Vec::new(),
        }
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { readers: at_least_one(2) }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { timeout: Span::from_secs(20) }
    }
}

const fn at_least_one(count: usize) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(count.saturating_sub(1))
}

impl Policy {
    /// The bounds that the name stands for.
    pub(crate) const fn bounds(self) -> WritePolicy {
        match self {
            Self::Normal => WritePolicy::NORMAL,
            Self::Emergency => WritePolicy::EMERGENCY,
        }
    }
}

impl Queue {
    /// The bounds for the writer.
    pub(crate) fn limits(&self) -> QueueLimits {
        QueueLimits {
            writes_max: self.writes_max.get(),
            bytes_max: self.bytes_max.bytes(),
            batch_writes_max: self.batch_writes_max.get(),
            batch_bytes_max: self.batch_bytes_max.bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
