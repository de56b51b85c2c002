//! The command line: flags, errors, help.

use std::net::TcpListener;

use chat_db::sqlite::{Database, migrate};
use chat_testkit::{Client, http};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::process::{Running, chatd, refused};

#[tokio::test]
async fn the_server_prints_its_address_and_serves_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(&mut chatd(folder.path()));
    let expected = format!(
        "chatd {} listens on http://{} (database: ./chatd.sqlite3); press Ctrl-C to stop it\n",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    assert_eq!(server.announced, expected);
    assert!(folder.path().join("chatd.sqlite3").exists());
    let mut clients = Vec::new();
    for name in ["ana", "bob", "cid"] {
        clients.push(Client::enter(server.address, "lobby", name).await);
    }
    clients[2].send_message("hello").await;
    clients[2].close(None).await;
    for expected in ["+ana", "+bob", "+cid", "cid: hello", "-cid"] {
        assert_eq!(clients[0].brief().await, expected);
    }
    for expected in ["+bob", "+cid", "cid: hello", "-cid"] {
        assert_eq!(clients[1].brief().await, expected);
    }
    assert_eq!(http::request(server.address, "GET", "/readyz", &[]).await.status, 200);
}

#[test]
fn in_memory_no_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(chatd(folder.path()).args(["--database", ":memory:"]));
    drop(server);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn flags_set_limits() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(
        chatd(folder.path()).args(["--max-connections", "1"]).env("CHATD_MESSAGE_BYTES", "1000"),
    );
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(Client::try_enter(server.address, "r", "bob").await.unwrap_err().status, 503);
    ana.send_message(&"x".repeat(2_000)).await;
    assert_eq!(ana.closed().await, Some(1009));
}

