//! What a check says.

/// Something to mend, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check, such as `AM101`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is wrong, with the names that are concerned.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to do about it.
    pub help: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is certainly wrong.
    Error,
    /// It is probably wrong.
    Warning,
    /// It is worth knowing.
    Note,
}

/// A place in a file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, where there is one.
    pub line: Option<usize>,
    /// The column, in characters.
    pub column: Option<usize>,
}
