//! Values as an application sees them, and how they are shown.

use std::fmt;

/// A value of Python, as far as settings use them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer; those that need more bits count as unknown.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// Text, also that of paths, addresses and bytes.
    Str(String),
    /// A list or a tuple.
    List(Vec<Self>),
    /// A set; the order says nothing.
    Set(Vec<Self>),
    /// A mapping; the order says nothing.
    Map(Vec<(Self, Self)>),
}

impl Value {
    /// Whether two values are the same to an application. `1` and `1.0` are, `True` and `1` are not.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => int_as_float(*a) == *b,
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Self::Set(a), Self::Set(b)) => {
                let inside = |a: &[Self], b: &[Self]| a.iter().all(|x| b.iter().any(|y| x.same(y)));
                inside(a, b) && inside(b, a)
            }
            (Self::Map(a), Self::Map(b)) => {
                let found = |key: &Self| b.iter().find(|(other, _)| other.same(key));
                a.len() == b.len()
                    && a.iter().all(|(key, value)| found(key).is_some_and(|(_, other)| other.same(value)))
            }
            (a, b) => a == b,
        }
    }

    /// What Python's `bool()` says of it.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) | Self::Set(items) => !items.is_empty(),
            Self::Map(items) => !items.is_empty(),
        }
    }

    /// The value as JSON; a set is a list, and keys of a mapping are text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::None => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => {
                i64::try_from(*value).map_or_else(|_| value.to_string().into(), serde_json::Value::from)
            }
            Self::Float(value) => serde_json::Number::from_f64(*value)
                .map_or_else(|| value.to_string().into(), serde_json::Value::Number),
            Self::Str(text) => text.as_str().into(),
            Self::List(items) | Self::Set(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(items) => items
                .iter()
                .map(|(key, value)| (key.plain(), value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The value of a JSON document.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::None,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map(i128::from)
                .or_else(|| number.as_u64().map(i128::from))
                .map_or_else(|| Self::Float(number.as_f64().unwrap_or(f64::NAN)), Self::Int),
            serde_json::Value::String(text) => Self::Str(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(items) => Self::Map(
                items.iter().map(|(key, value)| (Self::Str(key.clone()), Self::from_json(value))).collect(),
            ),
        }
    }

    /// The text of a string, and the spelling of anything else.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "Python compares an int with a float in the same way, near enough"
)]
pub(crate) fn int_as_float(value: i128) -> f64 {
    value as f64
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Bool(true) => out.write_str("True"),
            Self::Bool(false) => out.write_str("False"),
            Self::Int(value) => write!(out, "{value}"),
            Self::Float(value) => write!(out, "{value:?}"),
            Self::Str(text) => write!(out, "{text:?}"),
            Self::List(_) | Self::Set(_) | Self::Map(_) => write!(out, "{}", self.to_json()),
        }
    }
}

/// A text without what must not be shown: control characters, and the password in an address.
#[must_use]
pub fn shown(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    without_password(&clean)
}

fn without_password(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let authority = after.split(['/', '?', '#', ' ', '"', ',']).next().unwrap_or_default();
        match authority.rfind('@').map(|end| authority.split_at(end)) {
            Some((user, host)) if user.contains(':') => {
                shown.push_str(user.split(':').next().unwrap_or_default());
                shown.push_str(":***");
                shown.push_str(host);
            }
            Some(_) | None => shown.push_str(authority),
        }
        rest = after.get(authority.len()..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        assert_eq!(shown("postgres://km:hunter2@db:5432/km"), "postgres://km:***@db:5432/km");
        assert_eq!(shown("a,redis://:p@ss@h/0,b"), "a,redis://:***@h/0,b");
        assert_eq!(shown("http://km@db/x:y@z"), "http://km@db/x:y@z");
    }

    #[test]
    fn sets_and_maps_have_no_order() {
        let one = Value::Set(vec![Value::Int(1), Value::Int(2)]);
        let other = Value::Set(vec![Value::Int(2), Value::Int(1)]);
        assert!(one.same(&other));
        assert!(!Value::Bool(true).same(&Value::Int(1)));
        assert!(Value::Float(1.0).same(&Value::Int(1)));
    }
}
