//! Reactions: who has put which emoji on which message, and how many.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use chat_protocol::{
    Emoji, MAX_REACTIONS, OwnReactions, REACTION_NAMES, Reaction, ReactionChange, Reactor, RoomName, UserId,
    Username,
};
use diesel::prelude::*;

use super::read;
use super::room::Room;
use super::schema::{messages, reaction_counts, reactions, rooms, row_key, seq_of, signed, unsigned};
use super::{DbConnection, snapshot};
use crate::{
    AppendError, Appended, HistoryError, HistoryErrorKind, NewReaction, Own, Permission, StoredEvent,
    StoredReaction,
};

/// How many values one statement compares with.
const MAX_VALUES: usize = 500;

/// The count of one emoji on one message.
#[derive(Queryable, Selectable)]
#[diesel(table_name = reaction_counts, check_for_backend(super::Backend))]
struct Count {
    row_key: i64,
    emoji: String,
    count: i64,
    names: String,
}

impl Count {
    fn reaction(self, room: &RoomName) -> Result<Reaction, HistoryError> {
        let names = self.names.split(' ').filter(|name| !name.is_empty()).map(Username::parse);
        let names = names.collect::<Result<_, _>>().map_err(|error| fault(room, self.row_key, error))?;
        Ok(Reaction::new(Emoji::from_parsed(self.emoji), unsigned(self.count), names))
    }
}

fn fault(room: &RoomName, row_key: i64, what: impl Display) -> HistoryError {
    let text = format!("the reactions on message {} of the room {room}: {what}", seq_of(row_key));
    HistoryError::new(HistoryErrorKind::Damaged, text)
}

