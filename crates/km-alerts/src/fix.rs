//! What can be mended without asking: guards for the labels of `equal`.
//!
//! A guard changes nothing for alerts that carry the label, and keeps alerts that lack it from being muted by accident.

use std::collections::BTreeMap;

use km_yaml::{Mark, Node, Style};

use crate::config::{Configuration, InhibitRule, Side};
use crate::finding::Finding;
use crate::source::Source;

/// Lines of context in a diff.
const CONTEXT: usize = 3;

/// Text to put into a file, in front of what stands at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Insertion {
    mark: Mark,
    text: String,
    /// It is a line of its own, in front of the line of the mark.
    is_line: bool,
}

/// The diffs that mend what is left of the findings, one for each file, as `patch -p0` takes them.
pub(crate) fn diffs(
    sources: &[Source],
    wholes: &BTreeMap<String, String>,
    configurations: &[Configuration],
    findings: &[Finding],
) -> Vec<String> {
    let mut by_file: BTreeMap<&str, Vec<Insertion>> = BTreeMap::new();
    for configuration in configurations {
        let Some(source) = sources.get(configuration.source).filter(|source| source.is_editable()) else {
            continue;
        };
        for rule in &configuration.inhibit_rules {
            let labels: Vec<&str> = rule
                .equal
                .iter()
                .filter(|label| {
                    let place = source.place(label.mark);
                    findings.iter().any(|finding| finding.code == "AM104" && finding.place == place)
                })
                .map(|label| label.text.as_str())
                .collect();
            by_file.entry(&source.file).or_default().extend(guards(source, rule, &labels));
        }
    }
    by_file.into_iter().filter_map(|(file, insertions)| diff(file, wholes.get(file)?, insertions)).collect()
}

/// What guards the labels on both sides.
fn guards(source: &Source, rule: &InhibitRule, labels: &[&str]) -> Vec<Insertion> {
    let mut insertions = Vec::new();
    for (side, key) in [(&rule.source, "source_matchers"), (&rule.target, "target_matchers")] {
        let missing: Vec<&str> = labels.iter().copied().filter(|label| !is_guarded(side, label)).collect();
        if missing.is_empty() {
            continue;
        }
        match (&side.list, rule.field) {
            (Some(list), _) => insertions.extend(added(source, list, &missing)),
            (None, Some(before)) => insertions.push(new_list(source, key, before, &missing)),
            (None, None) => {}
        }
    }
    insertions
}

fn is_guarded(side: &Side, label: &str) -> bool {
    side.of(label).any(|matcher| !matcher.takes_absence())
}

/// A list of matchers beside a side that is written in the old way.
fn new_list(source: &Source, key: &str, before: Mark, labels: &[&str]) -> Insertion {
    let mark = source.mark(before);
    let all: Vec<String> = labels.iter().map(|label| guard(label)).collect();
    let text = format!("{}{key}: [{}]", " ".repeat(mark.column - 1), all.join(", "));
    Insertion { mark: Mark { column: 1, ..mark }, text, is_line: true }
}

fn added(source: &Source, list: &Node, labels: &[&str]) -> Vec<Insertion> {
    let (Some(first), Some(last)) = (list.items().first(), list.items().last()) else { return Vec::new() };
    if list.style == Style::Flow {
        let text = labels.iter().map(|label| format!(", {}", guard(label))).collect();
        // In front of the bracket, and of the blank or comma before it.
        let mark = source.mark(last.end);
        return vec![Insertion { mark, text, is_line: false }];
    }
    let indent = " ".repeat(source.mark(first.mark).column.saturating_sub(3));
    let lines = labels.iter().map(|label| Insertion {
        mark: source
            .mark(Mark { line: last.end.line + usize::from(last.end.line == last.mark.line), column: 1 }),
        text: format!("{indent}- {}", guard(label)),
        is_line: true,
    });
    lines.collect()
}

fn guard(label: &str) -> String {
    format!("'{}=~\".+\"'", name(label))
}

/// A label name as a matcher writes it.
fn name(label: &str) -> String {
    if crate::schema::is_classic_name(label) { label.to_owned() } else { format!("{label:?}") }
}

/// A unified diff of what the insertions make of a text; nothing when there are none.
fn diff(file: &str, text: &str, mut insertions: Vec<Insertion>) -> Option<String> {
    insertions.sort();
    insertions.dedup();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // For each line: the lines to put in front of it, and what it becomes.
    let mut before: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut instead: BTreeMap<usize, String> = BTreeMap::new();
    for insertion in insertions.iter().rev() {
        let nth = insertion.mark.line.checked_sub(1)?;
        if insertion.is_line {
            before.entry(nth).or_default().insert(0, insertion.text.clone());
            continue;
        }
        let line =
            instead.entry(nth).or_insert_with(|| lines.get(nth).copied().unwrap_or_default().to_owned());
        let at = line.char_indices().nth(insertion.mark.column - 1).map_or(line.len(), |(at, _)| at);
        line.insert_str(at, &insertion.text);
    }
    let touched: Vec<usize> = before.keys().chain(instead.keys()).copied().collect();
    let hunks = hunks(&touched, lines.len());
    if hunks.is_empty() {
        return None;
    }
    let mut out = format!("--- {file}\n+++ {file}\n");
    let mut shift = 0;
    for (from, to) in hunks {
        let mut body = String::new();
        let (mut old, mut new) = (0, 0);
        for nth in from..=to {
            for added in before.get(&nth).into_iter().flatten() {
                body.push_str(&format!("+{added}\n"));
                new += 1;
            }
            let Some(line) = lines.get(nth) else { continue };
            match instead.get(&nth) {
                Some(changed) => body.push_str(&format!("-{}+{}", ended(line), ended(changed))),
                None => body.push_str(&format!(" {}", ended(line))),
            }
            (old, new) = (old + 1, new + 1);
        }
        let start = |nth: usize, count: usize| if count == 0 { nth } else { nth + 1 };
        out.push_str(&format!(
            "@@ -{},{old} +{},{new} @@\n{body}",
            start(from, old),
            start(from + shift, new)
        ));
        shift += new - old;
    }
    Some(out)
}

/// A line of a diff; the last one of a file may have no end.
fn ended(line: &str) -> String {
    if line.ends_with('\n') { line.to_owned() } else { format!("{line}\n\\ No newline at end of file\n") }
}

/// Runs of lines around those that are touched.
fn hunks(touched: &[usize], lines: usize) -> Vec<(usize, usize)> {
    let mut touched = touched.to_vec();
    touched.sort_unstable();
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for nth in touched {
        let (from, to) = (nth.saturating_sub(CONTEXT), (nth + CONTEXT).min(lines));
        match hunks.last_mut() {
            Some((_, end)) if from <= *end + 1 => *end = to,
            _ => hunks.push((from, to)),
        }
    }
    hunks
}
