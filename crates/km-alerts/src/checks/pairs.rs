//! What the pairs of a source and a target of an inhibit rule have in common, of the alerts that there are.

use std::collections::BTreeSet;

use super::Look;
use super::held::{Class, Held, Member};
use super::inhibit::{LAYERS, say_unguarded, unguarded_by_matchers};
use crate::config::{InhibitRule, Side};
use crate::finding::Level;
use crate::labels::{Agreement, Presence, Verdict};
use crate::report::Report;
use crate::rules::Rule;

/// Names of alerts that are sent so that somebody notices when they stop.
const DEAD_MANS_SWITCHES: [&str; 4] = ["Watchdog", "DeadMansSwitch", "DeadMansSnitch", "Heartbeat"];

pub(super) fn check(look: &Look<'_>, rule: &InhibitRule, held: &Held<'_>, report: &mut Report) {
    if held.sources.is_empty() || held.targets.is_empty() {
        // That no alert is on a side was said of its matchers.
        return unguarded_by_matchers(look, rule, report);
    }
    let pairs = Pairs::of(rule, held);
    pairs.dead(look, rule, held, report);
    pairs.unscoped(look, rule, report);
    pairs.unguarded(look, rule, report);
    protected(look, rule, held, report);
    layers(look, rule, held, report);
    both_sides(look, rule, held, report);
}

/// What the pairs of a rule have in common.
struct Pairs<'a> {
    /// Pairs of classes that can come about.
    live: usize,
    /// Labels of `equal` that both alerts of some live pair may lack.
    open: BTreeSet<usize>,
    /// A live pair that may lack all of them.
    all_open: bool,
    /// A pair that lacks all of them for certain.
    unscoped: Option<(&'a Rule, &'a Rule)>,
}

impl<'a> Pairs<'a> {
    fn of(rule: &InhibitRule, held: &Held<'a>) -> Self {
        let mut pairs = Self { live: 0, open: BTreeSet::new(), all_open: false, unscoped: None };
        for (source, _, target, agreements) in held.live() {
            pairs.live += 1;
            let is_open =
                |agreement: &Agreement| matches!(agreement, Agreement::Either | Agreement::ByAbsence);
            let open = agreements.iter().enumerate().filter(|(_, agreement)| is_open(agreement));
            pairs.open.extend(open.map(|(at, _)| at));
            pairs.all_open |= agreements.iter().all(is_open);
            if !rule.equal.is_empty() && pairs.unscoped.is_none() && source.lacks_all() && target.lacks_all()
            {
                let one = |class: &Class<'a>| class.members.first().map(|member| member.rule);
                pairs.unscoped = one(source).zip(one(target));
            }
        }
        pairs
    }

    /// A rule of which no pair can come about.
    fn dead(&self, look: &Look<'_>, rule: &InhibitRule, held: &Held<'_>, report: &mut Report) {
        let level = if held.is_whole { look.closed_level() } else { Level::Warning };
        if self.live > 0 {
            return;
        }
        let mut said = false;
        for (at, label) in rule.equal.iter().enumerate() {
            let presence = |classes: &[Class<'_>]| -> BTreeSet<Presence> {
                classes.iter().filter_map(|class| class.equal.get(at)).map(|label| label.presence).collect()
            };
            let only = |presences: &BTreeSet<Presence>, one| presences.len() == 1 && presences.contains(&one);
            let (source, target) = (presence(&held.sources), presence(&held.targets));
            let lacking = if only(&source, Presence::Never) && only(&target, Presence::Always) {
                "sources lack"
            } else if only(&source, Presence::Always) && only(&target, Presence::Never) {
                "targets lack"
            } else {
                continue;
            };
            said = true;
            let unless = look.unless_external();
            let message = format!(
                "{} never mutes: all its {lacking} `{}`, which has to be equal{unless}",
                rule.shown(),
                label.text
            );
            look.say(report, rule.spot.at(label.mark), "AM103", level, message, None);
        }
        if !said {
            // Other alerts than the known ones may have the values.
            let names: Vec<&str> = rule.equal.iter().map(|label| label.text.as_str()).collect();
            let message = format!(
                "{} mutes none of the known alerts: no source and target can be equal in `{}`",
                rule.shown(),
                names.join("`, `")
            );
            look.say(report, rule.spot, "AM103", Level::Note, message, None);
        }
    }

    /// Pairs that carry none of the labels of `equal`, and so mute each other wherever they come from.
    fn unscoped(&self, look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
        let Some((source, target)) = self.unscoped else { return };
        let names: Vec<&str> = rule.equal.iter().map(|label| label.text.as_str()).collect();
        let message = format!(
            "{} mutes {} wherever they come from: neither carries `{}`{}",
            look.named(source),
            look.named(target),
            names.join("` or `"),
            look.unless_external()
        );
        let help =
            "have the rules keep the label (`by (…)`), or name one in `equal` that they carry".to_owned();
        look.say(report, rule.spot, "AM102", look.closed_level(), message, Some(help));
    }

