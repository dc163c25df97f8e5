//! Rules for source files.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, has_extension};

/// Longest source file, in lines.
const LINES_MAX: usize = 800;
/// Words that mark unfinished work.
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

pub(super) fn check(root: &Path, files: &[PathBuf]) -> Vec<Finding> {
    let rust: Vec<(&PathBuf, String)> = read(root, files, "rs");
    let sql: Vec<(&PathBuf, String)> = read(root, files, "sql");
    let mut findings = Vec::new();
    for (path, text) in rust.iter().chain(&sql) {
        findings.extend(too_long(path, text));
    }
    for (path, text) in &rust {
        findings.extend(words(path, text));
        findings.extend(without_introduction(path, text));
    }
    for (path, text) in &sql {
        findings.extend(sql_rules(path, text));
        findings.extend(unused_sql(path, &rust));
    }
    findings
}

fn read<'a>(root: &Path, files: &'a [PathBuf], extension: &str) -> Vec<(&'a PathBuf, String)> {
    let wanted = files.iter().filter(|path| has_extension(path, extension));
    wanted.filter_map(|path| Some((path, fs::read_to_string(root.join(path)).ok()?))).collect()
}

fn too_long(path: &Path, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| Finding::new(path, lines, format!("{lines} lines, the limit is {LINES_MAX}")))
}

/// Marks of unfinished work, and exceptions without a reason.
fn words(path: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let comment = line.split_once("//").map(|(_, comment)| comment).unwrap_or_default();
        let unfinished =
            UNFINISHED.iter().find(|word| comment.split(|c: char| !c.is_alphanumeric()).any(|w| w == **word));
        if let Some(word) = unfinished {
            findings.push(Finding::new(path, at + 1, format!("{word} in a comment: do it, or file it")));
        }
        let exception = line.trim_start();
        let opens = exception.starts_with("#[allow(") || exception.starts_with("#![allow(");
        if opens && !text.lines().skip(at).take(9).any(|line| line.contains("reason = ")) {
            findings.push(Finding::new(path, at + 1, "an exception without a reason"));
        }
    }
    findings
}

fn without_introduction(path: &Path, text: &str) -> Option<Finding> {
    let introduced =
        text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"));
    (!introduced).then(|| Finding::new(path, 1, "the file does not say what it is: begin with //!"))
}

fn sql_rules(path: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.to_uppercase().contains("SELECT *") {
            findings.push(Finding::new(path, at + 1, "SELECT * : name the columns"));
        }
    }
    findings
}

fn unused_sql(path: &Path, rust: &[(&PathBuf, String)]) -> Option<Finding> {
    let name = path.file_name()?.to_str()?;
    let used = rust.iter().any(|(_, text)| text.contains(&format!("{name}\"")));
    (!used).then(|| Finding::new(path, 1, "no code includes this file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> &'static Path {
        Path::new("x.rs")
    }

    #[test]
    fn long_files_are_found() {
        assert!(too_long(here(), &"\n".repeat(LINES_MAX)).is_none());
        assert!(too_long(here(), &"\n".repeat(LINES_MAX + 1)).is_some());
    }

    #[test]
    fn unfinished_work_and_bare_exceptions_are_found() {
        let unfinished = format!("let a = 1; // {}: later", UNFINISHED[0]);
        assert_eq!(words(here(), &unfinished).len(), 1);
        assert_eq!(words(here(), "#[allow(dead_code)]\nfn f() {}").len(), 1);
        assert_eq!(words(here(), "#[allow(dead_code, reason = \"so\")]\nfn f() {}"), []);
    }

    #[test]
    fn files_introduce_themselves() {
        assert!(without_introduction(here(), "fn main() {}").is_some());
        assert!(without_introduction(here(), "//! What it is.\nfn main() {}").is_none());
    }

    #[test]
    fn sql_names_its_columns_and_is_used() {
        let sql = Path::new("sql/find.sql");
        assert_eq!(sql_rules(sql, "SELECT *\nFROM t").len(), 1);
        let user = PathBuf::from("a.rs");
        assert!(unused_sql(sql, &[(&user, "include_str!(\"sql/find.sql\")".to_owned())]).is_none());
        assert!(unused_sql(sql, &[(&user, String::new())]).is_some());
    }
}
