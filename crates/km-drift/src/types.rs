//! The types of settings, as far as they decide what a variable's text means.

use crate::value::Value;

/// The type of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `int` as pydantic reads it.
    Int,
    /// `int()` of Python.
    PythonInt,
    /// `float`.
    Float,
    /// Text, and what is compared as text: bytes.
    Str,
    /// A path of the file system.
    Path,
    /// `Decimal`, compared as a number.
    Decimal,
    /// An address with a scheme; `true` for http and https alone.
    Url(bool),
    /// `UUID`.
    Uuid,
    /// `timedelta`, in seconds.
    Duration,
    /// A JSON document of any kind.
    Json,
    /// Text that holds JSON of a type: `Json[list[int]]`.
    JsonOf(Box<Self>),
    /// Anything.
    Any,
    /// `None`.
    None,
    /// A list, or a tuple of any length.
    List(Box<Self>),
    /// A tuple of fixed length.
    Tuple(Vec<Self>),
    /// A set.
    Set(Box<Self>),
    /// A mapping.
    Map(Box<Self>, Box<Self>),
    /// One of several.
    Union(Vec<Self>),
    /// One of these values.
    Literal(Vec<Value>),
    /// A member of an enum.
    Enum(Enum),
    /// A value that must not be shown.
    Secret(Box<Self>),
    /// Limits on a value.
    Bounded(Box<Self>, Bounds),
    /// A value that is not decoded as JSON first.
    Raw(Box<Self>),
    /// A model with fields of its own.
    Model(String),
    /// A type that is not known here, as it is written.
    Other(String),
}

/// An enum and its members.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// The class.
    pub name: String,
    /// Names and values; a value that cannot be known is missing.
    pub members: Vec<(String, Option<Value>)>,
    /// Whether members are integers by type (`IntEnum`).
    pub is_int: bool,
}

/// Limits on a value or on its length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Greater than.
    pub gt: Option<f64>,
    /// Greater or equal.
    pub ge: Option<f64>,
    /// Less than.
    pub lt: Option<f64>,
    /// Less or equal.
    pub le: Option<f64>,
    /// Least length.
    pub min_length: Option<usize>,
    /// Greatest length.
    pub max_length: Option<usize>,
    /// There is a pattern or another limit that is not looked at.
    pub more: bool,
}

impl Bounds {
    /// Whether it limits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Type {
    /// Whether pydantic-settings decodes a variable as JSON before it looks at the type.
    pub(crate) fn is_complex(&self) -> bool {
        match self {
            Self::List(_) | Self::Tuple(_) | Self::Set(_) | Self::Map(..) | Self::Model(_) => true,
            Self::Bounded(inner, _) => inner.is_complex(),
            _ => false,
        }
    }

    /// Whether it is a union of which a part is complex: then text that is no JSON stays text.
    pub(crate) fn is_complex_union(&self) -> bool {
        match self {
            Self::Union(parts) => parts.iter().any(|part| part.is_complex() || part.is_complex_union()),
            Self::Bounded(inner, _) => inner.is_complex_union(),
            _ => false,
        }
    }

    /// Whether values must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Union(parts) => parts.iter().any(Self::is_secret),
            Self::Bounded(inner, _) | Self::List(inner) | Self::Set(inner) | Self::Raw(inner) => {
                inner.is_secret()
            }
            Self::Map(_, inner) => inner.is_secret(),
            _ => false,
        }
    }

    /// Whether values could be secrets at all: text in any form.
    pub(crate) fn may_hold_text(&self) -> bool {
        match self {
            Self::Bool
            | Self::Int
            | Self::PythonInt
            | Self::Float
            | Self::Decimal
            | Self::Duration
            | Self::None
            | Self::Literal(_)
            | Self::Enum(_) => false,
            Self::Union(parts) => parts.iter().any(Self::may_hold_text),
            Self::Bounded(inner, _) | Self::Raw(inner) => inner.may_hold_text(),
            _ => true,
        }
    }
}
