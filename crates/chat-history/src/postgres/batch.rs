//! Appends messages in one exchange with the server: the function `chatd_append`.

use std::borrow::Cow;

use chat_db::postgres::Fence;
use chat_protocol::{ReplyTo, Timestamp};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};

use super::durable::claim::First;
use super::durable::schema::{mentions_text, signed};
use super::{DbConnection, ids, to_stored};
use crate::{Mentions, NewMessage};

/// A message to be appended.
pub(super) struct Posted<'a> {
    pub(super) room_id: i64,
    pub(super) message: &'a NewMessage,
    /// If the author chose the id.
    pub(super) digest: Option<i64>,
    /// What it replies to, as it is now.
    pub(super) reply_to: Option<&'a ReplyTo>,
    /// It is not stored, except that a repeated message is recognised.
    pub(super) is_refused: bool,
}

/// What became of a message.
#[derive(Queryable)]
pub(super) struct Verdict {
    /// Its number. `None`: it was not stored.
    pub(super) seq: Option<i64>,
    /// The version of the room's policy.
    pub(super) policy_version: i64,
    first_seq: Option<i64>,
    first_digest: Option<i64>,
    first_username: Option<String>,
    first_sent_at: Option<i64>,
}

impl Verdict {
    /// The message that has used the id before.
    pub(super) fn first(&self) -> Option<First> {
        Some(First {
            seq: self.first_seq?,
            digest: self.first_digest,
            has_user: true,
            username: self.first_username.clone()?,
            sent_at: Timestamp::from_millis(self.first_sent_at?),
        })
    }
}

/// The call of the function. Unlike `diesel::sql_query`, it is prepared once for each connection.
struct Append<'a> {
    incarnation: &'a str,
    now: i64,
    ids_since: i64,
    rooms: Vec<i64>,
    users: Vec<&'a str>,
    usernames: Vec<&'a str>,
    ids: Vec<Cow<'a, str>>,
    digests: Vec<Option<i64>>,
    bodies: Vec<Cow<'a, str>>,
    versions: Vec<Option<i64>>,
    refused: Vec<bool>,
    reply_to: Vec<Option<i64>>,
    reply_users: Vec<Option<&'a str>>,
    reply_usernames: Vec<Option<&'a str>>,
    mentions: Vec<Option<String>>,
    addressed_by: Vec<i32>,
    addressed: Vec<&'a str>,
}

impl QueryFragment<Pg> for Append<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT seq, policy_version, first_seq, first_digest, first_username, first_sent_at \
             FROM chatd_append(",
        );
        out.push_bind_param::<Text, _>(self.incarnation)?;
        macro_rules! push {
            ($($field:ident: $type:ty),*) => {
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<$type, _>(&self.$field)?;
                )*
            };
        }
        push! {
            now: BigInt, ids_since: BigInt, rooms: Array<BigInt>, users: Array<Text>,
            usernames: Array<Text>, ids: Array<Text>, digests: Array<Nullable<BigInt>>,
            bodies: Array<Text>, versions: Array<Nullable<BigInt>>, refused: Array<Bool>,
            reply_to: Array<Nullable<BigInt>>, reply_users: Array<Nullable<Text>>,
            reply_usernames: Array<Nullable<Text>>, mentions: Array<Nullable<Text>>,
            addressed_by: Array<Integer>, addressed: Array<Text>
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for Append<'_> {
    type QueryId = Append<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Append<'_> {
    type SqlType =
        (Nullable<BigInt>, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>);
}

impl RunQueryDsl<DbConnection> for Append<'_> {}

/// Appends messages whose rooms exist, and of which no two have the same room, author and chosen
/// id. Returns what became of each. One statement, so it is a transaction of its own unless there
/// is one.
pub(super) fn append(
    connection: &mut DbConnection,
    fence: &Fence,
    now: Timestamp,
    posted: &[Posted<'_>],
) -> QueryResult<Vec<Verdict>> {
    fn column<'a, T>(posted: &'a [Posted<'_>], value: impl Fn(&'a Posted<'_>) -> T) -> Vec<T> {
        posted.iter().map(value).collect()
    }
    let (mut addressed_by, mut addressed) = (Vec::new(), Vec::new());
    for (n, posted) in (1..).zip(posted) {
        for user in posted.message.mentions().into_iter().flat_map(Mentions::all) {
            addressed_by.push(n);
            addressed.push(user);
        }
    }
    let named = |posted: &Posted<'_>| {
        posted.message.mentions().and_then(|mentions| mentions.named.as_deref()).map(mentions_text)
    };
    let is_refused = |posted: &Posted<'_>| {
        posted.is_refused || posted.message.permission.is_some_and(|permission| !permission.is_allowed)
    };
    Append {
        incarnation: fence.incarnation(),
        now: now.as_millis(),
        ids_since: ids::since(now),
        rooms: column(posted, |posted| posted.room_id),
        users: column(posted, |posted| posted.message.user.as_str()),
        usernames: column(posted, |posted| posted.message.from.as_str()),
        ids: column(posted, |posted| to_stored(posted.message.id.as_str())),
        digests: column(posted, |posted| posted.digest),
        bodies: column(posted, |posted| to_stored(&posted.message.body)),
        versions: column(posted, |posted| {
            posted.message.permission.map(|permission| signed(permission.version))
        }),
        refused: column(posted, is_refused),
        reply_to: column(posted, |posted| posted.reply_to.map(|reply_to| signed(reply_to.seq))),
        reply_users: column(posted, |posted| posted.reply_to.map(|reply_to| reply_to.user.as_str())),
        reply_usernames: column(posted, |posted| posted.reply_to.map(|reply_to| reply_to.from.as_str())),
        mentions: column(posted, named),
        addressed_by,
        addressed,
    }
    .load(connection)
}
