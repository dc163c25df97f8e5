//! Tests of the SQLite store from inside.

mod feeds;
mod history;
mod opening;
mod plans;
mod threads;

use std::sync::Arc;

use tempfile::TempDir;

use crate::directory::Lock;

/// A directory whose files need not outlive the machine.
fn directory() -> TempDir {
    TempDir::new().unwrap()
}

fn lock_of(directory: &TempDir) -> Arc<Lock> {
    Arc::new(Lock::take(directory.path()).unwrap())
}
