//! The metrics, for Prometheus.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::Admin;

/// The media type of the text format, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders the metrics.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<dyn Fn() -> String + Send + Sync>);

impl Metrics {
    pub(crate) fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

pub(crate) async fn metrics(State(admin): State<Admin>) -> Response {
    let Some(Metrics(render)) = &admin.metrics else { return StatusCode::NOT_FOUND.into_response() };
    admin.control.record_gauges().await;
    ([(CONTENT_TYPE, TEXT)], render()).into_response()
}
