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
fn a_port_that_is_taken_is_told_and_off_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(chatd(folder.path()).args(HERE));
    let (taken, other) = (first.admin.unwrap(), tempfile::tempdir().unwrap());
    let second =
        refused(chatd(other.path()).args(["--listen", "127.0.0.1:0", "--admin-listen", &taken.to_string()]));
    let sentence = "is in use: another server runs there, or --admin-listen should name another port";
    assert_eq!(second, format!("chatd: the address {taken} {sentence}\n"));

    let off = Running::start(chatd(other.path()).args(["--admin-listen", "off"]));
    assert_eq!(off.admin, None);
}
