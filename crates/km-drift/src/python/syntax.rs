//! The part of Python's syntax that settings are written in: what the parser's tree is lowered to.

use std::collections::{HashMap, HashSet};

/// A place in a file; both count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// An expression. What is not understood is [`Expr::Opaque`], and so is everything that contains more than
/// the limits allow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    Ellipsis,
    List(Vec<Self>),
    Tuple(Vec<Self>),
    Set(Vec<Self>),
    /// Pairs; with an ellipsis for a key the value is unpacked (`**`).
    Dict(Vec<(Self, Self)>),
    Name(String),
    Attribute(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
    Call(Box<Call>),
    Binary(Operator, Box<Self>, Box<Self>),
    Unary(UnaryOperator, Box<Self>),
    Or(Vec<Self>),
    And(Vec<Self>),
    Compare(Comparison, Box<Self>, Box<Self>),
    /// Test, then, else.
    Choice(Box<[Self; 3]>),
    /// A lambda without parameters.
    Lambda(Box<Self>),
    /// Parts of an f-string.
    Joined(Vec<Self>),
    /// A comprehension over one name.
    Each(Box<Each>),
    Starred(Box<Self>),
    Opaque,
}

/// A call, with the source text of its keywords left out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: Expr,
    pub(crate) arguments: Vec<Expr>,
    pub(crate) keywords: Vec<(String, Expr)>,
}

impl Call {
    pub(crate) fn keyword(&self, name: &str) -> Option<&Expr> {
        self.keywords.iter().find(|(keyword, _)| keyword == name).map(|(_, value)| value)
    }
}

/// `[element for name in items if …]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Each {
    pub(crate) name: String,
    pub(crate) element: Expr,
    pub(crate) items: Expr,
    pub(crate) conditions: Vec<Expr>,
    pub(crate) set: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    ShiftLeft,
    ShiftRight,
    BitOr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Not,
    Minus,
    Plus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Is,
    IsNot,
}

impl Expr {
    /// The dotted name that an expression is, such as `os.environ.get`.
    pub(crate) fn dotted(&self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name.clone()),
            Self::Attribute(base, name) => Some(format!("{}.{name}", base.dotted()?)),
            _ => None,
        }
    }

    /// The last part of a dotted name.
    pub(crate) fn last_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Attribute(_, name) => Some(name),
            _ => None,
        }
    }

    /// The expressions directly inside.
    pub(crate) fn children(&self) -> Vec<&Self> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => items.iter().collect(),
            Self::Or(items) | Self::And(items) | Self::Joined(items) => items.iter().collect(),
            Self::Dict(items) => items.iter().flat_map(|(key, value)| [key, value]).collect(),
            Self::Attribute(base, _) => vec![base],
            Self::Index(a, b) | Self::Binary(_, a, b) | Self::Compare(_, a, b) => vec![a, b],
            Self::Unary(_, inner) | Self::Lambda(inner) | Self::Starred(inner) => vec![inner],
            Self::Choice(parts) => parts.iter().collect(),
            Self::Call(call) => {
                let arguments = call.arguments.iter().chain(call.keywords.iter().map(|(_, value)| value));
                std::iter::once(&call.function).chain(arguments).collect()
            }
            Self::Each(each) => [&each.element, &each.items].into_iter().chain(&each.conditions).collect(),
            Self::None
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Str(_)
            | Self::Ellipsis
            | Self::Name(_)
            | Self::Opaque => Vec::new(),
        }
    }
}

/// An expression and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    pub(crate) expr: Expr,
    pub(crate) text: String,
}

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The path as it was given, for findings.
    pub(crate) file: String,
    /// The last assignment of each name; [`Expr::Opaque`] when it depends on a condition.
    pub(crate) constants: HashMap<String, Expr>,
    pub(crate) imports: HashMap<String, Import>,
    /// Modules of which everything is imported.
    pub(crate) star_imports: Vec<Import>,
    pub(crate) classes: Vec<Class>,
    /// Functions without parameters that only return an expression.
    pub(crate) functions: HashMap<String, Expr>,
    /// Expressions that read the environment.
    pub(crate) reads: Vec<Read>,
    /// Variables of which the code asks whether they are set.
    pub(crate) guarded: HashSet<String>,
}

/// `from module import name`, or `import module` without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) module: String,
    /// Leading dots.
    pub(crate) level: u32,
    pub(crate) name: Option<String>,
}

/// A class statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) bases: Vec<Expr>,
    pub(crate) keywords: Vec<(String, Expr)>,
    pub(crate) fields: Vec<Field>,
    pub(crate) classes: Vec<Self>,
    pub(crate) validators: Vec<Validator>,
    /// It decides by itself where settings come from, and in which order.
    pub(crate) customises_sources: bool,
    pub(crate) is_dataclass: bool,
    pub(crate) at: At,
}

/// An assignment in the body of a class.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) annotation: Option<Written>,
    pub(crate) value: Option<Written>,
    /// The text of the condition it stands under.
    pub(crate) condition: Option<String>,
    pub(crate) at: At,
}

/// A method that pydantic calls for the values of some fields.
#[derive(Clone, Debug)]
pub(crate) struct Validator {
    pub(crate) name: String,
    /// `*` stands for all.
    pub(crate) fields: Vec<String>,
    /// It sees the value before its type is looked at.
    pub(crate) before: bool,
}

/// An expression that reads the environment, as large as it could be understood.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) written: Written,
    /// What it is assigned to, when that has a name.
    pub(crate) target: Option<String>,
    pub(crate) at: At,
    /// Where the statement begins that it is a part of.
    pub(crate) statement: At,
}
