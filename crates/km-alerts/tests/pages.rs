//! The pages of the checks keep their word: what they call bad is found, what they call good is clean.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod common;

use std::fs;

use common::{codes, configuration, files, folder, linted_with, name, rules};
use km_alerts::{Input, Options};

/// Stands around examples that show a part of a configuration.
const REST: &str = "route: { receiver: on-call }\nreceivers:\n  - name: on-call\n    webhook_configs: [ { url: \"http://a:1/\" } ]\n";

/// The configurations and rules that a section of a page shows.
fn examples(page: &str, section: &str) -> Vec<Input> {
    let body = page.split(&format!("\n## {section}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks: Vec<&str> =
        body.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "{section} shows nothing");
    let mut inputs: Vec<Input> = blocks
        .iter()
        .map(|block| match (block.contains("groups:"), block.contains("receiver")) {
            (true, _) => rules(block),
            (false, true) => configuration(block),
            (false, false) => configuration(&format!("{block}\n{REST}")),
        })
        .collect();
    if inputs.iter().all(|input| input.name == "rules.yml") {
        inputs.push(configuration(REST));
    }
    inputs
}

#[test]
fn every_bad_example_is_found_and_every_good_one_is_clean() {
    // Both sides of a check that holds labels against each other have to be complete.
    let options = Options { no_other_external_labels: true, ..Options::default() };
    let mut seen = 0;
    for path in files(&folder("../../docs/checks")) {
        let code = name(&path).strip_suffix(".md").unwrap();
        let page = fs::read_to_string(&path).unwrap();
        if !code.starts_with("AM") {
            continue;
        }
        let good = linted_with(&examples(&page, "Good"), &options);
        assert_eq!(good.findings, [], "{code}: the good example");
        // Those of a running Alertmanager are found there.
        if !code.starts_with("AM5") {
            let bad = linted_with(&examples(&page, "Bad"), &options);
            assert!(codes(&bad).contains(&code), "{code}: the bad example: {:#?}", bad.findings);
        }
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}
