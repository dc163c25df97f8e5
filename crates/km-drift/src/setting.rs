//! A setting of an application: the variables that set it, its type and its default.

use crate::finding::Place;
use crate::pydantic::{Parsed, Rules, from_variable, validated};
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
#[derive(Clone, Debug, PartialEq)]
pub struct EnvName {
    /// The name; in capitals when case does not count.
    pub name: String,
    /// Whether the application ignores case.
    pub any_case: bool,
    /// How its text becomes the value of the setting.
    pub way: Way,
}

/// How the text of a variable becomes the value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// As the setting is read.
    Direct,
    /// The text is JSON, and the value a part of it (`AliasPath`).
    Part {
        /// The steps into the document.
        steps: Vec<Step>,
        /// The class forbids what it does not know (`extra`), and so a document without that part.
        strict: bool,
    },
    /// The default of the field reads the variable by itself.
    Default(crate::python::OpenExpression),
}

/// A step into a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key of an object.
    Key(String),
    /// An item of a list; from the end when negative.
    Item(i128),
}

impl EnvName {
    /// Whether a variable has this name.
    #[must_use]
    pub fn is(&self, variable: &str) -> bool {
        if !self.any_case {
            return self.name == variable;
        }
        self.name.eq_ignore_ascii_case(variable)
            || (!self.name.is_ascii() && self.name.to_lowercase() == variable.to_lowercase())
    }

    /// A name whose text is read as the setting is.
    #[must_use]
    pub const fn direct(name: String, any_case: bool) -> Self {
        Self { name, any_case, way: Way::Direct }
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
    /// What the application sees when the variable of one of its names holds `text`; `None` when that counts as
    /// not set.
    #[must_use]
    pub fn read(&self, name: &EnvName, text: &str) -> Option<Parsed> {
        match &self.reading {
            Reading::Typed(wanted, rules) => match &name.way {
                Way::Direct => from_variable(wanted, text, rules),
                Way::Part { steps, strict } => part(wanted, text, steps, *strict, rules),
                Way::Default(open) => Some(match open.read(&name.name, text) {
                    Parsed::Value(value) => validated(wanted, &value, rules),
                    other => other,
                }),
            },
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

/// The part of a JSON document that a setting is.
fn part(wanted: &Type, text: &str, steps: &[Step], strict: bool, rules: &Rules) -> Option<Parsed> {
    let document = match serde_json::from_str(text) {
        Ok(serde_json::Value::Null) => return None,
        Ok(json) => Value::from_json(&json),
        Err(error) => return Some(Parsed::Refused(format!("it has to be JSON: {error}"))),
    };
    match steps.iter().try_fold(document, |value, step| step.into(value)) {
        Some(value) => Some(validated(wanted, &value, rules)),
        None if strict => Some(Parsed::Refused("the document does not have that part".to_owned())),
        None => None,
    }
}

impl Step {
    fn into(&self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Key(key), Value::Map(items)) => {
                items.into_iter().find(|(known, _)| known.plain() == *key).map(|(_, value)| value)
            }
            (Self::Item(at), Value::List(items)) => {
                let length = i128::try_from(items.len()).unwrap_or_default();
                let at = usize::try_from(if *at < 0 { *at + length } else { *at }).ok()?;
                items.into_iter().nth(at)
            }
            _ => None,
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
