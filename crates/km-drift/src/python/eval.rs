//! The value of an expression, where it can be known without running anything.

use std::cell::Cell;

use super::environ::{ReaderKind, Readers, reading};
use super::syntax::{Call, Comparison, Each, Expr, Operator, UnaryOperator};
use crate::pydantic::{self, Parsed};
use crate::types::Type;
use crate::value::Value;

/// How far names are followed.
const FOLLOW_MAX: usize = 40;
/// How many parts are looked at for one setting: what refers to itself, or doubles, ends here.
pub(crate) const STEPS_MAX: usize = 50_000;
/// The longest text or list that is computed.
const SIZE_MAX: usize = 100_000;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It cannot be known from the source.
    Unknown,
    /// The application would end here.
    Raises(String),
}

type Result<T> = std::result::Result<T, Stuck>;

/// Where names get their meaning.
pub(crate) trait Names {
    /// The expression that a dotted name stands for, and the names that hold there.
    fn find<'a>(&'a self, dotted: &str) -> Option<(Expr, Box<dyn Names + 'a>)>;
    /// The value of a member of an enum, such as `Color.RED` or `Color.RED.value`.
    fn member(&self, dotted: &str) -> Option<Value>;
    /// The dotted name with imports resolved.
    fn canonical(&self, dotted: &str) -> String;
}

/// What an evaluation may use.
pub(crate) struct Scope<'a> {
    pub(crate) names: &'a dyn Names,
    pub(crate) readers: &'a Readers,
    /// Variables that are set; all others are not.
    pub(crate) variables: &'a [(String, String)],
    pub(crate) locals: Option<(&'a str, &'a Value)>,
    pub(crate) followed: usize,
    /// Parts that were looked at.
    pub(crate) steps: &'a Cell<usize>,
}

