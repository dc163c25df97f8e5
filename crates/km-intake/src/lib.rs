//! Foreign texts into writes: pure readers, tolerant of what real senders and files contain.
//!
//! | reader | takes | when it does not understand |
//! |---|---|---|
//! | [`json`] | the API's own form, strictly | says which field breaks which rule |
//! | [`alertmanager`] | Alertmanager notifications, version 4 and older | the caller parks the body |
//! | [`prometheus`] | what Prometheus remembers of alerts that fired | whoever asked hears why |
//! | [`generic`] | any JSON object with the usual names | the caller parks the body |
//! | [`import`] | Markdown runbooks and post-mortems, JSON lines | names the line and the reason |

pub mod alertmanager;
pub mod generic;
pub mod import;
pub mod json;
pub mod prometheus;
mod text;

use km_model::{Timestamp, Write, WriteId};

/// A write with the id that its text names, if it names one.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The idempotency key.
    pub write_id: Option<WriteId>,
    /// When it came in first, by whoever hands it on.
    pub received_at: Option<Timestamp>,
    /// The write.
    pub write: Write,
}

/// A body that is not what its reader expects. Nothing is lost: whoever calls keeps the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// A stable code.
    pub code: &'static str,
    /// What is wrong, in words without data.
    pub reason: &'static str,
}

impl Unreadable {
    const fn new(code: &'static str, reason: &'static str) -> Self {
        Self { code, reason }
    }
}
