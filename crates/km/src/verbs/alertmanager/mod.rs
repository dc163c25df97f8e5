//! `km alertmanager`.

mod audit;
mod files;
mod lint;

use crate::cli::{AlertmanagerVerb, Global};
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::findings::{Finding, Level, Place};

pub(super) async fn run(global: &Global, verb: &AlertmanagerVerb) -> Result<Ending, Failure> {
    let console = Console::new(global);
    match verb {
        AlertmanagerVerb::Lint(args) => lint::run(console, args),
        AlertmanagerVerb::Audit(args) => audit::run(console, args).await,
    }
}

/// How a verb ends that has said what it found.
fn ending(found: &[km_alerts::Finding]) -> Ending {
    if found.iter().any(|finding| finding.code == km_alerts::UNREADABLE) {
        Ending::CannotRead
    } else if found.is_empty() {
        Ending::Done
    } else {
        Ending::Findings
    }
}

/// A finding of the room as one that can be printed.
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
