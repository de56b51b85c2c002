//! The conformance suite over all stores, and what the durable stores promise beyond it.
#![allow(clippy::unwrap_used)]

mod postgres;
mod sqlite;

use chat_access::conformance::Access;
use chat_access::{ActKind, Doer, MemoryAccess, NewAct, Person, PostgresAccess, Scope, SqliteAccess};
use chat_db::sqlite::Database;
use chat_protocol::{Identity, Moderation};

async fn memory() -> Access {
    Access::new(MemoryAccess::new())
}

async fn sqlite_file() -> Access {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("chat.db")).unwrap();
    Access::new(SqliteAccess::new(database)).with_guard(folder)
}

async fn postgres_database() -> Option<Access> {
    let server = postgres::server()?;
    let store = PostgresAccess::new(postgres::open(&server));
    Some(Access::new(store).with_guard(server))
}

mod in_memory {
    chat_access::conformance_tests!(super::memory);
}

mod in_sqlite {
    chat_access::conformance_tests!(super::sqlite_file);
}

mod in_postgres {
    chat_access::conformance_tests!(super::postgres_database);
}

fn warning() -> NewAct {
    let ana = Identity::account("u_1".parse().unwrap(), "ana".parse().unwrap()).unwrap();
    let kind = ActKind::Moderate(Moderation::Warn, None);
    NewAct::new(Scope::Server, Doer::Operator, kind, Person::from(&ana))
}
