//! From the parser's tree to [`Module`]. This file, [`super::source`] and [`super::reads`] alone know the parser.

use std::collections::HashMap;

use ruff_python_ast::{self as ast, Expr as Tree, InterpolatedStringElement, Number, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::source::Source;
use super::syntax::{
    At, Call, Class, Comparison, Each, Expr, Field, Import, Module, Operator, UnaryOperator, Validator,
    Written,
};

/// How deep an expression may be nested to be understood.
const DEPTH_MAX: usize = 60;
/// How many parts an expression may have to be understood.
const PARTS_MAX: usize = 20_000;
/// How many classes may lie in each other.
const CLASSES_MAX: usize = 20;
/// How many characters of source are kept to show what was not understood.
const TEXT_MAX: usize = 160;

pub(super) fn module(source: &Source<'_>, body: &[Stmt]) -> Module {
    let mut lowering = Lowering { source, module: Module::default() };
    lowering.statements(body, false);
    lowering.module
}

struct Lowering<'a> {
    source: &'a Source<'a>,
    module: Module,
}

impl Lowering<'_> {
    fn statements(&mut self, body: &[Stmt], conditional: bool) {
        for statement in body {
            self.statement(statement, conditional);
        }
    }

    fn statement(&mut self, statement: &Stmt, conditional: bool) {
        match statement {
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.assign(target, Some(&assign.value), conditional);
                }
            }
            Stmt::AnnAssign(assign) if assign.value.is_some() => {
                self.assign(&assign.target, assign.value.as_deref(), conditional);
            }
            Stmt::AugAssign(assign) => self.assign(&assign.target, None, true),
            Stmt::For(each) => {
                self.assign(&each.target, None, true);
                self.statements(&each.body, true);
                self.statements(&each.orelse, true);
            }
            Stmt::ClassDef(class) => {
                let lowered = self.class(class, 0);
                self.module.classes.push(lowered);
            }
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::Import(import) => imported(import, &mut self.module.imports),
            Stmt::ImportFrom(import) => {
                imported_from(import, &mut self.module.imports, &mut self.module.star_imports);
            }
            Stmt::If(branch) => {
                self.statements(&branch.body, true);
                for clause in &branch.elif_else_clauses {
                    self.statements(&clause.body, true);
                }
            }
            Stmt::Try(tried) => {
                self.statements(&tried.body, true);
                for ast::ExceptHandler::ExceptHandler(handler) in &tried.handlers {
                    self.statements(&handler.body, true);
                }
                self.statements(&tried.orelse, true);
                self.statements(&tried.finalbody, true);
            }
            Stmt::With(with) => self.statements(&with.body, true),
            Stmt::While(repeated) => self.statements(&repeated.body, true),
            _ => {}
        }
    }

    fn assign(&mut self, target: &Tree, value: Option<&Tree>, conditional: bool) {
        match target {
            Tree::Name(name) => {
                let known = &mut self.module.constants;
                let again = known.contains_key(name.id.as_str());
                let expr = match value {
                    Some(value) if !conditional && !again => lower(value),
                    _ => Expr::Opaque,
                };
                known.insert(name.id.to_string(), expr);
            }
            Tree::Tuple(names) => match value {
                Some(Tree::Tuple(values)) if values.elts.len() == names.elts.len() => {
                    for (name, value) in names.elts.iter().zip(&values.elts) {
                        self.assign(name, Some(value), conditional);
                    }
                }
                _ => names.elts.iter().for_each(|name| self.assign(name, None, true)),
            },
            _ => {}
        }
    }

    fn function(&mut self, function: &ast::StmtFunctionDef) {
        let documented = |statement: &&Stmt| !matches!(statement, Stmt::Expr(_));
        let mut body = function.body.iter().filter(documented);
        let (Some(Stmt::Return(last)), None) = (body.next(), body.next()) else { return };
        if is_empty(&function.parameters) && function.decorator_list.is_empty() {
            let returned = last.value.as_deref().map_or(Expr::None, lower);
            self.module.functions.insert(function.name.to_string(), returned);
        }
    }

    fn class(&self, class: &ast::StmtClassDef, depth: usize) -> Class {
        let (bases, keywords) = class.arguments.as_deref().map_or_else(Default::default, |arguments| {
            (arguments.args.iter().map(lower).collect(), keywords(arguments))
        });
        let mut lowered = Class {
            name: class.name.to_string(),
            bases,
            keywords,
            is_dataclass: class.decorator_list.iter().any(|decorator| {
                let lowered = lower(&decorator.expression);
                let named = if let Expr::Call(call) = &lowered { &call.function } else { &lowered };
                named.last_name() == Some("dataclass")
            }),
            at: self.source.at(class.name.range()),
            ..Class::default()
        };
        if depth < CLASSES_MAX {
            self.members(&class.body, None, &mut lowered, depth);
        }
        lowered
    }

    fn members(&self, body: &[Stmt], condition: Option<&str>, into: &mut Class, depth: usize) {
        for statement in body {
            match statement {
                Stmt::AnnAssign(assign) => {
                    if let Tree::Name(name) = &*assign.target {
                        into.fields.push(Field {
                            name: name.id.to_string(),
                            annotation: Some(self.written(&assign.annotation)),
                            value: assign.value.as_deref().map(|value| self.written(value)),
                            condition: condition.map(str::to_owned),
                            at: self.source.at(statement.range()),
                        });
                    }
                }
                Stmt::Assign(assign) => {
                    for target in &assign.targets {
                        if let Tree::Name(name) = target {
                            into.fields.push(Field {
                                name: name.id.to_string(),
                                annotation: None,
                                value: Some(self.written(&assign.value)),
                                condition: condition.map(str::to_owned),
                                at: self.source.at(statement.range()),
                            });
                        }
                    }
                }
                Stmt::ClassDef(class) => into.classes.push(self.class(class, depth + 1)),
                Stmt::FunctionDef(function) => {
                    let name = function.name.as_str();
                    into.customises_sources |=
                        matches!(name, "settings_customise_sources" | "customise_sources");
                    into.validators.extend(validator(function));
                }
                Stmt::If(branch) if depth < CLASSES_MAX => {
                    let test = format!("if {}", self.text(branch.test.range()));
                    self.members(&branch.body, Some(&test), into, depth + 1);
                    for clause in &branch.elif_else_clauses {
                        self.members(&clause.body, Some(&test), into, depth + 1);
                    }
                }
                Stmt::Try(tried) if depth < CLASSES_MAX => {
                    self.members(&tried.body, Some("try"), into, depth + 1);
                    for ast::ExceptHandler::ExceptHandler(handler) in &tried.handlers {
                        self.members(&handler.body, Some("except"), into, depth + 1);
                    }
                    self.members(&tried.orelse, Some("try"), into, depth + 1);
                    self.members(&tried.finalbody, Some("try"), into, depth + 1);
                }
                Stmt::For(each) if depth < CLASSES_MAX => {
                    self.members(&each.body, Some("for"), into, depth + 1);
                }
                Stmt::With(with) if depth < CLASSES_MAX => {
                    self.members(&with.body, Some("with"), into, depth + 1);
                }
                _ => {}
            }
        }
    }

    fn written(&self, expr: &Tree) -> Written {
        Written { expr: lower(expr), text: self.text(expr.range()) }
    }

    fn text(&self, range: TextRange) -> String {
        brief(self.source.text(range))
    }
}

