//! The durable store: diesel, through the group commit of `chat-db`. It is compiled once for each
//! kind of database.
//!
//! Each call is one transaction, and each transaction that writes first takes the rows of
//! `room_names` that it is about. On SQLite that is not needed, because there is one writer; on a
//! database with several, it makes the calls about one name wait for each other, and each statement
//! after it sees what the calls before have committed.

use std::collections::BTreeSet;

use chat_protocol::{ChannelName, Member, MemberId, RoomName, Timestamp, UserId, Username};
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};

use super::{Backend, Database, DbConnection, text};
use crate::store::keep_earliest;
use crate::{Holder, JoinError, NewPresence, NodeId, PresenceStore, StoreError, StoreErrorKind};

diesel::table! {
    presence (id) {
        id -> BigInt,
        room -> Text,
        username -> Text,
        user -> Text,
        channel_name -> Text,
        node -> Text,
        joined_at -> BigInt,
    }
}

diesel::table! {
    room_names (room, username) {
        room -> Text,
        username -> Text,
        user -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(presence, room_names);

/// How many ids one statement has.
const MAX_IDS: usize = 500;

#[derive(Insertable)]
#[diesel(table_name = presence)]
struct NewRow {
    room: String,
    username: String,
    user: String,
    channel_name: String,
    node: String,
    joined_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = presence, check_for_backend(Backend))]
struct Row {
    id: i64,
    room: String,
    username: String,
    user: String,
    channel_name: String,
    joined_at: i64,
}

/// Presence in a database.
#[derive(Debug)]
pub struct DurablePresence {
    database: Database,
    node: NodeId,
    /// The name of the node as it is stored.
    stored_node: String,
}

impl DurablePresence {
    /// The store of this node on an open database.
    pub fn new(database: Database, node: NodeId) -> Self {
        let stored_node = text::to_stored(node.as_str()).into_owned();
        Self { database, node, stored_node }
    }
}

/// The outcome of a join.
enum Written {
    Inserted(i64),
    Taken(String),
}

fn join(connection: &mut DbConnection, row: &NewRow) -> QueryResult<Written> {
    let holder = take_or_insert(connection, row)?;
    if holder != row.user {
        let held = presence::table.filter(is_named(&row.room, &row.username));
        let elsewhere = held.filter(presence::node.ne(&row.node)).order(presence::id);
        if let Some(node) = elsewhere.select(presence::node).first(connection).optional()? {
            return Ok(Written::Taken(node));
        }
        // leftovers of this node
        diesel::delete(held).execute(connection)?;
        diesel::update(room_names::table.find((&row.room, &row.username)))
            .set(room_names::user.eq(&row.user))
            .execute(connection)?;
    }
    let insert = diesel::insert_into(presence::table).values(row).returning(presence::id);
    insert.get_result(connection).map(Written::Inserted)
}

/// Takes the row of a name and returns its user: the one of `row` if there was none.
fn take_or_insert(connection: &mut DbConnection, row: &NewRow) -> QueryResult<String> {
    diesel::insert_into(room_names::table)
        .values((
            room_names::room.eq(&row.room),
            room_names::username.eq(&row.username),
            room_names::user.eq(&row.user),
        ))
        .on_conflict((room_names::room, room_names::username))
        .do_update()
        // changes nothing, but takes and returns the row
        .set(room_names::user.eq(room_names::user))
        .returning(room_names::user)
        .get_result(connection)
}

fn leave(connection: &mut DbConnection, ids: &[i64]) -> QueryResult<()> {
    // in order, so that two calls never wait for each other
    let mut names = BTreeSet::new();
    for some in ids.chunks(MAX_IDS) {
        let found = presence::table.filter(presence::id.eq_any(some));
        names
            .extend(found.select((presence::room, presence::username)).load::<(String, String)>(connection)?);
    }
    for (room, username) in &names {
        let name = room_names::table.find((room, username));
        diesel::update(name).set(room_names::user.eq(room_names::user)).execute(connection)?;
    }
    for some in ids.chunks(MAX_IDS) {
        diesel::delete(presence::table.filter(presence::id.eq_any(some))).execute(connection)?;
    }
    for (room, username) in &names {
        let name = room_names::table.find((room, username));
        let rows = presence::table.filter(is_named(room, username));
        diesel::delete(name.filter(not(exists(rows)))).execute(connection)?;
    }
    Ok(())
}

/// Removes the rows of a node and returns their number.
fn clear(connection: &mut DbConnection, node: &str) -> QueryResult<usize> {
    let of_name = || {
        let same_name = presence::username.eq(room_names::username);
        presence::table.filter(presence::room.eq(room_names::room).and(same_name))
    };
    let here = exists(of_name().filter(presence::node.eq(node)));
    diesel::update(room_names::table.filter(here))
        .set(room_names::user.eq(room_names::user))
        .execute(connection)?;
    let rows = diesel::delete(presence::table.filter(presence::node.eq(node))).execute(connection)?;
    diesel::delete(room_names::table.filter(not(exists(of_name())))).execute(connection)?;
    Ok(rows)
}

/// The rows of a name in a room. They belong to one user.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_named<'n>(room: &'n str, username: &'n str) -> _ {
    presence::room.eq(room).and(presence::username.eq(username))
}

