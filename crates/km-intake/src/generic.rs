//! Any JSON object with the usual names, as one resolved incident.
//!
//! | of the write | the first of these that holds text |
//! |---|---|
//! | incident id | `incident_id`, `incident`, `id`, `key`, `uuid`, `number` |
//! | title | `title`, `summary`, `subject`, `name` |
//! | content | `content`, `description`, `body`, `message`, `text`, `details` |
//! | occurred at | `updated_at`, `modified_at`: when this was written, and nothing else is |
//! | `document_date` in the metadata | `resolved_at`, `ended_at`, `timestamp`, `created_at` |
//! | link | `url`, `html_url`, `link` |
//! | type | `entry_type`, `type` |
//! | tags | `tags`: a list of texts, or texts between commas; and `severity` |
//! | labels | `labels`: an object |
//!
//! The rest of the object is kept as `metadata` while it fits. Of two texts about one incident the newer is the head,
//! so a date that an edit does not move is no version; without a better one the time of intake is.

use std::collections::BTreeMap;

use km_model::limits::{
    CONTENT_BYTES_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX,
    TITLE_BYTES_MAX,
};
use km_model::{EntryType, IncidentId, Metadata, Source, Timestamp, Write, WriteDocument, WritePath};
use serde_json::{Map, Value};

use crate::Unreadable;
use crate::text::{fit, fit_id, fit_labels, without_bom};

/// Reads one object.
///
/// # Errors
/// [`Unreadable`] when the body is not an object, names no incident, or says nothing.
pub fn read(body: &[u8]) -> Result<Write, Unreadable> {
    let value: Value = serde_json::from_slice(without_bom(body))
        .map_err(|_| Unreadable::new("NOT_JSON", "the body is not JSON"))?;
    let Value::Object(object) = value else {
        return Err(Unreadable::new("NOT_AN_OBJECT", "the body is not a JSON object"));
    };
    let fields = Fields(&object);
    let id = fields.text(&["incident_id", "incident", "id", "key", "uuid", "number"]);
    let id = id.and_then(|id| IncidentId::parse(fit_id(&id, ID_BYTES_MAX)).ok());
    let incident = id.ok_or(Unreadable::new("NO_INCIDENT", "the body names no incident"))?;
    let write = fields.write(incident);
    if write.title.trim().is_empty() && write.content.trim().is_empty() {
        return Err(Unreadable::new("NOTHING_TO_REMEMBER", "the body has neither title nor content"));
    }
    Ok(with_metadata(write, object))
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.0.get(*name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    fn write(&self, incident: IncidentId) -> Write {
        let title = self.text(&["title", "summary", "subject", "name"]).unwrap_or_default();
        let content = self.text(&["content", "description", "body", "message", "text", "details"]);
        let written = self.text(&["updated_at", "modified_at"]);
        let url = self.text(&["url", "html_url", "link"]).map(|url| fit(&url, SOURCE_BYTES_MAX));
        let entry_type = self.text(&["entry_type", "type"]).map(|name| fit_id(&name, ID_BYTES_MAX));
        Write {
            path: WritePath::IncidentResolve { incident, approval: None },
            playbook: None,
            execution: None,
            title: fit(title.trim(), TITLE_BYTES_MAX),
            content: fit(&content.unwrap_or_default(), CONTENT_BYTES_MAX),
            entry_type: entry_type.and_then(|name| EntryType::parse(name).ok()),
            tags: self.tags(),
            labels: self.labels(),
            source: Source { service: Some("webhook".to_owned()), actor: None, url },
            occurred_at: written.and_then(|text| Timestamp::parse(&text).ok()),
            metadata: self.date(),
        }
    }

    fn date(&self) -> Metadata {
        let date = self.text(&["resolved_at", "ended_at", "timestamp", "created_at"]);
        let date = date.map(|date| ("document_date".to_owned(), Value::from(fit(&date, SOURCE_BYTES_MAX))));
        Metadata(date.into_iter().collect())
    }

    fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = match self.0.get("tags") {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(text)) => text.split(',').map(|tag| tag.trim().to_owned()).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        };
        tags.extend(self.text(&["severity"]));
        let mut kept: Vec<String> = Vec::new();
        for tag in tags.iter().map(|tag| fit(tag.trim(), TAG_BYTES_MAX)) {
            if !tag.is_empty() && !kept.contains(&tag) && kept.len() < TAGS_MAX {
                kept.push(tag);
            }
        }
        kept
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let Some(Value::Object(labels)) = self.0.get("labels") else { return BTreeMap::new() };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fit_labels(&labels.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }
}

/// Keeps the whole object beside the write, if it is small enough to be kept.
fn with_metadata(write: Write, object: Map<String, Value>) -> Write {
    if Value::Object(object.clone()).to_string().len() >= METADATA_BYTES_MAX / 2 {
        return write;
    }
    let mut whole = write.clone();
    whole.metadata.0.extend(object);
    Write::try_from(WriteDocument::from(&whole)).unwrap_or(write)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_names_are_understood() -> Result<(), Unreadable> {
        let write = read(
            br#"{"id": 4711, "subject": "Disk full", "message": "cleaned", "severity": "high", "tags": "db, io",
                 "resolved_at": "2026-01-02T03:04:05Z", "labels": {"n": 1}, "extra": {"a": [1]}}"#,
        )?;
        assert_eq!(write.path.incident().map(AsRef::as_ref), Some("4711"));
        assert_eq!((write.title.as_str(), write.content.as_str()), ("Disk full", "cleaned"));
        assert_eq!(write.tags, ["db", "io", "high"]);
        assert_eq!(write.labels["n"], "1");
        assert!(write.metadata.0.contains_key("extra"));
        Ok(())
    }

    #[test]
    fn only_the_time_of_writing_is_a_version() -> Result<(), Unreadable> {
        let write = read(br#"{"id": 1, "title": "t", "resolved_at": "2026-01-02T03:04:05Z"}"#)?;
        assert_eq!(write.occurred_at, None);
        assert_eq!(write.metadata.0["document_date"], "2026-01-02T03:04:05Z");
        let large = format!(r#"{{"id": 1, "title": "t", "created_at": 5, "x": "{}"}}"#, "x".repeat(40_000));
        assert_eq!(read(large.as_bytes())?.metadata.0["document_date"], "5");
        let write = read(br#"{"id": 1, "title": "t", "updated_at": "2026-01-02T03:04:05Z"}"#)?;
        assert_eq!(write.occurred_at.map(|at| at.to_string()).as_deref(), Some("2026-01-02T03:04:05Z"));
        Ok(())
    }

    #[test]
    fn what_is_not_understood_has_a_code() {
        let code = |body: &str| read(body.as_bytes()).err().map(|unreadable| unreadable.code);
        assert_eq!(code("{"), Some("NOT_JSON"));
        assert_eq!(code("[]"), Some("NOT_AN_OBJECT"));
        assert_eq!(code(r#"{"title": "t"}"#), Some("NO_INCIDENT"));
        assert_eq!(code(r#"{"id": "1"}"#), Some("NOTHING_TO_REMEMBER"));
    }

    proptest! {
        #[test]
        fn what_is_read_keeps_every_rule(id in "\\PC{1,300}", title in ".{0,600}", tags in ".{0,300}", time in ".{0,30}") {
            let body = serde_json::json!({ "id": id, "title": title, "tags": tags, "created_at": time, "text": "x" });
            if let Ok(write) = read(body.to_string().as_bytes()) {
                prop_assert!(Write::try_from(WriteDocument::from(&write)).is_ok());
            }
        }
    }
}
