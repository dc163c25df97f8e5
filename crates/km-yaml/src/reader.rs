//! From events of the parser to nodes, within bounds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle};

use crate::{Mark, Node, Parsed, Style, Unreadable, Value};

/// The most nodes that one text may have, all of its documents together, with every alias written out.
pub const NODES_MAX: usize = 500_000;
/// The most levels that one document may have, with every alias written out.
pub const DEPTH_MAX: usize = 64;

type Entries = Vec<(Arc<Node>, Arc<Node>)>;

/// Reads the documents of a text; a byte order mark before it is passed over.
///
/// # Errors
///
/// When the text is not YAML, when an alias stands inside of its own anchor, and beyond [`NODES_MAX`] or [`DEPTH_MAX`].
pub fn parse(text: &str) -> Result<Parsed, Unreadable> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) =
            event.map_err(|error| Unreadable { mark: mark(*error.marker()), why: error.info() })?;
        reader.take(event, &span)?;
    }
    Ok(Parsed { documents: reader.documents, twice: reader.twice })
}

fn mark(marker: Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}

/// Builds nodes from events.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    documents: Vec<Arc<Node>>,
    twice: Vec<(Mark, String)>,
    /// Nodes so far, with aliases written out.
    nodes: usize,
}

/// A collection whose end has not come yet.
struct Open {
    mark: Mark,
    style: Style,
    anchor: usize,
    is_mapping: bool,
    children: Vec<Arc<Node>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Unreadable> {
        let (mark, end) = (mark(span.start), mark(span.end));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_tagged = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                let style = scalar_style(style, is_tagged);
                let empty = style == Style::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if empty { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.put(Node { mark, end, style, value, size: 1, depth: 1 }, anchor)
            }
            Event::SequenceStart(style, anchor, _) => self.begin(Open {
                mark,
                style: collection_style(style),
                anchor,
                is_mapping: false,
                children: Vec::new(),
            }),
            Event::MappingStart(style, anchor, _) => self.begin(Open {
                mark,
                style: collection_style(style),
                anchor,
                is_mapping: true,
                children: Vec::new(),
            }),
            Event::SequenceEnd | Event::MappingEnd => self.end(mark),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Unreadable {
                        mark,
                        why: "an alias stands inside of what it names".to_owned(),
                    });
                };
                self.count(node.size, mark)?;
                self.add(node, mark)
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            // Anchors and comments come as events only to those who ask for them.
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), Unreadable> {
        if self.open.len() == DEPTH_MAX {
            let why = format!("nested more than {DEPTH_MAX} levels deep");
            return Err(Unreadable { mark: open.mark, why });
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, end: Mark) -> Result<(), Unreadable> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let size = 1 + open.children.iter().map(|child| child.size).sum::<usize>();
        let depth = 1 + open.children.iter().map(|child| child.depth).max().unwrap_or_default();
        let value = if open.is_mapping {
            let pair = |pair: &[Arc<Node>]| Some((pair.first()?.clone(), pair.get(1)?.clone()));
            let entries: Entries = open.children.chunks(2).filter_map(pair).collect();
            self.note_twice(&entries);
            Value::Mapping(merged(entries))
        } else {
            Value::Sequence(open.children)
        };
        self.put(Node { mark: open.mark, end, style: open.style, value, size, depth }, open.anchor)
    }

    fn note_twice(&mut self, entries: &Entries) {
        let mut seen = HashSet::new();
        for (key, _) in entries {
            if let Some(text) = key.text().filter(|text| *text != "<<" && !seen.insert(*text)) {
                self.twice.push((key.mark, text.to_owned()));
            }
        }
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        let (mark, node) = (node.mark, Arc::new(node));
        self.count(1, mark)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node, mark)
    }

    fn count(&mut self, nodes: usize, mark: Mark) -> Result<(), Unreadable> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            let why = format!("more than {NODES_MAX} values, aliases written out");
            return Err(Unreadable { mark, why });
        }
        Ok(())
    }

    fn add(&mut self, node: Arc<Node>, mark: Mark) -> Result<(), Unreadable> {
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

fn scalar_style(style: ScalarStyle, is_tagged_as_text: bool) -> Style {
    match style {
        ScalarStyle::Plain if is_tagged_as_text => Style::Quoted,
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn collection_style(style: StructureStyle) -> Style {
    match style {
        StructureStyle::Flow => Style::Flow,
        StructureStyle::Block => Style::Block,
    }
}

/// Entries with what `<<` brings in; what stands in the mapping itself goes first. Where `<<` has something else than
/// mappings it stays, so that whoever reads the mapping can refuse it.
fn merged(entries: Entries) -> Entries {
    let is_mapping = |node: &Arc<Node>| matches!(node.value, Value::Mapping(_));
    let is_merge = |(key, from): &(Arc<Node>, Arc<Node>)| {
        (key.style, key.text()) == (Style::Plain, Some("<<")) && sources(from).iter().all(is_mapping)
    };
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let mut known: HashSet<Option<&str>> = own.iter().map(|(key, _)| key.text()).collect();
    let brought: Entries = merges
        .iter()
        .flat_map(|(_, from)| sources(from))
        .flat_map(|source| source.entries())
        .filter(|(key, _)| known.insert(key.text()))
        .cloned()
        .collect();
    own.extend(brought);
    own
}

/// What `<<` merges: a node, or each item of a list.
fn sources(from: &Arc<Node>) -> &[Arc<Node>] {
    match &from.value {
        Value::Sequence(items) => items,
        Value::Mapping(_) | Value::Null | Value::Scalar(_) => std::slice::from_ref(from),
    }
}
