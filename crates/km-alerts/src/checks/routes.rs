//! Routes that no alert reaches, and groups by labels that no alert has.

use super::Look;
use crate::config::{Route, Word};
use crate::finding::Level;
use crate::labels::{Labels, Presence, Verdict};
use crate::matcher::{Matcher, contradiction, implied};
use crate::report::Report;

pub(super) fn check(look: &Look<'_>, report: &mut Report) {
    let own: Vec<Vec<&Matcher>> =
        look.configuration.routes.iter().map(|route| route.matchers.iter().collect()).collect();
    for (at, route) in look.configuration.routes.iter().enumerate() {
        if !contradictory(look, at, route, report) {
            shadowed(look, at, route, &own, report);
        }
        grouped(look, at, route, report);
    }
}

/// A route whose matchers, with those above it, no alert can meet.
fn contradictory(look: &Look<'_>, at: usize, route: &Route, report: &mut Report) -> bool {
    let way = look.configuration.way_to(at);
    let Some((one, other)) = contradiction(&way) else { return false };
    // Said once, at the highest route of which it holds.
    let said_above =
        route.parent.is_some_and(|parent| contradiction(&look.configuration.way_to(parent)).is_some());
    if !said_above {
        let message =
            format!("no alert comes here: `{}` and `{}` exclude each other", one.shown(), other.shown());
        look.say(report, route.spot, "AM202", Level::Error, message, None);
    }
    true
}

/// A route behind a sibling that takes all of its alerts and does not go on.
fn shadowed(look: &Look<'_>, at: usize, route: &Route, own: &[Vec<&Matcher>], report: &mut Report) {
    if route.parent.is_none() {
        return;
    }
    let way = look.configuration.way_to(at);
    let earlier = look.configuration.routes.iter().zip(own).take(at);
    let mut siblings = earlier.filter(|(other, _)| other.parent == route.parent && !other.goes_on);
    let shadow = siblings.find(|(_, wide)| implied(&way, wide)).map(|(shadow, _)| shadow);
    if let Some(shadow) = shadow {
        let line =
            look.sources.get(shadow.spot.source).map_or(0, |source| source.mark(shadow.spot.mark).line);
        let message =
            format!("no alert comes here: the route at line {line} takes them all and does not go on");
        let help = "put the narrower route first, or give the wider one `continue: true`".to_owned();
        look.say(report, route.spot, "AM201", Level::Error, message, Some(help));
    }
}

/// Groups by a label that none of the alerts of the route has.
fn grouped(look: &Look<'_>, at: usize, route: &Route, report: &mut Report) {
    let labels: Vec<&Word> = route.group_by.iter().filter(|label| label.text != "...").collect();
    if labels.is_empty() {
        return;
    }
    let way = look.configuration.way_to(at);
    let rules = look.alerts.rules.iter();
    let coming: Vec<&Labels> = rules
        .map(|rule| &rule.labels)
        .filter(|labels| labels.meet(way.iter().copied()) != Verdict::Impossible)
        .collect();
    let lacks = |labels: &&Labels, name: &str| {
        let of_label = way.iter().filter(|matcher| matcher.name == name);
        labels.get(name).presence == Presence::Never
            || of_label.fold(labels.get(name).clone(), |label, matcher| label.under(matcher)).presence
                == Presence::Never
    };
    for label in labels.into_iter().filter(|_| !coming.is_empty()) {
        if coming.iter().all(|labels| lacks(labels, &label.text)) {
            let unless = look.unless_external();
            let message = format!(
                "none of the {} alerts that come here has the label `{}`{unless}",
                coming.len(),
                label.text
            );
            look.say(report, route.spot.at(label.mark), "AM205", Level::Warning, message, None);
        }
    }
}
