//! `km`: the server, and every verb that works with one or with a data directory.

mod answer;
mod checks;
mod cli;
mod client;
mod config;
mod console;
mod context;
mod failure;
mod findings;
mod log;
mod runtime;
mod serve;
mod slo;
mod sources;
mod verbs;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::config::Environment;
use crate::console::Console;
use crate::failure::{Ending, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads that serve; the store brings its own.
const WORKERS: usize = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let console = Console::new(&cli.global);
    match begin(cli) {
        Ok(ending) => ending.into(),
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // When standard error is gone too, the exit code still says it.
            drop(console.fail(&failure));
            failure.exit()
        }
    }
}

/// Prints help, or what is wrong with the command line. `km drift` keeps 2 for what it could not decide.
fn misused(error: &clap::Error) -> ExitCode {
    // When standard error is gone too, the exit code still says it.
    drop(error.print());
    let is_drift =
        std::env::args().skip(1).find(|argument| !argument.starts_with('-')).as_deref() == Some("drift");
    match u8::try_from(error.exit_code()) {
        Ok(0) => ExitCode::SUCCESS,
        _ if is_drift => Ending::Misused.into(),
        Ok(code) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}

fn begin(cli: Cli) -> Result<Ending, Failure> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err(Failure::Refused("TLS was set up twice".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(verbs::run(cli, environment()))
}

/// The variables of the process whose names and values are text.
#[allow(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn environment() -> Environment {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Environment(std::env::vars_os().filter_map(text).collect::<BTreeMap<_, _>>())
}
