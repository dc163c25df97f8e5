//! Rules for Prometheus that follow from objectives: the error ratio over several windows, and alerts on how fast the
//! error budget burns.
//!
//! The windows and factors are those of the SRE Workbook, <https://sre.google/workbook/alerting-on-slos/>, table 5-8:
//! an alert fires while a long window says that the burn matters and a short one that it goes on.

use std::collections::BTreeMap;

use crate::objective::{Channel, Indicator, Objective, Query, Share};

/// The windows over which the error ratio is recorded, the shortest first.
const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
/// A ratio whose query follows no window is averaged over the shortest.
const SHORTEST: &str = "5m";
/// How fast is too fast.
const BURNS: [Burn; 4] = [
    Burn { factor: "14.4", long: "1h", short: "5m", wakes: true },
    Burn { factor: "6", long: "6h", short: "30m", wakes: true },
    Burn { factor: "3", long: "1d", short: "2h", wakes: false },
    Burn { factor: "1", long: "3d", short: "6h", wakes: false },
];
/// What alerts are called where the file says nothing.
const ALERT: &str = "SLOErrorBudgetBurn";
/// What rules are recorded under.
const RATIO: &str = "km_slo:error_ratio:rate";

struct Burn {
    factor: &'static str,
    long: &'static str,
    short: &'static str,
    wakes: bool,
}

/// How the rules are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// A rule file of Prometheus.
    File,
    /// A `PrometheusRule` of the Prometheus operator, with this name.
    Resource,
}

/// The rules of all objectives, as YAML.
pub fn rules(objectives: &[Objective], wrapping: Wrapping) -> String {
    let mut out = Yaml::default();
    match wrapping {
        Wrapping::File => {}
        Wrapping::Resource => {
            out.line(0, "apiVersion: monitoring.coreos.com/v1");
            out.line(0, "kind: PrometheusRule");
            out.line(0, "metadata:");
            out.line(1, "name: km-slo");
            out.line(0, "spec:");
            out.depth = 1;
        }
    }
    if objectives.is_empty() {
        out.line(0, "groups: []");
        return out.text;
    }
    out.line(0, "groups:");
    for objective in objectives {
        out.line(1, &format!("- name: {}", quoted(&format!("km-slo {} ratios", objective.id))));
        out.line(2, "rules:");
        recorded(&mut out, objective);
        alerts(&mut out, objective);
    }
    out.text
}

fn recorded(out: &mut Yaml, objective: &Objective) {
    let labels = own_labels(objective);
    let period = objective.window.to_string();
    let windows = WINDOWS.iter().copied().filter(|window| *window != period).chain([period.as_str()]);
    for window in windows {
        out.record(&format!("{RATIO}{window}"), &ratio(objective, window), &labels);
    }
    out.record("km_slo:target:ratio", &format!("vector({})", objective.target), &labels);
    let budget = 1.0 - objective.target;
    if budget > 0.0 {
        let used = format!("{RATIO}{period}{} / {}", matcher(objective), plain(budget));
        out.record("km_slo:error_budget_remaining:ratio", &format!("1 - {used}"), &labels);
    }
}

/// The error ratio over a window. Where there are no events there is no ratio, since the denominator is guarded; a part
/// that was never seen counts as none.
fn ratio(objective: &Objective, window: &str) -> String {
    let follows = objective.indicator.queries().all(Query::follows_window);
    if !follows && window != SHORTEST {
        return format!("avg_over_time({RATIO}{SHORTEST}{}[{window}])", matcher(objective));
    }
    match &objective.indicator {
        Indicator::Bad { bad, total } => {
            let (bad, total) = (bad.over(window), total.over(window));
            format!("(({bad}) or 0 * ({total})) / (({total}) > 0)")
        }
        Indicator::Good { good, total } => {
            let (good, total) = (good.over(window), total.over(window));
            format!("((({total}) - ({good})) or ({total})) / (({total}) > 0)")
        }
        Indicator::Raw { ratio, of: Share::Failure } => ratio.over(window),
        Indicator::Raw { ratio, of: Share::Success } => format!("1 - ({})", ratio.over(window)),
    }
}

fn alerts(out: &mut Yaml, objective: &Objective) {
    let alerting = &objective.alerting;
    for burn in &BURNS {
        let channel = if burn.wakes { &alerting.page } else { &alerting.ticket };
        let factor: f64 = burn.factor.parse().unwrap_or(1.0);
        let budget = 1.0 - objective.target;
        if channel.disabled || budget <= 0.0 {
            continue;
        }
        if factor * budget >= 1.0 {
            let reason = format!(
                "# {}: even if all events were bad, the budget would not burn {} times too fast.",
                objective.id, burn.factor
            );
            out.line(3, &reason);
            continue;
        }
        alert(out, objective, channel, burn, budget);
    }
}

fn alert(out: &mut Yaml, objective: &Objective, channel: &Channel, burn: &Burn, budget: f64) {
    let over =
        |window: &str| format!("{RATIO}{window}{} > {} * {}", matcher(objective), burn.factor, plain(budget));
    out.line(3, &format!("- alert: {}", quoted(objective.alerting.name.as_deref().unwrap_or(ALERT))));
    out.line(4, &format!("expr: {}", quoted(&format!("{} and {}", over(burn.long), over(burn.short)))));
    let mut labels = objective.labels.clone();
    labels.extend(
        [
            ("layer", "slo"),
            ("component", objective.service.as_str()),
            ("severity", if burn.wakes { "critical" } else { "warning" }),
            ("slo", objective.id.as_str()),
            ("burn", burn.factor),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    labels.extend(objective.alerting.labels.clone());
    labels.extend(channel.labels.clone());
    out.map(4, "labels", &labels);
    let mut annotations = BTreeMap::from(
        [
            ("summary", format!("{} burns its error budget {} times too fast", objective.id, burn.factor)),
            (
                "description",
                format!(
                    "Over {} and over {} the share of bad events is more than {} times the {} that the target allows; \
                     at this pace the budget of {} is used up in 1/{} of that time.",
                    burn.long, burn.short, burn.factor, plain(budget), objective.window, burn.factor
                ),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    annotations.extend(objective.alerting.annotations.clone());
    annotations.extend(channel.annotations.clone());
    out.map(4, "annotations", &annotations);
}

fn own_labels(objective: &Objective) -> BTreeMap<String, String> {
    let own = [("slo", &objective.id), ("service", &objective.service)];
    own.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

fn matcher(objective: &Objective) -> String {
    format!("{{slo={}}}", quoted(&objective.id))
}

/// A share without the last digits of its double: 0.001 and not 0.0010000000000000009.
fn plain(share: f64) -> String {
    let text = format!("{share:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text in quotes, as JSON has it, which YAML and PromQL read the same way.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[derive(Default)]
struct Yaml {
    text: String,
    depth: usize,
}

impl Yaml {
    fn line(&mut self, depth: usize, text: &str) {
        let indent = 2 * (self.depth + depth);
        self.text += &format!("{:indent$}{text}\n", "");
    }

    fn record(&mut self, name: &str, query: &str, labels: &BTreeMap<String, String>) {
        self.line(3, &format!("- record: {}", quoted(name)));
        self.line(4, &format!("expr: {}", quoted(query)));
        self.map(4, "labels", labels);
    }

    fn map(&mut self, depth: usize, name: &str, entries: &BTreeMap<String, String>) {
        self.line(depth, &format!("{name}:"));
        for (name, value) in entries {
            self.line(depth + 1, &format!("{}: {}", quoted(name), quoted(value)));
        }
    }
}

#[cfg(test)]
mod tests;
