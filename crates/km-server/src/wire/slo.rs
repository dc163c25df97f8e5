//! Bodies of the objectives.

use km_slo::{Line, Meta, Report};
use serde::Serialize;
use utoipa::ToSchema;

/// What the last run over all objectives came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SloReport)]
pub(crate) struct Slo {
    #[serde(rename = "_meta")]
    meta: SloMeta,
    /// Every objective, in the order of the files.
    objectives: Vec<SloLine>,
}

/// The whole in figures.
#[derive(Debug, Serialize, ToSchema)]
struct SloMeta {
    /// The one instant for which every query was asked.
    evaluated_at: String,
    /// `empty`, `violated`, `ok`, `partial`, `no_data`, `error`.
    status: &'static str,
    total_count: usize,
    ok_count: usize,
    violated_count: usize,
    /// Those about which nothing can be said: `no_data_count` and `error_count`.
    skipped_count: usize,
    no_data_count: usize,
    error_count: usize,
    /// There are objectives, and every one was skipped.
    all_skipped: bool,
    /// The share of the weight that was evaluated.
    coverage: f64,
    /// The weighted share of kept objectives among those evaluated; null below a coverage of one half.
    health_score: Option<f64>,
    /// Something is wrong with the governance itself.
    self_failure: bool,
    /// The alerts that follow, by name.
    alerts: Vec<&'static str>,
}

/// One objective.
#[derive(Debug, Serialize, ToSchema)]
struct SloLine {
    /// `service/name`.
    slo: String,
    service: String,
    /// The share that must be good.
    target: f64,
    /// How far back it looks, such as `30d`.
    window: String,
    weight: f64,
    /// `ok`, `violated`, `skipped`.
    state: &'static str,
    /// Why it was skipped: `no_data.…` or `error.…`.
    reason: Option<&'static str>,
    /// What was seen, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// The share of good events.
    sli: Option<f64>,
    /// The error ratio as a multiple of what is allowed.
    burn_rate: Option<f64>,
    /// What is left of the error budget; below 0 when it is overdrawn.
    budget_remaining: Option<f64>,
    /// All events in the window, where they were counted.
    events: Option<f64>,
    /// What was left of the error budget, a value for each half hour of the last day, the oldest first.
    trend: Vec<Option<f64>>,
}

impl From<&Report> for Slo {
    fn from(report: &Report) -> Self {
        Self {
            meta: SloMeta::from(&report.meta),
            objectives: report.objectives.iter().map(SloLine::from).collect(),
        }
    }
}

impl From<&Meta> for SloMeta {
    fn from(meta: &Meta) -> Self {
        Self {
            evaluated_at: meta.evaluated_at.to_string(),
            status: meta.status.as_str(),
            total_count: meta.total_count,
            ok_count: meta.ok_count,
            violated_count: meta.violated_count,
            skipped_count: meta.skipped_count,
            no_data_count: meta.no_data_count,
            error_count: meta.error_count,
            all_skipped: meta.all_skipped,
            coverage: meta.coverage,
            health_score: meta.health_score,
            self_failure: meta.self_failure,
            alerts: meta.alerts.clone(),
        }
    }
}

impl From<&Line> for SloLine {
    fn from(line: &Line) -> Self {
        Self {
            slo: line.slo.clone(),
            service: line.service.clone(),
            target: line.target,
            window: line.window.clone(),
            weight: line.weight,
            state: line.state.as_str(),
            reason: line.reason,
            detail: line.detail.clone(),
            sli: line.sli,
            burn_rate: line.burn_rate,
            budget_remaining: line.budget_remaining,
            events: line.events,
            trend: line.trend.clone(),
        }
    }
}
