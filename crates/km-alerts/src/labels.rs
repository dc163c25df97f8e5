//! What is known of the labels of alerts before they exist: which are there always, maybe or never, and with which
//! values. Where something is not certain it is `Maybe`.

use std::collections::{BTreeMap, BTreeSet};

use crate::matcher::Matcher;

/// The most values of a label that are remembered; with more it may have any.
const VALUES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Presence {
    Always,
    Maybe,
    Never,
}

/// A label: whether it is there, and the values that it then has, when they are known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Label {
    pub(crate) presence: Presence,
    pub(crate) values: Option<BTreeSet<String>>,
}

/// The labels of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    named: BTreeMap<String, Label>,
    /// Whether there may be others: `Maybe` or `Never`.
    others: Presence,
}

static MAYBE: Label = Label::maybe();
static NEVER: Label = Label::never();

/// How far something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Impossible,
    Possible,
    Certain,
}

impl Label {
    pub(crate) const fn maybe() -> Self {
        Self { presence: Presence::Maybe, values: None }
    }

    pub(crate) const fn never() -> Self {
        Self { presence: Presence::Never, values: None }
    }

    pub(crate) const fn always() -> Self {
        Self { presence: Presence::Always, values: None }
    }

    /// Always there with this value; an empty value is none.
    pub(crate) fn fixed(value: &str) -> Self {
        if value.is_empty() {
            return Self::never();
        }
        Self { presence: Presence::Always, values: Some(BTreeSet::from([value.to_owned()])) }
    }

    const fn may_be_absent(&self) -> bool {
        !matches!(self.presence, Presence::Always)
    }

    /// Of either of two alerts.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let presence = if self.presence == other.presence { self.presence } else { Presence::Maybe };
        let values = match (self.presence, other.presence) {
            (Presence::Never, _) => other.values.clone(),
            (_, Presence::Never) => self.values.clone(),
            _ => match (&self.values, &other.values) {
                (Some(mine), Some(theirs)) => Some(mine | theirs).filter(|all| all.len() <= VALUES_MAX),
                _ => None,
            },
        };
        Self { presence, values }
    }

    /// Of an alert of which both hold.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let either = |presence| self.presence == presence || other.presence == presence;
        let presence = if either(Presence::Never) {
            Presence::Never
        } else if either(Presence::Always) {
            Presence::Always
        } else {
            Presence::Maybe
        };
        let values = match (&self.values, &other.values) {
            (Some(mine), Some(theirs)) => Some(mine & theirs),
            (Some(values), None) | (None, Some(values)) => Some(values.clone()),
            (None, None) => None,
        };
        Self { presence, values: values.filter(|_| presence != Presence::Never) }
    }

    /// What is left of it when a matcher holds.
    pub(crate) fn under(&self, matcher: &Matcher) -> Self {
        let mut label = self.clone();
        if let Some(only) = matcher.only() {
            let present: BTreeSet<String> = only.iter().filter(|value| !value.is_empty()).cloned().collect();
            if present.is_empty() {
                return Self::never();
            }
            if present.len() <= VALUES_MAX {
                label.values = Some(label.values.map_or_else(|| present.clone(), |known| &known & &present));
            }
        } else {
            label.values =
                label.values.map(|values| values.into_iter().filter(|value| matcher.takes(value)).collect());
        }
        if !matcher.takes_absence() && label.presence == Presence::Maybe {
            label.presence = Presence::Always;
        }
        label
    }

    fn meets(&self, matcher: &Matcher) -> Verdict {
        let absent = match self.presence {
            Presence::Always => None,
            Presence::Maybe | Presence::Never => Some(matcher.takes_absence()),
        };
        let present = match (self.presence, &self.values) {
            (Presence::Never, _) => Vec::new(),
            (_, Some(values)) => values.iter().map(|value| matcher.takes(value)).collect(),
            (_, None) if matcher.takes_whatever_is_there() => vec![true],
            (_, None) if matcher.takes_only_absence() => vec![false],
            (_, None) => vec![true, false],
        };
        let cases: Vec<bool> = absent.into_iter().chain(present).collect();
        match (cases.iter().all(|taken| *taken), cases.iter().any(|taken| *taken)) {
            (true, true) => Verdict::Certain,
            (false, true) => Verdict::Possible,
            (_, false) => Verdict::Impossible,
        }
    }

    /// Whether it and the label of another alert can have the same value, and whether by both being absent.
    pub(crate) fn agrees(&self, other: &Self) -> Agreement {
        let absent = self.may_be_absent() && other.may_be_absent();
        let both_there = self.presence != Presence::Never && other.presence != Presence::Never;
        let share = match (&self.values, &other.values) {
            (Some(mine), Some(theirs)) => !mine.is_disjoint(theirs),
            _ => true,
        };
        match (absent, both_there && share) {
            (true, true) => Agreement::Either,
            (true, false) => Agreement::ByAbsence,
            (false, true) => Agreement::ByValue,
            (false, false) => Agreement::None,
        }
    }
}

/// How two alerts can agree in a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// They never do.
    None,
    /// Only when both have a value.
    ByValue,
    /// Only when both lack it.
    ByAbsence,
    Either,
}

impl Labels {
    /// Of which nothing is known but that `alertname` is there.
    pub(crate) fn unknown() -> Self {
        Self::open().with("alertname", Label::always())
    }

    /// Any labels at all.
    pub(crate) const fn open() -> Self {
        Self { named: BTreeMap::new(), others: Presence::Maybe }
    }

    /// No labels.
    pub(crate) const fn none() -> Self {
        Self { named: BTreeMap::new(), others: Presence::Never }
    }

