//! Asks a Prometheus, or what speaks its API.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use km_model::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};

use crate::address::{Address, ClientError, Credentials};
use crate::answer;
use crate::evaluate::{ErrorReason, Measured, Reading, Trouble, Verdict, evaluate};
use crate::objective::{Indicator, Objective, Query};
use crate::promql;
use crate::report::Report;

/// The longest answer that is read. One number takes a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// A query that is longer is sent in a body, since addresses are cut on the way.
const QUERY_BYTES_IN_ADDRESS_MAX: usize = 2_000;
/// Objectives that are asked for at the same time.
const OBJECTIVES_AT_ONCE: usize = 8;
/// Selectors of one query that are looked up in the window at most.
const SELECTORS_MAX: usize = 8;

/// After so many queries in a row without an answer no more are asked in a run.
const SILENCES_MAX: usize = 8;

/// Asks a Prometheus.
#[derive(Clone, Debug)]
pub struct Prometheus {
    http: Client,
    query: Url,
    credentials: Credentials,
    timeout: Duration,
}

/// What the queries of one run have in common.
struct Run {
    at: Timestamp,
    /// Queries in a row that were not answered in time.
    silences: AtomicUsize,
}

impl Prometheus {
    /// A client of the Prometheus at `address`, which waits at most `timeout` for an answer.
    ///
    /// # Errors
    /// The client cannot be set up on this machine.
    pub fn new(address: &Address, credentials: Credentials, timeout: Duration) -> Result<Self, ClientError> {
        // Followed redirects lead to the login page, and could carry credentials elsewhere.
        let http = Client::builder().timeout(timeout).redirect(Policy::none()).build()?;
        Ok(Self { http, query: address.call(&["api", "v1", "query"]), credentials, timeout })
    }

    /// Evaluates every objective at one instant.
    ///
    /// A Prometheus that is silent is not waited for again and again: the objectives that are left are then
    /// unreachable too.
    pub async fn check(&self, objectives: &[Objective], at: Timestamp) -> Report {
        let run = Run { at, silences: AtomicUsize::new(0) };
        let asked: Vec<_> = objectives.iter().map(|objective| self.judge(objective, &run)).collect();
        let judged = stream::iter(asked).buffered(OBJECTIVES_AT_ONCE).collect().await;
        Report::of(at, judged)
    }

    async fn judge<'a>(&self, objective: &'a Objective, run: &Run) -> (&'a Objective, Verdict) {
        (objective, evaluate(objective, &self.measure(objective, run).await))
    }

    /// Asks what an objective takes: all events first, then their part.
    async fn measure(&self, objective: &Objective, run: &Run) -> Measured {
        match &objective.indicator {
            Indicator::Bad { bad: part, total } | Indicator::Good { good: part, total } => {
                let all = match self.over_window(objective, total, run).await {
                    Ok(all) => all,
                    // Whatever the part is, it will say nothing: one failure is enough to wait for.
                    Err(trouble) => {
                        return Measured::Counts { total: Err(trouble), part: Ok(Reading::Absent) };
                    }
                };
                let part = self.over_window(objective, part, run).await;
                let total = self.reading(all, objective, total, run).await;
                let part = part.map(|number| number.map_or(Reading::Absent, Reading::Value));
                Measured::Counts { total: Ok(total), part }
            }
            Indicator::Raw { ratio, .. } => {
                Measured::Ratio(match self.over_window(objective, ratio, run).await {
                    Ok(number) => Ok(self.reading(number, objective, ratio, run).await),
                    Err(trouble) => Err(trouble),
                })
            }
        }
    }

    async fn over_window(
        &self,
        objective: &Objective,
        query: &Query,
        run: &Run,
    ) -> Result<Option<f64>, Trouble> {
        self.number(&query.over(&objective.window.to_string()), run).await
    }

    /// Tells a query whose series are gone from one that never had any.
    async fn reading(&self, number: Option<f64>, objective: &Objective, query: &Query, run: &Run) -> Reading {
        match number {
            Some(number) => Reading::Value(number),
            None if self.was_there(objective, query, run).await => Reading::Stale,
            None => Reading::Absent,
        }
    }

    /// Whether any selector of a query found a series within the window. Where that cannot be asked, it was not seen.
    async fn was_there(&self, objective: &Objective, query: &Query, run: &Run) -> bool {
        let window = objective.window.to_string();
        let text = query.over(&window);
        let look = |selector: promql::Selector| {
            Some(format!("count(count_over_time({}[{window}]))", text.get(selector.bytes)?))
        };
        let looks: Vec<String> =
            promql::selectors(&text).into_iter().take(SELECTORS_MAX).filter_map(look).collect();
        if looks.is_empty() {
            return false;
        }
        matches!(self.number(&looks.join(" or "), run).await, Ok(Some(series)) if series > 0.0)
    }

    /// The number that a query gives, or `None` when it gives no series.
    async fn number(&self, query: &str, run: &Run) -> Result<Option<f64>, Trouble> {
        if run.silences.load(Ordering::Relaxed) >= SILENCES_MAX {
            let reason = format!("not asked, after {SILENCES_MAX} queries without an answer");
            return Err(Trouble::new(ErrorReason::Unreachable, reason));
        }
        let request = self.credentials.show(self.request(query, run.at)).map_err(|error| {
            Trouble::new(ErrorReason::Auth, format!("the credentials cannot be read: {error}"))
        })?;
        match self.answer(request).await {
            Ok(answer) => {
                run.silences.store(0, Ordering::Relaxed);
                answer
            }
            Err(error) if error.is_timeout() => {
                run.silences.fetch_add(1, Ordering::Relaxed);
                let reason = format!("no answer within {:?}", self.timeout);
                Err(Trouble::new(ErrorReason::Unreachable, reason))
            }
            Err(error) => Err(Trouble::new(ErrorReason::Unreachable, causes(&error.without_url()))),
        }
    }

    /// What was answered, or why nothing whole came.
    async fn answer(&self, request: RequestBuilder) -> reqwest::Result<Result<Option<f64>, Trouble>> {
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                let reason = format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20);
                return Ok(Err(Trouble::new(ErrorReason::Protocol, reason)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(answer::read(status, &body))
    }

    fn request(&self, query: &str, at: Timestamp) -> RequestBuilder {
        let micros = at.as_micros();
        let time = format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        // Prometheus gives up a little earlier than we do, and can then say so.
        let patience = format!("{}ms", (self.timeout.as_millis() * 4 / 5).max(1));
        let mut url = self.query.clone();
        url.query_pairs_mut().extend_pairs([("query", query), ("time", &time), ("timeout", &patience)]);
        if query.len() <= QUERY_BYTES_IN_ADDRESS_MAX {
            return self.http.get(url);
        }
        let body = url.query().unwrap_or_default().to_owned();
        let form = "application/x-www-form-urlencoded";
        self.http.post(self.query.clone()).header("content-type", form).body(body)
    }
}

/// An error with its causes, on one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    answer::shown(&text)
}
