//! The admin listener.

use chat_testkit::Client;
use chat_testkit::http::request;

use crate::process::{Running, chatd, refused};

const ADMIN_LISTEN: [&str; 2] = ["--admin-listen", "127.0.0.1:0"];

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_report_whether_the_server_is_alive_and_ready() {
    let folder = tempfile::tempdir().unwrap();
    let chatd = Running::start(chatd(folder.path()).args(ADMIN_LISTEN).args(["--max-connections", "1"]));
    let admin = chatd.admin.unwrap();
    let get = async |path| request(admin, "GET", path, &[]).await;
    assert_eq!(get("/livez").await.body, b"alive\n");
    assert_eq!(get("/readyz").await.body, b"ready\n");

    let _ana = Client::enter(chatd.address, "r", "ana").await;
    let full = get("/readyz").await;
    assert_eq!(full.status, 503);
    assert_eq!(full.body, b"not ready: the maximum number of connections is reached\n");
    assert_eq!(get("/livez").await.status, 200);
    // the admin listener serves no chat
    assert_eq!(get("/ws/chat/r/bob").await.status, 404);
}

#[test]
fn a_configured_port_that_is_in_use_is_an_error_and_off_opens_no_listener() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(chatd(folder.path()).args(ADMIN_LISTEN));
    let (taken, other) = (first.admin.unwrap(), tempfile::tempdir().unwrap());
    let second =
        refused(chatd(other.path()).args(["--listen", "127.0.0.1:0", "--admin-listen", &taken.to_string()]));
    let sentence =
        "is in use: stop the program that listens there, or choose another port with --admin-listen";
    assert_eq!(second, format!("chatd: the address {taken} {sentence}\n"));

    std::fs::write(other.path().join("chatd.toml"), format!("admin-listen = '{taken}'")).unwrap();
    let mut from_a_file = chatd(other.path());
    from_a_file.env_remove("CHATD_ADMIN_LISTEN").args(["--listen", "127.0.0.1:0"]);
    assert_eq!(refused(&mut from_a_file), format!("chatd: the address {taken} {sentence}\n"));

    let off = Running::start(chatd(other.path()).args(["--admin-listen", "off"]));
    assert_eq!(off.admin, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn if_the_default_port_is_in_use_another_one_is_used_and_printed() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let start = |folder: &tempfile::TempDir| {
        let mut command = chatd(folder.path());
        // an empty variable counts as not set
        Running::start(command.env("CHATD_ADMIN_LISTEN", "").env("CHATD_ADMIN_TOKEN", "0123456789abcdef"))
    };
    // at most one of the two gets the default port
    let (first, mut second) = (start(&one), start(&two));
    let (a, b) = (first.admin.unwrap(), second.admin.unwrap());
    assert_ne!(a, b);
    assert_ne!(b.port(), 9_000);
    for admin in [a, b] {
        assert_eq!(request(admin, "GET", "/readyz", &[]).await.body, b"ready\n");
    }
    let log = second.log_up_to("the default admin port is in use");
    assert!(log.contains("WARN") && log.contains(&format!("chatd admin needs --url http://{b}")), "{log}");
}
