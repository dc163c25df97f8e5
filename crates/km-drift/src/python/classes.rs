//! Settings classes: their bases and their configuration.

use std::rc::Rc;

use super::project::{Found, InModule, Project};
use super::reads::canonical;
use super::syntax::{Call, Expr};
use crate::pydantic::Version;
use crate::value::Value;

/// How far bases are followed.
const DEPTH_MAX: usize = 24;
/// How many bases are looked at, each time that one is reached.
const BASES_MAX: usize = 200;

/// What the bases of a class come to.
pub(crate) struct Ancestry {
    /// The library, if any base is its settings class.
    pub(crate) version: Option<Version>,
    /// The class and its bases in the order in which Python looks.
    pub(crate) order: Vec<Found>,
    /// Bases that were not found, with the class that names them.
    pub(crate) unresolved: Vec<(String, Found)>,
}

const SETTINGS_ONE: [&str; 5] = [
    "pydantic.BaseSettings",
    "pydantic.env_settings.BaseSettings",
    "pydantic.v1.BaseSettings",
    "pydantic.v1.env_settings.BaseSettings",
    "pydantic_v1.BaseSettings",
];
const SETTINGS_TWO: [&str; 3] = [
    "pydantic_settings.BaseSettings",
    "pydantic_settings.main.BaseSettings",
    "pydantic_settings.sources.BaseSettings",
];
/// Bases that bring no settings.
const HARMLESS: [&str; 9] =
    ["object", "ABC", "Generic", "Protocol", "BaseModel", "NamedTuple", "TypedDict", "RootModel", "Enum"];

pub(crate) fn ancestry(project: &Project<'_>, found: &Found) -> Ancestry {
    let mut ancestry = Ancestry { version: None, order: Vec::new(), unresolved: Vec::new() };
    visit(project, found, &mut ancestry, 0);
    // A base that is reached twice comes after everything that derives from it.
    let mut order: Vec<Found> = Vec::new();
    for found in ancestry.order.drain(..).rev() {
        if !order.iter().any(|known| same(known, &found)) {
            order.push(found);
        }
    }
    order.reverse();
    ancestry.order = order;
    ancestry
}

fn same(a: &Found, b: &Found) -> bool {
    a.class.at == b.class.at && a.class.name == b.class.name && a.path == b.path
}

fn visit(project: &Project<'_>, found: &Found, into: &mut Ancestry, depth: usize) {
    into.order.push(found.clone());
    if depth >= DEPTH_MAX || into.order.len() > BASES_MAX {
        return;
    }
    for base in &found.class.bases {
        let named = match base {
            Expr::Index(generic, _) => generic,
            other => other,
        };
        let Some(dotted) = named.dotted() else {
            into.unresolved.push(("an expression".to_owned(), found.clone()));
            continue;
        };
        let full = canonical(&found.module.imports, &dotted);
        let star = full == "BaseSettings"
            && found.module.star_imports.iter().any(|import| import.module == "pydantic_settings");
        if SETTINGS_TWO.contains(&full.as_str()) || star {
            into.version = into.version.or(Some(Version::Two));
        } else if SETTINGS_ONE.contains(&full.as_str()) {
            into.version = into.version.or(Some(Version::One));
        } else if let Some(base) = project.class(&found.path, &dotted).filter(|base| !same(base, found)) {
            visit(project, &base, into, depth + 1);
        } else if !HARMLESS.contains(&full.rsplit('.').next().unwrap_or_default()) {
            into.unresolved.push((dotted, found.clone()));
        }
    }
}

/// Whether a class is a model, a settings class or a dataclass: pydantic reads it from a JSON object.
pub(crate) fn is_model(project: &Project<'_>, found: &Found) -> bool {
    let ancestry = ancestry(project, found);
    ancestry.version.is_some()
        || ancestry.order.iter().any(|found| {
            let model = |base: &Expr| {
                let full =
                    base.dotted().map(|dotted| canonical(&found.module.imports, &dotted)).unwrap_or_default();
                matches!(full.rsplit('.').next(), Some("BaseModel" | "RootModel" | "TypedDict"))
            };
            found.class.is_dataclass || found.class.bases.iter().any(model)
        })
}

/// What a class says about names and values of variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) prefix: String,
    /// `env_prefix_target`: whether names and aliases get the prefix.
    pub(crate) prefix_target: Option<String>,
    pub(crate) case_sensitive: bool,
    pub(crate) nested_delimiter: Option<String>,
    pub(crate) none_text: Option<String>,
    pub(crate) ignore_empty: bool,
    pub(crate) no_decoding: bool,
    pub(crate) enums_by_name: bool,
    /// `extra` is not `forbid`.
    pub(crate) takes_extra: bool,
    pub(crate) by_name: bool,
    pub(crate) not_by_alias: bool,
    /// `alias_generator` or another thing that changes names and that was not understood.
    pub(crate) unknown: Vec<String>,
    /// pydantic 1: `fields = {"name": {"env": …}}`.
    pub(crate) fields: Vec<(String, Value)>,
}

