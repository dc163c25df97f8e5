//! What the server is made of, and the router that holds it together.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use km_contract::port::{LetterFormat, Store};
use km_contract::reconcile::Reconciler;
use km_contract::{Clock, Delivery, Intake, LetterOffice, Readers, Unreadable, Writer};
use km_intake::{alertmanager, generic, json};
use prometheus_client::registry::Registry;

use crate::auth::KeyBook;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::{api, guard, health, metrics};

/// The parts that the composition root hands in.
pub struct Services {
    /// Takes writes.
    pub writer: Writer,
    /// Takes deliveries of other systems.
    pub intake: Intake,
    /// Works dead letters.
    pub letters: LetterOffice,
    /// Where knowledge is read.
    pub store: Store,
    /// The background jobs, to show and to run.
    pub reconcilers: Vec<Reconciler>,
    /// What the last run over the objectives came to; none where there are none.
    pub slo: Option<km_slo::Latest>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// 32 random bytes a call, for keys.
    pub entropy: fn() -> [u8; 32],
    /// Where metrics are named; the server adds its own.
    pub registry: Registry,
    /// The version of the program.
    pub version: &'static str,
}

/// The bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A request that takes longer is answered as such. A write that it began is finished all the same.
    pub request_timeout: Duration,
    /// Requests that are worked on at the same time.
    pub requests_in_flight_max: usize,
    /// Bytes of bodies that are held at the same time.
    pub body_bytes_max: usize,
    /// Requests a second for one key; 0 sets no limit.
    pub requests_per_second: u32,
    /// Requests that one key may send at once.
    pub request_burst: u32,
}

/// The state behind every call. Cheap to clone.
pub(crate) type App = Arc<Parts>;

pub(crate) struct Parts {
    pub(crate) writer: Writer,
    pub(crate) intake: Intake,
    pub(crate) letters: LetterOffice,
    pub(crate) store: Store,
    pub(crate) reconcilers: Vec<Reconciler>,
    pub(crate) slo: Option<km_slo::Latest>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: fn() -> [u8; 32],
    pub(crate) keys: KeyBook,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) version: &'static str,
}

impl Parts {
    /// Lets a background job look earlier than its interval says.
    pub(crate) fn wake(&self, reconciler: &str) {
        self.reconcilers.iter().filter(|job| job.name() == reconciler).for_each(Reconciler::wake);
    }
}

/// Every call of the server.
///
/// Documents, health and metrics stand outside the bound on requests under way: they answer when nothing else does.
pub fn router(services: Services, settings: Settings) -> Router {
    let Services { writer, intake, letters, store, reconcilers, slo, clock, entropy, registry, version } =
        services;
    let app: App = Arc::new(Parts {
        keys: KeyBook::new(store.keys.clone()),
        limits: Limits::new(&settings),
        metrics: Metrics::register(registry, store.ledger.durability()),
        writer,
        intake,
        letters,
        store,
        reconcilers,
        slo,
        clock,
        entropy,
        version,
    });
    let calls = api::router().layer(from_fn_with_state(app.clone(), guard::bounded));
    Router::new()
        .merge(calls)
        .merge(api::documents())
        .merge(health::router())
        .merge(metrics::router())
        .fallback(guard::no_such_call)
        .method_not_allowed_fallback(guard::method_not_allowed)
        .layer(from_fn(guard::headers))
        .layer(from_fn_with_state(app.clone(), guard::counted))
        .with_state(app)
}

/// How the bodies of other systems are read.
pub fn readers() -> Readers {
    Readers { read, incident: alertmanager::incident_id, resolution: alertmanager::resolution }
}

fn read(format: LetterFormat, body: &[u8]) -> Result<Delivery, Unreadable> {
    match format {
        LetterFormat::Write => match json::read(body) {
            Ok(request) => Ok(Delivery::of_write(request.write_id, request.write)),
            Err(_) => Err(Unreadable { code: "INVALID", template: "the payload is not a write" }),
        },
        LetterFormat::Generic => match generic::read(body) {
            Ok(write) => Ok(Delivery::of_write(None, write)),
            Err(unreadable) => Err(told(unreadable)),
        },
        LetterFormat::Alertmanager => match alertmanager::read(body) {
            Ok(notification) => Ok(Delivery {
                alerts: notification.alerts,
                left_out: notification.truncated_alerts,
                ..Delivery::default()
            }),
            Err(unreadable) => Err(told(unreadable)),
        },
    }
}

const fn told(unreadable: km_intake::Unreadable) -> Unreadable {
    Unreadable { code: unreadable.code, template: unreadable.reason }
}
