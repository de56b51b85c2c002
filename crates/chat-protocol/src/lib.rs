#![doc = include_str!("../README.md")]

pub mod classic;
mod model;
pub mod v2;

pub use model::{
    Ack, COALESCE_ABOVE, COALESCE_WINDOW, ChannelName, CloseCode, Content, DeletedBy, Deletion, Edit, Emoji,
    EmojiError, Epoch, ErrorCode, Event, EventRange, GuestToken, GuestTokenError, Identity, LISTED_MEMBERS,
    LeftReason, LengthError, Limits, MAX_MENTIONS, MAX_REACTIONS, MayJoin, MayPost, Member, MemberGroup,
    MemberId, MemberInfo, MemberList, MemberPage, Mention, Message, MessageId, MessagePage, NameError,
    NoticeLevel, Notify, Outcome, OwnReactions, PresenceChange, REACTION_NAMES, Reacted, Reaction,
    ReactionChange, Reactor, Reference, ReplyTo, ReservedIdError, Role, RoomChange, RoomKind, RoomName,
    RoomSettings, SERVER_NAME, Since, Snapshot, Text, Timestamp, UserId, UserIdError, UserKind, Username,
    fold,
};
