//! The directory of public rooms.

use std::sync::Arc;
use std::time::Duration;

use chat_history::{HistoryError, PublicRoom};
use chat_protocol::{RoomName, RoomTitle, Topic, fold};
use chat_rooms::Engine;
use parking_lot::Mutex;
use tokio::time::Instant;

/// How old what a search of the directory finds may be.
const MAX_AGE: Duration = Duration::from_secs(2);

/// How many public rooms the directory has at most.
const MAX_ROOMS: usize = 2_000;

/// The public rooms, read from the store every now and then.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    read: Mutex<Option<(Instant, Arc<[PublicRoom]>)>>,
}

impl Directory {
    /// The public rooms, those with the newest messages first.
    ///
    /// # Errors
    /// [`HistoryError`] if the store fails.
    pub(crate) async fn rooms(&self, engine: &Engine) -> Result<Arc<[PublicRoom]>, HistoryError> {
        if let Some((at, rooms)) = &*self.read.lock()
            && at.elapsed() < MAX_AGE
        {
            return Ok(Arc::clone(rooms));
        }
        let at = Instant::now();
        let mut rooms = engine.public_rooms(MAX_ROOMS).await?;
        if rooms.len() == MAX_ROOMS {
            tracing::warn!(max = MAX_ROOMS, "there are more public rooms than the directory can list");
        }
        rooms.sort_by(|one, other| {
            other.last_message_at.cmp(&one.last_message_at).then_with(|| one.room.cmp(&other.room))
        });
        let rooms: Arc<[PublicRoom]> = rooms.into();
        *self.read.lock() = Some((at, Arc::clone(&rooms)));
        Ok(rooms)
    }

    /// The settings of a room were changed here: the next search reads them.
    pub(crate) fn forget(&self) {
        *self.read.lock() = None;
    }
}

/// Whether the name, the title or the topic of a room has this text, which is in lower case.
pub(crate) fn matches(PublicRoom { room, settings, .. }: &PublicRoom, query: &str) -> bool {
    let title = settings.title.as_ref().map(RoomTitle::as_str);
    let topic = settings.topic.as_ref().map(Topic::as_str);
    let texts = [Some(RoomName::as_str(room)), title, topic];
    texts.into_iter().flatten().any(|text| fold(text).contains(query))
}
