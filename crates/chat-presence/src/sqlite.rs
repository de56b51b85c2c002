//! The durable store: diesel on SQLite, through the group commit of `chat-db`.

use chat_db::Database;
use chat_protocol::{ChannelName, Member, MemberId, RoomName, Timestamp, Username};
use diesel::prelude::*;
use futures::future::{BoxFuture, FutureExt};

use crate::{JoinError, NewPresence, NodeId, PresenceStore, StoreError, StoreErrorKind};

diesel::table! {
    presence (id) {
        id -> BigInt,
        room -> Text,
        username -> Text,
        channel_name -> Text,
        node -> Text,
        joined_at -> BigInt,
    }
}

#[derive(Insertable)]
#[diesel(table_name = presence)]
struct NewRow {
    room: String,
    username: String,
    channel_name: String,
    node: String,
    joined_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = presence, check_for_backend(diesel::sqlite::Sqlite))]
struct Row {
    id: i64,
    room: String,
    username: String,
    channel_name: String,
    joined_at: i64,
}

/// Presence in a database file.
#[derive(Debug)]
pub struct SqlitePresence {
    database: Database,
    node: NodeId,
}

impl SqlitePresence {
    /// The store of this node on an open database.
    pub fn new(database: Database, node: NodeId) -> Self {
        Self { database, node }
    }
}

/// The outcome of an insert.
enum Written {
    Inserted(i64),
    Taken(String),
}

fn write(connection: &mut SqliteConnection, row: &NewRow) -> QueryResult<Written> {
    let insert = |connection: &mut SqliteConnection| {
        diesel::insert_into(presence::table)
            .values(row)
            .on_conflict_do_nothing()
            .returning(presence::id)
            .get_result::<i64>(connection)
            .optional()
    };
    let same_name =
        presence::table.filter(presence::room.eq(&row.room)).filter(presence::username.eq(&row.username));
    if let Some(id) = insert(connection)? {
        return Ok(Written::Inserted(id));
    }
    diesel::delete(same_name.filter(presence::node.eq(&row.node))).execute(connection)?;
    if let Some(id) = insert(connection)? {
        return Ok(Written::Inserted(id));
    }
    same_name.select(presence::node).first(connection).map(Written::Taken)
}

/// Names in the database were validated when they were written. A row with an invalid name was
/// written by another program, and the store reports it as damaged.
impl TryFrom<Row> for Member {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let fault = |what: &dyn std::fmt::Display| {
            StoreError::new(StoreErrorKind::Damaged, format!("row {} of presence: {what}", row.id))
        };
        let channel = row.channel_name.strip_prefix('c').and_then(|hex| u64::from_str_radix(hex, 16).ok());
        Ok(Self {
            id: MemberId::new(row.id),
            room: RoomName::parse(&row.room).map_err(|error| fault(&error))?,
            username: Username::parse(&row.username).map_err(|error| fault(&error))?,
            channel: ChannelName::new(channel.ok_or_else(|| fault(&"invalid channel name"))?),
            joined_at: Timestamp::from_millis(row.joined_at),
        })
    }
}

impl PresenceStore for SqlitePresence {
    fn node(&self) -> &NodeId {
        &self.node
    }

    fn join(&self, presence: NewPresence) -> BoxFuture<'_, Result<MemberId, JoinError>> {
        let row = NewRow {
            room: presence.room.as_str().to_owned(),
            username: presence.username.as_str().to_owned(),
            channel_name: presence.channel.to_string(),
            node: self.node.as_str().to_owned(),
            joined_at: presence.joined_at.as_millis(),
        };
        async move {
            match self
                .database
                .write(move |connection| write(connection, &row))
                .await
                .map_err(StoreError::from)?
            {
                Written::Inserted(id) => Ok(MemberId::new(id)),
                Written::Taken(node) => Err(JoinError::Taken(NodeId::new(node))),
            }
        }
        .boxed()
    }

    fn leave(&self, ids: Vec<MemberId>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let delete = move |connection: &mut SqliteConnection| {
                for id in ids {
                    diesel::delete(presence::table.find(id.get())).execute(connection)?;
                }
                Ok(())
            };
            self.database.write(delete).await.map_err(StoreError::from)
        }
        .boxed()
    }

    fn members(&self, room: RoomName) -> BoxFuture<'_, Result<Vec<Member>, StoreError>> {
        async move {
            let query = move |connection: &mut SqliteConnection| {
                presence::table
                    .filter(presence::room.eq(room.as_str()))
                    .order(presence::id)
                    .select(Row::as_select())
                    .load(connection)
            };
            let rows = self.database.read(query).await.map_err(StoreError::from)?;
            rows.into_iter().map(Member::try_from).collect()
        }
        .boxed()
    }

    fn holder(
        &self,
        room: RoomName,
        username: Username,
    ) -> BoxFuture<'_, Result<Option<NodeId>, StoreError>> {
        async move {
            let query = move |connection: &mut SqliteConnection| {
                presence::table
                    .filter(presence::room.eq(room.as_str()))
                    .filter(presence::username.eq(username.as_str()))
                    .select(presence::node)
                    .first::<String>(connection)
                    .optional()
            };
            Ok(self.database.read(query).await.map_err(StoreError::from)?.map(NodeId::new))
        }
        .boxed()
    }

    fn clear(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        let node = self.node.as_str().to_owned();
        async move {
            let delete = move |connection: &mut SqliteConnection| {
                diesel::delete(presence::table.filter(presence::node.eq(node))).execute(connection)
            };
            self.database.write(delete).await.map(|rows| rows as u64).map_err(StoreError::from)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.database.check().await.map_err(StoreError::from) }.boxed()
    }
}
