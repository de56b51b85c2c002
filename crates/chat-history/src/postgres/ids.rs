//! The ids that authors have chosen, one at a time. [`chatd_append`](super::batch) handles those of
//! messages.

use chat_protocol::Timestamp;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::durable::claim::{Claim, First, KEPT_FOR};
use super::{DbConnection, to_stored};

diesel::table! {
    message_ids (room_id, user, message_id) {
        room_id -> BigInt,
        user -> Text,
        message_id -> Text,
        username -> Text,
        digest -> BigInt,
        seq -> BigInt,
        sent_at -> BigInt,
    }
}

/// Ids that were used before this time are not recognised.
pub(super) fn since(now: Timestamp) -> i64 {
    now.as_millis().saturating_sub(KEPT_FOR)
}

/// The first message or edit with this id, if the same user has used the id in the same room
/// before.
pub(super) fn first(
    connection: &mut DbConnection,
    room_id: i64,
    claim: Claim<'_>,
    now: Timestamp,
) -> QueryResult<Option<First>> {
    let found = message_ids::table
        .find((room_id, claim.user.as_str(), to_stored(claim.id.as_str())))
        .filter(message_ids::sent_at.ge(since(now)))
        .select((message_ids::seq, message_ids::digest, message_ids::username, message_ids::sent_at))
        .first::<(i64, i64, String, i64)>(connection)
        .optional()?;
    Ok(found.map(|(seq, digest, username, sent_at)| First {
        seq,
        digest: Some(digest),
        has_user: true,
        username,
        sent_at: Timestamp::from_millis(sent_at),
    }))
}

/// Records the id of an event together with its number.
pub(super) fn claim(
    connection: &mut DbConnection,
    room_id: i64,
    claim: Claim<'_>,
    digest: i64,
    seq: i64,
    now: Timestamp,
) -> QueryResult<()> {
    let state = (
        message_ids::username.eq(claim.from.as_str()),
        message_ids::digest.eq(digest),
        message_ids::seq.eq(seq),
        message_ids::sent_at.eq(now.as_millis()),
    );
    let key = (
        message_ids::room_id.eq(room_id),
        message_ids::user.eq(claim.user.as_str()),
        message_ids::message_id.eq(to_stored(claim.id.as_str())),
    );
    diesel::insert_into(message_ids::table)
        .values((key, state))
        // an id that has expired, and is still there
        .on_conflict((message_ids::room_id, message_ids::user, message_ids::message_id))
        .do_update()
        .set(state)
        .execute(connection)
        .map(drop)
}

/// Removes up to `max` expired ids, and returns whether more may be left.
pub(super) fn expire(connection: &mut DbConnection, now: Timestamp, max: usize) -> QueryResult<bool> {
    let removed = diesel::sql_query(
        "DELETE FROM message_ids WHERE ctid = ANY \
         (ARRAY(SELECT ctid FROM message_ids WHERE sent_at < $1 LIMIT $2))",
    )
    .bind::<BigInt, _>(since(now))
    .bind::<BigInt, _>(i64::try_from(max).unwrap_or(i64::MAX))
    .execute(connection)?;
    Ok(removed >= max)
}
