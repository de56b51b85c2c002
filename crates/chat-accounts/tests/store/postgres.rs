//! What the PostgreSQL store promises beyond the suite.

use std::num::NonZeroU32;

use chat_accounts::{AccountStore, NewAccount, NewToken, PostgresAccounts, Subject, TokenSecret};
use chat_db::postgres::{Database, Options, Url, migrate};
use chat_testkit::{postgres as servers, until};
use tokio::task::block_in_place;

use crate::place::{at, create, name, server};

fn url(server: &servers::Database) -> Url {
    server.url().parse().unwrap()
}

/// Opens a database with few connections: many tests share a server.
pub(crate) async fn open(server: &servers::Database) -> (Database, PostgresAccounts) {
    let few = NonZeroU32::MIN;
    let options = Options::default().appenders(few).readers(few.saturating_add(1));
    let database = block_in_place(|| Database::open(&url(server), &options)).unwrap();
    (database.clone(), PostgresAccounts::open(database).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_another_identity_has_no_tokens_in_postgres() {
    let Some(server) = server() else { return };
    let (database, store) = open(&server).await;
    let ana = create(&store, "ana").await;
    let secret = TokenSecret::random();
    store.add_token(NewToken::api(ana.id.clone(), secret.hash(), at(0))).await.unwrap();
    database.close().await;
    let (database, store) = open(&server).await;
    assert!(store.find_token(secret.hash(), at(1)).await.unwrap().is_some());
    database.close().await;

    // as after a restore
    block_in_place(|| migrate::forget_identity(&url(&server))).unwrap();
    let (database, store) = open(&server).await;
    assert_eq!(store.find_token(secret.hash(), at(1)).await.unwrap(), None);
    assert_eq!(store.by_username(name("ana")).await.unwrap(), Some(ana));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_replaced_loses_its_tokens_in_postgres() {
    let Some(server) = server() else { return };
    let (database, store) = open(&server).await;
    let ana = create(&store, "ana").await;
    let secret = TokenSecret::random();
    store.add_token(NewToken::api(ana.id.clone(), secret.hash(), at(0))).await.unwrap();
    assert!(store.is_certainly_free(&name("bob")));

    // a standby that was behind: it has another identity, and a name that had been removed
    block_in_place(|| {
        server.psql(
            "INSERT INTO account_names (skeleton, username) VALUES ('bob', 'bob');
             UPDATE account_meta SET names_version = 'older';
             INSERT INTO accounts (id, username, is_service, role, created_at) VALUES ('u_2', 'bob', false, 'user', 0);
             UPDATE database_state SET identity = 'other', incarnation = 'other';",
        )
    });
    until("the database is taken again", async || store.check().await.is_ok()).await;
    assert_eq!(store.find_token(secret.hash(), at(1)).await.unwrap(), None);
    assert!(!store.is_certainly_free(&name("bob")));
    assert!(store.reserved(name("Bob"), at(0)).await.unwrap().is_some());
    assert_eq!(store.account(ana.id).await.unwrap().unwrap().username, name("ana"));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_are_stored_in_a_form_that_postgres_accepts() {
    let Some(server) = server() else { return };
    let (database, store) = open(&server).await;
    let subject = Subject::new("https://issuer.example", "a\0").unwrap();
    store.create(NewAccount::new(name("ana"), at(0)).with_subject(subject)).await.unwrap();
    let stored = block_in_place(|| server.psql("SELECT encode(subject::bytea, 'hex') FROM accounts"));
    assert_eq!(stored, "610101");
    database.close().await;
}

/// The statements that run for each connection find their rows by an index.
#[tokio::test(flavor = "multi_thread")]
async fn no_query_of_a_sign_in_reads_a_whole_table_in_postgres() {
    let Some(server) = server() else { return };
    let (database, _) = open(&server).await;
    for query in [
        "SELECT * FROM account_tokens WHERE hash = '\\x00'",
        "SELECT * FROM account_tokens WHERE account = 'u' AND kind = 'api'",
        "SELECT id FROM account_tokens WHERE expires_at <= 1",
        "SELECT id FROM registration_invites WHERE hash = '\\x00'",
        "SELECT guest FROM account_guests WHERE account = 'u' ORDER BY guest",
        "SELECT * FROM account_names WHERE skeleton = ANY (ARRAY['a', 'b'])",
        "SELECT username FROM account_names WHERE reserved_until <= 1",
        "DELETE FROM account_names WHERE username = 'a'",
        "SELECT id FROM accounts WHERE issuer = 'a' AND subject = 'b'",
        "SELECT * FROM accounts WHERE username > 'a' ORDER BY username LIMIT 9",
        "SELECT * FROM account_rooms WHERE account = 'u' ORDER BY room",
    ] {
        // the tables are empty, so the planner would read them whole
        let sql = format!("SET enable_seqscan = off; EXPLAIN {query}");
        let plan = block_in_place(|| server.psql(&sql));
        assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{query}: {plan}");
    }
    database.close().await;
}
