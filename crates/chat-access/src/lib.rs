#![doc = include_str!("../README.md")]

mod act;
mod actor;
mod announcement;
mod audit;
mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod memory;
mod network;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod rank;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use act::{ActContext, ActKind, Doer, Link, NewAct, Person, Refused, Scope, authorize};
pub use actor::Actor;
pub use announcement::Announcement;
pub use audit::{ActParts, AuditRecord, Named, NewRecord, Warning};
pub use check::{Action, Denied, check};
pub use error::{AccessError, AccessErrorKind, ActError};
pub use memory::MemoryAccess;
pub use network::{Network, NetworkError};
pub use policy::{RoomPolicy, banned};
#[cfg(feature = "postgres")]
pub use postgres::PostgresAccess;
pub use rank::Rank;
pub use rules::{Rules, Until};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteAccess;
pub use store::{
    AccessStore, AuditQuery, Invitation, MAX_INVITATIONS, MAX_LINKS, MAX_PAGE, MAX_REPORTS,
    MAX_REPORTS_OF_USER, MAX_RESTRICTIONS, MAX_ROLES, NETWORK_RESTRICTION, NewReport, Report, Restriction,
    RestrictionKind, RoleEntry, network_of,
};
