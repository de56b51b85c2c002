//! What users have reported.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::audit::Named;
use super::error::{ApiError, PathParams, Problem, not_found, parse, query, unavailable};
use crate::Admin;

/// How many reports a page has, unless the request says.
const PAGE: usize = 100;

/// A page of open reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reports {
    /// The newest first.
    pub reports: Vec<Report>,
    /// For `before` in the next request; absent if there are no older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A message that a user has reported. It is open until a moderator closes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The number of the report.
    pub number: u64,
    /// When it was reported, RFC 3339 in UTC.
    pub at: String,
    /// The room.
    pub room: String,
    /// Who has reported it.
    pub by: Named,
    /// The number of the message.
    pub target: u64,
    /// Who has written the message.
    pub author: Named,
    /// The text of the message when it was reported, in Markdown. Absent: it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Why it was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&chat_access::Report> for Report {
    fn from(chat_access::Report { number, report }: &chat_access::Report) -> Self {
        Self {
            number: *number,
            at: report.at.to_string(),
            room: report.room.to_string(),
            by: Named::from(&report.by),
            target: report.target,
            author: Named::from(&report.author),
            body: report.body.as_deref().map(str::to_owned),
            reason: report.reason.as_ref().map(ToString::to_string),
        }
    }
}

/// The parameters of the query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportParams {
    /// Only reports in this room.
    room: Option<String>,
    /// Only reports with a smaller number: `next` of the previous answer.
    before: Option<u64>,
    /// The maximum number of reports (default: 100, at most 500).
    limit: Option<usize>,
}

/// Read the open reports, newest first.
#[utoipa::path(get, path = "/v1/reports", operation_id = "reports", params(ReportParams),
    responses((status = 200, body = Reports), (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn list(
    State(admin): State<Admin>,
    params: Result<Query<ReportParams>, QueryRejection>,
) -> Result<Json<Reports>, ApiError> {
    let ReportParams { room, before, limit } = query(params)?;
    let limit = limit.unwrap_or(PAGE).clamp(1, chat_access::MAX_PAGE);
    let room = room.map(|room| parse(&room)).transpose()?;
    let found = admin.control.engine().access().reports(room, before, limit).await;
    let found = found.map_err(|error| unavailable(&error))?;
    let next = (found.len() == limit).then(|| found.last().map(|report| report.number)).flatten();
    Ok(Json(Reports { reports: found.iter().map(Report::from).collect(), next }))
}

/// Close a report.
#[utoipa::path(delete, path = "/v1/rooms/{room}/reports/{number}", operation_id = "close_report",
    params(("room" = String, Path), ("number" = u64, Path)),
    responses((status = 204), (status = 404, body = Problem, description = "there is no such open report"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn close(
    State(admin): State<Admin>,
    PathParams((room, number)): PathParams<(String, u64)>,
) -> Result<StatusCode, ApiError> {
    let closed = admin.control.engine().access().close_report(parse(&room)?, number, None).await;
    match closed.map_err(|error| unavailable(&error))? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(not_found(format!("there is no open report {number} in the room \"{room}\""))),
    }
}
