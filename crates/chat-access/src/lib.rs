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
mod policy;
mod rank;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use act::{ActContext, ActKind, Doer, NewAct, Person, Refused, Scope, authorize};
pub use actor::Actor;
pub use announcement::Announcement;
pub use audit::{AuditRecord, Named, Warning};
pub use check::{Action, Denied, check};
pub use error::{AccessError, AccessErrorKind, ActError};
pub use memory::MemoryAccess;
pub use policy::RoomPolicy;
pub use rank::Rank;
pub use rules::{Rules, Until};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteAccess;
pub use store::{
    AccessStore, AuditQuery, MAX_PAGE, MAX_RESTRICTIONS, MAX_ROLES, Restriction, RestrictionKind, RoleEntry,
};