    fn unguarded(&self, look: &Look<'_>, rule: &InhibitRule, report: &mut Report) {
        let open: Vec<&str> =
            self.open.iter().filter_map(|at| rule.equal.get(*at)).map(|label| label.text.as_str()).collect();
        say_unguarded(look, rule, &open, self.all_open, report);
    }
}

/// Targets that must never be muted.
fn protected(look: &Look<'_>, rule: &InhibitRule, held: &Held<'_>, report: &mut Report) {
    let mut said = BTreeSet::new();
    for (source, _, target, _) in held.live() {
        for member in target.members.iter().filter(|member| member.is_named(&rule.target)) {
            let label = member.rule.labels.get("protected").clone();
            let says = label.presence == Presence::Always
                && label.values.is_some_and(|values| values.contains("true"));
            let is_switch = DEAD_MANS_SWITCHES.contains(&member.rule.name.as_str());
            let muted_by = source.members.iter().find(|by| by.at != member.at && by.is_named(&rule.source));
            let Some(muted_by) = muted_by.filter(|_| says || is_switch) else { continue };
            if member.is_other_side == Verdict::Certain || !said.insert(member.at) {
                continue;
            }
            let certain = member.verdict == Verdict::Certain && muted_by.verdict == Verdict::Certain;
            let level = if certain { Level::Error } else { Level::Warning };
            let what = if says { "protected" } else { "a dead man's switch" };
            let message =
                format!("{} is {what}, and {} mutes it", look.named(member.rule), look.named(muted_by.rule));
            let help =
                "add `protected!=\"true\"` to target_matchers, or a matcher that leaves it out".to_owned();
            look.say(report, rule.spot, "AM110", level, message, Some(help));
        }
    }
}

/// Sources that lie above their targets.
fn layers(look: &Look<'_>, rule: &InhibitRule, held: &Held<'_>, report: &mut Report) {
    let layer = |member: &Member<'_>, side: &Side| -> Option<usize> {
        if !member.is_named(side) {
            return None;
        }
        let label = side
            .of("layer")
            .fold(member.rule.labels.get("layer").clone(), |label, matcher| label.under(matcher));
        let values = label.values.filter(|values| label.presence == Presence::Always && values.len() == 1)?;
        LAYERS.iter().position(|layer| values.contains(*layer))
    };
    let said_already = [&rule.source, &rule.target].iter().all(|side| side.of("layer").next().is_some());
    for (source, _, target, _) in held.live().filter(|_| !said_already) {
        let above = source
            .members
            .iter()
            .filter_map(|member| Some((layer(member, &rule.source)?, member)))
            .max_by_key(|(layer, _)| *layer);
        let below = target
            .members
            .iter()
            .filter_map(|member| Some((layer(member, &rule.target)?, member)))
            .min_by_key(|(layer, _)| *layer);
        let (Some((above, by)), Some((below, muted))) = (above, below) else { continue };
        if above > below {
            let message = format!(
                "{} of layer {} mutes {} of layer {}, which carries it",
                look.named(by.rule),
                LAYERS.get(above).unwrap_or(&""),
                look.named(muted.rule),
                LAYERS.get(below).unwrap_or(&"")
            );
            let help = format!("the order is {}", LAYERS.join(" < "));
            let certain = by.verdict == Verdict::Certain && muted.verdict == Verdict::Certain;
            let level = if certain { Level::Error } else { Level::Warning };
            return look.say(report, rule.spot, "AM111", level, message, Some(help));
        }
    }
}

/// Alerts that are a source and a target of one rule: they do not mute each other, and not themselves.
fn both_sides(look: &Look<'_>, rule: &InhibitRule, held: &Held<'_>, report: &mut Report) {
    if rule.source.matchers.is_empty() {
        return;
    }
    let members = held.sources.iter().flat_map(|class| &class.members);
    let both = members
        .filter(|member| member.verdict == Verdict::Certain && member.is_other_side == Verdict::Certain)
        .map(|member| member.rule.name.as_str());
    let both: BTreeSet<&str> = both.collect();
    if let Some(first) = both.first() {
        let others = if both.len() > 1 { format!(" and {} others", both.len() - 1) } else { String::new() };
        let message =
            format!("`{first}`{others} is both a source and a target: such alerts do not mute each other");
        look.say(report, rule.spot, "AM105", Level::Warning, message, None);
    }
}
