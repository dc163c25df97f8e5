//! The files of an application, and what names mean across them.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::environ::Readers;
use super::eval::{Names, STEPS_MAX, Scope, Stuck};
use super::reads::canonical;
use super::source;
use super::syntax::{Class, Expr, Import, Module};
use crate::files::read_python;
use crate::value::Value;

/// How many imports are followed for one name.
const HOPS_MAX: usize = 16;
/// How deep members of enums may refer to members of enums.
const MEMBERS_MAX: usize = 12;

/// A class and the file that it stands in.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) module: Rc<Module>,
    pub(crate) path: PathBuf,
    /// Names of the classes around it, and its own.
    pub(crate) class: Rc<Class>,
}

/// Files that were read, and those that imports lead to.
pub(crate) struct Project<'a> {
    root: Option<PathBuf>,
    pub(crate) readers: &'a Readers,
    modules: RefCell<HashMap<PathBuf, Option<Rc<Module>>>>,
    /// Where imports lead, by the folder they are seen from.
    imported: RefCell<HashMap<(PathBuf, String, u32), Option<PathBuf>>>,
    /// Files and names that the lookup under way has seen: star imports may go in circles.
    seen: RefCell<HashSet<(PathBuf, String)>>,
    steps: Cell<usize>,
    members: Cell<usize>,
}

impl<'a> Project<'a> {
    /// `root` is where imports are looked for; nothing outside of it is read.
    pub(crate) fn new(root: Option<&Path>, readers: &'a Readers) -> Self {
        let root = root.and_then(|root| root.canonicalize().ok());
        Self {
            root,
            readers,
            modules: RefCell::default(),
            imported: RefCell::default(),
            seen: RefCell::default(),
            steps: Cell::new(0),
            members: Cell::new(0),
        }
    }

    /// Begins to count the steps that one setting may take.
    pub(crate) fn renew(&self) {
        self.steps.set(0);
    }

    /// Counts a step; `false` when there were too many.
    pub(crate) fn step(&self) -> bool {
        self.steps.set(self.steps.get() + 1);
        self.steps.get() <= STEPS_MAX
    }

    pub(crate) fn add(&self, path: PathBuf, module: Rc<Module>) {
        self.modules.borrow_mut().insert(path, Some(module));
    }

    /// A module by its file; `None` when it cannot be read.
    pub(crate) fn module(&self, path: &Path) -> Option<Rc<Module>> {
        if let Some(known) = self.modules.borrow().get(path) {
            return known.clone();
        }
        let shown = path.display().to_string();
        let read = read_python(path).ok().and_then(|text| source::read(&shown, &text, self.readers).ok());
        let module = read.map(Rc::new);
        self.modules.borrow_mut().insert(path.to_owned(), module.clone());
        module
    }

    /// The file of an imported module, seen from another file.
    fn file_of(&self, import: &Import, from: &Path) -> Option<PathBuf> {
        let key = (from.parent()?.to_owned(), import.module.clone(), import.level);
        if let Some(known) = self.imported.borrow().get(&key) {
            return known.clone();
        }
        let found = self.find_file(import, from);
        self.imported.borrow_mut().insert(key, found.clone());
        found
    }

    fn find_file(&self, import: &Import, from: &Path) -> Option<PathBuf> {
        let parts: Vec<&str> = import.module.split('.').filter(|part| !part.is_empty()).collect();
        let folders: Vec<PathBuf> = if import.level > 0 {
            from.ancestors()
                .nth(usize::try_from(import.level).ok()?)
                .map(Path::to_path_buf)
                .into_iter()
                .collect()
        } else {
            self.search_path(from)
        };
        folders.into_iter().find_map(|folder| {
            let base = parts.iter().fold(folder, |path, part| path.join(part));
            let files = [base.with_extension("py"), base.join("__init__.py")];
            files.into_iter().find(|file| self.may_read(file))
        })
    }

