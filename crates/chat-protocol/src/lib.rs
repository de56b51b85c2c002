#![doc = include_str!("../README.md")]

pub mod classic;
mod close;
mod event;
mod limits;
mod member;
mod message;
mod name;
pub mod v2;

pub use close::CloseCode;
pub use event::{Event, Who};
pub use limits::{GATHER_ABOVE, GATHER_WINDOW, LISTED_MEMBERS, Limits};
pub use member::{ChannelName, Member, MemberId, MemberList, Timestamp};
pub use message::{Content, Epoch, LengthError, Message, MessageId, Reference};
pub use name::{NameError, RoomName, SERVER_NAME, Username};
