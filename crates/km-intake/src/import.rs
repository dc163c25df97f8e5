//! Files into writes: Markdown runbooks and post-mortems, and JSON lines.
//!
//! A post-mortem becomes what is known of its incident (`incident_resolve`), anything else a playbook
//! (`playbook_extract`). Importing the same file again gives the same write, so it changes nothing.

mod front_matter;
mod lines;
mod markdown;

use std::path::Path;

use km_model::{Violation, limits};
use thiserror::Error;

pub use lines::jsonl;
pub use markdown::markdown;

/// The kinds of files that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One document a file: `.md`, `.markdown`.
    Markdown,
    /// One document a line: `.jsonl`, `.ndjson`.
    JsonLines,
}

/// The format of a file by its name; `None` for files that are not meant.
pub fn classify(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "md" | "markdown" => Some(Format::Markdown),
        "jsonl" | "ndjson" => Some(Format::JsonLines),
        _ => None,
    }
}

/// Why a file or a line was not taken.
#[derive(Debug, Error)]
pub struct ImportError {
    /// The line in the file, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong there.
    pub reason: Reason,
}

/// What can be wrong with a file or a line.
#[derive(Debug, Error)]
pub enum Reason {
    /// Bytes that are not UTF-8.
    #[error("not UTF-8: byte {byte} of the line")]
    NotUtf8 {
        /// Where in the line, from 1.
        byte: usize,
    },
    /// A NUL character.
    #[error("holds the control character U+0000, which cannot be stored")]
    Nul,
    /// Nothing but white space.
    #[error("is empty: nothing to remember")]
    Empty,
    /// More than the content limit.
    #[error("has {bytes} bytes, the limit is {}", limits::CONTENT_BYTES_MAX)]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// Front matter that is not YAML, or not a map.
    #[error("the front matter is not readable YAML: {0}")]
    FrontMatter(String),
    /// A line that is not a JSON object of a known shape.
    #[error("{0}")]
    Json(String),
    /// Fields that break rules.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Violations(Vec<Violation>),
}

impl std::fmt::Display for ImportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

impl ImportError {
    const fn at(line: usize, reason: Reason) -> Self {
        Self { line: Some(line), reason }
    }

    const fn whole(reason: Reason) -> Self {
        Self { line: None, reason }
    }
}

/// A file's text, or where it stops being one.
fn text_of(bytes: &[u8]) -> Result<&str, ImportError> {
    let bytes = crate::text::without_bom(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        ImportError::at(line, Reason::NotUtf8 { byte: before.len() - start + 1 })
    })?;
    match text.find('\0') {
        Some(at) => Err(ImportError::at(text[..at].matches('\n').count() + 1, Reason::Nul)),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests;
