//! The end of a connection, and what comes after it.

use std::time::{Duration, Instant};

use chat_client::chat_protocol::v2::ErrorCode;
use chat_client::{Closed, CommandError, ConnectError, Disconnect, Event, Page};
use serde_json::json;

use crate::server::{Server, lobby, soon};

#[tokio::test]
async fn a_message_whose_connection_is_cut_is_sent_again_under_its_id() {
    let server = Server::start().await;
    let (client, mut told, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "hello");
    let sent = peer.hears("send").await;
    peer.cut();
    let (mut peer, hello) = server.welcome().await;
    assert_eq!(hello["resume"], "secret-1");
    let join = peer.hears("join").await;
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 5}));
    peer.joined(&join, "e", 5, &[], true).await;
    let again = peer.hears("send").await;
    assert_eq!((&again["id"], &again["body"]), (&sent["id"], &json!("hello")));
    peer.stores(&again, 6).await;
    assert_eq!(receipt.await.unwrap().seq, 6);
    let told = told.several(5).await;
    assert_eq!(told, ["disconnected", "connected", "rejoined 5", "recovered 0", "6: hello"]);
    assert_eq!((client.counters().sessions, client.counters().strays), (2, 0));
}

#[tokio::test]
async fn what_is_said_meanwhile_waits_for_the_room() {
    let server = Server::start().await;
    let (client, _told, peer) = server.client_in_lobby(server.options()).await;
    peer.cut();
    let (mut peer, join) = server.comes_back().await;
    let mut receipts = Vec::new();
    for body in ["1", "2", "3"] {
        receipts.push(client.send(&lobby(), body));
    }
    // had a message gone out before the room was joined, it would come before this answer
    let ((), ping) = tokio::join!(async { client.ping().await.map(drop).unwrap() }, async {
        let ping = peer.hears("ping").await;
        peer.says(json!({"type": "pong", "ref": ping["ref"]})).await;
        ping
    });
    assert!(ping["ref"].is_string());
    peer.joined(&join, "e", 5, &[], true).await;
    for (body, seq) in ["1", "2", "3"].into_iter().zip(6..) {
        let send = peer.hears("send").await;
        assert_eq!(send["body"], body);
        peer.acks(&send, seq).await;
    }
    for (receipt, seq) in receipts.into_iter().zip(6..) {
        assert_eq!(receipt.await.unwrap().seq, seq);
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_until_it_is_up() {
    let server = Server::start().await;
    let (_client, mut told, peer) = server.client_in_lobby(server.options()).await;
    peer.cut();
    for _ in 0..5 {
        drop(server.socket().await);
    }
    let (mut peer, join) = server.comes_back().await;
    peer.joined(&join, "e", 5, &[], true).await;
    assert!(matches!(told.event().await, Event::Disconnected { reason: Disconnect::Lost(_), .. }));
    for _ in 0..5 {
        let Event::Disconnected { reason, retry_in } = told.event().await else { panic!("not disconnected") };
        assert!(matches!(reason, Disconnect::Unreachable(ConnectError::Ended(_))), "{reason:?}");
        assert!(retry_in <= Duration::from_millis(20));
    }
    assert_eq!(told.several(3).await, ["connected", "rejoined 5", "recovered 0"]);
}

#[tokio::test]
async fn after_a_bye_for_good_it_does_not_come_back() {
    let server = Server::start().await;
    let (client, mut told, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "hello");
    peer.hears("send").await;
    peer.bye(4403, false, None).await;
    let Event::Closed(Closed::Bye(bye)) = told.event().await else { panic!("not closed") };
    assert_eq!((bye.code, &*bye.reason), (4403, "so"));
    assert!(told.rest().await.is_empty());
    assert_eq!(receipt.await, Err(CommandError::Closed));
    assert!(client.is_closed());
}

#[tokio::test]
async fn it_comes_back_no_sooner_than_the_server_says() {
    const AFTER: Duration = Duration::from_millis(300);
    let server = Server::start().await;
    let (_client, mut told, peer) = server.client(server.options()).await;
    let began = Instant::now();
    peer.bye(1001, true, Some(300)).await;
    let Event::Disconnected { reason: Disconnect::Bye(_), retry_in } = told.event().await else {
        panic!("no bye")
    };
    assert!(retry_in >= AFTER);
    server.welcome().await;
    assert!(began.elapsed() >= AFTER);
    assert_eq!(told.next().await, "connected");
}

#[tokio::test]
async fn a_close_without_a_bye_means_to_come_back() {
    let server = Server::start().await;
    let (_client, mut told, peer) = server.client(server.options()).await;
    peer.close(4503).await;
    let Event::Disconnected { reason, .. } = told.event().await else { panic!("not disconnected") };
    assert_eq!(reason, Disconnect::Closed { code: 4503, reason: "so".into() });
    let (peer, _) = server.welcome().await;
    assert_eq!(told.next().await, "connected");
    peer.close(4409).await;
    assert!(matches!(told.event().await, Event::Closed(Closed::Forbidden { code: 4409, .. })));
}

#[tokio::test]
async fn a_session_that_is_refused_for_good_when_it_comes_back_ends() {
    let server = Server::start().await;
    let (_client, mut told, peer) = server.client(server.options()).await;
    peer.cut();
    for code in ["store_unavailable", "unauthorized"] {
        let mut peer = server.accept().await;
        let hello = peer.hears("hello").await;
        peer.refuses(&hello, code).await;
    }
    assert_eq!(told.several(2).await, ["disconnected", "disconnected"]);
    assert!(matches!(told.event().await, Event::Closed(Closed::Refused(ConnectError::Refused { .. }))));
}

#[tokio::test]
async fn its_own_ghost_in_the_room_is_waited_for() {
    let server = Server::start().await;
    let (client, mut told, peer) = server.client_in_lobby(server.options()).await;
    peer.cut();
    let (mut peer, mut join) = server.comes_back().await;
    let receipt = client.send(&lobby(), "hello");
    for _ in 0..3 {
        peer.refuses(&join, "username_taken").await;
        join = peer.hears("join").await;
        assert_eq!(join["since"]["seq"], 5);
    }
    peer.joined(&join, "e", 6, &[6], true).await;
    let send = peer.hears("send").await;
    peer.acks(&send, 7).await;
    assert_eq!(receipt.await.unwrap().seq, 7);
    told.connected().await;
    assert_eq!(told.several(3).await, ["delayed UsernameTaken"; 3]);
    assert_eq!(told.several(3).await, ["rejoined 6", "6: text 6", "recovered 1"]);
}

#[tokio::test]
async fn a_room_that_lets_nobody_in_any_more_is_given_up() {
    let server = Server::start().await;
    let (client, mut told, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "hello");
    peer.hears("send").await;
    peer.cut();
    let (mut peer, join) = server.comes_back().await;
    peer.refuses(&join, "forbidden").await;
    assert_eq!(receipt.await.unwrap_err().code(), Some(ErrorCode::Forbidden));
    told.connected().await;
    assert_eq!(told.next().await, "refused Forbidden");
    peer.cut();
    let (mut peer, _) = server.welcome().await;
    told.connected().await;
    // the next frame is this and no join
    let (ping, _) = tokio::join!(client.ping(), async {
        let ping = peer.hears("ping").await;
        peer.says(json!({"type": "pong", "ref": ping["ref"]})).await;
    });
    ping.unwrap();
}

#[tokio::test]
async fn a_room_that_was_left_is_not_joined_again() {
    let server = Server::start().await;
    let (client, mut told, mut peer) = server.client_in_lobby(server.options()).await;
    let room = lobby();
    let (left, ()) = tokio::join!(client.leave(&room), async {
        peer.hears("leave").await;
        peer.cut();
    });
    assert_eq!(left, Ok(()));
    let (mut peer, _) = server.welcome().await;
    assert_eq!(told.next().await, "left Asked");
    told.connected().await;
    let (ping, _) = tokio::join!(client.ping(), async {
        let ping = peer.hears("ping").await;
        peer.says(json!({"type": "pong", "ref": ping["ref"]})).await;
    });
    ping.unwrap();
}

#[tokio::test]
async fn a_question_ends_with_its_connection() {
    let server = Server::start().await;
    let (client, _told, mut peer) = server.client_in_lobby(server.options()).await;
    let room = lobby();
    let (page, ()) = tokio::join!(client.history(&room, Page::Newest { limit: 5 }), async {
        peer.hears("history").await;
        peer.cut();
    });
    assert_eq!(page, Err(CommandError::Disconnected));
    let (mut peer, join) = soon("the client", server.comes_back()).await;
    peer.joined(&join, "e", 5, &[], true).await;
}
