//! The project's own tooling. `cargo xtask` without a verb says what there is.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool for a terminal: it prints, takes time and reads the environment"
)]

mod packages;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask <verb>
    test [--fast]   everything a change must pass: format, lints, tidy, tests, documentation, proof
                    (installs what it needs; --fast leaves the proof out)
    ci              the same
    tidy            the walls between the rooms, and what compilers do not check
    deny            licences and advisories of the dependencies (needs cargo-deny)
    proof [ARG …]   the torture tests; see `cargo xtask proof --help`
    bench [ARG …]   figures against the alternatives; see `cargo xtask bench --help`
    eval [ARG …]    the quality of search on a labelled set: `eval quality DIR`; see `docs/guide/search.md`";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match verb.as_str() {
        "test" | "ci" => steps::everything(rest.iter().any(|argument| argument == "--fast")),
        "tidy" => steps::tidy(),
        "deny" => run("cargo", &["deny", "check"]),
        "proof" => steps::proof(&rest),
        "bench" => steps::bench(&rest),
        "eval" => steps::eval(&rest),
        "" | "help" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask {verb}: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Runs a program in the workspace's folder; its exit status decides.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {}` ended with {status}", arguments.join(" "))),
        Err(error) => Err(format!("`{program}` could not be started: {error}")),
    }
}

/// Whether a program is there.
fn has(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program).args(arguments).output();
    quiet.is_ok_and(|output| output.status.success())
}
