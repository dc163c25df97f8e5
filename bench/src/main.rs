//! The same work through km and through the alternatives, in one run, as ratios.
//!
//! Absolute figures drift with the machine; rounds of all candidates alternate, and what is compared is the
//! median of each.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, takes time, and stops at the first surprise"
)]

mod bare;
mod client;
mod contract;
mod figures;
mod http;
mod large;
mod work;

use std::path::PathBuf;

use figures::{Figures, Report};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: km-bench [--km PATH] [--data DIR] [--rounds N] [--seconds S] [--entries N] [--only write|http|large] [--json]";

/// What to measure, and how long.
#[derive(Clone, Debug)]
struct Options {
    km: Option<PathBuf>,
    data: PathBuf,
    rounds: usize,
    seconds: f64,
    entries: usize,
    only: Option<String>,
    json: bool,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            km: None,
            data: PathBuf::from("target"),
            rounds: 5,
            seconds: 2.0,
            entries: 100_000,
            only: None,
            json: false,
        };
        while let Some(name) = arguments.next() {
            if name == "--json" {
                options.json = true;
                continue;
            }
            let value = arguments.next().ok_or(USAGE)?;
            match name.as_str() {
                "--km" => options.km = Some(value.into()),
                "--data" => options.data = value.into(),
                "--rounds" => options.rounds = value.parse().map_err(|_| USAGE)?,
                "--seconds" => options.seconds = value.parse().map_err(|_| USAGE)?,
                "--entries" => options.entries = value.parse().map_err(|_| USAGE)?,
                "--only" => options.only = Some(value),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, section: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == section)
    }
}

fn main() {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            println!("{usage}");
            std::process::exit(2);
        }
    };
    let mut report = Report::default();
    if options.wants("write") {
        write_section(&options, &mut report);
    }
    if options.wants("http") {
        http::section(&options, &mut report);
    }
    if options.wants("large") {
        large::section(&options, &mut report);
    }
    report.print(options.json);
}

/// Durable acknowledged writes in process, against the bare engine.
fn write_section(options: &Options, report: &mut Report) {
    for callers in [1, 16, 64, 256] {
        let mut km = Vec::new();
        let mut bare = Vec::new();
        for _ in 0..options.rounds {
            let round = contract::round(options, callers);
            let batch = round.mean_batch.round().max(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 256")]
            bare.push(bare::round(options, batch as usize));
            km.push(round);
        }
        let km = Figures::of_rounds(&km);
        let bare = Figures::of_rounds(&bare);
        let name = if callers == 1 { "bare autocommit" } else { "bare group commit" };
        report.row(&format!("in process, {callers} callers"), &km, name, &bare);
    }
}
