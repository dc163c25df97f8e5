//! The one way to a store: a write is admitted, committed with others, and acknowledged only when it
//! is durable.
//!
//! The path of a write reads top-down: [`Writer::write`] admits it ([`Admission`]), the group committer
//! applies it through the [`Ledger`](port::Ledger) port, and a [`Receipt`] comes back. What could not be
//! read or applied becomes a dead letter; [`reconcile`] holds the jobs that mend the rest.

mod admit;
mod breaker;
mod clock;
mod committer;
#[cfg(feature = "conformance")]
pub mod conformance;
mod health;
mod intake;
mod letters;
pub mod occurrence;
mod policy;
pub mod port;
mod receipt;
pub mod reconcile;
mod redact;
pub mod telemetry;
pub mod verify;
mod writer;

pub use admit::{Admission, Admitted, AdmittedAlert, Arrival};
pub use clock::{Clock, Jitter};
pub use committer::Committer;
pub use health::{Health, HealthBoard};
pub use intake::{Delivered, Delivery, Intake, Readers, Unreadable};
pub use letters::{LetterError, LetterLimits, LetterOffice};
pub use policy::{PolicyName, QueueLimits, WritePolicy};
pub use receipt::{Receipt, Written};
pub use redact::{redact, redact_payload};
pub use writer::{WriteError, Writer};
