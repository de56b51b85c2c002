//! The test suite for implementations of [`AccessStore`] (feature `conformance`).
//!
//! Each test gets a new, empty store as [`Access`]. [`run`] runs all tests and panics at the first
//! that fails; [`conformance_tests!`](crate::conformance_tests) makes a `#[tokio::test]` of each.
//!
//! ```
//! use chat_access::MemoryAccess;
//! use chat_access::conformance::{self, Access};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || Access::new(MemoryAccess::new())).await;
//! # });
//! ```
#![allow(clippy::unwrap_used)]

mod announcement;
mod helpers;
mod invitations;
mod moderation;
mod reports;
mod roles;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::AccessStore;

pub use announcement::*;
pub use invitations::*;
pub use moderation::*;
pub use reports::*;
pub use roles::*;

/// A store to be tested.
pub struct Access {
    /// The store.
    pub store: Arc<dyn AccessStore>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl Access {
    /// A store to be tested. It must be empty.
    pub fn new(store: impl AccessStore) -> Self {
        Self { store: Arc::new(store), _guard: None }
    }

    /// Drops a value after the store, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("store", &self.store).finish()
    }
}

/// Calls a macro with the names of all tests, after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_access_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            a_room_has_one_registration
            roles_are_given_by_those_above
            a_role_that_does_not_change_is_not_recorded
            roles_are_listed_in_pages
            the_roles_of_a_deleted_account_are_removed
            two_owners_do_not_both_leave
            bans_and_mutes_hold_until_they_end
            moderators_act_on_those_below_them
            a_guest_is_banned_with_its_network
            a_banned_moderator_does_nothing
            restrictions_are_listed_in_pages
            a_warning_stays_until_it_is_acknowledged
            an_invitation_is_accepted_once
            an_invitation_ends
            a_banned_user_is_not_invited
            a_link_is_used_by_as_many_as_it_says
            links_end
            two_users_have_one_direct_room
            rooms_are_listed_by_their_users
            a_message_is_reported_once_by_each_user
            a_report_is_closed_once
            a_report_has_the_text_of_the_message
            the_texts_of_reports_are_erased
            reports_have_a_limit
            the_audit_log_has_every_act
            the_announcement_stays_until_it_is_withdrawn
            announcements_are_recorded
            a_working_store_passes_its_check
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of the suite.
///
/// The argument is the path of an async function that returns
/// [`Access`](crate::conformance::Access), or `Option<Access>`: with `None`, the test is skipped.
/// The calling crate needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($make:path) => {
        $crate::__with_access_tests! { [$crate::__access_tests] $make; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __access_tests {
    ($make:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let access: Option<$crate::conformance::Access> = $make().await.into();
                if let Some(access) = access {
                    $crate::conformance::$test(access).await;
                }
            }
        )*
    };
}

/// Runs all tests of the suite, each on a new store.
///
/// # Panics
/// If a test fails.
pub async fn run(make: impl AsyncFn() -> Access) {
    macro_rules! run_all {
        ($make:ident; $($test:ident)*) => { $( $test($make().await).await; )* };
    }
    __with_access_tests! { [run_all] make; }
}

/// `check` succeeds on a store that works.
pub async fn a_working_store_passes_its_check(access: Access) {
    access.store.check().await.unwrap();
}
