//! A running server, and calls of it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::http::{Answer, Call};

/// The first of the ports that servers get which come back on the same one. They lie below those that the
/// kernel gives away by itself, so that nobody else sits there in the meantime.
const PORTS_FROM: u16 = 12_000;
const PORTS: u32 = 18_000;

/// A server that is killed when the test ends.
pub struct Server {
    pub url: String,
    /// Shown with every call that shows none of its own.
    pub key: Option<String>,
    child: Child,
    _out: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the command and reads the address from its first line.
    pub fn start(command: &mut Command) -> Self {
        Self::begin(command.stderr(Stdio::null()))
    }

    /// As [`Server::start`], with its log at the end of a file.
    pub fn logged(command: &mut Command, log: File) -> Self {
        Self::begin(command.stderr(log))
    }

    fn begin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "the server ended: {:?}", child.wait());
        }
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Self { url: url.trim_end_matches(',').to_owned(), key: None, child, _out: out }
    }

    /// Calls show this key from now on.
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Where it listens, without the scheme.
    pub fn host(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    pub fn call(&self, call: &Call) -> Answer {
        let call = match &self.key {
            Some(key) if !call.has("Authorization") => call.clone().key(key),
            _ => call.clone(),
        };
        call.send(&self.host()).unwrap_or_else(|| panic!("no answer to {} {}", call.method, call.target))
    }

    /// What stands at a path.
    pub fn get(&self, path: &str) -> Value {
        self.call(&Call::get(path)).expect(200)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(&Call::post(path, body.to_string()))
    }

    /// Remembers a write, and returns the answer's JSON.
    pub fn write(&self, write: &Value) -> Value {
        let answer = self.post("/v1/writes", write);
        assert!(matches!(answer.status, 200 | 201), "{write}: {answer:?}");
        answer.json()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it with a signal, and returns how it ended.
    pub fn end(self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.wait()
    }

    /// Ends it in order.
    pub fn stop(self) -> ExitStatus {
        self.end(Signal::TERM)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that is free, stays so while nobody listens there, and is given once.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(7_919);
    let next = |_| own.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed) * 31) % PORTS;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = (0..PORTS).map(next).map(|nth| PORTS_FROM + u16::try_from(nth).unwrap());
    ports.find(free).expect("a free port")
}