impl Scope<'_> {
    pub(crate) fn value(&self, expr: &Expr) -> Result<Value> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > STEPS_MAX {
            return Err(Stuck::Unknown);
        }
        match expr {
            Expr::None => Ok(Value::None),
            Expr::Bool(value) => Ok(Value::Bool(*value)),
            Expr::Int(value) => Ok(Value::Int(*value)),
            Expr::Float(value) => Ok(Value::Float(*value)),
            Expr::Str(text) => Ok(Value::Str(text.clone())),
            Expr::List(items) | Expr::Tuple(items) => Ok(Value::List(self.items(items)?)),
            Expr::Set(items) => Ok(set(self.items(items)?)),
            Expr::Dict(items) => self.map(items),
            Expr::Name(_) | Expr::Attribute(..) => self.named(expr),
            Expr::Index(base, key) => self.read(expr).unwrap_or_else(|| self.index(base, key)),
            Expr::Call(call) => self.read(expr).unwrap_or_else(|| self.call(call)),
            Expr::Binary(op, left, right) => binary(*op, self.value(left)?, self.value(right)?),
            Expr::Unary(op, inner) => unary(*op, self.value(inner)?),
            Expr::Or(items) => self.first(items, true),
            Expr::And(items) => self.first(items, false),
            Expr::Compare(op, left, right) => compare(*op, &self.value(left)?, &self.value(right)?),
            Expr::Choice(parts) => {
                let [test, then, otherwise] = &**parts;
                if self.value(test)?.is_true() { self.value(then) } else { self.value(otherwise) }
            }
            Expr::Joined(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&spelled(&self.value(part)?)?);
                }
                bounded(Value::Str(text))
            }
            Expr::Each(each) => self.each(each),
            Expr::Ellipsis | Expr::Lambda(_) | Expr::Starred(_) | Expr::Opaque => Err(Stuck::Unknown),
        }
    }

    fn items(&self, items: &[Expr]) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        for item in items {
            match item {
                Expr::Starred(inner) => values.extend(elements(self.value(inner)?)?),
                item => values.push(self.value(item)?),
            }
        }
        Ok(values)
    }

    fn map(&self, items: &[(Expr, Expr)]) -> Result<Value> {
        let mut map: Vec<(Value, Value)> = Vec::new();
        for (key, value) in items {
            if *key == Expr::Ellipsis {
                let Value::Map(unpacked) = self.value(value)? else { return Err(Stuck::Unknown) };
                map.retain(|(known, _)| !unpacked.iter().any(|(key, _)| key.same(known)));
                map.extend(unpacked);
                continue;
            }
            let (key, value) = (self.value(key)?, self.value(value)?);
            map.retain(|(known, _)| !known.same(&key));
            map.push((key, value));
        }
        Ok(Value::Map(map))
    }

    fn named(&self, expr: &Expr) -> Result<Value> {
        if let (Expr::Name(name), Some((local, value))) = (expr, self.locals)
            && name == local
        {
            return Ok(value.clone());
        }
        let dotted = expr.dotted().ok_or(Stuck::Unknown)?;
        if let Some(value) = self.names.member(&dotted) {
            return Ok(value);
        }
        if self.followed >= FOLLOW_MAX {
            return Err(Stuck::Unknown);
        }
        let (expr, names) = self.names.find(&dotted).ok_or(Stuck::Unknown)?;
        self.elsewhere(&*names).value(&expr)
    }

    fn elsewhere<'b>(&'b self, names: &'b dyn Names) -> Scope<'b> {
        Scope {
            names,
            readers: self.readers,
            variables: self.variables,
            locals: None,
            followed: self.followed + 1,
            steps: self.steps,
        }
    }

    /// The first item that decides `or` (`stop` is true) or `and`.
    fn first(&self, items: &[Expr], stop: bool) -> Result<Value> {
        let mut last = Err(Stuck::Unknown);
        for item in items {
            let value = self.value(item)?;
            if value.is_true() == stop {
                return Ok(value);
            }
            last = Ok(value);
        }
        last
    }

    fn each(&self, each: &Each) -> Result<Value> {
        let mut values = Vec::new();
        for item in elements(self.value(&each.items)?)? {
            let inside = Scope { locals: Some((&each.name, &item)), ..*self };
            let mut wanted = true;
            for condition in &each.conditions {
                wanted &= inside.value(condition)?.is_true();
            }
            if wanted {
                values.push(inside.value(&each.element)?);
            }
        }
        Ok(if each.set { set(values) } else { Value::List(values) })
    }

    fn index(&self, base: &Expr, key: &Expr) -> Result<Value> {
        match (self.value(base)?, self.value(key)?) {
            (Value::Map(items), key) => items
                .into_iter()
                .find(|(known, _)| known.same(&key))
                .map(|(_, value)| value)
                .ok_or(Stuck::Unknown),
            (Value::List(items), Value::Int(at)) => {
                let length = i128::try_from(items.len()).unwrap_or_default();
                let at =
                    usize::try_from(if at < 0 { at + length } else { at }).map_err(|_| Stuck::Unknown)?;
                items.into_iter().nth(at).ok_or(Stuck::Unknown)
            }
            _ => Err(Stuck::Unknown),
        }
    }

    /// The value of a variable, if that is what the expression reads.
    fn read(&self, expr: &Expr) -> Option<Result<Value>> {
        let canonical = |dotted: &str| self.names.canonical(dotted);
        let reading = reading(expr, self.readers, &canonical)?;
        let name = match self.value(reading.name) {
            Ok(Value::Str(name)) => name,
            Ok(_) => return Some(Err(Stuck::Unknown)),
            Err(stuck) => return Some(Err(stuck)),
        };
        let Some((_, raw)) = self.variables.iter().find(|(set, _)| *set == name) else {
            return Some(match reading.default {
                Some(default) => self.value(default),
                None if reading.optional => Ok(Value::None),
                None => Err(Stuck::Raises(format!("{name} has to be set"))),
            });
        };
        Some(reading.kind.map_or_else(|| Ok(Value::Str(raw.clone())), |kind| converted(kind, raw)))
    }

    fn call(&self, call: &Call) -> Result<Value> {
        let plain = call.keywords.is_empty();
        if let Expr::Attribute(base, method) = &call.function
            && plain
            && let Ok(base) = self.value(base)
        {
            return self.method(&base, method, &call.arguments);
        }
        let written = call.function.dotted().ok_or(Stuck::Unknown)?;
        let function = self.names.canonical(&written);
        if !plain {
            return if function == "dict" { self.dict(call) } else { Err(Stuck::Unknown) };
        }
        let arguments = self.items(&call.arguments)?;
        called(&function, &arguments)
    }

    fn dict(&self, call: &Call) -> Result<Value> {
        let item = |(key, value): &(String, Expr)| Ok((Value::Str(key.clone()), self.value(value)?));
        call.keywords.iter().map(item).collect::<Result<Vec<_>>>().map(Value::Map)
    }

    fn method(&self, base: &Value, method: &str, arguments: &[Expr]) -> Result<Value> {
        let arguments = self.items(arguments)?;
        let Value::Str(text) = base else {
            return match (base, method, arguments.as_slice()) {
                (Value::List(_), "copy", []) => Ok(base.clone()),
                _ => Err(Stuck::Unknown),
            };
        };
        match (method, arguments.as_slice()) {
            ("lower" | "casefold", []) => Ok(Value::Str(text.to_lowercase())),
            ("upper", []) => Ok(Value::Str(text.to_uppercase())),
            ("strip", []) => Ok(Value::Str(text.trim().to_owned())),
            ("lstrip", []) => Ok(Value::Str(text.trim_start().to_owned())),
            ("rstrip", []) => Ok(Value::Str(text.trim_end().to_owned())),
            ("strip", [Value::Str(set)]) => Ok(Value::Str(text.trim_matches(|c| set.contains(c)).to_owned())),
            ("rstrip", [Value::Str(set)]) => {
                Ok(Value::Str(text.trim_end_matches(|c| set.contains(c)).to_owned()))
            }
            ("split", []) => Ok(texts(text.split_whitespace())),
            ("split", [Value::Str(by)]) if !by.is_empty() => Ok(texts(text.split(by.as_str()))),
            ("join", [Value::List(items)]) => {
                let text_of = |item: &Value| match item {
                    Value::Str(text) => Ok(text.clone()),
                    _ => Err(Stuck::Unknown),
                };
                let parts = items.iter().map(text_of).collect::<Result<Vec<_>>>()?;
                bounded(Value::Str(parts.join(text)))
            }
            ("replace", [Value::Str(from), Value::Str(to)]) if !from.is_empty() => {
                bounded(Value::Str(text.replace(from.as_str(), to)))
            }
            ("startswith", [Value::Str(start)]) => Ok(Value::Bool(text.starts_with(start.as_str()))),
            ("endswith", [Value::Str(end)]) => Ok(Value::Bool(text.ends_with(end.as_str()))),
            ("encode", _) => Ok(base.clone()),
            _ => Err(Stuck::Unknown),
        }
    }
}

