//! From paths to writes: which files are read, and what each of their pieces says.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use km_intake::Request;
use km_intake::import::{Format, ImportError, classify, jsonl, markdown};
use km_model::WriteDocument;

use super::{Broken, Item};
use crate::failure::Failure;

/// Standard input, which is read as JSONL.
const STDIN: &str = "-";
/// Longest line of a JSONL file that is read; far above what a write may have.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Deepest nesting of directories.
const DEPTH_MAX: usize = 64;

/// The files that will be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<PathBuf>,
    pub(super) bytes: u64,
    pub(super) refused: Vec<Broken>,
}

/// A piece of a file: how many bytes it took, and what it says.
pub(super) type Piece = Result<(u64, Result<Item, Broken>), Failure>;

/// Every file under `paths` that can be imported, in the order of names. A file that was named and cannot be
/// imported is refused; one that was only met is passed over.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found::default();
    for path in paths {
        if path == Path::new(STDIN) {
            found.files.push(path.clone());
            continue;
        }
        let metadata = fs::metadata(path).map_err(Failure::file(path))?;
        if metadata.is_dir() {
            walk(path, DEPTH_MAX, &mut found)?;
        } else if classify(path).is_some() {
            found.bytes += metadata.len();
            found.files.push(path.clone());
        } else {
            let reason = "is neither Markdown (.md, .markdown) nor JSONL (.jsonl, .ndjson)".to_owned();
            found.refused.push(Broken { origin: path.display().to_string(), reason });
        }
    }
    Ok(found)
}

/// Symbolic links to directories are not followed, so a walk ends.
fn walk(directory: &Path, depth_left: usize, found: &mut Found) -> Result<(), Failure> {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(Failure::file(directory))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(Failure::file(&path))?;
        if kind.is_dir() && depth_left > 0 {
            walk(&path, depth_left - 1, found)?;
        } else if classify(&path).is_some() && path.is_file() {
            found.bytes += fs::metadata(&path).map_err(Failure::file(&path))?.len();
            found.files.push(path);
        }
    }
    Ok(())
}

/// The pieces of a file: the whole of a Markdown file, each line of a JSONL file.
pub(super) fn read(path: &Path) -> Box<dyn Iterator<Item = Piece> + Send> {
    if path == Path::new(STDIN) {
        return lines(path.to_path_buf(), BufReader::new(io::stdin()));
    }
    match (classify(path), File::open(path)) {
        (_, Err(error)) => Box::new(std::iter::once(Err(Failure::file(path)(error)))),
        (Some(Format::Markdown), Ok(_)) => Box::new(std::iter::once(whole(path))),
        (Some(Format::JsonLines) | None, Ok(file)) => lines(path.to_path_buf(), BufReader::new(file)),
    }
}

/// As [`read`], for a text that is in memory.
pub(super) fn read_text(name: &str, text: &str) -> Vec<Result<Item, Broken>> {
    match classify(Path::new(name)) {
        Some(Format::Markdown) => vec![document(name, text.as_bytes())],
        Some(Format::JsonLines) | None => {
            (1..).zip(text.lines()).filter_map(|(number, text)| line(name, number, text.as_bytes())).collect()
        }
    }
}

fn whole(path: &Path) -> Piece {
    let bytes = fs::read(path).map_err(Failure::file(path))?;
    Ok((bytes.len() as u64, document(&path.display().to_string(), &bytes)))
}

fn lines(path: PathBuf, mut reader: impl BufRead + Send + 'static) -> Box<dyn Iterator<Item = Piece> + Send> {
    let origin = path.display().to_string();
    let mut number = 0;
    Box::new(
        std::iter::from_fn(move || {
            number += 1;
            let mut bytes = Vec::new();
            match reader.read_until(b'\n', &mut bytes) {
                Ok(0) => None,
                Ok(taken) => Some(Ok((taken as u64, line(&origin, number, &bytes)))),
                Err(error) => Some(Err(Failure::file(&path)(error))),
            }
        })
        .filter_map(|piece| match piece {
            Ok((taken, Some(read))) => Some(Ok((taken, read))),
            Ok((_, None)) => None,
            Err(failure) => Some(Err(failure)),
        }),
    )
}

/// `None` for a blank line.
fn line(origin: &str, number: usize, bytes: &[u8]) -> Option<Result<Item, Broken>> {
    let origin = format!("{origin}, line {number}");
    if bytes.len() > LINE_BYTES_MAX {
        return Some(Err(Broken { origin, reason: "the line is too long for a write".to_owned() }));
    }
    (!bytes.trim_ascii().is_empty()).then(|| item(origin, jsonl(bytes)))
}

fn document(name: &str, bytes: &[u8]) -> Result<Item, Broken> {
    item(name.to_owned(), markdown(name, bytes))
}

fn item(origin: String, read: Result<Request, ImportError>) -> Result<Item, Broken> {
    let request = match read {
        Ok(request) => request,
        Err(error) => return Err(Broken { origin, reason: error.to_string() }),
    };
    let write_id = request.write_id.as_ref().map(ToString::to_string);
    let document = WriteDocument { write_id, ..WriteDocument::from(&request.write) };
    match serde_json::to_string(&document) {
        Ok(line) => Ok(Item { origin, line }),
        Err(error) => Err(Broken { origin, reason: error.to_string() }),
    }
}
