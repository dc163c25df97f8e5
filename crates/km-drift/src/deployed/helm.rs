//! Helm values, through a map from their paths to variables.

use std::path::Path;

use km_yaml::{Node, Style, Value};

use super::{Content, Deployed, File, Layer, Variable};
use crate::finding::{Code, Level, Remark};

/// Which value becomes which variable.
#[derive(Clone, Debug, Default)]
pub struct ValuesMap {
    entries: Vec<(Vec<String>, String)>,
}

impl ValuesMap {
    /// Adds `config.prometheusUrl=PROMETHEUS_URL`; `config.env.*=*` takes every key below, under its own name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let (path, name) = text.split_once('=').ok_or_else(|| format!("`{text}` is not PATH=NAME"))?;
        self.insert(path, name)
    }

    /// Adds a path and a name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn insert(&mut self, path: &str, name: &str) -> Result<(), String> {
        let parts: Vec<String> = path.trim_start_matches('.').split('.').map(str::to_owned).collect();
        if name.is_empty() || parts.iter().any(String::is_empty) {
            return Err(format!("`{path}` to `{name}` is no path and name"));
        }
        if (name == "*") != parts.last().is_some_and(|last| last == "*") {
            return Err(format!("`{path}` to `{name}`: `*` stands on both sides or on none"));
        }
        self.entries.push((parts, name.to_owned()));
        Ok(())
    }

    /// Whether nothing is mapped.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Only files that are named, or named like values, are taken for values.
pub(super) fn may_be_values(path: &Path, explicit: bool) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    explicit || name.starts_with("values")
}

pub(super) fn read(file: &File, map: &ValuesMap, deployed: &mut Deployed) {
    let Some(document) = file.documents.first() else { return };
    for (path, name) in &map.entries {
        let (last, above) = path.split_last().map_or((None, &[][..]), |(last, above)| (Some(last), above));
        let keys: Vec<&str> = above.iter().map(String::as_str).collect();
        let Some(parent) = document.at(&keys) else { continue };
        if name == "*" {
            every(file, parent, &keys, deployed);
        } else if let Some(value) = last.and_then(|last| parent.get(last)) {
            put(file, name, value, &path.join("."), deployed);
        }
    }
}

/// The keys of a mapping, or `name` and `value` of each item of a list.
fn every(file: &File, parent: &Node, path: &[&str], deployed: &mut Deployed) {
    for (key, value) in parent.entries() {
        let name = key.text().unwrap_or_default();
        put(file, name, value, &format!("{}.{name}", path.join(".")), deployed);
    }
    for item in parent.items() {
        if let (Some(name), Some(value)) = (item.at(&["name"]).and_then(Node::text), item.get("value")) {
            put(file, name, value, &path.join("."), deployed);
        }
    }
}

fn put(file: &File, name: &str, value: &Node, path: &str, deployed: &mut Deployed) {
    let content = match &value.value {
        Value::Null => return,
        Value::Scalar(_) => file.content(value),
        Value::Sequence(_) | Value::Mapping(_) => Content::Text(json(value).to_string()),
    };
    deployed.common.push(Variable {
        name: name.to_owned(),
        content,
        layer: Layer::Values,
        place: file.place(value.mark),
        source: format!("{path} in {}", file.shown),
    });
}

/// What `toJson` makes of a value.
fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Scalar(text) if node.style == Style::Plain => serde_json::from_str(text)
            .ok()
            .filter(|json: &serde_json::Value| !json.is_string())
            .unwrap_or_else(|| text.as_str().into()),
        Value::Scalar(text) => text.as_str().into(),
        Value::Sequence(items) => items.iter().map(|item| json(item)).collect(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// A path that leads nowhere is most likely misspelt.
pub(super) fn missing(map: &ValuesMap, deployed: &mut Deployed) {
    if !deployed.common.iter().any(|variable| variable.layer == Layer::Values) {
        return;
    }
    for (_, name) in map.entries.iter().filter(|(_, name)| name != "*") {
        let found =
            deployed.common.iter().any(|variable| variable.layer == Layer::Values && variable.name == *name);
        if !found {
            let message = format!("no values file has what is mapped to {name}");
            deployed.remarks.push(Remark::new(Code::Unresolved, Level::Warning, message, None));
        }
    }
}
