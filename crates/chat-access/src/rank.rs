//! How much a user may do.

use chat_protocol::{Role, RoomRole, UserKind};

/// How much a user may do in a room, from the least to the most. `docs/moderation.md` has a
/// table of what each rank may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A guest.
    Guest,
    /// A user with an account, and a program, without a role in the room.
    Account,
    /// A member of the room.
    Member,
    /// A moderator of the room.
    Moderator,
    /// An owner of the room.
    Owner,
    /// A moderator of the server.
    ServerModerator,
    /// An admin of the server.
    ServerAdmin,
    /// Who runs the server, through the admin interface.
    Operator,
}

impl Rank {
    /// All ranks, in their order.
    pub const ALL: [Self; 8] = [
        Self::Guest,
        Self::Account,
        Self::Member,
        Self::Moderator,
        Self::Owner,
        Self::ServerModerator,
        Self::ServerAdmin,
        Self::Operator,
    ];

    /// The rank of a user with this role on the server and this role in the room. A guest has no
    /// role.
    pub fn new(kind: UserKind, role: Role, room_role: Option<RoomRole>) -> Self {
        let of_server = match role {
            Role::Admin => Self::ServerAdmin,
            Role::Moderator => Self::ServerModerator,
            _ if kind == UserKind::Guest => return Self::Guest,
            _ => Self::Account,
        };
        of_server.max(room_role.map_or(Self::Account, Self::from))
    }
}

impl From<RoomRole> for Rank {
    fn from(role: RoomRole) -> Self {
        match role {
            RoomRole::Owner => Self::Owner,
            RoomRole::Moderator => Self::Moderator,
            _ => Self::Member,
        }
    }
}
