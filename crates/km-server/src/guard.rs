//! What every request passes: a bound on requests under way, a bound on time, and a net under faults.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::time::timeout;
use tracing::error;

use crate::app::App;
use crate::code::Code;
use crate::problem::Problem;
use crate::request::expect_acceptable;

/// Works on a request if there is a place, within the time that it may take.
pub(crate) async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let _place = match app.limits.enter() {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    if let Err(problem) = expect_acceptable(request.headers()) {
        return problem.into_response();
    }
    let limit = app.limits.request_timeout;
    match timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            error!(code = Code::Internal.id(), "a request met a fault of km");
            Problem::internal().into_response()
        }
        Err(_) => {
            let detail = format!("the request took longer than {} s", limit.as_secs_f64());
            Problem::new(Code::RequestTimeout, detail).into_response()
        }
    }
}

/// Counts answers by status.
pub(crate) async fn counted(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.metrics.answered(response.status());
    response
}

/// Answers are data of now: no cache keeps them, and no browser guesses what they are.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

pub(crate) async fn no_such_call() -> Problem {
    Problem::new(Code::NoSuchCall, "there is no call at this address")
}

pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this address does not take this method")
}

#[cfg(test)]
mod tests;
