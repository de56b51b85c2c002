//! The end of a connection, and the recovery from it.

use std::time::{Duration, Instant};

use chat_client::{Closed, CommandError, ConnectError, Disconnect, ErrorCode, Event, Page};
use serde_json::json;

use crate::server::{Server, lobby, within_timeout};

#[tokio::test]
async fn a_message_of_a_broken_connection_is_sent_again_under_its_id() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "hello");
    let sent = peer.receive("send").await;
    peer.reset();
    let (mut peer, hello) = server.welcome().await;
    assert_eq!(hello["replaces"], "session-1");
    let join = peer.receive("join").await;
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 5}));
    peer.joined(&join, "e", 5, &[], true).await;
    let again = peer.receive("send").await;
    assert_eq!((&again["id"], &again["body"]), (&sent["id"], &json!("hello")));
    peer.store(&again, 6).await;
    assert_eq!(receipt.await.unwrap().seq, 6);
    let received = received.next_events(5).await;
    assert_eq!(received, ["disconnected", "connected", "rejoined 5", "recovered 0", "6: hello"]);
    assert_eq!((client.counters().sessions, client.counters().unexpected_frames), (2, 0));
}

#[tokio::test]
async fn messages_during_a_reconnect_wait_for_the_room() {
    let server = Server::start().await;
    let (client, _told, peer) = server.client_in_lobby(server.options()).await;
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    let mut receipts = Vec::new();
    for body in ["1", "2", "3"] {
        receipts.push(client.send(&lobby(), body));
    }
    // a message that was sent before the room was joined would arrive before this ping
    let ((), ping) = tokio::join!(async { client.ping().await.map(drop).unwrap() }, async {
        let ping = peer.receive("ping").await;
        peer.send(json!({"type": "pong", "ref": ping["ref"]})).await;
        ping
    });
    assert!(ping["ref"].is_string());
    peer.joined(&join, "e", 5, &[], true).await;
    for (body, seq) in ["1", "2", "3"].into_iter().zip(6..) {
        let send = peer.receive("send").await;
        assert_eq!(send["body"], body);
        peer.ack(&send, seq).await;
    }
    for (receipt, seq) in receipts.into_iter().zip(6..) {
        assert_eq!(receipt.await.unwrap().seq, seq);
    }
}

#[tokio::test]
async fn the_client_retries_until_the_server_is_up() {
    let server = Server::start().await;
    let (_client, mut received, peer) = server.client_in_lobby(server.options()).await;
    peer.reset();
    for _ in 0..5 {
        drop(server.socket().await);
    }
    let (mut peer, join) = server.reconnects().await;
    peer.joined(&join, "e", 5, &[], true).await;
    assert!(matches!(received.event().await, Event::Disconnected { reason: Disconnect::Lost(_), .. }));
    for _ in 0..5 {
        let Event::Disconnected { reason, retry_in } = received.event().await else {
            panic!("not disconnected")
        };
        assert!(matches!(reason, Disconnect::Unreachable(ConnectError::Ended(_))), "{reason:?}");
        assert!(retry_in <= Duration::from_millis(20));
    }
    assert_eq!(received.next_events(3).await, ["connected", "rejoined 5", "recovered 0"]);
}

#[tokio::test]
async fn a_final_bye_closes_the_client() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "hello");
    peer.receive("send").await;
    peer.bye(4403, false, None).await;
    let Event::Closed(Closed::Bye(bye)) = received.event().await else { panic!("not closed") };
    assert_eq!((bye.code, &*bye.reason), (4403, "so"));
    assert!(received.rest().await.is_empty());
    assert_eq!(receipt.await, Err(CommandError::Closed));
    assert!(client.is_closed());
}

#[tokio::test]
async fn the_client_waits_for_the_time_in_the_bye() {
    const AFTER: Duration = Duration::from_millis(300);
    let server = Server::start().await;
    let (_client, mut received, peer) = server.client(server.options()).await;
    let began = Instant::now();
    peer.bye(1001, true, Some(300)).await;
    let Event::Disconnected { reason: Disconnect::Bye(_), retry_in } = received.event().await else {
        panic!("no bye")
    };
    assert!(retry_in >= AFTER);
    server.welcome().await;
    assert!(began.elapsed() >= AFTER);
    assert_eq!(received.next().await, "connected");
}

