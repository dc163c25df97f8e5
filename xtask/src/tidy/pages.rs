//! Rules for the documentation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, has_extension};

/// How the codes of checks begin: of alerts, of drift, of SLOs.
const CHECK_PREFIXES: [&str; 3] = ["AM", "DR", "SL"];

/// Where the pages of checks are compiled in.
const CHECK_INDEX: &str = "crates/km/src/checks.rs";

pub(super) fn check(root: &Path, files: &[PathBuf]) -> Vec<Finding> {
    let pages: Vec<(&PathBuf, String)> = files
        .iter()
        .filter(|path| has_extension(path, "md"))
        .filter_map(|path| Some((path, fs::read_to_string(root.join(path)).ok()?)))
        .collect();
    let mut findings: Vec<Finding> =
        pages.iter().flat_map(|(path, text)| broken_links(root, path, text)).collect();
    let index = fs::read_to_string(root.join("docs/adr/README.md")).unwrap_or_default();
    for (path, text) in &pages {
        findings.extend(error_page(path, text));
        findings.extend(decision(path, &index));
    }
    findings.extend(checks(root, files));
    findings
}

/// What the product says of checks: the index of pages, the sources that make checks, and the pages.
fn checks(root: &Path, files: &[PathBuf]) -> Vec<Finding> {
    let index = Path::new(CHECK_INDEX);
    let listed = check_codes(&fs::read_to_string(root.join(index)).unwrap_or_default());
    let is_source = |path: &&PathBuf| {
        path.starts_with("crates") && has_extension(path, "rs") && path.iter().any(|part| part == "src")
    };
    let made = files
        .iter()
        .filter(is_source)
        .filter(|path| *path != index)
        .filter_map(|path| fs::read_to_string(root.join(path)).ok())
        .flat_map(|text| check_codes(&text))
        .collect();
    let pages = files
        .iter()
        .filter(|path| path.starts_with("docs/checks"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    disagreements(&listed, &made, &pages)
}

/// Every check that is made has a page, every page is of a check that is made, and the index lists them all.
fn disagreements(
    listed: &BTreeSet<String>,
    made: &BTreeSet<String>,
    pages: &BTreeSet<String>,
) -> Vec<Finding> {
    let page = |code: &String| Path::new("docs/checks").join(format!("{code}.md"));
    let unlisted = pages
        .difference(listed)
        .map(|code| Finding::new(Path::new(CHECK_INDEX), 1, format!("does not list the page of {code}")));
    let without_page =
        made.difference(pages).map(|code| Finding::new(&page(code), 1, format!("{code} has no page")));
    let idle = pages.difference(made).map(|code| Finding::new(&page(code), 1, format!("no check is {code}")));
    unlisted.chain(without_page).chain(idle).collect()
}

/// The codes of checks that stand in a source as whole strings, such as those of [`CHECK_PREFIXES`].
fn check_codes(source: &str) -> BTreeSet<String> {
    let is_code = |text: &&str| {
        let digits = CHECK_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix));
        digits.is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    source.split('"').filter(is_code).map(str::to_owned).collect()
}

/// Links to files that are not there. Addresses and anchors are not looked at.
fn broken_links(root: &Path, page: &Path, text: &str) -> Vec<Finding> {
    let folder = root.join(page).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut findings = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        for target in links(line).filter(|_| !fenced) {
            let file = target.split('#').next().unwrap_or_default();
            let local = !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:");
            if local && !folder.join(file).exists() {
                findings.push(Finding::new(page, at + 1, format!("the link to {target} leads nowhere")));
            }
        }
    }
    findings
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

fn error_page(path: &Path, text: &str) -> Option<Finding> {
    let stem = path.file_stem()?.to_str()?;
    let is_error = path.starts_with("docs/errors") && stem.starts_with("KM");
    let headed = text.lines().next().is_some_and(|line| line.starts_with(&format!("# {stem}: ")));
    (is_error && !headed).then(|| Finding::new(path, 1, format!("begins with `# {stem}: ` and a title")))
}

fn decision(path: &Path, index: &str) -> Option<Finding> {
    let name = path.file_name()?.to_str()?;
    if !path.starts_with("docs/adr") || name == "README.md" {
        return None;
    }
    let numbered =
        name.len() > 5 && name.as_bytes()[..4].iter().all(u8::is_ascii_digit) && name.as_bytes()[4] == b'-';
    if !numbered {
        return Some(Finding::new(path, 1, "a decision is named NNNN-what.md"));
    }
    (!index.contains(name)).then(|| Finding::new(path, 1, "the decision is not listed in docs/adr/README.md"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = "[a](src/main.rs#top) [b](https://example.org) [c](nothing.md)\n```\n[d](nothing.md)\n```";
        let findings = broken_links(root, Path::new("README.md"), text);
        assert_eq!(
            findings,
            [Finding::new(Path::new("README.md"), 1, "the link to nothing.md leads nowhere")]
        );
    }

    #[test]
    fn an_error_page_begins_with_its_code() {
        let path = Path::new("docs/errors/KM0001.md");
        assert!(error_page(path, "# KM0001: invalid JSON\n").is_none());
        assert!(error_page(path, "# invalid JSON\n").is_some());
    }

    #[test]
    fn checks_and_their_pages_agree() {
        let codes = |source| check_codes(source);
        let found = disagreements(
            &codes(r#"checks! { "AM101" }"#),
            &codes(r#"&["AM101", "DR404", "AM9", "AMBER"]"#),
            &codes(r#""AM101" "SL001""#),
        );
        let found: Vec<String> = found.into_iter().map(|finding| finding.what).collect();
        assert_eq!(found, ["does not list the page of SL001", "DR404 has no page", "no check is SL001"]);
    }

    #[test]
    fn a_decision_is_numbered_and_listed() {
        assert!(decision(Path::new("docs/adr/0001-ledger.md"), "(0001-ledger.md)").is_none());
        assert!(decision(Path::new("docs/adr/0001-ledger.md"), "").is_some());
        assert!(decision(Path::new("docs/adr/ledger.md"), "(ledger.md)").is_some());
    }
}
