//! Reads from the history what has happened in a room since the index followed it.

use std::sync::Arc;

use chat_history::{HistoryError, HistoryStore, Page, Retention};
use chat_protocol::{Epoch, Message, RoomName};

use crate::{Document, Position, Update};

/// The maximum number of changed messages that are read at once. If more were changed, the room is
/// indexed from the start.
const MAX_CHANGED: usize = 2_000;

/// What follows in a room.
#[derive(Debug)]
pub(crate) struct Next {
    /// The next update; `None` if there is nothing to update.
    pub(crate) update: Option<Update>,
    /// Whether more may follow after it.
    pub(crate) more: bool,
}

/// How a room is read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) history: Arc<dyn HistoryStore>,
    /// The maximum number of messages in a page.
    pub(crate) page: usize,
}

impl Reader {
    /// The next update of a room that the index has followed to this position. It has at most about
    /// 2 MiB of text. `epoch` is that of the history.
    pub(crate) async fn next(
        &self,
        room: &RoomName,
        position: Option<Position>,
        epoch: &Epoch,
        retention: Retention,
    ) -> Result<Next, HistoryError> {
        let extent = self.history.extent(room.clone(), retention).await?;
        let known = position.is_some();
        // numbers that the history does not have: it has lost them
        let is_valid = |position: &Position| {
            position.epoch == *epoch && position.seq.max(position.changed_seq) <= extent.newest
        };
        // states that are read from now on include the events up to this one
        let start = || Position::new(epoch.clone(), 0, extent.newest, extent.oldest);
        let mut restart = false;
        let mut position = match position.filter(is_valid) {
            Some(position) => position,
            None if extent.newest == 0 && !known => return Ok(Next { update: None, more: false }),
            None => {
                restart = known;
                start()
            }
        };
        let is_current = position.seq == extent.newest
            && position.changed_seq == extent.newest
            && position.oldest >= extent.oldest;
        if is_current && !restart {
            return Ok(Next { update: None, more: false });
        }
        let mut changed = Vec::new();
        if position.changed_seq < extent.newest {
            let found = self.history.changed(room.clone(), position.changed_seq, MAX_CHANGED).await?;
            match found.messages {
                Some(messages) => {
                    changed = messages;
                    // later ones are in a page, which is read afterwards
                    changed.retain(|message| message.seq <= position.seq);
                    position.changed_seq = found.newest;
                }
                None => {
                    restart = true;
                    position = Position { changed_seq: found.newest, ..start() };
                }
            }
        }
        let page = Page::After { seq: position.seq, limit: self.page };
        let page = self.history.page(room.clone(), page, retention).await?;
        position.seq = page.last.max(position.seq);
        position.oldest = position.oldest.max(extent.oldest);
        let more = page.more || position.changed_seq < page.newest || position.seq < page.newest;
        let mut update = Update::new(room.clone(), position);
        update.restart = restart;
        for message in changed.iter().chain(&page.messages) {
            match document(message) {
                Some(document) => update.documents.push(document),
                None => update.removed.push(message.seq),
            }
        }
        Ok(Next { update: Some(update), more })
    }
}

/// A message that is not deleted.
fn document(message: &Message) -> Option<Document> {
    let text = message.text()?;
    Some(Document::new(message.seq, text.from.clone(), Arc::clone(&text.body), message.sent_at))
}
