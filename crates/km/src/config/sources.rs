//! `[[sources]]`: the monitoring systems that km asks by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use km_model::TenantId;
use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

use super::Span;

/// Most sources of one installation, and most Alertmanagers of one source.
const SOURCES_MAX: usize = 100;
const PEERS_MAX: usize = 16;
/// Longest name of a source.
const NAME_BYTES_MAX: usize = 64;
/// The past is looked at no more often, and no more seldom.
const STEP: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// The longest look back.
const LOOK_BACK_MAX: Duration = Duration::from_secs(31 * 86_400);

/// A table of `[[sources]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceSection {
    pub(crate) name: String,
    #[serde(deserialize_with = "addresses")]
    pub(crate) alertmanagers: Vec<Url>,
    #[serde(default, deserialize_with = "maybe_address")]
    pub(crate) prometheus: Option<Url>,
    #[serde(default = "TenantId::default_tenant", deserialize_with = "tenant")]
    pub(crate) tenant: TenantId,
    /// Read from Prometheus where they are not named.
    #[serde(default)]
    pub(crate) external_labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) dropped_labels: BTreeSet<String>,
    #[serde(default)]
    pub(crate) owns: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) bearer_token_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) password_file: Option<PathBuf>,
    #[serde(default = "five_minutes")]
    pub(crate) absent_for: Span,
    #[serde(default = "one_day")]
    pub(crate) look_back: Span,
    #[serde(default = "five_seconds")]
    pub(crate) step: Span,
}

const fn five_minutes() -> Span {
    Span::from_secs(300)
}

const fn one_day() -> Span {
    Span::from_secs(86_400)
}

const fn five_seconds() -> Span {
    Span::from_secs(5)
}

/// Every source, or the first rule that one of them breaks.
pub(super) fn sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SourceSection>, D::Error> {
    let sources = Vec::<SourceSection>::deserialize(deserializer)?;
    if sources.len() > SOURCES_MAX {
        return Err(de::Error::custom(format_args!("there are more than {SOURCES_MAX} sources")));
    }
    let mut names = BTreeSet::new();
    for source in &sources {
        let name = &source.name;
        source.check().map_err(|rule| de::Error::custom(format_args!("the source `{name}`: {rule}")))?;
        if !names.insert(name) {
            return Err(de::Error::custom(format_args!("two sources are named `{name}`")));
        }
    }
    Ok(sources)
}

impl SourceSection {
    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX || !self.name.bytes().all(plain) {
            return Err(format!("`name` takes 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"));
        }
        if self.alertmanagers.is_empty() || self.alertmanagers.len() > PEERS_MAX {
            return Err(format!("`alertmanagers` takes 1 to {PEERS_MAX} addresses"));
        }
        if self.username.is_some() != self.password_file.is_some() {
            return Err("`username` and `password-file` go together".to_owned());
        }
        if self.bearer_token_file.is_some() && self.username.is_some() {
            return Err("`bearer-token-file` and `username` exclude each other".to_owned());
        }
        if !(STEP.0..=STEP.1).contains(&self.step.0) {
            return Err("`step` lies between 1s and 5m".to_owned());
        }
        if self.look_back.0 > LOOK_BACK_MAX {
            return Err("`look-back` is 31d at most".to_owned());
        }
        Ok(())
    }
}

fn tenant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TenantId, D::Error> {
    TenantId::parse(String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Url>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| address(text)).collect()
}

fn maybe_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    address(&String::deserialize(deserializer)?).map(Some)
}

/// An address that can be shown: a password in it would stand in logs and in the status.
fn address<E: de::Error>(text: &str) -> Result<Url, E> {
    let wrong = |rule: &str| E::custom(format_args!("{rule}"));
    let url = Url::parse(text).map_err(|error| {
        E::custom(format_args!("`{text}` is no address such as http://host:9093: {error}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(E::custom(format_args!("`{text}` is no address such as http://host:9093")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("an address holds no password: name `username` and `password-file`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(E::custom(format_args!("`{text}` has more than a host, a port and a path")));
    }
    Ok(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        #[serde(deserialize_with = "sources")]
        sources: Vec<SourceSection>,
    }

    fn read(text: &str) -> Result<Vec<SourceSection>, String> {
        toml::from_str::<File>(text).map(|file| file.sources).map_err(|error| error.to_string())
    }

    #[test]
    fn a_source_needs_a_name_and_an_alertmanager_and_has_defaults_for_the_rest() {
        let source =
            read("[[sources]]\nname = \"prod\"\nalertmanagers = [\"http://am:9093/x\"]").unwrap().remove(0);
        assert_eq!(source.alertmanagers[0].as_str(), "http://am:9093/x");
        assert_eq!((source.tenant.as_str(), source.absent_for), ("default", five_minutes()));
        assert_eq!((source.look_back, source.step), (one_day(), five_seconds()));
        assert!(source.prometheus.is_none() && source.external_labels.is_none());
    }

    #[test]
    fn a_source_that_breaks_a_rule_is_named_with_the_rule() {
        let of = |more: &str| {
            read(&format!("[[sources]]\nname = \"prod\"\nalertmanagers = [\"http://am:9093\"]\n{more}"))
                .unwrap_err()
        };
        for (more, told) in [
            ("tenant = \"A B\"", "lower-case"),
            ("prometheus = \"prom:9090\"", "no address such as"),
            ("prometheus = \"http://u:p@prom:9090\"", "`password-file`"),
            ("prometheus = \"http://prom:9090/?x=1\"", "more than a host"),
            ("username = \"km\"", "the source `prod`: `username` and `password-file` go together"),
            ("step = \"10m\"", "`step` lies between"),
            ("look-back = \"90d\"", "`look-back` is 31d at most"),
            ("absent-for = \"0s\"", "no duration above zero"),
            ("alertmanger = []", "unknown field `alertmanger`"),
            (
                "[[sources]]\nname = \"prod\"\nalertmanagers = [\"http://am:9093\"]",
                "two sources are named `prod`",
            ),
        ] {
            let error = of(more);
            assert!(error.contains(told), "{more}: {error}");
        }
        assert!(
            read("[[sources]]\nname = \"a b\"\nalertmanagers = [\"http://x\"]")
                .unwrap_err()
                .contains("`name`")
        );
        assert!(read("[[sources]]\nname = \"a\"\nalertmanagers = []").unwrap_err().contains("1 to 16"));
    }
}