fn texts<'a>(parts: impl Iterator<Item = &'a str>) -> Value {
    Value::List(parts.map(|part| Value::Str(part.to_owned())).collect())
}

/// Types whose values are compared by the text that they are made of.
const TEXT_TYPES: [&str; 11] = [
    "Path",
    "PurePath",
    "PosixPath",
    "SecretStr",
    "SecretBytes",
    "AnyUrl",
    "AnyHttpUrl",
    "HttpUrl",
    "PostgresDsn",
    "RedisDsn",
    "Decimal",
];

/// Functions of Python that the defaults of settings are written with.
fn called(function: &str, arguments: &[Value]) -> Result<Value> {
    match (function, arguments) {
        ("int", [Value::Str(text)]) => typed(&Type::PythonInt, text),
        ("int", [Value::Int(value)]) => Ok(Value::Int(*value)),
        ("int", [Value::Bool(value)]) => Ok(Value::Int(i128::from(*value))),
        ("int", [Value::None]) | ("float", [Value::None]) => Err(Stuck::Raises("it is not set".to_owned())),
        ("float", [Value::Str(text)]) => typed(&Type::Float, text),
        ("float", [Value::Int(value)]) => Ok(Value::Float(crate::value::int_as_float(*value))),
        ("float", [Value::Float(value)]) => Ok(Value::Float(*value)),
        ("bool", [value]) => Ok(Value::Bool(value.is_true())),
        ("str", [value]) => spelled(value).map(Value::Str),
        ("list" | "tuple", []) => Ok(Value::List(Vec::new())),
        ("set" | "frozenset", []) => Ok(Value::Set(Vec::new())),
        ("dict", []) => Ok(Value::Map(Vec::new())),
        ("dict", [Value::Map(items)]) => Ok(Value::Map(items.clone())),
        ("list" | "tuple" | "sorted", [value]) if function != "sorted" => {
            elements(value.clone()).map(Value::List)
        }
        ("set" | "frozenset", [value]) => elements(value.clone()).map(set),
        ("len", [value]) => length(value),
        ("json.loads", [Value::Str(text)]) => typed(&Type::Json, text),
        (name, [value]) if TEXT_TYPES.contains(&name.rsplit('.').next().unwrap_or_default()) => {
            spelled(value).map(Value::Str)
        }
        _ => Err(Stuck::Unknown),
    }
}

