//! The comparison: each setting with what is deployed for it.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cosmetic::only_cosmetic;
use crate::deployed::{Content, Deployed, Layer, Target, Variable};
use crate::finding::{Code, Level, Place, Remark};
use crate::policy::{Likeness, Policy, Rule};
use crate::pydantic::Parsed;
use crate::setting::{Default, EnvName, Reading, Setting};
use crate::value::{Value, shown};

/// The longest value that is shown.
const SHOWN_MAX: usize = 80;

/// What was found for a setting or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The application sees its default.
    Match,
    /// It sees another value.
    Differs,
    /// An address is written differently.
    Cosmetic,
    /// It does not start with this value.
    TypeError,
    /// It does not start without a value.
    MissingRequired,
    /// Nothing is deployed; the default holds.
    NotSet,
    /// No setting reads the variable.
    Orphan,
    /// The default cannot be known.
    UnknownDefault,
    /// The deployed value cannot be known.
    UnresolvedValue,
    /// It comes from a secret that is not among the files.
    Secret,
    /// Another one wins over this variable.
    Shadowed,
    /// A file of either side could not be read.
    UnparsableFile,
}

impl Status {
    /// The name that is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Differs => "differs",
            Self::Cosmetic => "cosmetic",
            Self::TypeError => "type-error",
            Self::MissingRequired => "missing-required",
            Self::NotSet => "not-set",
            Self::Orphan => "orphan",
            Self::UnknownDefault => "unknown-default",
            Self::UnresolvedValue => "unresolved-value",
            Self::Secret => "secret",
            Self::Shadowed => "shadowed",
            Self::UnparsableFile => "unparsable-file",
        }
    }
}

/// A line of the result.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The variable.
    pub name: String,
    /// What was found.
    pub status: Status,
    /// The default, or `(secret …)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The deployed text, or `(secret …)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployed: Option<String>,
    /// Why, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the setting stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<Place>,
    /// The class or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where the variable stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<Place>,
    /// What sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// It was left out by the policy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
    /// It breaks the policy.
    pub violation: bool,
    /// The policy needs it, and it could not be decided.
    pub undecided: bool,
}

/// The whole result.
#[derive(Clone, Debug)]
pub struct Report {
    /// Settings, then shadowed variables and orphans.
    pub rows: Vec<Row>,
    /// Findings, the worst first.
    pub remarks: Vec<Remark>,
}

/// What a comparison needs beside its two sides.
pub struct Terms<'a> {
    /// What may differ.
    pub policy: &'a Policy,
    /// Today as `YYYY-MM-DD`.
    pub today: &'a str,
    /// Random bytes: values of secrets are compared by a hash under this key.
    pub key: &'a [u8],
}

/// Compares settings with one container.
#[must_use]
pub fn compare(
    settings: &[Setting],
    target: Option<&Target>,
    deployed: &Deployed,
    terms: &Terms<'_>,
) -> Report {
    let comparison = Comparison::new(target, deployed, terms);
    let mut rows = Vec::new();
    let mut remarks = Vec::new();
    let mut used = vec![false; comparison.variables.len()];
    for setting in settings {
        let (row, shadowed) = comparison.row(setting, settings, &mut used);
        remarks.extend(comparison.judged(setting, &row));
        let deployed = row.deployed.clone();
        rows.push(comparison.with_verdict(setting, row));
        for lost in shadowed {
            // The same value twice hides nothing.
            if lost.deployed.is_none() || lost.deployed != deployed {
                remarks.push(shadow_remark(&lost));
            }
            rows.push(lost);
        }
    }
    for (variable, used) in comparison.variables.iter().zip(&used) {
        if !*used && !is_part(settings, variable) {
            let row = comparison.orphan(variable);
            let message = format!("no setting reads {}", variable.name);
            remarks.push(Remark::new(Code::Orphan, Level::Note, message, Some(variable.place.clone())));
            rows.push(row);
        }
    }
    remarks.extend(comparison.about_policy(settings));
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.level));
    Report { rows, remarks }
}

/// Whether a variable sets a part of a setting.
fn is_part(settings: &[Setting], variable: &Variable) -> bool {
    settings.iter().any(|setting| part_of(setting, &variable.name))
}

