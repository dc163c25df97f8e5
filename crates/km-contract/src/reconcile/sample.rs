//! A sample of receipts in a small file: bounded, replaced whole, one JSON object a line, so that
//! `km verify --receipts` reads it too.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use km_model::{ContentHash, EntryId, TenantId, WriteId};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

/// Receipts that are remembered at most.
pub(crate) const SAMPLE_MAX: usize = 1_024;
/// Bytes that are read at most: more than so many receipts take.
const BYTES_MAX: u64 = 1 << 20;

/// What a receipt promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) tenant: TenantId,
    pub(crate) write_id: WriteId,
    pub(crate) entry_id: EntryId,
    pub(crate) revision: u64,
    pub(crate) content_hash: ContentHash,
}

/// A line of the file, version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    tenant: String,
    write_id: String,
    entry_id: String,
    revision: u64,
    content_hash: String,
}

/// The file. Its lock is taken where the file is touched: a run that was dropped may be writing still.
pub(super) struct SampleFile(Arc<Mutex<PathBuf>>);

impl SampleFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(path)))
    }

    /// The remembered receipts; none when there is no file yet.
    pub(super) async fn read(&self) -> io::Result<Vec<Acknowledged>> {
        let path = self.0.clone();
        spawn_blocking(move || read_file(&path.lock().unwrap_or_else(PoisonError::into_inner))).await?
    }

    /// Replaces the remembered receipts: after a crash the file holds these or those before.
    pub(super) async fn replace(&self, receipts: Vec<Acknowledged>) -> io::Result<()> {
        let path = self.0.clone();
        let replace = move || replace_file(&path.lock().unwrap_or_else(PoisonError::into_inner), &receipts);
        spawn_blocking(replace).await?
    }
}

fn read_file(file: &Path) -> io::Result<Vec<Acknowledged>> {
    let file = match File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    BufReader::new(file.take(BYTES_MAX)).lines().map(|line| parse(&line?)).collect()
}

fn parse(line: &str) -> io::Result<Acknowledged> {
    let line: Line = serde_json::from_str(line)?;
    Ok(Acknowledged {
        tenant: TenantId::parse(line.tenant).map_err(malformed)?,
        write_id: WriteId::parse(line.write_id).map_err(malformed)?,
        entry_id: EntryId::parse(&line.entry_id).map_err(malformed)?,
        revision: line.revision,
        content_hash: ContentHash::parse(&line.content_hash).map_err(malformed)?,
    })
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn replace_file(file: &Path, receipts: &[Acknowledged]) -> io::Result<()> {
    let part = file.with_extension("part");
    let mut lines = BufWriter::new(File::create(&part)?);
    for receipt in receipts {
        let line = Line {
            tenant: receipt.tenant.to_string(),
            write_id: receipt.write_id.to_string(),
            entry_id: receipt.entry_id.to_string(),
            revision: receipt.revision,
            content_hash: receipt.content_hash.to_string(),
        };
        serde_json::to_writer(&mut lines, &line)?;
        lines.write_all(b"\n")?;
    }
    lines.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(part, file)
}