/// Names and ids in the database were validated when they were written. A row with an invalid one
/// was written by another program, and the store reports it as damaged.
impl TryFrom<Row> for Member {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let fault = |what: &dyn std::fmt::Display| damaged(row.id, what);
        let channel = row.channel_name.strip_prefix('c').and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Ok(Self {
            id: MemberId::new(row.id),
            room: RoomName::parse(&row.room).map_err(|error| fault(&error))?,
            user: row.user.parse().map_err(|error| fault(&error))?,
            username: Username::parse(&row.username).map_err(|error| fault(&error))?,
            channel: ChannelName::new(channel.ok_or_else(|| fault(&"invalid channel name"))?),
            joined_at: Timestamp::from_millis(row.joined_at),
        })
    }
}

/// The node of a stored name.
fn node_id(stored: String) -> NodeId {
    NodeId::new(text::from_stored(stored))
}

fn damaged(row: i64, what: &dyn std::fmt::Display) -> StoreError {
    StoreError::new(StoreErrorKind::Damaged, format!("row {row} of presence: {what}"))
}

impl PresenceStore for DurablePresence {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn join(&self, presence: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        let row = NewRow {
            room: presence.room.as_str().to_owned(),
            username: presence.username.as_str().to_owned(),
            user: presence.user.as_str().to_owned(),
            channel_name: presence.channel.to_string(),
            node: self.stored_node.clone(),
            joined_at: presence.joined_at.as_millis(),
        };
        async move {
            match self
                .database
                .write(move |connection| join(connection, &row))
                .await
                .map_err(StoreError::from)?
            {
                Written::Inserted(id) => Ok(MemberId::new(id)),
                Written::Taken(node) => Err(JoinError::Taken(node_id(node))),
            }
        }
        .boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let ids: Vec<_> = ids.into_iter().map(MemberId::get).collect();
            let work = move |connection: &mut DbConnection| leave(connection, &ids);
            self.database.write(work).await.map_err(StoreError::from)
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        async move {
            let query = move |connection: &mut DbConnection| {
                presence::table
                    .filter(presence::room.eq(room.as_str()))
                    .order(presence::id)
                    .select(Row::as_select())
                    .load(connection)
            };
            let rows = self.database.read(query).await.map_err(StoreError::from)?;
            let mut members: Vec<_> = rows.into_iter().map(Member::try_from).collect::<Result<_, _>>()?;
            keep_earliest(&mut members);
            Ok(members)
        }
        .boxed()
    }

    fn elsewhere(&self, rooms: Vec<RoomName>) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        async move {
            let own = self.stored_node.clone();
            let query = move |connection: &mut DbConnection| {
                let mut rows = Vec::new();
                for some in rooms.chunks(MAX_IDS) {
                    let found = presence::table
                        .filter(presence::room.eq_any(some.iter().map(RoomName::as_str)))
                        .filter(presence::node.ne(&own))
                        .select(Row::as_select());
                    rows.extend(found.load(connection)?);
                }
                Ok(rows)
            };
            let mut rows: Vec<Row> = self.database.read(query).await.map_err(StoreError::from)?;
            rows.sort_by_key(|row| row.id);
            rows.into_iter().map(Member::try_from).collect()
        }
        .boxed()
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<Holder>, StoreError>> {
        async move {
            let own = self.stored_node.clone();
            let query = move |connection: &mut DbConnection| {
                presence::table
                    .filter(is_named(room.as_str(), username.as_str()))
                    .order((presence::node.eq(own), presence::id))
                    .select((presence::id, presence::user, presence::node))
                    .first::<(i64, String, String)>(connection)
                    .optional()
            };
            let Some((id, user, node)) = self.database.read(query).await.map_err(StoreError::from)? else {
                return Ok(None);
            };
            let user: UserId = user.parse().map_err(|error| damaged(id, &error))?;
            Ok(Some(Holder::new(user, node_id(node))))
        }
        .boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        let node = self.stored_node.clone();
        async move {
            let work = move |connection: &mut DbConnection| clear(connection, &node);
            self.database.write(work).await.map(|rows| rows as u64).map_err(StoreError::from)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.database.check().await.map_err(StoreError::from) }.boxed()
    }
}
