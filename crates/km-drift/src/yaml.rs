//! YAML as a tree in which every node knows where it stands.
//!
//! Scalars keep their text and whether they stood in quotes: a manifest that needs text is refused when it says
//! `true` without them. Aliases share the node they name, and what a document would be with every alias written out
//! is bounded.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

/// The most nodes that one file may have, with every alias written out.
const NODES_MAX: usize = 500_000;
/// The most levels that one document may have.
const DEPTH_MAX: usize = 64;

/// A node and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) value: Value,
    /// Nodes in it, itself included, with aliases written out.
    size: usize,
    depth: usize,
}

/// A line and a column, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    /// The text, and whether YAML could take it for something else than text.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Arc<Node>>),
    Mapping(Vec<(Arc<Node>, Arc<Node>)>),
}

/// Why a text is not YAML that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) mark: Mark,
    pub(crate) why: String,
}

impl Node {
    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Arc<Node>> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// A value along keys, such as `spec.template`.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key).map(|node| &**node))
    }

    /// Whether YAML takes a scalar for a boolean or a number, so that a field for text refuses it.
    pub(crate) fn is_not_text(&self) -> Option<&'static str> {
        let Value::Scalar { text, plain: true } = &self.value else { return None };
        match text.as_str() {
            "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => Some("a boolean"),
            // The library of Kubernetes reads YAML 1.1.
            "yes" | "no" | "on" | "off" | "Yes" | "No" | "On" | "Off" | "YES" | "NO" | "ON" | "OFF" => {
                Some("a boolean of YAML 1.1")
            }
            text if is_number(text) => Some("a number"),
            _ => None,
        }
    }

    /// The items of a sequence; none of anything else.
    pub(crate) fn items(&self) -> &[Arc<Node>] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Null | Value::Scalar { .. } | Value::Mapping(_) => &[],
        }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[(Arc<Node>, Arc<Node>)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Null | Value::Scalar { .. } | Value::Sequence(_) => &[],
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (digits.replace('_', "").parse::<f64>().is_ok()
            || digits.strip_prefix("0x").is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok())
            || digits.strip_prefix("0o").is_some_and(|octal| u64::from_str_radix(octal, 8).is_ok()))
}

/// The documents of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Arc<Node>>, Unreadable> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|error| Unreadable {
            mark: Mark { line: error.marker().line(), column: error.marker().col() + 1 },
            why: error.info(),
        })?;
        reader.take(event, mark(&span))?;
    }
    Ok(reader.documents)
}

fn mark(span: &Span) -> Mark {
    Mark { line: span.start.line(), column: span.start.col() + 1 }
}

/// Builds nodes from events.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    documents: Vec<Arc<Node>>,
    nodes: usize,
}

/// A collection whose end has not come yet.
struct Open {
    mark: Mark,
    anchor: usize,
    is_mapping: bool,
    children: Vec<Arc<Node>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let empty =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if empty {
                    Value::Null
                } else {
                    Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
                };
                self.put(Node { mark, value, size: 1, depth: 1 }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(mark, anchor, false),
            Event::MappingStart(_, anchor, _) => self.begin(mark, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Unreadable {
                        mark,
                        why: "an alias stands inside of what it names".to_owned(),
                    });
                };
                self.add(node, mark)
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd => Ok(()),
            // Anchors and comments as events are for tools that ask for them.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, mark: Mark, anchor: usize, is_mapping: bool) -> Result<(), Unreadable> {
        if self.open.len() == DEPTH_MAX {
            return Err(Unreadable { mark, why: format!("nested more than {DEPTH_MAX} levels deep") });
        }
        self.open.push(Open { mark, anchor, is_mapping, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Unreadable> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let size = open.children.iter().fold(1, |size: usize, child| size.saturating_add(child.size));
        let depth = 1 + open.children.iter().map(|child| child.depth).max().unwrap_or_default();
        let value = if open.is_mapping {
            let pair = |pair: &[Arc<Node>]| Some((pair.first()?.clone(), pair.get(1)?.clone()));
            Value::Mapping(merged(open.children.chunks(2).filter_map(pair).collect()))
        } else {
            Value::Sequence(open.children)
        };
        self.put(Node { mark: open.mark, value, size, depth }, open.anchor)
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        let (mark, node) = (node.mark, Arc::new(node));
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node, mark)
    }

    fn add(&mut self, node: Arc<Node>, mark: Mark) -> Result<(), Unreadable> {
        self.nodes += 1;
        if self.nodes.max(node.size) > NODES_MAX {
            return Err(Unreadable {
                mark,
                why: format!("more than {NODES_MAX} values, aliases written out"),
            });
        }
        if self.open.len() + node.depth > DEPTH_MAX {
            return Err(Unreadable { mark, why: format!("nested more than {DEPTH_MAX} levels deep") });
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.documents.push(node),
        }
        Ok(())
    }
}

/// Entries with what `<<` brings in; what stands in the mapping itself goes first.
fn merged(entries: Vec<(Arc<Node>, Arc<Node>)>) -> Vec<(Arc<Node>, Arc<Node>)> {
    let is_merge = |entry: &(Arc<Node>, Arc<Node>)| entry.0.text() == Some("<<");
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    for (_, from) in merges {
        let sources: Vec<&Node> = match &from.value {
            Value::Sequence(items) => items.iter().map(|item| &**item).collect(),
            Value::Mapping(_) | Value::Null | Value::Scalar { .. } => vec![&from],
        };
        for (key, value) in sources.into_iter().flat_map(Node::entries) {
            if !own.iter().any(|(known, _)| known.text() == key.text()) {
                own.push((key.clone(), value.clone()));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Unreadable {
        documents(text).err().unwrap_or_else(|| panic!("was read: {text}"))
    }

    #[test]
    fn nodes_know_their_place_and_their_quotes() {
        let read = documents("a: true\n---\nb:\n  - x: 'true'\n").unwrap_or_default();
        let a = read[0].at(&["a"]).unwrap_or_else(|| panic!());
        assert_eq!((a.mark, a.is_not_text()), (Mark { line: 1, column: 4 }, Some("a boolean")));
        let list = read[1].at(&["b"]).unwrap_or_else(|| panic!());
        let x = list.items()[0].at(&["x"]).unwrap_or_else(|| panic!());
        assert_eq!((x.mark, x.is_not_text()), (Mark { line: 4, column: 8 }, None));
    }

    #[test]
    fn bad_documents_are_refused_with_their_place() {
        assert_eq!(why("a: &a [1, *a]\n").mark, Mark { line: 1, column: 11 });
        assert!(documents(&"[".repeat(100_000)).is_err());
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(why(&text).why.contains("aliases written out"));
    }
}
