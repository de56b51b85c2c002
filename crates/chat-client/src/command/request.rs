//! What the handles ask of the client's task.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{self, Ack, HistoryPage, MembersPage};
use chat_protocol::{MessageId, RoomName};

use super::queue::Reply;
use crate::model::Joined;

/// One command, and who waits for its answer.
#[derive(Debug)]
pub(crate) enum Request {
    Join { room: RoomName, history: u64, reply: Reply<Arc<Joined>> },
    Leave { room: RoomName, reply: Reply<()> },
    Send { room: RoomName, body: Arc<str>, id: MessageId, reply: Reply<Ack> },
    History { query: v2::History, reply: Reply<HistoryPage> },
    Members { query: v2::Members, reply: Reply<MembersPage> },
    Typing { room: RoomName, reply: Reply<()> },
    Ping { reply: Reply<Duration> },
}