fn part_of(setting: &Setting, variable: &str) -> bool {
    let Some(delimiter) = &setting.nested else { return false };
    setting.names.iter().any(|name| {
        let start = format!("{}{delimiter}", name.name);
        if name.any_case {
            variable.to_uppercase().starts_with(&start.to_uppercase())
        } else {
            variable.starts_with(&start)
        }
    })
}

fn shadow_remark(row: &Row) -> Remark {
    let reason = row.reason.clone().unwrap_or_default();
    Remark::new(Code::Shadowed, Level::Note, format!("{} {reason}", row.name), row.variable.clone())
}

struct Comparison<'a> {
    variables: Vec<&'a Variable>,
    open: Vec<&'a str>,
    terms: &'a Terms<'a>,
}

impl<'a> Comparison<'a> {
    fn new(target: Option<&'a Target>, deployed: &'a Deployed, terms: &'a Terms<'a>) -> Self {
        let own = target.map(|target| target.variables.as_slice()).unwrap_or_default();
        let mut variables: Vec<&Variable> = deployed.common.iter().chain(own).collect();
        // Stable: of two in one layer the later one stays later.
        variables.sort_by_key(|variable| variable.layer);
        let open = target.map(|target| target.open.iter().map(String::as_str).collect()).unwrap_or_default();
        Self { variables, open, terms }
    }

    /// The row of a setting, and those of variables that lose against another.
    fn row(&self, setting: &Setting, all: &[Setting], used: &mut [bool]) -> (Row, Vec<Row>) {
        let mut found: Vec<(&EnvName, &Variable)> = Vec::new();
        for name in &setting.names {
            for (variable, used) in self.variables.iter().zip(used.iter_mut()).rev() {
                if name.is(&variable.name) {
                    *used = true;
                    found.push((name, variable));
                }
            }
        }
        let ignored = |(name, variable): &(&EnvName, &Variable)| match &variable.content {
            Content::Text(text) | Content::SecretText(text) => setting.read(name, text).is_none(),
            Content::Secret(_) | Content::Unresolved(_) => false,
        };
        found.retain(|found| !ignored(found));
        // A template that was not rendered knows less than the values that it would be rendered with.
        let is_open = found.first().is_some_and(|(_, first)| matches!(first.content, Content::Unresolved(_)));
        let value =
            found.iter().position(|(_, variable)| variable.layer == Layer::Values).filter(|_| is_open);
        if let Some(at) = value {
            let value = found.remove(at);
            found.clear();
            found.push(value);
        }
        let mut found = found.into_iter();
        let row = match found.next() {
            Some((name, variable)) => self.set(setting, name, variable),
            None => self.unset(setting, all),
        };
        let winner = row.source.clone().unwrap_or_default();
        let lost = found.map(|(_, variable)| Row {
            status: Status::Shadowed,
            reason: Some(format!("from {} does not count: {winner} wins", variable.source)),
            deployed: self.deployed(setting, &variable.content),
            variable: Some(variable.place.clone()),
            source: Some(variable.source.clone()),
            name: variable.name.clone(),
            default: None,
            ..row.clone()
        });
        let lost: Vec<Row> = lost.collect();
        (row, lost)
    }

    fn blank(&self, setting: &Setting, status: Status) -> Row {
        Row {
            name: setting.name.clone(),
            status,
            default: self.default(setting),
            deployed: None,
            reason: None,
            setting: Some(setting.place.clone()),
            owner: Some(setting.owner.clone()),
            variable: None,
            source: None,
            ignored: false,
            violation: false,
            undecided: false,
        }
    }

    fn unset(&self, setting: &Setting, all: &[Setting]) -> Row {
        let parts = self.variables.iter().any(|variable| part_of(setting, &variable.name));
        let (status, reason) = if !self.open.is_empty() {
            (Status::UnresolvedValue, Some(format!("it may be set by {}", self.open.join(", "))))
        } else {
            match &setting.default {
                Default::Required if parts => (Status::NotSet, Some("its parts are set alone".to_owned())),
                Default::Required if has_whole(setting, all, &self.variables) => {
                    (Status::NotSet, Some("it is set with the whole value".to_owned()))
                }
                Default::Required => (Status::MissingRequired, Some("it has no default".to_owned())),
                Default::Refused(why) => (Status::TypeError, Some(format!("the default is refused: {why}"))),
                Default::Value(_) | Default::Unknown => (Status::NotSet, None),
            }
        };
        Row { reason, ..self.blank(setting, status) }
    }

