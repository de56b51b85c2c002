#![doc = include_str!("../README.md")]

mod account;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod hasher;
mod ids;
mod invite;
#[cfg(feature = "jwt")]
mod jwt;
mod memory;
mod name;
mod password;
#[cfg(feature = "postgres")]
mod postgres;
mod profile;
mod rooms;
mod secret;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod token;

pub use account::{Account, AccountPage, Counts, NewAccount, Reservation, Subject, SubjectError};
pub use chat_protocol::{About, DisplayName, Label, Notify, TextError, TimeZone};
pub use error::{AddError, AddTokenError, CreateError, StoreError, StoreErrorKind};
pub use hasher::Hasher;
pub use ids::{IdError, InviteId, TokenId};
pub use invite::{Invite, NewInvite};
#[cfg(feature = "jwt")]
pub use jwt::{
    JwtClaims, JwtError, JwtErrorKind, JwtKeyError, JwtKeyErrorKind, JwtKeys, JwtVerifier, looks_like_jwt,
};
pub use memory::MemoryAccounts;
pub use name::{look_alike_keys, look_alike_version};
pub use password::{HashError, Password, PasswordError, PasswordHash, PasswordHashError};
#[cfg(feature = "postgres")]
pub use postgres::PostgresAccounts;
pub use profile::{Profile, ProfileChange};
pub use rooms::{BlockedUser, RoomChange, RoomEntry};
pub use secret::{InviteCode, InviteHash, SecretError, TokenHash, TokenSecret};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteAccounts;
pub use store::{AccountStore, MAX_BLOCKED, MAX_INVITES, MAX_NAMES, MAX_PAGE, MAX_ROOMS, MAX_TOKENS};
pub use token::{AddedToken, NewToken, Token, TokenKind};
