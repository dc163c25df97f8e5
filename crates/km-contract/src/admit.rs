//! What may enter a store. Nothing else can: a store takes only [`Admitted`], and only this file makes one.

use std::collections::BTreeMap;
use std::sync::Arc;

use km_model::limits::{
    CONTENT_BYTES_MAX, FUTURE_SECONDS_MAX, LABEL_VALUE_BYTES_MAX, METADATA_BYTES_MAX, SOURCE_BYTES_MAX,
    TAG_BYTES_MAX, TITLE_BYTES_MAX,
};
use km_model::{
    AlertNotice, ApprovalId, ApprovalStatus, ContentHash, EntryId, EntryKey, Fingerprint, IncidentId,
    Metadata, PathKind, PlaybookSlug, Rule, Source, TenantId, Timestamp, Violation, Write, WriteDocument,
    WriteId,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::redact::{holds_secret, redact_json, redact_member, redact_name, redact_within};
use crate::{Clock, Jitter};

/// The door: stamps, redacts and names writes.
#[derive(Clone)]
pub struct Admission {
    clock: Arc<dyn Clock>,
}

/// How a write comes in: whether its author can be asked to correct it, and since when it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// From a caller: a time that lies too far ahead of our clock is refused.
    Call,
    /// From a caller who hands on what came in before, such as an export: as [`Arrival::Call`], and as old as it is.
    HandedOn {
        /// When it came in first.
        since: Timestamp,
    },
    /// From a sender who cannot be asked: the time of intake counts, and the claimed one stays in the content.
    Delivery,
    /// Out of a dead letter, as [`Arrival::Delivery`]. It came in when the letter was kept: trying it again
    /// later does not make it newer.
    Letter {
        /// When the letter was kept.
        since: Timestamp,
        /// The hash of its payload: what this write may settle.
        of: ContentHash,
    },
}

impl Arrival {
    /// When a write that arrives so came in.
    pub(crate) fn since(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Call | Self::Delivery => now,
            Self::HandedOn { since } | Self::Letter { since, .. } => since.min(now),
        }
    }
}

/// A write that may enter a store: valid, without secrets, named.
#[derive(Clone, Debug)]
pub struct Admitted {
    tenant: TenantId,
    write_id: WriteId,
    entry_id: EntryId,
    key: EntryKey,
    path: PathKind,
    incident: Option<IncidentId>,
    approval: Option<ApprovalId>,
    approval_status: Option<ApprovalStatus>,
    playbook: Option<PlaybookSlug>,
    occurred_at: Timestamp,
    settles: Option<ContentHash>,
    content_hash: ContentHash,
    payload: Vec<u8>,
}

/// An alert that may enter a store: without secrets, with the incident it opens if it opens one.
#[derive(Clone, Debug)]
pub struct AdmittedAlert {
    tenant: TenantId,
    notice: AlertNotice,
    incident: IncidentId,
    seen_at: Timestamp,
}

impl Admission {
    /// A door that tells the time by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    /// The present, by the clock of this door.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Admits a write under `write_id`, or under an id derived from its key and content.
    ///
    /// Without a given time the write occurred now; that time is not part of the content, so the same
    /// write sent again has the same hash.
    ///
    /// # Errors
    /// The violated rules: a time in the future, or neither a write id nor anything to derive one from.
    pub fn admit(
        &self,
        tenant: &TenantId,
        write_id: Option<WriteId>,
        mut write: Write,
        arrival: Arrival,
    ) -> Result<Admitted, Vec<Violation>> {
        let now = self.clock.now();
        let occurred_at = settle_time(&write, now, arrival)?;
        refuse_secret_ids(&write, write_id.as_ref())?;
        redact_write(&mut write);
        let payload = WriteDocument::canonical(&write);
        let content_hash = ContentHash::of(&payload);
        let write_id = write_id.or_else(|| derived_id(&write, &content_hash)).ok_or_else(unnamed)?;
        let key = EntryKey::of(&write, &write_id);
        Ok(Admitted {
            tenant: tenant.clone(),
            entry_id: EntryId::of(tenant, &key),
            write_id,
            key,
            path: write.path.kind(),
            incident: write.path.incident().cloned(),
            approval: write.path.approval().cloned(),
            approval_status: write.path.approval_status(),
            playbook: write.playbook,
            occurred_at,
            settles: match arrival {
                Arrival::Call | Arrival::HandedOn { .. } | Arrival::Delivery => None,
                Arrival::Letter { of, .. } => Some(of),
            },
            content_hash,
            payload,
        })
    }

