//! A low limit of open files.

use chat_testkit::{Client, http, until};

use rustix::process::Signal;

use crate::process::{Running, with_descriptors};

#[tokio::test]
async fn clients_above_the_limit_get_503_and_the_others_stay_connected() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut with_descriptors(folder.path(), 150));
    let log = server.log_up_to("the limit of open files is low");
    let allowed: usize =
        log.split("connections=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!((30..150).contains(&allowed), "{allowed}");

    let mut clients = Vec::new();
    for i in 0..allowed {
        clients.push(Client::enter(server.address, "r", &format!("p{i}")).await);
    }
    for i in 0..50 {
        let refused =
            Client::try_enter(server.address, "r", &format!("late{i}")).await.map(drop).unwrap_err();
        assert_eq!(refused.status, 503);
    }
    let status = async |path| http::request(server.address, "GET", path, &[]).await.status;
    assert_eq!((status("/livez").await, status("/readyz").await), (200, 503));

    let mut last = clients.pop().unwrap();
    assert_eq!(last.brief().await, format!("+p{}", allowed - 1));
    clients[0].send_message("still here").await;
    assert_eq!(last.messages(1).await, ["still here"]);
    drop(last);
    let is_accepted = async || Client::try_enter(server.address, "r", "next").await.is_ok();
    until("there is capacity again", is_accepted).await;
    until("the database can be opened, too", async || status("/readyz").await == 200).await;
}

#[test]
fn a_limit_that_allows_many_connections_is_logged_as_info_after_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut with_descriptors(folder.path(), 4_000));
    assert!(server.announced.contains("listens on"), "{}", server.announced);
    server.signal(Signal::TERM);
    let log = server.log_up_to("stopped");
    assert!(log.contains("INFO") && log.contains("allows fewer connections than --max-connections"), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}