    /// The root, then every folder from there down to the file: `src` layouts are found too.
    fn search_path(&self, from: &Path) -> Vec<PathBuf> {
        let Some(root) = &self.root else {
            return from.parent().map(Path::to_path_buf).into_iter().collect();
        };
        let mut folders: Vec<PathBuf> = from
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(root))
            .map(Path::to_path_buf)
            .collect();
        folders.reverse();
        if folders.is_empty() {
            folders.push(root.clone());
        }
        folders.push(root.join("src"));
        folders
    }

    fn may_read(&self, file: &Path) -> bool {
        let known = self.modules.borrow().contains_key(file);
        let inside = || {
            let whole = file.canonicalize().ok()?;
            let root = self.root.as_ref()?;
            (whole.starts_with(root) && whole.is_file()).then_some(())
        };
        known || inside().is_some()
    }

    /// The expression a name has in a module, and that module; imports are followed.
    fn constant(&self, path: &Path, name: &str, hops: usize) -> Option<(Expr, PathBuf)> {
        if !self.is_new(path, name, hops) {
            return None;
        }
        let module = self.module(path)?;
        if let Some(expr) = module.constants.get(name) {
            return Some((expr.clone(), path.to_owned()));
        }
        self.follow(&module, path, name, hops, &|file, name, hops| self.constant(file, name, hops))
    }

    /// A class by its dotted name, as seen from a module.
    pub(crate) fn class(&self, path: &Path, dotted: &str) -> Option<Found> {
        self.class_within(path, dotted, 0)
    }

    fn class_within(&self, path: &Path, dotted: &str, hops: usize) -> Option<Found> {
        if !self.is_new(path, dotted, hops) {
            return None;
        }
        let module = self.module(path)?;
        let mut parts = dotted.split('.');
        let first = parts.next()?;
        if let Some(class) = module.classes.iter().rev().find(|class| class.name == first) {
            let class =
                parts.try_fold(class, |class, part| class.classes.iter().find(|inner| inner.name == part))?;
            return Some(Found {
                module: Rc::clone(&module),
                path: path.to_owned(),
                class: Rc::new(class.clone()),
            });
        }
        self.follow(&module, path, dotted, hops, &|file, name, hops| self.class_within(file, name, hops))
    }

    /// Whether a lookup comes to a file with a name for the first time.
    fn is_new(&self, path: &Path, name: &str, hops: usize) -> bool {
        let mut seen = self.seen.borrow_mut();
        if hops == 0 {
            seen.clear();
        }
        seen.insert((path.to_owned(), name.to_owned()))
    }

    /// Looks a dotted name up where it was imported from.
    fn follow<T>(
        &self,
        module: &Module,
        path: &Path,
        dotted: &str,
        hops: usize,
        find: &dyn Fn(&Path, &str, usize) -> Option<T>,
    ) -> Option<T> {
        if hops >= HOPS_MAX || !self.step() {
            return None;
        }
        let (first, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
        let stars = || {
            let file = |import: &Import| self.file_of(import, path);
            module.star_imports.iter().filter_map(file).find_map(|file| find(&file, dotted, hops + 1))
        };
        let Some(import) = module.imports.get(first) else { return stars() };
        let Some(name) = &import.name else { return self.through_module(import, path, rest, hops, find) };
        let full = if rest.is_empty() { name.clone() } else { format!("{name}.{rest}") };
        let inside = self.file_of(import, path).and_then(|file| find(&file, &full, hops + 1));
        inside.or_else(|| {
            let dotted =
                if import.module.is_empty() { name.clone() } else { format!("{}.{name}", import.module) };
            let submodule = Import { module: dotted, level: import.level, name: None };
            let file = self.file_of(&submodule, path)?;
            (!rest.is_empty()).then(|| find(&file, rest, hops + 1)).flatten()
        })
    }

    /// `import a.b` and then `a.b.c.NAME`: the longest part that is a file is the module.
    fn through_module<T>(
        &self,
        import: &Import,
        path: &Path,
        rest: &str,
        hops: usize,
        find: &dyn Fn(&Path, &str, usize) -> Option<T>,
    ) -> Option<T> {
        let parts: Vec<&str> = rest.split('.').collect();
        (0..parts.len()).rev().find_map(|count| {
            let (inside, name) = parts.split_at(count);
            let module = std::iter::once(import.module.as_str()).chain(inside.iter().copied());
            let import = Import { module: module.collect::<Vec<_>>().join("."), level: 0, name: None };
            let file = self.file_of(&import, path)?;
            find(&file, &name.join("."), hops + 1)
        })
    }

    /// The names that hold in a file.
    pub(crate) fn names(&'a self, path: &Path) -> InModule<'a> {
        InModule { project: self, path: path.to_owned(), class: None }
    }
}

/// The names of a module, and inside of a class also those of its body.
pub(crate) struct InModule<'a> {
    project: &'a Project<'a>,
    path: PathBuf,
    class: Option<Rc<Class>>,
}

