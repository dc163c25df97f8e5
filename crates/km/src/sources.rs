//! Asks Alertmanager and Prometheus over HTTP what fires and what fired. Their answers are read by `km-intake`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use km_contract::port::{FiringSeries, Monitor, MonitorError, Sighting};
use km_contract::reconcile::{Source, SourceLimits};
use km_intake::prometheus::{self, SentLabels, Series};
use km_intake::{Unreadable, alertmanager};
use km_model::{AlertNotice, Timestamp};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode, Url};

use crate::answer::{self, Unread};
use crate::config::SourceSection;
use crate::failure::Failure;

/// The longest that one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// One source, over HTTP.
struct HttpMonitor {
    http: reqwest::Client,
    alertmanagers: Vec<Url>,
    prometheus: Option<Url>,
    credentials: Credentials,
    /// What is configured of labels; asked of Prometheus where nothing is.
    sent: Option<SentLabels>,
    dropped: std::collections::BTreeSet<String>,
}

/// Files are read for every question, so that a secret can be replaced while km runs.
enum Credentials {
    None,
    Bearer(PathBuf),
    Basic(String, PathBuf),
}

/// The sources of a configuration.
///
/// # Errors
/// No HTTP client can be made.
pub(crate) fn sources(sections: &[SourceSection]) -> Result<Vec<Source>, Failure> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("km/", env!("CARGO_PKG_VERSION")))
        .build();
    let client = client
        .map_err(|error| Failure::Unreachable { url: "the sources".to_owned(), source: error.into() })?;
    Ok(sections.iter().map(|section| source(section, &client)).collect())
}

fn source(section: &SourceSection, http: &reqwest::Client) -> Source {
    let sent = |added| SentLabels { added, dropped: section.dropped_labels.clone() };
    let monitor = HttpMonitor {
        http: http.clone(),
        alertmanagers: section.alertmanagers.clone(),
        prometheus: section.prometheus.clone(),
        credentials: Credentials::of(section),
        sent: section.external_labels.clone().map(sent),
        dropped: section.dropped_labels.clone(),
    };
    Source {
        name: section.name.clone(),
        tenant: section.tenant.clone(),
        owns: section.owns.clone(),
        limits: SourceLimits {
            absent_for: section.absent_for.0,
            look_back: section.look_back.0,
            step: section.step.0,
        },
        monitor: Arc::new(monitor),
    }
}

#[async_trait]
impl Monitor for HttpMonitor {
    async fn firing(&self) -> Vec<Result<Vec<AlertNotice>, MonitorError>> {
        let mut answers = Vec::with_capacity(self.alertmanagers.len());
        for peer in &self.alertmanagers {
            let states =
                ["active", "silenced", "inhibited", "unprocessed"].map(|state| (state, "true".to_owned()));
            let answer = self.get(peer, &["api", "v2", "alerts"], &states).await;
            answers.push(
                answer.and_then(|body| alertmanager::read_firing(&body).map_err(|why| unread(peer, &why))),
            );
        }
        answers
    }

    fn remembers(&self) -> bool {
        self.prometheus.is_some()
    }

    async fn history(
        &self,
        from: Timestamp,
        through: Timestamp,
        step: Duration,
    ) -> Result<Vec<FiringSeries>, MonitorError> {
        let Some(prometheus) = &self.prometheus else { return Ok(Vec::new()) };
        let sent = self.sent_labels(prometheus).await?;
        let query = [
            ("query", prometheus::QUERY.to_owned()),
            ("start", from.to_string()),
            ("end", through.to_string()),
            ("step", step.as_secs_f64().to_string()),
        ];
        let body = self.get(prometheus, &["api", "v1", "query_range"], &query).await?;
        let series = prometheus::series(&body, &sent).map_err(|why| unread(prometheus, &why))?;
        Ok(series.into_iter().map(seen).collect())
    }
}

impl HttpMonitor {
    async fn sent_labels(&self, prometheus: &Url) -> Result<SentLabels, MonitorError> {
        if let Some(sent) = &self.sent {
            return Ok(sent.clone());
        }
        let body = self.get(prometheus, &["api", "v1", "status", "config"], &[]).await?;
        let mut sent = prometheus::sent_labels(&body).map_err(|why| unread(prometheus, &why))?;
        sent.dropped.extend(self.dropped.iter().cloned());
        Ok(sent)
    }

    /// The body of a 200.
    async fn get(
        &self,
        base: &Url,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Vec<u8>, MonitorError> {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.credentials.sign(self.http.get(url)).map_err(|what| failed(base, what))?;
        let answer = request.send().await.map_err(|error| broken(base, error))?;
        body(base, answer).await
    }
}

impl Credentials {
    fn of(section: &SourceSection) -> Self {
        match (&section.bearer_token_file, &section.username, &section.password_file) {
            (Some(file), ..) => Self::Bearer(file.clone()),
            (None, Some(username), Some(file)) => Self::Basic(username.clone(), file.clone()),
            (None, ..) => Self::None,
        }
    }

    fn sign(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        let secret = |file: &PathBuf| {
            let text =
                std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            Ok::<_, String>(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        Ok(match self {
            Self::None => request,
            Self::Bearer(file) => request.bearer_auth(secret(file)?),
            Self::Basic(username, file) => request.basic_auth(username, Some(secret(file)?)),
        })
    }
}

async fn body(whom: &Url, answer: Response) -> Result<Vec<u8>, MonitorError> {
    let status = answer.status();
    if status != StatusCode::OK {
        // Prometheus answers 422 where a query would load too many samples.
        let too_large = status == StatusCode::UNPROCESSABLE_ENTITY;
        return Err(MonitorError { too_large, ..failed(whom, format!("answered {}", status.as_u16())) });
    }
    answer::read(answer, ANSWER_BYTES_MAX).await.map_err(|unread| match unread {
        Unread::Broken(error) => broken(whom, error),
        Unread::TooLarge => {
            let what = format!("the answer is larger than {} MiB", ANSWER_BYTES_MAX >> 20);
            MonitorError { too_large: true, ..failed(whom, what) }
        }
    })
}

fn seen(series: Series) -> FiringSeries {
    let Series { fingerprint, labels, looks } = series;
    let sightings = looks.into_iter().map(|(at, sampled_at)| Sighting { at, sampled_at }).collect();
    FiringSeries { fingerprint, labels, sightings }
}

fn failed(whom: &Url, what: String) -> MonitorError {
    MonitorError { whom: whom.to_string(), what, too_large: false }
}

fn unread(whom: &Url, why: &Unreadable) -> MonitorError {
    let hint =
        if why.code == prometheus::RELABELLED { ": name external-labels and dropped-labels" } else { "" };
    let what = format!("{}{hint} ({})", why.reason, why.code);
    MonitorError { too_large: why.code == prometheus::TOO_MANY, ..failed(whom, what) }
}

/// An error of the connection with its causes, without the address, which may be long.
fn broken(whom: &Url, error: reqwest::Error) -> MonitorError {
    let error = error.without_url();
    let mut what = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        what = format!("{what}: {error}");
        cause = error.source();
    }
    failed(whom, what)
}
