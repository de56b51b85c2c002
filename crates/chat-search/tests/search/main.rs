//! The conformance suite over all indexes, what the databases promise beyond it, and the follower.
#![allow(clippy::unwrap_used)]

mod follower;
mod model;
mod postgres;
mod sqlite;
mod support;

use std::time::Duration;

use chat_search::MemoryIndex;
use chat_search::conformance::Index;

use self::postgres::Server;
use self::support::File;

async fn memory() -> Index {
    Index::new(MemoryIndex::new())
}

async fn sqlite() -> Index {
    let file = File::new();
    Index::new(file.open()).with_guard(file)
}

async fn postgres() -> Option<Index> {
    let server = Server::start()?;
    Some(Index::new(server.open().await).with_guard(server))
}

/// Searches in small steps, as in an index that is much larger.
async fn postgres_in_small_steps() -> Option<Index> {
    let server = Server::start()?;
    let index = server.open().await.max_candidates(20).max_duration(Duration::from_secs(60));
    Some(Index::new(index).with_guard(server))
}

mod in_memory {
    chat_search::search_index_tests!(super::memory);
}

mod in_sqlite {
    chat_search::search_index_tests!(super::sqlite);
}

mod in_postgres {
    chat_search::search_index_tests!(super::postgres);
}

mod in_postgres_in_small_steps {
    chat_search::search_index_tests!(super::postgres_in_small_steps);
}
