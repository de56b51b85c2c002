//! Messages are deleted.

use chat_history::{AppendError, Appended, HistoryError, NewDeletion, StoredEvent};
use chat_protocol::{DeletedBy, RoomName};

use crate::Engine;
use crate::member::pending_append::PendingAct;

impl Engine {
    /// Deletes messages of a room: their text, author and id are removed from the store, and
    /// everyone in the room receives [`Deleted`](chat_protocol::Event::Deleted), except sessions
    /// that joined [with lists](crate::Subscribe::with_lists). The numbers of the messages remain
    /// in use. Copies of the messages in reports stay until
    /// [`AccessStore::erase_reports`](chat_access::AccessStore::erase_reports) removes them.
    ///
    /// Returns how many messages were deleted. Messages that do not exist, or are deleted already,
    /// do not count.
    ///
    /// Not cancel-safe: messages may be deleted although the future is dropped.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails. Some of the messages may be deleted; it is safe to try
    /// again.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::DeletedBy;
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let stored = member.send("a mistake").await?;
    /// assert_eq!(engine.delete_messages(&lobby, &[stored.seq], DeletedBy::Operator).await?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn delete_messages(
        &self,
        room: &RoomName,
        targets: &[u64],
        by: DeletedBy,
    ) -> Result<usize, HistoryError> {
        let mut deleted = 0;
        for deletion in NewDeletion::batches(room, targets, by) {
            deleted += self.delete(deletion).await?;
        }
        Ok(deleted)
    }

    async fn delete(&self, deletion: NewDeletion) -> Result<usize, HistoryError> {
        match PendingAct::append(&self.shared, deletion.into()).await {
            Ok(Appended::Stored(StoredEvent::Deletion(deletion))) => Ok(deletion.messages.len()),
            Ok(_) | Err(AppendError::NotFound) => Ok(0),
            Err(AppendError::Unavailable(error)) => Err(error),
            Err(error) => Err(HistoryError::other(error)),
        }
    }
}