#[tokio::test]
async fn the_client_reconnects_after_a_close_without_a_bye() {
    let server = Server::start().await;
    let (_client, mut received, peer) = server.client(server.options()).await;
    peer.close(4503).await;
    let Event::Disconnected { reason, .. } = received.event().await else { panic!("not disconnected") };
    assert_eq!(reason, Disconnect::Closed { code: 4503, reason: "so".into() });
    let (peer, _) = server.welcome().await;
    assert_eq!(received.next().await, "connected");
    peer.close(4409).await;
    assert!(matches!(received.event().await, Event::Closed(Closed::Forbidden { code: 4409, .. })));
}

#[tokio::test]
async fn a_final_refusal_during_a_reconnect_closes_the_client() {
    let server = Server::start().await;
    let (_client, mut received, peer) = server.client(server.options()).await;
    peer.reset();
    for code in ["store_unavailable", "unauthorized"] {
        let mut peer = server.accept().await;
        let hello = peer.receive("hello").await;
        peer.refuse(&hello, code).await;
    }
    assert_eq!(received.next_events(2).await, ["disconnected", "disconnected"]);
    assert!(matches!(received.event().await, Event::Closed(Closed::Refused(ConnectError::Refused { .. }))));
}

#[tokio::test]
async fn a_rejoin_waits_until_another_user_gives_up_the_name() {
    let server = Server::start().await;
    let (client, mut received, peer) = server.client_in_lobby(server.options()).await;
    peer.reset();
    let (mut peer, mut join) = server.reconnects().await;
    let receipt = client.send(&lobby(), "hello");
    for _ in 0..3 {
        peer.refuse(&join, "username_taken").await;
        join = peer.receive("join").await;
        assert_eq!(join["since"]["seq"], 5);
    }
    peer.joined(&join, "e", 6, &[6], true).await;
    let send = peer.receive("send").await;
    peer.ack(&send, 7).await;
    assert_eq!(receipt.await.unwrap().seq, 7);
    received.connected().await;
    assert_eq!(received.next_events(3).await, ["delayed UsernameTaken"; 3]);
    assert_eq!(received.next_events(3).await, ["rejoined 6", "6: text 6", "recovered 1"]);
}

#[tokio::test]
async fn a_room_that_refuses_a_rejoin_for_good_is_given_up() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let receipt = client.send(&lobby(), "hello");
    peer.receive("send").await;
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    peer.refuse(&join, "forbidden").await;
    assert_eq!(receipt.await.unwrap_err().code(), Some(ErrorCode::Forbidden));
    received.connected().await;
    assert_eq!(received.next().await, "refused Forbidden");
    peer.reset();
    let (mut peer, _) = server.welcome().await;
    received.connected().await;
    // the next frame is this ping, and not a join
    let (ping, _) = tokio::join!(client.ping(), async {
        let ping = peer.receive("ping").await;
        peer.send(json!({"type": "pong", "ref": ping["ref"]})).await;
    });
    ping.unwrap();
}

#[tokio::test]
async fn a_room_that_was_left_is_not_joined_again() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    let room = lobby();
    let (left, ()) = tokio::join!(client.leave(&room), async {
        peer.receive("leave").await;
        peer.reset();
    });
    assert_eq!(left, Ok(()));
    let (mut peer, _) = server.welcome().await;
    assert_eq!(received.next().await, "left Asked");
    received.connected().await;
    let (ping, _) = tokio::join!(client.ping(), async {
        let ping = peer.receive("ping").await;
        peer.send(json!({"type": "pong", "ref": ping["ref"]})).await;
    });
    ping.unwrap();
}

#[tokio::test]
async fn a_query_fails_when_its_connection_ends() {
    let server = Server::start().await;
    let (client, _told, mut peer) = server.client_in_lobby(server.options()).await;
    let room = lobby();
    let (page, ()) = tokio::join!(client.history(&room, Page::Newest { limit: 5 }), async {
        peer.receive("history").await;
        peer.reset();
    });
    assert_eq!(page, Err(CommandError::Disconnected));
    let (mut peer, join) = within_timeout("the client", server.reconnects()).await;
    peer.joined(&join, "e", 5, &[], true).await;
}
