//! The fields of alertmanager.yml: which there are, what they hold, and since when.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use km_yaml::{Node, Value};

use crate::finding::Level;
use crate::matcher::{self, Matcher};
use crate::near::nearest;
use crate::report::{Report, Spot};
use crate::source::Source;
use crate::version::Version;

const FIELDS: &str = include_str!("fields.txt");

/// What stands in front of values that are read from elsewhere before Alertmanager sees the file, or are not secret.
const NOT_THE_SECRET_ITSELF: [&str; 4] = ["${", "{{", "$(", "$__file{"];

/// A field of a block.
#[derive(Debug)]
struct Field {
    kind: &'static str,
    since: Version,
    /// The last version that knew it.
    until: Option<Version>,
}

type Fields = HashMap<&'static str, HashMap<&'static str, Field>>;

static TABLE: LazyLock<Fields> = LazyLock::new(|| {
    let mut table: Fields = HashMap::new();
    for line in FIELDS.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (Some(block), Some(name), Some(kind)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let Some(since) = words.next().and_then(|word| word.parse().ok()) else { continue };
        let until = words.next().and_then(|word| word.strip_prefix("until-")?.parse().ok());
        table.entry(block).or_default().insert(name, Field { kind, since, until });
    }
    table
});

/// Holds a configuration against the table.
pub(crate) struct Fit<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) target: Option<Version>,
    pub(crate) report: &'a mut Report,
    /// Regular expressions that were tried, and what is wrong with them.
    pub(crate) known: HashMap<String, Result<(), String>>,
}

