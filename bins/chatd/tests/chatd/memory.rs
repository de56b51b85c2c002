//! The memory limit.
#![cfg(target_os = "linux")]

use chat_testkit::{Client, http, until};

use crate::process::{Running, chatd};

const LIMIT: usize = 96 << 20;

/// The queue of a client that does not read uses memory until the client disconnects.
#[tokio::test(flavor = "multi_thread")]
async fn close_to_the_limit_new_clients_are_refused_and_connected_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let limit = LIMIT.to_string();
    let mut server = Running::start(
        chatd(folder.path())
            .args(["--max-memory", &limit, "--message-rate", "0", "--history", "off"])
            .args(["--backlog-bytes", "1000000000"]),
    );
    let ready = async || http::request(server.address, "GET", "/readyz", &[]).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
    let slow = Client::enter(server.address, "r", "slow").await;
    assert_eq!(ana.brief().await, "+slow");

    let filler = "x".repeat(100_000);
    let mut sent = 0;
    while ready().await.status == 200 {
        ana.send_message(&filler).await;
        assert!(ana.brief().await.starts_with("ana: x"));
        sent += 1;
        assert!(sent < 2_000, "twice the limit is queued");
    }
    let reason = ready().await.body;
    assert_eq!(reason, b"not ready: memory is nearly used up\n");
    assert_eq!(Client::try_enter(server.address, "r", "bob").await.unwrap_err().status, 503);
    ana.send_message("still here").await;
    assert_eq!(ana.brief().await, "ana: still here");

    drop(slow);
    assert_eq!(ana.brief().await, "-slow");
    until("there is enough memory again", async || ready().await.status == 200).await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    let log = server.log_up_to("there is enough memory again");
    assert!(log.contains("memory is almost used up: new connections are refused"), "{log}");
}
