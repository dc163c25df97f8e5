//! Finds the expressions of a file that read the environment.

use std::collections::{HashMap, HashSet};

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr as Tree, Stmt};
use ruff_text_size::Ranged;

use super::environ::{Readers, reading, readings};
use super::lower::{brief, imported, imported_from, lower, start};
use super::source::Source;
use super::syntax::{At, Comparison, Expr, Import, Module, Read, Written};

/// How deep statements and expressions are looked into.
const DEPTH_MAX: usize = 400;

pub(super) fn collect(source: &Source<'_>, body: &[Stmt], readers: &Readers, module: &mut Module) {
    let mut imports = Imports { found: std::mem::take(&mut module.imports) };
    imports.visit_body(body);
    let mut walk = Walk {
        source,
        readers,
        imports: &imports.found,
        reads: Vec::new(),
        guarded: HashSet::new(),
        statement: At::default(),
        target: None,
        depth: 0,
    };
    walk.visit_body(body);
    module.reads = walk.reads;
    module.guarded = walk.guarded;
    module.imports = imports.found;
}

/// Imports inside of functions count too.
struct Imports {
    found: HashMap<String, Import>,
}

impl<'a> Visitor<'a> for Imports {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => imported(import, &mut self.found),
            Stmt::ImportFrom(import) => imported_from(import, &mut self.found, &mut Vec::new()),
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a Tree) {}
}

/// The dotted name with its first part replaced by what it was imported from.
pub(super) fn canonical(imports: &HashMap<String, Import>, dotted: &str) -> String {
    let (first, rest) = dotted.split_once('.').map_or((dotted, ""), |(first, rest)| (first, rest));
    let Some(import) = imports.get(first) else { return dotted.to_owned() };
    let mut full = import.module.clone();
    for part in import.name.as_deref().into_iter().chain((!rest.is_empty()).then_some(rest)) {
        if !full.is_empty() {
            full.push('.');
        }
        full.push_str(part);
    }
    full
}

struct Walk<'a> {
    source: &'a Source<'a>,
    readers: &'a Readers,
    imports: &'a HashMap<String, Import>,
    reads: Vec<Read>,
    guarded: HashSet<String>,
    statement: At,
    target: Option<String>,
    depth: usize,
}

impl<'a> Visitor<'a> for Walk<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if self.depth > DEPTH_MAX {
            return;
        }
        self.depth += 1;
        self.statement = start(self.source, statement.range());
        self.target = match statement {
            Stmt::Assign(assign) => assign.targets.first().and_then(name),
            Stmt::AnnAssign(assign) => name(&assign.target),
            _ => None,
        };
        walk_stmt(self, statement);
        self.depth -= 1;
    }

    fn visit_expr(&mut self, expr: &'a Tree) {
        if self.depth > DEPTH_MAX {
            return;
        }
        self.depth += 1;
        if !self.take(expr) {
            walk_expr(self, expr);
        }
        self.depth -= 1;
    }
}

impl Walk<'_> {
    /// Keeps an expression that reads and is understood as a whole.
    fn take(&mut self, tree: &Tree) -> bool {
        let shape = matches!(
            tree,
            Tree::Call(_)
                | Tree::Subscript(_)
                | Tree::BinOp(_)
                | Tree::BoolOp(_)
                | Tree::UnaryOp(_)
                | Tree::Compare(_)
                | Tree::If(_)
                | Tree::ListComp(_)
                | Tree::SetComp(_)
                | Tree::FString(_)
        );
        if !shape || is_write(tree) {
            return false;
        }
        let expr = lower(tree);
        let canonical = |dotted: &str| canonical(self.imports, dotted);
        self.note_guard(&expr);
        let found = readings(&expr, self.readers, &canonical);
        // `os.getenv("A") and int(os.getenv("A"))` reads one variable.
        let Some(first) = found.first() else { return false };
        let one = found.iter().all(|reading| reading.name == first.name);
        let nested = !one && reading(&expr, self.readers, &canonical).is_some();
        let taken = nested || (one && self.is_understood(&expr));
        if !taken {
            return false;
        }
        let text = brief(self.source.text(tree.range()));
        let at = start(self.source, tree.range());
        let target = self.target.clone();
        self.reads.push(Read { written: Written { expr, text }, target, at, statement: self.statement });
        !nested
    }

    /// `"A" in os.environ`: whoever asks can do without.
    fn note_guard(&mut self, expr: &Expr) {
        if let Expr::Compare(Comparison::In | Comparison::NotIn, name, inside) = expr
            && let Expr::Str(name) = &**name
            && inside.dotted().is_some_and(|dotted| canonical(self.imports, &dotted) == "os.environ")
        {
            self.guarded.insert(name.clone());
        }
    }

    fn is_understood(&self, expr: &Expr) -> bool {
        let canonical = |dotted: &str| canonical(self.imports, dotted);
        if reading(expr, self.readers, &canonical).is_some() {
            return true;
        }
        let itself = match expr {
            Expr::Opaque | Expr::Lambda(_) | Expr::Starred(_) => false,
            Expr::Call(call) => {
                let method = match &call.function {
                    Expr::Attribute(base, name) => {
                        METHODS.contains(&name.as_str()) && self.is_understood(base)
                    }
                    _ => false,
                };
                let function = call.function.dotted().map(|dotted| canonical(&dotted));
                let known = function.is_some_and(|function| FUNCTIONS.contains(&function.as_str()));
                return call.keywords.is_empty()
                    && (method || known)
                    && call.arguments.iter().all(|argument| self.is_understood(argument));
            }
            _ => true,
        };
        itself && expr.children().into_iter().all(|child| self.is_understood(child))
    }
}

/// Functions and methods whose result an evaluation knows.
const FUNCTIONS: [&str; 12] = [
    "int",
    "float",
    "bool",
    "str",
    "len",
    "list",
    "tuple",
    "set",
    "json.loads",
    "pathlib.Path",
    "Path",
    "frozenset",
];
const METHODS: [&str; 12] = [
    "lower",
    "upper",
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "join",
    "replace",
    "startswith",
    "endswith",
    "casefold",
    "encode",
];

/// `os.environ["A"] = …` and `del os.environ["A"]` read nothing.
fn is_write(tree: &Tree) -> bool {
    matches!(tree, Tree::Subscript(subscript) if !subscript.ctx.is_load())
}

fn name(target: &Tree) -> Option<String> {
    match target {
        Tree::Name(name) => Some(name.id.to_string()),
        _ => None,
    }
}
