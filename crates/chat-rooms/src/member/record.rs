//! Writes the presence record of a user that is about to join.

use std::sync::Arc;

use chat_presence::{NewPresence, StoreError, StoreErrorKind};
use chat_protocol::{ChannelName, Identity, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::error::JoinError;
use crate::member::reservation::PresenceRow;
use crate::registry::Registry;
use crate::room::Room;
use crate::sync;

/// Writes the presence record of a user whose name is reserved, and makes sure that the room knows
/// the number of its newest message. Holds `permit` until the store has answered.
///
/// Cancel-safe: the write runs in a task of its own, so that its outcome is known even if the
/// caller is gone. An unwanted record is then removed.
pub(crate) async fn write(
    shared: &Arc<Registry>,
    room: &Arc<Room>,
    user: &Identity,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<PresenceRow, JoinError> {
    let (reply, outcome) = oneshot::channel();
    let (id, username) = (user.id().clone(), user.username().clone());
    let (channel, joined_at) = (ChannelName::new(rand::random()), Timestamp::now());
    let record = NewPresence::new(room.name.clone(), id, username, channel, joined_at);
    let work = write_and_load(Arc::clone(shared), Arc::clone(room), record);
    shared.context.runtime.spawn(async move {
        let _permit = permit;
        // if the caller is gone, the record is dropped, and thereby removed
        let _ = reply.send(work.await);
    });
    let deadline = shared.context.limits.store_timeout;
    let timed_out = || StoreError::new(StoreErrorKind::TimedOut, format!("no answer within {deadline:?}"));
    match sync::timeout(deadline, outcome).await {
        Ok(Ok(row)) => row,
        Ok(Err(_)) => Err(JoinError::Closing),
        Err(_) => Err(JoinError::Store(timed_out())),
    }
}

async fn write_and_load(
    shared: Arc<Registry>,
    room: Arc<Room>,
    record: NewPresence,
) -> Result<PresenceRow, JoinError> {
    let id = shared.context.presence.join(record.clone()).await.map_err(|error| match error {
        chat_presence::JoinError::Taken(_) => JoinError::NameTaken,
        chat_presence::JoinError::Store(error) => error.into(),
        other => StoreError::other(other).into(),
    })?;
    let row = PresenceRow::new(Arc::clone(&shared.context.presence_cleanup), record.with_id(id));
    room.load().await?;
    Ok(row)
}
