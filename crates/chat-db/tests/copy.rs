//! Copies of real databases, from SQLite to PostgreSQL and back.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use chat_db::copy::{Copied, CopyError, Place, Progress, Step, copy};
use chat_db::postgres::{self, Options};
use chat_db::sqlite;
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres::{Database, shared};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// How many messages the room `1` has.
const MESSAGES: u64 = 3_500;

/// Rows of every kind.
const ROWS: &str = "
    INSERT INTO history_epoch VALUES (1, 'epoch-1', 7);
    INSERT INTO rooms (id, name, next_seq, first_seq, message_count, settings, policy_version, is_public)
    VALUES (1, 'lobby', 3501, 1, 3500, NULL, 0, 0), (2, 'Ünïcode 🦀', 5, 2, 1, '{\"a\":1}', 3, 1),
           (900, '', 1, 1, 0, NULL, 0, 1);
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3500)
    INSERT INTO messages (place, username, id, body, sent_at, user, changed, deleted_by, edited_at, reply_to,
                          reply_user, reply_username, mentions)
    SELECT (1 << 40) + n, 'ana', 'id-' || n, 'text ' || n, 1000 + n, 'u_1', NULL, NULL, NULL, NULL, NULL, NULL,
           NULL FROM numbers;
    INSERT INTO messages (place, username, id, body, sent_at, user, changed, deleted_by, edited_at, reply_to,
                          reply_user, reply_username, mentions)
    VALUES ((2 << 40) + 2, 'bo', 'x', NULL, -5, 'g_0', (2 << 40) + 4, 'moderator', NULL, NULL, NULL, NULL, NULL),
           ((2 << 40) + 3, 'bo', 'nul', 'a' || char(0) || 'b' || char(1) || char(1, 2) || char(0, 0), 1, 'u_2',
            (2 << 40) + 4, NULL, 9223372036854775807, 2, 'g_0', 'bo', 'u_1 room'),
           ((2 << 40) + 4, '🦀', 'empty', '', 0, 'u_3', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    INSERT INTO message_ids (n, room_id, username, message_id, seq, sent_at, user, digest)
    VALUES (4, 1, 'old', 'before users', 1, 1, NULL, NULL), (5, 1, 'ana', 'twice', 1, 2, 'u_1', 5),
           (6, 2, 'ana', 'twice', 1, 3, 'u_1', -6), (7, 1, 'ana', 'twice', 2, 9, 'u_1', 7);
    INSERT INTO message_ids (n, room_id, username, message_id, seq, sent_at, user, digest)
    SELECT 7 + (place & 4095), 1, username, id, place & 4095, sent_at, user, place FROM messages
    WHERE place >> 40 = 1;
    INSERT INTO reactions VALUES ((2 << 40) + 3, 'u_1', '👍🏽', 'ana'), ((2 << 40) + 3, 'u_1', 'é', 'ana'),
                                 ((2 << 40) + 3, 'u_2', '👍🏽', 'bo');
    INSERT INTO reaction_counts VALUES ((2 << 40) + 3, '👍🏽', 4, 2, 'ana bo'), ((2 << 40) + 3, 'é', 5, 1, 'ana');
    INSERT INTO mentions VALUES ((2 << 40) + 3, 'room'), ((2 << 40) + 3, 'u_1');
    INSERT INTO room_usage VALUES (-1, 'lobby', 1, 2, 3), (20000, 'lobby', 0, 0, 0), (20000, 'Ünïcode 🦀', 4, 5, 6);
    INSERT INTO accounts VALUES ('u_1', 'ana', 0, 'admin', '$argon2id$', NULL, NULL, 'Ana', '', 'UTC', 1, NULL),
        ('u_2', 'bo', 1, 'user', NULL, 'iss' || char(0), char(1) || 'sub', NULL, NULL, NULL, 2, 3);
    INSERT INTO account_names VALUES ('ana', 'ana', NULL), ('bo', 'bo', 99), ('bo', 'Bo', NULL);
    INSERT INTO account_guests VALUES ('g_1', 'u_1');
    INSERT INTO account_tokens VALUES ('t_1', x'00ff00', 'u_1', 'session', NULL, 1, 2, NULL),
                                      ('t_2', x'', 'u_1', 'api', 'a program', 1, 2, 3);
    INSERT INTO registration_invites VALUES ('i_1', x'0102', 3, NULL, 1, NULL), ('i_2', x'ff', 1, 'u_1', 1, 2);
    INSERT INTO account_rooms VALUES ('u_1', 'lobby', 1, 'mentions', 'epoch' || char(0), 17);
    INSERT INTO account_meta VALUES (1, '16.0');
    INSERT INTO blocked_users VALUES ('u_1', 'u_2', NULL), ('u_1', 'u_3', 'x');
    INSERT INTO room_roles VALUES ('lobby', 'u_1', 'ana', 'owner');
    INSERT INTO restrictions VALUES ('', 'g_9', 'ban', 'spam', NULL, 1, '192.0.2.1', 5),
                                    ('lobby', 'u_2', 'mute', 'bo', 7, 2, NULL, NULL);
    INSERT INTO audit_log VALUES (1, 1, '', NULL, NULL, 'ban', NULL, NULL, NULL, 'g_9', 'spam', 'why'),
        (2, 2, 'lobby', 'u_1', 'ana', 'mute', 'member', 7, 9, 'u_2', 'bo', NULL);
    INSERT INTO warnings VALUES (2, 'u_2');
    INSERT INTO invitations VALUES ('lobby', 'u_3', 'c', NULL, NULL, 8), ('lobby', 'u_4', 'd', 'u_1', 'ana', 8);
    INSERT INTO invite_links VALUES (x'8000', 'lobby', 1, 2), (x'7fff', 'lobby', 1, 2), (x'80', 'lobby', 3, 4);
    INSERT INTO direct_rooms VALUES ('u_1', 'u_2', 'd_1');
    INSERT INTO reports (number, at, room, by_user, by_username, target, user, username, body, reason)
    VALUES (3, 1, 'lobby', 'u_1', 'ana', 4, 'u_2', 'bo', 'bad' || char(0), 'spam'),
           (4, 1, 'lobby', 'u_1', 'ana', 5, 'u_2', 'bo', NULL, NULL);
    DELETE FROM reports WHERE number = 4;
    INSERT INTO announcement VALUES (1, 'a_1', 'info', 'hello' || char(0) || '🦀', 1);
    INSERT INTO presence (id, room, username, user, channel_name, node, joined_at)
    VALUES (41, 'lobby', 'ana', 'u_1', 'c', 'n', 1);
    INSERT INTO room_names VALUES ('lobby', 'ana', 'u_1');
";

/// Tables whose rows are the same after a copy there and back.
const TABLES: [&str; 24] = [
    "account_guests",
    "account_meta",
    "account_names",
    "account_rooms",
    "account_tokens",
    "accounts",
    "announcement",
    "audit_log",
    "blocked_users",
    "direct_rooms",
    "history_epoch",
    "invitations",
    "invite_links",
    "mentions",
    "messages",
    "reaction_counts",
    "reactions",
    "registration_invites",
    "reports",
    "restrictions",
    "room_roles",
    "room_usage",
    "rooms",
    "warnings",
];

/// A SQLite database with rows of every kind, which a server has closed, and an empty database on a
/// PostgreSQL server.
struct Setup {
    folder: TempDir,
    server: Database,
    /// One test of this process runs at a time: a child of another test would hold the locks of
    /// files for a moment.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::const_new(());

impl Setup {
    /// `None` if there is no PostgreSQL.
    async fn new() -> Option<Self> {
        if !needs::are_met(&[Need::Postgres]) {
            return None;
        }
        let turn = TURN.lock().await;
        let setup = Self { folder: tempfile::tempdir().unwrap(), server: shared(), _turn: turn };
        let database = sqlite::Database::open(&setup.path("from")).unwrap();
        database.write(|connection| connection.batch_execute(ROWS)).await.unwrap();
        database.close().await;
        Some(setup)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> Place {
        Place::File(self.path(name))
    }

    fn url(&self) -> postgres::Url {
        self.server.url().parse().unwrap()
    }

    fn postgres(&self) -> Place {
        Place::Postgres(Box::new(self.url()))
    }

    async fn move_up(&self) -> Result<Copied, CopyError> {
        run(self.file("from"), self.postgres(), |_| ()).await
    }

    /// Copies until `step` has reached this number of rows, and ends then as a killed process does.
    async fn interrupt(&self, from: Place, to: Place, step: Step, rows: u64) {
        let interrupted = tokio::task::spawn_blocking(move || {
            let stop = |progress: Progress| {
                assert!(progress.step != step || progress.rows < rows, "interrupted, as the test wants");
            };
            catch_unwind(AssertUnwindSafe(|| copy(&from, &to, stop))).is_err()
        });
        assert!(interrupted.await.unwrap());
    }
}

async fn run(
    from: Place,
    to: Place,
    progress: impl FnMut(Progress) + Send + 'static,
) -> Result<Copied, CopyError> {
    tokio::task::spawn_blocking(move || copy(&from, &to, progress)).await.unwrap()
}

async fn open(url: postgres::Url) -> Result<postgres::Database, postgres::OpenError> {
    let open = move || postgres::Database::open(&url, &Options::default());
    tokio::task::spawn_blocking(open).await.unwrap()
}

fn execute(path: &Path, sql: &str) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute(sql).unwrap();
}

#[derive(Debug, QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The rows of a query with one text.
fn lines(path: &Path, sql: &str) -> Vec<String> {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let lines: Vec<Line> = diesel::sql_query(sql).load(&mut connection).unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

/// Panics if a table of the two files differs: SQLite compares them.
fn assert_same(one: &Path, other: &Path) {
    let mut connection = SqliteConnection::establish(one.to_str().unwrap()).unwrap();
    connection.batch_execute(&format!("ATTACH '{}' AS other", other.display())).unwrap();
    for table in TABLES {
        let difference = format!(
            "(SELECT count(*) FROM (SELECT * FROM main.{table} EXCEPT SELECT * FROM other.{table})) + \
             abs((SELECT count(*) FROM main.{table}) - (SELECT count(*) FROM other.{table}))"
        );
        let difference: i64 =
            diesel::select(diesel::dsl::sql::<BigInt>(&difference)).get_result(&mut connection).unwrap();
        assert_eq!(difference, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_moves_to_postgres_and_back() {
    let Some(setup) = Setup::new().await else { return };
    let copied = setup.move_up().await.unwrap();
    assert_eq!((copied.messages, copied.resumed, copied.keeps_epoch), (MESSAGES + 3, 0, true));
    assert_eq!(copied.tables, 25, "every table has a row");

    let psql = |sql: &str| setup.server.psql(sql);
    assert_eq!(
        psql(
            "SELECT body = U&'a\\0001\\0001b\\0001\\0002\\0001\\0002\\0002\\0001\\0001\\0001\\0001' FROM messages WHERE id = 'nul'"
        ),
        "t"
    );
    assert_eq!(psql("SELECT count(*) FROM message_ids"), "3502", "without the oldest ones");
    assert_eq!(psql("SELECT digest FROM message_ids WHERE room_id = 1 AND message_id = 'twice'"), "7");
    assert_eq!(
        psql("SELECT encode(hash, 'hex'), label FROM account_tokens ORDER BY id"),
        "00ff00|\n|a program"
    );
    assert_eq!(psql("SELECT (SELECT count(*) FROM presence) + (SELECT count(*) FROM room_names)"), "0");
    assert_eq!(psql("SELECT to_regclass('unfinished_copy') IS NULL"), "t");
    let next = |table: &str| psql(&format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id'))"));
    assert_eq!((next("presence"), next("rooms")), ("42".into(), "901".into()));
    assert_eq!(psql("SELECT nextval(pg_get_serial_sequence('reports', 'number'))"), "5");
    assert_eq!(psql("SELECT version = '' FROM search_meta"), "t");

    // the epoch goes on in the copy, not in the source
    let database = open(setup.url()).await.unwrap();
    assert!(database.is_unchanged());
    database.close().await;
    let database = sqlite::Database::open(&setup.path("from")).unwrap();
    assert!(!database.is_unchanged());
    database.close().await;

    let copied = run(setup.postgres(), setup.file("back"), |_| ()).await.unwrap();
    assert_eq!((copied.messages, copied.resumed, copied.keeps_epoch), (MESSAGES + 3, 0, true));
    assert_same(&setup.path("from"), &setup.path("back"));
    // numbered from the oldest
    let ids = "SELECT room_id || message_id || username || digest || seq || sent_at || user AS line FROM";
    let of = |name, rest: &str| lines(&setup.path(name), &format!("{ids} {rest}"));
    let condition = "message_ids WHERE user IS NOT NULL AND n <> 5 ORDER BY sent_at, room_id, message_id";
    assert_eq!(of("back", "message_ids ORDER BY n"), of("from", condition));
    let numbers = "SELECT min(n) || ' ' || max(n) || ' ' || count(*) AS line FROM message_ids";
    assert_eq!(lines(&setup.path("back"), numbers), ["1 3502 3502"]);
    let sequences = "SELECT name || ' ' || seq AS line FROM sqlite_sequence ORDER BY name";
    assert_eq!(lines(&setup.path("back"), sequences), ["presence 42", "reports 5"]);
    assert!(!psql("SELECT identity FROM database_state").contains('/'), "it was moved away");
    let database = sqlite::Database::open(&setup.path("back")).unwrap();
    assert!(database.is_unchanged());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_to_postgres_continues() {
    let Some(setup) = Setup::new().await else { return };
    for (step, rows) in [(Step::Copy, 1_000), (Step::Copy, 3_000), (Step::Copy, 7_000), (Step::Verify, 2_000)]
    {
        setup.interrupt(setup.file("from"), setup.postgres(), step, rows).await;
        let error = open(setup.url()).await.unwrap_err();
        assert!(
            matches!(&error, postgres::OpenError::Unfinished { source_name, .. } if source_name.ends_with("/from"))
        );
        assert!(error.to_string().ends_with("run chatd migrate-database again to finish it"), "{error}");
        // it is no source either
        let error = run(setup.postgres(), setup.file("other"), |_| ()).await.unwrap_err();
        assert!(matches!(error, CopyError::Postgres(postgres::OpenError::Unfinished { .. })), "{error}");
    }
    let (sender, progress) = std::sync::mpsc::channel();
    let copied =
        run(setup.file("from"), setup.postgres(), move |now| sender.send(now).unwrap()).await.unwrap();
    assert!(copied.resumed > 7_000 && copied.resumed <= copied.rows && copied.keeps_epoch, "{copied:?}");
    let progress: Vec<_> = progress.into_iter().collect();
    assert!(progress.is_sorted_by_key(|now| (now.step == Step::Verify, now.rows)));
    assert_eq!(progress.last().map(|now| (now.rows, now.total)), Some((copied.rows, copied.rows)));

    // and back
    for (step, rows) in [(Step::Copy, 2_000), (Step::Copy, 6_000), (Step::Verify, 1)] {
        setup.interrupt(setup.postgres(), setup.file("back"), step, rows).await;
        let error = sqlite::Database::open(&setup.path("back")).unwrap_err();
        assert!(matches!(error, sqlite::OpenError::Unfinished { .. }), "{error}");
    }
    let copied = run(setup.postgres(), setup.file("back"), |_| ()).await.unwrap();
    assert!(copied.resumed > 6_000 && copied.keeps_epoch, "{copied:?}");
    assert_same(&setup.path("from"), &setup.path("back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_continues_after_the_connection_to_postgres_was_cut() {
    let Some(setup) = Setup::new().await else { return };
    for is_back in [false, true] {
        let places = || match is_back {
            false => (setup.file("from"), setup.postgres()),
            true => (setup.postgres(), setup.file("back")),
        };
        let (url, mut is_cut) = (setup.server.url().to_owned(), false);
        let cut = move |progress: Progress| {
            if progress.rows >= 2_000 && !is_cut {
                is_cut = true;
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND application_name = 'chatd'";
                chat_testkit::postgres::psql(&url, sql).unwrap();
            }
        };
        let (source, target) = places();
        let error = run(source, target, cut).await.unwrap_err();
        assert!(matches!(error, CopyError::Database { .. }), "{error}");
        let (source, target) = places();
        let copied = run(source, target, |_| ()).await.unwrap();
        assert!(copied.resumed >= 2_000 && copied.keeps_epoch, "{copied:?}");
    }
    assert_same(&setup.path("from"), &setup.path("back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_copy_continues_only_with_the_same_source() {
    let Some(setup) = Setup::new().await else { return };
    setup.interrupt(setup.file("from"), setup.postgres(), Step::Copy, 1).await;
    // a server uses the source meanwhile
    sqlite::Database::open(&setup.path("from")).unwrap().close().await;
    let error = setup.move_up().await.unwrap_err();
    assert!(matches!(error, CopyError::OtherSource { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_or_file_target_with_rows_is_refused() {
    let Some(setup) = Setup::new().await else { return };
    open(setup.url()).await.unwrap().close().await;
    setup.server.psql("INSERT INTO warnings VALUES (1, 'u')");
    let state = "SELECT identity, incarnation FROM database_state";
    let before = setup.server.psql(state);
    let error = setup.move_up().await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty { table: "warnings", .. }), "{error}");
    assert!(!error.to_string().contains("password") && error.to_string().contains("is not empty"), "{error}");
    assert_eq!(setup.server.psql(state), before);
    assert_eq!(setup.server.psql("SELECT count(*) FROM messages"), "0");

    let error = run(setup.postgres(), setup.file("from"), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty { .. }), "{error}");
    let database = sqlite::Database::open(&setup.path("from")).unwrap();
    assert!(database.is_unchanged(), "it was left alone");
    database.close().await;

    execute(&setup.path("foreign"), "CREATE TABLE t (a)");
    let error = run(setup.postgres(), setup.file("foreign"), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::NotOurs { .. }), "{error}");
    assert_eq!(lines(&setup.path("foreign"), "SELECT name AS line FROM sqlite_master"), ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_in_use_are_refused() {
    let Some(setup) = Setup::new().await else { return };
    let database = sqlite::Database::open(&setup.path("from")).unwrap();
    let error = setup.move_up().await.unwrap_err();
    assert!(matches!(error, CopyError::File(sqlite::OpenError::InUse { .. })), "{error}");
    database.close().await;

    let database = open(setup.url()).await.unwrap();
    let error = setup.move_up().await.unwrap_err();
    assert!(matches!(error, CopyError::Postgres(postgres::OpenError::InUse { .. })), "{error}");
    let error = run(setup.postgres(), setup.file("new"), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::Postgres(postgres::OpenError::InUse { .. })), "{error}");
    database.check().await.unwrap();
    database.close().await;
    setup.move_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_found_on_postgres() {
    for (change, table, row) in [
        ("UPDATE messages SET body = 'changed' WHERE id = 'id-3000'", "messages", "(1099511630776)"),
        ("DELETE FROM messages WHERE id = 'id-3'", "messages", "(1099511627779)"),
        ("INSERT INTO mentions VALUES (7, 'u')", "mentions", "(7, \"u\")"),
        ("UPDATE invite_links SET uses = 9 WHERE hash = '\\x80'", "invite_links", "(0x80)"),
        ("UPDATE rooms SET settings = '' WHERE id = 900", "rooms", "(900)"),
    ] {
        let Some(setup) = Setup::new().await else { return };
        let url = setup.server.url().to_owned();
        let mut is_changed = false;
        let change_once = move |progress: Progress| {
            if progress.step == Step::Copy && progress.rows == progress.total && !is_changed {
                is_changed = true;
                chat_testkit::postgres::psql(&url, change).unwrap();
            }
        };
        let error = run(setup.file("from"), setup.postgres(), change_once).await.unwrap_err();
        let CopyError::Differs { table: found, row: found_row, .. } = &error else { panic!("{error}") };
        assert_eq!((*found, found_row.as_str()), (table, row), "{error}");
        // no server uses it
        let error = open(setup.url()).await.unwrap_err();
        assert!(matches!(error, postgres::OpenError::Unfinished { .. }), "{error}");
        // the source is what it was
        let database = sqlite::Database::open(&setup.path("from")).unwrap();
        assert!(database.is_unchanged());
        database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_begins_a_new_epoch_on_postgres() {
    let Some(setup) = Setup::new().await else { return };
    sqlite::backup::back_up(&setup.path("from"), &setup.path("copy")).unwrap();
    sqlite::backup::restore(&setup.path("copy"), &setup.path("from")).unwrap();
    let copied = setup.move_up().await.unwrap();
    assert!(!copied.keeps_epoch);
    let database = open(setup.url()).await.unwrap();
    assert!(!database.is_unchanged());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_postgres_cannot_store_is_named() {
    let Some(setup) = Setup::new().await else { return };
    execute(&setup.path("from"), "UPDATE messages SET username = 'a' || char(0) WHERE id = 'id-2000'");
    let error = setup.move_up().await.unwrap_err();
    let text =
        "the column \"username\" of the table \"messages\" has a NUL character in the row (1099511629776)";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_chatd_database_is_not_copied_to_postgres() {
    let Some(setup) = Setup::new().await else { return };
    let error = run(setup.file("missing"), setup.postgres(), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::Missing(_)) && !setup.path("missing").exists(), "{error}");
    let error = run(setup.postgres(), setup.file("new"), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::NotOurs { .. }), "{error}");
    execute(&setup.path("foreign"), "CREATE TABLE t (a)");
    let error = run(setup.file("foreign"), setup.postgres(), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::NotOurs { .. }), "{error}");
    let error = run(setup.file("from"), setup.file("to"), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::SameKind(_)), "{error}");
    let error = run(setup.postgres(), setup.postgres(), |_| ()).await.unwrap_err();
    assert!(matches!(error, CopyError::SameKind(_)), "{error}");
}
