//! What the tests share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use km_alerts::{Input, InputKind, Linted, Options, lint};

/// A folder of the repository.
pub fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

pub fn input(name: &str, text: &str, kind: InputKind) -> Input {
    Input { name: name.to_owned(), text: Ok(text.to_owned()), kind }
}

pub fn configuration(text: &str) -> Input {
    input("alertmanager.yml", text, InputKind::Configuration)
}

pub fn rules(text: &str) -> Input {
    input("rules.yml", text, InputKind::Rules)
}

/// Lints with nothing told beside the files. Every code that looks like one is known.
pub fn linted(inputs: &[Input]) -> Linted {
    linted_with(inputs, &Options::default())
}

pub fn linted_with(inputs: &[Input], options: &Options) -> Linted {
    lint(inputs, options, &|code| code.len() == 5 && ["AM", "SL"].iter().any(|room| code.starts_with(room)))
}

/// The codes that were found, each once, in order.
pub fn codes(linted: &Linted) -> Vec<&'static str> {
    let mut codes: Vec<&str> = linted.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Rules of `{"alert", "severity", "expr"}` lines as one rule file.
pub fn rule_file(jsonl: &str) -> String {
    let rules: Vec<serde_json::Value> = jsonl
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|rule| rule["expr"] != "")
        .map(|rule| {
            serde_json::json!({
                "alert": rule["alert"], "expr": rule["expr"], "labels": { "severity": rule["severity"] },
            })
        })
        .collect();
    serde_json::json!({ "groups": [{ "name": "public", "rules": rules }] }).to_string()
}
