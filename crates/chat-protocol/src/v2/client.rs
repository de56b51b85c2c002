//! What a client sends.
//!
//! What is written beside frames and fields goes into the contract for machines, too: it links to nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Epoch, MessageId, Reference, RoomName, Username};

/// One frame of a client: a command, and what it calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientFrame {
    /// What answers this frame carries the same.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// Begin the session: the first frame.
    Hello(Hello),
    /// Become a member of a room.
    Join(Join),
    /// Be no member of a room any more.
    Leave {
        /// Which.
        room: RoomName,
    },
    /// Say something.
    Send(Send),
    /// Read what was said.
    History(History),
    /// Read who is there.
    Members(Members),
    /// Tell the others that one is typing.
    Typing {
        /// Where.
        room: RoomName,
    },
    /// Ask for a sign of life.
    Ping,
}

/// The first frame of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// Under which name.
    pub username: Username,
    /// The secret of an earlier `welcome`, to take that session's seats over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
    /// Who one is, for servers that ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Free text, for the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Whether messages are to come with `html`, too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub render: bool,
}

/// A place in a room's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Since {
    /// The life of the store in which it was.
    pub epoch: Epoch,
    /// The last message that the client has.
    pub seq: u64,
}

/// Becoming a member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Join {
    /// Which.
    pub room: RoomName,
    /// Everything after this is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// How many of the newest messages are asked for where that is not given, or can't be recovered; never more than 200.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub history: u64,
}

/// Saying something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Send {
    /// Where.
    pub room: RoomName,
    /// What, in Markdown.
    pub body: Arc<str>,
    /// What the client calls it. The same id again is the same message. Without one each is a new message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
}

/// Reading a page of what was said: the messages next to a place, or the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    /// Where.
    pub room: RoomName,
    /// Those before this seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Those after this seq; `before` is ignored then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many at most; 50 where it is not given, never more than 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Reading a page of who is there, by username.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Members {
    /// Where.
    pub room: RoomName,
    /// Those whose names come after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Those whose names begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How many at most; 100 where it is not given, never more than 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
