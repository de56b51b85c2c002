//! What the SQLite store promises beyond the suite.

use std::fs;
use std::path::PathBuf;

use chat_accounts::{
    AccountStore, InviteCode, NewAccount, NewInvite, NewToken, Password, SqliteAccounts, TokenSecret,
};
use chat_db::sqlite::{Database, backup, migrate};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;

use crate::place::{at, create, name};

/// A database file in a temporary folder.
pub(crate) struct File {
    folder: TempDir,
    path: PathBuf,
}

impl File {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.sqlite3");
        Self { folder, path }
    }

    pub(crate) async fn open(&self) -> (Database, SqliteAccounts) {
        let database = Database::open(&self.path).unwrap();
        (database.clone(), SqliteAccounts::open(database).await.unwrap())
    }

    /// Runs statements on a connection that the store does not know of.
    pub(crate) fn execute(&self, sql: &str) {
        self.outside().batch_execute(sql).unwrap();
    }

    fn outside(&self) -> SqliteConnection {
        let mut outside = SqliteConnection::establish(self.path.to_str().unwrap()).unwrap();
        // the store may be writing at this moment
        outside.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        outside
    }

    fn number(&self, sql: &str) -> i64 {
        diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result(&mut self.outside()).unwrap()
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        diesel::select(diesel::dsl::sql::<Text>(sql)).get_result(&mut self.outside()).unwrap()
    }
}

const TABLES: [&str; 7] = [
    "accounts",
    "account_names",
    "account_guests",
    "account_tokens",
    "registration_invites",
    "account_rooms",
    "account_meta",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_has_no_tokens() {
    let file = File::new();
    let (database, store) = file.open().await;
    let ana = create(&store, "ana").await;
    let secret = TokenSecret::random();
    store.add_token(NewToken::api(ana.id.clone(), secret.hash(), at(0))).await.unwrap();
    database.close().await;
    let copy = file.folder.path().join("backup");
    backup::back_up(&file.path, &copy).unwrap();
    let (database, store) = file.open().await;
    assert!(store.find_token(secret.hash(), at(1)).await.unwrap().is_some());
    database.close().await;

    backup::restore(&copy, &file.path).unwrap();
    let (database, store) = file.open().await;
    assert_eq!(store.find_token(secret.hash(), at(1)).await.unwrap(), None);
    assert_eq!(store.by_username(name("ana")).await.unwrap(), Some(ana));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_database_has_no_secrets() {
    let file = File::new();
    let (database, store) = file.open().await;
    let hash = Password::new("correct horse").unwrap().hash().unwrap();
    let (secret, code) = (TokenSecret::random(), InviteCode::random());
    store.add_invite(NewInvite::new(code.hash(), at(0)).with_uses(2.try_into().unwrap())).await.unwrap();
    let new = NewAccount::new(name("ana"), at(0)).with_password(hash.clone()).with_invite(code.hash());
    let ana = store.create(new).await.unwrap();
    store.add_token(NewToken::api(ana.id, secret.hash(), at(0))).await.unwrap();
    database.close().await;

    let bytes = fs::read(&file.path).unwrap();
    let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(contains(hash.as_str().as_bytes()) && contains(secret.hash().as_bytes()));
    assert!(contains(code.hash().as_bytes()));
    let decoded = |text: String| {
        use base64::Engine;
        base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
    };
    for hidden in [
        b"correct horse".to_vec(),
        secret.to_text().into_bytes(),
        code.to_text().into_bytes(),
        decoded(secret.to_text()),
        decoded(code.to_text()),
    ] {
        assert!(!contains(&hidden), "{hidden:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_is_reverted_and_applied_again() {
    let file = File::new();
    let (database, store) = file.open().await;
    create(&store, "ana").await;
    database.close().await;
    let tables = || {
        let list = TABLES.map(|table| format!("'{table}'")).join(", ");
        file.number(&format!(
            "(SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ({list}))"
        ))
    };
    assert_eq!(tables(), 7);
    while tables() > 0 {
        migrate::down(&file.path).unwrap();
    }
    assert_eq!(file.number("(SELECT count(*) FROM sqlite_master WHERE name LIKE 'account%')"), 0);
    let (database, store) = file.open().await;
    assert_eq!(store.counts().await.unwrap().accounts, 0);
    create(&store, "ana").await;
    database.close().await;
}

/// The statements that run for each connection find their rows by an index.
#[test]
fn no_query_of_a_sign_in_reads_a_whole_table() {
    let file = File::new();
    drop(Database::open(&file.path).unwrap());
    for query in [
        "SELECT * FROM account_tokens WHERE hash = x'00'",
        "SELECT * FROM account_tokens WHERE account = 'u' AND kind = 'api'",
        "SELECT id FROM account_tokens WHERE expires_at <= 1",
        "SELECT id FROM registration_invites WHERE hash = x'00'",
        "SELECT guest FROM account_guests WHERE account = 'u' ORDER BY guest",
        "SELECT * FROM account_names WHERE skeleton IN ('a', 'b')",
        "SELECT username FROM account_names WHERE reserved_until <= 1",
        "DELETE FROM account_names WHERE username = 'a'",
        "SELECT id FROM accounts WHERE issuer = 'a' AND subject = 'b'",
        "SELECT * FROM accounts WHERE username > 'a' ORDER BY username LIMIT 9",
        "SELECT * FROM account_rooms WHERE account = 'u' ORDER BY room",
    ] {
        #[derive(QueryableByName)]
        struct Step {
            #[diesel(sql_type = Text)]
            detail: String,
        }
        let plan = diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}"));
        let plan: Vec<Step> = plan.load(&mut file.outside()).unwrap();
        for step in &plan {
            assert!(step.detail.starts_with("SEARCH"), "{query}: {}", step.detail);
        }
        assert!(!plan.is_empty());
    }
}