fn converted(kind: ReaderKind, raw: &str) -> Result<Value> {
    match kind {
        ReaderKind::Bool => typed(&Type::Bool, raw),
        ReaderKind::Int => typed(&Type::Int, raw),
        ReaderKind::Float => typed(&Type::Float, raw),
        ReaderKind::Json => typed(&Type::Json, raw),
        ReaderKind::Str => Ok(Value::Str(raw.to_owned())),
        ReaderKind::List => Ok(texts(raw.split(',').map(str::trim).filter(|part| !part.is_empty()))),
    }
}

fn typed(wanted: &Type, text: &str) -> Result<Value> {
    match pydantic::convert(wanted, text) {
        Parsed::Value(value) => Ok(value),
        Parsed::Refused(why) => Err(Stuck::Raises(why)),
        Parsed::Undecided(_) => Err(Stuck::Unknown),
    }
}

fn length(value: &Value) -> Result<Value> {
    let count = match value {
        Value::Str(text) => text.chars().count(),
        Value::List(items) | Value::Set(items) => items.len(),
        Value::Map(items) => items.len(),
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => return Err(Stuck::Unknown),
    };
    i128::try_from(count).map(Value::Int).map_err(|_| Stuck::Unknown)
}

fn elements(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::List(items) | Value::Set(items) => Ok(items),
        Value::Str(text) => Ok(text.chars().map(|c| Value::Str(c.to_string())).collect()),
        Value::Map(items) => Ok(items.into_iter().map(|(key, _)| key).collect()),
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => Err(Stuck::Unknown),
    }
}

fn set(items: Vec<Value>) -> Value {
    let mut unique: Vec<Value> = Vec::new();
    for item in items {
        if !unique.iter().any(|known| known.same(&item)) {
            unique.push(item);
        }
    }
    Value::Set(unique)
}

/// What `str()` makes of a value.
fn spelled(value: &Value) -> Result<String> {
    match value {
        Value::Float(number) if *number != 0.0 && !(1e-4..1e16).contains(&number.abs()) => {
            Err(Stuck::Unknown)
        }
        Value::List(_) | Value::Set(_) | Value::Map(_) => Err(Stuck::Unknown),
        value => Ok(value.plain()),
    }
}

fn bounded(value: Value) -> Result<Value> {
    let size = match &value {
        Value::Str(text) => text.len(),
        Value::List(items) => items.len(),
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Set(_) | Value::Map(_) => 0,
    };
    if size > SIZE_MAX { Err(Stuck::Unknown) } else { Ok(value) }
}

fn unary(op: UnaryOperator, value: Value) -> Result<Value> {
    match (op, value) {
        (UnaryOperator::Not, value) => Ok(Value::Bool(!value.is_true())),
        (UnaryOperator::Minus, Value::Int(value)) => {
            value.checked_neg().map(Value::Int).ok_or(Stuck::Unknown)
        }
        (UnaryOperator::Minus, Value::Float(value)) => Ok(Value::Float(-value)),
        (UnaryOperator::Plus, value @ (Value::Int(_) | Value::Float(_))) => Ok(value),
        _ => Err(Stuck::Unknown),
    }
}

