//! The JSON form of a write, version 1: what callers send, what stores keep, what a hash is taken of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{
    CONTENT_BYTES_MAX, LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, METADATA_BYTES_MAX,
    NESTING_MAX, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX,
};
use crate::{
    ApprovalId, ApprovalStatus, ApprovalSubject, EntryType, ExecutionId, IncidentId, Metadata, PathKind,
    PlaybookSlug, Rule, Source, Timestamp, Verdict, Violation, Write, WritePath,
};

/// A write as JSON. Fields stand in alphabetical order and absent ones are left out, so a [`Write`]
/// has exactly one canonical text: [`WriteDocument::canonical`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteDocument {
    /// What was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<String>,
    /// Where the approval stands (`approved`, `rejected`, `revoked`); only on approval paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_status: Option<String>,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What kind of knowledge it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_type: Option<String>,
    /// The run of an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<String>,
    /// Names and values to filter by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Observations, kept and not searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// One of the five paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The playbook's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
    /// In a request: when it came in first, where it does not say when it was so. Never part of the canonical form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceDocument>,
    /// Words to filter by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// One line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// In a request: the idempotency key. Never part of the canonical form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_id: Option<String>,
}

/// Who says so, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceDocument {
    /// The person or agent on whose behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The service that wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where the original can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl WriteDocument {
    /// The one text of this write, as bytes. Reading it and taking the canonical form again changes nothing.
    #[expect(clippy::expect_used, reason = "text, maps with text keys and JSON values always serialise")]
    pub fn canonical(write: &Write) -> Vec<u8> {
        serde_json::to_vec(&Self::from(write)).expect("a write document serialises")
    }
}

impl From<&Write> for WriteDocument {
    fn from(write: &Write) -> Self {
        Self {
            approval_id: write.path.approval().map(ToString::to_string),
            approval_status: write.path.approval_status().map(|status| status.as_str().to_owned()),
            content: text(&write.content),
            entry_type: write.entry_type.as_ref().map(ToString::to_string),
            execution_id: write.execution.as_ref().map(ToString::to_string),
            incident_id: write.path.incident().map(ToString::to_string),
            labels: Some(&write.labels).filter(|labels| !labels.is_empty()).cloned(),
            metadata: Some(&write.metadata.0).filter(|map| !map.is_empty()).cloned(),
            occurred_at: write.occurred_at.map(|at| at.to_string()),
            path: Some(write.path.kind().as_str().to_owned()),
            playbook: write.playbook.as_ref().map(ToString::to_string),
            received_at: None,
            source: source_document(&write.source),
            tags: Some(&write.tags).filter(|tags| !tags.is_empty()).cloned(),
            title: text(&write.title),
            write_id: None,
        }
    }
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn source_document(source: &Source) -> Option<SourceDocument> {
    (*source != Source::default()).then(|| SourceDocument {
        actor: source.actor.clone(),
        service: source.service.clone(),
        url: source.url.clone(),
    })
}

impl TryFrom<WriteDocument> for Write {
    type Error = Vec<Violation>;

