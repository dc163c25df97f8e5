//! YAML as a tree in which every value knows its line, and a strict way to read it: whatever nobody asked for is a
//! problem.

use std::collections::BTreeMap;
use std::sync::Arc;

use km_yaml::Unreadable;

use super::LoadError;

/// A value and where it stands; that of an alias stands where its anchor does.
pub(super) struct Node {
    line: usize,
    column: usize,
    value: Value,
}

/// What a value is, as its field will need it. Numbers and flags keep how they are written.
enum Value {
    Null,
    Flag(bool, String),
    Number(f64, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// The documents of a stream; empty ones are left out.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Node>, LoadError> {
    let no_yaml = |problem: Unreadable| LoadError {
        file: file.to_owned(),
        line: problem.mark.line.max(1),
        column: Some(problem.mark.column),
        path: String::new(),
        reason: format!("no YAML: {}", problem.why),
    };
    let parsed = km_yaml::parse(text).map_err(no_yaml)?;
    if let Some((mark, key)) = parsed.twice.into_iter().min() {
        return Err(no_yaml(Unreadable { mark, why: format!("duplicate mapping key `{key}`") }));
    }
    let full = parsed.documents.iter().filter(|node| !matches!(node.value, km_yaml::Value::Null));
    full.map(|node| Node::of(node)).collect::<Result<_, _>>().map_err(no_yaml)
}

impl Node {
    fn of(node: &km_yaml::Node) -> Result<Self, Unreadable> {
        let value = match &node.value {
            km_yaml::Value::Null => Value::Null,
            km_yaml::Value::Scalar(text) => scalar(node, text.clone())?,
            km_yaml::Value::Sequence(items) => {
                Value::List(items.iter().map(|item| Self::of(item)).collect::<Result<_, _>>()?)
            }
            km_yaml::Value::Mapping(entries) => {
                let entry = |(key, value): &(Arc<km_yaml::Node>, Arc<km_yaml::Node>)| match key.text() {
                    Some(name) => Ok((name.to_owned(), Self::of(value)?)),
                    None => Err(Unreadable {
                        mark: key.mark,
                        why: format!("a key is a text, not {}", key.what()),
                    }),
                };
                Value::Map(entries.iter().map(entry).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { line: node.mark.line, column: node.mark.column, value })
    }
}

fn scalar(node: &km_yaml::Node, text: String) -> Result<Value, Unreadable> {
    match (node.flag(), node.number()) {
        (Some(flag), _) => Ok(Value::Flag(flag, text)),
        (None, Some(number)) if number.is_finite() => Ok(Value::Number(number, text)),
        (None, Some(_)) => {
            Err(Unreadable { mark: node.mark, why: format!("value `{text}` is not a finite number") })
        }
        (None, None) => Ok(Value::Text(text)),
    }
}

/// What is wrong with a file, collected so that it is all said at once.
pub(super) struct Problems {
    file: String,
    /// The data source that the file names, if any.
    pub(super) source: Option<String>,
    pub(super) found: Vec<LoadError>,
}

impl Problems {
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), source: None, found: Vec::new() }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

/// A value with its path in the document.
pub(super) struct Field<'a> {
    node: &'a Node,
    path: String,
}

/// The entries of a map that nobody has asked for yet.
pub(super) struct Fields<'a> {
    path: String,
    line: usize,
    column: usize,
    left: Vec<(&'a str, &'a Node)>,
    known: Vec<&'static str>,
}