/// Source text on one line, cut at a limit.
pub(super) fn brief(text: &str) -> String {
    let mut brief = String::new();
    for word in text.split_whitespace() {
        if !brief.is_empty() {
            brief.push(' ');
        }
        brief.push_str(word);
        if brief.len() > TEXT_MAX {
            let end = (0..=TEXT_MAX).rev().find(|at| brief.is_char_boundary(*at)).unwrap_or_default();
            brief.truncate(end);
            brief.push('…');
            break;
        }
    }
    brief
}

fn is_empty(parameters: &ast::Parameters) -> bool {
    parameters.iter().next().is_none()
}

pub(super) fn imported(import: &ast::StmtImport, into: &mut HashMap<String, Import>) {
    for alias in &import.names {
        let whole = alias.name.to_string();
        let (bound, module) = match &alias.asname {
            Some(name) => (name.to_string(), whole),
            None => {
                let first = whole.split('.').next().unwrap_or_default().to_owned();
                (first.clone(), first)
            }
        };
        into.insert(bound, Import { module, level: 0, name: None });
    }
}

pub(super) fn imported_from(
    import: &ast::StmtImportFrom,
    into: &mut HashMap<String, Import>,
    stars: &mut Vec<Import>,
) {
    let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
    for alias in &import.names {
        let name = alias.name.to_string();
        if name == "*" {
            stars.push(Import { module: module.clone(), level: import.level, name: None });
            continue;
        }
        let bound = alias.asname.as_ref().map_or_else(|| name.clone(), ToString::to_string);
        into.insert(bound, Import { module: module.clone(), level: import.level, name: Some(name) });
    }
}

