//! Durable writes through the HTTP API of a real server, each caller on a connection of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use km_model::WriteDocument;
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::bare;
use crate::client::{Connection, Request};
use crate::figures::{Goal, Pairs, Report, Round};
use crate::options::Options;
use crate::server::{self, Server};
use crate::work;

/// Memory that the server may use while it is written to.
const RESIDENT_MIB_MAX: f64 = 64.0;

/// Durable acknowledged writes over HTTP, against the bare engine.
pub(crate) fn section(options: &Options, km: &Path, report: &mut Report) {
    report.heading(
        "http: durable acknowledged writes through POST /v1/writes, against the bare engine in process",
    );
    let mut peak: f64 = 0.0;
    for callers in options.callers.iter().copied() {
        let mut pairs = Pairs::watched();
        for _ in 0..options.rounds {
            let round = round(options, km, callers);
            pairs.push(&round, &bare::round(options, round.batch(callers)));
        }
        report.row(&format!("http, {callers} callers"), bare::name(callers), &pairs);
        peak = peak.max(pairs.km().resident_mib.unwrap_or_default());
    }
    let name = "http: most memory of the server while it is written to (VmHWM)";
    report.goal(name, peak, "MiB", Goal::AtMost(RESIDENT_MIB_MAX));
}

/// A fresh server, `callers` in a closed loop.
pub(crate) fn round(options: &Options, km: &Path, callers: usize) -> Round {
    let directory = TempDir::new_in(&options.data).expect("a directory for data");
    let length = Duration::from_secs_f64(options.seconds);
    let requests = work::prepare(callers, length).into_iter().map(requests).collect();
    let server = Server::start(km, &directory.path().join("data"));
    // One thread sends and receives for all callers: the server has the machine's cores to itself but for that.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let round = runtime.block_on(measure(&server, requests, length));
    let resident_mib = Some(server.resident().peak);
    server.stop();
    Round { resident_mib, ..round }
}

fn requests(writes: Vec<km_model::Write>) -> Vec<Request> {
    let request = |write| Request::write(&work::write_id(&write), &WriteDocument::canonical(&write));
    writes.into_iter().map(request).collect()
}

async fn measure(server: &Server, requests: Vec<Vec<Request>>, length: Duration) -> Round {
    server.until_ready().await;
    let mut aside = Connection::open(server.address).await.expect("a connection");
    let before = server::counted(&mut aside).await;
    let used = server.processor();
    let begun = Instant::now();
    let calls: Vec<_> = requests
        .into_iter()
        .map(|requests| tokio::spawn(call(server.address, requests, begun + length)))
        .collect();
    let mut latencies = Vec::new();
    for call in calls {
        latencies.extend(call.await.expect("a caller ends well"));
    }
    let round = Round::of(latencies, begun.elapsed());
    let processor = Some(server.processor() - used);
    let index_lag = server::index_lag(&mut aside).await;
    let mean_batch = server::counted(&mut aside).await.mean_since(before);
    Round { processor, index_lag, mean_batch, ..round }
}

async fn call(server: SocketAddr, requests: Vec<Request>, until: Instant) -> Vec<Duration> {
    let mut connection = Connection::open(server).await.expect("a connection");
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let answer = connection.send(&request).await.expect("an answer");
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        latencies.push(begun.elapsed());
    }
    latencies
}