    /// Admits a notice of an alert; `incident` names the incident if this is the first that km hears of it.
    pub fn admit_alert(
        &self,
        tenant: &TenantId,
        mut notice: AlertNotice,
        incident: IncidentId,
        arrival: Arrival,
    ) -> AdmittedAlert {
        redact_values(&mut notice.labels);
        redact_values(&mut notice.annotations);
        notice.generator_url = notice.generator_url.map(|url| redact_within(url, SOURCE_BYTES_MAX));
        notice.fingerprint = redacted_id(notice.fingerprint, Fingerprint::parse);
        let incident = redacted_id(incident, IncidentId::parse);
        AdmittedAlert { tenant: tenant.clone(), notice, incident, seen_at: arrival.since(self.clock.now()) }
    }
}

/// When the write counts as having occurred. Its content keeps the time that it claims: a clamped write that is sent
/// again, when its time has come, is the same write.
fn settle_time(write: &Write, now: Timestamp, arrival: Arrival) -> Result<Timestamp, Vec<Violation>> {
    let Some(claimed) = write.occurred_at else { return Ok(arrival.since(now)) };
    let seconds = claimed.seconds_since(now);
    if seconds <= FUTURE_SECONDS_MAX {
        return Ok(claimed);
    }
    match arrival {
        Arrival::Call | Arrival::HandedOn { .. } => {
            let rule = Rule::InTheFuture { seconds, max: FUTURE_SECONDS_MAX };
            Err(vec![Violation::new("occurred_at", rule)])
        }
        Arrival::Delivery | Arrival::Letter { .. } => Ok(arrival.since(now)),
    }
}

/// The id of an alert, which nobody can be asked to correct: one that holds a secret becomes its placeholder.
fn redacted_id<T: AsRef<str>>(id: T, parse: impl Fn(String) -> Result<T, Violation>) -> T {
    if !holds_secret(id.as_ref()) {
        return id;
    }
    parse(redact_name(id.as_ref().to_owned())).unwrap_or(id)
}

