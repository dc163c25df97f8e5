//! The older Python writer on PostgreSQL and Redis, beside km over HTTP. What it lacks is named, never guessed.

mod servers;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::figures::{Figures, Pairs, Report};
use crate::http;
use crate::options::Options;
use servers::Servers;

const NAME: &str = "older Python writer";
/// What it imports.
const MODULES: &str = "sqlalchemy, asyncpg, redis, structlog, pydantic, pydantic_settings, greenlet";
const INSTALL_MODULES: &str =
    "pip install sqlalchemy asyncpg redis structlog pydantic pydantic-settings greenlet";
/// Writes of a round, for each second of its length; it makes some hundreds a second.
const WRITES_PER_SECOND: f64 = 750.0;

/// Durable writes of both, by the same number of callers, in alternating rounds.
pub(crate) fn section(options: &Options, km: &Path, report: &mut Report) {
    report.heading("python: durable acknowledged writes, km over HTTP against the older Python writer");
    match ready(options) {
        Ok((folder, servers)) => compare(options, km, report, &Older { options, folder, servers }),
        Err(missing) => report.absent(NAME, &missing),
    }
}

/// Everything that it needs; an error says what to install.
fn ready(options: &Options) -> Result<(PathBuf, Servers), String> {
    let folder = options.python.as_ref().ok_or("--python DIR names its folder")?;
    let mut missing = Vec::new();
    if !folder.join("baseline.py").is_file() {
        missing.push(format!("{} holds no baseline.py", folder.display()));
    }
    missing.extend(without_modules(&options.python_bin));
    missing.extend(servers::missing());
    if missing.is_empty() {
        Ok((folder.clone(), Servers::start(&options.data)?))
    } else {
        Err(missing.join("; "))
    }
}

fn without_modules(python: &Path) -> Option<String> {
    let imported = Command::new(python).args(["-c", &format!("import {MODULES}")]).output();
    let shown = python.display();
    match imported {
        Ok(output) if output.status.success() => None,
        Ok(_) => Some(format!("{shown} lacks modules: {shown} -m {INSTALL_MODULES}")),
        Err(error) => Some(format!("{shown} cannot be run ({error}): --python-bin names a Python")),
    }
}

fn compare(options: &Options, km: &Path, report: &mut Report, older: &Older<'_>) {
    for callers in options.callers.iter().copied() {
        // The servers that the older writer needs work beside, as they should, so nothing is called a disturbance.
        let mut pairs = Pairs::default();
        for _ in 0..options.rounds {
            let served = http::round(options, km, callers);
            match older.round(callers) {
                Ok(round) => pairs.push(&served, round),
                Err(why) => return report.absent(NAME, &why),
            }
        }
        report.row(&format!("http, {callers} callers"), NAME, &pairs);
    }
}

struct Older<'a> {
    options: &'a Options,
    folder: PathBuf,
    servers: Servers,
}

impl Older<'_> {
    /// One run of `baseline.py`, which makes its tables anew.
    fn round(&self, callers: usize) -> Result<Figures, String> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let writes = (self.options.seconds * WRITES_PER_SECOND) as usize;
        let mut command = Command::new(&self.options.python_bin);
        command.arg(self.folder.join("baseline.py")).args(["--kind", "resolve", "--json"]);
        command.args(["--dsn", &self.servers.dsn, "--redis", &self.servers.redis]);
        command.args(["--concurrency", &callers.to_string(), "--writes", &writes.max(callers).to_string()]);
        let output = command.output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        figures(&text).ok_or_else(|| format!("it failed: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// The figures of its report, which count only if every write succeeded.
fn figures(report: &str) -> Option<Figures> {
    let report: Value = serde_json::from_str(report.trim()).ok()?;
    let all_succeeded = report["results"]["success"].as_u64()? == report["writes"].as_u64()?;
    let time = |name: &str| Some(Duration::from_secs_f64(report[name].as_f64()? / 1_000.0));
    all_succeeded.then_some(Figures {
        per_second: report["writes_per_s"].as_f64()?,
        p50: time("p50_ms")?,
        p99: time("p99_ms")?,
        ..Figures::default()
    })
}
