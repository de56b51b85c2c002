//! A room's stream: each message once and in order, over reconnects too.

use crate::server::{Server, lobby};
use serde_json::json;

#[tokio::test]
async fn what_was_missed_is_told_once_and_the_stream_goes_on() {
    let server = Server::start().await;
    let (client, mut told, mut peer) = server.client_in_lobby(server.options()).await;
    peer.tells(6).await;
    assert_eq!(told.next().await, "6: text 6");
    peer.cut();
    let (mut peer, join) = server.comes_back().await;
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 6}));
    peer.joined(&join, "e", 9, &[7, 8, 9], true).await;
    peer.tells(10).await;
    told.connected().await;
    let told = told.several(6).await;
    assert_eq!(told, ["rejoined 9", "7: text 7", "8: text 8", "9: text 9", "recovered 3", "10: text 10"]);
    let counters = client.counters();
    assert_eq!((counters.repeats, counters.holes, counters.strays), (0, 0, 0));
}

#[tokio::test]
async fn what_is_on_its_way_to_the_user_is_not_asked_for_again() {
    let server = Server::start().await;
    let (_client, mut told, mut peer) = server.client_in_lobby(server.options().event_buffer(1)).await;
    for seq in 6..=9 {
        peer.tells(seq).await;
    }
    // there is room for one event: the others come when the end is on its way
    let (seen, (), (mut peer, join)) = tokio::join!(
        async {
            let mut seen = Vec::new();
            while seen.last().is_none_or(|event| event != "connected") {
                seen.push(told.next().await);
            }
            seen
        },
        peer.close(1001),
        server.comes_back()
    );
    assert_eq!(seen, ["6: text 6", "7: text 7", "8: text 8", "9: text 9", "disconnected", "connected"]);
    assert_eq!(join["since"]["seq"], 9);
    peer.joined(&join, "e", 9, &[], true).await;
    assert_eq!(told.several(2).await, ["rejoined 9", "recovered 0"]);
}

#[tokio::test]
async fn what_can_t_be_had_is_a_gap() {
    let server = Server::start().await;
    let (_client, mut told, peer) = server.client_in_lobby(server.options()).await;
    peer.cut();
    let (mut peer, join) = server.comes_back().await;
    peer.joined(&join, "e", 2_000, &[1_999, 2_000], false).await;
    peer.tells(2_001).await;
    told.connected().await;
    assert_eq!(
        told.several(5).await,
        ["rejoined 2000", "gap 5..1999", "1999: text 1999", "2000: text 2000", "2001: text 2001"]
    );
    peer.cut();
    let (mut peer, join) = server.comes_back().await;
    peer.joined(&join, "another", 1, &[], false).await;
    peer.tells(2).await;
    told.connected().await;
    assert_eq!(told.several(3).await, ["rejoined 1", "anew 2001..2", "2: text 2"]);
    peer.cut();
    let (_peer, join) = server.comes_back().await;
    assert_eq!(join["since"], json!({"epoch": "another", "seq": 2}));
}

#[tokio::test]
async fn repeats_are_dropped_and_holes_reported() {
    let server = Server::start().await;
    let (client, mut told, mut peer) = server.client_in_lobby(server.options()).await;
    for seq in [6, 6, 5, 7, 10, 11] {
        peer.tells(seq).await;
    }
    let told = told.several(5).await;
    assert_eq!(told, ["6: text 6", "7: text 7", "hole 8..10", "10: text 10", "11: text 11"]);
    assert_eq!((client.counters().repeats, client.counters().holes), (2, 1));
}

#[tokio::test]
async fn an_erased_message_keeps_its_place() {
    let server = Server::start().await;
    let (client, mut told, peer) = server.client_in_lobby(server.options()).await;
    peer.cut();
    let (mut peer, join) = server.comes_back().await;
    peer.says(json!({
        "type": "joined", "ref": join["ref"], "room": lobby(), "epoch": "e", "seq": 6, "members": [], "member_count": 1,
        "messages": [{"seq": 6, "sent_at": "2026-01-01T00:00:00.000Z", "erased": true}], "recovered": true,
    }))
    .await;
    told.connected().await;
    assert_eq!(told.several(3).await, ["rejoined 6", "6: erased", "recovered 1"]);
    assert_eq!(client.counters().holes, 0);
}
