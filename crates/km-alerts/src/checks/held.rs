//! An inhibit rule held against the alerts that there are.
//!
//! Thousands of alerts are few classes: those that are the same in the labels of `equal` behave alike. What a label is
//! in each alert is looked up once for all rules, in a column.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::config::{InhibitRule, Side};
use crate::labels::{Agreement, Label, Labels, Presence, Verdict};
use crate::rules::Rule;

/// The alerts, with a column for each label that rules ask for.
pub(super) struct Crowd<'a> {
    pub(super) rules: &'a [Rule],
    columns: RefCell<HashMap<String, Rc<Column>>>,
}

/// A label in each alert: which of the known states it is in.
struct Column {
    states: Vec<Rc<Label>>,
    of_alert: Vec<usize>,
}

impl Column {
    fn of(rules: &[Rule], name: &str) -> Self {
        let mut known: HashMap<Label, usize> = HashMap::new();
        let mut states = Vec::new();
        let of_alert = rules.iter().map(|rule| {
            let label = rule.labels.get(name);
            *known.entry(label.clone()).or_insert_with(|| {
                states.push(Rc::new(label.clone()));
                states.len() - 1
            })
        });
        let of_alert = of_alert.collect();
        Self { states, of_alert }
    }

    fn state(&self, alert: usize) -> usize {
        self.of_alert.get(alert).copied().unwrap_or_default()
    }

    /// What the label of an alert is under the matchers of a side.
    fn under(&self, alert: usize, name: &str, side: &Side) -> Rc<Label> {
        let state = self.states.get(self.state(alert)).cloned().unwrap_or_else(|| Rc::new(Label::maybe()));
        if side.of(name).next().is_none() {
            return state;
        }
        Rc::new(side.of(name).fold((*state).clone(), |label, matcher| label.under(matcher)))
    }
}

impl<'a> Crowd<'a> {
    pub(super) fn new(rules: &'a [Rule]) -> Self {
        Self { rules, columns: RefCell::default() }
    }

    fn column(&self, name: &str) -> Rc<Column> {
        let mut columns = self.columns.borrow_mut();
        if let Some(column) = columns.get(name) {
            return column.clone();
        }
        let column = Rc::new(Column::of(self.rules, name));
        columns.insert(name.to_owned(), column.clone());
        column
    }
}

/// An alert that may be a source or a target.
pub(super) struct Member<'a> {
    pub(super) at: usize,
    pub(super) rule: &'a Rule,
    pub(super) verdict: Verdict,
    pub(super) is_other_side: Verdict,
}

impl Member<'_> {
    /// Whether the rule names every label by which it is on this side. Otherwise a metric would have to bring it.
    pub(super) fn is_named(&self, side: &Side) -> bool {
        side.matchers
            .iter()
            .all(|matcher| matcher.takes_absence() || self.rule.labels.speaks_of(&matcher.name))
    }

    /// Whether it was written to be on the other side, and is on this one only in case that a metric brings a label
    /// that nothing names.
    fn is_of_the_other_side(&self, side: &Side) -> bool {
        self.is_other_side == Verdict::Certain && self.verdict == Verdict::Possible && !self.is_named(side)
    }
}

/// Alerts that are the same in the labels of `equal`.
pub(super) struct Class<'a> {
    pub(super) equal: Vec<Rc<Label>>,
    pub(super) members: Vec<Member<'a>>,
}

impl Class<'_> {
    /// Whether each label of `equal` is there, or is not.
    pub(super) fn is_settled(&self) -> bool {
        self.equal.iter().all(|label| label.presence != Presence::Maybe)
    }

    pub(super) fn lacks_all(&self) -> bool {
        self.equal.iter().all(|label| label.presence == Presence::Never)
    }

    fn only_value(&self, at: usize) -> Option<&str> {
        let label = self.equal.get(at).filter(|label| label.presence == Presence::Always)?;
        let values = label.values.as_ref().filter(|values| values.len() == 1)?;
        values.first().map(String::as_str)
    }
}

/// A rule with its classes of sources and targets.
pub(super) struct Held<'a> {
    pub(super) sources: Vec<Class<'a>>,
    pub(super) targets: Vec<Class<'a>>,
    /// Whether every alert that may be on a side was kept.
    pub(super) is_whole: bool,
    /// A label that has one value in each class, and the targets by it: others need not be looked at.
    by_value: Option<(usize, HashMap<String, Vec<usize>>)>,
}

