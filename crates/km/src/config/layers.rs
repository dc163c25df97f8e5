//! Layers of configuration, each over the one before; every value knows where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use super::Config;

/// The lowest layer, and the list of every key.
const SHIPPED: &str = include_str!("../../../../config/default.toml");
/// Read when they are there and no other file is named; the later goes over the earlier.
const USUAL_FILES: [&str; 2] = ["/etc/km/km.toml", "km.toml"];
/// What every variable of the configuration begins with.
const PREFIX: &str = "KM__";

/// The environment of the process, as it was at its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(pub(crate) BTreeMap<String, String>);

impl Environment {
    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Shipped,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One value of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) value: Value,
    pub(crate) source: Source,
}

/// What is wrong with the configuration, and where.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not TOML: {}", path.display(), source.message())]
    Syntax {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("{origin}: there is no key `{key}`{}", hint(nearest.as_deref()))]
    UnknownKey { origin: Source, key: String, nearest: Option<String> },
    #[error("{origin}: `{key}`: {}", source.message().lines().next().unwrap_or_default())]
    Value {
        origin: Source,
        key: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("{variable} is `{value}`; it must be `true` or `false`")]
    Switch { variable: &'static str, value: String },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}

/// Every key with its value, and the configuration that they make.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    leaves: BTreeMap<String, Leaf>,
    config: Config,
}

impl Layers {
    /// The shipped layer.
    ///
    /// # Errors
    /// Never for the file that was compiled in, which a test reads.
    pub(crate) fn shipped() -> Result<Self, ConfigError> {
        let table = parse(Path::new("config/default.toml"), SHIPPED)?;
        let mut leaves = BTreeMap::new();
        flatten("", table, &mut |key, value| {
            leaves.insert(key, Leaf { value, source: Source::Shipped });
        });
        let config = build(&leaves).map_err(|source| ConfigError::Value {
            origin: Source::Shipped,
            key: String::new(),
            source: Box::new(source),
        })?;
        Ok(Self { leaves, config })
    }

    /// The shipped layer, the files, and the environment.
    ///
    /// # Errors
    /// [`ConfigError`] of the first value that is wrong.
    pub(crate) fn load(named: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let mut layers = Self::shipped()?;
        match named.or_else(|| environment.get("KM_CONFIG").map(Path::new)) {
            Some(path) => layers.put_file(path)?,
            None => {
                for path in USUAL_FILES.map(Path::new).into_iter().filter(|path| path.exists()) {
                    layers.put_file(path)?;
                }
            }
        }
        layers.put_environment(environment)?;
        Ok(layers)
    }

    /// What holds.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Every key with its value and source, in the order of the alphabet.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (&str, &Leaf)> {
        self.leaves.iter().map(|(key, leaf)| (key.as_str(), leaf))
    }

    /// Puts one value over what holds.
    ///
    /// # Errors
    /// [`ConfigError`] that names the source, when there is no such key or the value does not fit it.
    pub(crate) fn put(&mut self, key: &str, value: Value, source: Source) -> Result<(), ConfigError> {
        let Some(leaf) = self.leaves.get_mut(key) else {
            let nearest = nearest(key, self.leaves.keys());
            return Err(ConfigError::UnknownKey { origin: source, key: key.to_owned(), nearest });
        };
        *leaf = Leaf { value, source: source.clone() };
        self.config = build(&self.leaves).map_err(|error| ConfigError::Value {
            origin: source,
            key: key.to_owned(),
            source: Box::new(error),
        })?;
        Ok(())
    }

    /// Puts the values of a file over what holds.
    ///
    /// # Errors
    /// As [`Layers::put`], or the file cannot be read.
    pub(crate) fn put_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        let mut found = Vec::new();
        flatten("", parse(path, &text)?, &mut |key, value| found.push((key, value)));
        for (key, value) in found {
            self.put(&key, value, Source::File(path.to_path_buf()))?;
        }
        Ok(())
    }

    fn put_environment(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        self.put_older_names(environment)?;
        for (name, text) in environment.0.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            let known = self.leaves.keys().find(|key| variable_of(key) == *name).cloned();
            let key = known.unwrap_or_else(|| key_of(name));
            let value = self.typed(&key, text);
            self.put(&key, value, Source::Variable(name.clone()))?;
        }
        Ok(())
    }

    /// Variables that deployments of older writers set already.
    fn put_older_names(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        if let Some(waits) = switch(environment, "KM_WRITE_AWAIT")? {
            let policy = if waits { "normal" } else { "emergency" };
            let source = Source::Variable("KM_WRITE_AWAIT".to_owned());
            self.put("write.policy", Value::String(policy.to_owned()), source)?;
        }
        if let Some(enabled) = switch(environment, "ENABLE_KM_BACKFILL_RECONCILER")? {
            let source = Source::Variable("ENABLE_KM_BACKFILL_RECONCILER".to_owned());
            self.put("reconcile.links.enabled", Value::Boolean(enabled), source)?;
        }
        Ok(())
    }

    /// A variable's text in the type that its key has by default; as text where it does not fit, which the
    /// type of the key then refuses with its reason.
    fn typed(&self, key: &str, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self.leaves.get(key).map(|leaf| &leaf.value) {
            Some(Value::Integer(_)) => text.parse().map_or_else(|_| as_text(), Value::Integer),
            Some(Value::Boolean(_)) => text.parse().map_or_else(|_| as_text(), Value::Boolean),
            Some(Value::Array(_)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
            Some(_) | None => as_text(),
        }
    }
}

fn switch(environment: &Environment, variable: &'static str) -> Result<Option<bool>, ConfigError> {
    let Some(value) = environment.get(variable) else { return Ok(None) };
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(Some(true)),
        "false" | "0" | "no" | "off" => Ok(Some(false)),
        _ => Err(ConfigError::Switch { variable, value: value.to_owned() }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    toml::from_str(text)
        .map_err(|source| ConfigError::Syntax { path: path.to_path_buf(), source: Box::new(source) })
}

fn flatten(prefix: &str, table: Table, found: &mut dyn FnMut(String, Value)) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, found),
            leaf => found(key, leaf),
        }
    }
}

fn build(leaves: &BTreeMap<String, Leaf>) -> Result<Config, toml::de::Error> {
    let mut root = Table::new();
    for (key, leaf) in leaves {
        insert(&mut root, key, leaf.value.clone());
    }
    Config::deserialize(Value::Table(root))
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The variable that sets a key.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").replace('-', "_").to_ascii_uppercase())
}

/// The key that a variable seems to mean.
fn key_of(variable: &str) -> String {
    variable[PREFIX.len()..].replace("__", ".").replace('_', "-").to_ascii_lowercase()
}

/// The known key that differs least, if it differs little.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    known
        .map(|name| (distance(key, name), name))
        .min()
        .filter(|(far, _)| *far <= 4)
        .map(|(_, name)| name.clone())
}

/// The number of single edits between two short texts (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