impl Fit<'_> {
    /// Checks a whole configuration.
    pub(crate) fn configuration(&mut self, spot: Spot, root: &Node) {
        self.block("Config", "the configuration", spot, root);
    }

    fn block(&mut self, block: &str, shown: &str, spot: Spot, node: &Node) {
        if matches!(node.value, Value::Null) {
            return;
        }
        if !matches!(node.value, Value::Mapping(_)) {
            let message = format!("{shown} has to be a mapping, not {}", node.what());
            return self.wrong(spot.at(node.mark), message);
        }
        let fields = TABLE.get(block);
        for (key, value) in node.entries() {
            let name = key.text().unwrap_or_default();
            let spot = spot.at(key.mark);
            match fields.and_then(|fields| fields.get(name)) {
                Some(field) => {
                    self.version(name, field, spot);
                    self.value(field.kind, name, spot, value);
                }
                None => {
                    let known = fields.iter().flat_map(|fields| fields.keys().copied());
                    let help = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
                    let message = format!("{shown} knows no field `{name}`; Alertmanager refuses the file");
                    self.report.add(self.sources, spot, "AM305", Level::Error, message, help);
                }
            }
        }
    }

    fn version(&mut self, name: &str, field: &Field, spot: Spot) {
        let message = match (self.target, field.until) {
            (Some(target), _) if target < field.since => {
                format!("`{name}` came with Alertmanager {}, and {target} refuses it", field.since)
            }
            (Some(target), Some(until)) if target > until => {
                format!("`{name}` was taken out after Alertmanager {until}, and {target} refuses it")
            }
            (None, Some(until)) => format!("`{name}` was taken out after Alertmanager {until}"),
            _ => return,
        };
        self.report.add(self.sources, spot, "AM304", Level::Error, message, None);
    }

    fn value(&mut self, kind: &'static str, name: &str, spot: Spot, node: &Arc<Node>) {
        if matches!(node.value, Value::Null) {
            return;
        }
        match kind {
            "any" => {}
            "texts" => self.texts(name, spot, node),
            "texts-by-name" | "match" | "match-re" => self.texts_by_name(kind, name, spot, node),
            "matchers" => self.matchers(name, spot, node),
            _ if kind.starts_with('[') => self.list(kind.trim_matches(['[', ']']), name, spot, node),
            _ if kind.starts_with(|c: char| c.is_ascii_uppercase()) => {
                self.block(kind, &format!("`{name}`"), spot, node);
            }
            _ => self.scalar(kind, name, spot, node),
        }
    }

    fn list(&mut self, block: &'static str, name: &str, spot: Spot, node: &Node) {
        if !matches!(node.value, Value::Sequence(_)) {
            return self.wrong(spot.at(node.mark), format!("`{name}` has to be a list, not {}", node.what()));
        }
        for item in node.items() {
            let is_item = matches!(block, "Receiver" | "Route" | "InhibitRule" | "NamedTimes");
            let spot = if is_item { Spot::new(spot.source, item.mark) } else { spot.at(item.mark) };
            self.block(block, &format!("an item of `{name}`"), spot, item);
        }
    }

    fn texts(&mut self, name: &str, spot: Spot, node: &Node) {
        if !matches!(node.value, Value::Sequence(_)) {
            return self.wrong(spot.at(node.mark), format!("`{name}` has to be a list, not {}", node.what()));
        }
        for item in node.items().iter().filter(|item| item.text().is_none()) {
            let message = format!("`{name}` has to hold texts, not {}", item.what());
            self.wrong(spot.at(item.mark), message);
        }
    }

    fn texts_by_name(&mut self, kind: &str, name: &str, spot: Spot, node: &Node) {
        if !matches!(node.value, Value::Mapping(_)) {
            let message = format!("`{name}` has to be a mapping, not {}", node.what());
            return self.wrong(spot.at(node.mark), message);
        }
        for (key, value) in node.entries() {
            let label = key.text().unwrap_or_default();
            let spot = spot.at(key.mark);
            if kind != "texts-by-name" && !is_classic_name(label) {
                self.wrong(spot, format!("`{label}` in `{name}` is no label name"));
            }
            match (kind, &value.value) {
                ("match-re", Value::Null) => {
                    self.wrong(spot, format!("the regular expression for `{label}` in `{name}` is missing"));
                }
                ("match-re", Value::Scalar(text)) => {
                    if let Err(why) = matcher::compile(text) {
                        self.wrong(spot.at(value.mark), format!("`{text}` is no regular expression: {why}"));
                    }
                }
                (_, Value::Null | Value::Scalar(_)) => {}
                (_, Value::Sequence(_) | Value::Mapping(_)) => {
                    let message = format!("`{label}` in `{name}` has to be a text, not {}", value.what());
                    self.wrong(spot.at(value.mark), message);
                }
            }
        }
    }

    fn matchers(&mut self, name: &str, spot: Spot, node: &Node) {
        self.texts(name, spot, node);
        for item in node.items() {
            let Some(line) = item.text() else { continue };
            let spot = spot.at(item.mark);
            match matcher::parse(line, item.mark) {
                Err(why) => self.wrong(spot, format!("the matcher `{line}` cannot be read: {why}")),
                Ok(matchers) => {
                    self.compiled(spot, &matchers);
                    let is_new = matcher::needs_utf8(line);
                    if let Some(target) =
                        self.target.filter(|target| is_new && *target < Version::new(0, 27, 0))
                    {
                        let message = format!(
                            "the matcher `{line}` is read since Alertmanager 0.27.0, and {target} refuses it"
                        );
                        self.report.add(self.sources, spot, "AM304", Level::Error, message, None);
                    }
                }
            }
        }
    }

    /// Whether regular expressions can be compiled too. Each is tried once.
    fn compiled(&mut self, spot: Spot, matchers: &[Matcher]) {
        for matcher in matchers.iter().filter(|matcher| matcher.op.is_regex()) {
            if let Err(why) = self
                .known
                .entry(matcher.value.clone())
                .or_insert_with(|| matcher::compile(&matcher.value).map(drop))
                .clone()
            {
                self.wrong(spot, format!("`{}` is no regular expression: {why}", brief(&matcher.value)));
            }
        }
    }

    fn scalar(&mut self, kind: &str, name: &str, spot: Spot, node: &Node) {
        let Some(text) = node.text() else {
            let message = format!("`{name}` has to be one value, not {}", node.what());
            return self.wrong(spot.at(node.mark), message);
        };
        let spot = spot.at(node.mark);
        if let Some(expected) = misfit(kind, text) {
            let shown = if kind.starts_with("secret") { "its value" } else { text };
            self.wrong(spot, format!("`{name}` has to be {expected}, and `{shown}` is not"));
        }
        if is_secret(kind, text) {
            let message = format!("`{name}` holds a secret in plain text");
            let help = secret_help(name);
            self.report.add(self.sources, spot, "AM301", Level::Warning, message, Some(help));
        }
    }

    fn wrong(&mut self, spot: Spot, message: String) {
        let message = format!("{message}; Alertmanager refuses the file");
        self.report.add(self.sources, spot, "AM306", Level::Error, message, None);
    }
}

