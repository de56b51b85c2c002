#![doc = include_str!("../README.md")]

pub mod classic;
mod model;
pub mod v2;

pub use model::{
    Ack, COALESCE_ABOVE, COALESCE_WINDOW, ChannelName, CloseCode, Content, DeletedBy, Deletion, Edit, Epoch,
    ErrorCode, Event, EventRange, GuestToken, GuestTokenError, Identity, LISTED_MEMBERS, LeftReason,
    LengthError, Limits, MayJoin, MayPost, Member, MemberGroup, MemberId, MemberInfo, MemberList, MemberPage,
    Message, MessageId, MessagePage, NameError, NoticeLevel, Notify, Outcome, PresenceChange, Reference,
    ReservedIdError, Role, RoomChange, RoomKind, RoomName, RoomSettings, SERVER_NAME, Since, Snapshot, Text,
    Timestamp, UserId, UserIdError, UserKind, Username,
};
