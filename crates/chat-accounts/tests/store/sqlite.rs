//! What the SQLite store promises beyond the suite.

use std::fs;
use std::path::PathBuf;

use chat_accounts::{
    Account, AccountStore, CreateError, InviteCode, NewAccount, NewInvite, NewToken, Password, Reservation,
    RoomChange, SqliteAccounts, StoreErrorKind, Subject, TokenSecret, look_alike_version,
};
use chat_db::DbError;
use chat_db::sqlite::{Database, backup, migrate};
use chat_protocol::{Epoch, Timestamp, Username};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;

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
    fn execute(&self, sql: &str) {
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

    fn text(&self, sql: &str) -> String {
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

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(text: &str) -> Username {
    text.parse().unwrap()
}

async fn create(store: &SqliteAccounts, username: &str) -> Account {
    store.create(NewAccount::new(name(username), at(0))).await.unwrap()
}

async fn reserved(store: &SqliteAccounts, username: &str) -> Option<Reservation> {
    store.reserved(name(username), at(0)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart() {
    let file = File::new();
    let (database, store) = file.open().await;
    let subject = Subject::new("https://issuer.example", "1").unwrap();
    let new = NewAccount::new(name("ana"), at(0)).with_subject(subject).adopting("g_1".parse().unwrap());
    let ana = store.create(new).await.unwrap();
    let (secret, code) = (TokenSecret::random(), InviteCode::random());
    store.add_token(NewToken::api(ana.id.clone(), secret.hash(), at(0))).await.unwrap();
    let invite = store.add_invite(NewInvite::new(code.hash(), at(0))).await.unwrap();
    let change = RoomChange::new(Epoch::new("e"), u64::MAX).favourite(true);
    store.keep(ana.id.clone(), "r".parse().unwrap(), change).await.unwrap();
    let gone = create(&store, "bob").await;
    store.delete(gone.id, at(9)).await.unwrap();
    database.close().await;

    let (database, store) = file.open().await;
    assert_eq!(store.by_username(name("ana")).await.unwrap(), Some(ana.clone()));
    assert_eq!(store.find_token(secret.hash(), at(1)).await.unwrap().unwrap().1, ana);
    assert_eq!(store.invites(at(1)).await.unwrap(), [invite]);
    let rooms = store.rooms(ana.id).await.unwrap();
    assert_eq!((rooms.len(), rooms[0].read_up_to), (1, i64::MAX.unsigned_abs()));
    assert_eq!(reserved(&store, "Bob").await, Some(Reservation::kept(name("bob"), at(9))));
    database.close().await;
}

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
async fn names_are_compared_by_the_data_of_this_version() {
    let file = File::new();
    let (database, store) = file.open().await;
    assert_eq!(file.text("(SELECT names_version FROM account_meta)"), look_alike_version());
    // more than one statement inserts
    let created = (0..1_200).map(|i| store.create(NewAccount::new(name(&format!("user{i}x")), at(0))));
    assert!(futures::future::join_all(created).await.iter().all(Result::is_ok));
    create(&store, "ana").await;
    create(&store, "bob").await;
    let eve = create(&store, "eve").await;
    store.delete(eve.id, at(100)).await.unwrap();
    let names = file.number("(SELECT count(*) FROM account_names)");
    database.close().await;

    // what a version would leave to which "ana" and "bob" looks different from a name with a
    // Cyrillic letter
    file.execute(
        "UPDATE accounts SET username = 'аna' WHERE username = 'bob';
         UPDATE account_names SET username = 'аna', skeleton = 'x' WHERE username = 'bob';
         UPDATE account_names SET skeleton = 'y' || skeleton WHERE username <> 'аna';
         UPDATE account_meta SET names_version = 'older'",
    );
    let (database, store) = file.open().await;
    assert_eq!(file.number("(SELECT count(*) FROM account_names)"), names);
    assert_eq!(file.text("(SELECT names_version FROM account_meta)"), look_alike_version());
    for username in ["ana", "аna"] {
        assert!(store.by_username(name(username)).await.unwrap().is_some(), "both stay");
        assert_eq!(reserved(&store, username).await, Some(Reservation::account(name(username))));
    }
    assert!(reserved(&store, "user1199X").await.is_some());
    assert_eq!(reserved(&store, "Eve").await, Some(Reservation::kept(name("eve"), at(100))));
    let refused = store.create(NewAccount::new(name("Ana"), at(0))).await;
    assert!(matches!(refused, Err(CreateError::NameTaken(_))), "{refused:?}");
    // one of them still has the name after the other is gone
    let first = store.by_username(name("ana")).await.unwrap().unwrap();
    store.delete(first.id, at(0)).await.unwrap();
    assert_eq!(reserved(&store, "ana").await, Some(Reservation::account(name("аna"))));
    database.close().await;

    // the same version: nothing is computed
    file.execute("DELETE FROM account_names");
    let (database, _) = file.open().await;
    assert_eq!(file.number("(SELECT count(*) FROM account_names)"), 0);
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
async fn a_damaged_row_is_reported_without_its_content() {
    let file = File::new();
    let (database, store) = file.open().await;
    let ana = create(&store, "ana").await;
    for (column, value, valid) in [
        ("role", "'king'", "'user'"),
        ("password_hash", "'opensesame'", "NULL"),
        ("issuer", "'https://issuer.example'", "NULL"),
        ("display_name", "''", "NULL"),
    ] {
        file.execute(&format!("UPDATE accounts SET {column} = {value}"));
        let error = store.account(ana.id.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{column}");
        let text = error.to_string();
        assert!(text.contains("accounts") && text.contains(ana.id.as_str()), "{text}");
        assert!(!text.contains("opensesame"), "{text}");
        file.execute(&format!("UPDATE accounts SET {column} = {valid}"));
    }
    assert_eq!(store.account(ana.id.clone()).await.unwrap(), Some(ana));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_closed_database_fails() {
    let file = File::new();
    let (database, store) = file.open().await;
    database.close().await;
    let refused = store.create(NewAccount::new(name("ana"), at(0))).await;
    assert!(matches!(refused, Err(CreateError::Store(_))), "{refused:?}");
    assert!(store.check().await.is_err());
    let error = store.by_username(name("ana")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(matches!(cause.downcast_ref(), Some(DbError::Closed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_is_never_polled_has_no_effect() {
    let file = File::new();
    let (database, store) = file.open().await;
    drop(store.create(NewAccount::new(name("ana"), at(0))));
    assert_eq!(store.counts().await.unwrap().accounts, 0);
    database.close().await;
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
