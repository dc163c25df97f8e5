//! Who holds a data directory.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::make;

/// The file that the owner of a directory holds locked.
const LOCK: &str = "km.lock";
/// Where Linux lists the locks that are held, in the form of proc_locks(5).
const HELD_LOCKS: &str = "/proc/locks";

/// The ownership of a data directory. It ends when this is dropped, and with the process, however that ends.
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
        make(directory).map_err(LockError::Io)?;
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
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { by: noted_holder(&mut file) }),
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

fn noted_holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => format!("process {text}"),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}

/// Who holds `directory`, as far as the system lists it. Nothing is locked for it: a look that took the lock,
/// even for a moment, could keep a server from starting.
pub(super) fn held_by(directory: &Path) -> Option<String> {
    let inode = fs::metadata(directory.join(LOCK)).ok()?.ino();
    let noted = fs::read_to_string(directory.join(LOCK)).unwrap_or_default();
    let locks = fs::read_to_string(HELD_LOCKS).ok()?;
    let holders: Vec<&str> = locks.lines().filter_map(|line| holder_of(line, inode)).collect();
    // Inodes of other file systems may have the same number; the process that noted itself is the one.
    let holder = holders.iter().find(|holder| **holder == noted).or(holders.first())?;
    Some(format!("process {holder}"))
}

/// The process that holds a whole-file lock on `inode`, if `line` says so:
/// `1: FLOCK  ADVISORY  WRITE 4242 fd:01:123456 0 EOF`.
fn holder_of(line: &str, inode: u64) -> Option<&str> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, _, mode) = (words.next()?, words.next()?, words.next()?);
    let (process, file) = (words.next()?, words.next()?);
    let same = file.rsplit(':').next()?.parse() == Ok(inode);
    (kind == "FLOCK" && mode == "WRITE" && same).then_some(process)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let directory = TempDir::new().unwrap();
        let held = Lock::take(directory.path()).unwrap();
        let Err(LockError::Held { by }) = Lock::take(directory.path()) else { panic!("held twice") };
        assert_eq!(by, format!("process {}", std::process::id()));
        drop(held);
        Lock::take(directory.path()).unwrap();
    }

    #[test]
    fn the_holder_is_told_without_taking_the_lock() {
        let directory = TempDir::new().unwrap();
        assert_eq!(held_by(directory.path()), None);
        let held = Lock::take(directory.path()).unwrap();
        assert_eq!(held_by(directory.path()), Some(format!("process {}", std::process::id())));
        drop(held);
        assert_eq!(held_by(directory.path()), None, "a note of one who is gone names nobody");
    }

    #[test]
    fn a_look_at_the_holder_never_keeps_a_server_from_starting() {
        let directory = TempDir::new().unwrap();
        drop(Lock::take(directory.path()).unwrap());
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| (0..2_000).filter_map(|_| held_by(directory.path())).count());
            while !looking.is_finished() {
                drop(Lock::take(directory.path()).unwrap());
            }
        });
    }

    #[test]
    fn only_a_whole_file_lock_on_the_file_itself_counts() {
        let line = "1: FLOCK  ADVISORY  WRITE 4242 fd:01:123456 0 EOF";
        assert_eq!(holder_of(line, 123_456), Some("4242"));
        assert_eq!(holder_of(line, 23_456), None);
        assert_eq!(holder_of("2: POSIX  ADVISORY  WRITE 4242 fd:01:123456 0 EOF", 123_456), None);
        assert_eq!(holder_of("1: -> FLOCK  ADVISORY  WRITE 77 fd:01:123456 0 EOF", 123_456), None);
        assert_eq!(holder_of("", 123_456), None);
    }
}
