//! The composition root: every part of km is made and joined here, and nowhere else. Wall clock, randomness
//! and tasks enter the rest of the program through this file.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use km_contract::port::{ApiKey, Store};
use km_contract::reconcile::{
    self, Canary, Links, Receipts, Reconcile, Reconciler, Sealer, SourceReconciler,
};
use km_contract::telemetry::Telemetry;
use km_contract::{Admission, Clock, Health, Intake, Jitter, LetterLimits, LetterOffice, Writer};
use km_model::Timestamp;
use km_server::{Services, Settings};
use km_store::OpenOptions;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::error;

use crate::config::{Config, Job, Span};
use crate::failure::Failure;

/// The receipts that outlive the process, in the data directory.
const RECEIPTS_FILE: &str = "receipts.sample";
/// How often a rebuild of the index is looked at.
const INDEX_LOOK: Duration = Duration::from_millis(20);
/// Looks after which an index that was never seen behind is taken as rebuilt.
const INDEX_LOOKS_MIN: u32 = 50;

/// The wall clock of the machine.
struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The wall clock, to hand on.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// 32 bytes from the system's source of randomness.
#[allow(clippy::disallowed_methods, reason = "the one place where randomness is drawn")]
#[expect(clippy::expect_used, reason = "a system without randomness can make no key, and has no other way")]
fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    bytes
}

fn seed() -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = entropy();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Starts a task that the caller holds and waits for.
#[allow(clippy::disallowed_methods, reason = "the one place where tasks begin; every handle is kept")]
pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(task)
}

/// Whether the reconcilers run by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Background {
    /// At their intervals: a server.
    Runs,
    /// Only when asked: a verb that is over soon.
    Rests,
}

/// km, running in this process on one data directory.
pub(crate) struct Running {
    router: Router,
    writer: Writer,
    store: Store,
    committer: JoinHandle<()>,
    stop: watch::Sender<bool>,
    /// Reconcilers and the watch over the objectives.
    jobs: Vec<JoinHandle<()>>,
}

impl Running {
    /// Opens the store and joins everything to it.
    ///
    /// # Errors
    /// [`Failure::Open`]; [`Failure::Usage`] for objectives that cannot be watched.
    pub(crate) async fn start(config: &Config, background: Background) -> Result<Self, Failure> {
        let mut registry = Registry::default();
        let objectives = match background {
            Background::Runs => crate::slo::watch(config, &mut registry)?,
            Background::Rests => None,
        };
        let sources =
            (!config.sources.is_empty()).then(|| crate::sources::sources(&config.sources)).transpose()?;
        let clock = clock();
        let store = km_store::open(open_options(config), clock.clone()).await?;
        let telemetry = Telemetry::register(&mut registry);
        let jitter = Arc::new(Jitter::from_seed(seed()));
        let (writer, committer) = Writer::new(
            &store,
            Admission::new(clock.clone()),
            config.write.policy.bounds(),
            config.queue.limits(),
            jitter.clone(),
            telemetry.clone(),
        );
        let committer = spawn(committer.run());
        let intake = Intake::new(writer.clone(), store.letters.clone(), km_server::readers());
        let letters = LetterOffice::new(
            store.letters.clone(),
            intake.clone(),
            clock.clone(),
            jitter,
            telemetry.clone(),
            letter_limits(config),
        );
        let parts = Parts {
            store: &store,
            writer: &writer,
            intake: &intake,
            letters: &letters,
            clock: &clock,
            telemetry: &telemetry,
        };
        let mut reconcilers = parts.reconcilers(config);
        reconcilers.extend(sources.map(|sources| parts.source_reconciler(sources, config.reconcile.sources)));
        let (stop, stopped) = watch::channel(false);
        let mut jobs: Vec<JoinHandle<()>> = reconcilers
            .iter()
            .filter(|(_, enabled)| *enabled && background == Background::Runs)
            .map(|(reconciler, _)| spawn(reconciler.clone().keep_running(stopped.clone())))
            .collect();
        let slo = objectives.map(|watch| {
            let (latest, reports) = watch::channel(None);
            jobs.push(spawn(watch.keep_running(latest, stopped.clone())));
            reports
        });
        let services = Services {
            writer: writer.clone(),
            intake,
            letters,
            store: store.clone(),
            reconcilers: reconcilers.into_iter().map(|(reconciler, _)| reconciler).collect(),
            slo,
            clock,
            entropy,
            registry,
            version: env!("CARGO_PKG_VERSION"),
        };
        let router = km_server::router(services, settings(config));
        Ok(Self { router, writer, store, committer, stop, jobs })
    }

