//! Alerts before they fire: rule files, what Prometheus adds to them, and alerts that others post.

use std::collections::BTreeMap;

use km_yaml::Node;
use regex::Regex;

use crate::finding::Level;
use crate::labels::{Label, Labels, Presence};
use crate::promql::{self, NotFollowed};
use crate::report::{Report, Spot};
use crate::source::Source;

/// Every alert that may come, as far as was told.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    pub(crate) rules: Vec<Rule>,
    /// Whether what Prometheus adds is known, so that a label that no rule sets is certainly not there.
    pub(crate) is_closed: bool,
}

/// An alert that a rule raises, or that somebody posts.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) spot: Spot,
    pub(crate) labels: Labels,
}

/// What a Prometheus does to every alert before it sends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sender {
    pub(crate) external_labels: BTreeMap<String, String>,
    relabel: Vec<Relabel>,
}

/// A step of `alert_relabel_configs`, as far as it is followed.
#[derive(Clone, Debug)]
enum Relabel {
    /// Labels whose names match are taken away.
    Drop(Regex),
    /// All others are.
    Keep(Regex),
    /// This label may be set, changed or taken away.
    Touch(String),
    /// Anything may be there afterwards.
    Anything,
}

impl Sender {
    /// The `global.external_labels` and `alerting.alert_relabel_configs` of a prometheus.yml.
    pub(crate) fn of_prometheus(root: &Node) -> Self {
        let mut sender = Self::default();
        let external = root.get("global").and_then(|global| global.get("external_labels"));
        sender.add_external(external.map(|labels| &**labels));
        let steps = root.get("alerting").and_then(|alerting| alerting.get("alert_relabel_configs"));
        sender.relabel = steps
            .map(|steps| steps.items())
            .unwrap_or_default()
            .iter()
            .filter_map(|step| relabel(step))
            .collect();
        sender
    }

    /// What the operator makes of a `Prometheus` resource.
    pub(crate) fn of_resource(root: &Node) -> Self {
        let mut sender = Self::default();
        let spec = root.get("spec");
        sender.add_external(spec.and_then(|spec| spec.get("externalLabels")).map(|labels| &**labels));
        let named = |key: &str, default: &str| {
            let text =
                spec.and_then(|spec| spec.get(key)).map(|node| node.text().unwrap_or_default().to_owned());
            text.unwrap_or_else(|| default.to_owned())
        };
        let of = |key: &str| {
            let metadata = root.get("metadata").and_then(|metadata| metadata.get(key));
            metadata.and_then(|node| node.text()).unwrap_or_default().to_owned()
        };
        let own = named("prometheusExternalLabelName", "prometheus");
        if !own.is_empty() {
            sender.external_labels.insert(own, format!("{}/{}", of("namespace"), of("name")));
        }
        if spec.is_some_and(|spec| spec.get("additionalAlertRelabelConfigs").is_some()) {
            sender.relabel.push(Relabel::Anything);
        }
        sender
    }

