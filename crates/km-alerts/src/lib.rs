//! What is wrong with a configuration of Alertmanager, said without running one.
//!
//! The room is pure: it is given texts with their names, and returns findings. `km-yaml` says where everything stands
//! and how it is written, which is what findings point at and fixes go by. Alerts are known from rule files, whose
//! expressions are followed to see which labels they carry, and from label sets that others post. Whatever is not
//! certain is at most a warning.

mod audit;
mod checks;
mod config;
mod finding;
mod fix;
mod input;
mod labels;
mod lint;
mod matcher;
mod near;
mod promql;
mod report;
mod rules;
mod schema;
mod source;
mod suppress;
mod version;

pub use audit::{Audited, Expected, Peer, audit};
pub use finding::{Finding, Level, Place};
pub use input::{Input, InputKind};
pub use lint::{Linted, Options, lint};
pub use version::{NotAVersion, Version};

/// The largest file that is read.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// The check that says that a file could not be read.
pub const UNREADABLE: &str = "AM001";
