//! An expression of an application that reads one variable, closed over everything else.

use std::cell::Cell;
use std::sync::Arc;

use super::environ::{Readers, reading};
use super::eval::{Names, Scope, Stuck};
use super::project::InModule;
use super::syntax::{Call, Each, Expr};
use crate::pydantic::Parsed;
use crate::value::Value;

/// An expression in which only variables are open.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenExpression {
    expr: Expr,
    readers: Arc<Readers>,
}

impl OpenExpression {
    /// Puts the values of names into an expression.
    pub(crate) fn new(expr: &Expr, names: &InModule<'_>, readers: &Arc<Readers>) -> Self {
        Self { expr: closed(expr, names), readers: Arc::clone(readers) }
    }

    /// The value when one variable is set.
    pub(crate) fn read(&self, variable: &str, text: &str) -> Parsed {
        let variables = [(variable.to_owned(), text.to_owned())];
        match self.value(&variables) {
            Ok(value) => Parsed::Value(value),
            Err(Stuck::Raises(why)) => Parsed::Refused(why),
            Err(Stuck::Unknown) => Parsed::Undecided("what the code makes of it cannot be known".to_owned()),
        }
    }

    /// The value when no variable is set.
    pub(crate) fn unset(&self) -> Result<Value, Stuck> {
        self.value(&[])
    }

    fn value(&self, variables: &[(String, String)]) -> Result<Value, Stuck> {
        let steps = Cell::new(0);
        let readers = &self.readers;
        let scope = Scope { names: &NoNames, readers, variables, locals: None, followed: 0, steps: &steps };
        scope.value(&self.expr)
    }
}

/// There is nothing left to look up.
struct NoNames;

impl Names for NoNames {
    fn find<'a>(&'a self, _: &str) -> Option<(Expr, Box<dyn Names + 'a>)> {
        None
    }

    fn member(&self, _: &str) -> Option<Value> {
        None
    }

    fn canonical(&self, dotted: &str) -> String {
        dotted.to_owned()
    }
}

fn closed(expr: &Expr, names: &InModule<'_>) -> Expr {
    let inner = |expr: &Expr| Box::new(closed(expr, names));
    let each = |items: &[Expr]| items.iter().map(|item| closed(item, names)).collect();
    match expr {
        Expr::Name(_) | Expr::Attribute(..) if expr.dotted().is_some() => {
            names.value(expr).ok().and_then(|value| literal(&value)).unwrap_or_else(|| expr.clone())
        }
        Expr::Attribute(base, name) => Expr::Attribute(inner(base), name.clone()),
        Expr::Index(base, key) => {
            let base = function(base, names).map_or_else(|| inner(base), Box::new);
            Expr::Index(base, inner(key))
        }
        Expr::Call(call) => Expr::Call(Box::new(Call {
            function: function(&call.function, names).unwrap_or_else(|| match &call.function {
                Expr::Attribute(base, name) => Expr::Attribute(inner(base), name.clone()),
                other => other.clone(),
            }),
            arguments: each(&call.arguments),
            keywords: call
                .keywords
                .iter()
                .map(|(name, value)| (name.clone(), closed(value, names)))
                .collect(),
        })),
        Expr::List(items) => Expr::List(each(items)),
        Expr::Tuple(items) => Expr::Tuple(each(items)),
        Expr::Set(items) => Expr::Set(each(items)),
        Expr::Or(items) => Expr::Or(each(items)),
        Expr::And(items) => Expr::And(each(items)),
        Expr::Joined(items) => Expr::Joined(each(items)),
        Expr::Dict(items) => {
            Expr::Dict(items.iter().map(|(key, value)| (closed(key, names), closed(value, names))).collect())
        }
        Expr::Binary(op, a, b) => Expr::Binary(*op, inner(a), inner(b)),
        Expr::Compare(op, a, b) => Expr::Compare(*op, inner(a), inner(b)),
        Expr::Unary(op, a) => Expr::Unary(*op, inner(a)),
        Expr::Choice(parts) => Expr::Choice(Box::new([
            closed(&parts[0], names),
            closed(&parts[1], names),
            closed(&parts[2], names),
        ])),
        Expr::Each(inside) => Expr::Each(Box::new(Each {
            name: inside.name.clone(),
            // The name of the comprehension hides any other.
            element: inside.element.clone(),
            items: closed(&inside.items, names),
            conditions: inside.conditions.clone(),
            set: inside.set,
        })),
        other => other.clone(),
    }
}

/// A function or `os.environ` under the name that it has everywhere.
fn function(expr: &Expr, names: &InModule<'_>) -> Option<Expr> {
    let dotted = expr.dotted()?;
    let full = names.canonical(&dotted);
    (full != dotted || names.value(expr).is_err() && is_global(expr)).then_some(Expr::Name(full))
}

/// Whether a dotted name begins with a function or module, not with a constant.
fn is_global(expr: &Expr) -> bool {
    match expr {
        Expr::Attribute(base, _) => is_module(base),
        _ => true,
    }
}

fn is_module(expr: &Expr) -> bool {
    matches!(expr.dotted().as_deref(), Some("os" | "os.environ" | "json" | "pathlib"))
}

fn literal(value: &Value) -> Option<Expr> {
    Some(match value {
        Value::None => Expr::None,
        Value::Bool(value) => Expr::Bool(*value),
        Value::Int(value) => Expr::Int(*value),
        Value::Float(value) => Expr::Float(*value),
        Value::Str(text) => Expr::Str(text.clone()),
        Value::List(items) => Expr::List(items.iter().map(literal).collect::<Option<_>>()?),
        Value::Set(items) => Expr::Set(items.iter().map(literal).collect::<Option<_>>()?),
        Value::Map(items) => {
            let pair = |(key, value): &(Value, Value)| Some((literal(key)?, literal(value)?));
            Expr::Dict(items.iter().map(pair).collect::<Option<_>>()?)
        }
    })
}

/// Variables that an expression reads by a name that can be known, and whether some cannot.
pub(crate) fn variables(expr: &Expr, names: &InModule<'_>, readers: &Readers) -> (Vec<String>, bool) {
    let canonical = |dotted: &str| names.canonical(dotted);
    let mut unknown = false;
    let mut found = Vec::new();
    for reading in super::environ::readings(expr, readers, &canonical) {
        match names.value(reading.name) {
            Ok(Value::Str(name)) => found.push(name),
            _ => unknown = true,
        }
    }
    (found, unknown)
}

/// What the outermost reading of an expression reads.
pub(crate) fn outermost(expr: &Expr, names: &InModule<'_>, readers: &Readers) -> Option<String> {
    let canonical = |dotted: &str| names.canonical(dotted);
    let own = reading(expr, readers, &canonical);
    let name = own.map(|reading| names.value(reading.name).ok());
    match name {
        Some(Some(Value::Str(name))) => Some(name),
        Some(_) => None,
        None => variables(expr, names, readers).0.into_iter().next(),
    }
}
