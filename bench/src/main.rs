//! The same work through km and through the alternatives, in one run, as ratios.
//!
//! Absolute figures drift with the machine. A round of km is followed at once by one of what it is compared
//! with, and what counts is the median of the ratios of such pairs.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, takes time, and stops at the first surprise"
)]

mod answer;
mod bare;
mod client;
mod contract;
mod figures;
mod fts;
mod http;
mod large;
mod older;
mod options;
mod processors;
mod server;
mod work;

use std::path::Path;
use std::thread::available_parallelism;

use figures::Report;
use options::{Options, USAGE};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    match Options::read(std::env::args().skip(1)) {
        Ok(options) if options.help => println!("{USAGE}"),
        Ok(options) => run(&options),
        Err(mistake) => {
            println!("km-bench: {mistake}\n\n{USAGE}");
            std::process::exit(2);
        }
    }
}

fn run(options: &Options) {
    introduce(options);
    let mut report = Report::default();
    if options.wants("write") {
        contract::section(options, &mut report);
    }
    match &options.km {
        Some(km) => with_a_server(options, km, &mut report),
        None if options.only.as_deref() == Some("write") => {}
        None => report.absent("http, large, python", "--km PATH names the binary"),
    }
    report.finish(options.json);
}

fn with_a_server(options: &Options, km: &Path, report: &mut Report) {
    if options.wants("http") {
        http::section(options, km, report);
    }
    if options.wants("large") {
        large::section(options, km, report);
    }
    if options.wants("python") {
        older::section(options, km, report);
    }
}

/// Says on what is measured: figures mean nothing without it.
fn introduce(options: &Options) {
    let Options { rounds, seconds, data, .. } = options;
    let cores = available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    println!("{rounds} rounds of {seconds} s, {cores} cores with load {load}, data in {}", data.display());
    if server::is_volatile(data) {
        println!(
            "{} lies on no disk: what is called durable here is not, and its time says nothing",
            data.display()
        );
    }
}
