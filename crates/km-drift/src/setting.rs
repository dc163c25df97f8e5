//! A setting of an application: the variables that set it, its type and its default.

use serde::Serialize;

use crate::finding::Place;
use crate::pydantic::{Parsed, Rules};
use crate::types::Type;
use crate::value::Value;

/// A setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The variable's name that is shown and that policies use.
    pub name: String,
    /// Variables that set it, the first that is set wins.
    pub names: Vec<EnvName>,
    /// The class or the file that it belongs to.
    pub owner: String,
    /// The field, or what it is assigned to.
    pub field: String,
    /// The value when no variable is set.
    pub default: Default,
    /// The default as it is written.
    pub written: String,
    /// How the text of a variable is read.
    pub reading: Reading,
    /// Its values must not be shown.
    pub secret: bool,
    /// Where it stands.
    pub place: Place,
    /// The condition that it stands under.
    pub condition: Option<String>,
    /// What follows the variable's name when a part of the value is set alone (`env_nested_delimiter`).
    pub nested: Option<String>,
}

/// A variable's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnvName {
    /// The name; in capitals when case does not count.
    pub name: String,
    /// Whether the application ignores case.
    pub any_case: bool,
}

impl EnvName {
    /// Whether a variable has this name.
    #[must_use]
    pub fn is(&self, variable: &str) -> bool {
        if self.any_case {
            self.name.to_lowercase() == variable.to_lowercase()
        } else {
            self.name == variable
        }
    }
}

/// The value when no variable is set.
#[derive(Clone, Debug, PartialEq)]
pub enum Default {
    /// A value.
    Value(Value),
    /// There is none: the application does not start.
    Required,
    /// It cannot be known from the source.
    Unknown,
    /// The type does not take it: the application does not start.
    Refused(String),
}

/// How the text of a variable becomes a value.
#[derive(Clone, Debug)]
pub enum Reading {
    /// As pydantic does.
    Typed(Type, Rules),
    /// By an expression of the application, in which the variable was left open.
    Expression(crate::python::OpenExpression),
    /// As a type of km's own configuration.
    Own(OwnType),
}

/// Types of km's own configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnType {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A duration such as `5s` or a size such as `16MiB`.
    Quantity,
    /// Text.
    Text,
}

impl Setting {
    /// What the application sees when a variable holds `text`; `None` when that counts as not set.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Parsed> {
        match &self.reading {
            Reading::Typed(wanted, rules) => crate::pydantic::from_variable(wanted, text, rules),
            Reading::Expression(open) => Some(open.read(&self.name, text)),
            Reading::Own(own) => Some(own.read(text)),
        }
    }

    /// The type, as far as it is known.
    #[must_use]
    pub const fn wanted(&self) -> Option<&Type> {
        match &self.reading {
            Reading::Typed(wanted, _) => Some(wanted),
            Reading::Expression(_) | Reading::Own(_) => None,
        }
    }
}

impl OwnType {
    fn read(self, text: &str) -> Parsed {
        let refused = |what: &str| Parsed::Refused(format!("it has to be {what}"));
        match self {
            Self::Text => Parsed::Value(Value::Str(text.to_owned())),
            Self::Bool => match text {
                "true" => Parsed::Value(Value::Bool(true)),
                "false" => Parsed::Value(Value::Bool(false)),
                _ => refused("true or false"),
            },
            Self::Quantity => match crate::own::quantity(text) {
                Some(amount) => Parsed::Value(amount),
                None => text.parse().map_or_else(
                    |_| refused("a whole number with a unit: ms, s, m, h, d, KiB, MiB or GiB"),
                    |number| Parsed::Value(Value::Int(number)),
                ),
            },
            Self::Int => text
                .parse()
                .map_or_else(|_| refused("a whole number"), |number| Parsed::Value(Value::Int(number))),
        }
    }
}

/// Words in names of settings that hold secrets.
const SECRET_WORDS: [&str; 11] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "CREDENTIAL",
    "AUTH_KEY",
];

/// Whether a name says that the value must not be shown.
#[must_use]
pub(crate) fn names_a_secret(name: &str) -> bool {
    let upper = name.to_uppercase();
    SECRET_WORDS.iter().any(|word| upper.contains(word))
        || upper.ends_with("_PWD")
        || upper.ends_with("_PASS")
}
