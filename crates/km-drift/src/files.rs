//! Reading files with a limit, and walking folders.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How deep folders are walked.
const FOLDERS_MAX: usize = 64;
/// How many files a walk may find.
pub const FILES_MAX: usize = 100_000;
/// Folders that hold what others wrote or what tools made.
const FOREIGN: [&str; 14] = [
    ".git",
    ".hg",
    ".venv",
    "venv",
    "env",
    "node_modules",
    "__pycache__",
    "site-packages",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".eggs",
    "target",
];
/// Folders with tests.
const TESTS: [&str; 2] = ["test", "tests"];

/// The text of a file.
///
/// # Errors
/// What keeps it from being read: size, encoding or the file system.
pub fn read_text(path: &Path) -> io::Result<String> {
    text_of(read_bytes(path)?)
}

/// The text of a Python file: UTF-8, or Latin-1 where the file says so (PEP 263).
pub(crate) fn read_python(path: &Path) -> io::Result<String> {
    let bytes = read_bytes(path)?;
    if declares_latin(&bytes) {
        return Ok(bytes.into_iter().map(char::from).collect());
    }
    text_of(bytes)
}

fn declares_latin(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').take(2);
    lines.filter(|line| line.starts_with(b"#")).any(|line| {
        let line = String::from_utf8_lossy(line).to_lowercase();
        let declared = line.split_once("coding").map(|(_, rest)| rest.trim_start_matches([':', '=']).trim());
        declared.is_some_and(|name| {
            ["latin-1", "latin1", "iso-8859-1", "iso8859-1", "cp1252"]
                .iter()
                .any(|known| name.starts_with(known))
        })
    })
}

fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!("it is not UTF-8: byte {at}"))
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {} MiB", FILE_BYTES_MAX / 1024 / 1024)));
    }
    Ok(bytes)
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files, in order.
    pub files: Vec<PathBuf>,
    /// Files that were left out on purpose.
    pub skipped: usize,
    /// Places that could not be looked into, and why.
    pub failed: Vec<(PathBuf, String)>,
}

/// Every file below a folder that is wanted. Links to folders are not followed, so a loop of links ends.
#[must_use]
pub fn walk(root: &Path, wanted: &dyn Fn(&Path) -> bool, leave_out_tests: bool) -> Walked {
    let mut walked = Walked::default();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                walked.failed.push((folder, error.to_string()));
                continue;
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(kind) = fs::symlink_metadata(&path) else { continue };
            if kind.is_dir() {
                let left_out = FOREIGN.contains(&name) || (leave_out_tests && TESTS.contains(&name));
                if depth >= FOLDERS_MAX {
                    walked.failed.push((path, format!("more than {FOLDERS_MAX} folders deep")));
                } else if !left_out {
                    folders.push((path, depth + 1));
                }
            } else if wanted(&path) {
                let linked_folder = kind.is_symlink() && !path.is_file();
                let test = leave_out_tests && is_test(name);
                if linked_folder || test {
                    walked.skipped += 1;
                } else if walked.files.len() >= FILES_MAX {
                    walked.failed.push((path, format!("more than {FILES_MAX} files")));
                    return walked;
                } else {
                    walked.files.push(path);
                }
            }
        }
    }
    walked.files.sort();
    walked
}

fn is_test(name: &str) -> bool {
    name.starts_with("test_") || name.ends_with("_test.py") || name == "conftest.py"
}
