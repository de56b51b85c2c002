//! Messages reach all members in the same order.

use chat_protocol::Limits;
use chat_server::Config;
use chat_testkit::{Client, frame, listed, said, soon};
use tokio::time::Instant;

use crate::support::{config, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_messages_in_one_write_reach_all_members_in_order() {
    let server = start().await;
    let mut clients = Vec::new();
    for name in ["ana", "bob", "cid"] {
        clients.push(Client::enter(server.address, "r", name).await);
    }
    let piece: Vec<u8> =
        (0..5_000).flat_map(|i| frame::whole(frame::TEXT, said(&i.to_string()).as_bytes())).collect();
    clients[0].write(&piece).await;
    for client in &mut clients {
        let messages = client.messages(5_000).await;
        assert!(messages.into_iter().eq((0..5_000).map(|i| i.to_string())));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_eight_senders_reach_all_members_in_the_same_order() {
    const EACH: usize = 300;
    let server = start().await;
    let mut clients = Vec::new();
    for i in 0..8 {
        clients.push(Client::enter(server.address, "r", &format!("p{i}")).await);
    }
    let sending: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(i, mut client)| {
            tokio::spawn(async move {
                for n in 0..EACH {
                    client.send_message(&format!("{i}/{n}")).await;
                }
                client.messages(8 * EACH).await
            })
        })
        .collect();
    let mut received = Vec::new();
    for task in sending {
        received.push(soon("everyone has received everything", task).await.unwrap());
    }
    assert!(received.iter().all(|messages| messages == &received[0]), "the same order for all");
    for i in 0..8 {
        let of_one = received[0].iter().filter_map(|message| message.strip_prefix(&format!("{i}/")));
        assert!(of_one.eq((0..EACH).map(|n| n.to_string()).collect::<Vec<_>>()));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_100_kilobytes_are_delivered() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    for text in ["x".repeat(100_000), "é😀".repeat(16_000), "\u{0}".repeat(20_000)] {
        ana.send_message(&text).await;
        for client in [&mut ana, &mut bob] {
            assert!(client.messages(1).await == [text.as_str()]);
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_frame_is_answered_to_its_sender_only() {
    let server = start().await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    for expected in ["+ana", "+bob"] {
        assert_eq!(ana.brief().await, expected);
    }
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let deep_message = format!(r#"{{"type":"chat_message","message":{deep}}}"#);
    for invalid in [
        "",
        "hello",
        "{",
        "[]",
        "null",
        r#"{"type":"chat_enter_room","message":"a"}"#,
        r#"{"type":"no_such_type","message":"a"}"#,
        r#"{"message":"a"}"#,
        r#"{"type":"chat_message"}"#,
        r#"{"type":"chat_message","message":7}"#,
        r#"{"type":"chat_message","message":null}"#,
        r#"{"type":"chat_message","message":"\ud800"}"#,
        r#"{"type":"chat_message","message":"a","message":"b"}"#,
        r#"{"type":"chat_message","message":1e999999}"#,
        &deep,
        &deep_message,
    ] {
        bob.send(invalid).await;
        let event = bob.event().await;
        assert_eq!((&event["type"], &event["username"]), (&"chat_error".into(), &"*chatd*".into()));
        assert!(!event["message"].as_str().unwrap().is_empty());
        assert_eq!(listed(&event), ["ana", "bob"]);
    }
    bob.send(r#"{"type":"chat_message","message":"ok","__proto__":{"x":[[[]]]},"username":"ana"}"#).await;
    for client in [&mut ana, &mut bob] {
        assert_eq!(client.brief().await, "bob: ok", "with the name of the handshake, and no earlier event");
    }
    bob.write(&frame::whole(frame::BINARY, b"{}")).await;
    assert_eq!(bob.closed().await, Some(1003));
    assert_eq!(ana.brief().await, "-bob");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_too_fast_is_throttled_and_loses_nothing() {
    let limits = Limits { message_rate: 200, message_burst: 20, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let mut ana = Client::enter(server.address, "r", "ana").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let began = Instant::now();
    let piece: Vec<u8> =
        (0..120).flat_map(|i| frame::whole(frame::TEXT, said(&i.to_string()).as_bytes())).collect();
    ana.write(&piece).await;
    assert!(bob.messages(120).await.into_iter().eq((0..120).map(|i| i.to_string())));
    // 20 are the burst, and 99 more intervals of 5 ms pass before the last one: it cannot be
    // faster, however slow the machine is
    assert!(began.elapsed().as_millis() >= 99 * 5, "{:?}", began.elapsed());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_client_does_not_delay_others() {
    let limits = Limits { message_rate: 1, message_burst: 2, ..Limits::default() };
    let server = start_with(Config { limits, ..config() }).await;
    let mut flood = Client::enter(server.address, "r", "flood").await;
    let mut bob = Client::enter(server.address, "r", "bob").await;
    let piece: Vec<u8> = (0..1_000).flat_map(|_| frame::whole(frame::TEXT, said("x").as_bytes())).collect();
    flood.write(&piece).await;
    bob.send_message("hello").await;
    while bob.messages(1).await != ["hello"] {}
    // a reset is noticed although 1,000 frames before it are unread
    flood.reset();
    loop {
        if bob.brief().await == "-flood" {
            break;
        }
    }
    server.until_rows("r", &["bob"]).await;
    server.stop().await.unwrap();
}
