//! What is told of each stored event: the lists of rooms, and the index for searches.

use std::sync::Arc;

use chat_protocol::{Message, RoomName};
use chat_rooms::MessageObserver;
use chat_search::Follower;

use crate::context::inbox::Inbox;

/// Passes on what the engine has stored.
#[derive(Debug)]
pub(crate) struct Observer {
    /// `None` if nobody has a list.
    pub(crate) inbox: Option<Inbox>,
    /// `None` if nothing is indexed.
    pub(crate) index: Option<Follower>,
}

impl MessageObserver for Observer {
    fn stored(&self, message: &Arc<Message>) {
        if let Some(inbox) = &self.inbox {
            inbox.stored(message);
        }
        if let Some(index) = &self.index {
            index.notify(&message.room);
        }
    }

    fn changed(&self, room: &RoomName) {
        if let Some(index) = &self.index {
            index.notify(room);
        }
    }
}
