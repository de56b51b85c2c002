//! The frames that a client sends.
//!
//! Commands and their fields are declared only here: the macro generates the code that reads them.
//!
//! The comments on frames and fields are also the descriptions in docs/asyncapi.json, so they
//! contain no links.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::commands::commands;
use super::from_field::nfc;
use crate::{
    Emoji, Epoch, GuestToken, InviteCode, MayJoin, MayPost, MentionRoom, MessageId, Moderation, Notify,
    Reason, Reference, RoomName, RoomRole, RoomTitle, Since, Topic, UserId, Username, Visibility,
};

/// One frame of a client: a command, and its `ref`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientFrame {
    /// The client's id for this command. The answer carries the same `ref`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The command.
    #[serde(flatten)]
    pub command: Command,
}

commands! {
    /// A command of a client.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[serde(tag = "type", rename_all = "snake_case")]
    #[non_exhaustive]
    pub enum Command {
        /// Start the session: the first frame.
        Hello(Hello),
        /// Join a room.
        Join(Join),
        /// Leave a room.
        Leave {
            /// The room.
            room: RoomName,
        },
        /// Send a message.
        Send(Send),
        /// Replace the text of an own message.
        Edit(Edit),
        /// Delete an own message, or as a moderator any message.
        Delete(Delete),
        /// Put an emoji on a message, or remove it.
        React(React),
        /// Read a page of the message history.
        History(History),
        /// Read a page of the members.
        Members(Members),
        /// Search for messages.
        Search(Search),
        /// Show the other members that the user is typing.
        Typing {
            /// The room.
            room: RoomName,
        },
        /// Register a room: the user becomes its owner.
        CreateRoom(CreateRoom),
        /// Change the settings of a room.
        ConfigureRoom(ConfigureRoom),
        /// Give a user a role in a room, or take it away.
        SetRole(SetRole),
        /// Read a page of the users who have a role in a room.
        Roles(Roles),
        /// Remove, ban, mute or warn a user, or end a ban or a mute.
        Moderate(Moderate),
        /// Invite a user with an account into a room.
        Invite {
            /// The room, which the session has joined.
            room: RoomName,
            /// The name of the user.
            username: Username,
        },
        /// Make a link that invites users with an account into a room, or end all links.
        InviteLink(InviteLink),
        /// Silence a user for the user of the session, or hear it again.
        Block {
            /// The id of the user.
            user: UserId,
            /// True to silence it.
            on: bool,
        },
        /// Show the moderators of a room a message.
        Report(Report),
        /// Read what users have reported.
        Reports(Reports),
        /// Close a report.
        CloseReport {
            /// The room, which the session has joined. A moderator of the server need not be there.
            room: RoomName,
            /// The number of the report.
            number: u64,
        },
        /// Read what moderators and owners have done.
        Audit(Audit),
        /// Search the public rooms.
        Directory(Directory),
        /// Open the direct room with a user.
        Direct {
            /// The name of the user, who has an account.
            username: Username,
        },
        /// Keep a room in the list of the user, or change or remove its entry.
        Keep(Keep),
        /// Mark the messages of a room in the list as read.
        MarkRead(MarkRead),
        /// Continue the session with another token of the same user.
        Renew {
            /// The token.
            token: String,
        },
        /// Ask for a `pong`, to check that the connection works.
        Ping,
    }

    /// The first frame of a session.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Hello {
        /// The name to use in every room. Only an account may leave it out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub username: Option<Username>,
        /// The credential of an account. A token that is not accepted does not make the client a
        /// guest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<String>,
        /// A secret that makes the client the same guest again: 32 random bytes in base64url.
        /// Without it, the server makes one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub guest_token: Option<GuestToken>,
        /// The `session` of an earlier `welcome` of the same user: that session ends, and keeps
        /// each of its rooms until this session has joined it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub replaces: Option<String>,
        /// Free text for the server's log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub client: Option<String>,
        /// Whether messages should also contain `html`.
        #[serde(default, skip_serializing_if = "is_false")]
        pub render: bool,
    }

    /// Joins a room.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Join {
        /// The room.
        pub room: RoomName,
        /// The code of an invite link: the user becomes a member of the room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub invite: Option<InviteCode>,
        /// Send everything after this position.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub since: Option<Since>,
        /// How many of the newest messages to send if `since` is absent or cannot be recovered; at
        /// most 200.
        #[serde(default, skip_serializing_if = "is_zero")]
        pub history: u64,
    }

    /// Replaces the text of an own message.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Edit {
        /// The room.
        pub room: RoomName,
        /// The number of the message.
        pub target: u64,
        /// The new text, in Markdown.
        pub body: Arc<str>,
        /// The client's id for the edit: sent again with the same id, it is the same edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub id: Option<MessageId>,
    }

    /// Deletes a message.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Delete {
        /// The room.
        pub room: RoomName,
        /// The number of the message.
        pub target: u64,
    }

    /// Puts an emoji on a message, or removes it.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct React {
        /// The room.
        pub room: RoomName,
        /// The number of the message.
        pub target: u64,
        /// One emoji, or its short code.
        pub emoji: Emoji,
        /// True to put it on the message, false to remove it.
        pub on: bool,
    }

    /// Sends a message.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Send {
        /// The room.
        pub room: RoomName,
        /// The text, in Markdown.
        pub body: Arc<str>,
        /// The number of the message that this one replies to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reply_to: Option<u64>,
        /// The client's id for the message. Sending the same id again is the same message. Without
        /// an id, each is a new message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub id: Option<MessageId>,
    }

    /// Reads a page of the message history: the messages next to a position, or the newest.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct History {
        /// The room.
        pub room: RoomName,
        /// Return the newest messages before this seq.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub before: Option<u64>,
        /// Return the oldest messages after this seq; `before` is then ignored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after: Option<u64>,
        /// The maximum number of messages; 50 if absent, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Reads a page of the members, ordered by username.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Members {
        /// The room.
        pub room: RoomName,
        /// Return names after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[map(nfc)]
        pub after: Option<String>,
        /// Return only names that begin with this prefix.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[map(nfc)]
        pub prefix: Option<String>,
        /// The maximum number of members; 100 if absent, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Creates a private room, or registers a room that has no owner: the user becomes its owner. A
    /// room that is registered is new, or the user is alone in it and it has no history.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct CreateRoom {
        /// The room to register, which the session has joined. Absent: a new private room, whose
        /// address is in the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub room: Option<RoomName>,
        /// What the room is called; at most 80 characters. By its name if absent. A room without a
        /// name needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub title: Option<RoomTitle>,
        /// What the room is about, in Markdown; at most 500 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub topic: Option<Topic>,
        /// Who can find the room. If absent, `unlisted`; a room without a name is always
        /// `private`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub visibility: Option<Visibility>,
        /// Who may join; everyone if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub join: Option<MayJoin>,
        /// Who may post; everyone if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub post: Option<MayPost>,
        /// How many seconds must pass between two messages of one user; 0 if absent, at most 86400.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub slow_mode_s: Option<u64>,
        /// Who may address everyone with `@room`; moderators if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mention_room: Option<MentionRoom>,
    }

    /// Changes settings of a room that the session has joined. Those that are absent stay.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct ConfigureRoom {
        /// The room.
        pub room: RoomName,
        /// What the room is called; at most 80 characters. An empty text removes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub title: Option<Removable<RoomTitle>>,
        /// What the room is about, in Markdown; at most 500 characters. An empty text removes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub topic: Option<Removable<Topic>>,
        /// Who can find the room. A room without a name stays `private`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub visibility: Option<Visibility>,
        /// Who may join.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub join: Option<MayJoin>,
        /// Who may post.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub post: Option<MayPost>,
        /// How many seconds must pass between two messages of one user; 0: no time, at most 86400.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub slow_mode_s: Option<u64>,
        /// Who may address everyone with `@room`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub mention_room: Option<MentionRoom>,
    }

    /// Gives a user a role in a room, or takes it away.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct SetRole {
        /// The room, which the session has joined.
        pub room: RoomName,
        /// The id of the user, who is in the room or has a role there.
        pub user: UserId,
        /// The role. Absent: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoomRole>,
    }

    /// Reads a page of the users who have a role in a room, ordered by their ids.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Roles {
        /// The room, which the session has joined.
        pub room: RoomName,
        /// Return users after this id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after: Option<UserId>,
        /// The maximum number of users; 100 if absent, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Removes, bans, mutes or warns a user, or ends a ban or a mute.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Moderate {
        /// The room, which the session has joined. Absent: the whole server, for its moderators.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub room: Option<RoomName>,
        /// What is done.
        pub action: Moderation,
        /// The id of the user. Either this or `target` is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub user: Option<UserId>,
        /// The number of a message: its author is meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub target: Option<u64>,
        /// Why; at most 300 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<Reason>,
        /// For how many seconds a ban or a mute holds. Absent: until it is ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub for_s: Option<u64>,
    }

    /// Makes a link that invites users with an account into a room.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct InviteLink {
        /// The room, which the session has joined.
        pub room: RoomName,
        /// How many users may join by the link; at most 1000, and 1 if absent. With 0, no link is
        /// made, and all links of the room end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub uses: Option<u64>,
        /// For how many seconds the link can be used; 7 days if absent, at most 30 days.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub for_s: Option<u64>,
    }

    /// Shows the moderators of a room a message. They get a copy of it, which stays when the
    /// message is deleted.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Report {
        /// The room, which the session has joined.
        pub room: RoomName,
        /// The number of the message.
        pub target: u64,
        /// Why; at most 300 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<Reason>,
    }

    /// Reads the reports that are not closed, the newest first.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Reports {
        /// The room, which the session has joined. Absent: all rooms, for moderators of the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub room: Option<RoomName>,
        /// Return reports with a smaller number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub before: Option<u64>,
        /// The maximum number of reports; 50 if absent, at most 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Reads what moderators and owners have done, the newest first.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Audit {
        /// The room, which the session has joined. Absent: all rooms and the server itself, for
        /// moderators of the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub room: Option<RoomName>,
        /// Return records with a smaller number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub before: Option<u64>,
        /// The maximum number of records; 50 if absent, at most 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Searches the public rooms.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Directory {
        /// Only rooms whose name, title or topic has this text. Case makes no difference.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub query: Option<String>,
        /// How many rooms to skip: as many as the pages before had.
        #[serde(default, skip_serializing_if = "is_zero")]
        pub after: u64,
        /// The maximum number of rooms; 50 if absent, at most 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Searches for messages, the newest first.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Search {
        /// The words to search for: a message has to have all of them. Case and accents make no
        /// difference.
        pub query: String,
        /// The room, which the session has joined. If absent, all rooms that it has joined, and
        /// those in the list of the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub room: Option<RoomName>,
        /// Only messages that were sent under this name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from: Option<Username>,
        /// Continue here: the `before` of the last answer to the same search.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub before: Option<String>,
        /// The maximum number of messages; 20 if absent, at most 50.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u64>,
    }

    /// Keeps a room in the list of the user, on all of its devices.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct Keep {
        /// The room.
        pub room: RoomName,
        /// Whether it is a favourite. A room that is none is removed from the list. If absent, a
        /// room that is not in the list becomes one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub favourite: Option<bool>,
        /// What the user is notified of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub notify: Option<Notify>,
    }

    /// Marks the messages of a room in the list as read, on all devices of the user.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub struct MarkRead {
        /// The room.
        pub room: RoomName,
        /// The epoch to which the number belongs.
        pub epoch: Epoch,
        /// The number of the newest message that was read.
        pub up_to: u64,
    }
}

/// A text that a command may also remove: an empty text stands for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removable<T>(pub Option<T>);

impl<T: Serialize> Serialize for Removable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Removable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = if text.is_empty() { None } else { Some(text.parse().map_err(D::Error::custom)?) };
        Ok(Self(value))
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Removable<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Removable{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("minLength".to_owned(), 0.into());
        schema
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
