//! What is wrong with an input, by field.

use std::borrow::Cow;
use std::fmt;

/// One broken rule of one field. A request is answered with all of its violations at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field as the caller spelt it, with an index where there is one (`tags[3]`, `labels.cluster`).
    pub field: Cow<'static, str>,
    /// The rule, with the figures that explain it.
    pub rule: Rule,
}

/// The rules an input can break; each maps to one problem code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Something that must be there is absent or empty.
    Missing {
        /// Why it is needed.
        because: &'static str,
    },
    /// Neither title nor content.
    NothingToRemember,
    /// More bytes than the limit.
    TooLong {
        /// What was sent.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// More items than the limit.
    TooMany {
        /// What was sent.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Arrays and objects nested deeper than the limit.
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// A control character that no store can be trusted to keep, such as NUL.
    ControlCharacter {
        /// Its code point.
        code_point: u32,
    },
    /// Outside the field's alphabet or format.
    Malformed {
        /// What is accepted.
        expected: &'static str,
    },
    /// Not one of a closed set.
    NotOneOf {
        /// The set.
        allowed: &'static str,
    },
    /// A credential where only a name may stand. What it is, is not repeated.
    HoldsSecret,
    /// Given on a path where it means nothing.
    NotOnThisPath {
        /// Where it may stand.
        allowed: &'static str,
    },
    /// A time further ahead of our clock than is tolerated.
    InTheFuture {
        /// How far, in seconds.
        seconds: i64,
        /// The limit, in seconds.
        max: i64,
    },
}

impl Violation {
    /// A violation of `rule` by `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, rule: Rule) -> Self {
        Self { field: field.into(), rule }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { because } => write!(f, "is missing: {because}"),
            Self::NothingToRemember => {
                write!(f, "is empty, and so is the title: there is nothing to remember")
            }
            Self::TooLong { bytes, max } => write!(f, "has {bytes} bytes, the limit is {max}"),
            Self::TooMany { count, max } => write!(f, "has {count} items, the limit is {max}"),
            Self::TooDeep { max } => write!(f, "is nested deeper than {max} levels"),
            Self::ControlCharacter { code_point } => {
                write!(f, "holds the control character U+{code_point:04X}, which cannot be stored")
            }
            Self::Malformed { expected } => write!(f, "is malformed: expected {expected}"),
            Self::NotOneOf { allowed } => write!(f, "must be one of {allowed}"),
            Self::HoldsSecret => write!(f, "holds what looks like a credential: an id is kept as it is"),
            Self::NotOnThisPath { allowed } => write!(f, "may only be given with {allowed}"),
            Self::InTheFuture { seconds, max } => {
                write!(f, "lies {seconds} s in the future, at most {max} s are accepted")
            }
        }
    }
}
