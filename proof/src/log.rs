//! What one client sent and was answered, line by line: the only evidence that the checker takes.
//!
//! A line is written before the next step is taken, so the log outlives the client. It is flushed to the disk
//! when a load ends, and before a check counts what is in it; the machine is never cut off here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use km_model::WriteDocument;
use serde::{Deserialize, Serialize};

use crate::answer::{Problem, Receipt};
use crate::work::Draft;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A write is about to be sent.
    Sent { write_id: String, document: Box<WriteDocument> },
    /// It is durable, by this receipt.
    Acknowledged { outcome: String, receipt: Receipt },
    /// It is durable, as `km import` said by ending well.
    Imported { write_id: String },
    /// It was certainly not kept this time.
    NotKept { write_id: String, status: u16, code: String },
}

impl Line {
    pub(crate) fn sent(draft: &Draft) -> Self {
        Self::Sent { write_id: draft.write_id.clone(), document: Box::new(draft.document.clone()) }
    }

    pub(crate) fn not_kept(draft: &Draft, problem: &Problem) -> Self {
        let Problem { status, code } = problem.clone();
        Self::NotKept { write_id: draft.write_id.clone(), status, code }
    }
}

/// A log that grows.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// Whether there are lines that a power cut could take.
    unflushed: bool,
}

impl Log {
    /// Begins a log in a new file.
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        Ok(Self { path, file, unflushed: false })
    }

    /// Writes a line; it stays when this process is killed.
    pub(crate) fn note(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.unflushed = true;
        self.file.write_all(&text)
    }

    /// Flushes all lines to the disk.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unflushed) {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// A reader that begins at the first line.
    pub(crate) fn reader(&self) -> io::Result<LogReader> {
        LogReader::open(&self.path)
    }
}

/// Reads a log from where it stopped before.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: File,
    read: u64,
}

impl LogReader {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, read: 0 })
    }

    /// The whole lines that were written since the last call.
    pub(crate) fn news(&mut self) -> io::Result<Vec<Line>> {
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        self.file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += u64::try_from(whole).unwrap_or_default();
        let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_reads_back_from_where_reading_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = Log::create(directory.path().join("log")).unwrap();
        let mut reader = log.reader().unwrap();
        let line = |id: &str| Line::Imported { write_id: id.to_owned() };
        log.note(&line("a")).unwrap();
        assert_eq!(reader.news().unwrap(), [line("a")]);
        assert_eq!(reader.news().unwrap(), []);
        log.note(&line("b")).unwrap();
        log.file.write_all(b"{\"half").unwrap();
        assert_eq!(reader.news().unwrap(), [line("b")]);
    }
}
