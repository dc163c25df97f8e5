//! What pydantic makes of the text of a variable: pydantic 2 and, where it differs, pydantic 1.
//!
//! Source of the rules: pydantic-core's `input` and pydantic-settings' `EnvSettingsSource`; the test against
//! the real library holds this file to them.

use crate::types::{Bounds, Enum, Type};
use crate::value::{Value, int_as_float};

/// What became of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// The value that the application sees.
    Value(Value),
    /// The application does not start.
    Refused(String),
    /// It cannot be known here.
    Undecided(String),
}

/// Which library reads the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `BaseSettings` of pydantic 1.
    One,
    /// pydantic-settings.
    Two,
}

/// What a settings class says about reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The library.
    pub version: Version,
    /// `env_parse_none_str`: the text that stands for `None`.
    pub none_text: Option<String>,
    /// `env_ignore_empty`: empty text counts as not set.
    pub ignore_empty: bool,
    /// `enable_decoding`.
    pub decode: bool,
    /// `env_parse_enums`: enums are read by name.
    pub enums_by_name: bool,
    /// A validator that sees the value first, by name.
    pub validator: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            version: Version::Two,
            none_text: None,
            ignore_empty: false,
            decode: true,
            enums_by_name: false,
            validator: None,
        }
    }
}

/// What an application sees when a variable holds `text`; `None` when that counts as not set.
#[must_use]
pub fn from_variable(wanted: &Type, text: &str, rules: &Rules) -> Option<Parsed> {
    if rules.ignore_empty && text.is_empty() {
        return None;
    }
    if rules.none_text.as_deref() == Some(text) {
        return Some(validated(wanted, &Value::None, rules));
    }
    if let Some(value) = enum_by_name(wanted, text, rules) {
        return Some(Parsed::Value(value));
    }
    let complex = wanted.is_complex();
    let decodes = rules.decode && (complex || wanted.is_complex_union());
    let input = match serde_json::from_str::<serde_json::Value>(text) {
        // pydantic-settings leaves out what decodes to nothing.
        Ok(serde_json::Value::Null) if decodes && rules.version == Version::Two => return None,
        Ok(json) if decodes => Value::from_json(&json),
        Err(error) if decodes && complex => {
            return Some(Parsed::Refused(format!("it has to be JSON: {error}")));
        }
        _ => Value::Str(text.to_owned()),
    };
    Some(validated(wanted, &input, rules))
}

fn enum_by_name(wanted: &Type, text: &str, rules: &Rules) -> Option<Value> {
    let known = match wanted {
        Type::Enum(known) => known,
        Type::Union(parts) => return parts.iter().find_map(|part| enum_by_name(part, text, rules)),
        _ => return None,
    };
    let (_, value) = known.members.iter().find(|(name, _)| rules.enums_by_name && name == text)?;
    value.clone()
}

/// A value with the field's validators, of which only the existence is known.
pub(crate) fn validated(wanted: &Type, input: &Value, rules: &Rules) -> Parsed {
    let parsed = validate(wanted, input, rules.version);
    match (&parsed, &rules.validator) {
        (Parsed::Refused(_) | Parsed::Undecided(_), Some(name)) => {
            Parsed::Undecided(format!("the validator {name} sees the value before its type does"))
        }
        _ => parsed,
    }
}

/// What a value of a type is made of by text alone, as in JSON's strings.
pub(crate) fn convert(wanted: &Type, text: &str) -> Parsed {
    validate(wanted, &Value::Str(text.to_owned()), Version::Two)
}

/// What pydantic makes of a value in its lax mode.
pub(crate) fn validate(wanted: &Type, input: &Value, version: Version) -> Parsed {
    match wanted {
        Type::Bool => boolean(input),
        Type::Int => integer(input, version),
        Type::PythonInt => integer(input, Version::One),
        Type::Float => float(input),
        Type::Str => text(input, version),
        Type::Path => file_path(input),
        Type::Decimal => decimal(input),
        Type::Url(http) => url(input, *http),
        Type::Uuid => uuid(input),
        Type::Duration => duration(input),
        Type::Json => json(input),
        Type::JsonOf(inner) => match json(input) {
            Parsed::Value(value) => validate(inner, &value, version),
            other => other,
        },
        Type::Any => Parsed::Value(input.clone()),
        Type::None if *input == Value::None => Parsed::Value(Value::None),
        Type::None => refused("None", input),
        Type::List(inner) => match input {
            Value::List(items) | Value::Set(items) => all(inner, items, version, Value::List),
            _ => refused("a list", input),
        },
        Type::Set(inner) => match input {
            Value::List(items) | Value::Set(items) => all(inner, items, version, unique),
            _ => refused("a set", input),
        },
        Type::Tuple(parts) => tuple(parts, input, version),
        Type::Map(key, value) => map(key, value, input, version),
        Type::Union(parts) => union(parts, input, version),
        Type::Literal(values) => match values.iter().find(|value| *value == input) {
            Some(value) => Parsed::Value(value.clone()),
            None => Parsed::Refused(format!("it has to be one of {}", listed(values))),
        },
        Type::Enum(known) => member(known, input, version),
        Type::Secret(inner) | Type::Raw(inner) => validate(inner, input, version),
        Type::Bounded(inner, bounds) => match validate(inner, input, version) {
            Parsed::Value(value) => bounded(value, bounds),
            other => other,
        },
        Type::Model(_) if !matches!(input, Value::Map(_)) => refused("a JSON object", input),
        Type::Model(name) => Parsed::Undecided(format!("the fields of {name} are not compared as one value")),
        Type::Other(written) => Parsed::Undecided(format!("the type {written} is not known")),
    }
}

