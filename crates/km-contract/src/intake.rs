//! Foreign deliveries: commit, then answer. What cannot be read is kept whole and parked.

use std::sync::Arc;

use futures_util::future::join_all;
use km_model::{
    Alert, AlertNotice, AlertStatus, ContentHash, IncidentId, TenantId, Timestamp, Write, WriteDocument,
    WriteId,
};
use thiserror::Error;
use tracing::warn;

use crate::admit::redact_write;
use crate::port::{
    Letter, LetterFormat, LetterSummary, Letters, NewLetter, Parked, Reason, StoreError, StoreErrorKind,
};
use crate::{Arrival, Health, WriteError, Writer, Written, redact_payload};

/// What a foreign body says.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Writes, with their ids where the body names them.
    pub writes: Vec<(Option<WriteId>, Write)>,
    /// Alerts, firing and resolved.
    pub alerts: Vec<AlertNotice>,
    /// Alerts that the sender says it left out.
    pub left_out: u64,
}

impl Delivery {
    /// One write, under its id where the body names one.
    pub fn of_write(write_id: Option<WriteId>, write: Write) -> Self {
        Self { writes: vec![(write_id, write)], ..Self::default() }
    }
}

/// A body that its reader does not understand.
#[derive(Clone, Debug, Error)]
#[error("{template}")]
pub struct Unreadable {
    /// A stable code.
    pub code: &'static str,
    /// What is wrong, in words without data.
    pub template: &'static str,
}

/// How foreign bodies are read: pure functions, handed in by the composition root.
#[derive(Clone, Copy)]
pub struct Readers {
    /// Reads a body.
    pub read: fn(LetterFormat, &[u8]) -> Result<Delivery, Unreadable>,
    /// The incident that a new alert opens.
    pub incident: fn(&AlertNotice, Timestamp) -> IncidentId,
    /// What is worth remembering of an alert that is over.
    pub resolution: fn(&Alert) -> Write,
}

/// What became of a delivery.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// Alerts that were folded into their occurrences.
    pub alerts: Vec<Alert>,
    /// Writes that were applied, now or before.
    pub written: Vec<Written>,
    /// Dead letters that were kept instead.
    pub parked: Vec<WriteId>,
}

/// Takes deliveries from systems that cannot be asked to correct themselves.
#[derive(Clone)]
pub struct Intake {
    writer: Writer,
    letters: Arc<dyn Letters>,
    readers: Readers,
}

impl Intake {
    /// An intake in front of `writer` that parks in `letters`.
    pub fn new(writer: Writer, letters: Arc<dyn Letters>, readers: Readers) -> Self {
        Self { writer, letters, readers }
    }

    /// Keeps everything a body says, or the body itself: `Ok` means that all of it is durable.
    ///
    /// # Errors
    /// [`WriteError::Overloaded`], [`WriteError::Unavailable`] or [`WriteError::Unknown`]: the sender
    /// should deliver again, which is harmless.
    pub async fn deliver(
        &self,
        tenant: &TenantId,
        format: LetterFormat,
        body: &[u8],
    ) -> Result<Delivered, WriteError> {
        match (self.readers.read)(format, body) {
            Ok(delivery) => self.apply(tenant, delivery, Arrival::Delivery).await,
            Err(unreadable) => {
                let id = self.park_raw(tenant, format, body, &unreadable).await?;
                Ok(Delivered { parked: vec![id], ..Delivered::default() })
            }
        }
    }

    /// Keeps what km asked for by itself, as if it had been delivered.
    ///
    /// # Errors
    /// As [`Intake::deliver`]; asking again later is harmless.
    pub async fn take_in(&self, tenant: &TenantId, delivery: Delivery) -> Result<Delivered, WriteError> {
        self.apply(tenant, delivery, Arrival::Delivery).await
    }

    /// Applies the payload of a dead letter; a refusal is an answer here, not another letter.
    ///
    /// # Errors
    /// [`Unreadable`] when the payload still cannot be read; the inner error is the writer's.
    pub(crate) async fn apply_letter(
        &self,
        letter: &Letter,
    ) -> Result<Result<Delivered, WriteError>, Unreadable> {
        let LetterSummary { tenant, id, format, stored_at, .. } = &letter.summary;
        let mut delivery = (self.readers.read)(*format, &letter.payload)?;
        if *format == LetterFormat::Write {
            delivery.writes.iter_mut().for_each(|(write_id, _)| *write_id = Some(id.clone()));
        }
        let arrival = Arrival::Letter { since: *stored_at, of: ContentHash::of(&letter.payload) };
        Ok(self.apply(tenant, delivery, arrival).await)
    }