/// An id is identity: it is kept and shown as it is, so one that holds a secret cannot be taken.
fn refuse_secret_ids(write: &Write, write_id: Option<&WriteId>) -> Result<(), Vec<Violation>> {
    let ids = [
        ("write_id", write_id.map(AsRef::as_ref)),
        ("incident_id", write.path.incident().map(AsRef::as_ref)),
        ("approval_id", write.path.approval().map(AsRef::as_ref)),
        ("execution_id", write.execution.as_ref().map(AsRef::as_ref)),
        ("playbook", write.playbook.as_ref().map(AsRef::as_ref)),
        ("entry_type", write.entry_type.as_ref().map(AsRef::as_ref)),
    ];
    let secret = ids.into_iter().filter(|(_, id)| id.is_some_and(holds_secret));
    let violations: Vec<_> = secret.map(|(field, _)| Violation::new(field, Rule::HoldsSecret)).collect();
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Takes the secrets out of everything but the ids. What a placeholder made too long is cut, so that the write keeps
/// the rules by which it came in.
pub(crate) fn redact_write(write: &mut Write) {
    within(&mut write.title, TITLE_BYTES_MAX);
    within(&mut write.content, CONTENT_BYTES_MAX);
    for tag in std::mem::take(&mut write.tags) {
        let tag = redact_within(tag, TAG_BYTES_MAX);
        if !write.tags.contains(&tag) {
            write.tags.push(tag);
        }
    }
    redact_values(&mut write.labels);
    let Source { service, actor, url } = &mut write.source;
    for part in [service, actor, url].into_iter().flatten() {
        within(part, SOURCE_BYTES_MAX);
    }
    redact_json(&mut write.metadata.0);
    fit_metadata(&mut write.metadata);
}

fn within(text: &mut String, max: usize) {
    *text = redact_within(std::mem::take(text), max);
}

fn redact_values(map: &mut BTreeMap<String, String>) {
    *map = std::mem::take(map)
        .into_iter()
        .map(|(name, value)| {
            let value = redact_member(&name, value, LABEL_VALUE_BYTES_MAX);
            (redact_name(name), value)
        })
        .collect();
}

/// Metadata that placeholders made too large loses the members that do not fit any more, and says so.
fn fit_metadata(metadata: &mut Metadata) {
    const NOTE: (&str, &str) = ("km.cut", "members whose secrets were taken out did not fit");
    if metadata.bytes() <= METADATA_BYTES_MAX {
        return;
    }
    let size = |name: &str, value: &Value| {
        Metadata([(name.to_owned(), value.clone())].into_iter().collect()).bytes()
    };
    let note = Value::from(NOTE.1);
    let mut left = METADATA_BYTES_MAX - size(NOTE.0, &note);
    metadata.0.retain(|name, value| {
        // Alone it has braces around it; among others it has a comma.
        let fits = left.checked_sub(size(name, value) - 1);
        left = fits.unwrap_or(left);
        fits.is_some()
    });
    metadata.0.insert(NOTE.0.to_owned(), note);
}

fn derived_id(write: &Write, content: &ContentHash) -> Option<WriteId> {
    let key = EntryKey::natural(write)?;
    let mut digest = Sha256::new_with_prefix(b"km.write-id.v1\0");
    digest.update(key.to_string());
    digest.update(b"\0");
    digest.update(content.as_bytes());
    let hex = ContentHash::from_bytes(digest.finalize().into()).to_string();
    WriteId::parse(format!("km-{}", &hex[..40])).ok()
}

fn unnamed() -> Vec<Violation> {
    let because = "nothing in the write names it, so it needs an Idempotency-Key";
    vec![Violation::new("write_id", Rule::Missing { because })]
}

impl Admitted {
    /// Whose it is.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The idempotency key, given or derived.
    pub const fn write_id(&self) -> &WriteId {
        &self.write_id
    }

    /// The entry it belongs to.
    pub const fn entry_id(&self) -> EntryId {
        self.entry_id
    }

    /// The key of that entry.
    pub const fn key(&self) -> &EntryKey {
        &self.key
    }

    /// The path it came on.
    pub const fn path(&self) -> PathKind {
        self.path
    }

    /// The incident it knows.
    pub const fn incident(&self) -> Option<&IncidentId> {
        self.incident.as_ref()
    }

    /// The approval it knows.
    pub const fn approval(&self) -> Option<&ApprovalId> {
        self.approval.as_ref()
    }

    /// Where that approval stands, if this write says so.
    pub const fn approval_status(&self) -> Option<ApprovalStatus> {
        self.approval_status
    }

    /// The playbook it knows.
    pub const fn playbook(&self) -> Option<&PlaybookSlug> {
        self.playbook.as_ref()
    }

    /// When it was so.
    pub const fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// The hash of the dead letter that this write may settle, whatever its own content.
    pub const fn settles(&self) -> Option<&ContentHash> {
        self.settles.as_ref()
    }

    /// SHA-256 of the payload.
    pub const fn content_hash(&self) -> &ContentHash {
        &self.content_hash
    }

    /// The canonical document.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What it costs while it waits, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.payload.len() + 512
    }
}

impl AdmittedAlert {
    /// Whose it is.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// What the sender said.
    pub const fn notice(&self) -> &AlertNotice {
        &self.notice
    }

    /// The incident it opens if km has not heard of it yet.
    pub const fn incident(&self) -> &IncidentId {
        &self.incident
    }

    /// When it came in.
    pub const fn seen_at(&self) -> Timestamp {
        self.seen_at
    }

    /// When it began: as the sender says, or when km heard of it, whichever is earlier.
    pub fn starts_at(&self) -> Timestamp {
        self.notice.starts_at.map_or(self.seen_at, |starts_at| starts_at.min(self.seen_at))
    }
}

/// An id that nothing else has, for letters and jobs that have no name of their own.
pub(crate) fn fresh_id(prefix: &str, now: Timestamp, jitter: &Jitter) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32 random bits")]
    let random = (jitter.fraction() * f64::from(u32::MAX)) as u32;
    format!("{prefix}-{:x}-{random:08x}", now.as_micros())
}

#[cfg(test)]
mod tests;