/// `@validator(…)`, `@field_validator(…)` and those that see the whole model.
fn validator(function: &ast::StmtFunctionDef) -> Option<Validator> {
    for decorator in &function.decorator_list {
        let Expr::Call(call) = lower(&decorator.expression) else { continue };
        let name = function.name.to_string();
        let mode = call.keyword("mode");
        let sees_before = mode.is_some_and(|mode| matches!(mode, Expr::Str(mode) if mode != "after"))
            || call.keyword("pre") == Some(&Expr::Bool(true));
        let texts = |call: &Call| {
            let text = |argument: &Expr| match argument {
                Expr::Str(text) => Some(text.clone()),
                _ => None,
            };
            call.arguments.iter().filter_map(text).collect()
        };
        match call.function.last_name() {
            Some("validator" | "field_validator") => {
                return Some(Validator { name, fields: texts(&call), before: sees_before });
            }
            Some("model_validator" | "root_validator") if sees_before => {
                return Some(Validator { name, fields: vec!["*".to_owned()], before: true });
            }
            _ => {}
        }
    }
    None
}

fn keywords(arguments: &ast::Arguments) -> Vec<(String, Expr)> {
    let named = |keyword: &ast::Keyword| {
        let name = keyword.arg.as_ref().map_or_else(|| "**".to_owned(), ToString::to_string);
        (name, lower(&keyword.value))
    };
    arguments.keywords.iter().map(named).collect()
}

/// An expression without the parser's types.
pub(super) fn lower(tree: &Tree) -> Expr {
    let mut parts = PARTS_MAX;
    let lowered = lower_within(tree, DEPTH_MAX, &mut parts);
    if parts == 0 { Expr::Opaque } else { lowered }
}

fn lower_within(tree: &Tree, depth: usize, parts: &mut usize) -> Expr {
    *parts = parts.saturating_sub(1);
    let Some(depth) = depth.checked_sub(1).filter(|_| *parts > 0) else { return Expr::Opaque };
    let mut one = |tree: &Tree| lower_within(tree, depth, parts);
    match tree {
        Tree::NoneLiteral(_) => Expr::None,
        Tree::BooleanLiteral(literal) => Expr::Bool(literal.value),
        Tree::EllipsisLiteral(_) => Expr::Ellipsis,
        Tree::NumberLiteral(number) => number_of(&number.value),
        Tree::StringLiteral(text) => Expr::Str(text.value.to_str().to_owned()),
        Tree::BytesLiteral(bytes) => {
            String::from_utf8(bytes.value.bytes().collect()).map_or(Expr::Opaque, Expr::Str)
        }
        Tree::FString(text) => joined(text, &mut one),
        Tree::List(list) => Expr::List(list.elts.iter().map(one).collect()),
        Tree::Tuple(tuple) => Expr::Tuple(tuple.elts.iter().map(one).collect()),
        Tree::Set(set) => Expr::Set(set.elts.iter().map(one).collect()),
        Tree::Dict(dict) => {
            let item =
                |item: &ast::DictItem| (item.key.as_ref().map_or(Expr::Ellipsis, &mut one), one(&item.value));
            Expr::Dict(dict.items.iter().map(item).collect())
        }
        Tree::Name(name) => Expr::Name(name.id.to_string()),
        Tree::Attribute(attribute) => {
            Expr::Attribute(Box::new(one(&attribute.value)), attribute.attr.to_string())
        }
        Tree::Subscript(subscript) => {
            Expr::Index(Box::new(one(&subscript.value)), Box::new(one(&subscript.slice)))
        }
        Tree::Call(call) => {
            let function = one(&call.func);
            let arguments = call.arguments.args.iter().map(&mut one).collect();
            let keywords = call.arguments.keywords.iter().map(|keyword| {
                let name = keyword.arg.as_ref().map_or_else(|| "**".to_owned(), ToString::to_string);
                (name, one(&keyword.value))
            });
            Expr::Call(Box::new(Call { keywords: keywords.collect(), function, arguments }))
        }
        Tree::BinOp(binary) => match operator(binary.op) {
            Some(op) => Expr::Binary(op, Box::new(one(&binary.left)), Box::new(one(&binary.right))),
            None => Expr::Opaque,
        },
        Tree::UnaryOp(unary) => match unary.op {
            ast::UnaryOp::Not => Expr::Unary(UnaryOperator::Not, Box::new(one(&unary.operand))),
            ast::UnaryOp::USub => Expr::Unary(UnaryOperator::Minus, Box::new(one(&unary.operand))),
            ast::UnaryOp::UAdd => Expr::Unary(UnaryOperator::Plus, Box::new(one(&unary.operand))),
            ast::UnaryOp::Invert => Expr::Opaque,
        },
        Tree::BoolOp(both) => match both.op {
            ast::BoolOp::Or => Expr::Or(both.values.iter().map(one).collect()),
            ast::BoolOp::And => Expr::And(both.values.iter().map(one).collect()),
        },
        Tree::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([op], [right]) => {
                Expr::Compare(comparison(*op), Box::new(one(&compare.left)), Box::new(one(right)))
            }
            _ => Expr::Opaque,
        },
        Tree::If(choice) => {
            Expr::Choice(Box::new([one(&choice.test), one(&choice.body), one(&choice.orelse)]))
        }
        Tree::Lambda(lambda) if lambda.parameters.as_deref().is_none_or(is_empty) => {
            Expr::Lambda(Box::new(one(&lambda.body)))
        }
        Tree::ListComp(each) => each_of(&each.elt, &each.generators, false, &mut one),
        Tree::SetComp(each) => each_of(&each.elt, &each.generators, true, &mut one),
        Tree::Generator(each) => each_of(&each.elt, &each.generators, false, &mut one),
        Tree::Starred(starred) => Expr::Starred(Box::new(one(&starred.value))),
        _ => Expr::Opaque,
    }
}

