//! The settings of rooms.

use std::sync::Arc;

use chat_protocol::{RoomChange, RoomName, RoomSettings};
use diesel::prelude::*;

use super::numbers::Room;
use super::schema::{rooms, unsigned};
use crate::{
    AppendError, Appended, HistoryError, HistoryErrorKind, NewRoomChange, Permission, StoredEvent,
    StoredSettings,
};

/// The settings of a room. The outer error is that of the database, the inner one that of the row.
pub(super) fn read(
    connection: &mut SqliteConnection,
    room: &RoomName,
) -> QueryResult<Result<StoredSettings, HistoryError>> {
    let found = rooms::table
        .filter(rooms::name.eq(room.as_str()))
        .select((rooms::settings, rooms::policy_version))
        .first::<(Option<String>, i64)>(connection)
        .optional()?;
    let (text, version) = found.unwrap_or_default();
    Ok(parse(room, text.as_deref()).map(|settings| StoredSettings::new(settings, unsigned(version))))
}

/// Changes the settings of a room. The outer error is that of the database.
pub(super) fn change(
    connection: &mut SqliteConnection,
    room: &mut Room,
    change: NewRoomChange,
) -> QueryResult<Result<Appended, AppendError>> {
    if let Err(reason) = Permission::check(change.permission, unsigned(room.policy_version)) {
        return Ok(Err(reason.into_error(change)));
    }
    let NewRoomChange { room: name, settings, by, .. } = change;
    let row = rooms::table.find(room.id);
    let text: Option<String> = row.select(rooms::settings).first(connection)?;
    match parse(&name, text.as_deref()) {
        Ok(before) if before == settings => return Ok(Ok(Appended::Unchanged)),
        Ok(_) => {}
        Err(error) => return Ok(Err(error.into())),
    }
    let text = match serde_json::to_string(&settings) {
        Ok(text) => text,
        Err(error) => return Ok(Err(HistoryError::other(error).into())),
    };
    room.policy_version += 1;
    diesel::update(row)
        .set((rooms::settings.eq(text), rooms::policy_version.eq(room.policy_version)))
        .execute(connection)?;
    let change = RoomChange::new(name, unsigned(room.next_seq), settings).by(by);
    room.next_seq += 1;
    let event = StoredEvent::RoomChange(Arc::new(change), unsigned(room.policy_version));
    Ok(Ok(Appended::Stored(event)))
}

/// Raises the version of the policy.
pub(super) fn raise_version(connection: &mut SqliteConnection, room: &mut Room) -> QueryResult<Appended> {
    room.policy_version += 1;
    diesel::update(rooms::table.find(room.id))
        .set(rooms::policy_version.eq(room.policy_version))
        .execute(connection)?;
    Ok(Appended::NewRules(unsigned(room.policy_version)))
}

fn parse(room: &RoomName, text: Option<&str>) -> Result<RoomSettings, HistoryError> {
    let Some(text) = text else { return Ok(RoomSettings::default()) };
    serde_json::from_str(text).map_err(|error| {
        HistoryError::new(HistoryErrorKind::Damaged, format!("the settings of the room {room}: {error}"))
    })
}
