//! Connections: bounded in number and in the time that a request's head may take, and ended in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, warn};

/// Most connections at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// The longest that the head of a request may take, and that a connection may rest between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause after the kernel had no connection to give, such as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `until` is over, then finishes the requests that were begun.
///
/// # Errors
/// The listener's failure.
pub async fn serve(listener: TcpListener, router: Router, until: impl Future<Output = ()>) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut until = std::pin::pin!(until);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, stream) = tokio::select! {
            biased;
            () = &mut until => break,
            Some(_) = connections.join_next() => continue,
            next = next => next,
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        connections.spawn(async move {
            connection(stream, router, stopped).await;
            drop(place);
        });
    }
    drop(listener);
    stop.send_replace(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The next connection. A failure to accept one is never the end of all.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "no connection could be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only the connection that was coming is gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    // Answers are small; waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(error = &error as &dyn std::error::Error, "a connection keeps its delay");
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let serving = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        debug!(error = &error as &dyn std::error::Error, "a connection ended early");
    }
}
