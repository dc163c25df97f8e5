//! The words of km as types: what a write is, what it is about, and which entry it belongs to.
//!
//! Everything here is pure. Text is validated where it enters ([`WriteDocument`] → [`Write`]), so the
//! rest of km never asks again whether an id is empty or a title too long.

mod alert;
mod document;
mod hash;
mod ids;
mod key;
pub mod limits;
mod link;
mod outcome;
mod path;
pub mod text;
mod time;
mod violation;
mod write;

pub use alert::{Alert, AlertNotice, AlertStatus, Provenance};
pub use document::{SourceDocument, WriteDocument};
pub use hash::{ContentHash, MalformedHash};
pub use ids::{
    ApprovalId, EntryId, EntryType, ExecutionId, Fingerprint, IncidentId, PlaybookSlug, TenantId, WriteId,
};
pub use key::EntryKey;
pub use link::{ApprovalStanding, ApprovalStatus, Link, LinkTarget};
pub use outcome::{Durability, LetterState, Outcome};
pub use path::{ApprovalSubject, PathKind, Verdict, WritePath};
pub use time::{MalformedTime, Timestamp};
pub use violation::{Rule, Violation};
pub use write::{Metadata, Source, Write};
