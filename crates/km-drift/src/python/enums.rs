//! Enums and their members.

use std::path::Path;

use super::project::{Found, Project};
use super::syntax::Expr;
use crate::types::Enum;
use crate::value::Value;

/// How many bases are followed to see that a class is an enum.
const BASES_MAX: usize = 8;

/// The enum of a name, if it is one.
pub(crate) fn known(project: &Project<'_>, path: &Path, dotted: &str) -> Option<Enum> {
    let found = project.class(path, dotted)?;
    of_class(project, &found)
}

/// How a class is an enum.
#[derive(Clone, Copy)]
struct Kind {
    is_int: bool,
    /// `auto()` is the name in lower case.
    is_text: bool,
}

pub(crate) fn of_class(project: &Project<'_>, found: &Found) -> Option<Enum> {
    let kind = kind(project, found, 0)?;
    let names = project.names(&found.path).inside(&found.class);
    let mut members = Vec::new();
    let mut last = 0;
    for field in &found.class.fields {
        let Some(written) = &field.value else { continue };
        if field.name.starts_with('_') {
            continue;
        }
        let value = match &written.expr {
            Expr::Call(call) if call.function.last_name() == Some("auto") && kind.is_text => {
                Some(Value::Str(field.name.to_lowercase()))
            }
            Expr::Call(call) if call.function.last_name() == Some("auto") => Some(Value::Int(last + 1)),
            expr => names.value(expr).ok(),
        };
        if let Some(Value::Int(number)) = &value {
            last = *number;
        }
        members.push((field.name.clone(), value.filter(|_| field.condition.is_none())));
    }
    Some(Enum { name: found.class.name.clone(), members, is_int: kind.is_int })
}

fn kind(project: &Project<'_>, found: &Found, depth: usize) -> Option<Kind> {
    let canonical = |base: &Expr| {
        let dotted = base.dotted()?;
        Some((super::reads::canonical(&found.module.imports, &dotted), dotted))
    };
    let bases: Vec<(String, String)> = found.class.bases.iter().filter_map(canonical).collect();
    let has = |names: &[&str]| bases.iter().any(|(base, _)| names.contains(&base.as_str()));
    let is_int = has(&["enum.IntEnum", "enum.IntFlag", "int"]);
    let is_text = has(&["enum.StrEnum", "strenum.StrEnum", "backports.strenum.StrEnum"]);
    if is_text || has(&["enum.Enum", "enum.IntEnum", "enum.IntFlag", "enum.Flag"]) {
        return Some(Kind { is_int, is_text });
    }
    if depth >= BASES_MAX {
        return None;
    }
    bases.iter().find_map(|(_, dotted)| {
        if *dotted == found.class.name {
            return None;
        }
        let base = project.class(&found.path, dotted)?;
        let kind = kind(project, &base, depth + 1)?;
        Some(Kind { is_int: kind.is_int || is_int, ..kind })
    })
}
