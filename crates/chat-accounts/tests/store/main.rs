//! The conformance suite over both stores, and what the durable store promises beyond it.
#![allow(clippy::unwrap_used)]

mod sqlite;

use chat_accounts::conformance::Accounts;
use chat_accounts::{MemoryAccounts, SqliteAccounts};

async fn memory() -> Accounts {
    Accounts::new(MemoryAccounts::new())
}

async fn sqlite_file() -> Accounts {
    let file = sqlite::File::new();
    let (_, store): (_, SqliteAccounts) = file.open().await;
    Accounts::new(store).with_guard(file)
}

mod in_memory {
    chat_accounts::conformance_tests!(super::memory);
}

mod in_sqlite {
    chat_accounts::conformance_tests!(super::sqlite_file);
}
