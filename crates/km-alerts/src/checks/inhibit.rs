//! What is wrong with an inhibit rule by itself, whatever alerts there are.

use super::Look;
use crate::config::{InhibitRule, Side};
use crate::finding::Level;
use crate::labels::{Labels, Presence};
use crate::matcher::{Matcher, contradiction, implied};
use crate::report::Report;

/// Layers in the order in which they carry each other. What is above may be muted by what is below.
pub(super) const LAYERS: [&str; 7] = ["cluster", "node", "datastore", "backend", "app", "slo", "governance"];

/// Labels that say what an alert is, and not where it comes from.
const NOT_A_SCOPE: [&str; 7] =
    ["alertname", "severity", "priority", "level", "layer", "component", "protected"];

pub(super) fn check(look: &Look<'_>, report: &mut Report) {
    for rule in &look.configuration.inhibit_rules {
        if rule.source.is_unclear || rule.target.is_unclear {
            continue;
        }
        let is_dead = impossible(look, rule, report) | two_sided(look, rule, report);
        missing(look, rule, report);
        if !is_dead {
            without_equal(look, rule, report);
            unlabelled(look, rule, report);
            protected(look, rule, report);
            layers(look, rule, report);
        }
        if look.alerts.rules.is_empty() {
            unguarded_by_matchers(look, rule, report);
        }
    }
}

fn without_equal(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
    // Without matchers for its source a rule speaks of all alerts anyway, and that is said.
    if !rule.equal.is_empty() || rule.source.matchers.is_empty() || pins_the_same_scope(rule) {
        return;
    }
    let message =
        format!("{} has no `equal`: one alert mutes every target, wherever it comes from", rule.shown());
    let help = "name the labels that tie a target to its source, such as `equal: [cluster]`".to_owned();
    look.say(report, rule.spot, "AM101", Level::Error, message, Some(help));
}

/// Whether source and target are tied to each other by naming the same place, such as `cluster="a"` on both sides.
fn pins_the_same_scope(rule: &InhibitRule) -> bool {
    let pinned = |side: &Side| -> Vec<(String, String)> {
        let fixed = side.matchers.iter().filter(|matcher| !NOT_A_SCOPE.contains(&matcher.name.as_str()));
        fixed
            .filter_map(|matcher| {
                let only = matcher.only().filter(|only| only.len() == 1)?;
                let value = only.first().filter(|value| !value.is_empty())?;
                Some((matcher.name.clone(), value.clone()))
            })
            .collect()
    };
    let target = pinned(&rule.target);
    pinned(&rule.source).iter().any(|pin| target.contains(pin))
}

/// A side without matchers. That every alert mutes something may be wanted, of an alert that is only there to mute;
/// that every alert is muted is not.
fn missing(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
    let sides = [(&rule.source, "source", Level::Warning), (&rule.target, "target", Level::Error)];
    for (_, what, level) in sides.into_iter().filter(|(side, ..)| side.matchers.is_empty()) {
        let message = format!("{} has no matchers for its {what}: every alert is one", rule.shown());
        look.say(report, rule.spot, "AM107", level, message, None);
    }
}

/// Matchers of one side that exclude each other.
fn impossible(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) -> bool {
    let mut is_dead = false;
    for (side, what) in [(&rule.source, "source"), (&rule.target, "target")] {
        if let Some((one, other)) = contradiction(&side.all()) {
            is_dead = true;
            let message = format!(
                "no alert can be a {what}: `{}` and `{}` exclude each other",
                one.shown(),
                other.shown()
            );
            look.say(report, rule.spot.at(other.mark), "AM109", Level::Error, message, None);
        }
    }
    for label in &rule.equal {
        let named: Vec<_> = rule.source.of(&label.text).chain(rule.target.of(&label.text)).collect();
        if let Some((one, other)) = contradiction(&named).filter(|_| !is_dead) {
            is_dead = true;
            let message = format!(
                "{} never mutes: `{}` has to be equal, and `{}` and `{}` exclude each other",
                rule.shown(),
                label.text,
                one.shown(),
                other.shown()
            );
            look.say(report, rule.spot.at(label.mark), "AM103", Level::Error, message, None);
        }
    }
    is_dead
}

