//! The test suite for implementations of [`AccountStore`] (feature `conformance`).
//!
//! Each test gets a new, empty store as [`Accounts`]. [`run`] runs all tests and panics at the
//! first that fails; [`conformance_tests!`](crate::conformance_tests) makes a `#[tokio::test]` of
//! each.
//!
//! ```
//! use chat_accounts::MemoryAccounts;
//! use chat_accounts::conformance::{self, Accounts};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || Accounts::new(MemoryAccounts::new())).await;
//! # });
//! ```
#![allow(clippy::unwrap_used)]

mod accounts;
mod helpers;
mod invites;
mod names;
mod rooms;
mod tokens;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::AccountStore;

pub use accounts::*;
pub use invites::*;
pub use names::*;
pub use rooms::*;
pub use tokens::*;

/// A store to be tested.
pub struct Accounts {
    /// The store.
    pub store: Arc<dyn AccountStore>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl Accounts {
    /// A store to be tested. It must be empty.
    pub fn new(store: impl AccountStore) -> Self {
        Self { store: Arc::new(store), _guard: None }
    }

    /// Drops a value after the store, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("store", &self.store).finish()
    }
}

/// Calls a macro with the names of all tests, after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_account_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            an_account_is_read_as_it_was_created
            each_account_has_a_random_id
            a_subject_belongs_to_one_account
            a_subject_may_have_any_characters
            a_guest_is_adopted_by_one_account
            accounts_are_listed_in_the_order_of_their_names
            a_page_of_accounts_is_limited
            changes_are_stored_one_by_one
            accounts_are_counted
            changes_of_an_unknown_account_change_nothing
            a_new_password_ends_the_other_sessions
            only_an_unchanged_password_is_rehashed
            a_deleted_account_leaves_nothing_but_its_name
            a_name_that_looks_like_another_one_is_taken
            a_reservation_says_which_name_is_taken
            one_of_several_accounts_gets_a_name
            the_name_of_a_deleted_account_returns_when_its_time_has_passed
            an_admin_may_replace_deleted_accounts
            expired_names_are_removed
            a_token_is_found_by_its_secret
            a_session_expires_unless_it_is_used
            the_tokens_of_a_disabled_account_are_not_found
            no_token_is_added_for_an_old_password
            a_new_session_replaces_the_one_used_longest_ago
            the_number_of_api_tokens_is_limited
            expired_tokens_do_not_count
            the_tokens_of_an_account_are_removed
            all_tokens_are_removed
            expired_tokens_are_removed_in_steps
            an_invite_is_used_up
            an_invite_expires
            a_failed_registration_uses_no_invite
            the_last_use_of_an_invite_is_used_once
            invites_are_listed_and_removed
            the_number_of_invites_is_limited
            a_room_is_kept_with_its_settings
            an_epoch_may_have_any_characters
            a_list_of_rooms_belongs_to_one_account
            a_read_mark_never_moves_backwards
            the_accounts_that_keep_a_room_are_found_by_name
            the_number_of_rooms_is_limited
            a_user_is_blocked_and_unblocked
            no_secret_is_in_debug_output
            a_working_store_passes_its_check
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of the suite.
///
/// The argument is the path of an async function that returns
/// [`Accounts`](crate::conformance::Accounts), or `Option<Accounts>`: with `None`, the test is
/// skipped. The calling crate needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_tests {
    ($make:path) => {
        $crate::__with_account_tests! { [$crate::__account_tests] $make; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __account_tests {
    ($make:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let accounts: Option<$crate::conformance::Accounts> = $make().await.into();
                if let Some(accounts) = accounts {
                    $crate::conformance::$test(accounts).await;
                }
            }
        )*
    };
}

/// Runs all tests of the suite, each on a new store.
///
/// # Panics
/// If a test fails.
pub async fn run(make: impl AsyncFn() -> Accounts) {
    macro_rules! run_all {
        ($make:ident; $($test:ident)*) => { $( $test($make().await).await; )* };
    }
    __with_account_tests! { [run_all] make; }
}

/// `check` succeeds on a store that works.
pub async fn a_working_store_passes_its_check(accounts: Accounts) {
    accounts.store.check().await.unwrap();
}
