//! Bodies of knowledge: entries, revisions, hits, chains.

use std::collections::BTreeMap;

use km_contract::port;
use km_model::{Alert as KmAlert, Provenance, SourceDocument, WriteDocument};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Source;

/// What is known under one key: its newest revision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    pub(crate) entry_id: String,
    #[serde(flatten)]
    said: Said,
    /// The write that said it.
    write_id: String,
    /// The number of this revision, by the order of application.
    revision: u64,
    /// How many there are.
    revisions: u64,
    occurred_at: String,
    stored_at: String,
    content_hash: String,
}

/// What one write says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Said {
    path: Option<String>,
    incident_id: Option<String>,
    approval_id: Option<String>,
    approval_status: Option<String>,
    execution_id: Option<String>,
    playbook: Option<String>,
    title: Option<String>,
    content: Option<String>,
    entry_type: Option<String>,
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
    source: Source,
    metadata: Map<String, Value>,
}

/// A page of entries, the one that was written last first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entries {
    pub(crate) entries: Vec<Entry>,
    /// Pass it as `cursor` to go on; absent at the end. A page may hold fewer than were asked for, and not be the end.
    pub(crate) next_cursor: Option<String>,
}

/// One applied write in the history of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revision {
    revision: u64,
    write_id: String,
    /// `created`, `revised` or `superseded`, as it was when the write was applied.
    outcome: &'static str,
    occurred_at: String,
    stored_at: String,
    content_hash: String,
    #[serde(flatten)]
    said: Said,
    /// The fields that differ from the revision that was applied before; absent for the first one.
    changed: Option<Vec<&'static str>>,
}

/// A page of revisions, the one that was applied last first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revisions {
    pub(crate) revisions: Vec<Revision>,
    /// Pass it as `before` to go on; absent at the end.
    pub(crate) next_cursor: Option<u64>,
}

/// A page of hits, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hits {
    pub(crate) hits: Vec<Hit>,
    /// Pass it as `cursor` to go on; absent at the end. A page may hold fewer than were asked for, and not be the end.
    pub(crate) next_cursor: Option<String>,
    pub(crate) searched: Searched,
}

/// How much was looked at: "nothing known" and "not looked" are told apart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Searched {
    /// The index covers the ledger up to this position.
    indexed_through: i64,
    /// Newer entries that were read one by one.
    tail: usize,
    /// `false` when there were too many newer entries to read, and some were left out.
    complete: bool,
}

/// One entry that matches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hit {
    entry: Entry,
    /// BM25; comparable within one search only.
    score: f64,
    highlights: Vec<Highlight>,
    /// Which words matched where.
    why: Vec<String>,
}

/// A piece of an entry's text with what matched in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Highlight {
    /// `title` or `content`.
    field: &'static str,
    text: String,
    /// Where the matches lie in `text`, in bytes of UTF-8: start and end.
    ranges: Vec<(usize, usize)>,
}

/// Everything that is tied to one incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Chain {
    pub(crate) incident_id: String,
    /// `firing` while one of its alerts fires, `resolved` when it is known to be over, else `open`.
    pub(crate) status: &'static str,
    /// The earliest approval that holds.
    pub(crate) related_approval_id: Option<String>,
    /// The earliest first.
    pub(crate) approvals: Vec<ChainApproval>,
    pub(crate) playbooks: Vec<ChainPlaybook>,
    /// By time.
    pub(crate) entries: Vec<Entry>,
    pub(crate) alerts: Vec<Alert>,
    /// What is known of other incidents like this one, best first.
    pub(crate) similar: Vec<Hit>,
}

/// An approval of a chain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChainApproval {
    pub(crate) approval_id: String,
    /// `approved`, `rejected` or `revoked` by the newest word on it; absent until there is one.
    pub(crate) status: Option<&'static str>,
    /// The earliest time at which the tie was stated to hold.
    pub(crate) since: String,
}

/// A playbook of a chain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChainPlaybook {
    pub(crate) playbook: String,
    pub(crate) since: String,
}

/// One occurrence of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alert {
    fingerprint: String,
    /// `firing` or `resolved`.
    status: &'static str,
    starts_at: String,
    ends_at: Option<String>,
    /// Where the end is not known exactly: it was over by then, and went on at `ends_at`.
    ends_by: Option<String>,
    /// How km heard of it: `delivered` by a webhook, or `reconciled`, when km asked.
    provenance: &'static str,
    /// How km came by its end: `delivered`, `reconciled`, or `observed`, when its source does not know of it any more.
    end_provenance: Option<&'static str>,
    seen_at: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    generator_url: Option<String>,
}

