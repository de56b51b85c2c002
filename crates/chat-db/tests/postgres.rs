//! A database on a real PostgreSQL server, with its faults.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_db::postgres::{Database, DbConnection, OpenError, Options, Url, migrate};
use chat_db::{DbError, DbErrorKind};
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres::{Mode, Server, shared};
use chat_testkit::proxy::{Direction, Proxy};
use chat_testkit::{soon, until};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

/// Opens a database. It blocks, as in the program.
async fn open(url: &str) -> Result<Database, OpenError> {
    let url: Url = url.parse().unwrap();
    tokio::task::spawn_blocking(move || Database::open(&url, &Options::default())).await.unwrap()
}

fn insert(n: i64) -> impl FnOnce(&mut DbConnection) -> QueryResult<()> + Send + 'static {
    move |connection| {
        diesel::sql_query("INSERT INTO room_usage VALUES ($1, 'r', 0, 0, 0)")
            .bind::<BigInt, _>(n)
            .execute(connection)
            .map(drop)
    }
}

async fn count(database: &Database) -> Result<i64, DbError> {
    let count = diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM room_usage)");
    database.read(move |connection| diesel::select(count).get_result(connection)).await
}

/// Appends through the connection `n`, with the fence.
async fn append(database: &Database, n: i64) -> Result<(), DbError> {
    let fence = database.fence()?;
    let (sender, result) = tokio::sync::oneshot::channel();
    let work = move |connection: &mut DbConnection| {
        connection.transaction(|connection| {
            fence.check(connection)?;
            insert(n)(connection)
        })
    };
    database.append(usize::try_from(n).unwrap(), work, move |result| {
        let _ = sender.send(result);
    });
    soon("the append ends", result).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_read() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let database = open(server.url()).await.unwrap();
    assert!(!database.is_unchanged(), "it is new");
    let writes: Vec<_> = (0..500).map(|n| database.write(insert(n))).collect();
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    assert_eq!(count(&database).await.unwrap(), 500);
    database.maintain(insert(500)).await.unwrap();
    append(&database, 501).await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 502);
    database.check().await.unwrap();
    database.close().await;
    assert!(matches!(database.write(insert(502)).await, Err(DbError::Closed)));
    assert!(matches!(count(&database).await, Err(DbError::Closed)));
    assert!(append(&database, 502).await.is_err());

    let database = open(server.url()).await.unwrap();
    assert!(database.is_unchanged());
    assert_eq!(count(&database).await.unwrap(), 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_write_does_not_affect_others() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let database = open(server.url()).await.unwrap();
    database.write(insert(7)).await.unwrap();
    let writes: Vec<_> = (0..20).map(|n| database.write(insert(n))).collect();
    for (n, written) in futures::future::join_all(writes).await.into_iter().enumerate() {
        match written {
            Err(DbError::Query(_)) => assert_eq!(n, 7),
            other => other.unwrap(),
        }
    }
    assert_eq!(count(&database).await.unwrap(), 20);
    // a read can't write
    assert!(database.read(insert(20)).await.is_err());
    assert_eq!(count(&database).await.unwrap(), 20);
    // a panic is of the work alone that panics, and of what shares its transaction
    assert!(database.write(|_| -> QueryResult<()> { panic!("on purpose") }).await.is_err());
    database.write(insert(20)).await.unwrap();
}

