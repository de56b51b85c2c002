//! The test suites for implementations of [`HistoryStore`] and [`UserMessages`] (feature
//! `conformance`).
//!
//! Each test gets a new, empty store. [`run`] and [`run_users`] run all tests and panic at the
//! first that fails; [`history_tests!`](crate::history_tests) and
//! [`user_messages_tests!`](crate::user_messages_tests) make a `#[tokio::test]` of each.
//!
//! ```
//! use chat_history::MemoryHistory;
//! use chat_history::conformance::{self, History, Users};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || History::new(MemoryHistory::new())).await;
//!
//! conformance::run_users(async || {
//!     let history = MemoryHistory::new();
//!     let users = history.user_messages();
//!     Users::new(history, users)
//! })
//! .await;
//! # });
//! ```
//!
//! [`helpers`] and [`model`] are useful for tests of your own.
#![allow(clippy::unwrap_used)]

mod changes;
mod delegate;
pub mod helpers;
mod history;
mod log;
pub mod model;
mod reactions;
mod settings;
mod users;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::{HistoryStore, UserMessages};

pub use changes::*;
pub use history::*;
pub use log::*;
pub use reactions::*;
pub use settings::*;
pub use users::*;

/// A store to be tested.
pub struct History {
    /// The store.
    pub store: Arc<dyn HistoryStore>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl History {
    /// A store to be tested. It must be empty.
    pub fn new(store: impl HistoryStore) -> Self {
        Self { store: Arc::new(store), _guard: None }
    }

    /// Drops a value after the store, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("store", &self.store).finish()
    }
}

/// An access to the messages of one user that is to be tested, with the store of the messages.
pub struct Users {
    /// The store.
    pub store: Arc<dyn HistoryStore>,
    /// The access to one user's messages.
    pub users: Arc<dyn UserMessages>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl Users {
    /// An access to be tested. Its store must be empty.
    pub fn new(store: impl HistoryStore, users: impl UserMessages) -> Self {
        Self { store: Arc::new(store), users: Arc::new(users), _guard: None }
    }

    /// Drops a value after the store, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("store", &self.store).field("users", &self.users).finish()
    }
}

/// Calls a macro with the names of all tests of [`HistoryStore`], after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_history_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            numbers_begin_at_one_in_each_room
            a_message_is_read_as_it_was_announced
            results_come_in_the_order_of_the_numbers
            a_repeated_id_is_a_duplicate
            an_id_belongs_to_a_user_and_not_to_a_name
            another_text_is_not_a_duplicate_of_a_pruned_message
            a_repeated_id_is_recognised_in_the_same_commit
            a_generated_id_is_not_compared
            deleted_messages_keep_their_numbers
            a_deletion_that_changes_nothing_has_no_number
            the_id_of_a_deleted_message_decides_by_its_text
            changed_messages_are_found_by_the_events_that_changed_them
            events_that_are_no_messages_leave_gaps_in_pages
            messages_of_others_are_counted
            pages_and_numbers_follow_retention_before_it_is_carried_out
            pages_end_at_their_limit
            pages_are_limited_in_bytes
            all_but_the_newest_messages_are_pruned
            old_messages_are_pruned
            a_working_store_passes_its_check
            the_longest_names_and_ids_are_stored
            random_operations_match_a_list
            an_edit_replaces_the_text
            only_the_author_edits
            a_repeated_edit_is_carried_out_once
            edits_have_a_window_and_need_permission
            a_user_deletes_own_messages
            a_reply_names_the_author_of_its_target
            a_repeated_reply_is_a_duplicate
            a_reaction_changes_its_message
            reactions_stay_with_the_text
            reactions_are_counted
            a_message_has_a_limited_number_of_emoji
            a_user_reacts_once_under_all_of_its_ids
            a_reaction_needs_permission
            pruning_takes_reactions_and_mentions_along
            mentions_are_counted
            newer_rooms_are_found
            changes_of_settings_are_events
            public_rooms_are_found
            a_message_without_permission_is_not_stored
            a_repeated_id_comes_before_permission
            permissions_are_checked_in_the_order_of_events
        }
    };
}

/// Calls a macro with the names of all tests of [`UserMessages`], after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_user_messages_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            a_users_messages_are_found_and_deleted_in_all_rooms
            messages_under_one_name_are_found_and_deleted
            pages_of_a_user_are_limited_in_bytes
            a_walk_through_many_rooms_finds_each_message_once
            the_reactions_of_a_user_are_found
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of
/// [`HistoryStore`](crate::HistoryStore).
///
/// The argument is the path of an async function that returns
/// [`History`](crate::conformance::History), or `Option<History>`: with `None`, the test is
/// skipped. The calling crate needs `tokio` with the features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! history_tests {
    ($make:path) => {
        $crate::__with_history_tests! { [$crate::__store_tests] $make; }

        #[tokio::test(flavor = "multi_thread")]
        async fn each_store_has_its_own_epoch() {
            if let (Some(one), Some(other)) = ($make().await.into(), $make().await.into()) {
                $crate::conformance::each_store_has_its_own_epoch(one, other).await;
            }
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test of
/// [`UserMessages`](crate::UserMessages).
///
/// The argument is the path of an async function that returns [`Users`](crate::conformance::Users),
/// or `Option<Users>`: with `None`, the test is skipped. The calling crate needs `tokio` with the
/// features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! user_messages_tests {
    ($make:path) => {
        $crate::__with_user_messages_tests! { [$crate::__store_tests] $make; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    ($make:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                if let Some(store) = $make().await.into() {
                    $crate::conformance::$test(store).await;
                }
            }
        )*
    };
}

macro_rules! run_all {
    ($make:ident; $($test:ident)*) => { $( $test($make().await).await; )* };
}

/// Runs all tests of [`HistoryStore`], each on a new store.
///
/// # Panics
/// If a test fails.
pub async fn run(make: impl AsyncFn() -> History) {
    __with_history_tests! { [run_all] make; }
    each_store_has_its_own_epoch(make().await, make().await).await;
}

/// Runs all tests of [`UserMessages`], each on a new store.
///
/// # Panics
/// If a test fails.
pub async fn run_users(make: impl AsyncFn() -> Users) {
    __with_user_messages_tests! { [run_all] make; }
}
