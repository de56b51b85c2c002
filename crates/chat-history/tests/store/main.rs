//! The conformance suites over both stores, and what each store promises beyond them.
#![allow(clippy::unwrap_used)]

mod memory;
mod model;
mod postgres;
mod sqlite;
mod support;
mod users;

use chat_history::conformance;

mod in_memory {
    chat_history::history_tests!(super::support::memory);
    chat_history::user_messages_tests!(super::support::memory_users);
    chat_history::history_log_tests!(super::support::memory_log);
}

mod in_sqlite {
    chat_history::history_tests!(super::support::sqlite);
    chat_history::user_messages_tests!(super::support::sqlite_users);
    chat_history::history_log_tests!(super::support::sqlite_log);
}

mod in_postgres {
    chat_history::history_tests!(super::support::postgres);
    chat_history::user_messages_tests!(super::support::postgres_users);
    chat_history::history_log_tests!(super::support::postgres_log);
}

#[test]
fn a_page_fits_into_a_frame_of_the_protocol() {
    assert_eq!(chat_history::MAX_PAGE_BYTES, chat_protocol::v2::PAGE_BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_of_different_kinds_have_different_epochs() {
    conformance::each_store_has_its_own_epoch(support::memory().await, support::sqlite().await).await;
}