/// The incidents of an approval: the chain, read from its other end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalIncidents {
    pub(crate) approval_id: String,
    pub(crate) incidents: Vec<String>,
}

impl From<WriteDocument> for Said {
    fn from(write: WriteDocument) -> Self {
        let SourceDocument { actor, service, url } = write.source.unwrap_or_default();
        Self {
            path: write.path,
            incident_id: write.incident_id,
            approval_id: write.approval_id,
            approval_status: write.approval_status,
            execution_id: write.execution_id,
            playbook: write.playbook,
            title: write.title,
            content: write.content,
            entry_type: write.entry_type,
            tags: write.tags.unwrap_or_default(),
            labels: write.labels.unwrap_or_default(),
            source: Source { actor, service, url },
            metadata: write.metadata.unwrap_or_default(),
        }
    }
}

impl From<port::Entry> for Entry {
    fn from(entry: port::Entry) -> Self {
        let head = entry.head;
        Self {
            entry_id: entry.entry_id.to_string(),
            said: Said::from(head.write),
            write_id: head.write_id.to_string(),
            revision: head.revision,
            revisions: entry.revisions,
            occurred_at: head.occurred_at.to_string(),
            stored_at: head.stored_at.to_string(),
            content_hash: head.content_hash.to_string(),
        }
    }
}

impl Revision {
    /// A revision beside the one that was applied before it.
    pub(crate) fn of(revision: port::Revision, before: Option<&WriteDocument>) -> Self {
        Self {
            revision: revision.revision,
            write_id: revision.write_id.to_string(),
            outcome: revision.outcome.as_str(),
            occurred_at: revision.occurred_at.to_string(),
            stored_at: revision.stored_at.to_string(),
            content_hash: revision.content_hash.to_string(),
            changed: before.map(|before| changed(before, &revision.write)),
            said: Said::from(revision.write),
        }
    }
}

/// The fields in which two writes differ. The path, the ids of the key and the time say which write it is.
fn changed(before: &WriteDocument, after: &WriteDocument) -> Vec<&'static str> {
    [
        ("approval_status", before.approval_status != after.approval_status),
        ("execution_id", before.execution_id != after.execution_id),
        ("title", before.title != after.title),
        ("content", before.content != after.content),
        ("entry_type", before.entry_type != after.entry_type),
        ("tags", before.tags != after.tags),
        ("labels", before.labels != after.labels),
        ("source", before.source != after.source),
        ("metadata", before.metadata != after.metadata),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

impl From<port::SearchPage> for Hits {
    fn from(page: port::SearchPage) -> Self {
        let port::Searched { indexed_through, tail, complete } = page.searched;
        Self {
            hits: page.hits.into_iter().map(Hit::from).collect(),
            next_cursor: page.next,
            searched: Searched { indexed_through, tail, complete },
        }
    }
}

impl From<port::Hit> for Hit {
    fn from(hit: port::Hit) -> Self {
        let highlight =
            |piece: port::Highlight| Highlight { field: piece.field, text: piece.text, ranges: piece.ranges };
        Self {
            entry: Entry::from(hit.entry),
            score: hit.score,
            highlights: hit.highlights.into_iter().map(highlight).collect(),
            why: hit.why,
        }
    }
}

impl From<KmAlert> for Alert {
    fn from(alert: KmAlert) -> Self {
        Self {
            status: alert.status().as_str(),
            fingerprint: alert.fingerprint.to_string(),
            starts_at: alert.starts_at.to_string(),
            ends_at: alert.ends_at.map(|at| at.to_string()),
            ends_by: alert.ends_by.map(|at| at.to_string()),
            provenance: alert.provenance.as_str(),
            end_provenance: alert.end_provenance.map(Provenance::as_str),
            seen_at: alert.seen_at.to_string(),
            labels: alert.labels,
            annotations: alert.annotations,
            generator_url: alert.generator_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use km_model::{Metadata, WritePath};

    use super::*;

    #[test]
    fn a_revision_names_what_it_changed() {
        let write = km_model::Write {
            path: WritePath::PlaybookExtract { incident: None, approval: None },
            playbook: None,
            execution: None,
            title: "before".to_owned(),
            content: "same".to_owned(),
            entry_type: None,
            tags: Vec::new(),
            labels: BTreeMap::new(),
            source: km_model::Source::default(),
            occurred_at: None,
            metadata: Metadata::default(),
        };
        let before = WriteDocument::from(&write);
        let after = WriteDocument {
            title: Some("after".to_owned()),
            tags: Some(vec!["a".to_owned()]),
            ..before.clone()
        };
        assert_eq!(changed(&before, &after), ["title", "tags"]);
        assert!(changed(&before, &before).is_empty());
    }
}
