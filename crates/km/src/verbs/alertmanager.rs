//! `km alertmanager`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::json;

use crate::cli::{AlertmanagerVerb, Global, LintArgs};
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::findings::{self, Finding, Format, Level, Place};

pub(super) fn run(global: &Global, verb: &AlertmanagerVerb) -> Result<Ending, Failure> {
    let console = Console::new(global);
    match verb {
        AlertmanagerVerb::Lint(args) => lint(console, args),
    }
}

fn lint(console: Console, args: &LintArgs) -> Result<Ending, Failure> {
    let mut found = Vec::new();
    for path in &args.files {
        let text = read(path).map_err(Failure::file(path))?;
        found.extend(km_alerts::lint(&path.display().to_string(), &text).into_iter().map(finding));
    }
    let format = Format::chosen(args.format, console);
    findings::print(console, format, "km alertmanager lint", &found, &json!({ "files": args.files.len() }))?;
    let unreadable = found.iter().any(|finding| finding.code == km_alerts::UNREADABLE);
    Ok(match (unreadable, found.is_empty()) {
        (true, _) => Ending::CannotRead,
        (false, true) => Ending::Done,
        (false, false) => Ending::Findings,
    })
}

/// The text of a file, up to one byte more than may be read, so that more is noticed.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(km_alerts::FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn finding(found: km_alerts::Finding) -> Finding {
    let level = match found.level {
        km_alerts::Level::Error => Level::Error,
        km_alerts::Level::Warning => Level::Warning,
        km_alerts::Level::Note => Level::Note,
    };
    let km_alerts::Place { file, line, column } = found.place;
    Finding {
        code: found.code,
        level,
        message: found.message,
        place: Some(Place { file, line, column }),
        help: found.help,
    }
}
