//! What a file holds: configurations, rules, what Prometheus adds, posted alerts, and the Secrets, ConfigMaps and
//! lists around them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use km_yaml::{Mark, Node, Style, Value};

use crate::finding::Level;
use crate::report::{Report, Spot};
use crate::source::Source;
use crate::{FILE_BYTES_MAX, UNREADABLE};

/// How often things are taken out of things.
const WRAPS_MAX: usize = 3;

/// A text of the caller's, and what it is for.
#[derive(Clone, Debug)]
pub struct Input {
    /// How findings name it.
    pub name: String,
    /// What it says, or why it could not be read.
    pub text: Result<String, String>,
    /// What it has to hold.
    pub kind: InputKind,
}

/// What a file is expected to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A configuration of Alertmanager; something else is a mistake.
    Configuration,
    /// Rules, or a configuration of Prometheus; what else stands there is passed over.
    Rules,
    /// Alerts as JSON or YAML: a list of label sets, or of objects with `labels`.
    Alerts,
}

/// Everything that was found in the inputs.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) sources: Vec<Source>,
    pub(crate) configurations: Vec<(usize, Arc<Node>)>,
    /// Documents with `groups`.
    pub(crate) rules: Vec<(usize, Arc<Node>)>,
    /// Documents of prometheus.yml.
    pub(crate) prometheus: Vec<Arc<Node>>,
    /// `Prometheus` resources of the operator.
    pub(crate) resources: Vec<Arc<Node>>,
    pub(crate) alerts: Vec<(Spot, BTreeMap<String, String>)>,
}

