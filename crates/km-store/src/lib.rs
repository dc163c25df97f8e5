//! Stores for the ports of `km-contract`. Each is opened by where it lives; what its durability is worth is
//! measured when it is opened.

mod directory;
mod sqlite;

pub use directory::{FileSystem, Survey, survey};
pub use sqlite::{BackupReport, OpenError, OpenOptions, backup, inspect, open, restore, search};