fn refused(wanted: &str, input: &Value) -> Parsed {
    let kind = match input {
        Value::None => "None",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Str(_) => "text",
        Value::List(_) | Value::Set(_) => "a list",
        Value::Map(_) => "a mapping",
    };
    Parsed::Refused(format!("it has to be {wanted}, and is {kind}"))
}

fn listed(values: &[Value]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn boolean(input: &Value) -> Parsed {
    let value = match input {
        Value::Bool(value) => Some(*value),
        Value::Int(0) => Some(false),
        Value::Int(1) => Some(true),
        Value::Float(number) if *number == 0.0 => Some(false),
        Value::Float(number) if *number == 1.0 => Some(true),
        Value::Str(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "y" | "on" | "t" => Some(true),
            "false" | "0" | "no" | "n" | "off" | "f" => Some(false),
            _ => None,
        },
        _ => None,
    };
    value.map_or_else(
        || refused("a boolean (true, false, 1, 0, yes, no, on, off)", input),
        |value| Parsed::Value(Value::Bool(value)),
    )
}

fn integer(input: &Value, version: Version) -> Parsed {
    let value = match input {
        Value::Bool(value) => Some(i128::from(*value)),
        Value::Int(value) => Some(*value),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => whole(*number),
        Value::Float(number) if version == Version::One && number.abs() < 1e15 => whole(number.trunc()),
        Value::Str(text) => integer_text(text, version),
        _ => None,
    };
    value.map_or_else(|| refused("a whole number", input), |value| Parsed::Value(Value::Int(value)))
}

#[allow(clippy::cast_possible_truncation, reason = "callers have looked at the magnitude")]
const fn whole(number: f64) -> Option<i128> {
    Some(number as i128)
}

fn integer_text(text: &str, version: Version) -> Option<i128> {
    let trimmed = text.trim();
    let mut digits = trimmed;
    if version == Version::Two
        && let Some((before, zeros)) = trimmed.split_once('.')
        && !before.is_empty()
        && zeros.chars().all(|c| c == '0')
        && !zeros.is_empty()
    {
        digits = before;
    }
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if !is_grouped(unsigned) {
        return None;
    }
    let plain = digits.strip_prefix('+').unwrap_or(digits).replace('_', "");
    plain.parse().ok()
}

/// Digits with single underscores between them.
fn is_grouped(digits: &str) -> bool {
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        && !digits.starts_with('_')
        && !digits.ends_with('_')
        && !digits.contains("__")
}

fn float(input: &Value) -> Parsed {
    let value = match input {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Int(value) => Some(int_as_float(*value)),
        Value::Float(value) => Some(*value),
        Value::Str(text) => float_text(text),
        _ => None,
    };
    value.map_or_else(|| refused("a number", input), |value| Parsed::Value(Value::Float(value)))
}

fn float_text(text: &str) -> Option<f64> {
    let trimmed = text.trim();
    let odd = trimmed.starts_with('_') || trimmed.ends_with('_') || trimmed.contains("__");
    if odd { None } else { trimmed.replace('_', "").parse().ok() }
}

fn text(input: &Value, version: Version) -> Parsed {
    match input {
        Value::Str(_) => Parsed::Value(input.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) if version == Version::One => {
            Parsed::Value(Value::Str(input.plain()))
        }
        _ => refused("text", input),
    }
}

/// A path as `pathlib` writes it: without doubled slashes, dots and a slash at the end.
fn file_path(input: &Value) -> Parsed {
    let Value::Str(text) = input else { return refused("a path", input) };
    let root = match text.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let whole = format!("{root}{}", parts.join("/"));
    Parsed::Value(Value::Str(if whole.is_empty() { ".".to_owned() } else { whole }))
}

fn decimal(input: &Value) -> Parsed {
    match input {
        Value::Int(_) | Value::Float(_) => float(input),
        // Python's Decimal takes underscores anywhere.
        Value::Str(text) => match text.replace('_', "").trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Parsed::Value(Value::Float(number)),
            _ => refused("a finite decimal number", input),
        },
        _ => refused("a decimal number", input),
    }
}

