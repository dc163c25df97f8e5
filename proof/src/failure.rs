//! Why a layer did not come to its end.

use std::fmt;
use std::path::Path;

/// Why a layer failed. Both kinds fail the run: what could not be tried is not shown.
#[derive(Debug)]
pub(crate) enum Failure {
    /// km broke promises, in words.
    Broken(Vec<String>),
    /// The proof could not be carried out.
    Hindered {
        /// What was tried.
        what: String,
        /// What came in the way.
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Failure {
    /// One broken promise.
    pub(crate) fn broken(finding: impl Into<String>) -> Self {
        Self::Broken(vec![finding.into()])
    }

    /// Something that this machine or the proof itself does not allow.
    pub(crate) fn hindered(what: impl Into<String>) -> Self {
        Self::Hindered { what: what.into(), cause: None }
    }

    /// As [`Failure::hindered`], with the cause.
    pub(crate) fn because<E>(what: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let what = what.into();
        move |cause| Self::Hindered { what, cause: Some(cause.into()) }
    }

    /// A file that could not be used.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::because(format!("could not use {}", path.display()))
    }
}

/// Findings that are shown; more are only counted.
const SHOWN_MAX: usize = 20;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(findings) => {
                write!(f, "km broke {} promise(s)", findings.len())?;
                findings.iter().take(SHOWN_MAX).try_for_each(|finding| write!(f, "\n  - {finding}"))?;
                match findings.len().saturating_sub(SHOWN_MAX) {
                    0 => Ok(()),
                    more => write!(f, "\n  - and {more} more"),
                }
            }
            Self::Hindered { what, cause } => {
                write!(f, "could not be carried out: {what}")?;
                let mut cause = cause.as_deref().map(|cause| cause as &dyn std::error::Error);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
        }
    }
}
