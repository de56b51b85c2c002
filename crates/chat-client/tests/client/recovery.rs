//! The stream of a room: each message once and in order, across reconnects.

use crate::server::{Server, lobby};
use serde_json::json;

#[tokio::test]
async fn missed_messages_are_delivered_once_and_the_stream_continues() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    peer.deliver(6).await;
    assert_eq!(received.next().await, "6: text 6");
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 6}));
    peer.joined(&join, "e", 9, &[7, 8, 9], true).await;
    peer.deliver(10).await;
    received.connected().await;
    let received = received.next_events(6).await;
    assert_eq!(received, ["rejoined 9", "7: text 7", "8: text 8", "9: text 9", "recovered 3", "10: text 10"]);
    let counters = client.counters();
    assert_eq!((counters.duplicates, counters.sequence_gaps, counters.unexpected_frames), (0, 0, 0));
}

#[tokio::test]
async fn undelivered_events_are_not_requested_again() {
    let server = Server::start().await;
    let (_client, mut received, mut peer) = server.client_in_lobby(server.options().event_buffer(1)).await;
    for seq in 6..=9 {
        peer.deliver(seq).await;
    }
    // the buffer holds one event: the client reads the others after the server has closed
    let (seen, (), (mut peer, join)) = tokio::join!(
        async {
            let mut seen = Vec::new();
            while seen.last().is_none_or(|event| event != "connected") {
                seen.push(received.next().await);
            }
            seen
        },
        peer.close(1001),
        server.reconnects()
    );
    assert_eq!(seen, ["6: text 6", "7: text 7", "8: text 8", "9: text 9", "disconnected", "connected"]);
    assert_eq!(join["since"]["seq"], 9);
    peer.joined(&join, "e", 9, &[], true).await;
    assert_eq!(received.next_events(2).await, ["rejoined 9", "recovered 0"]);
}

#[tokio::test]
async fn messages_that_cannot_be_recovered_are_a_gap() {
    let server = Server::start().await;
    let (_client, mut received, peer) = server.client_in_lobby(server.options()).await;
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    peer.joined(&join, "e", 2_000, &[1_999, 2_000], false).await;
    peer.deliver(2_001).await;
    received.connected().await;
    assert_eq!(
        received.next_events(5).await,
        ["rejoined 2000", "gap 5..1999", "1999: text 1999", "2000: text 2000", "2001: text 2001"]
    );
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    peer.joined(&join, "another", 1, &[], false).await;
    peer.deliver(2).await;
    received.connected().await;
    assert_eq!(received.next_events(3).await, ["rejoined 1", "new 2001..2", "2: text 2"]);
    peer.reset();
    let (_peer, join) = server.reconnects().await;
    assert_eq!(join["since"], json!({"epoch": "another", "seq": 2}));
}

#[tokio::test]
async fn duplicates_are_dropped_and_sequence_gaps_reported() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    for seq in [6, 6, 5, 7, 10, 11] {
        peer.deliver(seq).await;
    }
    let received = received.next_events(5).await;
    assert_eq!(received, ["6: text 6", "7: text 7", "sequence gap 8..10", "10: text 10", "11: text 11"]);
    assert_eq!((client.counters().duplicates, client.counters().sequence_gaps), (2, 1));
}

#[tokio::test]
async fn an_erased_message_keeps_its_number() {
    let server = Server::start().await;
    let (client, mut received, peer) = server.client_in_lobby(server.options()).await;
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    peer.send(json!({
        "type": "joined", "ref": join["ref"], "room": lobby(), "epoch": "e", "seq": 6, "members": [], "member_count": 1,
        "messages": [{"seq": 6, "sent_at": "2026-01-01T00:00:00.000Z", "erased": true}], "recovered": true,
    }))
    .await;
    received.connected().await;
    assert_eq!(received.next_events(3).await, ["rejoined 6", "6: erased", "recovered 1"]);
    assert_eq!(client.counters().sequence_gaps, 0);
}