    fn set(&self, setting: &Setting, name: &EnvName, variable: &Variable) -> Row {
        let (status, reason) = match &variable.content {
            Content::Secret(what) => (Status::Secret, Some(format!("it comes from {what}"))),
            Content::Unresolved(why) => (Status::UnresolvedValue, Some(why.clone())),
            Content::Text(text) | Content::SecretText(text) => self.compared(setting, name, text),
        };
        Row {
            reason,
            deployed: self.deployed(setting, &variable.content),
            variable: Some(variable.place.clone()),
            source: Some(variable.source.clone()),
            ..self.blank(setting, status)
        }
    }

    fn compared(&self, setting: &Setting, name: &EnvName, text: &str) -> (Status, Option<String>) {
        let same_text = matches!(&setting.default, Default::Value(Value::Str(default)) if default == text);
        match setting.read(name, text) {
            None => (Status::NotSet, Some("it is empty, which counts as not set".to_owned())),
            Some(Parsed::Refused(why)) => (Status::TypeError, Some(why)),
            Some(Parsed::Undecided(_)) if same_text => (Status::Match, None),
            Some(Parsed::Undecided(why)) => (Status::UnresolvedValue, Some(why)),
            Some(Parsed::Value(value)) => match &setting.default {
                Default::Value(default) if self.is_same(setting, default, &value) => (Status::Match, None),
                Default::Value(default) if only_cosmetic(default, &value) => {
                    (Status::Cosmetic, Some("the addresses are written differently".to_owned()))
                }
                Default::Value(_) => (Status::Differs, None),
                Default::Refused(why) => (Status::Differs, Some(format!("the default is refused: {why}"))),
                Default::Required => (Status::Match, Some("it has no default, and is set".to_owned())),
                Default::Unknown if setting.secret => (Status::UnknownDefault, None),
                Default::Unknown => {
                    (Status::UnknownDefault, Some(format!("the code says {}", setting.written)))
                }
            },
        }
    }

    /// Secrets are compared by their hashes alone.
    fn is_same(&self, setting: &Setting, default: &Value, deployed: &Value) -> bool {
        if setting.secret {
            self.hash(&default.to_string()) == self.hash(&deployed.to_string())
        } else {
            default.same(deployed)
        }
    }

