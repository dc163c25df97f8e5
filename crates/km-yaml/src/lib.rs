//! YAML as a tree in which every node knows where it stands.
//!
//! Scalars keep their text and how they were written: whether `true` is a word or a truth is decided by whoever reads
//! the field. Aliases share the node they name, and what a file would be with every alias written out is bounded.

mod reader;

use std::sync::Arc;

pub use reader::{DEPTH_MAX, NODES_MAX, parse};

/// The documents of a text, and what was passed over in them.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The documents in their order; one without content is a [`Value::Null`].
    pub documents: Vec<Arc<Node>>,
    /// Keys that stand twice in one mapping, where they stand again. [`Node::get`] takes the first one.
    pub twice: Vec<(Mark, String)>,
}

/// Why a text is not YAML that can be read, and where that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where reading ended.
    pub mark: Mark,
    /// What is wrong, without the place.
    pub why: String,
}

/// A value and where it stands. That of an alias stands where its anchor does.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub mark: Mark,
    /// Where it ends: of a flow collection, its closing bracket.
    pub end: Mark,
    /// How it is written.
    pub style: Style,
    /// What it is.
    pub value: Value,
    /// Nodes in it, itself included, with aliases written out.
    size: usize,
    depth: usize,
}

/// A line and a column, from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, or a plain word for it, such as `~`.
    Null,
    /// A text, or what else a plain scalar may stand for.
    Scalar(String),
    /// Items in their order.
    Sequence(Vec<Arc<Node>>),
    /// Keys and values in their order, those that `<<` brings in behind its own.
    Mapping(Vec<(Arc<Node>, Arc<Node>)>),
}

/// How a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A scalar without quotes, which need not be a text.
    Plain,
    /// A scalar in quotes of either kind, or after `!!str`.
    Quoted,
    /// A scalar after `|`, in which every line of text is a line of the file.
    Literal,
    /// A scalar after `>`.
    Folded,
    /// A collection by indentation.
    Block,
    /// A collection in brackets.
    Flow,
}

impl Node {
    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Arc<Self>> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The value along keys of nested mappings, such as `spec` and `template`.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key).map(|node| &**node))
    }

    /// The text of a scalar, however it is written.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The items of a sequence; none of anything else.
    pub fn items(&self) -> &[Arc<Self>] {
        match &self.value {
            Value::Sequence(items) => items,
            Value::Null | Value::Scalar(_) | Value::Mapping(_) => &[],
        }
    }

    /// The entries of a mapping; none of anything else.
    pub fn entries(&self) -> &[(Arc<Self>, Arc<Self>)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Null | Value::Scalar(_) | Value::Sequence(_) => &[],
        }
    }

    /// What it is, in words.
    pub const fn what(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// What YAML takes a plain scalar for, if not for text; a field for text refuses it then.
    ///
    /// Words of YAML 1.1 count, because the library of Kubernetes reads that.
    pub fn is_not_text(&self) -> Option<&'static str> {
        match (self.flag(), self.number()) {
            (Some(_), _) if self.text().is_some_and(is_new_flag) => Some("a boolean"),
            (Some(_), _) => Some("a boolean of YAML 1.1"),
            (None, Some(_)) => Some("a number"),
            (None, None) => None,
        }
    }

    /// The truth of a plain scalar: of `true` and `false`, and of the words that YAML 1.1 has for them.
    pub fn flag(&self) -> Option<bool> {
        match self.plain()? {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }

    /// The number of a plain scalar, which may be infinite or not a number; whole ones beyond 2^53 are rounded.
    pub fn number(&self) -> Option<f64> {
        let text = self.plain()?;
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let number = unsigned(digits)?;
        Some(if text.starts_with('-') { -number } else { number })
    }

    fn plain(&self) -> Option<&str> {
        self.text().filter(|_| self.style == Style::Plain)
    }
}

/// Whether YAML 1.2 has a word for a boolean too.
fn is_new_flag(word: &str) -> bool {
    word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}

fn unsigned(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" => return Some(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        // Rust has names for numbers that YAML takes for words, such as `inf`.
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') => return None,
        _ => {}
    }
    let text = text.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(|number| number as f64);
        }
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests;
