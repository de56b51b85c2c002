//! What a message is about, or which node it is for.

use std::fmt;

use chat_protocol::RoomName;

use crate::NodeName;

/// Where a message is published. A node receives the messages of the topics that it has subscribed
/// to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// What happens in a room. The nodes with members in the room subscribe to it.
    Room(RoomName),
    /// Messages for one node. That node subscribes to it.
    Node(NodeName),
    /// Messages for all nodes. Every node subscribes to it.
    All,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(room) => write!(f, "room {room}"),
            Self::Node(node) => write!(f, "node {node}"),
            Self::All => f.write_str("all nodes"),
        }
    }
}
