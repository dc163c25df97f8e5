//! Files and directories as inputs of the room.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use km_alerts::{FILE_BYTES_MAX, Input, InputKind};

/// The most files that are taken from directories.
const FILES_MAX: usize = 20_000;
/// The most folders below each other.
const FOLDERS_DEEP_MAX: usize = 32;

/// Each file as an input; one that cannot be read is an input that says so.
pub(super) fn read(paths: &[PathBuf], kind: InputKind) -> Vec<Input> {
    paths.iter().map(|path| input(path, kind)).collect()
}

/// Files, and what lies in directories, as rules.
pub(super) fn read_all(paths: &[PathBuf]) -> Vec<Input> {
    let mut files = Vec::new();
    let mut inputs = Vec::new();
    for path in paths {
        if path.is_dir() {
            if let Err(error) = walk(path, 0, &mut files) {
                inputs.push(unreadable(path, &error));
            }
        } else {
            files.push(path.clone());
        }
    }
    inputs.extend(read(&files, InputKind::Rules));
    inputs
}

/// The YAML and JSON files below a folder, in order. Links to folders are not followed, so that none leads in circles.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > FOLDERS_DEEP_MAX {
        return Err(io::Error::other(format!("folders lie more than {FOLDERS_DEEP_MAX} deep")));
    }
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, depth + 1, files)?;
        } else if is_yaml(&path) && !path.is_dir() {
            if files.len() == FILES_MAX {
                return Err(io::Error::other(format!("more than {FILES_MAX} files")));
            }
            files.push(path);
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|found| ["yml", "yaml", "json", "rules"].iter().any(|known| found == *known))
}

pub(super) fn input(path: &Path, kind: InputKind) -> Input {
    match text(path) {
        Ok(text) => Input { name: path.display().to_string(), text: Ok(text), kind },
        Err(error) => unreadable(path, &error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Input {
    Input { name: path.display().to_string(), text: Err(error.to_string()), kind: InputKind::Configuration }
}

/// The text of a file, or of standard input for `-`, up to one byte more than may be read, so that more is noticed.
fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    } else if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    } else {
        File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        io::Error::other(format!("not UTF-8: byte {} of the file is the first that is not", valid + 1))
    })
}
