//! The contract of a store of usage.

use std::fmt;

use chat_protocol::RoomName;
use chat_rooms::RoomUsage;
use futures::future::BoxFuture;

use crate::{Day, UsageError};

/// Which usage to read.
#[derive(Debug, Clone)]
pub struct Query {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// Only the usage of this room.
    pub room: Option<RoomName>,
    /// Only rows after this one: the last row of the previous page.
    pub after: Option<(Day, RoomName)>,
    /// The maximum number of rows.
    pub limit: usize,
}

/// A page of usage statistics, ordered by day and room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// At most [`Query::limit`] rows.
    pub rows: Vec<Row>,
    /// Whether there are more rows after these.
    pub more: bool,
}

impl Page {
    /// A page with these rows.
    pub fn new(rows: Vec<Row>, more: bool) -> Self {
        Self { rows, more }
    }
}

/// The usage of a room on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The day.
    pub day: Day,
    /// The name of the room, as it was stored.
    pub room: String,
    /// The usage.
    pub usage: RoomUsage,
}

impl Row {
    /// The usage of a room on a day.
    pub fn new(day: Day, room: impl Into<String>, usage: RoomUsage) -> Self {
        Self { day, room: room.into(), usage }
    }
}

/// Where usage is stored: one row for each room and day with messages.
///
/// The methods return boxed futures so that the trait can be used as `dyn UsageStore`. A future
/// that is dropped before it was polled has no effect.
pub trait UsageStore: fmt::Debug + Send + Sync + 'static {
    /// Adds usage to what is stored. A day and room must not occur twice in `usage`. A room without
    /// messages gets no row; it only raises the peak of a row that exists.
    ///
    /// All of it is added or nothing. After an error it is usually nothing; if the connection to
    /// the database failed at the wrong moment, it may be all.
    ///
    /// # Errors
    /// [`UsageError`] if the store fails.
    fn add(&self, usage: Vec<(Day, RoomName, RoomUsage)>) -> BoxFuture<'_, Result<(), UsageError>>;

    /// Reads a page, ordered by day and by the bytes of the room's name.
    ///
    /// # Errors
    /// [`UsageError`] if the store fails.
    fn page(&self, query: Query) -> BoxFuture<'_, Result<Page, UsageError>>;

    /// Removes at most `limit` rows of earlier days. Returns whether there may be more of them.
    ///
    /// # Errors
    /// [`UsageError`] if the store fails.
    fn remove_before(&self, day: Day, limit: usize) -> BoxFuture<'_, Result<bool, UsageError>>;
}
