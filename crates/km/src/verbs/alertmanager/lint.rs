//! `km alertmanager lint`.

use km_alerts::{InputKind, Linted, Options, UNREADABLE};
use serde_json::json;

use super::{ending, files, finding};
use crate::checks;
use crate::cli::LintArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::findings::{self, Finding, Format};

pub(super) fn run(console: Console, args: &LintArgs) -> Result<Ending, Failure> {
    let mut inputs = files::read(&args.files, InputKind::Configuration);
    inputs.extend(files::read_all(&args.rules));
    inputs.extend(files::read(&args.alerts, InputKind::Alerts));
    let options = Options {
        target_version: args.target_version,
        external_labels: args.external_labels.iter().cloned().collect(),
        no_other_external_labels: args.no_other_external_labels,
    };
    let linted = km_alerts::lint(&inputs, &options, &|code| checks::find(code).is_some());
    let ending = ending(&linted.findings);
    if args.fix {
        fix(console, linted)?;
    } else {
        show(console, args, inputs.len(), linted)?;
    }
    Ok(ending)
}

fn show(console: Console, args: &LintArgs, files: usize, linted: Linted) -> Result<(), Failure> {
    let summary = json!({
        "files": files,
        "configurations": linted.configurations,
        "inhibit_rules": linted.inhibit_rules,
        "alerts": linted.alerts,
    });
    let found: Vec<Finding> = linted.findings.into_iter().map(finding).collect();
    let format = Format::chosen(args.format, console);
    Ok(findings::print(console, format, "km alertmanager lint", &found, &summary)?)
}

/// Diffs go to standard output, what stays to be done to standard error.
fn fix(console: Console, linted: Linted) -> Result<(), Failure> {
    for diff in &linted.diffs {
        console.raw(diff.as_bytes())?;
    }
    let left = linted.findings.iter().filter(|finding| finding.code != "AM104").count();
    console
        .note(format!("{} files would be changed; {left} findings need a decision", linted.diffs.len()))?;
    for unreadable in linted.findings.iter().filter(|finding| finding.code == UNREADABLE) {
        console.complain(format!("{}: {}", unreadable.place.file, unreadable.message))?;
    }
    Ok(())
}
