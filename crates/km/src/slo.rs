//! Objectives, joined to the configuration: which files, which Prometheus, whom to tell.

use std::path::PathBuf;

use km_slo::{
    Address, Alertmanagers, Credentials, Defaults, LoadErrors, Objective, Prometheus, Sink, Telemetry, Watch,
    Window,
};
use prometheus_client::registry::Registry;

use crate::config::{Config, Slo};
use crate::failure::Failure;

/// What the history of the objectives is kept in, in the data directory.
pub(crate) const HISTORY_FILE: &str = "slo.json";

/// The background job that the configuration asks for; none while there are no objectives.
///
/// # Errors
/// [`Failure::Usage`] for whatever is wrong with the section or with the files.
pub(crate) fn watch(config: &Config, registry: &mut Registry) -> Result<Option<Watch>, Failure> {
    let section = &config.slo;
    if section.objectives.is_empty() {
        return Ok(None);
    }
    Ok(Some(Watch {
        objectives: objectives(section, &section.objectives)?
            .map_err(|errors| Failure::Usage(errors.to_string()))?,
        prometheus: prometheus(section, None)?,
        sink: sink(section)?,
        remembered: config.data.dir.join(HISTORY_FILE),
        interval: section.interval.0,
        telemetry: Telemetry::register(registry, section.interval.0),
        now: || crate::runtime::clock().now(),
    }))
}

/// Reads the objectives of these paths.
///
/// # Errors
/// [`Failure::Usage`] for the section; within, what is wrong with the files.
pub(crate) fn objectives(
    section: &Slo,
    paths: &[PathBuf],
) -> Result<Result<Vec<Objective>, LoadErrors>, Failure> {
    let period = Window::from_secs(section.period.0.as_secs())
        .ok_or_else(|| Failure::Usage("slo.period must be from one second to ten years".to_owned()))?;
    Ok(km_slo::load(paths, &Defaults { period, events_min: f64::from(section.min_events) }))
}

/// The Prometheus that was named, or else that of the section.
///
/// # Errors
/// [`Failure::Usage`] when there is none, or its address is none.
pub(crate) fn prometheus(section: &Slo, named: Option<&str>) -> Result<Prometheus, Failure> {
    let text = named.unwrap_or(&section.prometheus);
    if text.is_empty() {
        let reason = "no Prometheus to ask: set slo.prometheus, or name one with --prometheus";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let credentials = match &section.credentials_file {
        none if none.as_os_str().is_empty() => Credentials::None,
        file => Credentials::BearerFile(file.clone()),
    };
    Prometheus::new(&address("slo.prometheus", text)?, credentials, section.timeout.0)
        .map_err(|error| Failure::Refused(error.to_string()))
}

fn sink(section: &Slo) -> Result<Option<Sink>, Failure> {
    if section.alertmanagers.is_empty() {
        return Ok(None);
    }
    let peers = section.alertmanagers.iter().map(|peer| address("slo.alertmanagers", peer));
    let alertmanagers = Alertmanagers::new(peers.collect::<Result<_, _>>()?)
        .map_err(|error| Failure::Refused(error.to_string()))?;
    let sink = Sink::new(alertmanagers, &section.cluster);
    sink.map(Some).map_err(|error| Failure::Usage(format!("slo.cluster is empty: {error}")))
}

fn address(key: &str, text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| Failure::Usage(format!("{key}: {error}")))
}
