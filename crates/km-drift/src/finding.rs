//! What is found beside the comparison itself.

use serde::Serialize;

/// Where something stands. Lines and columns count from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// The line.
    pub line: Option<usize>,
    /// The column.
    pub column: Option<usize>,
}

impl Place {
    /// A place that is a whole file.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None }
    }

    /// A place in a file.
    #[must_use]
    pub fn new(file: impl Into<String>, line: usize, column: usize) -> Self {
        Self { file: file.into(), line: Some(line), column: Some(column) }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Note,
    /// It may hurt; it decides nothing.
    Warning,
    /// It decides the ending.
    Error,
}

/// A remark with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What kind.
    pub code: Code,
    /// How much it matters.
    pub level: Level,
    /// The sentence.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What to do.
    pub help: Option<String>,
    /// Whether it keeps something required from being decided.
    pub undecided: bool,
}

impl Remark {
    /// A remark without help.
    #[must_use]
    pub fn new(code: Code, level: Level, message: impl Into<String>, place: Option<Place>) -> Self {
        Self { code, level, message: message.into(), place, help: None, undecided: false }
    }

    /// The same, as something that keeps the check from being complete.
    #[must_use]
    pub fn undecided(mut self) -> Self {
        self.undecided = true;
        self
    }

    /// The same, with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal;)+) => {
        /// The checks of this room; `docs/checks` has a page for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $name),+ }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// `DR001`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }

            /// What it is, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

codes! {
    Differs = "DR001", "a deployed value differs from the default in the code";
    TypeError = "DR002", "the application cannot read a deployed value";
    MissingRequired = "DR003", "a setting without a default is not deployed";
    Unresolved = "DR004", "a deployed value cannot be known from these files";
    UnknownDefault = "DR005", "a default cannot be known from the code";
    Unparsable = "DR006", "a file cannot be read";
    Orphan = "DR007", "no setting reads a deployed variable";
    Shadowed = "DR008", "a variable is set where another wins";
    Placeholder = "DR009", "a placeholder is still deployed";
    NotSet = "DR010", "a setting that must be set is not deployed";
    UnresolvedBase = "DR011", "a base class cannot be found";
    Conditional = "DR012", "a setting depends on a condition in the code";
    ExpiredIgnore = "DR013", "an exception has expired";
    UnknownField = "DR014", "the policy names a setting that the code does not have";
    NothingCompared = "DR015", "there is nothing to compare";
    Nested = "DR016", "parts of a setting can be set alone";
    IgnoredEnv = "DR017", "pydantic 2 ignores env= of a field";
    NotText = "DR018", "a manifest holds a value that is not text";
    Cosmetic = "DR019", "two addresses are written differently";
    Customised = "DR020", "a class decides by itself where its settings come from";
    UnreadName = "DR021", "the name of a variable cannot be known from the code";
}