fn binary(op: Operator, left: Value, right: Value) -> Result<Value> {
    match (op, left, right) {
        (Operator::Add, Value::Str(a), Value::Str(b)) => bounded(Value::Str(a + &b)),
        (Operator::Add, Value::List(mut a), Value::List(b)) => {
            a.extend(b);
            bounded(Value::List(a))
        }
        (Operator::Divide, Value::Str(a), Value::Str(b)) => Ok(Value::Str(joined_path(&a, &b))),
        (Operator::Multiply, Value::Str(text), Value::Int(times))
        | (Operator::Multiply, Value::Int(times), Value::Str(text)) => {
            let times = usize::try_from(times.max(0)).map_err(|_| Stuck::Unknown)?;
            let size = text.len().checked_mul(times).filter(|size| *size <= SIZE_MAX);
            size.map(|_| Value::Str(text.repeat(times))).ok_or(Stuck::Unknown)
        }
        (Operator::BitOr, Value::Map(a), Value::Map(b)) => {
            let mut merged: Vec<_> =
                a.into_iter().filter(|(key, _)| !b.iter().any(|(other, _)| other.same(key))).collect();
            merged.extend(b);
            Ok(Value::Map(merged))
        }
        (Operator::BitOr, Value::Set(mut a), Value::Set(b)) => {
            a.extend(b);
            Ok(set(a))
        }
        (op, Value::Int(a), Value::Int(b)) => integers(op, a, b),
        (op, left, right) => match (as_float(&left), as_float(&right)) {
            (Some(a), Some(b)) => floats(op, a, b),
            _ => Err(Stuck::Unknown),
        },
    }
}

/// `Path(a) / b`.
fn joined_path(a: &str, b: &str) -> String {
    if b.starts_with('/') { b.to_owned() } else { format!("{}/{b}", a.trim_end_matches('/')) }
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(crate::value::int_as_float(*value)),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn integers(op: Operator, a: i128, b: i128) -> Result<Value> {
    let count = || u32::try_from(b).ok().filter(|count| *count < 127);
    let value = match op {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::FloorDivide => a.checked_div_euclid(b).filter(|_| b > 0),
        Operator::Modulo => a.checked_rem_euclid(b).filter(|_| b > 0),
        Operator::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Operator::ShiftLeft => count().and_then(|count| a.checked_mul(1_i128.checked_shl(count)?)),
        Operator::ShiftRight => count().and_then(|count| a.checked_shr(count)),
        Operator::BitOr => Some(a | b),
        Operator::Divide => {
            return if b == 0 {
                Err(Stuck::Unknown)
            } else {
                Ok(Value::Float(crate::value::int_as_float(a) / crate::value::int_as_float(b)))
            };
        }
    };
    value.map(Value::Int).ok_or(Stuck::Unknown)
}

fn floats(op: Operator, a: f64, b: f64) -> Result<Value> {
    match op {
        Operator::Add => Ok(Value::Float(a + b)),
        Operator::Subtract => Ok(Value::Float(a - b)),
        Operator::Multiply => Ok(Value::Float(a * b)),
        Operator::Divide if b != 0.0 => Ok(Value::Float(a / b)),
        _ => Err(Stuck::Unknown),
    }
}

fn compare(op: Comparison, left: &Value, right: &Value) -> Result<Value> {
    let ordered = || match (left, right) {
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (a, b) => as_float(a)?.partial_cmp(&as_float(b)?),
    };
    let order = |wanted: fn(std::cmp::Ordering) -> bool| ordered().map(wanted).ok_or(Stuck::Unknown);
    let inside = || match (left, right) {
        (Value::Str(part), Value::Str(text)) => Ok(text.contains(part.as_str())),
        (part, Value::List(items) | Value::Set(items)) => Ok(items.iter().any(|item| item.same(part))),
        (part, Value::Map(items)) => Ok(items.iter().any(|(key, _)| key.same(part))),
        _ => Err(Stuck::Unknown),
    };
    let value = match op {
        Comparison::Equal | Comparison::Is => left.same(right),
        Comparison::NotEqual | Comparison::IsNot => !left.same(right),
        Comparison::Less => order(std::cmp::Ordering::is_lt)?,
        Comparison::LessOrEqual => order(std::cmp::Ordering::is_le)?,
        Comparison::Greater => order(std::cmp::Ordering::is_gt)?,
        Comparison::GreaterOrEqual => order(std::cmp::Ordering::is_ge)?,
        Comparison::In => inside()?,
        Comparison::NotIn => !inside()?,
    };
    Ok(Value::Bool(value))
}
