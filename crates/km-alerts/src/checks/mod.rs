//! The checks. Each file looks at one part of a configuration.

mod cycles;
mod held;
mod inhibit;
mod matchers;
mod pairs;
mod receivers;
mod refused;
mod routes;

use self::cycles::Mutings;
use self::held::{Crowd, Held};
use crate::config::Configuration;
use crate::finding::Level;
use crate::report::{Report, Spot};
use crate::rules::{Alerts, Rule};
use crate::source::Source;

/// What every check looks at.
pub(crate) struct Look<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) configuration: &'a Configuration,
    pub(crate) alerts: &'a Alerts,
}

impl Look<'_> {
    fn say(
        &self,
        report: &mut Report,
        spot: Spot,
        code: &'static str,
        level: Level,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        report.add(self.sources, spot, code, level, message, help);
    }

    /// How messages call an alert: by its name, and where its rule stands.
    fn named(&self, rule: &Rule) -> String {
        match self.sources.get(rule.spot.source).map(|source| source.place(rule.spot.mark)) {
            Some(place) => format!("`{}` ({}:{})", rule.name, place.file, place.line.unwrap_or_default()),
            None => format!("`{}`", rule.name),
        }
    }

    /// How sure something is that rests on labels no rule sets: external labels may still add them.
    const fn closed_level(&self) -> Level {
        if self.alerts.is_closed { Level::Error } else { Level::Warning }
    }

    const fn unless_external(&self) -> &'static str {
        if self.alerts.is_closed { "" } else { ", unless external labels add it" }
    }
}

/// Everything that is wrong with a configuration.
pub(crate) fn run(look: &Look<'_>, report: &mut Report) {
    refused::check(look, report);
    receivers::check(look, report);
    routes::check(look, report);
    inhibit::check(look, report);
    matchers::check(look, report);
    against_alerts(look, report);
}

/// Holds every inhibit rule against the alerts, one after the other: all at once would be a lot.
fn against_alerts(look: &Look<'_>, report: &mut Report) {
    let in_circles = cycles::of_matchers(look, report);
    if look.alerts.rules.is_empty() {
        return;
    }
    let crowd = Crowd::new(&look.alerts.rules);
    let mut mutings = Mutings::new(look.alerts.rules.len());
    for (nth, rule) in look.configuration.inhibit_rules.iter().enumerate() {
        if rule.source.is_unclear || rule.target.is_unclear {
            continue;
        }
        let held = Held::of(&crowd, rule);
        pairs::check(look, rule, &held, report);
        if !in_circles.contains(&nth) && !rule.source.matchers.is_empty() {
            mutings.add(nth, &held);
        }
    }
    mutings.say(look, report);
}
