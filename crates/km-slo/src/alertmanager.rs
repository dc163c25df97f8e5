//! Tells Alertmanagers, version 2 of their API, what fires.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use km_model::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::{Serialize, Serializer};
use thiserror::Error;
use tracing::warn;

use crate::address::{Address, ClientError};
use crate::prometheus::causes;

/// The longest that a peer may take. They are told again every minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The path below a peer's address.
const ALERTS: [&str; 3] = ["api", "v2", "alerts"];

/// An alert as Alertmanager takes it. Its labels say which one it is, so that they must never carry a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Which alert it is.
    pub labels: BTreeMap<&'static str, String>,
    /// What there is to say about it; figures are texts.
    pub annotations: BTreeMap<&'static str, String>,
    /// When it began.
    #[serde(serialize_with = "as_text")]
    pub starts_at: Timestamp,
    /// When it ended, or would end if nothing more were heard.
    #[serde(serialize_with = "as_text")]
    pub ends_at: Timestamp,
}

/// Every peer of an Alertmanager cluster. Each is told everything, since they do not pass alerts on to each other.
#[derive(Clone, Debug)]
pub struct Alertmanagers {
    http: Client,
    peers: Vec<Address>,
}

/// Why a peer did not take an alert.
#[derive(Debug, Error)]
pub(crate) enum Untold {
    #[error("the alert was refused: {0}")]
    Refused(StatusCode),
    /// What answers with a page is a login, or anything but an Alertmanager.
    #[error("a page was answered: is there a login in front?")]
    Foreign,
    #[error("the peer cannot be reached: {0}")]
    Unreachable(String),
    #[error("the alert cannot be written")]
    Json(#[from] serde_json::Error),
}

impl Alertmanagers {
    /// A client of these peers.
    ///
    /// # Errors
    /// The client cannot be set up on this machine.
    pub fn new(peers: Vec<Address>) -> Result<Self, ClientError> {
        // A redirect that is followed makes a GET of the POST, whose answer says nothing.
        let http = Client::builder().timeout(ANSWER_TIMEOUT).redirect(Policy::none()).build()?;
        Ok(Self { http, peers })
    }

    /// Tells every peer, and returns how many of them did not take everything.
    pub async fn tell(&self, alerts: &[Alert]) -> usize {
        let told: Vec<_> = self.peers.iter().map(|peer| self.tell_peer(peer, alerts)).collect();
        join_all(told).await.into_iter().filter(|took_all| !took_all).count()
    }

    async fn tell_peer(&self, peer: &Address, alerts: &[Alert]) -> bool {
        let error = match self.post(peer, alerts).await {
            Ok(()) => return true,
            Err(Untold::Refused(StatusCode::BAD_REQUEST)) if alerts.len() > 1 => {
                return self.tell_one_by_one(peer, alerts).await;
            }
            Err(error) => error,
        };
        say(peer, &error);
        false
    }

    /// A batch with one bad alert is refused as a whole, although the good ones were stored, or were not: told alone,
    /// each is judged for itself.
    async fn tell_one_by_one(&self, peer: &Address, alerts: &[Alert]) -> bool {
        let mut all = true;
        for alert in alerts {
            if let Err(error) = self.post(peer, std::slice::from_ref(alert)).await {
                say(peer, &error);
                all = false;
            }
        }
        all
    }

    async fn post(&self, peer: &Address, alerts: &[Alert]) -> Result<(), Untold> {
        let body = serde_json::to_vec(alerts)?;
        let request =
            self.http.post(peer.call(&ALERTS)).header("content-type", "application/json").body(body);
        let answer = request.send().await;
        let answer = answer.map_err(|error| Untold::Unreachable(causes(&error.without_url())))?;
        if !answer.status().is_success() {
            return Err(Untold::Refused(answer.status()));
        }
        let page =
            answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if page { Err(Untold::Foreign) } else { Ok(()) }
    }
}

fn say(peer: &Address, error: &Untold) {
    warn!(
        peer = peer.shown(),
        error = error as &dyn std::error::Error,
        "an Alertmanager did not take an alert"
    );
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
