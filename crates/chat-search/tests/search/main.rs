//! The conformance suite over both indexes, what the file promises beyond it, and the follower.
#![allow(clippy::unwrap_used)]

mod follower;
mod index;
mod support;

use chat_search::MemoryIndex;
use chat_search::conformance::Index;

use self::support::File;

async fn memory() -> Index {
    Index::new(MemoryIndex::new())
}

async fn sqlite() -> Index {
    let file = File::new();
    Index::new(file.open()).with_guard(file)
}

mod in_memory {
    chat_search::search_index_tests!(super::memory);
}

mod in_sqlite {
    chat_search::search_index_tests!(super::sqlite);
}
