//! The stream of a room: each message once and in order, across reconnects.

use chat_client::{Event, Since, StoredMessage};
use serde_json::json;

use crate::server::{Server, deleted_message, stored_message};

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
async fn a_room_that_cannot_be_recovered_starts_again() {
    let server = Server::start().await;
    let (client, mut received, peer) = server.client_in_lobby(server.options()).await;
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    peer.joined(&join, "e", 2_000, &[1_999, 2_000], false).await;
    peer.deliver(2_001).await;
    received.connected().await;
    let Event::Joined(joined) = received.event().await else { panic!("not joined") };
    let since = Since { epoch: joined.epoch.clone(), seq: 5 };
    assert_eq!((joined.recovered, joined.first, &joined.since), (false, 1_999, &Some(since)));
    assert_eq!(joined.messages.iter().map(StoredMessage::seq).collect::<Vec<_>>(), [1_999, 2_000]);
    assert_eq!(received.next().await, "2001: text 2001");
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    peer.joined(&join, "another", 1, &[], false).await;
    peer.deliver(2).await;
    received.connected().await;
    assert_eq!(received.next_events(2).await, ["void 1", "2: text 2"]);
    peer.reset();
    let (_peer, join) = server.reconnects().await;
    assert_eq!(join["since"], json!({"epoch": "another", "seq": 2}));
    assert_eq!((client.counters().sequence_gaps, client.counters().resyncs), (0, 0));
}

#[tokio::test]
async fn duplicates_are_dropped_and_missing_events_requested() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    for seq in [6, 6, 5, 7, 10, 11] {
        peer.deliver(seq).await;
    }
    let join = peer.receive("join").await;
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 7}));
    peer.joined(&join, "e", 11, &[8, 10, 11], true).await;
    peer.deliver(12).await;
    assert_eq!(received.next_events(3).await, ["6: text 6", "7: text 7", "rejoined 11"]);
    let received = received.next_events(5).await;
    assert_eq!(received, ["8: text 8", "10: text 10", "11: text 11", "recovered 3", "12: text 12"]);
    let counters = client.counters();
    assert_eq!((counters.duplicates, counters.sequence_gaps, counters.resyncs), (2, 1, 1));
}

#[tokio::test]
async fn deletions_are_events_and_states() {
    let server = Server::start().await;
    let (client, mut received, mut peer) = server.client_in_lobby(server.options()).await;
    peer.deliver(6).await;
    peer.send(json!({"type": "deleted", "room": "lobby", "seq": 7, "targets": [3, 6], "by": "operator"}))
        .await;
    assert_eq!(received.next_events(2).await, ["6: text 6", "7: deletes [3, 6]"]);
    peer.reset();
    let (mut peer, join) = server.reconnects().await;
    assert_eq!(join["since"]["seq"], 7);
    let (messages, changed) = (json!([deleted_message(8, 10)]), json!([deleted_message(5, 9)]));
    peer.joined_with(&join, "e", 10, messages, Some(changed)).await;
    peer.send(json!({
        "type": "sync", "room": "lobby", "first_seq": 11, "seq": 13, "recovered": true,
        "messages": [stored_message(12)], "changed": [deleted_message(4, 11)],
    }))
    .await;
    peer.deliver(14).await;
    received.connected().await;
    assert_eq!(
        received.next_events(4).await,
        ["rejoined 10", "changed 5: deleted", "8: deleted", "recovered 1"]
    );
    assert_eq!(received.next_events(3).await, ["changed 4: deleted", "12: text 12", "14: text 14"]);
    let counters = client.counters();
    assert_eq!((counters.duplicates, counters.sequence_gaps, counters.resyncs), (0, 0, 0));
}
