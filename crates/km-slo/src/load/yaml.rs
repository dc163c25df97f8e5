//! YAML as a tree in which every value knows its line, and a strict way to read it: whatever nobody asked for is a
//! problem.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Spanned, UserMessageFormatter};

use super::LoadError;

/// Values within values at most. Objectives take a dozen, and each takes room on the stack.
const DEPTH_MAX: usize = 24;
/// Values in one file at most, those that aliases repeat included.
const NODES_MAX: usize = 250_000;

/// A value and where it stands.
pub(super) struct Node {
    line: usize,
    column: usize,
    value: Value,
}

enum Value {
    Null,
    Flag(bool),
    Number(f64, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Value>::deserialize(deserializer)?;
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self { line: count(referenced.line()), column: count(referenced.column()), value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

#[expect(
    clippy::cast_precision_loss,
    reason = "a number beyond 2^53 is no share and no weight, and is shown as written"
)]
impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64, value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64, value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Number(value as f64, value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Number(value as f64, value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value, value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

/// The documents of a stream; empty ones are left out.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Node>, LoadError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let at = error.location();
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let reason = error.without_snippet().render_with_formatter(&UserMessageFormatter);
        let first = reason.lines().next().unwrap_or_default();
        // The place stands before the message already.
        let reason = first.rsplit_once(" at line ").map_or(first, |(reason, _)| reason);
        LoadError {
            file: file.to_owned(),
            line: at.map_or(1, |at| count(at.line())),
            column: at.map(|at| count(at.column())),
            path: String::new(),
            reason: format!("no YAML: {reason}"),
        }
    })
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
            Value::Number(number, _) if number.is_finite() => Some(*number),
            _ => {
                self.expected(problems, "a number");
                None
            }
        }
    }

    pub(super) fn flag(&self, problems: &mut Problems) -> Option<bool> {
        match &self.node.value {
            Value::Flag(flag) => Some(*flag),
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
            Self::Text(text) | Self::Number(_, text) => Some(text.clone()),
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Null => Some(String::new()),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Flag(flag) => format!("`{flag}`"),
            Self::Number(_, text) => format!("`{text}`"),
            Self::Text(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}
