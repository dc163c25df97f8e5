//! `km import`: files become writes, writes go in batches, and what is not taken is named.
//!
//! Importing again is how an import is resumed: a write that is there already is answered as `replayed`.

mod files;
mod sending;
mod tally;

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::ImportArgs;
use crate::client::Client;
use crate::console::Console;
use crate::failure::{Ending, Failure};

use files::{Found, Source};
use sending::Sender;
pub(super) use tally::Tally;

/// One write on its way: where it was read, and its JSON on one line.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) origin: String,
    pub(super) line: String,
}

/// Something that cannot be a write, with where and why.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) origin: String,
    pub(super) reason: String,
}

pub(super) async fn run(console: Console, client: &Client, args: &ImportArgs) -> Result<Ending, Failure> {
    let found = files::find(&args.paths)?;
    let bar = progress(console, &found);
    let tally = import(console, client, found, &bar).await;
    bar.finish_and_clear();
    let tally = tally?;
    tally.say(console)?;
    Ok(tally.ending())
}

async fn import(
    console: Console,
    client: &Client,
    found: Found,
    bar: &ProgressBar,
) -> Result<Tally, Failure> {
    let mut sender = Sender::new(client);
    for broken in found.refused {
        sender.tally.refuse(broken);
    }
    for file in &found.files {
        read_source(&mut sender, file, bar).await?;
        sender.tally.files += 1;
        bar.suspend(|| sender.tally.say_new(console))?;
    }
    sender.flush().await?;
    sender.tally.say_new(console)?;
    Ok(sender.tally)
}

async fn read_source(sender: &mut Sender<'_>, source: &Source, bar: &ProgressBar) -> Result<(), Failure> {
    for (bytes, read) in files::read(source) {
        match read {
            Ok(item) => sender.push(item).await?,
            Err(broken) => sender.tally.refuse(broken),
        }
        bar.inc(bytes);
    }
    Ok(())
}

/// Imports documents that are in memory, such as the samples of the demo.
pub(super) async fn import_texts(client: &Client, texts: &[(&str, &str)]) -> Result<Tally, Failure> {
    let mut sender = Sender::new(client);
    let documents = texts.iter().filter(|(name, _)| !files::is_introduction(Path::new(name)));
    for (name, text) in documents {
        sender.tally.files += 1;
        for read in files::read_text(name, text) {
            match read {
                Ok(item) => sender.push(item).await?,
                Err(broken) => sender.tally.refuse(broken),
            }
        }
    }
    sender.flush().await?;
    Ok(sender.tally)
}

fn progress(console: Console, found: &Found) -> ProgressBar {
    if !console.shows_progress() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {eta} left");
    let bar = ProgressBar::new(found.bytes);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
