//! Rooms, members, messages and events, independent of any wire protocol.

mod close_code;
mod error_code;
mod event;
mod identity;
mod ids;
mod invite;
mod limits;
mod member;
mod mention;
mod message;
mod moderation;
mod name;
mod reaction;
mod room_list;
mod room_role;
mod room_settings;
mod short_text;
mod time;

pub use close_code::CloseCode;
pub use error_code::ErrorCode;
pub use event::{
    Ack, Deletion, DenialReason, Edit, Event, EventRange, LeftReason, MemberPage, MessagePage, NoticeLevel,
    Outcome, PresenceChange, RoomChange, Snapshot,
};
pub use identity::{
    GuestToken, GuestTokenError, Identity, ReservedIdError, Role, UserId, UserIdError, UserKind,
};
pub use ids::{AnnouncementId, ChannelName, Epoch, LengthError, MemberId, MessageId, Reference};
pub use invite::{InviteCode, InviteCodeError};
pub use limits::{COALESCE_ABOVE, COALESCE_WINDOW, LISTED_MEMBERS, Limits};
pub use member::{Member, MemberGroup, MemberInfo, MemberList};
pub use mention::Mention;
pub(crate) use message::json_length;
pub use message::{Content, DeletedBy, MAX_MENTIONS, Message, ReplyTo, Since, Text};
pub use moderation::Moderation;
pub use name::{NameError, RoomName, SERVER_NAME, Username, fold};
pub use reaction::{
    Emoji, EmojiError, MAX_REACTIONS, OwnReactions, REACTION_NAMES, Reacted, Reaction, ReactionChange,
    Reactor,
};
pub use room_list::{Notify, RoomKind};
pub use room_role::{RoomRole, RoomRoleError, Standing};
pub use room_settings::{MayJoin, MayPost, MentionRoom, RoomSettings, Visibility};
pub use short_text::{
    About, DisplayName, Label, Reason, RoomTitle, SiteName, TextError, TimeZone, Topic, WelcomeText,
};
pub use time::Timestamp;
