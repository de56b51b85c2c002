//! The announcement of the operator: at most one row.

use chat_protocol::{NoticeLevel, Timestamp};
use diesel::prelude::*;

use super::schema::{announcement, damaged, parsed};
use super::{Backend, DbConnection, Done, act, text};
use crate::audit::{AuditRecord, Named, NewRecord};
use crate::{AccessError, Announcement};

/// The key of the only row.
const KEY: i64 = 1;

const LEVELS: [(NoticeLevel, &str); 2] = [(NoticeLevel::Info, "info"), (NoticeLevel::Warning, "warning")];

#[derive(Queryable, Selectable)]
#[diesel(table_name = announcement, check_for_backend(Backend))]
struct Row {
    id: String,
    level: String,
    body: String,
    made_at: i64,
}

impl Row {
    fn announcement(self) -> Result<Announcement, AccessError> {
        let level = LEVELS.into_iter().find(|(_, name)| *name == self.level).map(|(level, _)| level);
        Ok(Announcement {
            id: parsed("the id of the announcement", &self.id)?,
            level: level.ok_or_else(|| damaged("the level of the announcement", &self.level))?,
            body: text::from_stored(self.body).into(),
            made_at: Timestamp::from_millis(self.made_at),
        })
    }
}

pub(super) fn read(connection: &mut DbConnection) -> Done<Option<Announcement>> {
    let row: Option<Row> =
        announcement::table.find(KEY).select(Row::as_select()).first(connection).optional()?;
    Ok(row.map(Row::announcement).transpose()?)
}

pub(super) fn set(
    connection: &mut DbConnection,
    new: Option<&Announcement>,
    by: Option<Named>,
) -> Done<Option<AuditRecord>> {
    let removed = diesel::delete(announcement::table).execute(connection)?;
    if removed == 0 && new.is_none() {
        return Ok(None);
    }
    let record = act::record(connection, NewRecord::of_announcement(new, by))?;
    let Some(Announcement { id, level, body, made_at }) = new else { return Ok(Some(record)) };
    let level = LEVELS.into_iter().find(|(known, _)| known == level).map_or("info", |(_, name)| name);
    diesel::insert_into(announcement::table)
        .values((
            announcement::single.eq(KEY),
            announcement::id.eq(id.as_str()),
            announcement::level.eq(level),
            announcement::body.eq(text::to_stored(body)),
            announcement::made_at.eq(made_at.as_millis()),
        ))
        .execute(connection)?;
    Ok(Some(record))
}
