//! Compiles the samples in: every file under `samples/`, by its path there.

#![allow(
    clippy::disallowed_methods,
    reason = "cargo tells a build script everything through the environment"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    let samples = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../samples");
    let mut files = Vec::new();
    if samples.is_dir() {
        collect(&samples, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&samples)?.to_string_lossy();
        writeln!(table, "    ({name:?}, include_str!({:?})),", file.canonicalize()?)?;
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("samples.rs"), table)?;
    let watched = if samples.is_dir() { samples } else { PathBuf::from("build.rs") };
    writeln_to_cargo(&format!("cargo::rerun-if-changed={}", watched.display()))?;
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|kind| kind == "md" || kind == "json" || kind == "jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

fn writeln_to_cargo(line: &str) -> io::Result<()> {
    use io::Write as _;
    writeln!(io::stdout(), "{line}")
}
