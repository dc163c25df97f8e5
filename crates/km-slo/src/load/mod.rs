//! Files into objectives: Sloth's `prometheus/v1` and a strict part of OpenSLO v1. What is not understood is an
//! error with file, line and path; nothing is passed over.

mod openslo;
mod query;
mod sloth;
mod yaml;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::objective::{Objective, Window};
use yaml::{Field, Problems};

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files that are read at most.
const FILES_MAX: usize = 1_000;
/// Directories are entered so deep.
const DEPTH_MAX: usize = 16;
/// Objectives that are kept at most.
pub const OBJECTIVES_MAX: usize = 1_000;
/// Problems that are told at most.
const PROBLEMS_MAX: usize = 100;
/// The label, or annotation, that says how much an objective counts.
const WEIGHT: &str = "km_weight";
/// The label, or annotation, that says how few events are too few.
const EVENTS_MIN: &str = "km_min_events";

/// What the files do not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// How far back an objective of Sloth looks.
    pub period: Window,
    /// With fewer events nothing is said about an objective.
    pub events_min: f64,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}{}: {}{reason}", column.map(|column| format!(":{column}")).unwrap_or_default(),
    if path.is_empty() { String::new() } else { format!("`{path}`: ") })]
pub struct LoadError {
    /// The file, as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, where it is known.
    pub column: Option<usize>,
    /// The place in the document, such as `slos[0].objective`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// Everything that is wrong with the files; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadErrors(pub Vec<LoadError>);

/// Reads the objectives of files, and of all `*.yml` and `*.yaml` below directories, in the order of their names.
///
/// Hidden files and directories are passed over, and directories behind symbolic links are not entered.
///
/// # Errors
/// Every problem of every file.
pub fn load(paths: &[PathBuf], defaults: &Defaults) -> Result<Vec<Objective>, LoadErrors> {
    let mut problems = Vec::new();
    let mut objectives = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        if let Err(error) = collect(path, 0, &mut files) {
            problems.push(unusable(path, error.to_string()));
        }
    }
    let mut indicators = openslo::Indicators::default();
    let mut texts = Vec::new();
    for file in &files {
        match read(file) {
            Ok(text) => texts.push((file.display().to_string(), text)),
            Err(error) => problems.push(unusable(file, error.to_string())),
        }
    }
    for (file, text) in &texts {
        indicators.gather(file, text);
    }
    for (file, text) in &texts {
        match read_text(file, text, defaults, &indicators) {
            Ok(found) => objectives.extend(found),
            Err(LoadErrors(found)) => problems.extend(found),
        }
    }
    problems.extend(indicators.problems());
    problems.extend(twice(&objectives));
    if objectives.len() > OBJECTIVES_MAX {
        let place = objectives.get(OBJECTIVES_MAX).map(|objective| objective.place.clone());
        let (file, line) = place.map(|place| (place.file, place.line)).unwrap_or_default();
        let reason = format!("more than {OBJECTIVES_MAX} objectives");
        problems.push(LoadError { file, line, column: None, path: String::new(), reason });
    }
    problems.truncate(PROBLEMS_MAX);
    if problems.is_empty() { Ok(objectives) } else { Err(LoadErrors(problems)) }
}

fn unusable(path: &Path, reason: String) -> LoadError {
    LoadError { file: path.display().to_string(), line: 1, column: None, path: String::new(), reason }
}

/// The files of a path. One that was named is taken whatever it is called.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        return take(path, files);
    }
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!("directories are nested more than {DEPTH_MAX} deep")));
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let yaml = path.extension().is_some_and(|kind| kind == "yml" || kind == "yaml");
        // A link to a file is followed, since that is how Kubernetes mounts a ConfigMap; a link to a directory could
        // lead back here.
        if entry.file_type()?.is_dir() && !hidden {
            collect(&path, depth + 1, files)?;
        } else if yaml && !hidden && fs::metadata(&path)?.is_file() {
            take(&path, files)?;
        }
    }
    Ok(())
}

fn take(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if files.len() == FILES_MAX {
        return Err(io::Error::other(format!("there are more than {FILES_MAX} files")));
    }
    files.push(path.to_path_buf());
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    Ok(text)
}

/// The objectives of one file.
fn read_text(
    file: &str,
    text: &str,
    defaults: &Defaults,
    indicators: &openslo::Indicators,
) -> Result<Vec<Objective>, LoadErrors> {
    let documents = yaml::documents(file, text).map_err(|error| LoadErrors(vec![error]))?;
    let mut problems = Problems::of(file);
    let mut objectives = Vec::new();
    for document in &documents {
        let root = Field::root(document);
        let Some(mut fields) = root.fields(&mut problems) else { continue };
        match (fields.optional("version"), fields.optional("apiVersion")) {
            (Some(version), None) if version.text(&mut problems) == Some(sloth::VERSION) => {
                objectives.extend(sloth::read(&root, fields, defaults, &mut problems));
            }
            (None, Some(version)) if version.text(&mut problems) == Some(openslo::VERSION) => {
                objectives.extend(openslo::read(&root, fields, defaults, indicators, &mut problems));
            }
            (Some(version), None) | (None, Some(version)) => version.refuse(&mut problems, versions()),
            (_, _) => root.refuse(&mut problems, versions()),
        }
    }
    if problems.found.is_empty() { Ok(objectives) } else { Err(LoadErrors(problems.found)) }
}

fn versions() -> String {
    let (sloth, openslo) = (sloth::VERSION, openslo::VERSION);
    format!("km reads Sloth with `version: {sloth}`, or OpenSLO with `apiVersion: {openslo}`")
}

/// Objectives of the same service and name.
fn twice(objectives: &[Objective]) -> Vec<LoadError> {
    let mut first: HashMap<&str, &Objective> = HashMap::new();
    let mut problems = Vec::new();
    for objective in objectives {
        if let Some(other) = first.insert(&objective.id, objective) {
            problems.push(LoadError {
                file: objective.place.file.clone(),
                line: objective.place.line,
                column: None,
                path: String::new(),
                reason: format!("the objective `{}` stands at {} already", objective.id, other.place),
            });
        }
    }
    problems
}

/// What km reads from labels and annotations of its own, which are taken out.
struct Extras {
    weight: f64,
    events_min: f64,
}

fn extras(
    labels: &mut BTreeMap<String, String>,
    defaults: &Defaults,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Extras {
    let mut number = |name: &str, default: f64, least: f64| match labels.remove(name) {
        None => default,
        Some(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= least => number,
            Ok(_) | Err(_) => {
                field
                    .refuse(problems, format!("`{name}` is `{text}`: expected a number of at least {least}"));
                default
            }
        },
    };
    Extras { weight: number(WEIGHT, 1.0, 1e-6), events_min: number(EVENTS_MIN, defaults.events_min, 0.0) }
}

#[cfg(test)]
mod tests;