    /// A label; the one without a name is never there.
    pub(crate) fn get(&self, name: &str) -> &Label {
        let unnamed = if self.others == Presence::Never || name.is_empty() { &NEVER } else { &MAYBE };
        self.named.get(name).unwrap_or(unnamed)
    }

    /// Whether the label is named, so that it is not just one that a metric may bring.
    pub(crate) fn speaks_of(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    pub(crate) fn set(&mut self, name: &str, label: Label) {
        self.named.insert(name.to_owned(), label);
    }

    pub(crate) fn with(mut self, name: &str, label: Label) -> Self {
        self.set(name, label);
        self
    }

    /// The labels that are spoken of.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &Label)> {
        self.named.iter().map(|(name, label)| (name.as_str(), label))
    }

    /// Only these labels.
    pub(crate) fn only(&self, names: &[String]) -> Self {
        names.iter().fold(Self::none(), |labels, name| labels.with(name, self.get(name).clone()))
    }

    pub(crate) fn without(mut self, names: &[String]) -> Self {
        for name in names {
            self.set(name, Label::never());
        }
        self
    }

    fn zip(&self, other: &Self, one: impl Fn(&Label, &Label) -> Label) -> Self {
        let names: BTreeSet<&String> = self.named.keys().chain(other.named.keys()).collect();
        let others = one(self.get("\0"), other.get("\0")).presence;
        let named =
            names.into_iter().map(|name| (name.clone(), one(self.get(name), other.get(name)))).collect();
        Self { named, others }
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        self.zip(other, Label::or)
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.zip(other, Label::and)
    }

    /// Every label may also be missing: of something that is dropped by a rule that is not understood.
    pub(crate) fn loosened(&self) -> Self {
        let looser = |label: &Label| Label {
            presence: if label.presence == Presence::Never { Presence::Never } else { Presence::Maybe },
            values: label.values.clone(),
        };
        let named = self.named.iter().map(|(name, label)| (name.clone(), looser(label))).collect();
        Self { named, others: self.others }
    }

    pub(crate) fn under<'a>(&self, matchers: impl IntoIterator<Item = &'a Matcher>) -> Self {
        matchers.into_iter().fold(self.clone(), |labels, matcher| {
            let label = labels.get(&matcher.name).under(matcher);
            labels.with(&matcher.name, label)
        })
    }

    /// Whether an alert with these labels meets all of the matchers.
    pub(crate) fn meet<'a>(&self, matchers: impl IntoIterator<Item = &'a Matcher>) -> Verdict {
        let mut verdict = Verdict::Certain;
        let mut narrowed: Vec<(&str, Label)> = Vec::new();
        for matcher in matchers {
            let known = narrowed.iter().position(|(name, _)| *name == matcher.name);
            let label = known
                .and_then(|at| narrowed.get(at))
                .map_or_else(|| self.get(&matcher.name), |(_, label)| label);
            verdict = verdict.min(label.meets(matcher));
            if verdict == Verdict::Impossible {
                return verdict;
            }
            let under = label.under(matcher);
            match known.and_then(|at| narrowed.get_mut(at)) {
                Some(place) => place.1 = under,
                None => narrowed.push((&matcher.name, under)),
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::Op;
    use km_yaml::Mark;

    fn matcher(name: &str, op: Op, value: &str) -> Matcher {
        Matcher::new(name, op, value, Mark::default()).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn a_matcher_is_certain_possible_or_impossible() {
        let labels =
            Labels::none().with("a", Label::fixed("x")).with("b", Label::always()).with("c", Label::maybe());
        for (name, op, value, verdict) in [
            ("a", Op::Equal, "x", Verdict::Certain),
            ("a", Op::Equal, "y", Verdict::Impossible),
            ("b", Op::Matches, ".+", Verdict::Certain),
            ("b", Op::Equal, "y", Verdict::Possible),
            ("b", Op::Equal, "", Verdict::Impossible),
            ("c", Op::Matches, ".+", Verdict::Possible),
            ("c", Op::Matches, ".*", Verdict::Certain),
            ("d", Op::Equal, "", Verdict::Certain),
            ("d", Op::NotEqual, "x", Verdict::Certain),
            ("d", Op::Equal, "x", Verdict::Impossible),
        ] {
            assert_eq!(labels.meet([&matcher(name, op, value)]), verdict, "{name} {op:?} {value}");
        }
        let both = [&matcher("b", Op::Equal, "x"), &matcher("b", Op::Equal, "y")];
        assert_eq!(labels.meet(both), Verdict::Impossible);
    }

    #[test]
    fn absence_on_both_sides_is_agreement() {
        let (always, maybe, never) = (Label::always(), Label::maybe(), Label::never());
        assert_eq!(never.agrees(&never), Agreement::ByAbsence);
        assert_eq!(always.agrees(&never), Agreement::None);
        assert_eq!(maybe.agrees(&never), Agreement::ByAbsence);
        assert_eq!(maybe.agrees(&maybe), Agreement::Either);
        assert_eq!(always.agrees(&maybe), Agreement::ByValue);
        assert_eq!(Label::fixed("a").agrees(&Label::fixed("b")), Agreement::None);
    }

    #[test]
    fn either_and_both() {
        let (a, b) = (Label::fixed("a"), Label::fixed("b"));
        assert_eq!(a.or(&b).values.map(|values| values.len()), Some(2));
        assert_eq!(a.or(&Label::never()).presence, Presence::Maybe);
        assert_eq!(a.and(&Label::maybe()), a);
        assert_eq!(Label::maybe().and(&Label::never()).presence, Presence::Never);
    }
}
