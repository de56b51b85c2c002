#![doc = include_str!("../README.md")]

pub mod classic;
mod model;
pub mod v2;

pub use model::{
    About, Ack, AnnouncementId, COALESCE_ABOVE, COALESCE_WINDOW, ChannelName, CloseCode, Content, DeletedBy,
    Deletion, DenialReason, DisplayName, Edit, Emoji, EmojiError, Epoch, ErrorCode, Event, EventRange,
    GuestToken, GuestTokenError, Identity, InviteCode, InviteCodeError, LISTED_MEMBERS, Label, LeftReason,
    LengthError, Limits, MAX_MENTIONS, MAX_REACTIONS, MayJoin, MayPost, Member, MemberGroup, MemberId,
    MemberInfo, MemberList, MemberPage, Mention, MentionRoom, Message, MessageId, MessagePage, Moderation,
    NameError, NoticeLevel, Notify, Outcome, OwnReactions, PresenceChange, REACTION_NAMES, Reacted, Reaction,
    ReactionChange, Reactor, Reason, Reference, ReplyTo, ReservedIdError, Role, RoomChange, RoomKind,
    RoomName, RoomRole, RoomRoleError, RoomSettings, RoomTitle, SERVER_NAME, Since, SiteName, Snapshot,
    Standing, Text, TextError, TimeZone, Timestamp, Topic, UserId, UserIdError, UserKind, Username,
    Visibility, WelcomeText, fold,
};
