//! From paths to writes: which files are read, and what each of their pieces says.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use km_intake::Request;
use km_intake::import::{Format, ImportError, classify, jsonl, markdown};
use km_model::WriteDocument;

use super::{Broken, Item};
use crate::failure::Failure;

/// Standard input, which is read as JSONL.
const STDIN: &str = "-";
/// Most bytes of a file or a line that are read; far above what a write may have.
const PIECE_BYTES_MAX: u64 = 4 << 20;
/// Deepest nesting of directories.
const DEPTH_MAX: usize = 64;

/// A file that will be read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Where it is, as it was given.
    path: PathBuf,
    /// Its path from the folder that was imported, that folder's own name first: the same however it was given.
    name: String,
}

/// The files that will be read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<Source>,
    pub(super) bytes: u64,
    pub(super) refused: Vec<Broken>,
}

/// A piece of a file: how many bytes it took, and what it says.
pub(super) type Piece = (u64, Result<Item, Broken>);

/// Every file under `paths` that can be imported, in the order of names. A file that was named and cannot be
/// imported is refused; one that was only met is passed over.
///
/// # Errors
/// A path that was named and is not there.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found::default();
    for path in paths {
        if path == Path::new(STDIN) {
            found.files.push(Source { path: path.clone(), name: STDIN.to_owned() });
            continue;
        }
        let whole = fs::canonicalize(path).map_err(Failure::file(path))?;
        let folder = if whole.is_dir() { &whole } else { whole.parent().unwrap_or(&whole) };
        let base = folder.parent().unwrap_or(folder);
        if whole.is_dir() {
            walk(path, &whole, base, DEPTH_MAX, &mut found);
        } else if classify(path).is_some() {
            found.add(path, &whole, base);
        } else {
            let reason = "is neither Markdown (.md, .markdown) nor JSONL (.jsonl, .ndjson)".to_owned();
            found.refused.push(Broken { origin: path.display().to_string(), reason });
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, path: &Path, whole: &Path, base: &Path) {
        let below = whole.strip_prefix(base).unwrap_or(whole);
        let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        self.bytes += fs::metadata(whole).map_or(0, |metadata| metadata.len());
        self.files.push(Source { path: path.to_path_buf(), name: parts.join("/") });
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        self.refused.push(unreadable(path, error));
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Broken {
    Broken { origin: path.display().to_string(), reason: format!("cannot be read: {error}") }
}

/// Symbolic links to directories are not followed, so a walk ends. The page that introduces a folder is none of
/// its documents.
fn walk(shown: &Path, whole: &Path, base: &Path, depth_left: usize, found: &mut Found) {
    let entries = fs::read_dir(whole).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return found.refuse(shown, &error),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (shown, whole) = (shown.join(entry.file_name()), entry.path());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth_left > 0 {
            walk(&shown, &whole, base, depth_left - 1, found);
        } else if classify(&whole).is_some() && whole.is_file() && !is_introduction(&whole) {
            found.add(&shown, &whole, base);
        }
    }
}

/// Whether a file introduces its folder.
pub(super) fn is_introduction(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"))
}

/// The pieces of a file: the whole of a Markdown file, each line of a JSONL file.
pub(super) fn read(source: &Source) -> Box<dyn Iterator<Item = Piece> + Send> {
    let Source { path, name } = source;
    if name == STDIN {
        return Box::new(lines(path.clone(), BufReader::new(io::stdin())));
    }
    match (classify(path), File::open(path)) {
        (_, Err(error)) => Box::new(std::iter::once((0, Err(unreadable(path, &error))))),
        (Some(Format::Markdown), Ok(file)) => Box::new(std::iter::once(whole(path, name, file))),
        (Some(Format::JsonLines) | None, Ok(file)) => Box::new(lines(path.clone(), BufReader::new(file))),
    }
}

/// As [`read`], for a text that is in memory.
pub(super) fn read_text(name: &str, text: &str) -> Vec<Result<Item, Broken>> {
    match classify(Path::new(name)) {
        Some(Format::Markdown) => vec![item(name.to_owned(), markdown(name, text.as_bytes()))],
        Some(Format::JsonLines) | None => {
            (1..).zip(text.lines()).filter_map(|(number, text)| line(name, number, text.as_bytes())).collect()
        }
    }
}

/// Reads no more of a file than a write could hold.
fn whole(path: &Path, name: &str, file: File) -> Piece {
    let mut bytes = Vec::new();
    match file.take(PIECE_BYTES_MAX).read_to_end(&mut bytes) {
        Ok(taken) => (taken as u64, item(path.display().to_string(), markdown(name, &bytes))),
        Err(error) => (0, Err(unreadable(path, &error))),
    }
}

fn lines(path: PathBuf, mut reader: impl BufRead + Send + 'static) -> impl Iterator<Item = Piece> + Send {
    let origin = path.display().to_string();
    let mut number = 0;
    let mut broken = false;
    let next = move || {
        number += 1;
        match next_line(&mut reader) {
            _ if broken => None,
            Ok((0, _)) => None,
            Ok((taken, bytes)) => Some(line(&origin, number, &bytes).map(|read| (taken, read))),
            Err(error) => {
                broken = true;
                Some(Some((0, Err(unreadable(&path, &error)))))
            }
        }
    };
    std::iter::from_fn(next).flatten()
}

/// The next line and how many bytes it took; no more of it is held than a write could have.
fn next_line(reader: &mut impl BufRead) -> io::Result<(u64, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut taken = reader.take(PIECE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    if taken as u64 == PIECE_BYTES_MAX && !bytes.ends_with(b"\n") {
        taken += reader.skip_until(b'\n')?;
    }
    Ok((taken as u64, bytes))
}

/// `None` for a blank line.
fn line(origin: &str, number: usize, bytes: &[u8]) -> Option<Result<Item, Broken>> {
    let origin = format!("{origin}, line {number}");
    if bytes.len() as u64 >= PIECE_BYTES_MAX {
        return Some(Err(Broken { origin, reason: "the line is too long for a write".to_owned() }));
    }
    (!bytes.trim_ascii().is_empty()).then(|| item(origin, jsonl(bytes)))
}

fn item(origin: String, read: Result<Request, ImportError>) -> Result<Item, Broken> {
    let request = match read {
        Ok(request) => request,
        Err(error) => return Err(Broken { origin, reason: error.to_string() }),
    };
    let write_id = request.write_id.as_ref().map(ToString::to_string);
    let received_at = request.received_at.map(|at| at.to_string());
    let document = WriteDocument { write_id, received_at, ..WriteDocument::from(&request.write) };
    match serde_json::to_string(&document) {
        Ok(line) => Ok(Item { origin, line }),
        Err(error) => Err(Broken { origin, reason: error.to_string() }),
    }
}
