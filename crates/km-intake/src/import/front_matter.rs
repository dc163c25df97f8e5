//! The block between `---` lines at the top of a Markdown file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ImportError, Reason};

/// What the block says, by lower-case name.
#[derive(Debug, Default)]
pub(super) struct FrontMatter(BTreeMap<String, Value>);

impl FrontMatter {
    /// Splits a file into its front matter and the rest. A file without a closed block has none.
    pub(super) fn split(text: &str) -> Result<(Self, &str), ImportError> {
        let Some((block, rest)) = block(text) else { return Ok((Self::default(), text)) };
        if block.trim().is_empty() {
            return Ok((Self::default(), rest));
        }
        let parsed: Result<BTreeMap<String, Value>, _> = serde_saphyr::from_str(block);
        let map = parsed.map_err(|error| {
            let line = error.location().map_or(2, |at| usize::try_from(at.line()).unwrap_or(1) + 1);
            let reason = error.to_string();
            ImportError::at(line, Reason::FrontMatter(reason.lines().next().unwrap_or_default().to_owned()))
        })?;
        Ok((Self(map.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect()), rest))
    }

    /// The first of these names that holds text or a number.
    pub(super) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| scalar(self.0.get(*name)?))
    }

    /// All texts under these names: a list, or texts between commas.
    pub(super) fn list(&self, names: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for value in names.iter().filter_map(|name| self.0.get(*name)) {
            match value {
                Value::Array(items) => found.extend(items.iter().filter_map(scalar)),
                Value::String(text) => found.extend(text.split(',').map(|part| part.trim().to_owned())),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
            }
        }
        found.retain(|text| !text.is_empty());
        found
    }

    /// The names and texts of a map.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let Some(Value::Object(map)) = self.0.get(name) else { return BTreeMap::new() };
        map.iter().filter_map(|(name, value)| Some((name.clone(), scalar(value)?))).collect()
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn block(text: &str) -> Option<(&str, &str)> {
    let opening = text.strip_prefix("---")?;
    let inside = opening.strip_prefix("\r\n").or_else(|| opening.strip_prefix('\n'))?;
    let mut at = 0;
    for line in inside.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return Some((&inside[..at], &inside[at + line.len()..]));
        }
        at += line.len();
    }
    None
}
