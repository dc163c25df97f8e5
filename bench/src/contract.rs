//! Through the contract, in process, with the search index built beside it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use km_contract::telemetry::Telemetry;
use km_contract::{Admission, Clock, FutureTime, Jitter, QueueLimits, WritePolicy, Writer};
use km_model::{TenantId, Timestamp, WriteId};
use km_store::OpenOptions;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::Options;
use crate::figures::Round;
use crate::work::{Dice, write};

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A fresh store, `callers` in a closed loop.
pub(crate) fn round(options: &Options, callers: usize) -> Round {
    let directory = TempDir::new_in(&options.data).expect("a directory for data");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(measure(directory, callers, Duration::from_secs_f64(options.seconds)))
}

async fn measure(directory: TempDir, callers: usize, length: Duration) -> Round {
    let clock = Arc::new(SystemClock);
    let store = km_store::open(OpenOptions::at(directory.path()), clock.clone()).await.expect("a store");
    let mut registry = Registry::default();
    let telemetry = Telemetry::register(&mut registry);
    let (writer, committer) = Writer::new(
        store.ledger.clone(),
        Admission::new(clock),
        WritePolicy::NORMAL,
        QueueLimits::default(),
        Arc::new(Jitter::from_seed(1)),
        telemetry,
    );
    let committer = tokio::spawn(committer.run());
    let prepared = prepare(callers, length);
    let begun = Instant::now();
    let calls: Vec<_> =
        prepared.into_iter().map(|writes| tokio::spawn(call(writer.clone(), writes, begun + length))).collect();
    let mut latencies = Vec::new();
    for call in calls {
        latencies.extend(call.await.expect("a caller ends well"));
    }
    let took = begun.elapsed();
    let measures = store.upkeep.measures().await.expect("measures");
    writer.stop();
    committer.await.expect("the committer ends well");
    store.upkeep.close().await;
    latencies.sort_unstable();
    let batches = batches_of(&registry);
    #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "counts")]
    Round {
        writes: latencies.len(),
        took,
        mean_batch: latencies.len() as f64 / batches.max(1.0),
        latencies,
        index_lag: Some((measures.newest_position - measures.indexed_through).max(0) as u64),
        resident_mib: None,
    }
}

/// Writes are made before the clock runs, in turn for each caller, twice as many as a fast store takes.
fn prepare(callers: usize, length: Duration) -> Vec<Vec<km_model::Write>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let each = ((length.as_secs_f64() * if callers == 1 { 6_000.0 } else { 90_000.0 }) as usize / callers).max(1_000);
    (0..callers)
        .map(|caller| {
            let mut dice = Dice::new(caller as u64 + 1);
            (0..each).map(|nth| write(nth * callers + caller, &mut dice)).collect()
        })
        .collect()
}

async fn call(writer: Writer, writes: Vec<km_model::Write>, until: Instant) -> Vec<Duration> {
    let tenant = TenantId::default_tenant();
    let mut latencies = Vec::with_capacity(writes.len());
    for write in writes {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let id = WriteId::parse(format!("w-{}", write.path.incident().map_or("", AsRef::as_ref))).expect("an id");
        let written = writer.write(&tenant, Some(id), write, FutureTime::Refuse).await.expect("an acknowledgement");
        assert_eq!(written.receipt.revision(), 1);
        latencies.push(begun.elapsed());
    }
    latencies
}

/// How many batches were committed, by km's own metric.
fn batches_of(registry: &Registry) -> f64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("metrics encode");
    let line = text.lines().find(|line| line.starts_with("km_batch_writes_count"));
    line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or_default()
}
