//! One JSON line into one write: km's own documents, and documents as data sets carry them.

use std::collections::BTreeMap;

use km_model::limits::{ID_BYTES_MAX, SOURCE_BYTES_MAX, TITLE_BYTES_MAX};
use km_model::{SourceDocument, WriteDocument};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ImportError, Reason, text_of};
use crate::json::InvalidJson;
use crate::text::{fit, fit_id, fit_labels};
use crate::{Request, json};

/// A document with an id, a title and a text; other fields are kept as metadata.
#[derive(Deserialize)]
struct Document {
    id: Option<String>,
    #[serde(default)]
    title: String,
    #[serde(default, alias = "content", alias = "body")]
    text: String,
    #[serde(default, alias = "type", alias = "entry_type")]
    kind: Option<String>,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    source: Option<Value>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    occurred_at: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Reads one line. A line with `path` is a write of km's own form, and read strictly; any other needs an `id`
/// and a text, and becomes what is known of an incident (kind `postmortem` or `incident`) or a playbook. Its dates
/// stand in the metadata, as those of a Markdown file do.
///
/// # Errors
/// [`ImportError`] without a line number, which the caller knows.
pub fn jsonl(line: &[u8]) -> Result<Request, ImportError> {
    let text = text_of(line)?.trim();
    if text.is_empty() {
        return Err(ImportError::whole(Reason::Empty));
    }
    let names: Names = serde_json::from_str(text).map_err(not_json)?;
    if names.path.is_some() {
        return json::read(text.as_bytes()).map_err(strictly);
    }
    let document: Document = serde_json::from_str(text).map_err(not_json)?;
    let id = document.id.clone().filter(|id| !id.trim().is_empty());
    let id = id.ok_or_else(|| ImportError::whole(Reason::Json("has neither `path` nor `id`".to_owned())))?;
    json::from_document(document.into_write(&id))
        .map_err(|violations| ImportError::whole(Reason::Violations(violations)))
}

/// What tells the two forms apart.
#[derive(Deserialize)]
struct Names {
    path: Option<Value>,
}

fn not_json(error: serde_json::Error) -> ImportError {
    ImportError::whole(Reason::Json(error.to_string()))
}

fn strictly(error: InvalidJson) -> ImportError {
    match error {
        InvalidJson::Violations(violations) => ImportError::whole(Reason::Violations(violations)),
        InvalidJson::TooLong { bytes } => ImportError::whole(Reason::TooLong { bytes }),
        InvalidJson::Syntax { .. } | InvalidJson::Shape { .. } => {
            ImportError::whole(Reason::Json(error.to_string()))
        }
    }
}

impl Document {
    fn into_write(self, id: &str) -> WriteDocument {
        let id = fit_id(id, ID_BYTES_MAX);
        let kind =
            self.kind.as_deref().map(|kind| fit_id(kind, ID_BYTES_MAX)).filter(|kind| !kind.is_empty());
        let about_incident = matches!(kind.as_deref(), Some("postmortem" | "incident" | "incident_case"));
        let mut labels = self.labels.unwrap_or_default();
        labels.extend(self.lang.map(|lang| ("lang".to_owned(), lang)));
        let date = self.occurred_at.map(|date| ("document_date".to_owned(), Value::from(date)));
        let mut metadata: Map<String, Value> = date.into_iter().chain(self.rest).collect();
        let url = match self.source {
            Some(Value::String(text)) => Some(fit(&text, SOURCE_BYTES_MAX)),
            Some(other) => {
                metadata.insert("source".to_owned(), other);
                None
            }
            None => None,
        };
        WriteDocument {
            path: Some(if about_incident { "incident_resolve" } else { "playbook_extract" }.to_owned()),
            incident_id: about_incident.then(|| id.clone()),
            playbook: (!about_incident).then_some(id),
            title: Some(fit(&self.title, TITLE_BYTES_MAX)),
            content: Some(self.text),
            entry_type: kind,
            tags: self.tags,
            labels: Some(fit_labels(&labels)),
            source: Some(SourceDocument { service: Some("import".to_owned()), actor: None, url }),
            metadata: Some(metadata),
            ..WriteDocument::default()
        }
    }
}
