//! The data directory: on what it lies, and who holds it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use km_model::Durability;

/// The file that the owner of a directory holds locked.
const LOCK: &str = "km.lock";

/// What kind of file system a directory lies on, as far as it matters for durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A local disk.
    Disk,
    /// Memory: empty after a restart of the machine.
    Tmpfs,
    /// A container's own layers: gone with the container.
    Overlay,
    /// A network share, whose locks and flushes cannot be trusted.
    Network,
}

impl FileSystem {
    /// The file system that `path` lies on.
    ///
    /// # Errors
    /// The system's error when it cannot be asked.
    pub fn of(path: &Path) -> io::Result<Self> {
        // The magic numbers are those of linux/magic.h.
        const TMPFS: i64 = 0x0102_1994;
        const RAMFS: i64 = 0x8584_58f6;
        const OVERLAY: i64 = 0x794c_7630;
        const NFS: i64 = 0x6969;
        const SMB: i64 = 0x517b;
        const SMB2: i64 = 0xfe53_4d42;
        const CIFS: i64 = 0xff53_4d42;
        const CEPH: i64 = 0x00c3_6400;
        let kind = rustix::fs::statfs(path)?.f_type & 0xffff_ffff;
        Ok(match kind {
            TMPFS | RAMFS => Self::Tmpfs,
            OVERLAY => Self::Overlay,
            NFS | SMB | SMB2 | CIFS | CEPH => Self::Network,
            _ => Self::Disk,
        })
    }

    /// What an acknowledgement on it is worth.
    pub const fn durability(self) -> Durability {
        match self {
            Self::Disk => Durability::Disk,
            Self::Tmpfs | Self::Overlay | Self::Network => Durability::Volatile,
        }
    }

    /// Its name, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "a local disk",
            Self::Tmpfs => "tmpfs (memory)",
            Self::Overlay => "overlayfs (a container's own layers)",
            Self::Network => "a network file system",
        }
    }
}

/// The ownership of a data directory. It ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why a directory cannot be owned.
#[derive(Debug)]
pub(crate) enum LockError {
    Held { by: String },
    Io(io::Error),
}

impl Lock {
    /// Owns `directory`, which is made when it is not there.
    pub(crate) fn take(directory: &Path) -> Result<Self, LockError> {
        fs::create_dir_all(directory).map_err(LockError::Io)?;
        let path = directory.join(LOCK);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { by: holder(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        note_holder(&mut file).map_err(LockError::Io)?;
        Ok(Self { _file: file })
    }
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => format!("process {text}"),
        Ok(_) | Err(_) => "another process".to_owned(),
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
    /// Who holds it, when somebody does.
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
        held_by: held_by(data),
        ledger_bytes: bytes_of(data, crate::sqlite::LEDGER_FILE),
        index_bytes: bytes_of(data, crate::sqlite::INDEX_FILE),
        sqlite_version: rusqlite::version(),
    }
}

fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.is_dir()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn held_by(data: &Path) -> Option<String> {
    let mut file = File::options().read(true).open(data.join(LOCK)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// The bytes of a database with its log.
pub(crate) fn bytes_of(directory: &Path, file: &str) -> u64 {
    let size = |name: String| fs::metadata(directory.join(name)).map_or(0, |metadata| metadata.len());
    size(file.to_owned()) + size(format!("{file}-wal"))
}