impl Configuration {
    /// The configuration of a class: that of its bases, changed by its own.
    pub(crate) fn of(project: &Project<'_>, order: &[Found]) -> Self {
        let mut configuration = Self::default();
        for found in order.iter().rev() {
            configuration.add(project, found);
        }
        if let Some(found) = order.first() {
            configuration.add_instances(project, found);
        }
        configuration
    }

    fn add(&mut self, project: &Project<'_>, found: &Found) {
        let names = project.names(&found.path).inside(&found.class);
        if let Some(inner) = found.class.classes.iter().find(|inner| inner.name == "Config") {
            let inner = Rc::new(inner.clone());
            let inside = project.names(&found.path).inside(&inner);
            for field in &inner.fields {
                if let Some(value) = &field.value {
                    self.set(&inside, &field.name, &value.expr);
                }
            }
        }
        let model_config = found.class.fields.iter().rev().find(|field| field.name == "model_config");
        if let Some(value) = model_config.and_then(|field| field.value.as_ref()) {
            self.add_expression(&names, &value.expr, &value.text);
        }
        for (keyword, value) in &found.class.keywords {
            self.set(&names, keyword, value);
        }
    }

    /// `SettingsConfigDict(…)`, a dictionary, several joined by `|`, or a name for one.
    fn add_expression(&mut self, names: &InModule<'_>, expr: &Expr, text: &str) {
        match expr {
            Expr::Call(call)
                if matches!(
                    call.function.last_name(),
                    Some("SettingsConfigDict" | "ConfigDict" | "dict")
                ) =>
            {
                for argument in &call.arguments {
                    self.add_expression(names, argument, text);
                }
                for (keyword, value) in &call.keywords {
                    if keyword == "**" {
                        self.add_expression(names, value, text);
                    } else {
                        self.set(names, keyword, value);
                    }
                }
            }
            Expr::Dict(items) => {
                for (key, value) in items {
                    match key {
                        Expr::Str(key) => self.set(names, key, value),
                        _ => self.add_expression(names, value, text),
                    }
                }
            }
            Expr::Binary(super::syntax::Operator::BitOr, left, right) => {
                self.add_expression(names, left, text);
                self.add_expression(names, right, text);
            }
            // The configuration of a base is here already.
            Expr::Attribute(_, name) if name == "model_config" => {}
            Expr::Name(_) | Expr::Attribute(..) => {
                use super::eval::Names;
                match expr.dotted().and_then(|dotted| names.find(&dotted)) {
                    Some((inner, _)) if inner != *expr => self.add_expression(names, &inner, text),
                    _ => self.unknown.push(text.to_owned()),
                }
            }
            _ => self.unknown.push(text.to_owned()),
        }
    }

    /// `settings = Settings(_env_prefix="APP_")` beside the class.
    fn add_instances(&mut self, project: &Project<'_>, found: &Found) {
        let names = project.names(&found.path);
        let instance = |expr: &Expr| match expr {
            Expr::Call(call) if call.function == Expr::Name(found.class.name.clone()) => Some(call.clone()),
            _ => None,
        };
        let instances: Vec<Box<Call>> = found.module.constants.values().filter_map(instance).collect();
        if let [call] = instances.as_slice() {
            for (keyword, value) in &call.keywords {
                if let Some(name) = keyword.strip_prefix('_') {
                    self.set(&names, name, value);
                }
            }
        }
    }

    fn set(&mut self, names: &InModule<'_>, key: &str, expr: &Expr) {
        let value = names.value(expr);
        let text = |value: &Value| match value {
            Value::Str(text) => Some(text.clone()),
            _ => None,
        };
        match (key, value) {
            ("env_prefix", Ok(Value::Str(prefix))) => self.prefix = prefix,
            ("env_prefix_target", Ok(Value::Str(target))) => self.prefix_target = Some(target),
            ("case_sensitive", Ok(Value::Bool(yes))) => self.case_sensitive = yes,
            ("env_nested_delimiter", Ok(value)) => self.nested_delimiter = text(&value),
            ("env_parse_none_str", Ok(value)) => self.none_text = text(&value),
            ("extra", Ok(value)) => self.takes_extra = value.plain() != "forbid",
            ("env_ignore_empty", Ok(Value::Bool(yes))) => self.ignore_empty = yes,
            ("enable_decoding", Ok(Value::Bool(yes))) => self.no_decoding = !yes,
            ("env_parse_enums", Ok(Value::Bool(yes))) => self.enums_by_name = yes,
            (
                "populate_by_name" | "validate_by_name" | "allow_population_by_field_name",
                Ok(Value::Bool(yes)),
            ) => {
                self.by_name = yes;
            }
            ("validate_by_alias", Ok(Value::Bool(yes))) => self.not_by_alias = !yes,
            ("fields", Ok(Value::Map(fields))) => {
                self.fields.extend(fields.into_iter().map(|(name, value)| (name.plain(), value)));
            }
            (
                "env_prefix"
                | "env_prefix_target"
                | "case_sensitive"
                | "env_nested_delimiter"
                | "alias_generator"
                | "fields",
                _,
            ) => self.unknown.push(key.to_owned()),
            _ => {}
        }
    }
}
