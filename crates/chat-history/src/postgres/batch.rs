//! Appends messages in one exchange with the server: the function `chatd_append`.

use chat_db::postgres::Fence;
use chat_protocol::{ReplyTo, Timestamp};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};

use super::durable::claim::First;
use super::durable::schema::{mentions_text, signed};
use super::{DbConnection, ids, to_stored};
use crate::NewMessage;

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
#[derive(QueryableByName)]
pub(super) struct Verdict {
    /// Its number. `None`: it was not stored.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) seq: Option<i64>,
    /// The version of the room's policy.
    #[diesel(sql_type = BigInt)]
    pub(super) policy_version: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    first_seq: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    first_digest: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    first_username: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
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

/// Appends messages whose rooms exist, and of which no two have the same room, author and chosen
/// id. Returns what became of each. One statement, so it is a transaction of its own unless there is
/// one.
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
        for user in posted.message.mentions().into_iter().flat_map(|mentions| mentions.all()) {
            addressed_by.push(n);
            addressed.push(user);
        }
    }
    let named = |posted: &Posted<'_>| {
        posted.message.mentions().and_then(|mentions| mentions.named.as_deref()).map(mentions_text)
    };
    let refused = |posted: &Posted<'_>| {
        posted.is_refused || posted.message.permission.is_some_and(|permission| !permission.is_allowed)
    };
    diesel::sql_query(
        "SELECT seq, policy_version, first_seq, first_digest, first_username, first_sent_at FROM chatd_append(\
         $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind::<Text, _>(fence.incarnation())
    .bind::<BigInt, _>(now.as_millis())
    .bind::<BigInt, _>(ids::since(now))
    .bind::<Array<BigInt>, _>(column(posted, |posted| posted.room_id))
    .bind::<Array<Text>, _>(column(posted, |posted| posted.message.user.as_str()))
    .bind::<Array<Text>, _>(column(posted, |posted| posted.message.from.as_str()))
    .bind::<Array<Text>, _>(column(posted, |posted| to_stored(posted.message.id.as_str())))
    .bind::<Array<Nullable<BigInt>>, _>(column(posted, |posted| posted.digest))
    .bind::<Array<Text>, _>(column(posted, |posted| to_stored(&posted.message.body)))
    .bind::<Array<Nullable<BigInt>>, _>(column(posted, |posted| {
        posted.message.permission.map(|permission| signed(permission.version))
    }))
    .bind::<Array<Bool>, _>(column(posted, refused))
    .bind::<Array<Nullable<BigInt>>, _>(column(posted, |posted| {
        posted.reply_to.map(|reply_to| signed(reply_to.seq))
    }))
    .bind::<Array<Nullable<Text>>, _>(column(posted, |posted| {
        posted.reply_to.map(|reply_to| reply_to.user.as_str())
    }))
    .bind::<Array<Nullable<Text>>, _>(column(posted, |posted| {
        posted.reply_to.map(|reply_to| reply_to.from.as_str())
    }))
    .bind::<Array<Nullable<Text>>, _>(column(posted, named))
    .bind::<Array<Integer>, _>(addressed_by)
    .bind::<Array<Text>, _>(addressed)
    .load(connection)
}
