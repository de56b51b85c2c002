//! `chatd` on a PostgreSQL server, with its faults.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use chat_testkit::http::request;
use chat_testkit::needs::{self, Need};
use chat_testkit::postgres::{self, Server, shared};
use chat_testkit::proxy::{Direction, Proxy};
use chat_testkit::v2::{Session, guest_token};
use chat_testkit::{soon, until};
use serde_json::{Value, json};

use crate::process::{Running, chatd, refused, run};

const ADMIN: [&str; 2] = ["--admin-listen", "127.0.0.1:0"];

fn has_postgres() -> bool {
    needs::are_met(&[Need::Postgres])
}

/// The program on this database.
fn chatd_on(folder: &tempfile::TempDir, url: &str) -> Command {
    let mut command = chatd(folder.path());
    command.env("CHATD_DATABASE", url);
    command
}

async fn readyz(admin: SocketAddr) -> u16 {
    request(admin, "GET", "/readyz", &[]).await.status
}

/// Sends a message with an id, and returns the answer.
async fn send(session: &mut Session, id: &str) -> Value {
    session.ask(json!({"type": "send", "room": "r", "id": id, "body": id})).await
}

/// Sends a message again and again until it is stored. Returns its number.
async fn send_until_stored(session: &mut Session, id: &str) -> u64 {
    let sending = async {
        loop {
            let answer = send(session, id).await;
            match answer["seq"].as_u64() {
                Some(seq) => return seq,
                None => assert_eq!(answer["type"], "error", "{answer}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the message is stored", sending).await
}

/// The ids of all messages of the room, in their order.
async fn stored(session: &mut Session) -> Vec<(u64, String)> {
    let page = session.ask(json!({"type": "history", "room": "r", "after": 0, "limit": 200})).await;
    let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
    let message =
        |message: &Value| (message["seq"].as_u64().unwrap(), message["id"].as_str().unwrap().to_owned());
    messages.iter().map(message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_on_postgres_outlives_the_process() {
    if !has_postgres() {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), shared());
    let token = guest_token();
    let mut epoch = Value::Null;
    for round in 0..2 {
        let mut server = Running::start(chatd_on(&folder, database.url()).args(ADMIN));
        assert!(!server.announced.contains("messages are not stored"), "{}", server.announced);
        assert_eq!(readyz(server.admin.unwrap()).await, 200);
        let mut ana = Session::hello_as(server.address, "ana", &token).await;
        let joined = ana.join("r").await;
        if round == 1 {
            assert_eq!(joined["epoch"], epoch, "it is the same database");
        }
        epoch = joined["epoch"].clone();
        let seq = ana.send_message("r", &format!("round {round}, with NUL \0 and 👍")).await;
        ana.ask(json!({"type": "react", "room": "r", "target": seq, "emoji": "👍", "on": true})).await;
        let searched = json!({"type": "search", "query": format!("round {round}"), "room": "r"});
        let searching = async {
            while ana.ask(searched.clone()).await["messages"] == json!([]) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon("the message is found", searching).await;
        let page = ana.ask(json!({"type": "history", "room": "r", "after": 0})).await;
        let bodies: Vec<_> =
            page["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
        let expected: Vec<_> = (0..=round).map(|n| json!(format!("round {n}, with NUL \0 and 👍"))).collect();
        assert_eq!(bodies, expected);
        server.signal(rustix::process::Signal::TERM);
        assert!(server.end_within(Duration::from_secs(20)).await.success());
    }
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(files.is_empty(), "nothing is in a file: {files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_outlive_a_postgres_server_that_is_killed() {
    if !has_postgres() {
        return;
    }
    let postgres = Server::builder().durable().start();
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(chatd_on(&folder, &postgres.url("postgres")).args(ADMIN));
    let admin = server.admin.unwrap();
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let mut expected = Vec::new();
    for round in 0..4 {
        for n in 0..5 {
            let id = format!("{round}.{n}");
            let seq = send(&mut ana, &id).await["seq"].as_u64().expect("an ack");
            expected.push((seq, id));
        }
        postgres.kill();
        // the session stays; what can't be stored is refused
        let id = format!("{round}.x");
        assert_eq!(send(&mut ana, &id).await["code"], "store_unavailable");
        assert_eq!(readyz(admin).await, 503);
        postgres.restart();
        expected.push((send_until_stored(&mut ana, &id).await, id));
        until("the server is ready", async || readyz(admin).await == 200).await;
    }
    assert_eq!(stored(&mut ana).await, expected, "each once, in order, with the number of its ack");
    assert!(
        expected.iter().map(|(seq, _)| *seq).eq(1..=expected.len() as u64),
        "without a gap: {expected:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ack_that_postgres_could_not_send_is_no_second_message() {
    if !has_postgres() {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), shared());
    let proxy = Proxy::start(database.address());
    let url = database.url_at(proxy.address());
    let server = Running::start(chatd_on(&folder, &url).args(ADMIN));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    send(&mut ana, "before").await;
    // the commit reaches the server, and its answer does not reach chatd
    proxy.stall(Direction::ToClient);
    ana.send(&json!({"type": "send", "room": "r", "id": "lost", "body": "lost", "ref": "first"})).await;
    until("the message is stored", async || {
        database.psql("SELECT count(*) FROM messages WHERE id = 'lost'").trim() == "1"
    })
    .await;
    assert_eq!(readyz(server.admin.unwrap()).await, 503);
    proxy.cut();
    proxy.resume();
    let answer = soon("an answer", async {
        loop {
            let frame = ana.frame().await;
            if frame["ref"] == "first" {
                return frame;
            }
        }
    })
    .await;
    assert_eq!(answer["code"], "store_unavailable", "{answer}");
    assert_eq!(send_until_stored(&mut ana, "lost").await, 2);
    assert_eq!(send_until_stored(&mut ana, "after").await, 3);
    let expected = [(1, "before"), (2, "lost"), (3, "after")].map(|(seq, id)| (seq, id.to_owned()));
    assert_eq!(stored(&mut ana).await, expected);
    // the other member ends with the same room: the event, or a sync that stands for it
    let mut seen = Vec::new();
    while seen.last().is_none_or(|seq| *seq < 3) {
        let frame = bob.frame().await;
        match frame["type"].as_str().unwrap() {
            "message" => seen.push(frame["seq"].as_u64().unwrap()),
            "sync" => {
                assert_eq!(frame["recovered"], true, "{frame}");
                let messages = frame["messages"].as_array().cloned().unwrap_or_default();
                seen.extend(messages.iter().map(|message| message["seq"].as_u64().unwrap()));
            }
            _ => {}
        }
    }
    assert_eq!(seen, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_postgres_server_delays_messages_and_loses_none() {
    if !has_postgres() {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), shared());
    let proxy = Proxy::start(database.address());
    let server = Running::start(chatd_on(&folder, &database.url_at(proxy.address())).args(ADMIN));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    proxy.delay(Duration::from_millis(150));
    for n in 0..30 {
        let id = n.to_string();
        ana.send(&json!({"type": "send", "room": "r", "id": id, "body": id})).await;
    }
    let mut acked = Vec::new();
    while acked.len() < 30 {
        let frame = ana.next("ack").await;
        acked.push((frame["seq"].as_u64().unwrap(), frame["id"].as_str().unwrap().to_owned()));
    }
    let expected: Vec<_> = (0..30).map(|n| (n + 1, n.to_string())).collect();
    assert_eq!(acked, expected, "in the order of sending");
    // another user joins meanwhile
    let (mut bob, _) = Session::enter(server.address, "r", "bob").await;
    proxy.resume();
    until("the server is ready", async || readyz(server.admin.unwrap()).await == 200).await;
    assert_eq!(stored(&mut bob).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_accepts_no_connections_nothing_is_stored() {
    if !has_postgres() {
        return;
    }
    let postgres = Server::start();
    let (folder, database) = (tempfile::tempdir().unwrap(), postgres.create_database());
    let server = Running::start(chatd_on(&folder, database.url()).args(ADMIN));
    let admin = server.admin.unwrap();
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    assert_eq!(send(&mut ana, "1").await["seq"], 1);
    let accept = |accept| {
        let name = database.name();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {accept}; {end} AND datname = '{name}'");
        postgres.psql("postgres", &sql);
    };
    accept(false);
    assert_eq!(send(&mut ana, "2").await["code"], "store_unavailable");
    assert_eq!(readyz(admin).await, 503);
    accept(true);
    assert_eq!(send_until_stored(&mut ana, "2").await, 2);
    until("the server is ready", async || readyz(admin).await == 200).await;
    assert_eq!(stored(&mut ana).await, [(1, "1".to_owned()), (2, "2".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_another_session_of_postgres_delays_messages_and_loses_none() {
    if !has_postgres() {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), shared());
    let server = Running::start(chatd_on(&folder, database.url()).args(ADMIN));
    let admin = server.admin.unwrap();
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    assert_eq!(send(&mut ana, "1").await["seq"], 1);
    let url = database.url().to_owned();
    let lock = "BEGIN; LOCK TABLE messages, history_epoch IN EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT";
    let locked = tokio::task::spawn_blocking(move || postgres::psql(&url, lock));
    let is_locked = "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' \
                     AND relation = 'messages'::regclass AND granted";
    until("the tables are locked", async || database.psql(is_locked) == "1").await;
    ana.send(&json!({"type": "send", "room": "r", "id": "2", "body": "2", "ref": "2"})).await;
    assert_eq!(readyz(admin).await, 503);
    let ack = ana.next("ack").await;
    assert_eq!((&ack["ref"], &ack["seq"]), (&json!("2"), &json!(2)), "{ack}");
    locked.await.unwrap().unwrap();
    until("the server is ready", async || readyz(admin).await == 200).await;
    assert_eq!(stored(&mut ana).await, [(1, "1".to_owned()), (2, "2".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_come_back_to_a_promoted_postgres_standby() {
    if !has_postgres() {
        return;
    }
    let postgres = Server::builder().durable().start();
    let proxy = Proxy::start(postgres.address());
    let folder = tempfile::tempdir().unwrap();
    let url = postgres.url_at(proxy.address(), "postgres");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Running::start_at(&mut chatd_on(&folder, &url), &address.to_string());
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    send(&mut ana, "replicated").await;
    let standby = postgres.standby();
    standby.catch_up(&postgres);
    standby.stop_replication();
    send(&mut ana, "not replicated").await;
    postgres.kill();
    standby.promote();
    proxy.set_server(standby.address());

    let (bye, code) = ana.closed().await;
    assert_eq!(code, Some(1001), "{bye:?}");
    // the same process, started again
    until("the server listens again", async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
    let mut ana = Session::hello_as(address, "ana", &guest_token()).await;
    let again = ana.join("r").await;
    assert_ne!(again["epoch"], joined["epoch"], "the numbers may stand for other messages");
    assert_eq!(stored(&mut ana).await, [(1, "replicated".to_owned())]);
    assert_eq!(send_until_stored(&mut ana, "next").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_of_postgres_is_a_clear_error_without_the_password() {
    if !has_postgres() {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), shared());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, expected) in [
        (format!("postgres://ana:wrong-secret@{nobody}/chat"), "Connection refused"),
        (database.url().replacen(database.name(), "no_such_database", 1), "does not exist"),
        ("postgres://ana:wrong-secret@host:port/chat".to_owned(), "--database: "),
        ("postgres://ana:wrong-secret@h/chat?sslmode=yes".to_owned(), "sslmode has to be"),
    ] {
        drop(std::net::TcpListener::bind(nobody));
        let error = refused(&mut chatd_on(&folder, &url));
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("wrong-secret"), "{error}");
        let (_, shown) = run({
            let mut show = chatd_on(&folder, &url);
            show.args(["config", "show"]);
            show
        })
        .await;
        assert!(!shown.contains("wrong-secret"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_for_postgres_may_be_in_a_file() {
    if !has_postgres() {
        return;
    }
    let postgres = Server::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), format!("{}\n", postgres.password())).unwrap();
    let url = format!("postgres://postgres@{}/postgres", postgres.address());
    let error = refused(&mut chatd_on(&folder, &url));
    assert!(error.contains("password"), "{error}");
    let server = Running::start(chatd_on(&folder, &url).args(["--database-password-file", "password"]));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    ana.send_message("r", "hello").await;
    drop(server);
    let server = Running::start(chatd_on(&folder, &url).env("PGPASSWORD", postgres.password()));
    Session::enter(server.address, "r", "ana").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_know_postgres() {
    if !has_postgres() {
        return;
    }
    let (folder, database) = (tempfile::tempdir().unwrap(), shared());
    let on = |arguments: &[&str]| {
        let mut command = chatd_on(&folder, database.url());
        command.args(arguments);
        run(command)
    };
    let output = chatd_on(&folder, database.url()).arg("doctor").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("the next start creates the tables"), "{told}");
    let server = Running::start(chatd_on(&folder, database.url()).args(ADMIN));
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    ana.send_message("r", "to be found").await;
    // some of them may be problems of this machine, with which the command fails
    let output = chatd_on(&folder, database.url()).args(["doctor", "--json"]).output().unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let about = |what: &str| {
        let findings = findings["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}")).clone()
    };
    assert_eq!(about("database")["verdict"], "good", "{findings}");
    for what in ["durability", "database encryption", "database connections", "database clock"] {
        about(what);
    }
    let second = refused(&mut chatd_on(&folder, database.url()));
    assert!(second.contains("in use by another chatd"), "{second}");
    let (is_built, error) = on(&["search", "rebuild"]).await;
    assert!(!is_built && error.contains("in use"), "{error}");
    for (arguments, tool) in [(["backup", "copy"], "pg_dump"), (["restore", "copy"], "pg_restore")] {
        let (is_done, error) = on(&arguments).await;
        assert!(!is_done && error.contains(tool), "{error}");
    }
    drop(server);
    let (is_built, told) = on(&["search", "rebuild"]).await;
    assert!(is_built && told.contains("1 message in 1 room"), "{told}");
}

/// The code blocks of a page below a heading, in their order.
fn blocks(page: &str, heading: &str) -> Vec<String> {
    let section = page.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let block = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    section.split("```").skip(1).step_by(2).map(block).collect()
}

/// Runs shell commands in a folder, with the programs of PostgreSQL at hand.
async fn shell(folder: &std::path::Path, commands: &str) -> String {
    let mut shell = Command::new("bash");
    let programs = postgres::programs();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    shell.current_dir(folder).env("PATH", path).args(["-euc", commands]);
    let (is_done, output) = run(shell).await;
    assert!(is_done, "{commands}\n{output}");
    output
}

/// Follows docs/postgresql.md: the user and the database are created as it says, the server starts
/// with its settings, a file moves there and back, and a dump is restored.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_about_postgres_work() {
    if !has_postgres() {
        return;
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postgresql.md");
    let page = std::fs::read_to_string(page).unwrap();
    let postgres = Server::builder().tls().start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let address = postgres.address().to_string();
    let admin = format!("postgres://postgres:{}@{address}/postgres", postgres.password());
    let chatd = chatd(folder.path()).get_program().to_str().unwrap().to_owned();
    // what is different here: places, the superuser's password, and who stops and starts the server
    let here = |text: &str| {
        text.replace("postgres://postgres@db.example/postgres", &admin)
            .replace("db.example", &address)
            .replace("/etc/chatd/postgres-ca.pem", &postgres.ca().display().to_string())
            .replace("/etc/chatd/postgres-password", &at("password"))
            .replace("/var/lib/chatd/", &format!("{}/", folder.path().display()))
            .replace("\nchatd ", &format!("\n{chatd} "))
            .lines()
            .filter(|line| !line.starts_with("systemctl "))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let password = "a long password";
    std::fs::write(at("password"), password).unwrap();
    let export = format!("export PGPASSWORD='{password}'\n");
    let send = async |database: &[&str], body: &str| {
        let mut server = Running::start(crate::process::chatd(folder.path()).args(database));
        let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
        let seq = ana.send_message("r", body).await;
        server.signal(rustix::process::Signal::TERM);
        assert!(server.end_within(Duration::from_secs(20)).await.success());
        (joined["epoch"].clone(), seq)
    };

    let [sql, toml] = blocks(&page, "Set up").try_into().unwrap();
    for statement in sql.lines() {
        postgres::psql(&admin, statement).unwrap();
    }
    let moving = blocks(&page, "Moving to PostgreSQL and back").concat();
    let (epoch, _) = send(&["--database", "chatd.sqlite3"], "in a file").await;
    shell(folder.path(), &here(&format!("\n{moving}"))).await;
    std::fs::write(at("chatd.toml"), here(&toml)).unwrap();
    assert_eq!(send(&[], "moved").await, (epoch.clone(), 2));

    let backup = blocks(&page, "Backups").concat();
    let (dump, restore) = backup.split_once("systemctl stop").unwrap();
    shell(folder.path(), &(export.clone() + &here(dump))).await;
    send(&[], "after the backup").await;
    shell(folder.path(), &(export + &here(&format!("systemctl stop{restore}")))).await;
    let (restored, seq) = send(&[], "after the restore").await;
    assert_eq!(seq, 3, "the message after the backup is gone");
    assert_ne!(restored, epoch, "its number stands for another message now");

    let new_epoch = run({
        let mut command = crate::process::chatd(folder.path());
        command.args(["admin", "new-epoch"]);
        command
    });
    assert!(new_epoch.await.0);
    assert_ne!(send(&[], "again").await.0, restored);
    assert_eq!(send(&[], "and again").await.1, 5);
}
