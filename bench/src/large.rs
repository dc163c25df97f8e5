//! A large store behind the real binary: start, search, memory, and building the index anew.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::client::{Connection, Request};
use crate::contract::{self, Rig};
use crate::figures::{Goal, Pairs, Report, Round, median, milliseconds};
use crate::fts;
use crate::options::Options;
use crate::server::{self, Server};
use crate::work;

/// From the start of the process to the first 200 from `/readyz`.
const START_MS_MAX: f64 = 100.0;
/// A search, for all but one in a hundred.
const SEARCH_P99_MS_MAX: f64 = 10.0;
/// Starts whose median counts, at least.
const STARTS_MIN: usize = 5;
/// Between two looks at an index that is being built.
const LOOK: Duration = Duration::from_millis(20);
const CALLERS: [usize; 2] = [1, 4];

/// What the measurements share.
struct Large<'a> {
    options: &'a Options,
    km: &'a Path,
    data: PathBuf,
    texts: PathBuf,
}

/// Fills a store and measures on it.
pub(crate) fn section(options: &Options, km: &Path, report: &mut Report) {
    report.heading(&format!("large: a store of {} entries", options.entries));
    let directory = TempDir::new_in(&options.data).expect("a directory for data");
    let (data, texts) = (directory.path().join("data"), directory.path().join("texts.db"));
    contract::runtime().block_on(fill(&data, options.entries));
    let fts = fts::build(&texts, options.entries);
    let large = Large { options, km, data, texts };
    large.sizes(report);
    large.starts(report);
    large.searches(report);
    report.figure("large: index built anew (km reindex)", large.reindexed_per_second(), "entries/s");
    report.figure(
        "large: FTS5 over the same texts, built at once",
        per_second(options.entries, fts),
        "entries/s",
    );
}

async fn fill(data: &Path, entries: usize) {
    let rig = Rig::open(data, true).await;
    contract::fill(&rig, entries).await;
    while rig.index_lag().await > 0 {
        sleep(LOOK).await;
    }
    rig.close().await;
}

fn per_second(count: usize, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of entries")]
    let count = count as f64;
    count / took.as_secs_f64()
}

/// For one connection after the other, or some at once; the server has the cores to itself but for that.
fn client_runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl Large<'_> {
    fn sizes(&self, report: &mut Report) {
        #[expect(clippy::cast_precision_loss, reason = "bytes of files")]
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let survey = km_store::survey(&self.data);
        report.figure("large: ledger on disk", mib(survey.ledger_bytes), "MiB");
        report.figure("large: search index on disk", mib(survey.index_bytes), "MiB");
    }

    fn starts(&self, report: &mut Report) {
        let starts = (0..self.options.rounds.max(STARTS_MIN)).map(|_| self.start());
        let name = "large: start to ready, median";
        report.goal(name, median(starts), "ms", Goal::AtMost(START_MS_MAX));
    }

    /// Milliseconds from the start of the process to its first good answer.
    fn start(&self) -> f64 {
        let begun = Instant::now();
        let server = Server::start(self.km, &self.data);
        client_runtime().block_on(server.until_ready());
        let took = begun.elapsed();
        server.stop();
        milliseconds(took)
    }

    fn searches(&self, report: &mut Report) {
        let server = Server::start(self.km, &self.data);
        client_runtime().block_on(server.until_ready());
        for callers in CALLERS {
            self.search(report, &server, callers);
        }
        let resident = server.resident();
        report.figure("large: memory of the server after the searches (VmRSS)", resident.now, "MiB");
        report.figure("large: most memory of the server so far (VmHWM)", resident.peak, "MiB");
        server.stop();
    }

    fn search(&self, report: &mut Report, server: &Server, callers: usize) {
        let queries = work::queries(self.options.queries);
        let length = Duration::from_secs_f64(self.options.seconds);
        let mut pairs = Pairs::watched();
        for _ in 0..self.options.rounds {
            let used = server.processor();
            let round = client_runtime().block_on(round(server.address, &queries, callers));
            let round = Round { processor: Some(server.processor() - used), ..round };
            pairs.push(&round, &fts::round(&self.texts, &queries, callers, length));
        }
        report.row(&format!("search, {callers} callers"), "FTS5 in process", &pairs);
        let name = format!("large: search over HTTP, {callers} callers, p99");
        report.goal(&name, milliseconds(pairs.km().p99), "ms", Goal::AtMost(SEARCH_P99_MS_MAX));
    }

    fn reindexed_per_second(&self) -> f64 {
        let begun = Instant::now();
        let ended = server::command(self.km, "reindex", &self.data).output().expect("km reindex runs");
        assert!(ended.status.success(), "km reindex ended with {}", ended.status);
        per_second(self.options.entries, begun.elapsed())
    }
}

/// Every query once, shared by `callers` in a closed loop.
async fn round(server: SocketAddr, queries: &[String], callers: usize) -> Round {
    let begun = Instant::now();
    let calls: Vec<_> = (0..callers)
        .map(|caller| queries.iter().skip(caller).step_by(callers).map(|words| Request::search(words)))
        .map(|requests| tokio::spawn(ask(server, requests.collect())))
        .collect();
    let mut latencies = Vec::new();
    for call in calls {
        latencies.extend(call.await.expect("a caller ends well"));
    }
    Round::of(latencies, begun.elapsed())
}

async fn ask(server: SocketAddr, requests: Vec<Request>) -> Vec<Duration> {
    let mut connection = Connection::open(server).await.expect("a connection");
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        let begun = Instant::now();
        let answer = connection.send(&request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        latencies.push(begun.elapsed());
    }
    latencies
}
