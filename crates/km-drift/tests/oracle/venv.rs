//! A virtual environment with pydantic-settings, made once below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library that is held against; a new version is a change that is looked at.
const REQUIREMENTS: [&str; 1] = ["pydantic-settings>=2.7,<3"];

/// The Python of the environment.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pydantic-settings");
        if !home.join("bin/python").exists() {
            make(&home);
        }
        home.join("bin/python")
    })
}

/// Made aside and then renamed: tests that run at the same time find all of it or nothing.
fn make(home: &Path) {
    let aside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    let aside = aside.keep();
    run(
        Command::new(system_python()).args(["-m", "venv"]).arg(&aside),
        "python3-venv: apt-get install python3-venv",
    );
    let mut install = Command::new(aside.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(REQUIREMENTS);
    run(&mut install, "pydantic-settings from the package index");
    // The loser of a race finds the folder of the winner, which is as good.
    if std::fs::rename(&aside, home).is_err() {
        std::fs::remove_dir_all(&aside).expect("what was made aside can be removed");
    }
    assert!(home.join("bin/python").exists(), "the virtual environment is missing");
}

/// Debian's, whose version does not depend on who runs the tests; or else the first on the path.
fn system_python() -> &'static str {
    let debian = "/usr/bin/python3";
    if Path::new(debian).exists() { debian } else { "python3" }
}

fn run(command: &mut Command, needed: &str) {
    let output = command.output();
    let done = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(done, "could not get {needed}\n{output:?}");
}