impl InModule<'_> {
    pub(crate) fn inside(mut self, class: &Rc<Class>) -> Self {
        self.class = Some(Rc::clone(class));
        self
    }

    /// A value by these names, while no variable is set.
    pub(crate) fn value(&self, expr: &Expr) -> Result<Value, Stuck> {
        self.value_with(expr, &[])
    }

    pub(crate) fn value_with(&self, expr: &Expr, variables: &[(String, String)]) -> Result<Value, Stuck> {
        let scope = Scope {
            names: self,
            readers: self.project.readers,
            variables,
            locals: None,
            followed: 0,
            steps: &self.project.steps,
        };
        scope.value(expr)
    }

    /// What a function without parameters returns, or the class that is called.
    pub(crate) fn function(&self, dotted: &str) -> Option<Expr> {
        self.project.module(&self.path)?.functions.get(dotted).cloned()
    }
}

impl Names for InModule<'_> {
    fn find<'b>(&'b self, dotted: &str) -> Option<(Expr, Box<dyn Names + 'b>)> {
        if let Some(class) = &self.class
            && let Some(field) = class.fields.iter().rev().find(|field| field.name == dotted)
        {
            let value = field.value.as_ref().filter(|_| field.condition.is_none())?;
            let outside = InModule { project: self.project, path: self.path.clone(), class: None };
            return Some((value.expr.clone(), Box::new(outside)));
        }
        if let Some((expr, path)) = self.project.constant(&self.path, dotted, 0) {
            return Some((expr, Box::new(InModule { project: self.project, path, class: None })));
        }
        let (class, name) = dotted.rsplit_once('.')?;
        let found = self.project.class(&self.path, class)?;
        let field = found.class.fields.iter().rev().find(|field| field.name == name)?;
        let value = field.value.as_ref().filter(|_| field.condition.is_none())?;
        let names = InModule { project: self.project, path: found.path, class: Some(found.class.clone()) };
        Some((value.expr.clone(), Box::new(names)))
    }

    fn member(&self, dotted: &str) -> Option<Value> {
        let path = dotted.strip_suffix(".value").unwrap_or(dotted);
        let (class, member) = path.rsplit_once('.')?;
        let depth = &self.project.members;
        if depth.get() >= MEMBERS_MAX {
            return None;
        }
        depth.set(depth.get() + 1);
        let known = super::enums::known(self.project, &self.path, class);
        depth.set(depth.get() - 1);
        let known = known?;
        known.members.into_iter().find(|(name, _)| name == member).and_then(|(_, value)| value)
    }

    fn canonical(&self, dotted: &str) -> String {
        self.project
            .module(&self.path)
            .map_or_else(|| dotted.to_owned(), |module| canonical(&module.imports, dotted))
    }
}
