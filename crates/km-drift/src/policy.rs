//! What may differ, and what must not: the policy file.

use std::collections::BTreeMap;

use km_yaml::{Node, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::finding::Place;

/// The settings that have to match when there is no policy file.
pub const BUILT_IN: [&str; 4] = ["AI_FALLBACK_ORDER", "ARGOCD_URL", "PROMETHEUS_URL", "OLLAMA_URL"];

/// Whether a value may differ from its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It must be the same.
    MustMatch,
    /// It may be another.
    MayDiffer,
    /// It must be another: the default is a placeholder.
    MustDiffer,
}

/// An exception.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// The setting.
    pub name: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub until: String,
}

/// What holds for one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Whether it may differ; nothing is asked when absent.
    pub likeness: Option<Likeness>,
    /// It must be deployed.
    pub must_be_set: bool,
    /// It is not looked at.
    pub ignore: Option<Ignore>,
}

/// Rules by the names of settings.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The rules.
    pub rules: BTreeMap<String, Rule>,
    /// Paths of Helm values and their variables.
    pub map: Vec<(String, String)>,
    /// The file; without one a name that the code does not have is no mistake.
    pub file: Option<String>,
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    must_match: Vec<String>,
    may_differ: Vec<String>,
    must_differ: Vec<String>,
    must_be_set: Vec<String>,
    ignore: Vec<Ignore>,
    map: BTreeMap<String, String>,
}

impl Policy {
    /// The policy when no file is named.
    #[must_use]
    pub fn built_in() -> Self {
        let rule = Rule { likeness: Some(Likeness::MustMatch), ..Rule::default() };
        let rules = BUILT_IN.iter().map(|name| ((*name).to_owned(), rule.clone())).collect();
        Self { rules, ..Self::default() }
    }

    /// Reads a policy: TOML, or YAML when the name ends so.
    ///
    /// # Errors
    /// Where and why it cannot be used; an unknown field is a mistake.
    pub fn read(file: &str, text: &str) -> Result<Self, PolicyError> {
        let is_yaml = file.ends_with(".yaml") || file.ends_with(".yml");
        let document = if is_yaml { from_yaml(file, text)? } else { from_toml(file, text)? };
        Self::checked(file, document)
            .map_err(|(name, message)| PolicyError { place: mention(file, text, &name), message })
    }

    fn checked(file: &str, document: Document) -> Result<Self, (String, String)> {
        let mut policy = Self { file: Some(file.to_owned()), ..Self::default() };
        let lists = [
            (document.must_match, Likeness::MustMatch),
            (document.may_differ, Likeness::MayDiffer),
            (document.must_differ, Likeness::MustDiffer),
        ];
        for (names, likeness) in lists {
            for name in names {
                let rule = policy.rules.entry(name.clone()).or_default();
                if rule.likeness.is_some_and(|known| known != likeness) {
                    return Err((
                        name.clone(),
                        format!("{name} stands in two lists that contradict each other"),
                    ));
                }
                rule.likeness = Some(likeness);
            }
        }
        for name in document.must_be_set {
            policy.rules.entry(name).or_default().must_be_set = true;
        }
        for ignore in document.ignore {
            if !is_date(&ignore.until) {
                return Err((
                    ignore.until.clone(),
                    format!("`{}` is not a date such as 2027-01-31", ignore.until),
                ));
            }
            if ignore.reason.trim().is_empty() {
                return Err((ignore.name.clone(), format!("the exception of {} has no reason", ignore.name)));
            }
            let rule = policy.rules.entry(ignore.name.clone()).or_default();
            rule.ignore = Some(ignore);
        }
        policy.map = document.map.into_iter().collect();
        Ok(policy)
    }
}

fn from_toml(file: &str, text: &str) -> Result<Document, PolicyError> {
    toml::from_str(text).map_err(|error| PolicyError {
        place: offset(file, text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })
}

fn offset(file: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Place::new(file, line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// The first place where a text is mentioned.
fn mention(file: &str, text: &str, what: &str) -> Place {
    text.find(what).map_or_else(|| Place::file(file), |at| offset(file, text, at))
}

fn from_yaml(file: &str, text: &str) -> Result<Document, PolicyError> {
    let parsed = km_yaml::parse(text).map_err(|error| PolicyError {
        place: Place::new(file, error.mark.line, error.mark.column),
        message: error.why,
    })?;
    let [document] = parsed.documents.as_slice() else {
        let message = "a policy is one document".to_owned();
        return Err(PolicyError { place: Place::file(file), message });
    };
    let json = to_json(document);
    serde_json::from_value(json).map_err(|error| {
        let message = error.to_string();
        let named = message.split('`').nth(1).unwrap_or_default();
        let place = if named.is_empty() { Place::file(file) } else { mention(file, text, named) };
        PolicyError { place, message }
    })
}

fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar(text) => Json::String(text.clone()),
        Value::Sequence(items) => items.iter().map(|item| to_json(item)).collect(),
        Value::Mapping(entries) => {
            let pair = |(key, value): &(std::sync::Arc<Node>, std::sync::Arc<Node>)| {
                (key.text().unwrap_or_default().to_owned(), to_json(value))
            };
            entries.iter().map(pair).collect::<Map<_, _>>().into()
        }
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let valid = |number: Option<u32>, most: u32| number.is_some_and(|number| (1..=most).contains(&number));
    valid(number(year, 4), 9999) && valid(number(month, 2), 12) && valid(number(day, 2), 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "must_match = [\"A\"]\nmust_be_set = [\"A\"]\n\n[[ignore]]\nname = \"B\"\nreason = \"moves\"\nuntil = \"2027-01-31\"\n\n[map]\n\"a.b\" = \"A\"\n";
    const YAML: &str = "must_match: [A]\nmust_be_set: [A]\nignore:\n  - {name: B, reason: moves, until: 2027-01-31}\nmap: {a.b: A}\n";

    #[test]
    fn both_spellings_say_the_same() {
        let (toml, yaml) = (Policy::read("p.toml", TOML).unwrap(), Policy::read("p.yaml", YAML).unwrap());
        assert_eq!((&toml.rules, &toml.map), (&yaml.rules, &yaml.map));
        assert!(toml.rules["A"].must_be_set && toml.rules["A"].likeness == Some(Likeness::MustMatch));
    }

    #[test]
    fn unknown_fields_are_named_with_their_place() {
        let error = Policy::read("p.toml", "must_match = []\nmust_mach = []\n").unwrap_err();
        assert_eq!(error.place, Place::new("p.toml", 2, 1));
        let error = Policy::read(
            "p.yaml",
            "must_match: []\nignore:\n- {name: a, reason: b, until: 2027-01-01, utnil: x}\n",
        )
        .unwrap_err();
        assert_eq!(error.place.line, Some(3));
        assert!(error.message.contains("utnil"), "{}", error.message);
    }

    #[test]
    fn contradictions_and_dates_that_are_none_are_refused() {
        assert!(Policy::read("p.toml", "must_match = [\"A\"]\nmay_differ = [\"A\"]").is_err());
        for until in ["2027-13-01", "soon", "2027-1-1", ""] {
            let text = format!("[[ignore]]\nname = \"A\"\nreason = \"x\"\nuntil = \"{until}\"");
            assert!(Policy::read("p.toml", &text).is_err(), "{until}");
        }
        assert!(
            Policy::read("p.toml", "[[ignore]]\nname = \"A\"\nreason = \" \"\nuntil = \"2027-01-01\"")
                .is_err()
        );
    }
}
