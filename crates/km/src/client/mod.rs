//! The one client of every verb: it speaks HTTP, to a server or to the same API inside this process.

mod body;
mod open;

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::BodyExt;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tower::ServiceExt;

pub(crate) use body::*;
pub(crate) use open::{Access, connect, server_of};

use crate::failure::Failure;
use crate::runtime::Running;

/// The longest that a server may take to answer. Longer than any deadline of a write.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Stands where a host must stand when there is no server.
const IN_PROCESS: &str = "http://km.invalid/";

/// Speaks to km.
pub(crate) struct Client {
    transport: Transport,
    base: Url,
}

enum Transport {
    Remote { http: reqwest::Client, key: Option<SecretString> },
    InProcess(Box<Running>),
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum TransportError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the request could not be made")]
    Request(#[source] axum::http::Error),
    #[error("the answer broke off")]
    Body(#[source] axum::Error),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    content: Option<(&'static str, Bytes)>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Call {
    fn new(method: Method, path: &str) -> Self {
        let segments = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { method, segments, query: Vec::new(), content: None }
    }

    /// Reads `path`.
    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// Posts to `path`.
    pub(crate) fn post(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    /// Puts to `path`.
    pub(crate) fn put(path: &str) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Deletes `path`.
    pub(crate) fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds a segment that may hold any text, such as an id.
    pub(crate) fn segment(mut self, text: &str) -> Self {
        self.segments.push(text.to_owned());
        self
    }

    /// Adds a verb to the last segment, as in `{id}:edit`.
    pub(crate) fn action(mut self, verb: &str) -> Self {
        if let Some(last) = self.segments.last_mut() {
            last.push(':');
            last.push_str(verb);
        }
        self
    }

    /// Adds a parameter.
    pub(crate) fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter where there is one.
    pub(crate) fn query_opt(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a value as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(value).map_err(std::io::Error::from)?;
        Ok(self.content("application/json", body))
    }

    /// Sends bytes of this type.
    pub(crate) fn content(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.content = Some((kind, body.into()));
        self
    }

    fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&self.segments);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

impl Answer {
    /// Whether it is a 2xx.
    pub(crate) const fn is_ok(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The answer itself, or the problem that it states.
    pub(crate) fn accept(self) -> Result<Self, Failure> {
        if self.is_ok() { Ok(self) } else { Err(Failure::Problem(Box::new(self.problem()))) }
    }

    /// Reads the body.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|source| Failure::Answer { status: self.status, source })
    }

    fn problem(&self) -> Problem {
        let told = serde_json::from_slice::<Problem>(&self.body).ok();
        told.unwrap_or_else(|| Problem::of_status(self.status))
    }
}

impl Client {
    /// A client of the server at `base`.
    pub(crate) fn remote(base: Url, key: Option<SecretString>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build();
        let http =
            http.map_err(|error| Failure::Unreachable { url: base.to_string(), source: error.into() })?;
        Ok(Self { transport: Transport::Remote { http, key }, base })
    }

    /// A client of the store that runs in this process.
    pub(crate) fn in_process(running: Running) -> Result<Self, Failure> {
        let base = Url::parse(IN_PROCESS).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self { transport: Transport::InProcess(Box::new(running)), base })
    }

    /// Sends a call and returns the answer, whatever its status.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Failure> {
        let url = call.url(&self.base);
        let sent = match &self.transport {
            Transport::Remote { http, key } => send_remote(http, key.as_ref(), url, call).await,
            Transport::InProcess(running) => send_inside(running, &url, call).await,
        };
        sent.map_err(|source| Failure::Unreachable { url: self.base.to_string(), source })
    }

    /// Sends a call and returns the answer if it is a 2xx.
    pub(crate) async fn ask(&self, call: Call) -> Result<Answer, Failure> {
        self.send(call).await?.accept()
    }

    /// Whether the store runs in this process.
    pub(crate) const fn is_in_process(&self) -> bool {
        matches!(self.transport, Transport::InProcess(_))
    }

    /// Builds the search index of a store in this process again.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a server, which keeps its index by itself.
    pub(crate) async fn reindex(&self) -> Result<(), Failure> {
        match &self.transport {
            Transport::InProcess(running) => running.reindex().await,
            Transport::Remote { .. } => {
                Err(Failure::Usage("stop the server, then reindex its data directory with --data".to_owned()))
            }
        }
    }

    /// Finishes what was begun. Without this a store in this process is left as a crash would leave it.
    pub(crate) async fn close(self) {
        match self.transport {
            Transport::Remote { .. } => {}
            Transport::InProcess(running) => running.finish().await,
        }
    }
}

async fn send_remote(
    http: &reqwest::Client,
    key: Option<&SecretString>,
    url: Url,
    call: Call,
) -> Result<Answer, TransportError> {
    let mut request = http.request(call.method, url);
    if let Some(key) = key {
        request = request.bearer_auth(key.expose_secret());
    }
    if let Some((kind, body)) = call.content {
        request = request.header("content-type", kind).body(body);
    }
    let response = request.send().await?;
    Ok(Answer { status: response.status().as_u16(), body: response.bytes().await? })
}

async fn send_inside(running: &Running, url: &Url, call: Call) -> Result<Answer, TransportError> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = Request::builder().method(call.method).uri(target);
    let body = match call.content {
        Some((kind, body)) => {
            request = request.header("content-type", kind).header("content-length", body.len());
            Body::from(body)
        }
        None => Body::empty(),
    };
    let mut request = request.body(body).map_err(TransportError::Request)?;
    request.extensions_mut().insert(km_server::Principal::Local);
    let response = match running.router().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(TransportError::Body)?.to_bytes();
    Ok(Answer { status, body })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    fn path(call: &Call) -> String {
        let url = call.url(&Url::parse("http://host:1/km/").expect("a URL"));
        url.as_str().trim_start_matches("http://host:1").to_owned()
    }

    #[test]
    fn ids_and_values_are_escaped() {
        let call = Call::get("/v1/incidents").segment("INC 1/../2?x").query("label.a b", "c&d=数据");
        assert_eq!(path(&call), "/km/v1/incidents/INC%201%2F..%2F2%3Fx?label.a+b=c%26d%3D%E6%95%B0%E6%8D%AE");
    }

    #[test]
    fn an_action_belongs_to_its_segment() {
        assert_eq!(
            path(&Call::post("/v1/dead-letters").segment("a").action("edit")),
            "/km/v1/dead-letters/a:edit"
        );
    }
}