impl Contents {
    pub(crate) fn take(&mut self, input: &Input, report: &mut Report) {
        let text = match &input.text {
            Ok(text) => text,
            Err(why) => {
                let source = self.add(Source::whole(&input.name, ""));
                return self.unreadable(source, Mark { line: 1, column: 1 }, why, report);
            }
        };
        let source = self.add(Source::whole(&input.name, text));
        if text.len() as u64 > FILE_BYTES_MAX {
            let why = format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20);
            return self.unreadable(source, Mark { line: 1, column: 1 }, &why, report);
        }
        let before = self.configurations.len();
        let read = self.text(source, input.kind, 0, report);
        if read && input.kind == InputKind::Configuration && self.configurations.len() == before {
            let why =
                "it holds no configuration of Alertmanager: no `route`, and no Secret or ConfigMap with one";
            self.unreadable(source, Mark { line: 1, column: 1 }, why, report);
        }
    }

    fn add(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    fn unreadable(&self, source: usize, mark: Mark, why: &str, report: &mut Report) {
        let message = format!("cannot be read: {why}");
        report.add(&self.sources, Spot::new(source, mark), UNREADABLE, Level::Error, message, None);
    }

    /// Whether the text could be read.
    fn text(&mut self, source: usize, kind: InputKind, wraps: usize, report: &mut Report) -> bool {
        let Some(text) = self.sources.get(source).map(|source| source.text.clone()) else { return false };
        let parsed = match km_yaml::parse(&text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let at = text.lines().nth(error.mark.line.saturating_sub(1)).unwrap_or_default();
                let is_template = ["{%", "{{", "<%"].iter().any(|mark| at.contains(mark));
                let hint = if is_template { "; it looks like a template: render it first" } else { "" };
                self.unreadable(source, error.mark, &format!("{}{hint}", error.why), report);
                return false;
            }
        };
        let is_plain = parsed.documents.iter().any(|document| is_configuration(document));
        if kind == InputKind::Configuration && is_plain {
            for (mark, key) in &parsed.twice {
                let message = format!("`{key}` stands twice in one mapping; Alertmanager refuses the file");
                report.add(&self.sources, Spot::new(source, *mark), "AM208", Level::Error, message, None);
            }
        }
        if kind == InputKind::Configuration && is_plain && wraps == 0 && parsed.documents.len() > 1 {
            // Alertmanager reads the first document and nothing after it.
            for ignored in parsed.documents.iter().skip(1).filter(|document| is_configuration(document)) {
                let message = "Alertmanager reads the first document of a file; this one is passed over";
                report.add(
                    &self.sources,
                    Spot::new(source, ignored.mark),
                    "AM306",
                    Level::Warning,
                    message,
                    None,
                );
            }
        }
        for document in &parsed.documents {
            self.document(source, document, kind, wraps, report);
        }
        true
    }

    fn document(
        &mut self,
        source: usize,
        node: &Arc<Node>,
        kind: InputKind,
        wraps: usize,
        report: &mut Report,
    ) {
        if wraps > WRAPS_MAX {
            return;
        }
        let of_kind = node.get("apiVersion").and_then(|_| node.get("kind")).and_then(|kind| kind.text());
        match of_kind {
            Some("Secret" | "ConfigMap") => self.wrapped(source, node, kind, wraps, report),
            Some("PrometheusRule" | "VMRule") => {
                self.rules.extend(node.get("spec").map(|spec| (source, spec.clone())))
            }
            Some("Prometheus") => self.resources.push(node.clone()),
            Some(name) if name.ends_with("List") => {
                for item in node.get("items").map(|items| items.items()).unwrap_or_default() {
                    self.document(source, item, kind, wraps + 1, report);
                }
            }
            Some(_) => {}
            None if kind == InputKind::Alerts => self.posted(source, node, report),
            None if is_configuration(node) => {
                let is_wanted = kind == InputKind::Configuration;
                self.configurations.extend(is_wanted.then(|| (source, node.clone())));
            }
            // Unit tests of rules name the files that they are of.
            None if node.get("tests").is_some() => {}
            None if node.get("groups").is_some() => self.rules.push((source, node.clone())),
            None if node.get("scrape_configs").or_else(|| node.get("rule_files")).is_some() => {
                self.prometheus.push(node.clone());
            }
            None if node.get("global").and_then(|global| global.get("external_labels")).is_some() => {
                self.prometheus.push(node.clone());
            }
            None => {}
        }
    }

    /// The files in a Secret or a ConfigMap.
    fn wrapped(
        &mut self,
        source: usize,
        node: &Arc<Node>,
        kind: InputKind,
        wraps: usize,
        report: &mut Report,
    ) {
        let is_secret = node.get("kind").and_then(|kind| kind.text()) == Some("Secret");
        let files = ["data", "stringData"].iter().filter_map(|key| Some((*key, node.get(key)?)));
        let files: Vec<_> =
            files.flat_map(|(at, map)| map.entries().iter().map(move |entry| (at, entry))).collect();
        for (at, (key, value)) in files {
            let at_key = key.mark.line;
            let (Some(key), Some(text)) = (key.text(), value.text()) else { continue };
            let is_ours = [".yaml", ".yml", ".json", ".rules"].iter().any(|end| key.ends_with(end));
            let Some(outer) = self.sources.get(source).filter(|_| is_ours) else { continue };
            let inner = if at == "data" && is_secret {
                let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                let decoded = STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let Some(decoded) = decoded else {
                    let why = format!("`data.{key}` is not base64 of UTF-8 text");
                    self.unreadable(source, value.mark, &why, report);
                    continue;
                };
                outer.encoded(&decoded, value.mark, key)
            } else if value.style == Style::Literal {
                let above = lines_above(&outer.text, at_key);
                outer.inset(text, above, indent(&outer.text, above))
            } else {
                outer.encoded(text, value.mark, key)
            };
            let inner = self.add(inner);
            self.text(inner, kind, wraps + 1, report);
        }
    }

    fn posted(&mut self, source: usize, node: &Arc<Node>, report: &mut Report) {
        let items =
            if matches!(node.value, Value::Sequence(_)) { node.items() } else { std::slice::from_ref(node) };
        for item in items {
            let labels = item.get("labels").unwrap_or(item);
            let pairs = labels
                .entries()
                .iter()
                .filter_map(|(name, value)| Some((name.text()?.to_owned(), value.text()?.to_owned())));
            let pairs: BTreeMap<String, String> = pairs.collect();
            if pairs.is_empty() {
                self.unreadable(source, item.mark, "an alert has to be a mapping with its labels", report);
            } else {
                self.alerts.push((Spot::new(source, item.mark), pairs));
            }
        }
    }
}

/// Whether a document is an alertmanager.yml and nothing of the kind of a prometheus.yml.
fn is_configuration(node: &Node) -> bool {
    ["route", "receivers", "inhibit_rules"].iter().any(|key| node.get(key).is_some())
}

/// The lines of a text up to the `|` after a key, behind which a block of text begins.
fn lines_above(text: &str, key: usize) -> usize {
    let from_key = text.lines().enumerate().skip(key.saturating_sub(1));
    let header = from_key.into_iter().find(|(_, line)| line.contains('|'));
    header.map_or(key, |(nth, _)| nth + 1)
}

/// The indentation of the block of text that begins below a line.
fn indent(text: &str, line: usize) -> usize {
    let below = text.lines().skip(line);
    let first = below.into_iter().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.len() - first.trim_start_matches(' ').len()
}