/// The reactions on these messages, by number. The outer error is that of the database, the inner
/// one that of a row.
pub(crate) fn of_messages(
    connection: &mut DbConnection,
    room: &RoomName,
    row_keys: &[i64],
) -> QueryResult<Result<HashMap<u64, Vec<Reaction>>, HistoryError>> {
    let mut found: HashMap<u64, Vec<Reaction>> = HashMap::new();
    for some in row_keys.chunks(MAX_VALUES) {
        let counts = reaction_counts::table
            .filter(reaction_counts::row_key.eq_any(some))
            .order((reaction_counts::row_key, reaction_counts::first_seq))
            .select(Count::as_select())
            .load(connection)?;
        for count in counts {
            let seq = unsigned(seq_of(count.row_key));
            match count.reaction(room) {
                Ok(reaction) => found.entry(seq).or_default().push(reaction),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(Ok(found))
}

/// The reactions on one message. The outer error is that of the database, the inner one that of a
/// row.
pub(crate) fn of_message(
    connection: &mut DbConnection,
    room: &RoomName,
    row_key: i64,
) -> QueryResult<Result<Vec<Reaction>, HistoryError>> {
    let mut found = match of_messages(connection, room, &[row_key])? {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(found.remove(&unsigned(seq_of(row_key))).unwrap_or_default()))
}

/// Which reactions on these messages are of one of these users.
pub(crate) fn own(
    connection: &mut DbConnection,
    room: &RoomName,
    targets: &[u64],
    users: &[UserId],
) -> QueryResult<Own> {
    snapshot(connection, |connection| {
        let found = rooms::table
            .filter(rooms::name.eq(room.as_str()))
            .select((rooms::id, rooms::next_seq))
            .first::<(i64, i64)>(connection)
            .optional()?;
        let Some((room_id, next_seq)) = found else { return Ok(Own::default()) };
        let targets = targets.iter().map(|target| signed(*target)).filter(|target| *target < next_seq);
        let row_keys: Vec<_> = targets.map(|target| row_key(room_id, target)).collect();
        let users: Vec<_> = users.iter().map(UserId::as_str).collect();
        let mut own = OwnReactions::new();
        for some in row_keys.chunks(MAX_VALUES) {
            let found: Vec<(i64, String)> = reactions::table
                .filter(reactions::row_key.eq_any(some))
                .filter(reactions::user.eq_any(&users))
                .select((reactions::row_key, reactions::emoji))
                .distinct()
                .load(connection)?;
            for (row_key, emoji) in found {
                own.entry(unsigned(seq_of(row_key))).or_default().push(Emoji::from_parsed(emoji));
            }
        }
        Ok(Own::new(own, unsigned(next_seq - 1)))
    })
}

/// Puts an emoji on a message, or removes it. The target has to be in the table if it exists.
pub(crate) fn react(
    connection: &mut DbConnection,
    room: &mut Room,
    reaction: &NewReaction,
) -> QueryResult<Result<Appended, AppendError>> {
    let target = signed(reaction.target);
    if target >= room.next_seq {
        return Ok(Err(AppendError::NotFound));
    }
    let row_key = row_key(room.id, target);
    let before = match read::message(connection, &reaction.room, row_key)? {
        Ok(Some(message)) if message.text().is_some() => message,
        Ok(_) => return Ok(Err(AppendError::NotFound)),
        Err(error) => return Ok(Err(error.into())),
    };
    if let Err(reason) = Permission::check(reaction.permission, unsigned(room.policy_version)) {
        return Ok(Err(reason.into_error(reaction.clone())));
    }
    let mut after = before.text().map(|text| text.reactions().to_vec()).unwrap_or_default();
    let index = after.iter().position(|known| known.emoji == reaction.emoji);
    let held = match held(connection, row_key, reaction)? {
        Ok(held) => held,
        Err(error) => return Ok(Err(error.into())),
    };
    let Some(reactor) = reaction.reactor().filter(|_| held.is_empty() == reaction.is_added) else {
        return Ok(Ok(Appended::Unchanged));
    };
    let index = match index {
        Some(index) => index,
        None if after.len() >= MAX_REACTIONS => return Ok(Err(AppendError::LimitReached)),
        None => {
            after.push(Reaction::new(reaction.emoji.clone(), 0, Vec::new()));
            after.len() - 1
        }
    };
    let state = &mut after[index];
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    if reaction.is_added {
        insert(connection, row_key, reaction, &reactor)?;
        state.count += 1;
        if state.users.len() < REACTION_NAMES {
            state.users.push(reactor.username.clone());
        }
        added.push(reactor);
    } else {
        remove(connection, row_key, reaction)?;
        state.count = state.count.saturating_sub(held.len() as u64);
        state.users.retain(|name| held.iter().all(|reactor| reactor.username != *name));
        if (state.users.len() as u64) < state.count.min(REACTION_NAMES as u64) {
            match names(connection, row_key, reaction)? {
                Ok(names) => state.users = names,
                Err(error) => return Ok(Err(error.into())),
            }
        }
        removed = held;
    }
    write(connection, row_key, room.next_seq, state)?;
    let change = ReactionChange { emoji: state.emoji.clone(), count: state.count, added, removed };
    if state.count == 0 {
        after.remove(index);
    }
    let key = super::schema::row_key(room.id, room.next_seq);
    diesel::update(messages::table.find(row_key)).set(messages::change_key.eq(key)).execute(connection)?;
    let seq = unsigned(room.next_seq);
    let Some(message) = before.reacted(after, seq) else { return Ok(Err(AppendError::NotFound)) };
    room.next_seq += 1;
    let stored = StoredReaction::new(seq, Arc::new(message), change);
    Ok(Ok(Appended::Stored(StoredEvent::Reaction(Arc::new(stored)))))
}

/// Under which of its ids, and with which names, the user has put the emoji on the message. The
/// outer error is that of the database, the inner one that of a row.
fn held(
    connection: &mut DbConnection,
    row_key: i64,
    reaction: &NewReaction,
) -> QueryResult<Result<Vec<Reactor>, HistoryError>> {
    let users = reaction.authors.iter().map(UserId::as_str);
    let found: Vec<(String, String)> = reactions::table
        .filter(reactions::row_key.eq(row_key))
        .filter(reactions::user.eq_any(users))
        .filter(reactions::emoji.eq(reaction.emoji.as_str()))
        .select((reactions::username, reactions::user))
        .load(connection)?;
    let fault = |what: &dyn Display| fault(&reaction.room, row_key, what);
    let reactor = |(username, user): (String, String)| {
        let username = username.parse().map_err(|error| fault(&error))?;
        Ok(Reactor { username, user: user.parse().map_err(|error| fault(&error))? })
    };
    Ok(found.into_iter().map(reactor).collect())
}

fn insert(
    connection: &mut DbConnection,
    row_key: i64,
    reaction: &NewReaction,
    reactor: &Reactor,
) -> QueryResult<usize> {
    let row = (
        reactions::row_key.eq(row_key),
        reactions::user.eq(reactor.user.as_str()),
        reactions::emoji.eq(reaction.emoji.as_str()),
        reactions::username.eq(reactor.username.as_str()),
    );
    diesel::insert_into(reactions::table).values(row).execute(connection)
}

fn remove(connection: &mut DbConnection, row_key: i64, reaction: &NewReaction) -> QueryResult<usize> {
    let users = reaction.authors.iter().map(UserId::as_str);
    let held = reactions::table
        .filter(reactions::row_key.eq(row_key))
        .filter(reactions::user.eq_any(users))
        .filter(reactions::emoji.eq(reaction.emoji.as_str()));
    diesel::delete(held).execute(connection)
}

/// The names of some of the users who have put the emoji on the message. The outer error is that of
/// the database, the inner one that of a row.
fn names(
    connection: &mut DbConnection,
    row_key: i64,
    reaction: &NewReaction,
) -> QueryResult<Result<Vec<Username>, HistoryError>> {
    let found: Vec<String> = reactions::table
        .filter(reactions::row_key.eq(row_key))
        .filter(reactions::emoji.eq(reaction.emoji.as_str()))
        .limit(REACTION_NAMES as i64)
        .select(reactions::username)
        .load(connection)?;
    let fault = |error| fault(&reaction.room, row_key, error);
    Ok(found.iter().map(|name| Username::parse(name).map_err(fault)).collect())
}

/// Writes the count of an emoji on a message. It is there first with the event `seq`, unless it is
/// in the table.
fn write(
    connection: &mut DbConnection,
    row_key: i64,
    seq: i64,
    Reaction { emoji, count, users, .. }: &Reaction,
) -> QueryResult<usize> {
    if *count == 0 {
        let row = reaction_counts::table.find((row_key, emoji.as_str()));
        return diesel::delete(row).execute(connection);
    }
    let names = users.iter().map(Username::as_str).collect::<Vec<_>>().join(" ");
    let counted = (reaction_counts::count.eq(signed(*count)), reaction_counts::names.eq(names));
    diesel::insert_into(reaction_counts::table)
        .values((
            reaction_counts::row_key.eq(row_key),
            reaction_counts::emoji.eq(emoji.as_str()),
            reaction_counts::first_seq.eq(seq),
            counted.clone(),
        ))
        .on_conflict((reaction_counts::row_key, reaction_counts::emoji))
        .do_update()
        .set(counted)
        .execute(connection)
}
