//! The code side: settings in Python source, read by a real parser and never run.

mod annotations;
mod classes;
mod enums;
mod environ;
mod eval;
mod lower;
mod open;
mod project;
mod reads;
mod settings;
mod source;
mod syntax;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

pub use self::environ::{ReaderKind, Readers};
pub use self::open::OpenExpression;

use self::eval::Stuck;
use self::project::{Found, Project};
use self::settings::Extracted;
use self::syntax::{Class, Module, Read};
use crate::files::read_python;
use crate::finding::{Code, Level, Place, Remark};
use crate::setting::{Default, EnvName, Reading, Setting, names_a_secret};
use crate::value::Value;

/// Most threads that read files.
const THREADS_MAX: usize = 8;

/// Which code to look at.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Python files.
    pub files: Vec<PathBuf>,
    /// Where imports are looked for.
    pub root: Option<PathBuf>,
    /// Only these classes; all when empty.
    pub classes: Vec<String>,
    /// Functions that read the environment.
    pub readers: Readers,
}

/// What the code says.
#[derive(Debug, Default)]
pub struct Extraction {
    /// Settings in the order of files and lines.
    pub settings: Vec<Setting>,
    /// What was noticed.
    pub remarks: Vec<Remark>,
    /// Files that were read.
    pub files: usize,
}

/// What is kept of a file.
enum Kept {
    /// All of it: it may hold settings.
    Whole(Box<Module>),
    /// Its classes by name; it is read again if one of them matters.
    Names(Vec<Derived>),
    Failed(Remark),
}

/// A class by the names of itself and its bases.
#[derive(Clone)]
struct Derived {
    name: String,
    bases: Vec<String>,
    has_fields: bool,
}

/// Reads settings from source files.
///
/// # Errors
/// When a thread cannot be started.
pub fn extract(source: &Source) -> io::Result<Extraction> {
    let kept = read_all(source)?;
    thread::scope(|scope| {
        // Values may be nested as deep as the limits allow; the main thread's stack is not relied on.
        let worker = thread::Builder::new()
            .stack_size(source::STACK_BYTES)
            .spawn_scoped(scope, move || combine(source, kept))?;
        worker.join().map_err(|_| io::Error::other("reading settings failed"))
    })
}

/// Every file, by as many threads as there are processors.
fn read_all(source: &Source) -> io::Result<Vec<Kept>> {
    let next = AtomicUsize::new(0);
    let count = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let mut numbered = thread::scope(|scope| {
        let work = || {
            let mut kept = Vec::new();
            while let Some((at, file)) = {
                let at = next.fetch_add(1, Ordering::Relaxed);
                source.files.get(at).map(|file| (at, file))
            } {
                kept.push((at, read_one(file, &source.readers)));
            }
            kept
        };
        let mut workers = Vec::new();
        for _ in 0..count {
            workers.push(thread::Builder::new().stack_size(source::STACK_BYTES).spawn_scoped(scope, work)?);
        }
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| io::Error::other("reading a file failed"))?);
        }
        Ok::<_, io::Error>(all)
    })?;
    numbered.sort_by_key(|(at, _)| *at);
    Ok(numbered.into_iter().map(|(_, kept)| kept).collect())
}

fn read_one(path: &Path, readers: &Readers) -> Kept {
    let file = path.display().to_string();
    let failed = |message: String, place: Place| {
        Kept::Failed(Remark::new(Code::Unparsable, Level::Error, message, Some(place)).undecided())
    };
    let text = match read_python(path) {
        Ok(text) => text,
        Err(error) => return failed(format!("cannot be read: {error}"), Place::file(file)),
    };
    match source::read(&file, &text, readers) {
        Err(error) => failed(
            format!("is not Python: {}", error.message),
            Place::new(file, error.at.line, error.at.column),
        ),
        Ok(module) if text.contains("BaseSettings") || !module.reads.is_empty() => {
            Kept::Whole(Box::new(module))
        }
        Ok(module) => Kept::Names(module.classes.iter().map(names_of).collect()),
    }
}

fn names_of(class: &Class) -> Derived {
    let last = |base: &syntax::Expr| match base {
        syntax::Expr::Index(generic, _) => generic.last_name().map(str::to_owned),
        base => base.last_name().map(str::to_owned),
    };
    Derived {
        name: class.name.clone(),
        bases: class.bases.iter().filter_map(last).collect(),
        has_fields: class.fields.iter().any(|field| field.annotation.is_some()),
    }
}