    /// Checks every rule of every field, and reports all that are broken.
    fn try_from(document: WriteDocument) -> Result<Self, Self::Error> {
        let mut checks = Checks(Vec::new());
        let playbook = checks.optional(document.playbook, PlaybookSlug::parse);
        let path = PathFields {
            path: document.path,
            incident: checks.optional(document.incident_id, IncidentId::parse),
            approval: checks.optional(document.approval_id, ApprovalId::parse),
            status: document.approval_status,
        };
        let path = path.check(&mut checks);
        let title = checks.text("title", document.title, TITLE_BYTES_MAX);
        let content = checks.text("content", document.content, CONTENT_BYTES_MAX);
        if title.trim().is_empty() && content.trim().is_empty() {
            checks.broken("content", Rule::NothingToRemember);
        }
        let execution = checks.optional(document.execution_id, ExecutionId::parse);
        let entry_type = checks.optional(document.entry_type, EntryType::parse);
        let tags = checks.tags(document.tags.unwrap_or_default());
        let labels = checks.labels("labels", document.labels.unwrap_or_default());
        let source = checks.source(document.source.unwrap_or_default());
        let occurred_at = checks.time("occurred_at", document.occurred_at);
        let metadata = checks.metadata(document.metadata.unwrap_or_default());
        match path {
            Some(path) if checks.0.is_empty() => Ok(Self {
                path,
                playbook,
                execution,
                title,
                content,
                entry_type,
                tags,
                labels,
                source,
                occurred_at,
                metadata,
            }),
            Some(_) | None => Err(checks.0),
        }
    }
}

struct PathFields {
    path: Option<String>,
    incident: Option<IncidentId>,
    approval: Option<ApprovalId>,
    status: Option<String>,
}

impl PathFields {
    fn check(self, checks: &mut Checks) -> Option<WritePath> {
        let kind = self.kind(checks)?;
        let status = self.status(kind, checks);
        let Self { incident, approval, .. } = self;
        match kind {
            PathKind::IncidentResolve => {
                let incident =
                    checks.required("incident_id", incident, "incident_resolve must bring an incident")?;
                Some(WritePath::IncidentResolve { incident, approval })
            }
            PathKind::ApprovalManual => approval_path(Verdict::Manual, incident, approval, status, checks),
            PathKind::ApprovalAutoOk => approval_path(Verdict::AutoOk, incident, approval, status, checks),
            PathKind::ApprovalAutoFail => {
                approval_path(Verdict::AutoFail, incident, approval, status, checks)
            }
            PathKind::PlaybookExtract => Some(WritePath::PlaybookExtract { incident, approval }),
        }
    }

    fn kind(&self, checks: &mut Checks) -> Option<PathKind> {
        let Some(name) = &self.path else {
            checks.broken("path", Rule::Missing { because: "it says where the write comes from" });
            return None;
        };
        let kind = PathKind::from_name(name);
        if kind.is_none() {
            checks.broken("path", Rule::NotOneOf { allowed: PathKind::NAMES });
        }
        kind
    }

    fn status(&self, kind: PathKind, checks: &mut Checks) -> ApprovalStatus {
        let Some(name) = &self.status else {
            return ApprovalStatus::Approved;
        };
        if matches!(kind, PathKind::IncidentResolve | PathKind::PlaybookExtract) {
            checks.broken("approval_status", Rule::NotOnThisPath { allowed: "an approval path" });
        }
        ApprovalStatus::from_name(name).unwrap_or_else(|| {
            checks.broken("approval_status", Rule::NotOneOf { allowed: ApprovalStatus::NAMES });
            ApprovalStatus::Approved
        })
    }
}

fn approval_path(
    verdict: Verdict,
    incident: Option<IncidentId>,
    approval: Option<ApprovalId>,
    status: ApprovalStatus,
    checks: &mut Checks,
) -> Option<WritePath> {
    let about = match (approval, incident) {
        (Some(approval), incident) => ApprovalSubject::Approval { approval, incident },
        (None, Some(incident)) => ApprovalSubject::Incident(incident),
        (None, None) => {
            let because = "an approval path must bring an approval or an incident";
            checks.broken("approval_id", Rule::Missing { because });
            return None;
        }
    };
    Some(WritePath::Approval { verdict, about, status })
}

/// The violations found so far.
struct Checks(Vec<Violation>);

impl Checks {
    fn broken(&mut self, field: impl Into<Cow<'static, str>>, rule: Rule) {
        self.0.push(Violation::new(field, rule));
    }

    fn optional<T>(
        &mut self,
        text: Option<String>,
        parse: impl Fn(String) -> Result<T, Violation>,
    ) -> Option<T> {
        match text.map(parse)? {
            Ok(id) => Some(id),
            Err(violation) => {
                self.0.push(violation);
                None
            }
        }
    }

    fn required<T>(&mut self, field: &'static str, value: Option<T>, because: &'static str) -> Option<T> {
        let already_reported = self.0.iter().any(|violation| violation.field == field);
        if value.is_none() && !already_reported {
            self.broken(field, Rule::Missing { because });
        }
        value
    }

    fn text(&mut self, field: impl Into<Cow<'static, str>>, text: Option<String>, max: usize) -> String {
        let text = text.unwrap_or_default();
        if text.len() > max {
            self.broken(field, Rule::TooLong { bytes: text.len(), max });
        } else if text.contains('\0') {
            self.broken(field, Rule::ControlCharacter { code_point: 0 });
        }
        text
    }

