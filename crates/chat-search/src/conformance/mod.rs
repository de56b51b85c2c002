//! The test suite for implementations of [`SearchIndex`] (feature `conformance`).
//!
//! Each test gets a new, empty index. [`run`] runs all tests and panics at the first that fails;
//! [`search_index_tests!`](crate::search_index_tests) makes a `#[tokio::test]` of each.
//!
//! ```
//! use chat_search::MemoryIndex;
//! use chat_search::conformance::{self, Index};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! conformance::run(async || Index::new(MemoryIndex::new())).await;
//! # });
//! ```
//!
//! [`helpers`] are useful for tests of your own.
#![allow(clippy::unwrap_used)]

mod changes;
pub mod helpers;
mod queries;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::SearchIndex;

pub use changes::*;
pub use queries::*;

/// An index to be tested.
pub struct Index {
    /// The index.
    pub index: Arc<dyn SearchIndex>,
    _guard: Option<Box<dyn Any + Send>>,
}

impl Index {
    /// An index to be tested. It must be empty.
    pub fn new(index: impl SearchIndex) -> Self {
        Self { index: Arc::new(index), _guard: None }
    }

    /// Drops a value after the index, for example a temporary directory.
    #[must_use]
    pub fn with_guard(self, guard: impl Any + Send) -> Self {
        Self { _guard: Some(Box::new(guard)), ..self }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("index", &self.index).finish()
    }
}

/// Calls a macro with the names of all tests, after its own arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __with_search_index_tests {
    ([$($callback:tt)*] $($arguments:tt)*) => {
        $($callback)*! {
            $($arguments)*
            an_empty_index_finds_nothing
            words_are_found_whatever_their_case_and_accents
            all_words_have_to_be_in_the_message
            the_last_word_is_found_by_its_beginning
            scripts_without_spaces_are_found_anywhere
            signs_have_no_meaning
            only_the_rooms_of_the_query_are_searched
            many_rooms_are_searched
            only_messages_of_the_author_are_found
            the_newest_messages_of_all_rooms_come_first
            pages_continue_where_the_last_one_ended
            messages_of_one_millisecond_are_found_once
            a_changed_message_is_found_by_its_new_text
            a_removed_message_is_not_found
            messages_below_the_oldest_are_not_found
            a_room_that_begins_again_has_no_old_messages
            another_epoch_begins_again
            positions_are_kept
            an_update_may_be_applied_again
            an_index_is_cleared
        }
    };
}

/// Makes a test (`#[tokio::test]`, on a runtime with several threads) of each test.
///
/// The argument is the path of an async function that returns [`Index`](crate::conformance::Index),
/// or `Option<Index>`: with `None`, the test is skipped. The calling crate needs `tokio` with the
/// features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! search_index_tests {
    ($make:path) => {
        $crate::__with_search_index_tests! { [$crate::__search_index_test] $make; }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __search_index_test {
    ($make:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let index: Option<$crate::conformance::Index> = $make().await.into();
                if let Some(index) = index {
                    $crate::conformance::$test(index).await;
                }
            }
        )*
    };
}

macro_rules! run_all {
    ($make:ident; $($test:ident)*) => { $( $test($make().await).await; )* };
}

/// Runs all tests, each on a new index.
///
/// # Panics
/// If a test fails.
pub async fn run(make: impl AsyncFn() -> Index) {
    __with_search_index_tests! { [run_all] make; }
}
