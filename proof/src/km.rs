//! The binary that is proved: its server, and its verbs, each within a time limit.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::failure::Failure;

/// A server that does not serve by then never will.
const START_MAX: Duration = Duration::from_secs(30);
/// Longer than `shutdown.timeout`, within which km promises to end.
const STOP_MAX: Duration = Duration::from_secs(30);
/// No verb takes as long here.
const VERB_MAX: Duration = Duration::from_secs(300);

/// The `km` that was named on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Km {
    binary: PathBuf,
}

/// How a verb ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
}

/// What `km verify --json` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) writes: u64,
    pub(crate) receipts: u64,
    pub(crate) lost: u64,
    pub(crate) broken: u64,
    pub(crate) findings: Vec<String>,
}

impl Km {
    /// # Errors
    /// A path that leads nowhere.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let binary = path.canonicalize().map_err(Failure::file(path))?;
        Ok(Self { binary })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.binary
    }

    /// `km` with nothing in its environment but leave to run on any file system: what an acknowledgement is
    /// worth there stands in each receipt.
    fn command(&self, arguments: &[&str], log: &Path) -> Result<Command, Failure> {
        let log_file = File::options().create(true).append(true).open(log).map_err(Failure::file(log))?;
        let mut command = Command::new(&self.binary);
        command.args(arguments).env_clear().env("KM__DATA__ALLOW_VOLATILE", "true");
        command.env("KM__LOG__LEVEL", "warn").env("KM__LOG__FORMAT", "json");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
        Ok(command)
    }

    /// Starts a server on a data directory, on a free port, and does not wait until it serves.
    pub(crate) fn begin(&self, data: &Path, log: &Path) -> Result<Starting, Failure> {
        let data = text(data)?;
        let arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"];
        let mut command = self.command(&arguments, log)?;
        Ok(Starting(Process::spawn(&mut command)?))
    }

    /// Starts a server and waits until it serves.
    pub(crate) fn serve(&self, data: &Path, log: &Path) -> Result<Server, Failure> {
        self.begin(data, log)?.serving()
    }

    /// Starts a verb.
    pub(crate) fn verb(&self, arguments: &[&str], log: &Path) -> Result<Verb, Failure> {
        Ok(Verb(Process::spawn(&mut self.command(arguments, log)?)?))
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, arguments: &[&str], log: &Path) -> Result<Ended, Failure> {
        self.verb(arguments, log)?.ended()
    }

    /// Runs a verb, which has to end with 0.
    pub(crate) fn done(&self, arguments: &[&str], log: &Path) -> Result<String, Failure> {
        let ended = self.run(arguments, log)?;
        match ended.code {
            Some(0) => Ok(ended.out),
            code => {
                let what = format!("`km {}` ended with {code:?}: {}", arguments.join(" "), ended.out);
                Err(Failure::broken(what))
            }
        }
    }

    /// The shipped checker's verdict on a data directory and a file of receipts.
    pub(crate) fn verify(&self, data: &Path, receipts: &Path, log: &Path) -> Result<Verdict, Failure> {
        let arguments = ["verify", "--json", "--data", text(data)?, "--receipts", text(receipts)?];
        let ended = self.run(&arguments, log)?;
        let verdict: Verdict = serde_json::from_str(&ended.out)
            .map_err(|error| Failure::broken(format!("`km verify` said no verdict ({error}): {ended:?}")))?;
        match (ended.code, verdict.broken) {
            (Some(0), 0) | (Some(1), 1..) => Ok(verdict),
            _ => Err(Failure::broken(format!("the code of `km verify` contradicts its verdict: {ended:?}"))),
        }
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::hindered(format!("{} is no UTF-8", path.display())))
}

/// A child that is killed when nobody waits for it any more.
#[derive(Debug)]
struct Process {
    child: Child,
    /// Lines of its standard output; closed when it ends.
    lines: Receiver<String>,
}