    /// HMAC-SHA-256 of RFC 2104 under the key of this run.
    fn hash(&self, text: &str) -> [u8; 32] {
        let key: [u8; 32] = Sha256::digest(self.terms.key).into();
        let mut padded = [0_u8; 64];
        for (to, from) in padded.iter_mut().zip(key) {
            *to = from;
        }
        let inner = Sha256::new().chain_update(padded.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
        Sha256::new().chain_update(padded.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
    }

    /// A secret as it is shown: equal ones look alike within one run.
    fn hidden(&self, text: &str) -> String {
        let hash = self.hash(text);
        let hex: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("(secret {hex})")
    }

    fn default(&self, setting: &Setting) -> Option<String> {
        match &setting.default {
            Default::Value(_) if matches!(setting.reading, Reading::Own(_)) => {
                Some(cut(setting.written.trim_matches('"')))
            }
            Default::Value(Value::None) => Some("None".to_owned()),
            Default::Value(value) if setting.secret => Some(self.hidden(&value.plain())),
            Default::Value(value) => Some(cut(&shown(&value.plain()))),
            Default::Unknown | Default::Refused(_) if setting.secret => Some("(secret)".to_owned()),
            Default::Unknown | Default::Refused(_) => Some(cut(&shown(&setting.written))),
            Default::Required => None,
        }
    }

    fn deployed(&self, setting: &Setting, content: &Content) -> Option<String> {
        match content {
            Content::Text(text) if !setting.secret => Some(cut(&shown(text))),
            Content::Text(text) | Content::SecretText(text) => Some(self.hidden(text)),
            Content::Secret(_) | Content::Unresolved(_) => None,
        }
    }

    fn orphan(&self, variable: &Variable) -> Row {
        let secret = crate::setting::names_a_secret(&variable.name);
        Row {
            name: variable.name.clone(),
            status: Status::Orphan,
            default: None,
            deployed: match &variable.content {
                Content::Text(text) if !secret => Some(cut(&shown(text))),
                Content::Text(_) | Content::SecretText(_) => Some("(secret)".to_owned()),
                Content::Secret(_) | Content::Unresolved(_) => None,
            },
            reason: Some("no setting reads it".to_owned()),
            setting: None,
            owner: None,
            variable: Some(variable.place.clone()),
            source: Some(variable.source.clone()),
            ignored: false,
            violation: false,
            undecided: false,
        }
    }

    fn rule(&self, setting: &Setting) -> Rule {
        let named = |name: &str| name == setting.field || setting.names.iter().any(|known| known.is(name));
        let mut rule = Rule::default();
        for (_, found) in self.terms.policy.rules.iter().filter(|(name, _)| named(name)) {
            rule.likeness = rule.likeness.or(found.likeness);
            rule.must_be_set |= found.must_be_set;
            rule.ignore = rule.ignore.or_else(|| found.ignore.clone());
        }
        rule
    }

    fn is_ignored(&self, rule: &Rule) -> bool {
        rule.ignore.as_ref().is_some_and(|ignore| ignore.until.as_str() >= self.terms.today)
    }

    fn with_verdict(&self, setting: &Setting, row: Row) -> Row {
        let rule = self.rule(setting);
        if self.is_ignored(&rule) {
            return Row { ignored: true, ..row };
        }
        let verdict = verdict(&rule, &row);
        Row {
            violation: matches!(verdict, Verdict::Violation(_)),
            undecided: matches!(verdict, Verdict::Undecided(_)),
            ..row
        }
    }

    fn judged(&self, setting: &Setting, row: &Row) -> Option<Remark> {
        let rule = self.rule(setting);
        if self.is_ignored(&rule) {
            return None;
        }
        let verdict = verdict(&rule, row);
        let place = row.variable.clone().or_else(|| row.setting.clone());
        let (code, level) = match verdict {
            Verdict::Violation(code) => (code, Level::Error),
            Verdict::Undecided(code) => (code, Level::Error),
            Verdict::Fine(Some(code)) => (code, level_of(row.status)),
            Verdict::Fine(None) => return None,
        };
        let mut remark = Remark::new(code, level, sentence(row, code), place);
        remark.undecided = matches!(verdict, Verdict::Undecided(_));
        Some(remark)
    }

    /// Exceptions that are over, and names that the code does not have.
    fn about_policy(&self, settings: &[Setting]) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let policy = self.terms.policy;
        for (name, rule) in &policy.rules {
            let known = settings
                .iter()
                .any(|setting| setting.field == *name || setting.names.iter().any(|known| known.is(name)));
            let place = policy.file.clone().map(Place::file);
            if !known && policy.file.is_some() {
                let message = format!("the policy names {name}, and no setting has that name");
                remarks
                    .push(Remark::new(Code::UnknownField, Level::Error, message, place.clone()).undecided());
            }
            if let Some(ignore) =
                rule.ignore.as_ref().filter(|ignore| ignore.until.as_str() < self.terms.today)
            {
                let message = format!(
                    "the exception of {name} ended on {}; its reason was: {}",
                    ignore.until, ignore.reason
                );
                remarks.push(Remark::new(Code::ExpiredIgnore, Level::Error, message, place));
            }
        }
        remarks
    }
}

/// Whether a variable sets the whole value that a setting is a part of.
fn has_whole(part: &Setting, all: &[Setting], variables: &[&Variable]) -> bool {
    all.iter().any(|whole| {
        part_of(whole, &part.name)
            && variables.iter().any(|variable| whole.names.iter().any(|name| name.is(&variable.name)))
    })
}

/// What a rule says of a row.
enum Verdict {
    Violation(Code),
    Undecided(Code),
    Fine(Option<Code>),
}

fn verdict(rule: &Rule, row: &Row) -> Verdict {
    let unset = row.variable.is_none();
    match row.status {
        // The application does not start: no rule but an exception makes that right.
        Status::TypeError => return Verdict::Violation(Code::TypeError),
        Status::MissingRequired if rule.must_be_set || rule.likeness.is_some() => {
            return Verdict::Violation(Code::MissingRequired);
        }
        Status::MissingRequired => return Verdict::Fine(Some(Code::MissingRequired)),
        Status::NotSet if rule.must_be_set => return Verdict::Violation(Code::NotSet),
        Status::UnresolvedValue if rule.must_be_set && unset => return Verdict::Undecided(Code::Unresolved),
        _ => {}
    }
    match (rule.likeness, row.status) {
        (Some(Likeness::MustMatch), Status::Differs) => Verdict::Violation(Code::Differs),
        (Some(Likeness::MustDiffer), Status::Match | Status::Cosmetic | Status::NotSet)
            if row.default.is_some() =>
        {
            Verdict::Violation(Code::Placeholder)
        }
        (Some(Likeness::MustMatch | Likeness::MustDiffer), Status::UnknownDefault) => {
            Verdict::Undecided(Code::UnknownDefault)
        }
        (Some(Likeness::MustMatch | Likeness::MustDiffer), Status::UnresolvedValue | Status::Secret) => {
            Verdict::Undecided(Code::Unresolved)
        }
        (Some(Likeness::MayDiffer), _) => Verdict::Fine(None),
        (_, Status::Differs) => Verdict::Fine(Some(Code::Differs)),
        (_, Status::Cosmetic) => Verdict::Fine(Some(Code::Cosmetic)),
        (_, Status::UnknownDefault) => Verdict::Fine(Some(Code::UnknownDefault)),
        (_, Status::UnresolvedValue) if !unset => Verdict::Fine(Some(Code::Unresolved)),
        (
            _,
            Status::Match
            | Status::NotSet
            | Status::UnresolvedValue
            | Status::Secret
            | Status::Orphan
            | Status::Shadowed
            | Status::UnparsableFile
            | Status::TypeError
            | Status::MissingRequired,
        ) => Verdict::Fine(None),
    }
}

const fn level_of(status: Status) -> Level {
    match status {
        Status::MissingRequired | Status::UnknownDefault | Status::UnresolvedValue => Level::Warning,
        Status::Match
        | Status::Differs
        | Status::Cosmetic
        | Status::TypeError
        | Status::NotSet
        | Status::Orphan
        | Status::Secret
        | Status::Shadowed
        | Status::UnparsableFile => Level::Note,
    }
}

fn sentence(row: &Row, code: Code) -> String {
    let mut sentence = format!("{}: {}", row.name, code.title());
    match (&row.default, &row.deployed) {
        (Some(default), Some(deployed)) if matches!(row.status, Status::Differs | Status::Cosmetic) => {
            sentence.push_str(&format!(": the code says {default}, deployed is {deployed}"));
        }
        (_, Some(deployed)) if row.status == Status::TypeError => {
            sentence.push_str(&format!(": {deployed}"));
        }
        _ => {}
    }
    if let Some(reason) = &row.reason {
        sentence.push_str(&format!(" ({reason})"));
    }
    if let Some(source) = &row.source {
        sentence.push_str(&format!("; set by {source}"));
    }
    sentence
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    let cut: String = text.chars().take(SHOWN_MAX - 1).collect();
    format!("{cut}…")
}

/// The row of a file that could not be read, if that is what a remark says.
#[must_use]
pub fn unparsable(remark: &Remark) -> Option<Row> {
    let place = remark.place.clone().filter(|_| remark.code == Code::Unparsable)?;
    Some(Row {
        name: place.file.clone(),
        status: Status::UnparsableFile,
        default: None,
        deployed: None,
        reason: Some(remark.message.clone()),
        setting: None,
        owner: None,
        variable: Some(place),
        source: None,
        ignored: false,
        violation: false,
        undecided: true,
    })
}

/// How many rows have each status; those that were left out are counted apart.
#[must_use]
pub fn counts(rows: &[Row]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.ignored) {
        *counts.entry(row.status.as_str()).or_default() += 1;
    }
    counts
}
