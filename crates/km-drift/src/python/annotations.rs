//! From an annotation to a [`Type`].

use std::path::Path;

use super::enums;
use super::eval::Names;
use super::project::{InModule, Project};
use super::source;
use super::syntax::{Call, Expr, Operator, Written};
use crate::pydantic::Version;
use crate::types::{Bounds, Type};

/// How deep types are nested and aliases followed.
const DEPTH_MAX: usize = 30;

/// What an annotation says.
pub(crate) struct Annotation {
    pub(crate) wanted: Type,
    /// `Field(…)` inside of `Annotated`, the last one first.
    pub(crate) fields: Vec<Call>,
    /// `BeforeValidator` and its like, by name.
    pub(crate) validator: Option<String>,
    /// `ClassVar` or `Final`: not a setting.
    pub(crate) excluded: bool,
}

/// Where annotations get their meaning.
pub(crate) struct Reader<'a> {
    pub(crate) project: &'a Project<'a>,
    pub(crate) path: &'a Path,
    pub(crate) names: &'a InModule<'a>,
    pub(crate) version: Version,
}

impl Reader<'_> {
    pub(crate) fn read(&self, written: &Written) -> Annotation {
        let mut annotation =
            Annotation { wanted: Type::Any, fields: Vec::new(), validator: None, excluded: false };
        annotation.wanted = self.wanted(&written.expr, &written.text, &mut annotation, 0);
        annotation
    }

    fn wanted(&self, expr: &Expr, text: &str, into: &mut Annotation, depth: usize) -> Type {
        if depth > DEPTH_MAX {
            return Type::Other(text.to_owned());
        }
        match expr {
            Expr::None => Type::None,
            Expr::Str(quoted) => match source::expression(quoted) {
                Some(expr) => self.wanted(&expr, quoted, into, depth + 1),
                None => Type::Other(quoted.clone()),
            },
            Expr::Binary(Operator::BitOr, left, right) => {
                let mut parts = Vec::new();
                for part in [left, right] {
                    match self.wanted(part, text, into, depth + 1) {
                        Type::Union(inner) => parts.extend(inner),
                        one => parts.push(one),
                    }
                }
                Type::Union(parts)
            }
            Expr::Index(base, inside) => {
                let base = base.dotted().map(|dotted| self.names.canonical(&dotted)).unwrap_or_default();
                self.generic(&base, inside, text, into, depth)
            }
            Expr::Name(_) | Expr::Attribute(..) => {
                let dotted = expr.dotted().unwrap_or_default();
                self.named(&dotted, text, into, depth)
            }
            Expr::Call(call) => self.called(call, text, into, depth),
            _ => Type::Other(text.to_owned()),
        }
    }

    fn generic(&self, base: &str, inside: &Expr, text: &str, into: &mut Annotation, depth: usize) -> Type {
        let arguments: Vec<&Expr> = match inside {
            Expr::Tuple(items) => items.iter().collect(),
            one => vec![one],
        };
        let mut inner = |at: usize, this: &Self| {
            arguments.get(at).map_or(Type::Any, |expr| this.wanted(expr, text, into, depth + 1))
        };
        match last(base) {
            "List" | "list" | "Sequence" | "MutableSequence" | "Iterable" | "Collection" | "deque"
            | "Deque" => Type::List(Box::new(inner(0, self))),
            "Set" | "set" | "FrozenSet" | "frozenset" | "AbstractSet" | "MutableSet" => {
                Type::Set(Box::new(inner(0, self)))
            }
            "Tuple" | "tuple" if arguments.get(1) == Some(&&Expr::Ellipsis) => {
                Type::List(Box::new(inner(0, self)))
            }
            "Tuple" | "tuple" => Type::Tuple((0..arguments.len()).map(|at| inner(at, self)).collect()),
            "Dict" | "dict" | "Mapping" | "MutableMapping" | "DefaultDict" | "OrderedDict" => {
                let key = inner(0, self);
                Type::Map(Box::new(key), Box::new(inner(1, self)))
            }
            "Optional" => match inner(0, self) {
                Type::Union(mut parts) => {
                    parts.push(Type::None);
                    Type::Union(parts)
                }
                one => Type::Union(vec![one, Type::None]),
            },
            "Union" => {
                let mut parts = Vec::new();
                for at in 0..arguments.len() {
                    match inner(at, self) {
                        Type::Union(more) => parts.extend(more),
                        one => parts.push(one),
                    }
                }
                Type::Union(parts)
            }
            "Literal" => self.literal(&arguments, text),
            "ClassVar" | "Final" => {
                into.excluded = true;
                Type::Any
            }
            "Annotated" => {
                let wanted = inner(0, self);
                self.metadata(wanted, arguments.get(1..).unwrap_or_default(), into)
            }
            "Json" => Type::JsonOf(Box::new(inner(0, self))),
            "Secret" => Type::Secret(Box::new(inner(0, self))),
            _ => Type::Other(text.to_owned()),
        }
    }

    fn literal(&self, arguments: &[&Expr], text: &str) -> Type {
        let value = |expr: &&Expr| self.names.value(expr).ok();
        arguments
            .iter()
            .map(value)
            .collect::<Option<Vec<_>>>()
            .map_or_else(|| Type::Other(text.to_owned()), Type::Literal)
    }

    /// The metadata of `Annotated`: fields, validators and limits.
    fn metadata(&self, wanted: Type, metadata: &[&Expr], into: &mut Annotation) -> Type {
        let mut wanted = wanted;
        for item in metadata {
            let (function, call) = match item {
                Expr::Call(call) => (call.function.dotted(), Some(call)),
                other => (other.dotted(), None),
            };
            let function = function.map(|dotted| self.names.canonical(&dotted)).unwrap_or_default();
            match (last(&function), call) {
                ("Field" | "FieldInfo", Some(call)) => {
                    wanted = with_bounds(wanted, self.bounds(call));
                    into.fields.insert(0, (**call).clone());
                }
                ("BeforeValidator" | "WrapValidator" | "PlainValidator" | "InstanceOf", _) => {
                    into.validator = Some(last(&function).to_owned());
                }
                ("NoDecode", _) => wanted = Type::Raw(Box::new(wanted)),
                (
                    "Gt" | "Ge" | "Lt" | "Le" | "MinLen" | "MaxLen" | "Len" | "Interval"
                    | "StringConstraints",
                    Some(call),
                ) => {
                    let mut bounds = self.bounds(call);
                    let first = call.arguments.first().and_then(|expr| self.number(expr));
                    match last(&function) {
                        "Gt" => bounds.gt = bounds.gt.or(first),
                        "Ge" => bounds.ge = bounds.ge.or(first),
                        "Lt" => bounds.lt = bounds.lt.or(first),
                        "Le" => bounds.le = bounds.le.or(first),
                        "MinLen" => bounds.min_length = bounds.min_length.or(first.and_then(whole)),
                        "MaxLen" => bounds.max_length = bounds.max_length.or(first.and_then(whole)),
                        _ => {}
                    }
                    wanted = with_bounds(wanted, bounds);
                }
                _ => {}
            }
        }
        wanted
    }

    fn named(&self, dotted: &str, text: &str, into: &mut Annotation, depth: usize) -> Type {
        let full = self.names.canonical(dotted);
        let bounded = |wanted: Type, bounds: Bounds| Type::Bounded(Box::new(wanted), bounds);
        let gt = Bounds { gt: Some(0.0), ..Bounds::default() };
        let ge = Bounds { ge: Some(0.0), ..Bounds::default() };
        let lt = Bounds { lt: Some(0.0), ..Bounds::default() };
        let le = Bounds { le: Some(0.0), ..Bounds::default() };
        if let Some(found) = self.project.class(self.path, dotted) {
            if let Some(known) = enums::of_class(self.project, &found) {
                return Type::Enum(known);
            }
            let is_model = super::classes::is_model(self.project, &found);
            return if is_model { Type::Model(dotted.to_owned()) } else { Type::Other(text.to_owned()) };
        }
        match last(&full) {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "float" => Type::Float,
            "str" | "AnyStr" | "EmailStr" | "bytes" => Type::Str,
            "Path" | "PurePath" | "PosixPath" | "FilePath" | "DirectoryPath" | "NewPath" => Type::Path,
            "Decimal" => Type::Decimal,
            "UUID" | "UUID1" | "UUID3" | "UUID4" | "UUID5" => Type::Uuid,
            "timedelta" => Type::Duration,
            "SecretStr" | "SecretBytes" => Type::Secret(Box::new(Type::Str)),
            "HttpUrl" | "AnyHttpUrl" => Type::Url(true),
            "AnyUrl" | "FileUrl" | "PostgresDsn" | "RedisDsn" | "AmqpDsn" | "KafkaDsn" | "MongoDsn"
            | "MySQLDsn" | "MariaDBDsn" | "ClickHouseDsn" | "CockroachDsn" | "NatsDsn" | "SnowflakeDsn"
            | "FtpUrl" | "WebsocketUrl" | "AnyWebsocketUrl" | "StrictHttpUrl" => Type::Url(false),
            "PositiveInt" => bounded(Type::Int, gt),
            "NonNegativeInt" => bounded(Type::Int, ge),
            "NegativeInt" => bounded(Type::Int, lt),
            "NonPositiveInt" => bounded(Type::Int, le),
            "PositiveFloat" => bounded(Type::Float, gt),
            "NonNegativeFloat" => bounded(Type::Float, ge),
            "NegativeFloat" => bounded(Type::Float, lt),
            "NonPositiveFloat" => bounded(Type::Float, le),
            "list" | "List" | "Sequence" | "tuple" | "Tuple" | "deque" => Type::List(Box::new(Type::Any)),
            "set" | "Set" | "frozenset" | "FrozenSet" => Type::Set(Box::new(Type::Any)),
            "dict" | "Dict" | "Mapping" | "MutableMapping" => {
                Type::Map(Box::new(Type::Any), Box::new(Type::Any))
            }
            "Any" | "object" => Type::Any,
            "Json" => Type::Json,
            "ClassVar" | "Final" => {
                into.excluded = true;
                Type::Any
            }
            _ => match self.names.find(dotted) {
                Some((alias, _)) if alias != Expr::Opaque => self.wanted(&alias, text, into, depth + 1),
                _ => Type::Other(text.to_owned()),
            },
        }
    }

    /// `conint(ge=1)` and its like.
    fn called(&self, call: &Call, text: &str, into: &mut Annotation, depth: usize) -> Type {
        let function = call.function.dotted().map(|dotted| self.names.canonical(&dotted)).unwrap_or_default();
        let base = match last(&function) {
            "conint" => Type::Int,
            "confloat" => Type::Float,
            "condecimal" => Type::Decimal,
            "constr" => Type::Str,
            "conlist" | "conset" => {
                let item = call.arguments.first().or_else(|| call.keyword("item_type"));
                let item = Box::new(item.map_or(Type::Any, |item| self.wanted(item, text, into, depth + 1)));
                if last(&function) == "conset" { Type::Set(item) } else { Type::List(item) }
            }
            _ => return Type::Other(text.to_owned()),
        };
        let mut bounds = self.bounds(call);
        bounds.min_length = bounds.min_length.or_else(|| self.length(call, "min_items"));
        bounds.max_length = bounds.max_length.or_else(|| self.length(call, "max_items"));
        with_bounds(base, bounds)
    }

    /// Limits that a call states.
    pub(crate) fn bounds(&self, call: &Call) -> Bounds {
        let number = |name: &str| call.keyword(name).and_then(|expr| self.number(expr));
        let more = ["pattern", "regex", "multiple_of", "max_digits", "decimal_places", "strict"];
        Bounds {
            gt: number("gt"),
            ge: number("ge"),
            lt: number("lt"),
            le: number("le"),
            min_length: self.length(call, "min_length").or_else(|| self.length_if(call, "min_items")),
            max_length: self.length(call, "max_length").or_else(|| self.length_if(call, "max_items")),
            more: more.iter().any(|name| call.keyword(name).is_some()),
        }
    }

    fn length_if(&self, call: &Call, name: &str) -> Option<usize> {
        (self.version == Version::One).then(|| self.length(call, name)).flatten()
    }

    fn length(&self, call: &Call, name: &str) -> Option<usize> {
        call.keyword(name).and_then(|expr| self.number(expr)).and_then(whole)
    }

    fn number(&self, expr: &Expr) -> Option<f64> {
        match self.names.value(expr).ok()? {
            crate::value::Value::Int(value) => Some(crate::value::int_as_float(value)),
            crate::value::Value::Float(value) => Some(value),
            _ => None,
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths are small and not negative"
)]
fn whole(number: f64) -> Option<usize> {
    (0.0..1e9).contains(&number).then_some(number as usize)
}

fn last(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or_default()
}

pub(crate) fn with_bounds(wanted: Type, bounds: Bounds) -> Type {
    if bounds.is_empty() {
        return wanted;
    }
    match wanted {
        // Limits hold for the part that is there.
        Type::Union(parts) => Type::Union(
            parts
                .into_iter()
                .map(|part| if part == Type::None { part } else { with_bounds(part, bounds.clone()) })
                .collect(),
        ),
        other => Type::Bounded(Box::new(other), bounds),
    }
}
