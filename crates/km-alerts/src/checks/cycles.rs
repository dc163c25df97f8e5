//! Inhibit rules in a circle: each mutes the next, and nobody is notified of any of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Look;
use super::pairs::{Class, agreements, classes};
use crate::config::InhibitRule;
use crate::finding::Level;
use crate::labels::{Presence, Verdict};
use crate::matcher::implied;
use crate::report::Report;

pub(super) fn check(look: &Look<'_>, report: &mut Report) {
    let by_matchers = of_matchers(look, report);
    // Where the labels of `equal` may be missing on one side only, the circle may never close.
    if !of_alerts(look, &by_matchers, true, report) {
        of_alerts(look, &by_matchers, false, report);
    }
}

/// Circles that hold whatever alerts there are: the targets of each rule are sources of the next, and all compare the
/// same labels.
fn of_matchers(look: &Look<'_>, report: &mut Report) -> BTreeSet<usize> {
    let rules = &look.configuration.inhibit_rules;
    let leads = |from: &InhibitRule, to: &InhibitRule| {
        let same_equal = labels(from) == labels(to);
        let usable = |rule: &InhibitRule| {
            !rule.source.is_unclear && !rule.target.is_unclear && !rule.target.matchers.is_empty()
        };
        usable(from) && usable(to) && same_equal && implied(&from.target.all(), &to.source.all())
    };
    let edges: Vec<Vec<usize>> = rules
        .iter()
        .map(|from| rules.iter().enumerate().filter(|(_, to)| leads(from, to)).map(|(at, _)| at).collect())
        .collect();
    let mut said = BTreeSet::new();
    for circle in circles(&edges).into_iter().filter(|circle| circle.len() > 1) {
        said.extend(&circle);
        let lines: Vec<String> =
            circle.iter().filter_map(|at| Some(line(look, rules.get(*at)?).to_string())).collect();
        let Some(first) = circle.first().and_then(|at| rules.get(*at)) else { continue };
        let message = format!(
            "inhibit rules in a circle (lines {}): each mutes the sources of the next, and nobody is notified",
            lines.join(", ")
        );
        look.say(report, first.spot, "AM106", Level::Error, message, None);
    }
    said
}

fn labels(rule: &InhibitRule) -> BTreeSet<&str> {
    rule.equal.iter().map(|label| label.text.as_str()).collect()
}

fn line(look: &Look<'_>, rule: &InhibitRule) -> usize {
    look.sources.get(rule.spot.source).map_or(0, |source| source.mark(rule.spot.mark).line)
}

/// Circles of the known alerts, over edges that are certain as far as matchers go. When `strict`, both alerts of each
/// edge have all labels of `equal`, or lack them. Whether any was found.
fn of_alerts(look: &Look<'_>, said: &BTreeSet<usize>, strict: bool, report: &mut Report) -> bool {
    let mut any = false;
    let count = look.alerts.rules.len();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); count];
    // Classes of sources and targets stand between the alerts, so that edges do not multiply.
    let mut rule_of: BTreeMap<usize, usize> = BTreeMap::new();
    let rules = &look.configuration.inhibit_rules;
    for (nth, rule) in rules.iter().enumerate() {
        let usable = !rule.source.is_unclear && !rule.target.is_unclear && !rule.source.matchers.is_empty();
        if !usable || said.contains(&nth) {
            continue;
        }
        let (sources, targets) = (
            classes(look, rule, &rule.source, &rule.target),
            classes(look, rule, &rule.target, &rule.source),
        );
        let first_target = edges.len();
        for target in &targets {
            let muted = target.members.iter().filter(|member| {
                member.verdict == Verdict::Certain && member.is_other_side == Verdict::Impossible
            });
            edges.push(muted.map(|member| member.at).collect());
        }
        for source in &sources {
            let node = edges.len();
            rule_of.insert(node, nth);
            let reached = targets.iter().enumerate().filter(|(_, target)| closes(source, target, strict));
            edges.push(reached.map(|(at, _)| first_target + at).collect());
            for member in source.members.iter().filter(|member| member.verdict == Verdict::Certain) {
                if let Some(from) = edges.get_mut(member.at) {
                    from.push(node);
                }
            }
        }
    }
    for circle in circles(&edges) {
        let alerts: Vec<&str> = circle
            .iter()
            .filter_map(|at| look.alerts.rules.get(*at))
            .map(|alert| alert.name.as_str())
            .collect();
        let nths: BTreeSet<usize> = circle.iter().filter_map(|node| rule_of.get(node).copied()).collect();
        let Some(first) = nths.first().and_then(|nth| rules.get(*nth)) else { continue };
        if alerts.len() < 2 {
            continue;
        }
        let lines: Vec<String> =
            nths.iter().filter_map(|nth| Some(line(look, rules.get(*nth)?).to_string())).collect();
        let shown: Vec<&str> = alerts.iter().copied().take(6).collect();
        let message = format!(
            "inhibit rules in a circle (lines {}): `{}`{} mute each other, and nobody is notified",
            lines.join(", "),
            shown.join("`, `"),
            if alerts.len() > shown.len() { " and others" } else { "" }
        );
        any = true;
        let level = if strict { Level::Error } else { Level::Warning };
        look.say(report, first.spot, "AM106", level, message, None);
    }
    any
}