    /// Whether the store serves writes: a failure then is the write's own.
    pub(crate) fn store_is_up(&self) -> bool {
        *self.writer.health().borrow() == Health::Ready
    }

    async fn apply(
        &self,
        tenant: &TenantId,
        delivery: Delivery,
        arrival: Arrival,
    ) -> Result<Delivered, WriteError> {
        let mut delivered = Delivered::default();
        let mut writes = delivery.writes;
        if delivery.left_out > 0 {
            warn!(alerts = delivery.left_out, "a sender left alerts out; raise its max_alerts");
        }
        if !delivery.alerts.is_empty() {
            delivered.alerts =
                self.writer.observe(tenant, delivery.alerts, self.readers.incident, arrival).await?;
            let over = delivered.alerts.iter().filter(|alert| alert.status() == AlertStatus::Resolved);
            writes.extend(over.map(|alert| (None, (self.readers.resolution)(alert))));
        }
        // Joined, so that the writes of one delivery wait for the disk together.
        let kept = writes.into_iter().map(|(id, write)| self.keep(tenant, id, write, arrival));
        for kept in join_all(kept).await {
            match kept? {
                Kept::Written(written) => delivered.written.push(written),
                Kept::Parked(id) => delivered.parked.push(id),
            }
        }
        Ok(delivered)
    }

    async fn keep(
        &self,
        tenant: &TenantId,
        write_id: Option<WriteId>,
        write: Write,
        arrival: Arrival,
    ) -> Result<Kept, WriteError> {
        let answer = self.writer.write_patiently(tenant, write_id, write.clone(), arrival).await;
        match (answer, arrival) {
            (Ok(written), _) => Ok(Kept::Written(written)),
            (Err(error), Arrival::Delivery) if is_refusal(&error) => {
                Ok(Kept::Parked(self.park_write(tenant, &write, &error).await?))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn park_raw(
        &self,
        tenant: &TenantId,
        format: LetterFormat,
        body: &[u8],
        why: &Unreadable,
    ) -> Result<WriteId, WriteError> {
        let payload = redact_payload(body);
        let reason =
            Reason { class: StoreErrorKind::Refused, code: why.code.into(), template: why.template.into() };
        self.park(tenant, format, payload, reason).await
    }

    async fn park_write(
        &self,
        tenant: &TenantId,
        write: &Write,
        why: &WriteError,
    ) -> Result<WriteId, WriteError> {
        let (code, template) = match why {
            WriteError::Conflict { .. } => ("CONFLICT", "the write id was used for other content"),
            WriteError::Unstorable(_) => ("UNSTORABLE", "the store refused the write"),
            _ => ("INVALID", "the write breaks the rules of km"),
        };
        let mut redacted = write.clone();
        redact_write(&mut redacted);
        // Ids can hold secrets too: that is why some writes are refused.
        let payload = redact_payload(&WriteDocument::canonical(&redacted));
        let reason = Reason { class: StoreErrorKind::Refused, code: code.into(), template: template.into() };
        self.park(tenant, LetterFormat::Write, payload, reason).await
    }

    async fn park(
        &self,
        tenant: &TenantId,
        format: LetterFormat,
        payload: Vec<u8>,
        reason: Reason,
    ) -> Result<WriteId, WriteError> {
        let id = letter_id(format, &payload).map_err(|violation| WriteError::Refused(vec![violation]))?;
        let at = self.writer.admission().now();
        let letter = NewLetter { tenant: tenant.clone(), id: id.clone(), format, payload, reason, at };
        warn!(dead_letter.id = %id, code = %letter.reason.code, "a delivery was parked");
        let Parked { .. } = self.letters.park(&letter).await.map_err(unavailable)?;
        Ok(id)
    }
}

/// How one write of a delivery was kept.
enum Kept {
    Written(Written),
    Parked(WriteId),
}

fn is_refusal(error: &WriteError) -> bool {
    matches!(error, WriteError::Refused(_) | WriteError::Conflict { .. } | WriteError::Unstorable(_))
}

/// Equal bodies are one letter, however often they are delivered.
fn letter_id(format: LetterFormat, payload: &[u8]) -> Result<WriteId, km_model::Violation> {
    let hex = ContentHash::of(payload).to_string();
    WriteId::parse(format!("{}-{}", format.as_str(), &hex[..32]))
}

fn unavailable(error: StoreError) -> WriteError {
    let retry_after = std::time::Duration::from_secs(1);
    WriteError::Unavailable { retry_after, cause: Some(Arc::new(error)) }
}
