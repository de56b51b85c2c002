//! Heartbeats, and unread events.

use std::time::Duration;

use chat_client::{Disconnect, Event};
use futures::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Peer, Server, lobby, within_timeout};

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_silent_server_is_pinged() {
    let server = Server::start().await;
    let (_client, mut received, mut peer) = server.client(server.options().heartbeat_interval(SHORT)).await;
    for _ in 0..3 {
        peer.receive("ping").await;
        peer.send(json!({"type": "pong"})).await;
    }
    peer.send(json!({"type": "notice", "level": "info", "body": "still here"})).await;
    assert!(matches!(received.event().await, Event::Notice(_)));
}

#[tokio::test]
async fn a_dead_connection_is_replaced() {
    let server = Server::start().await;
    let options = server.options().heartbeat_interval(SHORT).pong_timeout(SHORT);
    let (_client, mut received, mut peer) = server.client(options).await;
    peer.receive("ping").await;
    let Event::Disconnected { reason, .. } = received.event().await else { panic!("not disconnected") };
    assert_eq!(reason, Disconnect::HeartbeatTimeout);
    let (_second, hello) = server.welcome().await;
    assert_eq!(hello["replaces"], "session-1");
    assert_eq!(received.next().await, "connected");
}

#[tokio::test]
async fn pings_of_the_server_are_answered_at_once() {
    let server = Server::start().await;
    let (_client, _told, mut peer) = server.client(server.options()).await;
    for payload in ["1", "2", "3"] {
        peer.socket.send(Message::Ping(payload.into())).await.unwrap();
        assert_eq!(peer.message().await, Some(Message::Pong(payload.into())));
    }
}

#[tokio::test]
async fn unread_events_stop_the_client_from_reading() {
    /// Far more bytes than the socket buffers hold.
    const MESSAGES: u64 = 1_000;
    const LARGE: usize = 60_000;
    let server = Server::start().await;
    let (_client, mut received, mut peer) = server.client_in_lobby(server.options().event_buffer(2)).await;
    let body = "x".repeat(LARGE);
    let mut writing = Box::pin(async move {
        for seq in 6..6 + MESSAGES {
            let frame = json!({"type": "message", "room": "lobby", "seq": seq, "id": "i", "from": "bob", "user": "g_bob",
                               "body": body, "sent_at": "2026-01-01T00:00:00.000Z"});
            peer.socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        peer
    });
    let in_vain = tokio::time::timeout(Duration::from_millis(500), &mut writing).await;
    assert!(in_vain.is_err(), "everything was taken from a server whose reader reads nothing");
    let reading = async {
        for seq in 6..6 + MESSAGES {
            assert!(received.next().await.starts_with(&format!("{seq}: x")));
        }
    };
    let (_peer, ()) = within_timeout("the rest", async { tokio::join!(writing, reading) }).await;
}

/// Fills a buffer of one event, so that further events wait.
async fn fill_event_buffer(peer: &mut Peer) {
    for seq in 6..10 {
        peer.deliver(seq).await;
    }
}

#[tokio::test]
async fn a_client_with_unread_events_keeps_the_connection_alive() {
    let server = Server::start().await;
    let options = server.options().event_buffer(1).heartbeat_interval(SHORT).pong_timeout(SHORT);
    let (_client, mut received, mut peer) = server.client_in_lobby(options).await;
    fill_event_buffer(&mut peer).await;
    let mut pongs = 0;
    while pongs < 5 {
        match peer.message().await {
            Some(Message::Pong(_)) => pongs += 1,
            // sent before the first of the messages arrived
            Some(Message::Text(ping)) => assert!(ping.contains("\"ping\"")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received.next_events(4).await, ["6: text 6", "7: text 7", "8: text 8", "9: text 9"]);
}

#[tokio::test]
async fn a_client_without_events_can_send() {
    let server = Server::start().await;
    let (client, received, mut peer) = server.client_in_lobby(server.options().event_buffer(1)).await;
    drop(received);
    fill_event_buffer(&mut peer).await;
    let room = lobby();
    let (ack, ()) = tokio::join!(client.send(&room, "hello"), async {
        let send = peer.receive("send").await;
        peer.store(&send, 10).await;
    });
    assert_eq!(ack.unwrap().seq, 10);
}
