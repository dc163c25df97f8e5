//! What source reconciliation asks of the monitoring systems that send alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use km_model::{AlertNotice, Fingerprint, Timestamp};
use thiserror::Error;

/// One source: the Alertmanagers of one installation, and the Prometheus behind them where it is known.
#[async_trait]
pub trait Monitor: Send + Sync {
    /// The alerts that fire by each of its Alertmanagers, silenced and inhibited ones too; one answer for each of
    /// them. An answer is whole: where it is not, it is an error.
    async fn firing(&self) -> Vec<Result<Vec<AlertNotice>, MonitorError>>;

    /// Whether there is a Prometheus to ask for what was.
    fn remembers(&self) -> bool;

    /// Which alerts fired from one instant through another, looked at every `step`.
    ///
    /// # Errors
    /// [`MonitorError`]; with `too_large` a shorter time may be answered.
    async fn history(
        &self,
        from: Timestamp,
        through: Timestamp,
        step: Duration,
    ) -> Result<Vec<FiringSeries>, MonitorError>;
}

/// Why a monitoring system gave no answer that can be used.
#[derive(Debug, Error)]
#[error("{whom}: {what}")]
pub struct MonitorError {
    /// Who was asked.
    pub whom: String,
    /// What went wrong, causes included.
    pub what: String,
    /// Whether there was more to say than is taken at once.
    pub too_large: bool,
}

/// When one alert was seen firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringSeries {
    /// As the Alertmanager computes it.
    pub fingerprint: Fingerprint,
    /// As the Alertmanager shows them.
    pub labels: BTreeMap<String, String>,
    /// Looks at which it fired, in the order of time.
    pub sightings: Vec<Sighting>,
}

/// A look that found an alert firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The instant that was looked at.
    pub at: Timestamp,
    /// When the rule was evaluated that says so, at that instant or before it.
    pub sampled_at: Timestamp,
}
