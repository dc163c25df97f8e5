//! Why a verb did not do what was asked, and the exit code that says so.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use km_contract::port::StoreError;
use km_store::OpenError;
use thiserror::Error;

use crate::client::{Problem, TransportError};
use crate::config::ConfigError;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is done.
    Done,
    /// There are findings, or something was refused; it was said already.
    Findings,
    /// Something that was to be looked at could not be read; it was said already.
    CannotRead,
    /// A check that has other codes was asked for in a way that makes no sense; it was said already.
    Misused,
    /// Something was not taken that may be taken later; it was said already.
    TryAgain,
    /// The store cannot be trusted any longer (EX_SOFTWARE of sysexits.h).
    Untrusted,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::SUCCESS,
            Ending::Findings => Self::from(1),
            Ending::CannotRead => Self::from(2),
            Ending::Misused => Self::from(3),
            Ending::TryAgain => Self::from(75),
            Ending::Untrusted => Self::from(70),
        }
    }
}

/// Why a verb ended early.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the server at {url} cannot be reached")]
    Unreachable {
        url: String,
        #[source]
        source: TransportError,
    },
    #[error("the answer was not understood ({status})")]
    Answer {
        status: u16,
        #[source]
        source: serde_json::Error,
    },
    #[error("{0}")]
    Problem(Box<Problem>),
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    #[error("could not use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not listen on {address}")]
    Listen {
        address: std::net::SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("{0}")]
    Refused(String),
    #[error("could not write the output")]
    Output(#[from] io::Error),
}

impl Failure {
    /// A file that could not be used.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether only the reader of the output went away.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The code that the process ends with.
    pub(crate) fn exit(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Config(_) => ExitCode::from(2),
            Self::Open(OpenError::Locked { .. }) | Self::Unreachable { .. } => ExitCode::from(75),
            Self::Problem(problem) if problem.retryable => ExitCode::from(75),
            Self::Open(_)
            | Self::Problem(_)
            | Self::Answer { .. }
            | Self::Store(_)
            | Self::File { .. }
            | Self::Listen { .. }
            | Self::Refused(_)
            | Self::Output(_) => ExitCode::FAILURE,
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Open(OpenError::Locked { .. }) => {
                Some("a server holds it: name that server with --url http://127.0.0.1:8787".to_owned())
            }
            Self::Open(OpenError::NoStore(_)) => {
                Some("name a data directory with --data, or a server with --url".to_owned())
            }
            Self::Unreachable { .. } => Some("is it running? `km serve --data DIR` starts it".to_owned()),
            Self::Problem(problem) if !problem.code.is_empty() => {
                Some(format!("`km explain {}` says more", problem.code))
            }
            Self::Open(_)
            | Self::Usage(_)
            | Self::Config(_)
            | Self::Problem(_)
            | Self::Answer { .. }
            | Self::Store(_)
            | Self::File { .. }
            | Self::Listen { .. }
            | Self::Refused(_)
            | Self::Output(_) => None,
        }
    }
}