impl<'a> Held<'a> {
    pub(super) fn of(crowd: &Crowd<'a>, rule: &InhibitRule) -> Self {
        let mut held = Self {
            sources: classes(crowd, rule, &rule.source, &rule.target),
            targets: classes(crowd, rule, &rule.target, &rule.source),
            is_whole: true,
            by_value: None,
        };
        for (classes, side) in [(&mut held.sources, &rule.source), (&mut held.targets, &rule.target)] {
            for class in classes.iter_mut() {
                let before = class.members.len();
                class.members.retain(|member| !member.is_of_the_other_side(side));
                held.is_whole &= class.members.len() == before;
            }
            classes.retain(|class| !class.members.is_empty());
        }
        held.by_value = held.joined(rule.equal.len());
        held
    }

    fn joined(&self, labels: usize) -> Option<(usize, HashMap<String, Vec<usize>>)> {
        let has_one = |at: usize| {
            let mut all = self.sources.iter().chain(&self.targets);
            all.all(|class| class.only_value(at).is_some())
        };
        let at = (0..labels).find(|at| has_one(*at))?;
        let mut targets: HashMap<String, Vec<usize>> = HashMap::new();
        for (nth, target) in self.targets.iter().enumerate() {
            targets.entry(target.only_value(at)?.to_owned()).or_default().push(nth);
        }
        Some((at, targets))
    }

    /// The pairs of classes that can come about, and how they agree in each label of `equal`. Targets also by number.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Class<'a>, usize, &Class<'a>, Vec<Agreement>)> {
        self.sources.iter().flat_map(move |source| {
            let near: Vec<usize> = match &self.by_value {
                Some((at, targets)) => {
                    source.only_value(*at).and_then(|value| targets.get(value)).cloned().unwrap_or_default()
                }
                None => (0..self.targets.len()).collect(),
            };
            near.into_iter().filter_map(move |nth| {
                let target = self.targets.get(nth)?;
                Some((source, nth, target, agreements(source, target)?))
            })
        })
    }
}

/// How the pairs of two classes agree in each label of `equal`; nothing when in one they never do.
fn agreements(source: &Class<'_>, target: &Class<'_>) -> Option<Vec<Agreement>> {
    let all = source.equal.iter().zip(&target.equal).map(|(source, target)| source.agrees(target));
    all.map(|agreement| (agreement != Agreement::None).then_some(agreement)).collect()
}

/// The alerts that may be on a side, by what they are in the labels of `equal`.
fn classes<'a>(crowd: &Crowd<'a>, rule: &InhibitRule, side: &Side, other: &Side) -> Vec<Class<'a>> {
    let matched: BTreeSet<&str> =
        side.matchers.iter().chain(&other.matchers).map(|matcher| matcher.name.as_str()).collect();
    let matched: Vec<Rc<Column>> = matched.into_iter().map(|name| crowd.column(name)).collect();
    let equal: Vec<(&str, Rc<Column>)> =
        rule.equal.iter().map(|label| (label.text.as_str(), crowd.column(&label.text))).collect();
    let mut verdicts: HashMap<Vec<usize>, (Verdict, Verdict)> = HashMap::new();
    let mut numbers: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut classes: Vec<Class<'_>> = Vec::new();
    for (at, rule) in crowd.rules.iter().enumerate() {
        let key = matched.iter().map(|column| column.state(at)).collect();
        let (verdict, is_other_side) =
            *verdicts.entry(key).or_insert_with(|| verdict_of(&rule.labels, side, other));
        if verdict == Verdict::Impossible {
            continue;
        }
        let key = equal.iter().map(|(_, column)| column.state(at)).collect();
        let number = *numbers.entry(key).or_insert_with(|| {
            let equal = equal.iter().map(|(name, column)| column.under(at, name, side)).collect();
            classes.push(Class { equal, members: Vec::new() });
            classes.len() - 1
        });
        if let Some(class) = classes.get_mut(number) {
            class.members.push(Member { at, rule, verdict, is_other_side });
        }
    }
    classes
}

fn verdict_of(labels: &Labels, side: &Side, other: &Side) -> (Verdict, Verdict) {
    match labels.meet(&side.matchers) {
        Verdict::Impossible => (Verdict::Impossible, Verdict::Impossible),
        verdict => (verdict, labels.meet(&other.matchers)),
    }
}
