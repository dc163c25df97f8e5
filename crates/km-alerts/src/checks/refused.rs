//! What Alertmanager refuses beyond single fields: names that lead nowhere or are given twice, a root that is none.
//!
//! The rules are those of `config.Load` of Alertmanager.

use std::collections::HashSet;

use km_yaml::Node;

use super::Look;
use crate::config::{Word, word, words};
use crate::finding::Level;
use crate::near::nearest;
use crate::report::{Report, Spot};
use crate::schema::{duration, is_true};

const REFUSED: &str = "; Alertmanager refuses the file";

pub(super) fn check(look: &Look<'_>, report: &mut Report) {
    root(look, report);
    names_given_twice(look, report);
    names_that_lead_nowhere(look, report);
    for route in &look.configuration.routes {
        grouping(look, route.spot, &route.node, report);
    }
    for rule in look.configuration.inhibit_rules.iter() {
        for label in rule.equal.iter().filter(|label| label.text.is_empty()) {
            wrong(look, report, rule.spot.at(label.mark), "`equal` holds a label without a name");
        }
    }
}

fn wrong(look: &Look<'_>, report: &mut Report, spot: Spot, message: &str) {
    look.say(report, spot, "AM306", Level::Error, format!("{message}{REFUSED}"), None);
}

fn root(look: &Look<'_>, report: &mut Report) {
    let configuration = look.configuration;
    let Some(route) = configuration.routes.first() else {
        let spot = Spot::new(configuration.source, configuration.root.mark);
        return wrong(look, report, spot, "there is no `route`");
    };
    let mut says = |message| wrong(look, report, route.spot, message);
    if route.receiver.is_none() {
        says("the root route names no receiver");
    }
    let has = |key: &str| {
        route.node.get(key).is_some_and(|node| !node.items().is_empty() || !node.entries().is_empty())
    };
    if ["match", "match_re", "matchers"].into_iter().any(has) {
        says("the root route has matchers, but every alert has to match it");
    }
    if ["mute_time_intervals", "active_time_intervals"].into_iter().any(has) {
        says("the root route has time intervals");
    }
    if route.node.get("continue").and_then(|node| node.text()).is_some_and(is_true) {
        says("the root route has `continue`");
    }
}

fn intervals(look: &Look<'_>) -> Vec<Word> {
    let lists =
        ["mute_time_intervals", "time_intervals"].iter().filter_map(|key| look.configuration.root.get(key));
    lists.flat_map(|list| list.items()).filter_map(|item| word(item.get("name")?)).collect()
}

fn names_given_twice(look: &Look<'_>, report: &mut Report) {
    let receivers: Vec<&Word> = look.configuration.receivers.iter().map(|receiver| &receiver.name).collect();
    let intervals = intervals(look);
    for (what, names) in [("receiver", receivers), ("time interval", intervals.iter().collect())] {
        let mut seen = HashSet::new();
        for name in names.into_iter().filter(|name| !seen.insert(name.text.as_str())) {
            let spot = Spot::new(look.configuration.source, name.mark);
            let message = format!("the {what} `{}` is defined twice{REFUSED}", name.text);
            look.say(report, spot, "AM208", Level::Error, message, None);
        }
    }
    for (list, what) in [
        ("receivers", "receiver"),
        ("time_intervals", "time interval"),
        ("mute_time_intervals", "time interval"),
    ] {
        let items = look.configuration.root.get(list).map(|list| list.items()).unwrap_or_default();
        let nameless = |item: &&std::sync::Arc<Node>| {
            item.get("name").and_then(|name| name.text()).is_none_or(str::is_empty)
                && !item.entries().is_empty()
        };
        for item in items.iter().filter(nameless) {
            wrong(
                look,
                report,
                Spot::new(look.configuration.source, item.mark),
                &format!("a {what} has no name"),
            );
        }
    }
}

fn names_that_lead_nowhere(look: &Look<'_>, report: &mut Report) {
    let receivers: Vec<&str> =
        look.configuration.receivers.iter().map(|known| known.name.text.as_str()).collect();
    let intervals = intervals(look);
    let intervals: Vec<&str> = intervals.iter().map(|known| known.text.as_str()).collect();
    for route in &look.configuration.routes {
        let named = route.receiver.iter().filter(|name| !name.text.is_empty());
        let mut undefined = |code, what: &str, name: &Word, known: &[&str]| {
            if !known.contains(&name.text.as_str()) {
                let help =
                    nearest(&name.text, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                let message = format!("the {what} `{}` is not defined{REFUSED}", name.text);
                look.say(report, route.spot.at(name.mark), code, Level::Error, message, help);
            }
        };
        named.for_each(|name| undefined("AM206", "receiver", name, &receivers));
        for key in ["mute_time_intervals", "active_time_intervals"] {
            words(&route.node, key)
                .iter()
                .for_each(|name| undefined("AM207", "time interval", name, &intervals));
        }
    }
}

fn grouping(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    let labels = words(node, "group_by");
    let mut seen = HashSet::new();
    for label in &labels {
        let at = spot.at(label.mark);
        if label.text.is_empty() {
            wrong(look, report, at, "`group_by` holds a label without a name");
        } else if label.text == "..." && labels.len() > 1 && labels.iter().any(|label| label.text != "...") {
            wrong(look, report, at, "`group_by` holds `...`, which is every label, and others beside it");
        } else if label.text != "..." && !seen.insert(label.text.as_str()) {
            wrong(look, report, at, &format!("`{}` stands twice in `group_by`", label.text));
        }
    }
    for key in ["group_interval", "repeat_interval"] {
        let value = node.get(key);
        if let Some(value) = value.filter(|value| value.text().and_then(duration) == Some(0.0)) {
            wrong(look, report, spot.at(value.mark), &format!("`{key}` is zero"));
        }
    }
}