#[test]
fn a_failed_start_prints_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let says = |arguments: &[&str], sentence: &str| {
        let output = refused(chatd(folder.path()).args(["--log", "off"]).args(arguments));
        assert_eq!(output, format!("chatd: {sentence}\n"));
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    says(
        &["--listen", &address],
        &format!(
            "the address {address} is in use: stop the program that listens there, or choose another port with --listen"
        ),
    );
    let here = ["--listen", "127.0.0.1:0"];
    let with = |database: &'static str| [&here[..], &["--database", database]].concat();

    std::fs::write(folder.path().join("text.sqlite3"), "no database ".repeat(1_000)).unwrap();
    says(&with("text.sqlite3"), "the database text.sqlite3 can't be opened: file is not a database");
    says(
        &with("no/folder.sqlite3"),
        "the database no/folder.sqlite3 can't be opened: No such file or directory (os error 2)",
    );

    let newer = folder.path().join("newer.sqlite3");
    migrate::up(&newer).unwrap();
    let mut connection = SqliteConnection::establish(newer.to_str().unwrap()).unwrap();
    connection
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')")
        .unwrap();
    says(
        &with("newer.sqlite3"),
        "the database newer.sqlite3 is newer than this program: it has the migration 29991231000000",
    );

    let _open = Database::open(&folder.path().join("open.sqlite3")).unwrap();
    says(&with("open.sqlite3"), "the database open.sqlite3 is in use by another chatd");

    let output = refused(chatd(folder.path()).args(["--database", ""]));
    assert!(output.contains("expected a path, postgres://…, or :memory:"), "{output}");
    let output = refused(chatd(folder.path()).args(["--listen", "nowhere.invalid:1"]));
    assert!(output.starts_with("chatd: can't listen on nowhere.invalid:1: "), "{output}");
    for (filter, why) in [
        ("chat=loudly", "\"loudly\" is not a log level (off, error, warn, info, debug, trace)"),
        (
            "warning",
            "\"warning\" is not a log level (off, error, warn, info, debug, trace); did you mean warn?",
        ),
        ("inof", "\"inof\" is not a log level (off, error, warn, info, debug, trace); did you mean info?"),
    ] {
        let output = refused(chatd(folder.path()).args(["--log", filter]));
        assert!(output.contains(why), "{output}");
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |command: &mut std::process::Command| {
        let output = command.args(["config", "show", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let plain = shown(chatd(folder.path()).env_remove("CHATD_ADMIN_LISTEN").env_remove("CHATD_LOG_FORMAT"));
    let mut command = chatd(folder.path());
    for option in plain.as_object().unwrap().keys() {
        command.env(format!("CHATD_{}", option.to_uppercase().replace('-', "_")), "");
    }
    assert_eq!(shown(&mut command), plain);
    let mut command = chatd(folder.path());
    command.env("CHATD_LISTEN", "").env("CHATD_ADMIN_TOKEN_FILE", "").env("CHATD_LOG", "");
    drop(Running::start(&mut command));
    let dotenv: Vec<_> = plain.as_object().unwrap().keys().collect();
    let dotenv: String =
        dotenv.iter().map(|option| format!("CHATD_{}=\n", option.to_uppercase().replace('-', "_"))).collect();
    std::fs::write(folder.path().join(".env"), dotenv).unwrap();
    let mut command = chatd(folder.path());
    assert_eq!(shown(command.env_remove("CHATD_ADMIN_LISTEN").env_remove("CHATD_LOG_FORMAT")), plain);
}

/// 0 never removes everything.
#[test]
fn zero_means_no_limit_or_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    for (option, zero, why) in [
        ("history-max-count", "0", "at least 1; off keeps everything"),
        ("history-max-age", "0s", "at least 1s; off keeps everything"),
        ("usage-max-age", "0s", "at least 1s; off keeps everything"),
        ("max-connections", "0", "at least 1"),
        ("members-per-room", "0", "at least 1"),
        ("rooms-per-session", "0", "at least 1"),
        ("backlog-frames", "0", "at least 1"),
        ("backlog-bytes", "0", "at least 1"),
        ("backlog-total-bytes", "0", "at least 1"),
        ("message-bytes", "0", "at least 256"),
        ("message-burst", "0", "at least 1"),
        ("join-burst", "0", "at least 1"),
        ("max-memory", "0", "expected auto, off, or a number of bytes"),
    ] {
        let output = refused(chatd(folder.path()).args([format!("--{option}"), zero.to_owned()]));
        assert!(output.contains(why), "{output}");
    }
    let check = |limit: &str| {
        let limits =
            ["message-rate", "join-rate", "connections-per-address"].map(|name| format!("--{name}={limit}"));
        chatd(folder.path()).args(["config", "check"]).args(limits).output().unwrap().status.success()
    };
    assert!(check("0") && check("off") && !check("none"));
}

#[test]
fn the_dotenv_file_of_another_program_does_not_prevent_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let dotenv = folder.path().join(".env");
    std::fs::write(&dotenv, b"this is not an assignment\nKEY=with spaces\nNAME=caf\xe9\nB=it's\n").unwrap();
    drop(Running::start(&mut chatd(folder.path())));
    std::fs::remove_file(&dotenv).unwrap();
    std::fs::create_dir(&dotenv).unwrap();
    let mut server = Running::start(&mut chatd(folder.path()));
    let log = server.log_up_to("the file .env can't be read and is ignored");
    assert!(log.contains("WARN"), "{log}");
}

#[test]
fn help_lists_every_flag_with_its_variable_and_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(chatd(folder.path()).arg("--help").output().unwrap().stdout).unwrap();
    for (flag, default) in [
        ("listen", "127.0.0.1:8000"),
        ("database", "./chatd.sqlite3"),
        ("log", "info"),
        ("message-bytes", "131072"),
        ("message-rate", "100"),
        ("message-burst", "5000"),
        ("backlog-frames", "65536"),
        ("backlog-bytes", "8388608"),
        ("max-connections", "50000"),
    ] {
        let entry =
            help.split(&format!("\n      --{flag} <")).nth(1).unwrap_or_else(|| panic!("--{flag} in {help}"));
        let entry = entry.split("\n      --").next().unwrap();
        let variable = format!("CHATD_{}", flag.to_uppercase().replace('-', "_"));
        assert!(entry.contains(&format!("[env: {variable}=]")), "{entry}");
        assert!(entry.contains(&format!("[default: {default}]")), "{entry}");
    }
}

#[test]
fn help_is_grouped_and_short_help_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let help =
        |flag: &str| String::from_utf8(chatd(folder.path()).arg(flag).output().unwrap().stdout).unwrap();
    let (short, long) = (help("-h"), help("--help"));
    for heading in ["Network", "TLS", "Storage", "Limits", "Admin", "Logging and traces", "Shutdown"] {
        assert!(long.contains(&format!("\n{heading}:\n")), "{heading} in {long}");
    }
    assert!(short.lines().count() < 60, "{} lines: {short}", short.lines().count());
    for option in ["--listen", "--database", "--tls-cert", "--admin-listen", "--log"] {
        assert!(short.contains(&format!("{option} <")), "{option} in {short}");
    }
    // one line for each option
    for line in short.lines().filter(|line| line.trim_start().starts_with("--")) {
        assert!(line.len() <= 160 && line.contains("  "), "{line}");
    }
    assert!(!short.contains("backlog") && long.contains("--backlog-total-bytes"), "{short}");
}

#[test]
fn help_works_with_an_invalid_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chatd.toml"), "history = 'maybe'\nlisten = ").unwrap();
    for flag in ["--help", "-h", "--version"] {
        assert!(
            chatd(folder.path()).arg(flag).env("CHATD_MESSAGE_RATE", "x").output().unwrap().status.success()
        );
    }
}
