//! The real binary, on data directories and ports of its own.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part of the harness")]

pub mod alerting;
pub mod http;
pub mod scraping;
mod server;
pub mod zoo;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub use http::post;
pub use server::{Server, free_port};

/// The pause between two looks at something that has to come about.
const LOOK: Duration = Duration::from_millis(25);
/// Looks before it is taken as never coming about: half a minute.
const LOOKS: usize = 1_200;

/// A directory on the disk that holds the build, and what runs in it.
pub struct Place {
    pub directory: TempDir,
}

/// How a verb ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `km` in this directory with nothing but these variables.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_km"));
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command.env("KM__DATA__ALLOW_VOLATILE", "true").stdin(Stdio::null());
        command
    }

    pub fn km(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// As [`Place::km`], and it must end with 0.
    pub fn done(&self, arguments: &[&str]) -> String {
        let ended = self.km(arguments);
        assert_eq!(ended.code, 0, "km {arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.done(&[&["--json"], arguments].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Remembers one incident in `arguments`' place and returns the answer's line.
    pub fn write(&self, whereabouts: &[&str], incident: &str, title: &str) -> String {
        let write =
            ["--json", "write", "--path", "incident_resolve", "--incident", incident, "--title", title];
        self.done(&[whereabouts, &write].concat())
    }

    /// Makes a key with these scopes.
    pub fn key(&self, scopes: &[&str]) -> String {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let arguments: Vec<&str> = ["keys", "create", "of a test"].into_iter().chain(scopes).collect();
        self.done(&arguments).trim().to_owned()
    }

    /// Starts a server on a free port.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        Server::start(command.args(arguments))
    }

    /// Starts a server with these settings, such as `KM__LOG__LEVEL`. What it logs is in `serve.log`.
    pub fn serve_with(&self, port: u16, settings: &[(&str, &str)]) -> Server {
        let listen = format!("127.0.0.1:{port}");
        let mut command = self.command(&["serve", "--listen", &listen]);
        command.envs(settings.iter().copied());
        let log = OpenOptions::new().create(true).append(true).open(self.path("serve.log")).unwrap();
        Server::logged(&mut command, log)
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Looks until there is something to see; after half a minute the test has failed.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let seen = (0..LOOKS).find_map(|_| {
        let seen = look();
        if seen.is_none() {
            thread::sleep(LOOK);
        }
        seen
    });
    seen.unwrap_or_else(|| panic!("it did not come about: {what}"))
}

/// The items of a JSON array.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// Whether a store's file holds these bytes, and what it is with one of them changed.
pub fn tampered(file: &Path, marker: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    let found: Vec<usize> =
        (0..bytes.len() - marker.len()).filter(|at| bytes[*at..].starts_with(marker.as_bytes())).collect();
    assert!(!found.is_empty(), "the marker is in the file");
    found.iter().for_each(|at| bytes[*at] ^= 1);
    bytes
}