    fn tags(&mut self, tags: Vec<String>) -> Vec<String> {
        if tags.len() > TAGS_MAX {
            self.broken("tags", Rule::TooMany { count: tags.len(), max: TAGS_MAX });
            return Vec::new();
        }
        let mut kept: Vec<String> = Vec::with_capacity(tags.len());
        for (index, tag) in tags.into_iter().enumerate() {
            if tag.trim().is_empty() {
                self.broken(format!("tags[{index}]"), Rule::Missing { because: "a tag is not empty" });
            }
            let tag = self.text(format!("tags[{index}]"), Some(tag), TAG_BYTES_MAX);
            if !kept.contains(&tag) {
                kept.push(tag);
            }
        }
        kept
    }

    fn labels(&mut self, field: &'static str, labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
        if labels.len() > LABELS_MAX {
            self.broken(field, Rule::TooMany { count: labels.len(), max: LABELS_MAX });
            return BTreeMap::new();
        }
        for (name, value) in &labels {
            if name.is_empty() {
                self.broken(field, Rule::Missing { because: "a label has a name" });
            }
            let shown: String = name.chars().take(64).collect();
            self.bounds(format!("{field}.{shown}"), name, LABEL_NAME_BYTES_MAX);
            self.bounds(format!("{field}.{shown}"), value, LABEL_VALUE_BYTES_MAX);
        }
        labels
    }

    fn bounds(&mut self, field: String, text: &str, max: usize) {
        if text.len() > max {
            self.broken(field, Rule::TooLong { bytes: text.len(), max });
        } else if text.contains('\0') {
            self.broken(field, Rule::ControlCharacter { code_point: 0 });
        }
    }

    fn source(&mut self, source: SourceDocument) -> Source {
        let mut part = |field, text: Option<String>| {
            let text = self.text(field, text, SOURCE_BYTES_MAX);
            (!text.is_empty()).then_some(text)
        };
        Source {
            service: part("source.service", source.service),
            actor: part("source.actor", source.actor),
            url: part("source.url", source.url),
        }
    }

    fn time(&mut self, field: &'static str, text: Option<String>) -> Option<Timestamp> {
        let parsed = Timestamp::parse(&text?);
        if parsed.is_err() {
            self.broken(field, Rule::Malformed { expected: "an RFC 3339 time such as 2026-11-23T10:00:00Z" });
        }
        parsed.ok()
    }

    fn metadata(&mut self, metadata: Map<String, Value>) -> Metadata {
        if metadata.is_empty() {
            return Metadata(metadata);
        }
        let shape = Shape::of(&metadata);
        if shape.bytes > METADATA_BYTES_MAX {
            self.broken("metadata", Rule::TooLong { bytes: shape.bytes, max: METADATA_BYTES_MAX });
        }
        if shape.depth > NESTING_MAX {
            self.broken("metadata", Rule::TooDeep { max: NESTING_MAX });
        }
        if shape.nul {
            self.broken("metadata", Rule::ControlCharacter { code_point: 0 });
        }
        Metadata(metadata)
    }
}

impl Metadata {
    /// What it counts against [`METADATA_BYTES_MAX`].
    pub fn bytes(&self) -> usize {
        Shape::of(&self.0).bytes
    }
}

/// How large and how deep a JSON object is.
#[derive(Default)]
struct Shape {
    bytes: usize,
    depth: usize,
    nul: bool,
}

impl Shape {
    fn of(map: &Map<String, Value>) -> Self {
        let mut shape = Self::default();
        shape.object(map, 1);
        let mut length = Length(0);
        // Counting cannot fail, and what could not be written would have no bytes to be kept.
        shape.bytes = serde_json::to_writer(&mut length, map).map_or(usize::MAX, |()| length.0);
        shape
    }

    fn object(&mut self, map: &Map<String, Value>, depth: usize) {
        self.depth = self.depth.max(depth);
        for (name, value) in map {
            self.nul |= name.contains('\0');
            self.value(value, depth);
        }
    }

    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.nul |= text.contains('\0'),
            Value::Object(map) => self.object(map, depth + 1),
            Value::Array(items) => {
                self.depth = self.depth.max(depth + 1);
                items.iter().for_each(|item| self.value(item, depth + 1));
            }
        }
    }
}

/// Counts what is written to it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
