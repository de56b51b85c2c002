//! The commands that handles send to the client's task.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::v2::{self, Found, HistoryPage, MembersPage, Read, RoomListEntry};
use chat_protocol::{InviteCode, MessageId, RoomName};

use super::reply::Responder;
use crate::model::{Ack, Draft, Joined};

/// One command, and where its answer goes.
#[derive(Debug)]
pub(crate) enum Request {
    Join {
        room: RoomName,
        invite: Option<InviteCode>,
        history: u64,
        responder: Responder<Arc<Joined>>,
    },
    Leave {
        room: RoomName,
        responder: Responder<()>,
    },
    Send {
        room: RoomName,
        message: Draft,
        id: MessageId,
        responder: Responder<Ack>,
    },
    /// A command whose answer is the number of the event.
    Change {
        command: v2::Command,
        responder: Responder<Option<u64>>,
    },
    History {
        query: v2::History,
        responder: Responder<Arc<HistoryPage>>,
    },
    Members {
        query: v2::Members,
        responder: Responder<MembersPage>,
    },
    Search {
        query: v2::Search,
        responder: Responder<Found>,
    },
    /// A command whose answer says only that it was carried out.
    Act {
        command: v2::Command,
        responder: Responder<()>,
    },
    /// A command whose answer is a frame of its own.
    Ask {
        command: v2::Command,
        responder: Responder<Box<v2::ServerFrame>>,
    },
    Keep {
        change: v2::Keep,
        responder: Responder<Option<RoomListEntry>>,
    },
    MarkRead {
        mark: v2::MarkRead,
        responder: Responder<Read>,
    },
    Typing {
        room: RoomName,
        responder: Responder<()>,
    },
    Ping {
        responder: Responder<Duration>,
    },
}
