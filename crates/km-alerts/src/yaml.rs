//! YAML as a tree in which every node knows where it stands.
//!
//! Scalars keep their text: whether `true` is a word or a truth is decided by the field it is given to, as
//! Alertmanager does. Aliases share the node they name, and what a document would be with every alias written out
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
    Scalar(String),
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
            Value::Scalar(text) => Some(text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The items of a sequence; none of anything else.
    pub(crate) fn items(&self) -> &[Arc<Node>] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Null | Value::Scalar(_) | Value::Mapping(_) => &[],
        }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[(Arc<Node>, Arc<Node>)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => &[],
        }
    }
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
                let value = if empty { Value::Null } else { Value::Scalar(text.into_owned()) };
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
            Value::Mapping(_) | Value::Null | Value::Scalar(_) => vec![&from],
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
    fn nodes_know_their_line_and_column() {
        let read = documents("a: 1\n---\nb:\n  - x: ~\n    y: 'é'\n").unwrap_or_default();
        let item =
            read[1].get("b").and_then(|list| list.items().first().cloned()).unwrap_or_else(|| panic!());
        assert_eq!(item.mark, Mark { line: 4, column: 5 });
        assert_eq!(item.get("y").and_then(|node| node.text()), Some("é"));
        assert!(matches!(item.get("x").map(|node| &node.value), Some(Value::Null)));
    }

    #[test]
    fn what_is_broken_is_named_with_its_place() {
        assert!(why("a: 1\nb: [1, 2\n").mark.line >= 2);
        assert_eq!(why("a: *nobody\n").mark, Mark { line: 1, column: 4 });
    }

    #[test]
    fn an_alias_inside_its_own_anchor_is_refused() {
        assert_eq!(why("a: &a [1, *a]\n").why, "an alias stands inside of what it names");
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(why(&text).why.contains("aliases written out"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(documents(&"[".repeat(100_000)).is_err());
        assert!(documents(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_err());
    }

    #[test]
    fn merges_fill_what_is_not_there() {
        let read = documents("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n").unwrap_or_default();
        let b = read[0].get("b").cloned().unwrap_or_else(|| panic!());
        assert_eq!(b.get("x").and_then(|node| node.text()), Some("1"));
        assert_eq!(b.get("y").and_then(|node| node.text()), Some("3"));
    }
}