/// Connections that are made at the same time do not take each other for outdated ones.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_made_at_the_same_time() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    for _ in 0..10 {
        let database = open(server.url()).await.unwrap();
        let clone = database.clone();
        let writing = tokio::spawn(async move {
            clone
                .write(|connection| {
                    // moves the position of the server's log
                    diesel::sql_query("CREATE TEMPORARY TABLE t AS SELECT generate_series(1, 10000)")
                        .execute(connection)?;
                    diesel::sql_query("DROP TABLE t").execute(connection).map(drop)
                })
                .await
        });
        let reads = (0..4).map(|_| count(&database));
        let appends = (0..4).map(|n| {
            let (sender, result) = tokio::sync::oneshot::channel();
            database.append(n, |_| Ok(()), move |appended| drop(sender.send(appended)));
            result
        });
        let (reads, appends) =
            tokio::join!(futures::future::join_all(reads), futures::future::join_all(appends));
        assert!(reads.into_iter().all(|read| read.unwrap() == 0));
        appends.into_iter().for_each(|appended| appended.unwrap().unwrap());
        writing.await.unwrap().unwrap();
        database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let database = open(server.url()).await.unwrap();
    let error = open(server.url()).await.unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    let url: Url = server.url().parse().unwrap();
    assert!(!error.to_string().contains("password"));
    let down = tokio::task::spawn_blocking(move || migrate::down(&url)).await.unwrap();
    assert!(matches!(down, Err(OpenError::InUse { .. })), "{down:?}");
    database.close().await;
    open(server.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_in_both_directions() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let url: Url = server.url().parse().unwrap();
    let tables =
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_%'";
    let functions = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'chatd%'";
    let migrating = tokio::task::spawn_blocking({
        let url = url.clone();
        move || {
            let versions = migrate::up(&url).unwrap();
            assert!(!versions.is_empty());
            assert!(migrate::up(&url).unwrap().is_empty());
            versions
        }
    });
    let versions = migrating.await.unwrap();
    assert_ne!(server.psql(tables).trim(), "0");
    tokio::task::spawn_blocking({
        let url = url.clone();
        move || {
            for version in versions.iter().rev() {
                assert_eq!(migrate::down(&url).unwrap(), *version);
            }
            assert!(matches!(migrate::down(&url), Err(OpenError::Migrate { .. })));
        }
    })
    .await
    .unwrap();
    assert_eq!(server.psql(tables).trim(), "0");
    assert_eq!(server.psql(functions).trim(), "0");
    tokio::task::spawn_blocking(move || migrate::up(&url).unwrap()).await.unwrap();
    server.psql("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')");
    assert!(matches!(open(server.url()).await, Err(OpenError::Newer { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lost_the_database_does_not_write() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let database = open(server.url()).await.unwrap();
    append(&database, 1).await.unwrap();
    // as another process would do that has got the lock
    server.psql("UPDATE database_state SET incarnation = 'of another process'");
    for result in [append(&database, 1).await, database.write(insert(2)).await] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Unavailable, "{error}");
    }
    assert_eq!(server.psql("SELECT day FROM room_usage").trim(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_comes_back() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = Server::builder().durable().start();
    let database = open(&server.url("postgres")).await.unwrap();
    let mut written = Vec::new();
    for round in 0..3 {
        for n in 0..10 {
            database.write(insert(round * 100 + n)).await.unwrap();
            append(&database, round * 100 + 50 + n).await.unwrap();
            written.extend([round * 100 + n, round * 100 + 50 + n]);
        }
        if round == 1 {
            server.stop(Mode::Fast);
        } else {
            server.kill();
        }
        assert!(database.write(insert(9_999)).await.is_err());
        assert!(append(&database, 9_999).await.is_err());
        assert!(count(&database).await.is_err());
        server.restart();
        until("the database works again", async || database.check().await.is_ok()).await;
        until("reads work again", async || count(&database).await.is_ok()).await;
        until("appends work again", async || append(&database, round * 100 + 99).await.is_ok()).await;
        written.push(round * 100 + 99);
    }
    let found = server.psql("postgres", "SELECT day FROM room_usage ORDER BY day");
    let found: Vec<i64> = found.lines().map(|line| line.parse().unwrap()).collect();
    written.sort_unstable();
    assert_eq!(found, written);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_and_a_silent_connection_end_with_an_error() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let proxy = Proxy::start(server.address());
    let database = open(&server.url_at(proxy.address())).await.unwrap();
    database.write(insert(1)).await.unwrap();
    append(&database, 2).await.unwrap();
    proxy.cut();
    // idle connections are found broken before they are used
    until("writes work again", async || database.write(insert(3)).await.is_ok()).await;
    until("appends work again", async || append(&database, 4).await.is_ok()).await;
    proxy.stall(Direction::Both);
    let begun = std::time::Instant::now();
    let (write, append_result, read) =
        tokio::join!(database.write(insert(5)), append(&database, 6), count(&database));
    for error in [write.unwrap_err(), append_result.unwrap_err(), read.unwrap_err()] {
        assert!(matches!(error.kind(), DbErrorKind::Unavailable | DbErrorKind::TimedOut), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    proxy.resume();
    until("writes work again", async || database.write(insert(7)).await.is_ok()).await;
    until("reads work again", async || count(&database).await.is_ok()).await;
    proxy.refuse();
    proxy.cut();
    until("nothing works", async || database.check().await.is_err()).await;
    proxy.resume();
    until("writes work again", async || database.check().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_hangs_ends() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = shared();
    let database = open(server.url()).await.unwrap();
    let hang = |connection: &mut DbConnection| {
        diesel::sql_query("SELECT pg_sleep(60)").execute(connection).map(drop)
    };
    let error = database.read(hang).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::TimedOut, "{error}");
    assert_eq!(count(&database).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_is_another_database() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = Server::builder().durable().start();
    let standby = server.standby();
    let proxy = Proxy::start(server.address());
    let database = open(&server.url_at(proxy.address(), "postgres")).await.unwrap();
    let replaced = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&replaced);
    database.on_replaced(move |connection| {
        counted.fetch_add(1, Ordering::SeqCst);
        insert(-1)(connection)
    });
    database.write(insert(1)).await.unwrap();
    standby.catch_up(&server);
    // a restart of the same server is none
    server.restart();
    until("the database works again", async || database.check().await.is_ok()).await;
    assert_eq!(replaced.load(Ordering::SeqCst), 0);

    server.kill();
    standby.promote();
    proxy.set_server(standby.address());
    until("the standby is taken", async || database.check().await.is_ok()).await;
    assert_eq!(replaced.load(Ordering::SeqCst), 1);
    until("appends work", async || append(&database, 2).await.is_ok()).await;
    until("reads work", async || count(&database).await.is_ok()).await;
    assert_eq!(standby.psql("postgres", "SELECT day FROM room_usage ORDER BY day").trim(), "-1\n1\n2");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_files_is_another_database() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    for has_new_timeline in [true, false] {
        let server = Server::builder().durable().start();
        let proxy = Proxy::start(server.address());
        let database = open(&server.url_at(proxy.address(), "postgres")).await.unwrap();
        let replaced = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&replaced);
        database.on_replaced(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        database.write(insert(1)).await.unwrap();
        let copy = if has_new_timeline { server.restored_copy() } else { server.copy() };
        // what was written since, the copy does not have
        for n in 2..200 {
            database.write(insert(n)).await.unwrap();
        }
        // a new connection sees how far the log has come
        proxy.cut();
        until("the database works again", async || database.check().await.is_ok()).await;
        assert_eq!(replaced.load(Ordering::SeqCst), 0);
        server.kill();
        proxy.set_server(copy.address());
        until("the copy is taken", async || database.check().await.is_ok()).await;
        assert_eq!(replaced.load(Ordering::SeqCst), 1, "{has_new_timeline}");
        database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_an_error_and_no_end() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = Server::builder().max_connections(12).start();
    let database = open(&server.url("postgres")).await.unwrap();
    database.write(insert(1)).await.unwrap();
    // takes all connections that are left
    let mut taken = Vec::new();
    let url: tokio_postgres::Config = server.url("postgres").parse().unwrap();
    while let Ok((client, connection)) = url.connect(tokio_postgres::NoTls).await {
        tokio::spawn(connection);
        taken.push(client);
    }
    let error = count(&database).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Busy, "{error}");
    database.write(insert(2)).await.unwrap();
    drop(taken);
    until("reads work", async || count(&database).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_as_far_as_the_mode_says() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = Server::builder().tls().start();
    let url = |options: &str| format!("{}?{options}", server.url("postgres"));
    let ca = server.ca();
    let ca = ca.display();
    for options in [
        "sslmode=require".to_owned(),
        "sslmode=prefer".to_owned(),
        format!("sslmode=verify-ca&sslrootcert={ca}"),
        format!("sslmode=verify-full&sslrootcert={ca}"),
    ] {
        let database = open(&url(&options)).await.unwrap_or_else(|error| panic!("{options}: {error}"));
        database.check().await.unwrap();
        database.close().await;
    }
    for options in ["sslmode=disable", "sslmode=verify-full", "sslmode=verify-ca"] {
        let error = open(&url(options)).await.unwrap_err();
        assert!(matches!(error, OpenError::Open { .. }), "{options}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_an_error_that_does_not_quote_it() {
    if !needs::are_met(&[Need::Postgres]) {
        return;
    }
    let server = Server::start();
    let url = server.url_with_user("postgres", "postgres", "not-the-password");
    let error = open(&url).await.unwrap_err();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(
        !error.to_string().contains("not-the-password") && !format!("{error:?}").contains("not-the-password")
    );
}
