//! What a run over all objectives came to: counts, coverage, health score, and which alerts follow.

use km_model::Timestamp;
use serde::{Serialize, Serializer};

use crate::evaluate::{Figures, State, Verdict};
use crate::objective::Objective;

/// With a smaller share of the weight evaluated there is no health score.
const COVERAGE_MIN: f64 = 0.5;

/// The alert for a failure of the governance itself.
pub const SELF_FAILURE: &str = "governance_self_failure";
/// The alert for objectives about which nothing can be said for want of data.
pub const DATA_GAP: &str = "governance_slo_data_gap";
/// The alert for broken objectives.
pub const VIOLATED: &str = "governance_slo_violated";

/// A run over all objectives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The whole in figures.
    #[serde(rename = "_meta")]
    pub meta: Meta,
    /// Every objective, in the order of the files.
    pub objectives: Vec<Line>,
}

/// The whole in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Meta {
    /// The one instant for which every query was asked.
    #[serde(serialize_with = "as_text")]
    pub evaluated_at: Timestamp,
    /// What the whole comes to.
    pub status: Status,
    /// Objectives.
    pub total_count: usize,
    /// Those that are kept.
    pub ok_count: usize,
    /// Those that are broken.
    pub violated_count: usize,
    /// Those about which nothing can be said: `no_data_count` and `error_count`.
    pub skipped_count: usize,
    /// Those without data.
    pub no_data_count: usize,
    /// Those where looking failed.
    pub error_count: usize,
    /// There are objectives, and every one was skipped.
    pub all_skipped: bool,
    /// The share of the weight that was evaluated.
    pub coverage: f64,
    /// The weighted share of kept objectives among those evaluated; none below a coverage of one half.
    pub health_score: Option<f64>,
    /// Something is wrong with the governance itself.
    pub self_failure: bool,
    /// The alerts that follow, by name.
    pub alerts: Vec<&'static str>,
}

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There are no objectives.
    Empty,
    /// At least one is broken.
    Violated,
    /// Every one is kept.
    Ok,
    /// Some are kept, the others were skipped.
    Partial,
    /// Every one was skipped, for want of data alone.
    NoData,
    /// Every one was skipped, at least one because looking failed.
    Error,
}

/// One objective in a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// `service/name`.
    pub slo: String,
    /// The service.
    pub service: String,
    /// The share that must be good.
    pub target: f64,
    /// How far back it looks, such as `30d`.
    pub window: String,
    /// How much it counts.
    pub weight: f64,
    /// `ok`, `violated` or `skipped`.
    #[serde(serialize_with = "as_state")]
    pub state: State,
    /// Why it was skipped.
    pub reason: Option<&'static str>,
    /// What was seen, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The share of good events.
    pub sli: Option<f64>,
    /// The error ratio as a multiple of what is allowed.
    pub burn_rate: Option<f64>,
    /// What is left of the error budget; below 0 when it is overdrawn.
    pub budget_remaining: Option<f64>,
    /// All events in the window, where they were counted.
    pub events: Option<f64>,
    /// What was left of the error budget before, the oldest first; null where it could not be said.
    pub trend: Vec<Option<f64>>,
}

impl Report {
    /// The report of the run at `at`.
    pub fn of(at: Timestamp, verdicts: Vec<(&Objective, Verdict)>) -> Self {
        let objectives: Vec<Line> =
            verdicts.into_iter().map(|(objective, verdict)| Line::of(objective, verdict)).collect();
        let weighed: Vec<(State, f64)> = objectives.iter().map(|line| (line.state, line.weight)).collect();
        Self { meta: Meta::of(at, &weighed), objectives }
    }
}

impl Line {
    fn of(objective: &Objective, verdict: Verdict) -> Self {
        let Verdict { state, detail, figures } = verdict;
        let figure = |of: fn(Figures) -> f64| figures.map(of);
        Self {
            slo: objective.id.clone(),
            service: objective.service.clone(),
            target: objective.target,
            window: objective.window.to_string(),
            weight: objective.weight,
            state,
            reason: state.reason(),
            detail,
            sli: figure(|figures| figures.sli),
            burn_rate: figure(|figures| figures.burn_rate),
            budget_remaining: figure(|figures| figures.budget_remaining),
            events: figures.and_then(|figures| figures.events),
            trend: Vec::new(),
        }
    }
}

impl Meta {
    /// Sums states and weights up.
    pub fn of(at: Timestamp, results: &[(State, f64)]) -> Self {
        let count = |is: fn(State) -> bool| results.iter().filter(|(state, _)| is(*state)).count();
        let weight = |is: fn(State) -> bool| -> f64 {
            results.iter().filter(|(state, _)| is(*state)).fold(0.0, |sum, (_, weight)| sum + weight)
        };
        let total = results.len();
        let ok = count(is_ok);
        let violated = count(|state| state == State::Violated);
        let no_data = count(|state| matches!(state, State::NoData(_)));
        let errors = count(|state| matches!(state, State::Error(_)));
        let (evaluated_weight, all_weight) = (weight(is_evaluated), weight(|_| true));
        let coverage = if all_weight > 0.0 { evaluated_weight / all_weight } else { 0.0 };
        let score = weight(is_ok) / evaluated_weight;
        let evaluated = ok + violated;
        let status = match () {
            () if total == 0 => Status::Empty,
            () if violated > 0 => Status::Violated,
            () if ok == total => Status::Ok,
            () if ok > 0 => Status::Partial,
            () if errors > 0 => Status::Error,
            () => Status::NoData,
        };
        let self_failure = total == 0 || errors > 0;
        let alerts = [
            (self_failure, SELF_FAILURE),
            (evaluated == 0 && no_data > 0, DATA_GAP),
            (violated > 0, VIOLATED),
        ];
        Self {
            evaluated_at: at,
            status,
            total_count: total,
            ok_count: ok,
            violated_count: violated,
            skipped_count: no_data + errors,
            no_data_count: no_data,
            error_count: errors,
            all_skipped: total > 0 && evaluated == 0,
            coverage,
            health_score: (evaluated > 0 && coverage >= COVERAGE_MIN).then_some(score),
            self_failure,
            alerts: alerts.into_iter().filter(|(fires, _)| *fires).map(|(_, name)| name).collect(),
        }
    }
}

fn is_ok(state: State) -> bool {
    state == State::Ok
}

const fn is_evaluated(state: State) -> bool {
    matches!(state, State::Ok | State::Violated)
}

impl Status {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Violated => "violated",
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::NoData => "no_data",
            Self::Error => "error",
        }
    }
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn as_state<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}
