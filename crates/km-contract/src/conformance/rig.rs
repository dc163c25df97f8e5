//! A writer in front of a store, a clock that hands can turn, and writes to make.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use km_model::{
    Alert, AlertNotice, ApprovalId, ApprovalStatus, ApprovalSubject, IncidentId, Metadata, PlaybookSlug,
    Source, TenantId, Timestamp, Verdict, Write, WriteDocument, WriteId, WritePath,
};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use crate::port::{Ledger, LetterFormat, Store};
use crate::telemetry::Telemetry;
use crate::{
    Admission, Clock, Delivery, Intake, Jitter, LetterLimits, LetterOffice, QueueLimits, Readers, Unreadable,
    WritePolicy, Writer,
};

/// A clock that stands still until it is turned.
pub struct Hands(AtomicI64);

impl Hands {
    pub fn at_seconds(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds * 1_000_000)))
    }

    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Everything between a caller and a store.
pub struct Rig {
    pub store: Store,
    pub clock: Arc<Hands>,
    pub writer: Writer,
    pub office: LetterOffice,
    pub intake: Intake,
    pub telemetry: Telemetry,
    pub committer: JoinHandle<()>,
}

impl Rig {
    pub fn new(store: Store, clock: Arc<Hands>) -> Self {
        Self::with(store, clock, WritePolicy::NORMAL, QueueLimits::default())
    }

    pub fn with(store: Store, clock: Arc<Hands>, policy: WritePolicy, limits: QueueLimits) -> Self {
        let telemetry = Telemetry::register(&mut Registry::default());
        let jitter = Arc::new(Jitter::from_seed(11));
        let admission = Admission::new(clock.clone());
        let (writer, committer) =
            Writer::new(&store, admission, policy, limits, jitter.clone(), telemetry.clone());
        let intake = Intake::new(writer.clone(), store.letters.clone(), test_readers());
        let office = LetterOffice::new(
            store.letters.clone(),
            intake.clone(),
            clock.clone(),
            jitter,
            telemetry.clone(),
            LetterLimits { count_max: 1_000, bytes_max: 1 << 20 },
        );
        let committer = tokio::spawn(committer.run());
        Self { store, clock, writer, office, intake, telemetry, committer }
    }

    /// The same store behind another ledger.
    pub fn behind(ledger: Arc<dyn Ledger>, store: Store, clock: Arc<Hands>, policy: WritePolicy) -> Self {
        Self::with(Store { ledger, ..store }, clock, policy, QueueLimits::default())
    }

    pub async fn write(&self, id: &str, write: Write) -> Result<crate::Written, crate::WriteError> {
        self.writer.write(&tenant(), Some(write_id(id)), write, crate::Arrival::Call).await
    }
}

/// Readers of the suite's own: a letter is a write document, or it is not to be read.
pub fn test_readers() -> Readers {
    Readers { read: read_write, incident: name_incident, resolution: resolve_alert }
}

fn read_write(_: LetterFormat, body: &[u8]) -> Result<Delivery, Unreadable> {
    let unreadable = |_| Unreadable { code: "UNREADABLE", template: "the body is not a write" };
    let document: WriteDocument = serde_json::from_slice(body).map_err(unreadable)?;
    let invalid = |_| Unreadable { code: "INVALID", template: "the write breaks the rules of km" };
    let write = Write::try_from(document).map_err(invalid)?;
    Ok(Delivery::of_write(None, write))
}

fn name_incident(notice: &AlertNotice, now: Timestamp) -> IncidentId {
    let starts_at = notice.starts_at.or(notice.ends_at).unwrap_or(now).as_micros() / 1_000_000;
    IncidentId::parse(format!("AM-{}-{starts_at}", notice.fingerprint)).unwrap()
}

fn resolve_alert(alert: &Alert) -> Write {
    Write { occurred_at: alert.ends_at, ..resolve(alert.incident.as_str(), "alert resolved", None) }
}

pub fn tenant() -> TenantId {
    TenantId::default_tenant()
}

pub fn write_id(id: &str) -> WriteId {
    WriteId::parse(id).unwrap()
}

fn at(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.map(|seconds| Timestamp::from_micros(seconds * 1_000_000))
}

fn write(path: WritePath, content: &str, seconds: Option<i64>) -> Write {
    Write {
        path,
        playbook: None,
        execution: None,
        title: String::new(),
        content: content.to_owned(),
        entry_type: None,
        tags: Vec::new(),
        labels: BTreeMap::new(),
        source: Source::default(),
        occurred_at: at(seconds),
        metadata: Metadata::default(),
    }
}

/// Path A.
pub fn resolve(incident: &str, content: &str, seconds: Option<i64>) -> Write {
    let incident = IncidentId::parse(incident).unwrap();
    write(WritePath::IncidentResolve { incident, approval: None }, content, seconds)
}

/// Path B.
pub fn approval(
    approval: &str,
    incident: &str,
    verdict: Verdict,
    status: ApprovalStatus,
    seconds: Option<i64>,
) -> Write {
    let about = ApprovalSubject::Approval {
        approval: ApprovalId::parse(approval).unwrap(),
        incident: Some(IncidentId::parse(incident).unwrap()),
    };
    write(WritePath::Approval { verdict, about, status }, &format!("{approval} for {incident}"), seconds)
}

/// Path C.
pub fn playbook(slug: &str, incident: Option<&str>, content: &str, seconds: Option<i64>) -> Write {
    let incident = incident.map(|incident| IncidentId::parse(incident).unwrap());
    let write = write(WritePath::PlaybookExtract { incident, approval: None }, content, seconds);
    Write { playbook: Some(PlaybookSlug::parse(slug).unwrap()), ..write }
}