fn url(input: &Value, http: bool) -> Parsed {
    let Value::Str(text) = input else { return refused("an address", input) };
    let scheme = text.trim().split_once(':').map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    match scheme {
        Some((scheme, rest)) if is_scheme(&scheme) => {
            let host = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
            if http && scheme != "http" && scheme != "https" {
                Parsed::Refused("it has to be an address that begins with http:// or https://".to_owned())
            } else if (host.is_empty() && NEED_A_HOST.contains(&scheme.as_str()))
                || (http && host.contains([' ', ',', '{']))
            {
                Parsed::Refused("it has to be an address with a host".to_owned())
            } else {
                Parsed::Value(input.clone())
            }
        }
        _ => Parsed::Refused("it has to be an address with a scheme, such as https://".to_owned()),
    }
}

/// Schemes without which a host makes no sense, as WHATWG's URL standard has them.
const NEED_A_HOST: [&str; 5] = ["http", "https", "ws", "wss", "ftp"];

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn uuid(input: &Value) -> Parsed {
    let Value::Str(text) = input else { return refused("a UUID", input) };
    let bare =
        text.trim_start_matches("urn:uuid:").trim_matches(['{', '}']).replace('-', "").to_ascii_lowercase();
    if bare.len() != 32 || !bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return refused("a UUID", input);
    }
    Parsed::Value(Value::Str(bare))
}

/// Seconds, `HH:MM:SS` or ISO 8601 without months.
fn duration(input: &Value) -> Parsed {
    match input {
        Value::Int(value) => Parsed::Value(Value::Float(int_as_float(*value))),
        Value::Float(_) => Parsed::Value(input.clone()),
        Value::Str(text) => match text.parse::<f64>().ok().or_else(|| clock(text)).or_else(|| iso(text)) {
            Some(seconds) => Parsed::Value(Value::Float(seconds)),
            None => Parsed::Undecided("this spelling of a duration is not known".to_owned()),
        },
        _ => refused("a duration", input),
    }
}

fn clock(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let parts: Vec<f64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    if parts.len() != 3 {
        return None;
    }
    for part in parts {
        seconds = seconds * 60.0 + part;
    }
    Some(seconds)
}

fn iso(text: &str) -> Option<f64> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut seconds = 0.0;
    for (part, units) in [
        (days, [('W', 604_800.0), ('D', 86_400.0), ('D', 0.0)]),
        (time, [('H', 3_600.0), ('M', 60.0), ('S', 1.0)]),
    ] {
        let mut number = String::new();
        for c in part.chars() {
            if c.is_ascii_digit() || c == '.' {
                number.push(c);
            } else {
                let (_, unit) = units.iter().find(|(letter, _)| *letter == c)?;
                seconds += number.parse::<f64>().ok()? * unit;
                number.clear();
            }
        }
        if !number.is_empty() {
            return None;
        }
    }
    Some(seconds)
}

fn json(input: &Value) -> Parsed {
    let Value::Str(text) = input else { return refused("JSON text", input) };
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Parsed::Value(Value::from_json(&json)),
        Err(error) => Parsed::Refused(format!("it has to be JSON: {error}")),
    }
}

/// Every item of a list, or the first that is not taken.
fn all(inner: &Type, items: &[Value], version: Version, gather: fn(Vec<Value>) -> Value) -> Parsed {
    let mut values = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        match validate(inner, item, version) {
            Parsed::Value(value) => values.push(value),
            Parsed::Refused(why) => return Parsed::Refused(format!("item {at}: {why}")),
            Parsed::Undecided(why) => return Parsed::Undecided(why),
        }
    }
    Parsed::Value(gather(values))
}

fn unique(items: Vec<Value>) -> Value {
    let mut unique: Vec<Value> = Vec::new();
    for item in items {
        if !unique.iter().any(|known| known.same(&item)) {
            unique.push(item);
        }
    }
    Value::Set(unique)
}

fn tuple(parts: &[Type], input: &Value, version: Version) -> Parsed {
    let (Value::List(items) | Value::Set(items)) = input else { return refused("a tuple", input) };
    if items.len() != parts.len() {
        return Parsed::Refused(format!("it has to have {} items, and has {}", parts.len(), items.len()));
    }
    let mut values = Vec::new();
    for (part, item) in parts.iter().zip(items) {
        match validate(part, item, version) {
            Parsed::Value(value) => values.push(value),
            other => return other,
        }
    }
    Parsed::Value(Value::List(values))
}

