//! The conformance suite over all stores, and what the durable stores promise beyond it.
#![allow(clippy::unwrap_used)]

mod both;
mod place;
mod postgres;
mod sqlite;

use chat_accounts::MemoryAccounts;
use chat_accounts::conformance::Accounts;

use place::Place;

async fn memory() -> Accounts {
    Accounts::new(MemoryAccounts::new())
}

async fn sqlite_file() -> Accounts {
    let file = sqlite::File::new();
    let (_, store) = file.open().await;
    Accounts::new(store).with_guard(file)
}

async fn postgres_database() -> Option<Accounts> {
    let server = place::server()?;
    let (_, store) = postgres::open(&server).await;
    Some(Accounts::new(store).with_guard(server))
}

mod in_memory {
    chat_accounts::conformance_tests!(super::memory);
}

mod in_sqlite {
    chat_accounts::conformance_tests!(super::sqlite_file);
}

mod in_postgres {
    chat_accounts::conformance_tests!(super::postgres_database);
}
