//! Silence, pings, and a user who does not read.

use std::time::Duration;

use chat_client::{Disconnect, Event};
use futures::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Peer, Server, lobby, soon};

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_silent_server_is_asked_for_a_sign_of_life() {
    let server = Server::start().await;
    let (_client, mut told, mut peer) = server.client(server.options().heartbeat(SHORT)).await;
    for _ in 0..3 {
        peer.hears("ping").await;
        peer.says(json!({"type": "pong"})).await;
    }
    peer.says(json!({"type": "notice", "level": "info", "body": "still here"})).await;
    assert!(matches!(told.event().await, Event::Notice(_)));
}

#[tokio::test]
async fn a_dead_connection_is_replaced() {
    let server = Server::start().await;
    let options = server.options().heartbeat(SHORT).pong_timeout(SHORT);
    let (_client, mut told, mut peer) = server.client(options).await;
    peer.hears("ping").await;
    let Event::Disconnected { reason, .. } = told.event().await else { panic!("not disconnected") };
    assert_eq!(reason, Disconnect::Silent);
    let (_second, hello) = server.welcome().await;
    assert_eq!(hello["resume"], "secret-1");
    assert_eq!(told.next().await, "connected");
}

#[tokio::test]
async fn the_server_s_pings_are_answered_at_once() {
    let server = Server::start().await;
    let (_client, _told, mut peer) = server.client(server.options()).await;
    for payload in ["1", "2", "3"] {
        peer.socket.send(Message::Ping(payload.into())).await.unwrap();
        assert_eq!(peer.message().await, Some(Message::Pong(payload.into())));
    }
}

#[tokio::test]
async fn a_user_who_does_not_read_is_not_read_for() {
    /// Far more than the sockets between them hold.
    const MESSAGES: u64 = 1_000;
    const LARGE: usize = 60_000;
    let server = Server::start().await;
    let (_client, mut told, mut peer) = server.client_in_lobby(server.options().event_buffer(2)).await;
    let body = "x".repeat(LARGE);
    let mut writing = Box::pin(async move {
        for seq in 6..6 + MESSAGES {
            let frame = json!({"type": "message", "room": "lobby", "seq": seq, "id": "i", "from": "bob", "body": body,
                               "sent_at": "2026-01-01T00:00:00.000Z"});
            peer.socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        peer
    });
    let in_vain = tokio::time::timeout(Duration::from_millis(500), &mut writing).await;
    assert!(in_vain.is_err(), "everything was taken from a server whose reader reads nothing");
    let reading = async {
        for seq in 6..6 + MESSAGES {
            assert!(told.next().await.starts_with(&format!("{seq}: x")));
        }
    };
    let (_peer, ()) = soon("the rest", async { tokio::join!(writing, reading) }).await;
}

/// Fills the room for one event, so that the next ones wait.
async fn hold_back(peer: &mut Peer) {
    for seq in 6..10 {
        peer.tells(seq).await;
    }
}

#[tokio::test]
async fn who_is_held_back_by_its_user_still_shows_life() {
    let server = Server::start().await;
    let options = server.options().event_buffer(1).heartbeat(SHORT).pong_timeout(SHORT);
    let (_client, mut told, mut peer) = server.client_in_lobby(options).await;
    hold_back(&mut peer).await;
    let mut lives = 0;
    while lives < 5 {
        match peer.message().await {
            Some(Message::Pong(_)) => lives += 1,
            // asked before the first of the messages came
            Some(Message::Text(ping)) => assert!(ping.contains("\"ping\"")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told.several(4).await, ["6: text 6", "7: text 7", "8: text 8", "9: text 9"]);
}

#[tokio::test]
async fn who_does_not_want_to_know_still_speaks() {
    let server = Server::start().await;
    let (client, told, mut peer) = server.client_in_lobby(server.options().event_buffer(1)).await;
    drop(told);
    hold_back(&mut peer).await;
    let room = lobby();
    let (ack, ()) = tokio::join!(client.send(&room, "hello"), async {
        let send = peer.hears("send").await;
        peer.stores(&send, 10).await;
    });
    assert_eq!(ack.unwrap().seq, 10);
}
