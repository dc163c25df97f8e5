//! Through the contract, in process, with the search index built beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use km_contract::port::{Measures, Store};
use km_contract::telemetry::Telemetry;
use km_contract::{Admission, Arrival, Clock, Jitter, QueueLimits, WritePolicy, Writer};
use km_model::{TenantId, Timestamp, Write, WriteId};
use km_store::OpenOptions;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::figures::{Goal, Pairs, Report, Round};
use crate::options::Options;
use crate::work;
use crate::{bare, processors, server};

/// What group commit through the contract may cost at most, as a share of the bare engine's rate.
const GROUP_COMMIT_SHARE: f64 = 0.85;
/// What one caller may wait at most, as a multiple of a bare commit.
const AUTOCOMMIT_TIMES: f64 = 1.15;
/// Callers at which group commit is held against its goal.
const GOAL_CALLERS: usize = 64;

/// Durable acknowledged writes in process, against the bare engine.
pub(crate) fn section(options: &Options, report: &mut Report) {
    report.heading("write: durable acknowledged writes, in process, with the index built beside them");
    for callers in options.callers.iter().copied() {
        let mut pairs = Pairs::watched();
        for _ in 0..options.rounds {
            let round = round(options, callers);
            pairs.push(&round, &bare::round(options, round.batch(callers)));
        }
        let ratio = report.row(&format!("in process, {callers} callers"), bare::name(callers), &pairs);
        hold(report, callers, ratio);
    }
}

fn hold(report: &mut Report, callers: usize, ratio: f64) {
    match callers {
        1 => report.goal(
            "in process, 1 caller: time of a write against bare autocommit",
            1.0 / ratio,
            "times",
            Goal::AtMost(AUTOCOMMIT_TIMES),
        ),
        GOAL_CALLERS => report.goal(
            "in process, 64 callers: rate against bare group commit",
            ratio,
            "times",
            Goal::AtLeast(GROUP_COMMIT_SHARE),
        ),
        _ => {}
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Threads as the server has them.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The contract on a store, as the server joins them.
pub(crate) struct Rig {
    pub(crate) writer: Writer,
    store: Store,
    committer: JoinHandle<()>,
    registry: Registry,
}

impl Rig {
    pub(crate) async fn open(data: &Path, index: bool) -> Self {
        let allow_volatile = server::is_volatile(data);
        let open = OpenOptions { index, allow_volatile, ..OpenOptions::at(data) };
        let clock = Arc::new(SystemClock);
        let store = km_store::open(open, clock.clone()).await.expect("a store");
        let mut registry = Registry::default();
        let (writer, committer) = Writer::new(
            &store,
            Admission::new(clock),
            WritePolicy::NORMAL,
            QueueLimits::default(),
            Arc::new(Jitter::from_seed(1)),
            Telemetry::register(&mut registry),
        );
        Self { writer, store, committer: tokio::spawn(committer.run()), registry }
    }

    async fn measures(&self) -> Measures {
        self.store.upkeep.measures().await.expect("measures")
    }

    /// Writes that the index does not cover yet.
    pub(crate) async fn index_lag(&self) -> u64 {
        let measures = self.measures().await;
        u64::try_from(measures.newest_position - measures.indexed_through).unwrap_or_default()
    }

    pub(crate) async fn close(self) {
        self.writer.stop();
        self.committer.await.expect("the committer ends well");
        self.store.upkeep.close().await;
    }

    /// How many batches were committed, by km's own metric.
    fn batches(&self) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("metrics encode");
        server::sample(&text, "km_batch_writes_count")
    }
}

/// A fresh store, `callers` in a closed loop.
fn round(options: &Options, callers: usize) -> Round {
    let directory = TempDir::new_in(&options.data).expect("a directory for data");
    runtime().block_on(measure(options, directory.path(), callers))
}

async fn measure(options: &Options, directory: &Path, callers: usize) -> Round {
    let length = Duration::from_secs_f64(options.seconds);
    let rig = Rig::open(directory, options.index).await;
    let prepared = work::prepare(callers, length);
    let used = processors::used();
    let begun = Instant::now();
    let calls: Vec<_> = prepared
        .into_iter()
        .map(|writes| tokio::spawn(call(rig.writer.clone(), writes, begun + length)))
        .collect();
    let mut latencies = Vec::new();
    for call in calls {
        latencies.extend(call.await.expect("a caller ends well"));
    }
    let round = Round::of(latencies, begun.elapsed());
    let processor = Some(processors::used() - used);
    let index_lag = Some(rig.index_lag().await);
    #[expect(clippy::cast_precision_loss, reason = "a count of writes")]
    let mean_batch = Some(round.calls as f64 / rig.batches().max(1.0));
    rig.close().await;
    Round { processor, mean_batch, index_lag, ..round }
}

async fn call(writer: Writer, writes: Vec<Write>, until: Instant) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(writes.len());
    for write in writes {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        remember(&writer, write).await;
        latencies.push(begun.elapsed());
    }
    latencies
}

/// One write under an id of its own, acknowledged as the first revision of its entry.
async fn remember(writer: &Writer, write: Write) {
    let tenant = TenantId::default_tenant();
    let id = WriteId::parse(work::write_id(&write)).expect("an id");
    let written = writer.write(&tenant, Some(id), write, Arrival::Call).await.expect("an acknowledgement");
    assert_eq!(written.receipt.revision(), 1);
}

/// Remembers the first so many writes of the work, as many at a time as fit into one batch.
pub(crate) async fn fill(rig: &Rig, entries: usize) {
    let mut writes = work::corpus(entries);
    loop {
        let batch: Vec<_> = writes
            .by_ref()
            .take(QueueLimits::default().batch_writes_max)
            .map(|write| {
                let writer = rig.writer.clone();
                tokio::spawn(async move { remember(&writer, write).await })
            })
            .collect();
        if batch.is_empty() {
            return;
        }
        for call in batch {
            call.await.expect("a caller ends well");
        }
    }
}
