//! A server and its end: it stops accepting, commits what was admitted, closes the store, and exits within a
//! bounded time. A second signal ends it at once, which is as safe as `kill -9`.

use std::net::SocketAddr;
use std::sync::Arc;

use km_contract::Health;
use km_contract::port::{ApiKey, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::cli::ServeArgs;
use crate::config::{Config, Source};
use crate::context::Context;
use crate::failure::{Ending, Failure};
use crate::runtime::{Background, Running, spawn};

/// The exit code of a process that an interrupt ended (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// `km serve`.
pub(crate) async fn run(mut context: Context, args: &ServeArgs) -> Result<Ending, Failure> {
    put_flags(&mut context, args)?;
    let config = context.config();
    crate::log::begin(&config.log);
    let server = Server::start(config).await?;
    announce(&context, &server).await?;
    server.until_stopped(config).await
}

fn put_flags(context: &mut Context, args: &ServeArgs) -> Result<(), Failure> {
    if let Some(listen) = args.listen {
        context.layers.put("http.listen", listen.to_string().into(), Source::Flag("--listen"))?;
    }
    if args.allow_volatile {
        context.layers.put("data.allow-volatile", true.into(), Source::Flag("--allow-volatile"))?;
    }
    Ok(())
}

async fn announce(context: &Context, server: &Server) -> Result<(), Failure> {
    let url = server.url();
    let data = context.data();
    info!(url, data = %data.display(), version = env!("CARGO_PKG_VERSION"), "km is serving");
    if server.running.keys().await?.is_empty() {
        info!("there is no API key yet: callers on this machine act as the tenant `default`");
    }
    if context.console.json {
        context.console.value(&serde_json::json!({ "url": url, "data": data }))?;
    } else {
        context.console.line(format_args!("km listens on {url}, data in {}", data.display()))?;
    }
    Ok(())
}

/// A server that accepts calls.
pub(crate) struct Server {
    address: SocketAddr,
    running: Running,
    stop: watch::Sender<Option<Ending>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Opens the store, listens, and serves.
    ///
    /// # Errors
    /// [`Failure`]; nothing is left running.
    pub(crate) async fn start(config: &Config) -> Result<Self, Failure> {
        let running = Running::start(config, Background::Runs).await?;
        match listen(&running, config.http.listen).await {
            Ok((listener, address)) => Self::serve(running, listener, address),
            Err(failure) => {
                running.finish().await;
                Err(failure)
            }
        }
    }

    fn serve(running: Running, listener: TcpListener, address: SocketAddr) -> Result<Self, Failure> {
        let (stop, mut stopped) = watch::channel(None);
        watch_signals(stop.clone())?;
        watch_health(running.health(), stop.clone());
        watch_reconcilers(running.distrusted(), stop.clone());
        let until = async move {
            drop(stopped.wait_for(Option::is_some).await);
        };
        let serving = spawn(km_server::serve(listener, running.router(), until));
        Ok(Self { address, running, stop, serving })
    }

    /// Where it can be reached.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until a signal comes or the store fails, then ends in order.
    ///
    /// # Errors
    /// The listener's failure.
    pub(crate) async fn until_stopped(self, config: &Config) -> Result<Ending, Failure> {
        let mut stopped = self.stop.subscribe();
        let ending = stopped.wait_for(Option::is_some).await.ok().and_then(|ending| *ending);
        let ending = ending.unwrap_or(Ending::Done);
        info!("stopping: what was admitted is finished first");
        let finished = timeout(config.shutdown.timeout.0, self.finish()).await;
        match finished {
            Ok(result) => result.map(|()| ending),
            Err(_) => {
                warn!("shutdown.timeout passed; what was not acknowledged may not have been kept");
                Ok(Ending::Findings)
            }
        }
    }

    /// Stops now, in order.
    ///
    /// # Errors
    /// The listener's failure.
    pub(crate) async fn finish(self) -> Result<(), Failure> {
        self.stop.send_replace(Some(Ending::Done));
        let served = self.serving.await;
        self.running.finish().await;
        served
            .map_err(std::io::Error::other)?
            .map_err(|source| Failure::Listen { address: self.address, source })
    }
}

async fn listen(running: &Running, wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let usable = |key: &ApiKey| key.revoked_at.is_none();
    km_server::must_have_key(wanted, running.keys().await?.iter().any(usable))
        .map_err(|refusal| Failure::Refused(refusal.to_string()))?;
    let failed = |source| Failure::Listen { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// The first signal asks for an orderly end, the second ends the process.
fn watch_signals(stop: watch::Sender<Option<Ending>>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    drop(spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        stop.send_replace(Some(Ending::Done));
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(INTERRUPTED);
    }));
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A store that cannot be trusted ends the server.
fn watch_health(mut health: watch::Receiver<Health>, stop: watch::Sender<Option<Ending>>) {
    drop(spawn(async move {
        let failed = health.wait_for(|health| matches!(health, Health::Failed { .. })).await;
        if let Ok(health) = failed {
            error!(health = ?*health, "the store failed; km ends, so that it starts afresh from what is durable");
            stop.send_replace(Some(Ending::Untrusted));
        }
    }));
}

/// A store that a reconciler cannot trust ends the server too.
fn watch_reconcilers(
    mut distrusted: watch::Receiver<Option<Arc<StoreError>>>,
    stop: watch::Sender<Option<Ending>>,
) {
    drop(spawn(async move {
        if let Ok(cause) = distrusted.wait_for(Option::is_some).await {
            error!(cause = ?*cause, "a reconciler cannot trust the store; km ends, so that nothing is built on it");
            stop.send_replace(Some(Ending::Untrusted));
        }
    }));
}
