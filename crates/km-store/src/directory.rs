//! The data directory: made durably, owned by one process, looked at from outside.

mod file_system;
mod lock;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub use file_system::FileSystem;
pub(crate) use lock::{Lock, LockError};

/// Makes a directory with those above it. Each is flushed into the one it lies in before the next is made, so
/// that a power cut does not take a directory away from under a flushed file.
///
/// # Errors
/// The system's error; directories that were made stay.
pub(crate) fn make(directory: &Path) -> io::Result<()> {
    make_with(directory, &mut |parent| flush_names(parent))
}

fn make_with(directory: &Path, flush: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = parent_of(directory);
    make_with(parent, flush)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
        made => made?,
    }
    flush(parent)
}

/// The directory that a name lies in.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Flushes the names in a directory, so that a file made in it is found after a power cut.
pub(crate) fn flush_names(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Facts about a data directory, for `km doctor`. Reading them changes nothing.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Whether there is a store in it.
    pub store: bool,
    /// On what it lies; `None` when the system could not say.
    pub file_system: Option<FileSystem>,
    /// Bytes left on it.
    pub free_bytes: Option<u64>,
    /// Who holds it, when somebody does whom this process can see.
    pub held_by: Option<String>,
    /// Bytes of the ledger's files.
    pub ledger_bytes: u64,
    /// Bytes of the search index's files.
    pub index_bytes: u64,
    /// The version of the SQLite that is built in.
    pub sqlite_version: &'static str,
}

/// Looks at a data directory from outside.
pub fn survey(data: &Path) -> Survey {
    let existing = nearest_existing(data);
    let free = rustix::fs::statvfs(&existing).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    Survey {
        store: data.join(crate::sqlite::LEDGER_FILE).exists(),
        file_system: FileSystem::of(&existing).ok(),
        free_bytes: free,
        held_by: lock::held_by(data),
        ledger_bytes: bytes_of(data, crate::sqlite::LEDGER_FILE),
        index_bytes: bytes_of(data, crate::sqlite::INDEX_FILE),
        sqlite_version: rusqlite::version(),
    }
}

fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.is_dir()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The bytes of a database with its log.
pub(crate) fn bytes_of(directory: &Path, file: &str) -> u64 {
    let size = |name: String| fs::metadata(directory.join(name)).map_or(0, |metadata| metadata.len());
    size(file.to_owned()) + size(format!("{file}-wal"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn every_directory_that_is_made_is_flushed_into_the_one_it_lies_in() {
        let top = TempDir::new().unwrap();
        let (a, b) = (top.path().join("a"), top.path().join("a/b"));
        let mut flushed = Vec::new();
        let mut flush = |parent: &Path| {
            flushed.push(parent.to_path_buf());
            flush_names(parent)
        };
        make_with(&b, &mut flush).unwrap();
        make_with(&b, &mut flush).unwrap();
        assert!(b.is_dir());
        assert_eq!(flushed, [top.path().to_path_buf(), a]);
    }

    #[test]
    fn a_directory_that_cannot_be_flushed_is_not_called_made() {
        let top = TempDir::new().unwrap();
        let failed = make_with(&top.path().join("a"), &mut |_| Err(io::Error::other("no flush")));
        assert!(failed.is_err());
    }

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        assert_eq!(parent_of(Path::new("km-data")), Path::new("."));
        assert_eq!(parent_of(Path::new("/km-data")), Path::new("/"));
    }
}
