//! PostgreSQL and Redis of our own: on free ports, in a directory that goes with them, with their defaults.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

/// Where Debian keeps PostgreSQL, by major version.
const POSTGRES: &str = "/usr/lib/postgresql";
/// The longest that a server may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// Both servers, and how to reach them. They end when this is dropped.
pub(super) struct Servers {
    pub(super) dsn: String,
    pub(super) redis: String,
    _processes: [Process; 2],
    _directory: TempDir,
}

/// What has to be installed first.
pub(super) fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if postgres_folder().is_none() {
        missing.push(format!("no PostgreSQL below {POSTGRES}: apt-get install postgresql"));
    }
    if Command::new("redis-server").arg("--version").output().is_err() {
        missing.push("no redis-server: apt-get install redis-server".to_owned());
    }
    missing
}

/// The programs of the newest version.
fn postgres_folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir(POSTGRES).ok()?.flatten().map(|entry| entry.path().join("bin"));
    versions.filter(|folder| folder.join("initdb").is_file()).max()
}

impl Servers {
    /// Starts both.
    ///
    /// # Errors
    /// What failed, and what the failed program said.
    pub(super) fn start(data: &Path) -> Result<Self, String> {
        let data = std::path::absolute(data).map_err(|error| error.to_string())?;
        let directory = TempDir::new_in(data).map_err(|error| error.to_string())?;
        let (postgres, dsn) = postgres(directory.path())?;
        let (redis, redis_url) = redis(directory.path())?;
        Ok(Self { dsn, redis: redis_url, _processes: [postgres, redis], _directory: directory })
    }
}

/// PostgreSQL refuses to run as root, so root starts it as its own user.
#[derive(Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl Account {
    fn for_postgres() -> Result<Option<Self>, String> {
        if !getuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
        let account = users.lines().find_map(|line| line.strip_prefix("postgres:")).and_then(Self::of);
        account.map(Some).ok_or_else(|| "there is no user postgres: apt-get install postgresql".to_owned())
    }

    /// The fields of passwd(5) after the name.
    fn of(fields: &str) -> Option<Self> {
        let mut fields = fields.split(':').skip(1);
        Some(Self { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    }

    fn run(account: Option<Self>, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory).stdin(Stdio::null());
        if let Some(Self { user, group }) = account {
            command.uid(user).gid(group);
        }
        command
    }
}

fn postgres(directory: &Path) -> Result<(Process, String), String> {
    let programs = postgres_folder().ok_or("PostgreSQL is gone")?;
    let account = Account::for_postgres()?;
    if let Some(Account { user, group }) = account {
        chown(directory, Some(user), Some(group)).map_err(|error| error.to_string())?;
    }
    let cluster = directory.join("postgres");
    let mut initdb = Account::run(account, &programs.join("initdb"), directory);
    finish(
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--pgdata"]).arg(&cluster),
    )?;
    let port = free_port()?;
    let mut serve = Account::run(account, &programs.join("postgres"), directory);
    serve.arg("-D").arg(&cluster).args([
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
    ]);
    let process = Process::start(serve.args(["-p", &port]), Signal::INT)?;
    let is_ready = || {
        let mut ask = Command::new(programs.join("pg_isready"));
        ask.args(["--quiet", "--host=127.0.0.1", "--port", &port])
            .status()
            .is_ok_and(|status| status.success())
    };
    wait("PostgreSQL", is_ready)?;
    Ok((process, format!("postgresql://postgres@127.0.0.1:{port}/postgres")))
}

fn redis(directory: &Path) -> Result<(Process, String), String> {
    let port = free_port()?;
    let mut serve = Command::new("redis-server");
    serve.args(["--bind", "127.0.0.1", "--port", &port, "--dir"]).arg(directory);
    let process = Process::start(&mut serve, Signal::TERM)?;
    wait("Redis", || answers_ping(&port).unwrap_or_default())?;
    Ok((process, format!("redis://127.0.0.1:{port}/0")))
}

fn answers_ping(port: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer == *b"+PONG")
}

fn free_port() -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port().to_string()).map_err(|error| error.to_string())
}

fn finish(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)))
}

fn wait(name: &str, mut is_ready: impl FnMut() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !is_ready() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{name} is not ready after {PATIENCE:?}"));
        }
        sleep(LOOK);
    }
    Ok(())
}

/// A process that is asked to end when it is dropped, and killed when it does not.
struct Process {
    child: Child,
    end: Signal,
}

impl Process {
    fn start(command: &mut Command, end: Signal) -> Result<Self, String> {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        started.map(|child| Self { child, end }).map_err(|error| format!("{command:?}: {error}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let asked = kill_process(Pid::from_child(&self.child), self.end).is_ok();
        if !asked || wait("its end", || matches!(self.child.try_wait(), Ok(Some(_)))).is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
