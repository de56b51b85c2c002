//! The operator's listener.

use chat_testkit::Client;
use chat_testkit::http::request;

use crate::process::{Running, chatd, refused};

const HERE: [&str; 2] = ["--admin-listen", "127.0.0.1:0"];

#[tokio::test(flavor = "multi_thread")]
async fn it_says_whether_the_server_lives_and_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let chatd = Running::start(chatd(folder.path()).args(HERE).args(["--max-connections", "1"]));
    let admin = chatd.admin.unwrap();
    let asked = async |path| request(admin, "GET", path, &[]).await;
    assert_eq!(asked("/livez").await.body, b"alive\n");
    assert_eq!(asked("/readyz").await.body, b"ready\n");

    let _ana = Client::enter(chatd.address, "r", "ana").await;
    let full = asked("/readyz").await;
    assert_eq!(full.status, 503);
    assert_eq!(full.body, b"not ready: the maximum number of connections is reached\n");
    assert_eq!(asked("/livez").await.status, 200);
    // who chats finds nothing of it, and the operator no chat
    assert_eq!(asked("/ws/chat/r/bob").await.status, 404);
}

#[test]
fn a_port_that_was_chosen_and_is_in_use_is_an_error_and_off_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(chatd(folder.path()).args(HERE));
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
async fn a_default_port_that_is_in_use_is_a_warning_and_another_one_is_used_and_printed() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let start = |folder: &tempfile::TempDir| {
        let mut command = chatd(folder.path());
        // an empty variable is one that is not set
        Running::start(command.env("CHATD_ADMIN_LISTEN", "").env("CHATD_ADMIN_TOKEN", "0123456789abcdef"))
    };
    // whoever has the usual port, one of these two does not get it
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
