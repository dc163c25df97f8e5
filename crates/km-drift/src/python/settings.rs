//! From settings classes to [`Setting`]s.

use std::rc::Rc;
use std::sync::Arc;

use super::annotations::{Reader, with_bounds};
use super::classes::{Ancestry, Configuration, ancestry};
use super::environ::Readers;
use super::eval::Stuck;
use super::open::{self, OpenExpression};
use super::project::{Found, InModule, Project};
use super::syntax::{Call, Expr, Field};
use crate::finding::{Code, Level, Place, Remark};
use crate::pydantic::{Parsed, Rules, Version, validated};
use crate::setting::{Default, EnvName, Reading, Setting, Step, Way, names_a_secret};
use crate::types::Type;
use crate::value::Value;

/// How deep models lie in models when their parts can be set alone.
const NESTED_MAX: usize = 3;
/// How many fields a model may have whose parts can be set alone.
const NESTED_FIELDS_MAX: usize = 50;

/// What the settings classes of a file come to.
#[derive(Default)]
pub(super) struct Extracted {
    pub(super) settings: Vec<Setting>,
    pub(super) remarks: Vec<Remark>,
    /// Lines of fields, whose readings are known with them.
    pub(super) lines: Vec<(String, usize)>,
}

/// The settings of a class, if it is a settings class.
pub(super) fn extract(project: &Project<'_>, found: &Found, into: &mut Extracted) {
    let ancestry = ancestry(project, found);
    let looks = looks_like_settings(&ancestry);
    let Some(version) = ancestry.version.or_else(|| looks.then(|| guessed(&ancestry))) else { return };
    for (base, of) in &ancestry.unresolved {
        into.remarks.push(
            Remark::new(
                Code::UnresolvedBase,
                Level::Warning,
                format!(
                    "{} derives from {base}, which was not found: its fields and its prefix are missing here",
                    of.class.name
                ),
                Some(place(of, of.class.at.line, of.class.at.column)),
            )
            .help("name the folder that holds it with --root"),
        );
    }
    let configuration = Configuration::of(project, &ancestry.order);
    for unknown in &configuration.unknown {
        into.remarks.push(
            Remark::new(
                Code::UnreadName,
                Level::Error,
                format!("the configuration of {} cannot be known from the code: {unknown}", found.class.name),
                Some(place(found, found.class.at.line, found.class.at.column)),
            )
            .undecided(),
        );
    }
    if let Some(custom) = ancestry.order.iter().find(|found| found.class.customises_sources) {
        into.remarks.push(Remark::new(
            Code::Customised,
            Level::Note,
            format!(
                "{} decides by itself where its settings come from; only variables are compared",
                custom.class.name
            ),
            Some(place(custom, custom.class.at.line, custom.class.at.column)),
        ));
    }
    let class = Settings {
        project,
        readers: Arc::new(project.readers.clone()),
        found,
        ancestry: &ancestry,
        configuration: &configuration,
        version,
    };
    for field in class.fields() {
        class.setting(&field, into);
    }
}

fn guessed(ancestry: &Ancestry) -> Version {
    let one =
        |found: &Found| found.module.imports.values().any(|import| import.module.starts_with("pydantic.v1"));
    if ancestry.order.iter().any(one) { Version::One } else { Version::Two }
}

/// A class whose base is missing is a settings class when it is configured as one, or its base is named so.
fn looks_like_settings(ancestry: &Ancestry) -> bool {
    let named = |base: &str| base.rsplit('.').next().unwrap_or_default().ends_with("Settings");
    let has_fields =
        ancestry.order.iter().any(|found| found.class.fields.iter().any(|field| field.annotation.is_some()));
    let unresolved = !ancestry.unresolved.is_empty() && has_fields;
    let configured = |found: &Found| {
        let model_config = found.class.fields.iter().any(|field| {
            field.name == "model_config"
                && field.value.as_ref().is_some_and(|value| value.text.starts_with("SettingsConfigDict"))
        });
        let inner = found.class.classes.iter().filter(|inner| inner.name == "Config");
        let mut keys = inner.flat_map(|inner| &inner.fields);
        model_config
            || keys.any(|field| {
                matches!(field.name.as_str(), "env_prefix" | "env_file" | "env_nested_delimiter")
            })
    };
    unresolved
        && (ancestry.unresolved.iter().any(|(base, _)| named(base)) || ancestry.order.iter().any(configured))
}

