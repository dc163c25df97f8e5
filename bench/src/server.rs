//! The real server, as a process of its own, and what it says about itself.

use std::fs::File;
use std::io::{BufRead, BufReader, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use km_store::FileSystem;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Connection, Request};
use crate::processors;

/// The longest that a server may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a server that is not ready, or has not ended.
const LOOK: Duration = Duration::from_millis(1);

/// `km serve` on a data directory and a free port. Dropping it kills the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    _out: BufReader<ChildStdout>,
}

/// Memory of a process that is in use, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resident {
    pub(crate) now: f64,
    pub(crate) peak: f64,
}

/// What the server has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) writes: f64,
    pub(crate) batches: f64,
}

/// A call of `km` on a data directory, with nothing else from the environment. Log lines go to a file beside it.
pub(crate) fn command(km: &Path, verb: &str, data: &Path) -> Command {
    let log = File::options().create(true).append(true).open(log_of(data)).expect("a file for the log");
    let mut command = Command::new(km);
    command.args([verb, "--data"]).arg(data).env_clear().stdin(Stdio::null()).stderr(log);
    if is_volatile(data) {
        command.env("KM__DATA__ALLOW_VOLATILE", "true");
    }
    command
}

fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// Whether the directory that holds `data` lies on a file system that forgets.
pub(crate) fn is_volatile(data: &Path) -> bool {
    let volatile = |path: &Path| FileSystem::of(path).ok().map(FileSystem::durability);
    data.ancestors().find_map(volatile) == Some(km_model::Durability::Volatile)
}

impl Server {
    /// Starts it and returns as soon as it listens.
    pub(crate) fn start(km: &Path, data: &Path) -> Self {
        let mut command = command(km, "serve", data);
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", km.display()));
        let mut out = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("its output is text");
        let address = line.split(['/', ',', ' ']).find_map(|word| word.parse().ok());
        let Some(address) = address else {
            drop(child.kill());
            let log = std::fs::read_to_string(log_of(data)).unwrap_or_default();
            panic!("km serve does not listen; it said {line:?}\n{log}");
        };
        Self { address, child, _out: out }
    }

    /// Waits for the first 200 from `/readyz`.
    pub(crate) async fn until_ready(&self) {
        let begun = Instant::now();
        while !self.is_ready().await.unwrap_or_default() {
            assert!(begun.elapsed() < PATIENCE, "km is not ready after {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn is_ready(&self) -> Result<bool> {
        let mut connection = Connection::open(self.address).await?;
        Ok(connection.send(&Request::get("/readyz")).await?.status == 200)
    }

    /// Processor time of all its threads.
    pub(crate) fn processor(&self) -> Duration {
        processors::used_by(self.child.id())
    }

    pub(crate) fn resident(&self) -> Resident {
        let path = format!("/proc/{}/status", self.child.id());
        std::fs::read_to_string(path).map(|status| resident(&status)).unwrap_or_default()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it can be told to end");
        let begun = Instant::now();
        while self.child.try_wait().expect("it can be waited for").is_none() {
            assert!(begun.elapsed() < PATIENCE, "km has not ended after {PATIENCE:?}");
            sleep(LOOK);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that ended already needs neither.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The lines `VmRSS` and `VmHWM` of proc_pid_status(5), which count in KiB.
fn resident(status: &str) -> Resident {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1_024.0)
    };
    Resident { now: mib("VmRSS:").unwrap_or_default(), peak: mib("VmHWM:").unwrap_or_default() }
}

/// Batches so far, from `/metrics`; zeros when it does not say.
pub(crate) async fn counted(connection: &mut Connection) -> Counted {
    let metrics = connection.text("/metrics").await.unwrap_or_default();
    Counted {
        writes: sample(&metrics, "km_batch_writes_sum"),
        batches: sample(&metrics, "km_batch_writes_count"),
    }
}

/// The value of a sample without labels; 0 when it is not there.
pub(crate) fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.split(' ').next()?.parse().ok()).unwrap_or_default()
}

impl Counted {
    /// Writes in a batch, at the mean, since an earlier count; `None` when there was no batch.
    pub(crate) fn mean_since(self, earlier: Self) -> Option<f64> {
        let batches = self.batches - earlier.batches;
        (batches > 0.0).then(|| (self.writes - earlier.writes) / batches)
    }
}

/// Writes that the search index does not cover yet; `None` when the server does not say.
pub(crate) async fn index_lag(connection: &mut Connection) -> Option<u64> {
    let status = connection.json("/v1/status").await.ok()?;
    let position = |name: &str| status["store"][name].as_u64();
    Some(position("newest_position")?.saturating_sub(position("indexed_through")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        let read = resident("Name:\tkm\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n");
        assert_eq!((read.now, read.peak), (1.0, 2.0));
        assert_eq!(resident("").peak, 0.0);
    }

    #[test]
    fn the_mean_batch_is_read() {
        let metrics = "# HELP x\nkm_batch_writes_sum 40.0\nkm_batch_writes_count 10\n";
        let now = Counted {
            writes: sample(metrics, "km_batch_writes_sum"),
            batches: sample(metrics, "km_batch_writes_count"),
        };
        assert_eq!(now.mean_since(Counted { writes: 20.0, batches: 5.0 }), Some(4.0));
        assert_eq!(now.mean_since(now), None);
        assert_eq!(sample(metrics, "km_other"), 0.0);
    }
}
