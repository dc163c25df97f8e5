//! Which expressions read the environment.

use super::syntax::Expr;

/// What a named function makes of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderKind {
    /// A boolean, in pydantic's spellings.
    Bool,
    /// An integer.
    Int,
    /// A number.
    Float,
    /// Text.
    Str,
    /// A JSON document.
    Json,
    /// Parts between commas, without blanks around them.
    List,
}

impl ReaderKind {
    /// Each kind under the name it has on the command line.
    pub const ALL: [(&'static str, Self); 6] = [
        ("bool", Self::Bool),
        ("int", Self::Int),
        ("float", Self::Float),
        ("str", Self::Str),
        ("json", Self::Json),
        ("list", Self::List),
    ];
}

/// The functions that an application reads its environment with, beside those of `os`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readers {
    named: Vec<(String, ReaderKind)>,
}

impl Readers {
    /// Adds `name=kind`: `load_bool=bool`, or `env.int=int` for a method.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let kinds = ReaderKind::ALL.map(|(name, _)| name).join(", ");
        let (name, kind) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not NAME=KIND, where KIND is one of {kinds}"))?;
        let found = ReaderKind::ALL.iter().find(|(known, _)| *known == kind);
        let (_, kind) = found.ok_or_else(|| format!("`{kind}` is no kind of reader; there are {kinds}"))?;
        let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !name.split('.').all(is_name) {
            return Err(format!("`{name}` is not the name of a function"));
        }
        self.named.push((name.to_owned(), *kind));
        Ok(())
    }

    /// Whether a file could read the environment at all.
    pub(crate) fn may_occur_in(&self, text: &str) -> bool {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        text.contains("environ")
            || text.contains("getenv")
            || self.named.iter().any(|(name, _)| text.contains(&last(name)))
    }

    fn kind(&self, dotted: &str) -> Option<ReaderKind> {
        let matches = |name: &str| dotted == name || dotted.ends_with(&format!(".{name}"));
        self.named.iter().find(|(name, _)| matches(name)).map(|(_, kind)| *kind)
    }
}

/// A call or an index that reads one variable.
pub(crate) struct Reading<'a> {
    pub(crate) name: &'a Expr,
    pub(crate) default: Option<&'a Expr>,
    /// Without it a missing variable ends the application.
    pub(crate) optional: bool,
    pub(crate) kind: Option<ReaderKind>,
}

/// What an expression reads, itself and not in its parts. `canonical` resolves imports.
pub(crate) fn reading<'a>(
    expr: &'a Expr,
    readers: &Readers,
    canonical: &dyn Fn(&str) -> String,
) -> Option<Reading<'a>> {
    match expr {
        Expr::Index(base, name) => (canonical(&base.dotted()?) == "os.environ").then_some(Reading {
            name,
            default: None,
            optional: false,
            kind: None,
        }),
        Expr::Call(call) => {
            let written = call.function.dotted()?;
            let function = canonical(&written);
            let name =
                call.arguments.first().or_else(|| call.keyword("key")).or_else(|| call.keyword("name"))?;
            let default = call.arguments.get(1).or_else(|| call.keyword("default"));
            match function.as_str() {
                "os.getenv" | "os.environ.get" | "os.environ.setdefault" => {
                    Some(Reading { name, default, optional: true, kind: None })
                }
                "os.environ.pop" => Some(Reading { name, default, optional: default.is_some(), kind: None }),
                _ => {
                    let kind = readers.kind(&function).or_else(|| readers.kind(&written))?;
                    Some(Reading { name, default, optional: default.is_some(), kind: Some(kind) })
                }
            }
        }
        _ => None,
    }
}

/// Every reading in an expression.
pub(crate) fn readings<'a>(
    expr: &'a Expr,
    readers: &Readers,
    canonical: &dyn Fn(&str) -> String,
) -> Vec<Reading<'a>> {
    let mut found: Vec<Reading<'a>> =
        expr.children().into_iter().flat_map(|child| readings(child, readers, canonical)).collect();
    found.extend(reading(expr, readers, canonical));
    found
}
