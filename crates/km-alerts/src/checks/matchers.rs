//! Matchers that none of the known alerts can meet: mostly names that were mistyped.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use super::Look;
use crate::finding::Level;
use crate::labels::{Labels, Verdict};
use crate::matcher::Matcher;
use crate::near::{nearest, next_to};
use crate::report::{Report, Spot};

pub(super) fn check(look: &Look<'_>, report: &mut Report) {
    if look.alerts.rules.is_empty() {
        return;
    }
    let known = Known::of(look);
    for rule in &look.configuration.inhibit_rules {
        for (side, what) in [(&rule.source, "as a source"), (&rule.target, "as a target")] {
            known.hold(look, rule.spot, &side.all(), what, report);
        }
    }
    for (at, route) in look.configuration.routes.iter().enumerate() {
        let own: Vec<&Matcher> = route.matchers.iter().collect();
        if !own.is_empty() && at > 0 {
            known.hold(look, route.spot, &own, "on this route", report);
        }
    }
}

/// What the alerts are made of.
struct Known<'a> {
    labels: Vec<&'a Labels>,
    /// Whether a matcher is met, by what it says: many rules have the same ones.
    met: RefCell<HashMap<String, bool>>,
    names: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(look: &'a Look<'_>) -> Self {
        let labels = look.alerts.rules.iter().map(|rule| &rule.labels).collect();
        Self { labels, met: RefCell::default(), names: look.alerts.names().into_keys().collect() }
    }

    fn hold(&self, look: &Look<'_>, spot: Spot, matchers: &[&Matcher], what: &str, report: &mut Report) {
        let mut all_are_met = true;
        for matcher in matchers.iter().filter(|matcher| !matcher.takes_absence()) {
            if !self.is_met(matcher) {
                all_are_met = false;
                let message = format!(
                    "none of the {} known alerts meets `{}` {what}",
                    self.labels.len(),
                    matcher.shown()
                );
                look.say(report, spot.at(matcher.mark), "AM109", Level::Warning, message, self.help(matcher));
            } else if let Some(near) = self.misspelt(matcher) {
                // The label may come from a metric, so that only a single slip is taken for one.
                let message = format!("no rule names the label `{}`", matcher.name);
                let help = Some(format!("did you mean `{near}`?"));
                look.say(report, spot.at(matcher.mark), "AM109", Level::Warning, message, help);
            }
        }
        let met_at_once = |labels: &&&Labels| labels.meet(matchers.iter().copied()) != Verdict::Impossible;
        if all_are_met && !matchers.is_empty() && !self.labels.iter().any(|labels| met_at_once(&labels)) {
            let shown: Vec<String> = matchers.iter().map(|matcher| matcher.shown()).collect();
            let message = format!("none of the known alerts meets all of `{}` {what}", shown.join(", "));
            look.say(report, spot, "AM109", Level::Warning, message, None);
        }
    }

    fn is_met(&self, matcher: &Matcher) -> bool {
        *self
            .met
            .borrow_mut()
            .entry(matcher.shown())
            .or_insert_with(|| self.labels.iter().any(|labels| labels.meet([matcher]) != Verdict::Impossible))
    }

    /// A label that is near to one that is known, and that nobody names itself.
    fn misspelt(&self, matcher: &Matcher) -> Option<&str> {
        if self.names.contains(matcher.name.as_str()) {
            return None;
        }
        next_to(&matcher.name, self.names.iter().copied())
    }

    fn help(&self, matcher: &Matcher) -> Option<String> {
        if let Some(near) = self.misspelt(matcher) {
            return Some(format!("did you mean the label `{near}`?"));
        }
        let values: BTreeSet<String> = self
            .labels
            .iter()
            .filter_map(|labels| labels.get(&matcher.name).values.clone())
            .flatten()
            .collect();
        let near =
            matcher.only()?.iter().find_map(|value| nearest(value, values.iter().map(String::as_str)))?;
        Some(format!("did you mean `{near}`?"))
    }
}