/// Whether the source can mute the target; when `strict`, in every label of `equal` both are there or both are not.
fn closes(source: &Class<'_>, target: &Class<'_>, strict: bool) -> bool {
    let is_settled = |class: &Class<'_>| class.equal.iter().all(|label| label.presence != Presence::Maybe);
    agreements(source, target).is_some() && (!strict || (is_settled(source) && is_settled(target)))
}

/// Strongly connected components with more than one node (Tarjan, without recursion), each in the order of its nodes.
fn circles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut index = vec![UNSEEN; edges.len()];
    let mut low = vec![0; edges.len()];
    let mut is_open = vec![false; edges.len()];
    let (mut open, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..edges.len() {
        if at(&index, root) != UNSEEN {
            continue;
        }
        let mut path = vec![(root, 0)];
        while let Some((node, nth)) = path.pop() {
            if nth == 0 {
                put(&mut index, node, next);
                put(&mut low, node, next);
                put(&mut is_open, node, true);
                next += 1;
                open.push(node);
            }
            match edges.get(node).and_then(|edges| edges.get(nth)).copied() {
                Some(to) => {
                    path.push((node, nth + 1));
                    if at(&index, to) == UNSEEN {
                        path.push((to, 0));
                    } else if at(&is_open, to) {
                        let least = at(&low, node).min(at(&index, to));
                        put(&mut low, node, least);
                    }
                }
                None => {
                    if let Some((parent, _)) = path.last() {
                        let least = at(&low, *parent).min(at(&low, node));
                        put(&mut low, *parent, least);
                    }
                    if at(&low, node) == at(&index, node) {
                        let from = open.iter().rposition(|other| *other == node).unwrap_or_default();
                        let mut circle: Vec<usize> = open.split_off(from);
                        circle.iter().for_each(|node| put(&mut is_open, *node, false));
                        if circle.len() > 1 {
                            circle.sort_unstable();
                            found.push(circle);
                        }
                    }
                }
            }
        }
    }
    found
}

fn at<T: Copy + Default>(all: &[T], nth: usize) -> T {
    all.get(nth).copied().unwrap_or_default()
}

fn put<T>(all: &mut [T], nth: usize, value: T) {
    if let Some(place) = all.get_mut(nth) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_whatever_their_length() {
        assert_eq!(circles(&[vec![1], vec![2], vec![0], vec![0]]), [vec![0, 1, 2]]);
        assert_eq!(circles(&[vec![1], vec![0], vec![3], vec![2], vec![4]]), [vec![0, 1], vec![2, 3]]);
        assert_eq!(circles(&[vec![1], vec![2], vec![]]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let chain: Vec<Vec<usize>> = (0..200_000).map(|node| vec![(node + 1) % 200_000]).collect();
        assert_eq!(circles(&chain).len(), 1);
    }
}
