//! Whether objectives are kept: it reads them from files, asks Prometheus, judges, remembers, and raises the alarm
//! when it cannot do its work.
//!
//! [`load()`] makes [`Objective`]s of files. [`Prometheus::check`] asks for them and [`evaluate()`], which is pure, judges;
//! the outcome is a [`Report`]. [`Watch`] does so again and again. The room knows nothing of writes, and nothing of
//! HTTP servers.

mod address;
mod alarm;
mod alertmanager;
mod answer;
mod evaluate;
mod history;
mod lint;
mod load;
mod objective;
mod prometheus;
mod promql;
mod report;
mod rules;
mod telemetry;
mod watch;

pub use address::{Address, ClientError, Credentials, MalformedAddress};
pub use alertmanager::{Alert, Alertmanagers};
pub use evaluate::{
    Asked, ErrorReason, Figures, Measured, NoDataReason, Reading, State, Trouble, Verdict, evaluate,
};
pub use history::History;
pub use lint::{Finding, UNREADABLE, lint};
pub use load::{Defaults, LoadError, LoadErrors, OBJECTIVES_MAX, load};
pub use objective::{Alerting, Channel, Indicator, Objective, Place, Query, Share, Window};
pub use prometheus::Prometheus;
pub use report::{DATA_GAP, Line, Meta, Report, SELF_FAILURE, Status, VIOLATED};
pub use rules::{Wrapping, rules};
pub use telemetry::Telemetry;
pub use watch::{Latest, NoCluster, Sink, Watch};

/// What Prometheus answered, read: the number, or `None` when there was no series.
///
/// # Errors
/// [`Trouble`] for everything that is neither.
pub fn read_answer(status: u16, body: &[u8]) -> Result<Option<f64>, Trouble> {
    answer::read(status, body)
}
