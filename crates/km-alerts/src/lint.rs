//! From texts to findings.

use std::collections::{BTreeMap, HashMap};

use crate::checks::{self, Look};
use crate::config::Configuration;
use crate::finding::Finding;
use crate::fix;
use crate::input::{Contents, Input};
use crate::report::{Report, Spot};
use crate::rules::{self, Alerts, Sender};
use crate::schema::Fit;
use crate::suppress;
use crate::version::Version;

/// What is told beside the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The release of Alertmanager that will read the configuration.
    pub target_version: Option<Version>,
    /// Labels that Prometheus adds to every alert.
    pub external_labels: BTreeMap<String, String>,
    /// That Prometheus adds no other labels than those that are named.
    pub no_other_external_labels: bool,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Linted {
    /// What is wrong, by place.
    pub findings: Vec<Finding>,
    /// Diffs that mend what can be mended without asking.
    pub diffs: Vec<String>,
    /// Configurations that were found.
    pub configurations: usize,
    /// Inhibit rules in them.
    pub inhibit_rules: usize,
    /// Alerts that were held against them: rules, and those that are posted.
    pub alerts: usize,
}

/// Reads all inputs and checks every configuration against all alerts in them. `is_code` knows the checks by code.
pub fn lint(inputs: &[Input], options: &Options, is_code: &dyn Fn(&str) -> bool) -> Linted {
    let mut report = Report::default();
    let mut contents = Contents::default();
    for input in inputs {
        contents.take(input, &mut report);
    }
    let alerts = alerts(&contents, options, &mut report);
    let configurations: Vec<Configuration> =
        contents.configurations.iter().map(|(source, root)| Configuration::read(*source, root)).collect();
    for configuration in &configurations {
        let spot = Spot::new(configuration.source, configuration.root.mark);
        let mut fit = Fit {
            sources: &contents.sources,
            target: options.target_version,
            report: &mut report,
            known: HashMap::new(),
        };
        fit.configuration(spot, &configuration.root);
        checks::run(&Look { sources: &contents.sources, configuration, alerts: &alerts }, &mut report);
    }
    let mut findings = suppress::apply(&contents.sources, is_code, report);
    findings.sort_by(|a, b| {
        (&a.place, a.level, a.code, &a.message).cmp(&(&b.place, b.level, b.code, &b.message))
    });
    findings.dedup();
    let texts = inputs.iter().filter_map(|input| Some((input.name.clone(), input.text.clone().ok()?)));
    Linted {
        diffs: fix::diffs(&contents.sources, &texts.collect(), &configurations, &findings),
        configurations: configurations.len(),
        inhibit_rules: configurations.iter().map(|configuration| configuration.inhibit_rules.len()).sum(),
        alerts: alerts.rules.len(),
        findings,
    }
}

/// The alerts of all rule files, as every known Prometheus would send them, and those that are posted.
fn alerts(contents: &Contents, options: &Options, report: &mut Report) -> Alerts {
    let of_files = contents.prometheus.iter().map(|root| Sender::of_prometheus(root));
    let of_resources = contents.resources.iter().map(|root| Sender::of_resource(root));
    let mut senders: Vec<Sender> = of_files.chain(of_resources).collect();
    let is_told = !options.external_labels.is_empty() || options.no_other_external_labels;
    let is_closed = is_told || !senders.is_empty();
    if senders.is_empty() {
        senders.push(Sender::default());
    }
    for sender in &mut senders {
        sender.external_labels.extend(options.external_labels.clone());
    }
    let mut alerts = Alerts { is_closed: is_closed || contents.rules.is_empty(), ..Alerts::default() };
    for (nth, sender) in senders.iter().enumerate() {
        // What is wrong with a rule is said once, however many send it.
        let mut unheard = Report::default();
        for (source, root) in &contents.rules {
            let heard = if nth == 0 { &mut *report } else { &mut unheard };
            alerts.rules.extend(rules::read(&contents.sources, *source, root, sender, heard));
        }
    }
    alerts.rules.extend(contents.alerts.iter().map(|(spot, labels)| rules::posted(*spot, labels)));
    alerts
}
