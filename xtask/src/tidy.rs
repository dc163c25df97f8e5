//! What compilers do not check: floors of the crates, owners of heavy dependencies, lengths, words, links.

mod crates;
mod pages;
mod sources;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not ours to judge.
const PASSED_OVER: [&str; 6] = ["target", ".git", "km-data", "samples", "payloads", "proptest-regressions"];

/// Something to mend, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: PathBuf,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_path_buf(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

/// All findings in a workspace.
pub(crate) fn check(root: &Path) -> Vec<Finding> {
    let files = files_below(root);
    let mut findings = crates::check(root);
    findings.extend(sources::check(root, &files));
    findings.extend(pages::check(root, &files));
    findings
}

/// Every file below a folder, by path from it.
fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let passed_over = PASSED_OVER.iter().any(|name| entry.file_name() == *name);
            match (path.is_dir(), passed_over) {
                (true, false) => folders.push(path),
                (false, _) => found.extend(path.strip_prefix(root).map(Path::to_path_buf)),
                (true, true) => {}
            }
        }
    }
    found.sort();
    found
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests;
