//! `/metrics`: OpenMetrics, and Prometheus' older text format for those that do not ask for it.

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use km_contract::port::Measures;
use km_model::Durability;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::problem::Problem;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The server's own metrics, and the registry of all.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<StatusLabels, Counter>,
    search_seconds: Family<KindLabels, Histogram>,
    queue_writes: Gauge,
    queue_bytes: Gauge,
    store_writes: Gauge,
    store_entries: Gauge,
    store_bytes: Gauge,
    index_lag: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StatusLabels {
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

pub(crate) fn router() -> Router<App> {
    Router::new().route("/metrics", routing::get(metrics))
}

impl Metrics {
    pub(crate) fn register(mut registry: Registry, durability: Durability) -> Self {
        let km = registry.sub_registry_with_prefix("km");
        let requests = Family::default();
        km.register("http_requests", "Requests answered, by status", requests.clone());
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        let search_seconds = Family::new_with_constructor(seconds);
        km.register("search_seconds", "Time of one search or list", search_seconds.clone());
        let class = Family::<ClassLabels, Gauge>::default();
        for known in Durability::ALL {
            class.get_or_create(&ClassLabels { class: known.as_str() }).set(i64::from(known == durability));
        }
        km.register("durability_class", "1 for what an acknowledgement is worth", class);
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            km.register(name, help, gauge.clone());
            gauge
        };
        let queue_writes = gauge("queue_writes", "Writes that wait or are being committed");
        let queue_bytes = gauge("queue_bytes", "Bytes that wait or are being committed");
        let store_writes = gauge("store_writes", "Rows of the ledger");
        let store_entries = gauge("store_entries", "Entries");
        let store_bytes = gauge("store_bytes", "Bytes on disk");
        let index_lag = gauge("search_index_lag_writes", "Writes that the search index does not cover yet");
        Self {
            registry,
            requests,
            search_seconds,
            queue_writes,
            queue_bytes,
            store_writes,
            store_entries,
            store_bytes,
            index_lag,
        }
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        self.requests.get_or_create(&StatusLabels { status: status.as_u16() }).inc();
    }

    pub(crate) fn searched(&self, kind: &'static str, seconds: f64) {
        self.search_seconds.get_or_create(&KindLabels { kind }).observe(seconds);
    }

    fn look(&self, app: &App, measures: Option<&Measures>) {
        let (writes, bytes) = app.writer.queued();
        set(&self.queue_writes, writes);
        set(&self.queue_bytes, bytes);
        if let Some(measures) = measures {
            set(&self.store_writes, measures.writes);
            set(&self.store_entries, measures.entries);
            set(&self.store_bytes, measures.disk_bytes);
            set(&self.index_lag, measures.newest_position.saturating_sub(measures.indexed_through).max(0));
        }
    }
}

fn set(gauge: &Gauge, value: impl TryInto<i64>) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}

/// A store that does not answer leaves its own gauges as they were; the others are shown all the same.
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let measures = app.store.upkeep.measures().await;
    app.metrics.look(&app, measures.as_ref().ok());
    let mut shown = String::new();
    text::encode(&mut shown, &app.metrics.registry).map_err(|_| Problem::internal())?;
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/openmetrics-text") {
        return Ok(([(CONTENT_TYPE, OPEN_METRICS)], shown).into_response());
    }
    Ok(([(CONTENT_TYPE, CLASSIC)], classic(&shown)).into_response())
}

/// In the older format a counter is described under the name of its sample.
fn classic(shown: &str) -> String {
    let lines: Vec<&str> = shown.lines().filter(|line| *line != "# EOF").collect();
    let counters: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(shown.len());
    for line in lines {
        let described = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '));
        match described.and_then(|(word, rest)| Some((word, rest.split_once(' ')?))) {
            Some((word, (name, rest))) if counters.contains(&name) => {
                text += &format!("# {word} {name}_total {rest}\n");
            }
            Some(_) | None => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_the_name_of_their_sample() {
        let open = "# HELP km_unknown Doubts.\n# TYPE km_unknown counter\nkm_unknown_total 1\n\
                    # HELP km_queue_writes W.\n# TYPE km_queue_writes gauge\nkm_queue_writes 0\n# EOF\n";
        let expected = "# HELP km_unknown_total Doubts.\n# TYPE km_unknown_total counter\nkm_unknown_total 1\n\
                        # HELP km_queue_writes W.\n# TYPE km_queue_writes gauge\nkm_queue_writes 0\n";
        assert_eq!(classic(open), expected);
    }
}