fn number_of(number: &Number) -> Expr {
    match number {
        Number::Int(int) => {
            int.as_u64().map(i128::from).or_else(|| big(&int.to_string())).map_or(Expr::Opaque, Expr::Int)
        }
        Number::Float(float) => Expr::Float(*float),
        Number::Complex { .. } => Expr::Opaque,
    }
}

/// The parser keeps the spelling of integers that need more than 64 bits.
fn big(token: &str) -> Option<i128> {
    let digits = token.replace('_', "").to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return i128::from_str_radix(rest, radix).ok();
        }
    }
    digits.parse().ok()
}

fn joined(text: &ast::ExprFString, one: &mut impl FnMut(&Tree) -> Expr) -> Expr {
    let mut parts = Vec::new();
    for part in &text.value {
        match part {
            ast::FStringPart::Literal(literal) => parts.push(Expr::Str(literal.value.to_string())),
            ast::FStringPart::FString(format) => {
                for element in &format.elements {
                    parts.push(match element {
                        InterpolatedStringElement::Literal(literal) => Expr::Str(literal.value.to_string()),
                        InterpolatedStringElement::Interpolation(inner)
                            if inner.format_spec.is_none()
                                && inner.debug_text.is_none()
                                && matches!(
                                    inner.conversion,
                                    ast::ConversionFlag::None | ast::ConversionFlag::Str
                                ) =>
                        {
                            one(&inner.expression)
                        }
                        InterpolatedStringElement::Interpolation(_) => Expr::Opaque,
                    });
                }
            }
        }
    }
    Expr::Joined(parts)
}

fn each_of(
    element: &Tree,
    generators: &[ast::Comprehension],
    set: bool,
    one: &mut impl FnMut(&Tree) -> Expr,
) -> Expr {
    let [generator] = generators else { return Expr::Opaque };
    let Tree::Name(name) = &generator.target else { return Expr::Opaque };
    Expr::Each(Box::new(Each {
        name: name.id.to_string(),
        element: one(element),
        items: one(&generator.iter),
        conditions: generator.ifs.iter().map(one).collect(),
        set,
    }))
}

const fn operator(operator: ast::Operator) -> Option<Operator> {
    Some(match operator {
        ast::Operator::Add => Operator::Add,
        ast::Operator::Sub => Operator::Subtract,
        ast::Operator::Mult => Operator::Multiply,
        ast::Operator::Div => Operator::Divide,
        ast::Operator::FloorDiv => Operator::FloorDivide,
        ast::Operator::Mod => Operator::Modulo,
        ast::Operator::Pow => Operator::Power,
        ast::Operator::LShift => Operator::ShiftLeft,
        ast::Operator::RShift => Operator::ShiftRight,
        ast::Operator::BitOr => Operator::BitOr,
        ast::Operator::BitXor | ast::Operator::BitAnd | ast::Operator::MatMult => return None,
    })
}

const fn comparison(op: ast::CmpOp) -> Comparison {
    match op {
        ast::CmpOp::Eq => Comparison::Equal,
        ast::CmpOp::NotEq => Comparison::NotEqual,
        ast::CmpOp::Lt => Comparison::Less,
        ast::CmpOp::LtE => Comparison::LessOrEqual,
        ast::CmpOp::Gt => Comparison::Greater,
        ast::CmpOp::GtE => Comparison::GreaterOrEqual,
        ast::CmpOp::In => Comparison::In,
        ast::CmpOp::NotIn => Comparison::NotIn,
        ast::CmpOp::Is => Comparison::Is,
        ast::CmpOp::IsNot => Comparison::IsNot,
    }
}

/// The place of the first character of a text.
pub(super) fn start(source: &Source<'_>, range: TextRange) -> At {
    source.at(range)
}
