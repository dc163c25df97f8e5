//! What is wrong with a configuration of Alertmanager, said without running one.
//!
//! The room is pure: it is given texts with their names, and returns findings.

mod finding;
mod yaml;

pub use finding::{Finding, Level, Place};

use yaml::{Mark, Node, Value};

/// The largest file that is read.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// The check that says that a file could not be read.
pub const UNREADABLE: &str = "AM001";

/// What is wrong with the text of an alertmanager.yml. `file` is how findings name it.
pub fn lint(file: &str, text: &str) -> Vec<Finding> {
    if text.len() as u64 > FILE_BYTES_MAX {
        let why = format!("is larger than {} MiB", FILE_BYTES_MAX >> 20);
        return vec![finding(UNREADABLE, file, Mark { line: 1, column: 1 }, why)];
    }
    match yaml::documents(text) {
        Ok(documents) => documents.iter().flat_map(|document| without_equal(file, document)).collect(),
        Err(error) => vec![finding(UNREADABLE, file, error.mark, format!("cannot be read: {}", error.why))],
    }
}

fn finding(code: &'static str, file: &str, mark: Mark, message: String) -> Finding {
    let place = Place { file: file.to_owned(), line: Some(mark.line), column: Some(mark.column) };
    Finding { code, level: Level::Error, message, place, help: None }
}

/// Inhibit rules that tie a target to its source by no label at all.
fn without_equal(file: &str, document: &Node) -> Vec<Finding> {
    let rules = document.get("inhibit_rules").map(|rules| rules.items()).unwrap_or_default();
    let is_without = |rule: &Node| match rule.get("equal").map(|equal| &equal.value) {
        None | Some(Value::Null) => true,
        Some(Value::Sequence(labels)) => labels.is_empty(),
        Some(Value::Scalar(_) | Value::Mapping(_)) => false,
    };
    let message = "the inhibit rule has no `equal`: one alert mutes every target, wherever it comes from";
    let without = rules.iter().filter(|rule| is_without(rule));
    without.map(|rule| finding("AM101", file, rule.mark, message.to_owned())).collect()
}
