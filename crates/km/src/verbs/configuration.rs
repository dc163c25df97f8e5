//! `km config`.

use std::path::Path;

use serde_json::json;
use toml::Value;

use crate::cli::{ConfigVerb, Global};
use crate::config::{Environment, Layers, Source};
use crate::console::{Console, DIM, RESET};
use crate::context::Context;
use crate::failure::{Ending, Failure};

pub(super) fn run(global: Global, environment: Environment, verb: &ConfigVerb) -> Result<Ending, Failure> {
    match verb {
        ConfigVerb::Print => print(&Context::new(global, environment)?),
        ConfigVerb::Check { file } => check(Console::new(&global), file),
    }
}

/// The values as a file that could be read again, each with its source. The one secret that may be among them, a
/// password in an address, is left out.
fn print(context: &Context) -> Result<Ending, Failure> {
    let console = context.console;
    if console.json {
        let values: serde_json::Map<_, _> = context
            .layers
            .leaves()
            .map(|(key, leaf)| {
                (
                    key.to_owned(),
                    json!({ "value": printable(&leaf.value), "source": leaf.source.to_string() }),
                )
            })
            .collect();
        console.value(&values)?;
        return Ok(Ending::Done);
    }
    let (mut open, mut first) = ("", true);
    // What stands in no section has to come before the first of them.
    let (alone, within): (Vec<_>, Vec<_>) = context.layers.leaves().partition(|(key, _)| !key.contains('.'));
    for (key, leaf) in alone.into_iter().chain(within) {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        if section != open {
            console.line(format_args!("{}[{section}]", if first { "" } else { "\n" }))?;
            open = section;
        }
        first = false;
        let assignment = format!("{name} = {}", shown(&printable(&leaf.value)));
        match &leaf.source {
            Source::Shipped => console.line(assignment)?,
            source => console.line(format_args!("{assignment:<40} {DIM}# {source}{RESET}"))?,
        }
    }
    Ok(Ending::Done)
}

/// A value without the user and the password of an address.
fn printable(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_password(text)),
        Value::Array(items) => Value::Array(items.iter().map(printable).collect()),
        other => other.clone(),
    }
}

fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (_, _) => text.to_owned(),
    }
}

/// A value as TOML; text is escaped as JSON does, which TOML reads the same way.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{} = {}", serde_json::Value::from(name.as_str()), shown(value))
            };
            format!("{{ {} }}", table.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Float(_) | Value::Datetime(_) => format!("{value:?}"),
    }
}

fn check(console: Console, file: &Path) -> Result<Ending, Failure> {
    let mut layers = Layers::shipped()?;
    match layers.put_file(file) {
        Ok(()) => {
            console.note(format_args!("{} is sound", file.display()))?;
            Ok(Ending::Done)
        }
        Err(error) => {
            console.complain(error)?;
            Ok(Ending::Findings)
        }
    }
}
