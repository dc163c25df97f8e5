//! `km doctor`: one line for each thing that could go wrong, and what to do about it.

use std::net::TcpListener;
use std::path::Path;

use km_contract::port::Measures;
use km_model::Durability;
use km_store::{Survey, survey};
use serde::Serialize;

use crate::cli::Global;
use crate::client::{Call, Client, server_of};
use crate::config::{ByteSize, Config, Environment};
use crate::console::{Console, DIM, GREEN, RED, RESET, YELLOW};
use crate::context::Context;
use crate::failure::{Ending, Failure};

/// Less free space than this is worth a warning.
const FREE_BYTES_WARN: u64 = 1 << 30;
/// Less free space than this stops writes soon.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// More unindexed writes than this are worth a warning.
const INDEX_LAG_WARN: i64 = 10_000;

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
struct Line {
    check: &'static str,
    grade: Grade,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

impl Line {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, grade: Grade::Ok, found: found.into(), advice: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { check, grade: Grade::Warn, found: found.into(), advice: Some(advice) }
    }

    fn fail(check: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { check, grade: Grade::Fail, found: found.into(), advice: Some(advice) }
    }
}

pub(super) async fn run(global: Global, environment: Environment) -> Result<Ending, Failure> {
    let console = Console::new(&global);
    let lines = match Context::new(global, environment) {
        Ok(context) => examine(&context).await,
        Err(error) => {
            let advice = "`km config check FILE` checks a file; config/default.toml lists every key";
            vec![Line::fail("configuration", error.to_string(), advice)]
        }
    };
    say(console, &lines)?;
    let failed = lines.iter().any(|line| line.grade == Grade::Fail);
    Ok(if failed { Ending::Findings } else { Ending::Done })
}

async fn examine(context: &Context) -> Vec<Line> {
    let config = context.config();
    let data = &config.data.dir;
    let survey = survey(data);
    let mut lines = vec![
        Line::ok("version", format!("km {}, SQLite {}", env!("CARGO_PKG_VERSION"), survey.sqlite_version)),
        Line::ok("configuration", "every key is known and fits"),
        objectives(config),
        durability(config, &survey),
        space(&survey),
    ];
    lines.extend(store(data, &survey).await);
    lines.push(lock(config, &survey));
    lines.extend(server(context).await);
    lines
}

/// Whether a server would take the objectives.
fn objectives(config: &Config) -> Line {
    const CHECK: &str = "objectives";
    let section = &config.slo;
    if section.objectives.is_empty() {
        return Line::ok(CHECK, "none are configured");
    }
    let advice = "a server would not start: `km slo lint` names every problem of the files";
    match crate::slo::objectives(section, &section.objectives) {
        Ok(Ok(read)) => Line::ok(CHECK, format!("{} can be read", read.len())),
        Ok(Err(errors)) => {
            let first = errors.0.first().map(ToString::to_string).unwrap_or_default();
            Line::fail(CHECK, first, advice)
        }
        Err(failure) => Line::fail(CHECK, failure.to_string(), advice),
    }
}

fn durability(config: &Config, survey: &Survey) -> Line {
    const CHECK: &str = "durability";
    let Some(kind) = survey.file_system else {
        return Line::warn(
            CHECK,
            "the file system cannot be told",
            "choose a data directory on a local disk",
        );
    };
    let found = format!("{} lies on {kind}", config.data.dir.display());
    match (kind.durability(), config.data.allow_volatile) {
        (Durability::Disk, _) => Line::ok(CHECK, found),
        (Durability::Volatile, true) => {
            Line::warn(CHECK, found, "acknowledged writes may be forgotten, and every receipt says so")
        }
        (Durability::Volatile, false) => {
            Line::fail(CHECK, found, "choose --data on a disk, or accept it with --allow-volatile")
        }
    }
}

fn space(survey: &Survey) -> Line {
    const CHECK: &str = "disk space";
    let Some(free) = survey.free_bytes else {
        return Line::warn(CHECK, "the free space cannot be told", "look at it with df");
    };
    let found = format!("{} free", ByteSize(free));
    match free {
        free if free < FREE_BYTES_MIN => Line::fail(CHECK, found, "make room: writes will be refused"),
        free if free < FREE_BYTES_WARN => Line::warn(CHECK, found, "make room soon"),
        _ => Line::ok(CHECK, found),
    }
}

async fn store(data: &Path, survey: &Survey) -> Vec<Line> {
    if !survey.store {
        return vec![Line::ok("store", "none yet; the first write makes it")];
    }
    let sizes =
        format!("ledger {}, search index {}", ByteSize(survey.ledger_bytes), ByteSize(survey.index_bytes));
    let opened = km_store::inspect(data, crate::runtime::clock()).await;
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            return vec![Line::fail("store", error.to_string(), "restore a backup: `km restore FILE`")];
        }
    };
    let line = match store.upkeep.measures().await {
        Ok(measures) => {
            vec![Line::ok("store", format!("{} writes, {sizes}", measures.writes)), index(&measures)]
        }
        Err(error) => vec![Line::fail("store", error.to_string(), "`km verify` says more")],
    };
    store.upkeep.close().await;
    line
}

fn index(measures: &Measures) -> Line {
    let lag = (measures.newest_position - measures.indexed_through).max(0);
    let found = format!("{lag} writes are not indexed yet");
    if lag > INDEX_LAG_WARN {
        return Line::warn(
            "search index",
            found,
            "it catches up while km runs; `km reindex` builds it again",
        );
    }
    Line::ok("search index", found)
}

/// Whether a server could start here, or runs already.
fn lock(config: &Config, survey: &Survey) -> Line {
    const CHECK: &str = "server";
    if let Some(holder) = &survey.held_by {
        return Line::ok(CHECK, format!("{holder} serves this directory"));
    }
    let listen = config.http.listen;
    match TcpListener::bind(listen) {
        Ok(_) => Line::ok(CHECK, format!("none runs here; {listen} is free")),
        Err(error) => Line::warn(
            CHECK,
            format!("{listen} cannot be used: {error}"),
            "choose another address: `km serve --listen 127.0.0.1:0` takes a free port",
        ),
    }
}

/// Whether the server that was named answers.
async fn server(context: &Context) -> Option<Line> {
    const CHECK: &str = "reachable";
    let advice = "check --url and --key, and the server's log";
    let base = match server_of(context) {
        Ok(base) => base?,
        Err(failure) => return Some(Line::fail(CHECK, failure.to_string(), advice)),
    };
    let asked = match Client::remote(base.clone(), None) {
        Ok(client) => client.ask(Call::get("/readyz")).await,
        Err(failure) => Err(failure),
    };
    Some(match asked {
        Ok(_) => Line::ok(CHECK, format!("{base} is ready")),
        Err(failure) => Line::fail(CHECK, failure.to_string(), advice),
    })
}

fn say(console: Console, lines: &[Line]) -> Result<(), Failure> {
    if console.json {
        return Ok(console.value(&lines)?);
    }
    for line in lines {
        let grade = match line.grade {
            Grade::Ok => format!("{GREEN}ok  {RESET}"),
            Grade::Warn => format!("{YELLOW}warn{RESET}"),
            Grade::Fail => format!("{RED}fail{RESET}"),
        };
        console.line(format_args!("{grade}  {:<14} {}", line.check, line.found))?;
        if let Some(advice) = line.advice {
            console.line(format_args!("      {:<14} {DIM}→ {advice}{RESET}", ""))?;
        }
    }
    Ok(())
}
