//! What checks find, in the four formats that people, scripts and code hosts read.

use std::io;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::checks;
use crate::console::{BOLD, CYAN, Console, DIM, RED, RESET, YELLOW, safe};

/// What a check found, wherever it looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The check; its page is `docs/checks/<code>.md`.
    pub(crate) code: &'static str,
    pub(crate) level: Level,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
    /// What to do about it, where that is known for this case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

/// Where something is. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    pub(crate) file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// It is certainly wrong.
    Error,
    /// It is probably wrong, or will be.
    Warning,
    /// It is worth knowing.
    Note,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One document: findings and a summary
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines
    Github,
}

impl Format {
    /// What `--format` says, or else `--json`, or else text.
    pub(crate) fn chosen(said: Option<Self>, console: Console) -> Self {
        said.unwrap_or(if console.json { Self::Json } else { Self::Text })
    }
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Error => RED,
            Self::Warning => YELLOW,
            Self::Note => CYAN,
        }
    }
}

/// Prints findings as the result of a verb. `tool` is the verb's name, `summary` an object of what was looked at.
pub(crate) fn print(
    console: Console,
    format: Format,
    tool: &str,
    findings: &[Finding],
    summary: &Value,
) -> io::Result<()> {
    match format {
        Format::Text => console.line(text(findings, summary)),
        Format::Json => console.value(&json!({ "findings": findings, "summary": summary })),
        Format::Sarif => console.value(&sarif(tool, findings)),
        Format::Github if findings.is_empty() => Ok(()),
        Format::Github => console.line(github(findings)),
    }
}

fn text(findings: &[Finding], summary: &Value) -> String {
    let mut out = String::new();
    for finding in findings {
        let (level, code, message) = (finding.level, finding.code, safe(&finding.message));
        if let Some(place) = &finding.place {
            out.push_str(&format!("{DIM}{}:{RESET} ", safe(&shown(place))));
        }
        out.push_str(&format!("{}{}[{code}]{RESET}: {message}\n", level.colour(), level.name()));
        if let Some(help) = &finding.help {
            out.push_str(&format!("  {DIM}help{RESET} {}\n", safe(help)));
        }
    }
    out.push_str(&format!("{BOLD}{}{RESET}", sum(findings)));
    for (name, value) in summary.as_object().into_iter().flatten() {
        if let Some(value) = scalar(value) {
            out.push_str(&format!(", {} {}", name.replace('_', " "), safe(&value)));
        }
    }
    out
}

fn shown(place: &Place) -> String {
    let numbers = [place.line, place.column].into_iter().map_while(|number| number);
    numbers.fold(place.file.clone(), |shown, number| format!("{shown}:{number}"))
}

fn sum(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    format!(
        "errors {}, warnings {}, notes {}",
        count(Level::Error),
        count(Level::Warning),
        count(Level::Note)
    )
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn sarif(tool: &str, findings: &[Finding]) -> Value {
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results: Vec<Value> = findings.iter().map(|finding| sarif_result(finding, &codes)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": tool,
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| sarif_rule(code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// The page of the check travels along, so that it can be read where km is not.
fn sarif_rule(code: &str) -> Value {
    let (title, page) = checks::find(code).map_or((code, ""), |check| (check.title(), check.page));
    json!({
        "id": code,
        "shortDescription": { "text": title },
        "help": { "text": page, "markdown": page },
        "helpUri": format!("urn:km:check:{code}"),
    })
}

fn sarif_result(finding: &Finding, codes: &[&str]) -> Value {
    let message = match &finding.help {
        Some(help) => format!("{} ({help})", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": finding.code,
        "level": finding.level.name(),
        "message": { "text": message },
    });
    if let Ok(at) = codes.binary_search(&finding.code) {
        result["ruleIndex"] = at.into();
    }
    if let Some(place) = &finding.place {
        let mut physical = json!({ "artifactLocation": { "uri": uri(&place.file) } });
        if let Some(line) = place.line {
            physical["region"] = json!({ "startLine": line });
            if let Some(column) = place.column {
                physical["region"]["startColumn"] = column.into();
            }
        }
        result["locations"] = json!([{ "physicalLocation": physical }]);
    }
    result
}

/// A path as a reference of RFC 3986; a relative one stays relative.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

/// Workflow commands, <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>.
fn github(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(command).collect();
    lines.join("\n")
}

fn command(finding: &Finding) -> String {
    let name = match finding.level {
        Level::Note => "notice",
        Level::Error | Level::Warning => finding.level.name(),
    };
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        properties.push(format!("file={}", property(&place.file)));
        properties.extend(place.line.map(|line| format!("line={line}")));
        properties.extend(place.column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", finding.code));
    let help = finding.help.iter().map(|help| format!("\n{help}")).collect::<String>();
    format!("::{name} {}::{}", properties.join(","), data(&format!("{}{help}", finding.message)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding {
            code: "AM101",
            level: Level::Error,
            message: "100% of\nthem, \x1b[2Jmuted".to_owned(),
            place: Some(Place { file: "a b,c:d.yml".to_owned(), line: Some(7), column: Some(3) }),
            help: Some("add `equal`".to_owned()),
        }
    }

    #[test]
    fn text_names_the_place_and_ends_with_one_line_of_sums() {
        let out = text(&[finding()], &json!({ "files": 2, "rule_files": 1, "more": [] }));
        let plain = anstream::adapter::strip_str(&out).to_string();
        assert_eq!(
            plain,
            "a b,c:d.yml:7:3: error[AM101]: 100% of\nthem, [2Jmuted\n  help add `equal`\n\
             errors 1, warnings 0, notes 0, files 2, rule files 1"
        );
    }

    #[test]
    fn json_keeps_everything_and_leaves_out_what_is_not_there() {
        assert_eq!(
            serde_json::to_value(finding()).ok(),
            Some(json!({
                "code": "AM101", "level": "error", "message": "100% of\nthem, \x1b[2Jmuted",
                "place": { "file": "a b,c:d.yml", "line": 7, "column": 3 }, "help": "add `equal`",
            }))
        );
        let bare = Finding { place: None, help: None, level: Level::Note, ..finding() };
        assert_eq!(
            serde_json::to_value(bare).ok(),
            Some(json!({
                "code": "AM101", "level": "note", "message": "100% of\nthem, \x1b[2Jmuted",
            }))
        );
    }

    #[test]
    fn sarif_results_point_at_their_rule_and_place() {
        let document = sarif("km alertmanager lint", &[finding(), finding()]);
        let run = &document["runs"][0];
        let (rules, results) = (&run["tool"]["driver"]["rules"], &run["results"]);
        assert_eq!((document["version"].as_str(), rules.as_array().map(Vec::len)), (Some("2.1.0"), Some(1)));
        assert!(rules[0]["help"]["markdown"].as_str().is_some_and(|page| page.starts_with("# AM101: ")));
        assert_eq!(results[1]["ruleIndex"], 0);
        let physical = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "a%20b%2Cc%3Ad.yml");
        assert_eq!(physical["region"], json!({ "startLine": 7, "startColumn": 3 }));
        assert_eq!(uri("/etc/ä.yml"), "file:///etc/%C3%A4.yml");
    }

    #[test]
    fn github_commands_are_one_line_each_and_cannot_be_broken_out_of() {
        assert_eq!(
            github(&[finding()]),
            "::error file=a b%2Cc%3Ad.yml,line=7,col=3,title=AM101::100%25 of%0Athem, \x1b[2Jmuted%0Aadd `equal`"
        );
        assert!(command(&Finding { level: Level::Note, ..finding() }).starts_with("::notice "));
    }
}