fn combine(source: &Source, kept: Vec<Kept>) -> Extraction {
    let project = Project::new(source.root.as_deref(), &source.readers);
    let readers = Arc::new(source.readers.clone());
    let mut extraction = Extraction { files: kept.len(), ..Extraction::default() };
    let related = related(&kept);
    let mut modules = Vec::new();
    for (path, kept) in source.files.iter().zip(kept) {
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        let module = match kept {
            Kept::Whole(module) => Some(*module),
            Kept::Names(classes) if classes.iter().any(|class| related.contains(&class.name)) => {
                let text = read_python(path).ok();
                text.and_then(|text| source::read(&path.display().to_string(), &text, &source.readers).ok())
            }
            Kept::Names(_) => None,
            Kept::Failed(remark) => {
                extraction.remarks.push(remark);
                None
            }
        };
        if let Some(module) = module.map(Rc::new) {
            project.add(whole.clone(), Rc::clone(&module));
            modules.push((whole, module));
        }
    }
    let mut extracted = Extracted::default();
    for (path, module) in &modules {
        for class in &module.classes {
            if source.classes.is_empty() || source.classes.contains(&class.name) {
                let class = Rc::new(class.clone());
                let found = Found { module: Rc::clone(module), path: path.clone(), class };
                project.renew();
                settings::extract(&project, &found, &mut extracted);
            }
        }
    }
    if source.classes.is_empty() {
        for (path, module) in &modules {
            for read in &module.reads {
                read_setting(&project, path, module, read, &readers, &mut extracted);
            }
        }
    }
    extraction.settings = unique(extracted.settings);
    extraction.remarks.extend(extracted.remarks);
    unique_remarks(&mut extraction.remarks);
    extraction
}

/// Bases that are certainly no settings, and common enough to be worth leaving out.
const OTHER_BASES: [&str; 18] = [
    "object",
    "ABC",
    "Generic",
    "Protocol",
    "BaseModel",
    "RootModel",
    "Enum",
    "IntEnum",
    "StrEnum",
    "Flag",
    "IntFlag",
    "str",
    "int",
    "dict",
    "Exception",
    "NamedTuple",
    "TypedDict",
    "TestCase",
];

/// Classes that may derive from a settings class, by name alone: more than really do, never fewer. A base that no
/// file defines may lie elsewhere below the root.
fn related(kept: &[Kept]) -> HashSet<String> {
    let mut classes: Vec<Derived> = Vec::new();
    let mut related: HashSet<String> = HashSet::from(["BaseSettings".to_owned()]);
    let mut defined: HashSet<String> = OTHER_BASES.map(str::to_owned).into();
    for kept in kept {
        let more: Vec<Derived> = match kept {
            Kept::Whole(module) => module.classes.iter().map(names_of).collect(),
            Kept::Names(classes) => classes.iter().map(Derived::clone).collect(),
            Kept::Failed(_) => Vec::new(),
        };
        defined.extend(more.iter().map(|class| class.name.clone()));
        classes.extend(more);
    }
    loop {
        let before = related.len();
        for class in &classes {
            let elsewhere = |base: &String| class.has_fields && !defined.contains(base);
            if class.bases.iter().any(|base| related.contains(base) || elsewhere(base)) {
                related.insert(class.name.clone());
            }
        }
        if related.len() == before {
            return related;
        }
    }
}

/// A variable that code reads without a settings class.
fn read_setting(
    project: &Project<'_>,
    path: &Path,
    module: &Module,
    read: &Read,
    readers: &Arc<Readers>,
    into: &mut Extracted,
) {
    project.renew();
    let at_field = |(file, line): &(String, usize)| *file == module.file && *line == read.statement.line;
    if into.lines.iter().any(at_field) {
        return;
    }
    let place = Place::new(module.file.clone(), read.at.line, read.at.column);
    let names = project.names(path);
    let Some(name) = open::outermost(&read.written.expr, &names, readers) else {
        into.remarks.push(Remark::new(
            Code::UnreadName,
            Level::Warning,
            format!("which variable is read cannot be known: {}", read.written.text),
            Some(place),
        ));
        return;
    };
    let open = OpenExpression::new(&read.written.expr, &names, readers);
    let default = match open.unset() {
        Ok(value) => Default::Value(value),
        Err(Stuck::Raises(_)) if module.guarded.contains(&name) => Default::Value(Value::None),
        Err(Stuck::Raises(_)) => Default::Required,
        Err(Stuck::Unknown) => Default::Unknown,
    };
    into.settings.push(Setting {
        names: vec![EnvName::direct(name.clone(), false)],
        owner: module.file.clone(),
        field: read.target.clone().unwrap_or_else(|| name.clone()),
        secret: names_a_secret(&name),
        name,
        default,
        written: read.written.text.clone(),
        reading: Reading::Expression(open),
        place,
        condition: None,
        nested: None,
    });
}

/// A field that several classes inherit from one place is one setting.
fn unique(settings: Vec<Setting>) -> Vec<Setting> {
    let mut unique: Vec<Setting> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for setting in settings {
        let names: Vec<(&str, bool)> =
            setting.names.iter().map(|name| (name.name.as_str(), name.any_case)).collect();
        if seen.insert(format!("{names:?} {:?} {:?}", setting.place, setting.default)) {
            unique.push(setting);
        }
    }
    unique
}

fn unique_remarks(remarks: &mut Vec<Remark>) {
    let mut seen: HashSet<String> = HashSet::new();
    remarks.retain(|remark| seen.insert(format!("{remark:?}")));
}
