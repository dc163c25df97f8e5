//! `km backup` and `km restore`.

use std::path::Path;

use km_store::BackupReport;
use serde_json::json;

use crate::config::ByteSize;
use crate::console::Console;
use crate::context::Context;
use crate::failure::{Ending, Failure};

pub(super) fn backup(context: &Context, to: &Path) -> Result<Ending, Failure> {
    context.must_name_data("backup")?;
    let report = km_store::backup(&context.data(), to)?;
    say(context.console, &report, "copied and checked", to)
}

pub(super) fn restore(context: &Context, from: &Path) -> Result<Ending, Failure> {
    context.must_name_data("restore")?;
    let data = context.data();
    let report = km_store::restore(from, &data)?;
    say(context.console, &report, "restored and checked", &data)?;
    context.console.note("the search index is built again when km opens the directory")?;
    Ok(Ending::Done)
}

fn say(console: Console, report: &BackupReport, done: &str, place: &Path) -> Result<Ending, Failure> {
    let BackupReport { writes, entries, bytes } = *report;
    if console.json {
        console.value(&json!({ "writes": writes, "entries": entries, "bytes": bytes, "place": place }))?;
    } else {
        let size = ByteSize(bytes);
        console.line(format_args!(
            "{done}: {writes} writes, {entries} entries, {size} in {}",
            place.display()
        ))?;
    }
    Ok(Ending::Done)
}
