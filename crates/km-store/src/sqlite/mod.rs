//! The embedded store: one SQLite file for the truth, one for the search index.
//!
//! One thread writes; readers work beside it. The search index lies in a file of its own, so that building
//! it never waits for, nor holds up, a commit.

mod alerts;
mod audit;
mod backup;
mod classify;
mod commit;
mod find;
mod heads;
mod index_file;
mod indexer;
mod keys;
mod letters;
mod library;
mod links;
mod listing;
mod open;
mod readers;
mod rows;
mod seal;
pub mod search;
mod searching;
mod sources;
mod walk;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use km_contract::port::{LinkReport, Measures, Seal, Store, StoreError, StoreErrorKind, Upkeep};
use km_contract::{Clock, HealthBoard, LetterLimits};
use km_model::{Durability, Timestamp};
use thiserror::Error;
use tracing::{error, warn};

pub use backup::{BackupReport, backup, restore};

use crate::directory::{FileSystem, Lock, LockError, bytes_of};
use index_file::IndexFile;
use indexer::Indexer;
use readers::Readers;
use writer::WriterThread;

/// The file of the truth.
pub(crate) const LEDGER_FILE: &str = "km.db";
/// The file of the search index.
pub(crate) const INDEX_FILE: &str = "search.db";

/// How to open a store.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The data directory; it is made when it is not there.
    pub data: PathBuf,
    /// Whether a file system that forgets is accepted; every receipt then says so.
    pub allow_volatile: bool,
    /// Connections that read, at least one.
    pub readers: usize,
    /// The bounds on dead letters.
    pub dead_letters: LetterLimits,
    /// Whether the search index is built in the background.
    pub index: bool,
}

