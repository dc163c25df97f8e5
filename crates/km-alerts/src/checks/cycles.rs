//! Inhibit rules in a circle: each mutes the next, and nobody is notified of any of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Look;
use super::held::{Class, Held};
use crate::config::InhibitRule;
use crate::finding::Level;
use crate::labels::Verdict;
use crate::matcher::{Matcher, implied};
use crate::report::Report;

/// Circles that hold whatever alerts there are: the targets of each rule are sources of the next, and all compare the
/// same labels.
pub(super) fn of_matchers(look: &Look<'_>, report: &mut Report) -> BTreeSet<usize> {
    let rules = &look.configuration.inhibit_rules;
    let labels: Vec<BTreeSet<&str>> = rules.iter().map(labels).collect();
    let sides: Vec<(Vec<&Matcher>, Vec<&Matcher>)> =
        rules.iter().map(|rule| (rule.source.all(), rule.target.all())).collect();
    let implies = |at: usize, other: usize| {
        let both = sides.get(at).zip(sides.get(other));
        both.is_some_and(|((_, targets), (sources, _))| implied(targets, sources))
    };
    let leads = |(at, from): (usize, &InhibitRule), (other, to): (usize, &InhibitRule)| {
        let same_equal = labels.get(at) == labels.get(other);
        let usable = |rule: &InhibitRule| {
            let is_clear = !rule.source.is_unclear && !rule.target.is_unclear;
            is_clear && !rule.source.matchers.is_empty() && !rule.target.matchers.is_empty()
        };
        same_equal && usable(from) && usable(to) && implies(at, other)
    };
    let edges: Vec<Vec<usize>> = rules
        .iter()
        .enumerate()
        .map(|from| rules.iter().enumerate().filter(|to| leads(from, *to)).map(|(at, _)| at).collect())
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

/// Who mutes whom of the known alerts, over edges that are certain as far as matchers go.
///
/// Classes of sources and targets stand between the alerts, so that edges do not multiply.
pub(super) struct Mutings {
    edges: Vec<Vec<usize>>,
    /// Edges that hold only where a label of `equal` is not missing on one side.
    loose: Vec<(usize, usize)>,
    /// The inhibit rule of a class of sources.
    rule_of: BTreeMap<usize, usize>,
}

impl Mutings {
    pub(super) fn new(alerts: usize) -> Self {
        Self { edges: vec![Vec::new(); alerts], loose: Vec::new(), rule_of: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, nth: usize, held: &Held<'_>) {
        let targets = self.edges.len();
        for target in &held.targets {
            let muted = target.members.iter().filter(|member| {
                member.verdict == Verdict::Certain && member.is_other_side == Verdict::Impossible
            });
            self.edges.push(muted.map(|member| member.at).collect());
        }
        let mut nodes: BTreeMap<*const Class<'_>, usize> = BTreeMap::new();
        for source in &held.sources {
            let node = self.edges.len();
            nodes.insert(source, node);
            self.rule_of.insert(node, nth);
            self.edges.push(Vec::new());
            for member in source.members.iter().filter(|member| member.verdict == Verdict::Certain) {
                if let Some(from) = self.edges.get_mut(member.at) {
                    from.push(node);
                }
            }
        }
        for (source, target_nth, target, _) in held.live() {
            let Some(node) = nodes.get(&std::ptr::from_ref(source)).copied() else { continue };
            if !source.is_settled() || !target.is_settled() {
                self.loose.push((node, targets + target_nth));
            } else if let Some(edges) = self.edges.get_mut(node) {
                edges.push(targets + target_nth);
            }
        }
    }

    /// Says of circles: errors where nothing keeps them from closing, or else warnings.
    pub(super) fn say(mut self, look: &Look<'_>, report: &mut Report) {
        let strict = circles(&self.edges);
        if strict.iter().any(|circle| self.shown(look, circle, Level::Error, report)) {
            return;
        }
        for (from, to) in std::mem::take(&mut self.loose) {
            if let Some(edges) = self.edges.get_mut(from) {
                edges.push(to);
            }
        }
        for circle in circles(&self.edges) {
            self.shown(look, &circle, Level::Warning, report);
        }
    }

    fn shown(&self, look: &Look<'_>, circle: &[usize], level: Level, report: &mut Report) -> bool {
        let rules = &look.configuration.inhibit_rules;
        let known = circle.iter().filter_map(|at| look.alerts.rules.get(*at));
        let alerts: Vec<&str> = known.map(|alert| alert.name.as_str()).collect();
        let nths: BTreeSet<usize> =
            circle.iter().filter_map(|node| self.rule_of.get(node).copied()).collect();
        let first = nths.first().and_then(|nth| rules.get(*nth));
        let Some(first) = first.filter(|_| alerts.len() > 1) else { return false };
        let lines = nths.iter().filter_map(|nth| Some(line(look, rules.get(*nth)?).to_string()));
        let shown: Vec<&str> = alerts.iter().copied().take(6).collect();
        let message = format!(
            "inhibit rules in a circle (lines {}): `{}`{} mute each other, and nobody is notified",
            lines.collect::<Vec<_>>().join(", "),
            shown.join("`, `"),
            if alerts.len() > shown.len() { " and others" } else { "" }
        );
        look.say(report, first.spot, "AM106", level, message, None);
        true
    }
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