    /// The whole API.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Whether writes can be served, now and as it changes.
    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.writer.health()
    }

    /// Every API key that was ever made.
    ///
    /// # Errors
    /// The store's failure.
    pub(crate) async fn keys(&self) -> Result<Vec<ApiKey>, Failure> {
        Ok(self.store.keys.keys().await?.into_iter().map(|(key, _)| key).collect())
    }

    /// Builds the search index again, and waits until it covers the ledger.
    ///
    /// # Errors
    /// The store's failure.
    pub(crate) async fn reindex(&self) -> Result<(), Failure> {
        let upkeep = &self.store.upkeep;
        upkeep.reindex().await?;
        // The index is emptied in the background; a small one may be full again before it is seen empty.
        let mut looks = 0;
        let mut emptied = false;
        loop {
            sleep(INDEX_LOOK).await;
            let measures = upkeep.measures().await?;
            let behind = measures.indexed_through < measures.newest_position;
            emptied |= behind;
            looks += 1;
            if !behind && (emptied || looks >= INDEX_LOOKS_MIN) {
                return Ok(());
            }
        }
    }

    /// Takes no more writes, commits those that were admitted, and closes the store.
    pub(crate) async fn finish(self) {
        self.stop.send_replace(true);
        for job in self.jobs {
            join(job).await;
        }
        self.writer.stop();
        join(self.committer).await;
        self.store.upkeep.close().await;
    }
}

async fn join(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        error!(error = &error as &dyn std::error::Error, "a task did not end well");
    }
}

fn open_options(config: &Config) -> OpenOptions {
    OpenOptions {
        allow_volatile: config.data.allow_volatile,
        readers: config.store.readers.get(),
        dead_letters: letter_limits(config),
        ..OpenOptions::at(&config.data.dir)
    }
}

fn letter_limits(config: &Config) -> LetterLimits {
    LetterLimits {
        count_max: config.dead_letters.count_max.get(),
        bytes_max: config.dead_letters.bytes_max.0,
    }
}

fn settings(config: &Config) -> Settings {
    Settings {
        request_timeout: config.http.request_timeout.0,
        requests_in_flight_max: config.http.requests_in_flight_max.get(),
        body_bytes_max: config.http.body_bytes_max.bytes(),
        requests_per_second: config.http.requests_per_second,
        request_burst: config.http.request_burst.get(),
    }
}

/// What the reconcilers are made of.
struct Parts<'a> {
    store: &'a Store,
    writer: &'a Writer,
    intake: &'a Intake,
    letters: &'a LetterOffice,
    clock: &'a Arc<dyn Clock>,
    telemetry: &'a Telemetry,
}

impl Parts<'_> {
    /// Every reconciler, and whether it runs by itself.
    fn reconcilers(&self, config: &Config) -> Vec<(Reconciler, bool)> {
        let Self { store, writer, letters, clock, telemetry, .. } = *self;
        let links = Links { upkeep: store.upkeep.clone(), telemetry: telemetry.clone() };
        let sealer = Sealer { upkeep: store.upkeep.clone(), clock: clock.clone() };
        let remembered = config.data.dir.join(RECEIPTS_FILE);
        let receipts = Receipts::new(store.ledger.clone(), telemetry.clone(), remembered);
        let canary = Canary::new(writer.clone(), store.ledger.clone(), clock.clone(), telemetry.clone());
        let jobs = &config.reconcile;
        vec![
            self.every(links, jobs.links),
            self.every(sealer, jobs.sealer),
            self.every(receipts, jobs.receipts),
            self.every(canary, jobs.canary),
            self.every(letters.clone(), always(config.dead_letters.interval)),
        ]
    }

    /// What asks the sources. It does not wait for its first turn: what fired while km was away is known soon.
    fn source_reconciler(&self, sources: Vec<reconcile::Source>, when: Job) -> (Reconciler, bool) {
        let (store, intake, clock) = (self.store.sources.clone(), self.intake.clone(), self.clock.clone());
        let job = SourceReconciler::new(sources, store, intake, clock, when.interval.0);
        let (reconciler, enabled) = self.every(job, when);
        reconciler.wake();
        (reconciler, enabled)
    }

    fn every(&self, job: impl Reconcile + 'static, when: Job) -> (Reconciler, bool) {
        let (clock, telemetry) = (self.clock.clone(), self.telemetry.clone());
        let reconciler = Reconciler::new(Arc::new(job), when.interval.0, clock, telemetry);
        (reconciler, when.enabled)
    }
}

const fn always(interval: Span) -> Job {
    Job { enabled: true, interval }
}