    pub(crate) fn add_external(&mut self, labels: Option<&Node>) {
        for (name, value) in labels.map(Node::entries).unwrap_or_default() {
            if let (Some(name), Some(value)) = (name.text(), value.text()) {
                self.external_labels.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn send(&self, mut labels: Labels) -> Labels {
        for (name, value) in &self.external_labels {
            let known = labels.get(name).clone();
            let sent = match known.presence {
                Presence::Always => known,
                // An external value that is filled in at the start of Prometheus is there, but not known.
                _ if value.contains('$') => known.or(&Label::always()).and(&Label::always()),
                _ => {
                    let either = known.or(&Label::fixed(value));
                    Label { presence: Presence::Always, ..either }
                }
            };
            labels.set(name, sent);
        }
        self.relabel.iter().fold(labels, |labels, step| step.apply(labels))
    }
}

impl Relabel {
    fn apply(&self, labels: Labels) -> Labels {
        let matching = |regex: &Regex, wanted: bool| -> Vec<String> {
            labels
                .names()
                .filter(|(name, _)| regex.is_match(name) == wanted)
                .map(|(name, _)| name.to_owned())
                .collect()
        };
        match self {
            Self::Drop(regex) => labels.clone().without(&matching(regex, true)),
            Self::Keep(regex) => labels.clone().without(&matching(regex, false)),
            Self::Touch(name) => labels.with(name, Label::maybe()),
            // Nobody takes the name away: without it nothing could be routed.
            Self::Anything => {
                let name = labels.get("alertname").clone();
                labels.loosened().or(&Labels::open()).with("alertname", name)
            }
        }
    }
}

fn relabel(step: &Node) -> Option<Relabel> {
    let text = |key: &str, default: &'static str| {
        step.get(key).and_then(|node| node.text()).unwrap_or(default).to_owned()
    };
    let regex = crate::matcher::compile(&text("regex", "(.*)"));
    match (text("action", "replace").to_ascii_lowercase().as_str(), regex) {
        ("keep" | "drop" | "keepequal" | "dropequal", _) => None,
        ("labeldrop", Ok(regex)) => Some(Relabel::Drop(regex)),
        ("labelkeep", Ok(regex)) => Some(Relabel::Keep(regex)),
        ("replace" | "hashmod" | "lowercase" | "uppercase", _) => match text("target_label", "") {
            name if name.contains('$') => Some(Relabel::Anything),
            name => Some(Relabel::Touch(name)),
        },
        _ => Some(Relabel::Anything),
    }
}

/// Reads the rules of all groups of a document: a rule file, or the `spec` of a `PrometheusRule`.
pub(crate) fn read(
    sources: &[Source],
    source: usize,
    root: &Node,
    sender: &Sender,
    report: &mut Report,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for group in root.get("groups").map(|groups| groups.items()).unwrap_or_default() {
        let of_group = group.get("labels");
        for node in group.get("rules").map(|rules| rules.items()).unwrap_or_default() {
            let Some(alert) = node.get("alert").and_then(|alert| alert.text()) else { continue };
            let spot = Spot::new(source, node.mark);
            let expression = node.get("expr");
            let labels = match expression.and_then(|expr| expr.text()).map(promql::labels) {
                Some(Ok(labels)) => labels,
                Some(Err(why)) => {
                    let at = spot.at(expression.map_or(node.mark, |expression| expression.mark));
                    not_followed(sources, at, alert, &why, report);
                    Labels::open()
                }
                None => {
                    let message = format!("the alert rule `{alert}` has no expression");
                    report.add(sources, spot, "AM401", Level::Error, message, None);
                    Labels::open()
                }
            };
            let labels = set(labels.clone(), &labels, of_group.map(|labels| &**labels));
            let labels = set(labels.clone(), &labels, node.get("labels").map(|labels| &**labels));
            let labels = labels.with("alertname", Label::fixed(alert));
            rules.push(Rule { name: alert.to_owned(), spot, labels: sender.send(labels) });
        }
    }
    rules
}

fn not_followed(sources: &[Source], spot: Spot, alert: &str, why: &NotFollowed, report: &mut Report) {
    match why {
        NotFollowed::Broken(why) => {
            let first = why.lines().next().unwrap_or_default();
            let message = format!("the expression of `{alert}` cannot be read: {first}");
            report.add(sources, spot, "AM401", Level::Warning, message, None);
        }
        NotFollowed::TooLarge => {
            let message =
                format!("the expression of `{alert}` is too large to be followed: any label may be there");
            report.add(sources, spot, "AM401", Level::Note, message, None);
        }
    }
}

/// Puts the labels of a rule over those of its expression.
fn set(mut labels: Labels, series: &Labels, added: Option<&Node>) -> Labels {
    for (name, value) in added.map(Node::entries).unwrap_or_default() {
        if let Some(name) = name.text() {
            labels.set(name, templated(value.text().unwrap_or_default(), series));
        }
    }
    labels
}

/// The label that a text becomes, which may be a template.
fn templated(text: &str, series: &Labels) -> Label {
    if !text.contains("{{") {
        return Label::fixed(text);
    }
    let inner = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or_default();
    let inner = inner.trim().trim_start_matches('-').trim_end_matches('-').trim();
    if let Some(name) = inner.strip_prefix("$labels.").filter(|name| crate::schema::is_classic_name(name)) {
        return series.get(name).clone();
    }
    // Text beside the template is there whatever the template becomes.
    let beside = text.split("{{").next().is_some_and(|head| !head.trim().is_empty())
        || text.rsplit("}}").next().is_some_and(|tail| !tail.trim().is_empty());
    if beside { Label::always() } else { Label::maybe() }
}

/// An alert that somebody posts with exactly these labels.
pub(crate) fn posted(spot: Spot, labels: &BTreeMap<String, String>) -> Rule {
    let fixed = labels.iter().fold(Labels::none(), |all, (name, value)| all.with(name, Label::fixed(value)));
    Rule { name: labels.get("alertname").cloned().unwrap_or_default(), spot, labels: fixed }
}

impl Alerts {
    /// Labels that some alert names, with the number of alerts that do.
    pub(crate) fn names(&self) -> BTreeMap<&str, usize> {
        let mut names = BTreeMap::new();
        for (name, label) in self.rules.iter().flat_map(|rule| rule.labels.names()) {
            if label.presence != Presence::Never {
                *names.entry(name).or_default() += 1;
            }
        }
        names
    }
}