impl OpenOptions {
    /// The defaults, at `data`.
    pub fn at(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            allow_volatile: false,
            readers: 2,
            dead_letters: LetterLimits { count_max: 100_000, bytes_max: 1 << 30 },
            index: true,
        }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process serves it.
    #[error("{} is in use by {by}", data.display())]
    Locked {
        /// The data directory.
        data: PathBuf,
        /// Who holds it.
        by: String,
    },
    /// Acknowledgements on it would be worth nothing.
    #[error(
        "{} lies on {kind}, which forgets acknowledged writes; choose a disk, or accept it with --allow-volatile",
        data.display()
    )]
    Volatile {
        /// The data directory.
        data: PathBuf,
        /// On what it lies.
        kind: FileSystem,
    },
    /// There is nothing to read.
    #[error("there is no store in {}", .0.display())]
    NoStore(PathBuf),
    /// There is something already.
    #[error("there is a store in {} already", .0.display())]
    StoreExists(PathBuf),
    /// A part of a store lies where another is to be put.
    #[error("{} was left behind by a store: move it away, it may hold acknowledged writes", .0.display())]
    Leftover(PathBuf),
    /// A newer km made it.
    #[error("the store has schema {found}, this km knows {known}: use the newer km")]
    NewerSchema {
        /// The schema of the file.
        found: i64,
        /// The newest schema that this km knows.
        known: i64,
    },
    /// It is no store of km.
    #[error("{} is not a ledger of km", .0.display())]
    NotALedger(PathBuf),
    /// SQLite did not take a setting that durability depends on.
    #[error("SQLite answered `{found}` to PRAGMA {pragma}, which has to be `{wanted}`")]
    Setting {
        /// The setting.
        pragma: &'static str,
        /// What it has to be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// A copy does not hold what the original does.
    #[error("the copy is not sound: {0}")]
    Unsound(String),
    /// The file system failed.
    #[error("could not use {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite failed.
    #[error("SQLite failed")]
    Sqlite(#[from] rusqlite::Error),
    /// The search index could not be removed.
    #[error("the search index failed")]
    Index(#[from] search::SearchError),
}

/// The store of one data directory.
pub(crate) struct SqliteStore {
    data: PathBuf,
    durability: Durability,
    clock: Arc<dyn Clock>,
    letters_max: LetterLimits,
    writer: Option<WriterThread>,
    readers: Readers,
    indexer: Option<Arc<Indexer>>,
}

/// Opens the store of a data directory for reading and writing, and owns the directory until the store is closed,
/// or dropped and what was handed over is done.
///
/// # Errors
/// [`OpenError`]; nothing was changed then, except that an empty store may have been made.
pub async fn open(options: OpenOptions, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
    let health = HealthBoard::default();
    let board = health.clone();
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(&options, clock, board)).await;
    bundle(opened, health)
}

/// Opens the store of a data directory for reading, also while a server owns it.
///
/// # Errors
/// [`OpenError`].
pub async fn inspect(data: &Path, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
    let data = data.to_path_buf();
    let health = HealthBoard::default();
    let board = health.clone();
    let opened = tokio::task::spawn_blocking(move || SqliteStore::inspect(&data, clock, board)).await;
    bundle(opened, health)
}

fn bundle(
    opened: Result<Result<SqliteStore, OpenError>, tokio::task::JoinError>,
    health: HealthBoard,
) -> Result<Store, OpenError> {
    let opened = opened.map_err(|error| io_error(Path::new("."), std::io::Error::other(error)))?;
    Ok(Store::new("sqlite", Arc::new(opened?), health))
}

impl SqliteStore {
    fn open(options: &OpenOptions, clock: Arc<dyn Clock>, health: HealthBoard) -> Result<Self, OpenError> {
        let data = &options.data;
        let lock = Lock::take(data).map_err(|error| match error {
            LockError::Held { by } => OpenError::Locked { data: data.clone(), by },
            LockError::Io(source) => io_error(data, source),
        })?;
        let file_system = FileSystem::of(data).map_err(|source| io_error(data, source))?;
        if file_system.durability() == Durability::Volatile && !options.allow_volatile {
            return Err(OpenError::Volatile { data: data.clone(), kind: file_system });
        }
        let lock = Arc::new(lock);
        let connection = open::ledger(data)?;
        let index = IndexFile::of(data);
        let writer = WriterThread::start(connection, lock.clone(), health.clone())
            .map_err(|source| io_error(data, source))?;
        let indexer =
            options.index.then(|| Indexer::start(data, index.clone(), writer.worked(), lock)).transpose()?;
        Ok(Self {
            data: data.clone(),
            durability: file_system.durability(),
            clock,
            letters_max: options.dead_letters,
            writer: Some(writer),
            readers: Readers::open(data, &index, options.readers.max(1), health)?,
            indexer: indexer.map(Arc::new),
        })
    }

    fn inspect(data: &Path, clock: Arc<dyn Clock>, health: HealthBoard) -> Result<Self, OpenError> {
        if !data.join(LEDGER_FILE).exists() {
            return Err(OpenError::NoStore(data.to_path_buf()));
        }
        let file_system = FileSystem::of(data).map_err(|source| io_error(data, source))?;
        Ok(Self {
            data: data.to_path_buf(),
            durability: file_system.durability(),
            clock,
            letters_max: LetterLimits { count_max: 0, bytes_max: 0 },
            writer: None,
            readers: Readers::open(data, &IndexFile::of(data), 1, health)?,
            indexer: None,
        })
    }

    fn writer(&self) -> Result<&WriterThread, StoreError> {
        self.writer.as_ref().ok_or_else(|| StoreError::bare(StoreErrorKind::Misconfigured, "READ_ONLY"))
    }

    /// Tells the indexer that there is something new.
    fn wake_indexer(&self) {
        if let Some(indexer) = &self.indexer {
            indexer.wake();
        }
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn mend_links(&self) -> Result<LinkReport, StoreError> {
        links::mend(&self.readers, self.writer()?).await
    }

    async fn seal(&self, at: Timestamp) -> Result<Option<Seal>, StoreError> {
        seal::seal(&self.readers, self.writer()?, at).await
    }

    async fn measures(&self) -> Result<Measures, StoreError> {
        let disk_bytes = bytes_of(&self.data, LEDGER_FILE) + bytes_of(&self.data, INDEX_FILE);
        self.readers.call(move |reader| reader.measures(disk_bytes)).await
    }

    async fn reindex(&self) -> Result<(), StoreError> {
        match &self.indexer {
            Some(indexer) => indexer.rebuild(),
            None => return Err(StoreError::bare(StoreErrorKind::Misconfigured, "NO_INDEXER")),
        }
        Ok(())
    }

    async fn close(&self) {
        // The readers first: the last to close a file writes its log back, and they may not.
        self.readers.close();
        if let Some(indexer) = self.indexer.clone()
            && let Err(error) = tokio::task::spawn_blocking(move || indexer.stop()).await
        {
            warn!(error = &error as &dyn std::error::Error, "the indexer was not waited for");
        }
        if let Some(writer) = &self.writer
            && let Err(error) = writer.stop().await
        {
            error!(error = &error as &dyn std::error::Error, "the writer thread did not end well");
        }
    }
}

fn io_error(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests;
