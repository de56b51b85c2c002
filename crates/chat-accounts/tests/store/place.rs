//! Databases of both kinds.

use std::sync::Arc;

use chat_accounts::{Account, AccountStore, NewAccount, Reservation};
use chat_protocol::{Timestamp, Username};
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres as servers;
use tokio::task::block_in_place;

use crate::{postgres, sqlite};

/// An empty PostgreSQL database. `None` if this machine does not have PostgreSQL.
pub(crate) fn server() -> Option<servers::Database> {
    needs::are_met(&[Need::Postgres]).then(|| block_in_place(servers::shared))
}

/// Where a store keeps its data.
pub(crate) enum Place {
    Sqlite(sqlite::File),
    Postgres(servers::Database),
}

/// An open database.
pub(crate) enum Opened {
    Sqlite(chat_db::sqlite::Database),
    Postgres(chat_db::postgres::Database),
}

impl Opened {
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

impl Place {
    pub(crate) async fn open(&self) -> (Opened, Arc<dyn AccountStore>) {
        match self {
            Self::Sqlite(file) => {
                let (database, store) = file.open().await;
                (Opened::Sqlite(database), Arc::new(store))
            }
            Self::Postgres(server) => {
                let (database, store) = postgres::open(server).await;
                (Opened::Postgres(database), Arc::new(store))
            }
        }
    }

    /// Runs statements on a connection that the store does not know of.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(file) => file.execute(sql),
            Self::Postgres(server) => drop(block_in_place(|| server.psql(sql))),
        }
    }

    /// The value of an expression.
    pub(crate) fn text(&self, sql: &str) -> String {
        match self {
            Self::Sqlite(file) => file.text(sql),
            Self::Postgres(server) => block_in_place(|| server.psql(&format!("SELECT {sql}"))),
        }
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.text(&format!("CAST({sql} AS TEXT)")).parse().unwrap()
    }
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn name(text: &str) -> Username {
    text.parse().unwrap()
}

pub(crate) async fn create(store: &dyn AccountStore, username: &str) -> Account {
    store.create(NewAccount::new(name(username), at(0))).await.unwrap()
}

pub(crate) async fn reserved(store: &dyn AccountStore, username: &str) -> Option<Reservation> {
    store.reserved(name(username), at(0)).await.unwrap()
}