impl Process {
    fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.spawn().map_err(Failure::because(format!("could not start {command:?}")))?;
        let out = child.stdout.take().ok_or_else(|| Failure::hindered("no standard output"))?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            // An output that cannot be read any more is at its end, and so is one that nobody reads.
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(Failure::because("could not send a signal"))
    }

    /// How it ended, if it has.
    fn end(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.child.try_wait().map_err(Failure::because("could not ask for a child"))
    }

    /// What it says until its end, and how it ends.
    fn ended(mut self, limit: Duration) -> Result<(ExitStatus, String), Failure> {
        let mut out = String::new();
        loop {
            match self.lines.recv_timeout(limit) {
                Ok(line) => out = out + &line + "\n",
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::broken(format!("a `km` did not end within {limit:?}: {out}")));
                }
            }
        }
        let status = self.child.wait().map_err(Failure::because("could not wait for a child"))?;
        Ok((status, out))
    }

    fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill().map_err(Failure::because("could not kill a child"))?;
        self.child.wait().map(drop).map_err(Failure::because("could not wait for a child"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A verb that runs.
#[derive(Debug)]
pub(crate) struct Verb(Process);

impl Verb {
    /// `kill -9`, whether or not it has ended by then.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.0.kill()
    }

    /// How it ends.
    pub(crate) fn ended(self) -> Result<Ended, Failure> {
        let (status, out) = self.0.ended(VERB_MAX)?;
        Ok(Ended { code: status.code(), out })
    }
}

/// A server that may not serve yet.
#[derive(Debug)]
pub(crate) struct Starting(Process);

impl Starting {
    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.0.kill()
    }

    /// Waits until it serves.
    ///
    /// # Errors
    /// It ended instead, or does neither.
    pub(crate) fn serving(self) -> Result<Server, Failure> {
        match self.served()? {
            Served::Serves(server) => Ok(server),
            Served::Ended(code) => Err(Failure::broken(format!("`km serve` ended at its start: {code:?}"))),
        }
    }

    /// Waits until it serves or has ended.
    pub(crate) fn served(self) -> Result<Served, Failure> {
        loop {
            let line = match self.0.lines.recv_timeout(START_MAX) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Failure::broken(format!("`km serve` does not serve after {START_MAX:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let (status, _) = self.0.ended(STOP_MAX)?;
                    return Ok(Served::Ended(status.code()));
                }
            };
            if let Some(address) = address_in(&line) {
                return Ok(Served::Serves(Server { address, process: self.0 }));
            }
        }
    }
}

/// What became of a start.
#[derive(Debug)]
pub(crate) enum Served {
    /// It serves.
    Serves(Server),
    /// It ended with this code; `None` when a signal ended it.
    Ended(Option<i32>),
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let word = line.split_whitespace().find_map(|word| word.strip_prefix("http://"))?;
    word.trim_end_matches(',').parse().ok()
}

/// A server that serves.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Process,
}

impl Server {
    /// Where it can be reached, as verbs take it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It ended by itself before, which it never may.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.must_run()?;
        self.process.kill()
    }

    /// Asks for an orderly end, and does not wait for it.
    pub(crate) fn terminate(&mut self) -> Result<(), Failure> {
        self.must_run()?;
        self.process.signal(Signal::TERM)
    }

    /// `kill -9`, though it may have ended in order by now; then with 0.
    pub(crate) fn kill_while_it_ends(mut self) -> Result<(), Failure> {
        match self.process.end()? {
            Some(status) => must_be_orderly(status),
            None => self.process.kill(),
        }
    }

    /// Ends it in order: exit code 0, in time.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        self.terminate()?;
        let (status, _) = self.process.ended(STOP_MAX)?;
        must_be_orderly(status)
    }

    /// # Errors
    /// It ended by itself.
    pub(crate) fn must_run(&mut self) -> Result<(), Failure> {
        match self.process.end()? {
            None => Ok(()),
            Some(status) => Err(Failure::broken(format!("`km serve` ended by itself: {status}"))),
        }
    }
}

fn must_be_orderly(status: ExitStatus) -> Result<(), Failure> {
    match status.success() {
        true => Ok(()),
        false => Err(Failure::broken(format!("an orderly end of `km serve` came with {status}"))),
    }
}

/// The last lines of a log of the server, for the report of a failure.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let mut text = String::new();
    let read = File::open(log).and_then(|mut file| file.read_to_string(&mut text));
    let all: Vec<&str> = text.lines().collect();
    match read {
        Ok(_) => all[all.len().saturating_sub(lines)..].join("\n"),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_line_for_people() {
        let line = "km listens on http://127.0.0.1:4711, data in /tmp/http://x";
        assert_eq!(address_in(line), Some(SocketAddr::from(([127, 0, 0, 1], 4711))));
        assert_eq!(address_in("km is starting"), None);
    }
}
