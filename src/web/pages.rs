//! The three pages and their answers; anything else is 404, any method but GET and HEAD 405.
//! It must not know sockets, nor decide what is healthy.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::web::metrics;
use crate::web::status::{Page, Status};

/// The pages of a daemon.
pub(super) fn pages(status: Arc<Status>) -> Router {
    Router::new()
        .route("/healthz", only_read(get(health)))
        .route("/readyz", only_read(get(readiness)))
        .route("/metrics", only_read(get(measures)))
        .fallback(async || plain(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics\n"))
        .with_state(status)
}

fn only_read(page: MethodRouter<Arc<Status>>) -> MethodRouter<Arc<Status>> {
    page.fallback(async || plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"))
}

async fn health(State(status): State<Arc<Status>>) -> Response {
    json(&status.health())
}

async fn readiness(State(status): State<Arc<Status>>) -> Response {
    json(&status.readiness())
}

async fn measures(State(status): State<Arc<Status>>) -> Response {
    match status.metrics().text() {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => broken(&error.to_string()),
    }
}

fn json(page: &Page) -> Response {
    let code = if page.good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(page) {
        Ok(text) => answer(code, "application/json", text + "\n"),
        Err(error) => broken(&error.to_string()),
    }
}

fn plain(code: StatusCode, text: &str) -> Response {
    answer(code, "text/plain; charset=utf-8", text.to_owned())
}

fn broken(why: &str) -> Response {
    tracing::error!("the page cannot be written: {why}");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written, see the log\n")
}

/// One response per connection: a client that keeps its connection would keep a place (see `visitor`).
fn answer(code: StatusCode, content: &'static str, text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONNECTION, HeaderValue::from_static("close")),
    ];
    (code, headers, text).into_response()
}