fn map(key: &Type, value: &Type, input: &Value, version: Version) -> Parsed {
    if version == Version::One && *input == Value::List(Vec::new()) {
        return Parsed::Value(Value::Map(Vec::new()));
    }
    let Value::Map(items) = input else { return refused("a mapping", input) };
    let mut map = Vec::with_capacity(items.len());
    for (item_key, item) in items {
        match (validate(key, item_key, version), validate(value, item, version)) {
            (Parsed::Value(key), Parsed::Value(value)) => map.push((key, value)),
            (Parsed::Value(_), other) | (other, _) => return other,
        }
    }
    Parsed::Value(Value::Map(map))
}

/// pydantic 2 prefers the part that takes the value as it is; pydantic 1 the first that takes it at all.
fn union(parts: &[Type], input: &Value, version: Version) -> Parsed {
    if version == Version::Two
        && let Some(exact) = parts.iter().find(|part| takes_exactly(part, input))
    {
        return validate(exact, input, version);
    }
    if version == Version::One && *input == Value::None && parts.contains(&Type::None) {
        return Parsed::Value(Value::None);
    }
    let mut undecided = None;
    for part in parts {
        match validate(part, input, version) {
            Parsed::Value(value) if undecided.is_none() => return Parsed::Value(value),
            Parsed::Value(_) | Parsed::Refused(_) => {}
            Parsed::Undecided(why) => undecided = Some(why),
        }
    }
    undecided.map_or_else(|| only_refusal(parts, input, version), Parsed::Undecided)
}

/// The refusal of the one part that is not `None`, or of them all.
fn only_refusal(parts: &[Type], input: &Value, version: Version) -> Parsed {
    let mut others = parts.iter().filter(|part| **part != Type::None);
    match (others.next(), others.next()) {
        (Some(one), None) => validate(one, input, version),
        _ => Parsed::Refused("none of its types takes it".to_owned()),
    }
}

fn takes_exactly(part: &Type, input: &Value) -> bool {
    match (part, input) {
        (Type::Str, Value::Str(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::None, Value::None) => true,
        (Type::Literal(values), input) => values.contains(input),
        (Type::Union(parts), input) => parts.iter().any(|part| takes_exactly(part, input)),
        (Type::Bounded(inner, _), input) => takes_exactly(inner, input),
        _ => false,
    }
}

fn member(known: &Enum, input: &Value, version: Version) -> Parsed {
    let values: Vec<&Value> = known.members.iter().filter_map(|(_, value)| value.as_ref()).collect();
    if let Some(value) = values.iter().find(|value| **value == input) {
        return Parsed::Value((*value).clone());
    }
    if known.is_int
        && let Parsed::Value(number) = integer(input, version)
        && values.contains(&&number)
    {
        return Parsed::Value(number);
    }
    if values.len() < known.members.len() {
        return Parsed::Undecided(format!("not every member of {} is known", known.name));
    }
    let names: Vec<String> = values.iter().map(ToString::to_string).collect();
    Parsed::Refused(format!("it has to be one of {}", names.join(", ")))
}

fn bounded(value: Value, bounds: &Bounds) -> Parsed {
    let number = match &value {
        Value::Int(value) => Some(int_as_float(*value)),
        Value::Float(value) => Some(*value),
        _ => None,
    };
    let length = match &value {
        Value::Str(text) => Some(text.chars().count()),
        Value::List(items) | Value::Set(items) => Some(items.len()),
        Value::Map(items) => Some(items.len()),
        _ => None,
    };
    let broken = [
        (number.zip(bounds.gt).is_some_and(|(is, limit)| is <= limit), bounds.gt, "greater than"),
        (number.zip(bounds.ge).is_some_and(|(is, limit)| is < limit), bounds.ge, "at least"),
        (number.zip(bounds.lt).is_some_and(|(is, limit)| is >= limit), bounds.lt, "less than"),
        (number.zip(bounds.le).is_some_and(|(is, limit)| is > limit), bounds.le, "at most"),
    ];
    if let Some((_, Some(limit), words)) = broken.iter().find(|(broken, _, _)| *broken) {
        return Parsed::Refused(format!("it has to be {words} {limit}"));
    }
    match length {
        Some(length) if bounds.min_length.is_some_and(|least| length < least) => {
            Parsed::Refused(format!("it has length {length}, which is too short"))
        }
        Some(length) if bounds.max_length.is_some_and(|most| length > most) => {
            Parsed::Refused(format!("it has length {length}, which is too long"))
        }
        _ => Parsed::Value(value),
    }
}
