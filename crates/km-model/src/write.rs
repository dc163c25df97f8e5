//! One request to remember something.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{EntryType, ExecutionId, PlaybookSlug, Timestamp, WritePath};

/// A write whose every field keeps its rules. Its write id and tenant travel beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Where it comes from and what that path must bring.
    pub path: WritePath,
    /// The playbook it is about.
    pub playbook: Option<PlaybookSlug>,
    /// The execution it is about.
    pub execution: Option<ExecutionId>,
    /// One line; may be empty when there is content.
    pub title: String,
    /// Markdown; may be empty when there is a title.
    pub content: String,
    /// What kind of knowledge it is.
    pub entry_type: Option<EntryType>,
    /// Words to filter by, without repeats, in the producer's order.
    pub tags: Vec<String>,
    /// Names and values to filter by.
    pub labels: BTreeMap<String, String>,
    /// Who says so.
    pub source: Source,
    /// When it was so by the producer's clock; `None` lets the first intake decide.
    pub occurred_at: Option<Timestamp>,
    /// Observations of the producer: kept with the write, not searched.
    pub metadata: Metadata,
}

/// Who wrote, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The service that wrote.
    pub service: Option<String>,
    /// The person or agent on whose behalf.
    pub actor: Option<String>,
    /// Where the original can be read.
    pub url: Option<String>,
}

/// A free JSON object that km keeps and never interprets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub Map<String, Value>);
