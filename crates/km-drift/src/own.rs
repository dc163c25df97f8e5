//! km's own settings: every key of `config/default.toml`, and the variable that sets it.

use toml::{Table, Value as Toml};

use crate::finding::{Code, Level, Place, Remark};
use crate::setting::{Default, EnvName, OwnType, Reading, Setting, names_a_secret};
use crate::value::Value;

/// Units of durations in milliseconds, and of sizes in bytes.
const UNITS: [(&str, i128); 8] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// The settings of a file with every key and its default.
///
/// # Errors
/// A remark with the place where the file is no TOML.
pub fn own_settings(file: &str, text: &str) -> Result<Vec<Setting>, Remark> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let message = format!("is not TOML: {}", error.message());
        Remark::new(Code::Unparsable, Level::Error, message, Some(Place::new(file, line, column))).undecided()
    })?;
    let mut settings = Vec::new();
    below(file, text, &table, &mut Vec::new(), &mut settings);
    Ok(settings)
}

fn below(file: &str, text: &str, table: &Table, path: &mut Vec<String>, into: &mut Vec<Setting>) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            Toml::Table(inner) => below(file, text, inner, path, into),
            value => into.push(setting(file, text, path, value)),
        }
        path.pop();
    }
}

fn setting(file: &str, text: &str, path: &[String], value: &Toml) -> Setting {
    let parts = path.iter().map(|part| part.to_uppercase().replace('-', "_"));
    let name = std::iter::once("KM".to_owned()).chain(parts).collect::<Vec<_>>().join("__");
    let (own, default) = match value {
        Toml::Boolean(value) => (OwnType::Bool, Value::Bool(*value)),
        Toml::Integer(value) => (OwnType::Int, Value::Int(i128::from(*value))),
        Toml::String(text) => match quantity(text) {
            Some(amount) => (OwnType::Quantity, amount),
            None => (OwnType::Text, Value::Str(text.clone())),
        },
        other => (OwnType::Text, Value::Str(written(other))),
    };
    Setting {
        names: vec![EnvName::direct(name.clone(), false)],
        owner: file.to_owned(),
        field: path.join("."),
        default: Default::Value(default),
        written: written(value),
        reading: Reading::Own(own),
        secret: names_a_secret(&name),
        place: place(file, text, path),
        condition: None,
        nested: None,
        name,
    }
}

/// The value as JSON writes it, which is as TOML does for what is used here.
fn written(value: &Toml) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A duration or a size in its smallest unit.
pub(crate) fn quantity(text: &str) -> Option<Value> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit.trim())?;
    digits.parse::<i128>().ok()?.checked_mul(*factor).map(Value::Int)
}

/// The line that sets a key.
fn place(file: &str, text: &str, path: &[String]) -> Place {
    let Some((key, section)) = path.split_last() else { return Place::file(file) };
    let header = format!("[{}]", section.join("."));
    let mut inside = section.is_empty();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == header;
        } else if inside && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return Place::new(file, at + 1, 1);
        }
    }
    Place::file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_variable_and_its_line() {
        let settings = own_settings("d.toml", "[dead-letters]\n# c\ninterval = \"5s\"\n").unwrap_or_default();
        assert_eq!(settings[0].name, "KM__DEAD_LETTERS__INTERVAL");
        assert_eq!(settings[0].place, Place::new("d.toml", 3, 1));
        let read = |text| settings[0].read(&settings[0].names[0], text);
        assert_eq!(read("5000ms"), read("5s"));
    }

    #[test]
    fn broken_toml_is_named_with_its_place() {
        let error = own_settings("d.toml", "a = 1\nb = [\n").err().and_then(|remark| remark.place);
        assert!(error.is_some_and(|place| place.line >= Some(2)));
    }
}