impl<'a> Field<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: String::new() }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn line(&self) -> usize {
        self.node.line
    }

    /// States a problem with this value.
    pub(super) fn refuse(&self, problems: &mut Problems, reason: impl Into<String>) {
        problems.found.push(LoadError {
            file: problems.file.clone(),
            line: self.node.line.max(1),
            column: Some(self.node.column).filter(|column| *column > 0),
            path: self.path.clone(),
            reason: reason.into(),
        });
    }

    fn expected(&self, problems: &mut Problems, what: &str) {
        self.refuse(problems, format!("expected {what}, found {}", self.node.value.kind()));
    }

    /// A text that is not empty.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if !text.trim().is_empty() => Some(text),
            Value::Text(_) => {
                self.refuse(problems, "must not be empty");
                None
            }
            _ => {
                self.expected(problems, "a text");
                None
            }
        }
    }

    /// A text that may be empty.
    pub(super) fn prose(&self, problems: &mut Problems) -> &'a str {
        if let Value::Text(text) = &self.node.value {
            return text;
        }
        self.expected(problems, "a text");
        ""
    }

    pub(super) fn number(&self, problems: &mut Problems) -> Option<f64> {
        match &self.node.value {
            Value::Number(number, _) => Some(*number),
            _ => {
                self.expected(problems, "a number");
                None
            }
        }
    }

    pub(super) fn flag(&self, problems: &mut Problems) -> Option<bool> {
        match &self.node.value {
            Value::Flag(flag, _) => Some(*flag),
            _ => {
                self.expected(problems, "true or false");
                None
            }
        }
    }

    pub(super) fn list(&self, problems: &mut Problems) -> Vec<Self> {
        let Value::List(items) = &self.node.value else {
            self.expected(problems, "a list");
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(at, node)| Field { node, path: format!("{}[{at}]", self.path) })
            .collect()
    }

    pub(super) fn fields(&self, problems: &mut Problems) -> Option<Fields<'a>> {
        let Value::Map(entries) = &self.node.value else {
            self.expected(problems, "a map");
            return None;
        };
        Some(Fields {
            path: self.path.clone(),
            line: self.node.line,
            column: self.node.column,
            left: entries.iter().map(|(name, node)| (name.as_str(), node)).collect(),
            known: Vec::new(),
        })
    }

    /// Names and texts. Numbers and flags are taken as they are written, as Go's YAML does.
    pub(super) fn labels(&self, problems: &mut Problems) -> BTreeMap<String, String> {
        self.map_of(problems, "a text", Value::as_label)
    }

    /// As [`Field::labels`], where a name may have several texts, which are joined by commas.
    pub(super) fn labels_of_many(&self, problems: &mut Problems) -> BTreeMap<String, String> {
        self.map_of(problems, "a text or a list of texts", |value| match value {
            Value::List(items) => {
                let texts: Option<Vec<String>> = items.iter().map(|item| item.value.as_label()).collect();
                Some(texts?.join(","))
            }
            value => value.as_label(),
        })
    }

    fn map_of(
        &self,
        problems: &mut Problems,
        what: &str,
        text: impl Fn(&Value) -> Option<String>,
    ) -> BTreeMap<String, String> {
        let Value::Map(entries) = &self.node.value else {
            self.expected(problems, "a map");
            return BTreeMap::new();
        };
        let mut labels = BTreeMap::new();
        for (name, node) in entries {
            match text(&node.value) {
                Some(text) => {
                    labels.insert(name.clone(), text);
                }
                None => Field { node, path: join(&self.path, name) }.expected(problems, what),
            }
        }
        labels
    }
}

impl<'a> Fields<'a> {
    /// The value of a name. A null counts as absent.
    pub(super) fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let at = self.left.iter().position(|(given, _)| *given == name)?;
        let (_, node) = self.left.remove(at);
        let present = !matches!(node.value, Value::Null);
        present.then(|| Field { node, path: join(&self.path, name) })
    }

    pub(super) fn required(&mut self, name: &'static str, problems: &mut Problems) -> Option<Field<'a>> {
        let field = self.optional(name);
        if field.is_none() {
            self.refuse(problems, format!("`{name}` is missing"));
        }
        field
    }

    /// Takes a name whose meaning km does not know well enough to act on it.
    pub(super) fn unsupported(&mut self, name: &'static str, reason: &str, problems: &mut Problems) {
        if let Some(field) = self.optional(name) {
            field.refuse(problems, reason);
        }
        self.known.pop();
    }

    /// States a problem with the whole map.
    pub(super) fn refuse(&self, problems: &mut Problems, reason: impl Into<String>) {
        problems.found.push(LoadError {
            file: problems.file.clone(),
            line: self.line.max(1),
            column: Some(self.column).filter(|column| *column > 0),
            path: self.path.clone(),
            reason: reason.into(),
        });
    }

    /// Whatever was not asked for is a problem.
    pub(super) fn end(self, problems: &mut Problems) {
        let known = self.known.join(", ");
        for (name, node) in &self.left {
            let field = Field { node, path: join(&self.path, name) };
            field.refuse(problems, format!("km does not know this field; it knows {known}"));
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Value {
    fn as_label(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(_, text) | Self::Flag(_, text) => Some(text.clone()),
            Self::Null => Some(String::new()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Flag(_, text) | Self::Number(_, text) => format!("`{text}`"),
            Self::Text(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}
