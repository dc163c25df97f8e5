//! A configuration of Alertmanager as routes, inhibit rules and receivers, read leniently: what does not fit was said
//! by the schema already, and is passed over here.

use std::sync::Arc;

use km_yaml::{Mark, Node, Style};

use crate::matcher::{self, Matcher, Op};
use crate::report::Spot;
use crate::schema::is_true;

/// A text and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) mark: Mark,
}

#[derive(Debug)]
pub(crate) struct Configuration {
    /// Which of the sources it was read from.
    pub(crate) source: usize,
    pub(crate) root: Arc<Node>,
    /// Every route, parents before their children; the first is the root.
    pub(crate) routes: Vec<Route>,
    pub(crate) inhibit_rules: Vec<InhibitRule>,
    pub(crate) receivers: Vec<Receiver>,
}

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) spot: Spot,
    pub(crate) parent: Option<usize>,
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) receiver: Option<Word>,
    pub(crate) goes_on: bool,
    pub(crate) group_by: Vec<Word>,
    pub(crate) node: Arc<Node>,
}

#[derive(Debug)]
pub(crate) struct InhibitRule {
    pub(crate) spot: Spot,
    pub(crate) source: Side,
    pub(crate) target: Side,
    pub(crate) equal: Vec<Word>,
    pub(crate) name: Option<String>,
    /// Where a field can be put in: in front of one that begins a line.
    pub(crate) field: Option<Mark>,
}

/// The sources or the targets of an inhibit rule.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) matchers: Vec<Matcher>,
    /// The list under `source_matchers` or `target_matchers`, to which a matcher can be added.
    pub(crate) list: Option<Arc<Node>>,
    /// A matcher could not be read, so that nothing certain is known.
    pub(crate) is_unclear: bool,
}

#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) spot: Spot,
    pub(crate) name: Word,
    /// Each list of integrations by its key, such as `webhook_configs`.
    pub(crate) integrations: Vec<(String, Arc<Node>)>,
}

impl Configuration {
    pub(crate) fn read(source: usize, root: &Arc<Node>) -> Self {
        let mut routes = Vec::new();
        if let Some(node) = root.get("route") {
            read_routes(source, node, &mut routes);
        }
        let listed = |key| root.get(key).map(|node| node.items()).unwrap_or_default();
        Self {
            source,
            root: root.clone(),
            routes,
            inhibit_rules: listed("inhibit_rules")
                .iter()
                .map(|node| InhibitRule::read(source, node))
                .collect(),
            receivers: listed("receivers").iter().filter_map(|node| Receiver::read(source, node)).collect(),
        }
    }

    /// What an alert has to meet to come to a route: the matchers of it and of all above it.
    pub(crate) fn way_to(&self, route: usize) -> Vec<&Matcher> {
        let mut matchers = Vec::new();
        let mut at = Some(route);
        while let Some(route) = at.and_then(|at| self.routes.get(at)) {
            matchers.extend(&route.matchers);
            at = route.parent;
        }
        matchers
    }
}

/// Walks the tree without recursion, parents first.
fn read_routes(source: usize, root: &Arc<Node>, routes: &mut Vec<Route>) {
    let mut waiting = vec![(None, root.clone())];
    while let Some((parent, node)) = waiting.pop() {
        let at = routes.len();
        routes.push(Route::read(source, parent, &node));
        let children = node.get("routes").map(|children| children.items()).unwrap_or_default();
        waiting.extend(children.iter().rev().map(|child| (Some(at), child.clone())));
    }
}

impl Route {
    fn read(source: usize, parent: Option<usize>, node: &Arc<Node>) -> Self {
        Self {
            spot: Spot::new(source, node.mark),
            parent,
            matchers: matchers(node, "match", "match_re", "matchers").matchers,
            receiver: node.get("receiver").and_then(|node| word(node)),
            goes_on: node.get("continue").and_then(|node| node.text()).is_some_and(is_true),
            group_by: words(node, "group_by"),
            node: node.clone(),
        }
    }
}

impl InhibitRule {
    fn read(source: usize, node: &Arc<Node>) -> Self {
        Self {
            spot: Spot::new(source, node.mark),
            source: matchers(node, "source_match", "source_match_re", "source_matchers"),
            target: matchers(node, "target_match", "target_match_re", "target_matchers"),
            equal: words(node, "equal"),
            name: node.get("name").and_then(|name| name.text()).map(str::to_owned),
            field: node.entries().iter().map(|(key, _)| key.mark).find(|key| {
                node.style == Style::Block && key.column == node.mark.column && key.line > node.mark.line
            }),
        }
    }

    /// How messages call it.
    pub(crate) fn shown(&self) -> String {
        match &self.name {
            Some(name) => format!("the inhibit rule `{name}`"),
            None => "the inhibit rule".to_owned(),
        }
    }
}

impl Receiver {
    fn read(source: usize, node: &Arc<Node>) -> Option<Self> {
        let name = node.get("name").and_then(|name| word(name))?;
        let lists = node.entries().iter().filter_map(|(key, value)| {
            let key = key.text().filter(|key| key.ends_with("_configs"))?;
            Some((key.to_owned(), value.clone()))
        });
        Some(Self { spot: Spot::new(source, node.mark), name, integrations: lists.collect() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.integrations.iter().all(|(_, list)| list.items().is_empty())
    }
}

pub(crate) fn word(node: &Node) -> Option<Word> {
    Some(Word { text: node.text()?.to_owned(), mark: node.mark })
}

pub(crate) fn words(node: &Node, key: &str) -> Vec<Word> {
    let items = node.get(key).map(|list| list.items()).unwrap_or_default();
    items.iter().filter_map(|item| word(item)).collect()
}

/// The matchers of a route or of one side of an inhibit rule, whichever way they are written.
fn matchers(node: &Node, equal: &str, matches: &str, lines: &str) -> Side {
    let mut side = Side { list: node.get(lines).cloned(), ..Side::default() };
    for (key, op) in [(equal, Op::Equal), (matches, Op::Matches)] {
        let entries = node.get(key).map(|map| map.entries()).unwrap_or_default();
        for (label, value) in entries {
            let (Some(label), mark) = (label.text(), label.mark) else { continue };
            side.take(
                Matcher::new(label, op, value.text().unwrap_or_default(), mark).map(|matcher| vec![matcher]),
            );
        }
    }
    for item in side.list.clone().iter().flat_map(|list| list.items()) {
        side.take(item.text().map_or(Ok(Vec::new()), |line| matcher::parse(line, item.mark)));
    }
    side
}

impl Side {
    fn take(&mut self, read: Result<Vec<Matcher>, String>) {
        match read {
            Ok(matchers) => self.matchers.extend(matchers),
            Err(_) => self.is_unclear = true,
        }
    }

    pub(crate) fn of(&self, label: &str) -> impl Iterator<Item = &Matcher> {
        self.matchers.iter().filter(move |matcher| matcher.name == label)
    }

    pub(crate) fn all(&self) -> Vec<&Matcher> {
        self.matchers.iter().collect()
    }

    pub(crate) fn shown(&self) -> String {
        let all: Vec<String> = self.matchers.iter().map(Matcher::shown).collect();
        all.join(", ")
    }
}