/// A rule whose sources are all targets and whose targets are all sources: an alert that is both is never muted by
/// another that is both, so that it mutes nothing.
fn two_sided(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) -> bool {
    let (source, target) = (rule.source.all(), rule.target.all());
    let is_dead = implied(&source, &target) && implied(&target, &source);
    if is_dead {
        let message = format!(
            "{} never mutes: what is a target is a source too, and those do not mute each other",
            rule.shown()
        );
        look.say(report, rule.spot, "AM105", Level::Error, message, None);
    }
    is_dead
}

/// Targets that are met by an alert without labels.
fn unlabelled(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
    // An alert always has a name, so that only a name that is asked for leaves others out.
    let leaves_out = |matcher: &Matcher| match matcher.name.as_str() {
        "alertname" => !matcher.is_negative() && !matcher.takes_whatever_is_there(),
        _ => !matcher.takes_absence(),
    };
    if !rule.target.matchers.is_empty() && !rule.target.matchers.iter().any(leaves_out) {
        let message =
            format!("targets are alerts without labels too: `{}` is met by absence", rule.target.shown());
        let help = "say what a target has, such as `needs_x=\"true\"`, instead of what it lacks".to_owned();
        look.say(report, rule.spot, "AM108", Level::Warning, message, Some(help));
    }
}

/// A target that is protected by its own words.
fn protected(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
    let asks = rule.target.of("protected").find(|matcher| !matcher.takes_absence() && matcher.takes("true"));
    if let Some(matcher) = asks {
        let message = format!("{} mutes protected alerts: `{}`", rule.shown(), matcher.shown());
        look.say(report, rule.spot.at(matcher.mark), "AM110", Level::Error, message, None);
    }
}

fn layers(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
    let layers = |side: &Side| -> Option<Vec<usize>> {
        let values = Labels::unknown().under(&side.matchers).get("layer").clone();
        let known = values.values.filter(|_| values.presence == Presence::Always)?;
        known.iter().map(|value| LAYERS.iter().position(|layer| layer == value)).collect()
    };
    let (Some(source), Some(target)) = (layers(&rule.source), layers(&rule.target)) else { return };
    let (Some(lowest), Some(highest)) = (source.iter().min(), target.iter().max()) else { return };
    let downwards =
        source.iter().find_map(|above| Some((*above, *target.iter().find(|below| *below < above)?)));
    if let Some((above, below)) = downwards {
        let certain = lowest > highest;
        let level = if certain { Level::Error } else { Level::Warning };
        let message = format!(
            "{} points down: layer `{}` mutes `{}`, which carries it",
            rule.shown(),
            LAYERS.get(above).unwrap_or(&""),
            LAYERS.get(below).unwrap_or(&"")
        );
        let help = format!("the order is {}", LAYERS.join(" < "));
        look.say(report, rule.spot, "AM111", level, message, Some(help));
    }
}

/// Equal labels that both sides may lack, as far as matchers say.
pub(super) fn unguarded_by_matchers(look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
    let guarded = |side: &Side, label: &str| {
        Labels::unknown().under(&side.matchers).get(label).presence == Presence::Always
    };
    let open: Vec<&str> = rule
        .equal
        .iter()
        .map(|label| label.text.as_str())
        .filter(|label| !guarded(&rule.source, label) && !guarded(&rule.target, label))
        .collect();
    say_unguarded(look, rule, &open, open.len() == rule.equal.len(), report);
}

/// Says that labels of `equal` are not guarded; `all` that nothing else ties the pair.
pub(super) fn say_unguarded(
    look: &Look<'_>,
    rule: &InhibitRule,
    labels: &[&str],
    all: bool,
    report: &mut Report,
) {
    for label in rule.equal.iter().filter(|label| labels.contains(&label.text.as_str())) {
        let (level, so) = if all {
            (Level::Warning, "alerts without it mute each other")
        } else {
            (Level::Note, "among alerts without it the rule holds all the same")
        };
        let message = format!("`{}` is equal where both alerts lack it: {so}", label.text);
        let help = format!("add `{}=~\".+\"` to source_matchers and target_matchers", label.text);
        look.say(report, rule.spot.at(label.mark), "AM104", level, message, Some(help));
    }
}
