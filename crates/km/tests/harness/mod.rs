//! The real binary, on data directories and ports of its own.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of the harness")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

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

    /// Starts a server on a free port.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        Server::start(command.args(arguments))
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

/// A server that is killed when the test ends.
pub struct Server {
    pub url: String,
    child: Child,
    _out: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the command and reads the address from its first line.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "the server ended: {:?}", child.wait());
        }
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Self { url: url.trim_end_matches(',').to_owned(), child, _out: out }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it in order.
    pub fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Posts a JSON body on a connection of its own; `None` when no whole answer came.
pub fn post(address: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

impl Server {
    /// Where it listens, without the scheme.
    pub fn host(&self) -> String {
        self.address().to_owned()
    }
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
