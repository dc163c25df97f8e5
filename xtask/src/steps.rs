//! What the verbs do.

use std::time::Instant;

use crate::{has, packages, root, run, tidy};

/// Everything a change must pass, in the order in which it is cheapest to fail.
pub(crate) fn everything(fast: bool) -> Result<(), String> {
    step("servers for the tests", packages::install_missing)?;
    step("format", || run("cargo", &["fmt", "--all", "--check"]))?;
    step("tidy", tidy)?;
    step("lints", || run("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("supply chain", supply_chain)?;
    step("documentation", documentation)?;
    if !fast {
        step("proof", || proof(&["--size".to_owned(), "change".to_owned()]))?;
    }
    step("tests", tests)
}

fn step(name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("── {name}");
    let begun = Instant::now();
    work()?;
    println!("── {name}: {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

fn supply_chain() -> Result<(), String> {
    if has("cargo", &["deny", "--version"]) {
        return run("cargo", &["deny", "check"]);
    }
    println!(
        "cargo-deny is not installed: run `cargo install cargo-deny` and `cargo xtask deny` before a release"
    );
    Ok(())
}

fn documentation() -> Result<(), String> {
    run("cargo", &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
}

/// The runner's summary is the last thing that is printed.
fn tests() -> Result<(), String> {
    if has("cargo", &["nextest", "--version"]) {
        return run("cargo", &["nextest", "run", "--workspace"]);
    }
    println!("cargo-nextest is not installed: using `cargo test`");
    run("cargo", &["test", "--workspace"])
}

/// The walls, by the checks in `tidy`.
pub(crate) fn tidy() -> Result<(), String> {
    let findings = tidy::check(&root());
    findings.iter().for_each(|finding| println!("{finding}"));
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} findings")),
    }
}

/// The torture tests. The size for a change runs on the development build, which the tests need anyway.
pub(crate) fn proof(arguments: &[String]) -> Result<(), String> {
    let per_change = arguments.windows(2).any(|pair| pair == ["--size", "change"]);
    with_km(if per_change { "dev" } else { "release" }, "km-proof", arguments)
}

/// Figures are taken on the release build.
pub(crate) fn bench(arguments: &[String]) -> Result<(), String> {
    with_km("release", "km-bench", arguments)
}

/// Builds `km`, and runs a companion that is told where it is.
fn with_km(profile: &str, package: &str, arguments: &[String]) -> Result<(), String> {
    run("cargo", &["build", "--quiet", "--profile", profile, "--package", "km", "--package", package])?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let target =
        std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), |dir| root().join(dir));
    let binary = |name: &str| target.join(folder).join(name).display().to_string();
    let km = binary("km");
    let mut call = vec!["--km", km.as_str()];
    call.extend(arguments.iter().map(String::as_str));
    run(&binary(package), &call)
}

/// The quality of search on a labelled set.
pub(crate) fn eval(arguments: &[String]) -> Result<(), String> {
    let mut call = vec!["run", "--quiet", "--release", "--package", "km-store", "--example", "eval", "--"];
    call.extend(arguments.iter().map(String::as_str));
    run("cargo", &call)
}