fn place(found: &Found, line: usize, column: usize) -> Place {
    Place::new(found.module.file.clone(), line, column)
}

struct Settings<'a> {
    project: &'a Project<'a>,
    readers: Arc<Readers>,
    found: &'a Found,
    ancestry: &'a Ancestry,
    configuration: &'a Configuration,
    version: Version,
}

/// A field and the class that states it.
struct Stated {
    field: Field,
    found: Found,
    /// It is stated more than once, so its default depends on a condition.
    several: bool,
}

/// What a field says beside its type.
#[derive(std::default::Default)]
struct Details {
    default: Option<Expr>,
    factory: Option<Expr>,
    calls: Vec<Call>,
}

impl Settings<'_> {
    /// Fields in the order of the class, those of bases first.
    fn fields(&self) -> Vec<Stated> {
        let mut fields: Vec<Stated> = Vec::new();
        for found in self.ancestry.order.iter().rev() {
            let mut own: Vec<&str> = Vec::new();
            for field in &found.class.fields {
                if field.name.starts_with('_') || field.name == "model_config" {
                    continue;
                }
                let known = fields.iter().position(|stated| stated.field.name == field.name);
                let mut stated = Stated { field: field.clone(), found: found.clone(), several: false };
                if let Some(known) = known.and_then(|at| fields.get_mut(at)) {
                    stated.several = own.contains(&field.name.as_str()) && field.condition.is_some();
                    if stated.field.annotation.is_none() {
                        stated.field.annotation.clone_from(&known.field.annotation);
                    }
                    *known = stated;
                } else if field.annotation.is_some() || self.version == Version::One {
                    fields.push(stated);
                }
                own.push(&field.name);
            }
        }
        fields
    }

    fn setting(&self, stated: &Stated, into: &mut Extracted) {
        self.project.renew();
        let field = &stated.field;
        let found = &stated.found;
        let names = self.project.names(&found.path).inside(&found.class);
        let reader =
            Reader { project: self.project, path: &found.path, names: &names, version: self.version };
        let mut details = Details::default();
        let (mut wanted, mut validator) = (None, None);
        if let Some(annotation) = &field.annotation {
            let annotation = reader.read(annotation);
            if annotation.excluded {
                return;
            }
            wanted = Some(annotation.wanted);
            validator = annotation.validator;
            details.calls = annotation.fields;
        }
        if !details.read_value(field, &names) {
            return;
        }
        for call in &details.calls {
            wanted = wanted.map(|wanted| with_bounds(wanted, reader.bounds(call)));
        }
        details.read_calls();
        let wanted = wanted.unwrap_or_else(|| self.guessed_type(details.default.as_ref(), &names));
        let rules = self.rules(&field.name, validator);
        let env_names = self.env_names(field, found, &details, &names, into);
        let Some(first) = env_names.first() else { return };
        let default = self.default(stated, &details, &wanted, &rules, &names);
        into.lines.push((found.module.file.clone(), field.at.line));
        let written = field.value.as_ref().map(|value| value.text.clone()).unwrap_or_default();
        let setting = Setting {
            name: first.name.clone(),
            owner: self.found.class.name.clone(),
            field: field.name.clone(),
            secret: wanted.is_secret() || (names_a_secret(&first.name) && wanted.may_hold_text()),
            default,
            written,
            place: place(found, field.at.line, field.at.column),
            condition: field.condition.clone(),
            nested: self.nested(&wanted),
            reading: Reading::Typed(wanted.clone(), rules.clone()),
            names: env_names,
        };
        self.remarks_of(&setting, into);
        let parts = self.parts(&setting, &wanted, &details, found);
        into.settings.push(setting);
        into.settings.extend(parts);
    }

    fn remarks_of(&self, setting: &Setting, into: &mut Extracted) {
        if let Some(condition) = &setting.condition {
            into.remarks.push(Remark::new(
                Code::Conditional,
                Level::Warning,
                format!("{} stands under `{condition}`: which default holds depends on it", setting.name),
                Some(setting.place.clone()),
            ));
        }
        if let Some(delimiter) = &setting.nested {
            into.remarks.push(Remark::new(
                Code::Nested,
                Level::Note,
                format!(
                    "parts of {0} can be set alone, by names that begin with {0}{delimiter}",
                    setting.name
                ),
                Some(setting.place.clone()),
            ));
        }
    }

    fn rules(&self, field: &str, validator: Option<String>) -> Rules {
        let mut validators = self.ancestry.order.iter().flat_map(|found| &found.class.validators);
        let before = validators.find(|validator| {
            validator.before && validator.fields.iter().any(|name| name == field || name == "*")
        });
        Rules {
            version: self.version,
            none_text: self.configuration.none_text.clone(),
            ignore_empty: self.configuration.ignore_empty,
            decode: !self.configuration.no_decoding,
            enums_by_name: self.configuration.enums_by_name,
            validator: validator.or_else(|| before.map(|validator| validator.name.clone())),
        }
    }

    /// pydantic 1 takes fields without an annotation, with the type of their default.
    fn guessed_type(&self, default: Option<&Expr>, names: &InModule<'_>) -> Type {
        match default.and_then(|default| names.value(default).ok()) {
            Some(Value::Bool(_)) => Type::Bool,
            Some(Value::Int(_)) => Type::Int,
            Some(Value::Float(_)) => Type::Float,
            Some(Value::Str(_)) => Type::Str,
            Some(Value::List(_)) => Type::List(Box::new(Type::Any)),
            Some(Value::Set(_)) => Type::Set(Box::new(Type::Any)),
            Some(Value::Map(_)) => Type::Map(Box::new(Type::Any), Box::new(Type::Any)),
            Some(Value::None) | None => Type::Any,
        }
    }

    fn env_name(&self, name: &str, prefixed: bool) -> EnvName {
        let prefix = if prefixed { self.configuration.prefix.as_str() } else { "" };
        let full = format!("{prefix}{name}");
        let any_case = !self.configuration.case_sensitive;
        EnvName::direct(if any_case { full.to_uppercase() } else { full }, any_case)
    }

    fn env_names(
        &self,
        field: &Field,
        found: &Found,
        details: &Details,
        names: &InModule<'_>,
        into: &mut Extracted,
    ) -> Vec<EnvName> {
        let target = self.configuration.prefix_target.as_deref().unwrap_or("variable");
        let by_name = || self.env_name(&field.name, matches!(target, "variable" | "all"));
        let mut list = match self.version {
            Version::One => self.names_one(field, details, names, by_name),
            Version::Two => {
                if details.keyword("env").is_some() {
                    into.remarks.push(
                        Remark::new(
                            Code::IgnoredEnv,
                            Level::Warning,
                            format!(
                                "{}.{} has env=, which pydantic-settings 2 ignores",
                                self.found.class.name, field.name
                            ),
                            Some(place(found, field.at.line, field.at.column)),
                        )
                        .help("write validation_alias= instead"),
                    );
                }
                match self.aliases(details, names, matches!(target, "alias" | "all")) {
                    Ok(mut aliases) => {
                        if aliases.is_empty() || self.configuration.by_name {
                            aliases.push(by_name());
                        }
                        aliases
                    }
                    Err(Stuck::Unknown | Stuck::Raises(_)) => {
                        into.remarks.push(
                            Remark::new(
                                Code::UnreadName,
                                Level::Error,
                                format!(
                                    "the alias of {}.{} cannot be known from the code",
                                    self.found.class.name, field.name
                                ),
                                Some(place(found, field.at.line, field.at.column)),
                            )
                            .undecided(),
                        );
                        vec![by_name()]
                    }
                }
            }
        };
        // A default that reads the environment itself is one more way to set the field.
        for expr in details.default.iter().chain(&details.factory) {
            let (read, _) = open::variables(expr, names, self.project.readers);
            let way = Way::Default(OpenExpression::new(expr, names, &self.readers));
            list.extend(read.into_iter().map(|name| EnvName { name, any_case: false, way: way.clone() }));
        }
        let mut unique: Vec<EnvName> = Vec::new();
        for name in list {
            if !unique.iter().any(|known| known.is(&name.name)) {
                unique.push(name);
            }
        }
        unique
    }

    fn names_one(
        &self,
        field: &Field,
        details: &Details,
        names: &InModule<'_>,
        by_name: impl Fn() -> EnvName,
    ) -> Vec<EnvName> {
        let configured = self.configuration.fields.iter().rev().find(|(name, _)| *name == field.name);
        let configured = configured.and_then(|(_, value)| match value {
            Value::Map(items) => {
                items.iter().find(|(key, _)| key.plain() == "env").map(|(_, value)| value.clone())
            }
            _ => None,
        });
        let explicit = details.keyword("env").and_then(|expr| names.value(expr).ok()).or(configured);
        match explicit {
            Some(Value::Str(name)) => vec![self.env_name(&name, false)],
            Some(Value::List(items) | Value::Set(items)) => {
                items.iter().map(|name| self.env_name(&name.plain(), false)).collect()
            }
            _ => vec![by_name()],
        }
    }

    /// Aliases that set the field: one, or `AliasChoices`, or `AliasPath`.
    fn aliases(
        &self,
        details: &Details,
        names: &InModule<'_>,
        prefixed: bool,
    ) -> Result<Vec<EnvName>, Stuck> {
        if self.configuration.not_by_alias {
            return Ok(Vec::new());
        }
        let alias = details.keyword("validation_alias").or_else(|| details.keyword("alias"));
        let Some(alias) = alias.filter(|alias| **alias != Expr::None) else { return Ok(Vec::new()) };
        let one = |expr: &Expr| {
            let (first, steps) = match expr {
                Expr::Call(call) if call.function.last_name() == Some("AliasPath") => {
                    let (first, rest) = call.arguments.split_first().ok_or(Stuck::Unknown)?;
                    (
                        first,
                        rest.iter().map(|step| step_of(names.value(step)?)).collect::<Result<Vec<_>, _>>()?,
                    )
                }
                expr => (expr, Vec::new()),
            };
            let Value::Str(name) = names.value(first)? else { return Err(Stuck::Unknown) };
            let way = if steps.is_empty() {
                Way::Direct
            } else {
                Way::Part { steps, strict: !self.configuration.takes_extra }
            };
            Ok(EnvName { way, ..self.env_name(&name, prefixed) })
        };
        match alias {
            Expr::Call(call) if call.function.last_name() == Some("AliasChoices") => {
                call.arguments.iter().map(one).collect()
            }
            alias => Ok(vec![one(alias)?]),
        }
    }

    fn default(
        &self,
        stated: &Stated,
        details: &Details,
        wanted: &Type,
        rules: &Rules,
        names: &InModule<'_>,
    ) -> Default {
        if stated.several {
            return Default::Unknown;
        }
        let value = match (&details.default, &details.factory) {
            (Some(Expr::Ellipsis), _) => return Default::Required,
            (Some(expr), _) => names.value(expr),
            (None, Some(factory)) => self.made(factory, names),
            (None, None) if self.version == Version::One && is_optional(wanted) => Ok(Value::None),
            (None, None) => return Default::Required,
        };
        match value {
            Ok(Value::None) if self.version == Version::One => Default::Value(Value::None),
            Ok(value) => match validated(wanted, &value, rules) {
                Parsed::Value(value) => Default::Value(value),
                Parsed::Refused(why) => Default::Refused(why),
                Parsed::Undecided(_) if matches!(wanted, Type::Model(_)) => Default::Unknown,
                Parsed::Undecided(_) => Default::Value(value),
            },
            Err(Stuck::Raises(_)) => Default::Required,
            Err(Stuck::Unknown) => Default::Unknown,
        }
    }

    /// What a `default_factory` makes.
    fn made(&self, factory: &Expr, names: &InModule<'_>) -> Result<Value, Stuck> {
        match factory {
            Expr::Lambda(body) => names.value(body),
            expr => {
                let dotted = expr.dotted().ok_or(Stuck::Unknown)?;
                if let Some(returned) = names.function(&dotted) {
                    return names.value(&returned);
                }
                let call = Call { function: expr.clone(), arguments: Vec::new(), keywords: Vec::new() };
                names.value(&Expr::Call(Box::new(call)))
            }
        }
    }

    fn nested(&self, wanted: &Type) -> Option<String> {
        let delimiter = self.configuration.nested_delimiter.clone()?;
        let inside = |part: &Type| matches!(part, Type::Model(_) | Type::Map(..));
        let nested = match wanted {
            Type::Union(parts) => parts.iter().any(inside),
            one => inside(one),
        };
        nested.then_some(delimiter)
    }

    /// The fields of a model that can be set alone.
    fn parts(&self, whole: &Setting, wanted: &Type, details: &Details, found: &Found) -> Vec<Setting> {
        let model = match wanted {
            Type::Model(name) => name,
            Type::Union(parts) => match parts.iter().find(|part| matches!(part, Type::Model(_))) {
                Some(Type::Model(name)) => name,
                _ => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        let (Some(delimiter), Some(model)) = (&whole.nested, self.project.class(&found.path, model)) else {
            return Vec::new();
        };
        if whole.owner.matches('.').count() >= NESTED_MAX || model.class.fields.len() > NESTED_FIELDS_MAX {
            return Vec::new();
        }
        // Without a default, or with that of the model itself, the defaults of its fields hold.
        let own = match (&details.default, &details.factory) {
            (None, None) => true,
            (Some(Expr::Call(call)), _) => call.arguments.is_empty() && call.keywords.is_empty(),
            (None, Some(factory)) => factory.last_name() == Some(model.class.name.as_str()),
            _ => false,
        };
        let ancestry = ancestry(self.project, &model);
        let configuration = Configuration {
            prefix: String::new(),
            nested_delimiter: Some(delimiter.clone()),
            case_sensitive: self.configuration.case_sensitive,
            none_text: self.configuration.none_text.clone(),
            ignore_empty: self.configuration.ignore_empty,
            ..Configuration::of(self.project, &ancestry.order)
        };
        let owner = Rc::new(super::syntax::Class {
            name: format!("{}.{}", whole.owner, whole.field),
            ..(*model.class).clone()
        });
        let renamed = Found { class: owner, ..model };
        let inner = Settings {
            project: self.project,
            readers: Arc::clone(&self.readers),
            found: &renamed,
            ancestry: &ancestry,
            configuration: &configuration,
            version: self.version,
        };
        let mut extracted = Extracted::default();
        for field in inner.fields() {
            inner.setting(&field, &mut extracted);
        }
        let mut parts = extracted.settings;
        for part in &mut parts {
            for name in &mut part.names {
                name.name = format!("{}{delimiter}{}", whole.name, name.name);
            }
            part.name = format!("{}{delimiter}{}", whole.name, part.name);
            let needless = part.default == Default::Required && whole.default != Default::Required;
            if !own || needless {
                part.default = Default::Unknown;
            }
        }
        parts
    }
}

fn step_of(value: Value) -> Result<Step, Stuck> {
    match value {
        Value::Str(key) => Ok(Step::Key(key)),
        Value::Int(at) => Ok(Step::Item(at)),
        _ => Err(Stuck::Unknown),
    }
}

fn is_optional(wanted: &Type) -> bool {
    match wanted {
        Type::Union(parts) => parts.contains(&Type::None),
        Type::Any => true,
        _ => false,
    }
}

impl Details {
    /// Takes the assigned value apart; `false` when the field is private.
    fn read_value(&mut self, field: &Field, names: &InModule<'_>) -> bool {
        use super::eval::Names;
        let Some(value) = &field.value else { return true };
        match &value.expr {
            Expr::Call(call) => {
                let function =
                    call.function.dotted().map(|dotted| names.canonical(&dotted)).unwrap_or_default();
                match function.rsplit('.').next() {
                    Some("Field" | "FieldInfo") => self.calls.insert(0, (**call).clone()),
                    Some("PrivateAttr") => return false,
                    _ => self.default = Some(value.expr.clone()),
                }
            }
            expr => self.default = Some(expr.clone()),
        }
        true
    }

    /// Defaults that `Field(…)` states.
    fn read_calls(&mut self) {
        for call in &self.calls {
            if self.default.is_none() && self.factory.is_none() {
                self.default = call.arguments.first().or_else(|| call.keyword("default")).cloned();
                self.factory =
                    call.keyword("default_factory").filter(|factory| **factory != Expr::None).cloned();
            }
        }
    }

    fn keyword(&self, name: &str) -> Option<&Expr> {
        self.calls.iter().find_map(|call| call.keyword(name))
    }
}