/// A text that is not too long to be shown.
fn brief(text: &str) -> String {
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// What a value should have been, when it is not.
fn misfit(kind: &str, text: &str) -> Option<&'static str> {
    match kind {
        "bool" => (!is_bool(text)).then_some("true or false"),
        "int" => text.replace('_', "").parse::<i128>().is_err().then_some("a whole number"),
        "float" => text.replace('_', "").parse::<f64>().is_err().then_some("a number"),
        "duration" => duration(text).is_none().then_some("a duration such as 30s or 1h30m"),
        "url" | "secret-url" => (!is_url(text)).then_some("a URL with http or https and a host"),
        "secret-template-url" => {
            (!is_url(text) && !text.contains("{{")).then_some("a URL with http or https")
        }
        "host-port" => (!text.is_empty() && !is_host_port(text)).then_some("an address as host:port"),
        _ => None,
    }
}

/// Truths of YAML 1.1.
fn is_bool(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n")
}

pub(crate) fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "y")
}

fn is_url(text: &str) -> bool {
    if text == "<secret>" {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let rest = ["http://", "https://"].iter().find_map(|scheme| lower.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !host.contains(' ')
    })
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !port.is_empty() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
    })
}

/// The seconds of a duration as Prometheus writes them; `0` needs no unit.
pub(crate) fn duration(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 7] = [
        ("ms", 0.001),
        ("y", 31_536_000.0),
        ("w", 604_800.0),
        ("d", 86_400.0),
        ("h", 3_600.0),
        ("m", 60.0),
        ("s", 1.0),
    ];
    if text == "0" {
        return Some(0.0);
    }
    let (mut rest, mut seconds, mut last) = (text, 0.0, f64::INFINITY);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (number, after) = rest.split_at(digits);
        let (unit, worth) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        if *worth >= last {
            return None;
        }
        seconds += number.parse::<f64>().ok()? * worth;
        last = *worth;
        rest = after.strip_prefix(unit)?;
    }
    (!text.is_empty()).then_some(seconds)
}

fn is_secret(kind: &str, text: &str) -> bool {
    let holds_one = match kind {
        "secret" | "secret-url" => true,
        // A webhook's address is a secret only where it carries one.
        "secret-template-url" => {
            let authority =
                text.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let words = ["token=", "key=", "secret=", "password=", "sig=", "signature="];
            authority.split_once('@').is_some_and(|(user, _)| user.contains(':'))
                || words.iter().any(|word| text.to_ascii_lowercase().contains(word))
        }
        _ => false,
    };
    let is_placeholder = text.starts_with('<') && text.ends_with('>');
    holds_one
        && !text.is_empty()
        && !is_placeholder
        && !NOT_THE_SECRET_ITSELF.iter().any(|mark| text.contains(mark))
}

fn secret_help(name: &str) -> String {
    if matches!(name, "auth_secret" | "bearer_token") {
        return "read it from a file: `authorization.credentials_file`, or a template that is filled at deployment"
            .to_owned();
    }
    if TABLE.values().any(|fields| fields.contains_key(format!("{name}_file").as_str())) {
        return format!("read it from a file: `{name}_file`");
    }
    "have it filled in at deployment, from where secrets are kept".to_owned()
}

/// A label name that every version reads.
pub(crate) fn is_classic_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_every_block_of_it_exists() {
        let lines = FIELDS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(TABLE.values().map(HashMap::len).sum::<usize>(), lines);
        for field in TABLE.values().flat_map(HashMap::values) {
            let block = field.kind.trim_matches(['[', ']']);
            let is_block = block.starts_with(|c: char| c.is_ascii_uppercase());
            assert!(!is_block || TABLE.contains_key(block), "{block}");
        }
    }

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, seconds) in
            [("30s", 30.0), ("1h30m", 5_400.0), ("2d", 172_800.0), ("0", 0.0), ("100ms", 0.1)]
        {
            assert_eq!(duration(text), Some(seconds), "{text}");
        }
        for text in ["", "30", "5 m", "1m1h", "s", "-5m", "1.5h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_held_to_what_alertmanager_takes() {
        assert!(is_url("https://example.org/x") && is_url("<secret>"));
        assert!(!is_url("example.org") && !is_url("ftp://example.org") && !is_url("http://"));
        assert!(is_host_port("localhost:25") && is_host_port("[::1]:25") && is_host_port(":25"));
        assert!(!is_host_port("localhost") && !is_host_port("localhost:") && !is_host_port("::1:25"));
    }
}
