//! The settings of rooms.

use std::sync::Arc;

use chat_protocol::{RoomChange, RoomName, RoomSettings, Timestamp, Visibility};
use diesel::prelude::*;

use super::DbConnection;
use super::room::Room;
use super::schema::{messages, rooms, row_key, signed, unsigned};
use crate::{
    AppendError, Appended, HistoryError, HistoryErrorKind, NewRoomChange, Permission, PublicRoom,
    StoredEvent, StoredSettings,
};

/// The settings of a room. The outer error is that of the database, the inner one that of the row.
pub(crate) fn read(
    connection: &mut DbConnection,
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

/// The rooms that are public. The outer error is that of the database, the inner one that of a row.
pub(crate) fn public_rooms(
    connection: &mut DbConnection,
    limit: usize,
) -> QueryResult<Result<Vec<PublicRoom>, HistoryError>> {
    let found: Vec<(i64, String, Option<String>)> = rooms::table
        .filter(rooms::is_public)
        .limit(signed(limit as u64))
        .select((rooms::id, rooms::name, rooms::settings))
        .load(connection)?;
    let mut public = Vec::with_capacity(found.len());
    for (id, name, text) in found {
        let room = match name.parse::<RoomName>() {
            Ok(room) => room,
            Err(error) => {
                let error = format!("the name of the room {name:?}: {error}");
                return Ok(Err(HistoryError::new(HistoryErrorKind::Damaged, error)));
            }
        };
        let settings = match parse(&room, text.as_deref()) {
            Ok(settings) => settings,
            Err(error) => return Ok(Err(error)),
        };
        let newest: Option<i64> = messages::table
            .filter(messages::row_key.between(row_key(id, 0), row_key(id + 1, 0) - 1))
            .order(messages::row_key.desc())
            .select(messages::sent_at)
            .first(connection)
            .optional()?;
        public.push(PublicRoom::new(room, settings, newest.map(Timestamp::from_millis)));
    }
    Ok(Ok(public))
}

/// Changes the settings of a room. The outer error is that of the database.
pub(crate) fn change(
    connection: &mut DbConnection,
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
        .set((
            rooms::settings.eq(text),
            rooms::policy_version.eq(room.policy_version),
            rooms::is_public.eq(settings.visibility == Visibility::Public),
        ))
        .execute(connection)?;
    let change = RoomChange::new(name, unsigned(room.next_seq), settings).by(by);
    room.next_seq += 1;
    let event = StoredEvent::RoomChange(Arc::new(change), unsigned(room.policy_version));
    Ok(Ok(Appended::Stored(event)))
}

/// Raises the version of the policy.
pub(crate) fn raise_version(connection: &mut DbConnection, room: &mut Room) -> QueryResult<Appended> {
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
