//! The usage of rooms.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chat_protocol::Timestamp;
use chat_usage::Day;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, Problem, not_stored, parse, query, unavailable};
use crate::Admin;

/// The maximum number of rows of a page.
const MAX_ROWS: usize = 1_000;

/// The parameters of the query: the days, the room and the page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    /// The first day, for example 2026-11-28. Default: `to`.
    from: Option<String>,
    /// The last day. Default: today.
    to: Option<String>,
    /// Only the usage of this room.
    room: Option<String>,
    /// `next` of the previous page.
    after: Option<String>,
}

/// A page of usage statistics, ordered by day and room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// At most 1,000 rows: the rooms that had members on each day.
    pub usage: Vec<UsageRow>,
    /// The value of `after` for the next page; `null` on the last page.
    pub next: Option<String>,
}

/// The usage of a room on a day (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    /// The day, for example 2026-11-28.
    pub day: String,
    /// The room's name.
    pub room: String,
    /// The highest number of members at the same time.
    pub peak_members: u64,
    /// The number of messages that were stored.
    pub messages: u64,
    /// The number of bytes of their text.
    pub bytes: u64,
}

/// List the usage of rooms by day, up to now.
#[utoipa::path(get, path = "/v1/usage", operation_id = "usage", params(UsageQuery),
    responses((status = 200, body = Usage), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "the server has no database file"),
        (status = 503, body = Problem, description = "the database does not answer")))]
pub(super) async fn list(
    State(admin): State<Admin>,
    params: Result<Query<UsageQuery>, QueryRejection>,
) -> Result<Json<Usage>, ApiError> {
    let Some(usage) = &admin.usage else {
        return Err(not_stored("usage statistics", "a database file (--database)"));
    };
    let UsageQuery { from, to, room, after } = query(params)?;
    let day = |text: Option<String>| text.map(|text| parse::<Day>(&text)).transpose();
    let to = day(to)?.unwrap_or_else(|| Day::of(Timestamp::now()));
    let query = chat_usage::Query {
        from: day(from)?.unwrap_or(to),
        to,
        room: room.map(|room| parse(&room)).transpose()?,
        after: after.map(|after| cursor(&after)).transpose()?,
        limit: MAX_ROWS,
    };
    let page = usage.page(query).await.map_err(|error| unavailable(&error))?;
    let next = page.rows.last().filter(|_| page.more).map(|last| format!("{} {}", last.day, last.room));
    let row = |row: chat_usage::Row| UsageRow {
        day: row.day.to_string(),
        room: row.room,
        peak_members: row.usage.peak_members,
        messages: row.usage.messages,
        bytes: row.usage.bytes,
    };
    Ok(Json(Usage { usage: page.rows.into_iter().map(row).collect(), next }))
}

fn cursor(text: &str) -> Result<(Day, chat_protocol::RoomName), ApiError> {
    let (day, room) = text.split_once(' ').unwrap_or((text, ""));
    Ok((parse(day)?, parse(room)?))
}
