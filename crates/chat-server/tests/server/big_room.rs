//! Rooms with more than 100 members: joins and leaves are coalesced.

use std::collections::BTreeSet;

use chat_testkit::{Client, brief, listed};

use crate::support::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_joins_at_once_and_the_others_receive_coalesced_events() {
    let server = start().await;
    let mut crowd = Vec::new();
    for i in 0..100 {
        let mut client = Client::enter(server.address, "r", &format!("p{i:03}")).await;
        assert_eq!(client.brief().await, format!("+p{i:03}"));
        crowd.push(client);
    }
    let mut witness = crowd.remove(0);
    for i in 1..100 {
        assert_eq!(
            witness.brief().await,
            format!("+p{i:03}"),
            "up to 100 members, every join is announced on its own"
        );
    }

    let joins: Vec<_> = (100..140)
        .map(|i| {
            let address = server.address;
            tokio::spawn(async move {
                let mut client = Client::enter(address, "r", &format!("p{i:03}")).await;
                let own = client.event().await;
                assert_eq!(brief(&own), format!("+p{i:03}"), "a member's own join comes first, and alone");
                assert!(listed(&own).contains(&format!("p{i:03}").as_str()));
                client
            })
        })
        .collect();
    for join in joins {
        crowd.push(join.await.unwrap());
    }
    let mut announced = Vec::new();
    loop {
        let event = witness.event().await;
        assert_eq!(event["type"], "chat_enter_room");
        announced.push(event["message"].as_str().unwrap().to_owned());
        if listed(&event).len() == 140 {
            break;
        }
    }
    assert!(announced.len() < 40, "{announced:?}");
    assert!(announced.iter().any(|message| message.contains(" others entered the room")), "{announced:?}");

    crowd.truncate(105);
    let present: BTreeSet<String> = server
        .engine
        .members(&"r".parse().unwrap())
        .unwrap()
        .first()
        .iter()
        .map(|member| member.username.to_string())
        .collect();
    loop {
        let event = witness.event().await;
        assert_eq!(event["type"], "chat_leave_room");
        if listed(&event).len() == 106 {
            break;
        }
    }
    assert!(present.len() >= 106);
    // messages are not coalesced
    crowd[0].send_message("hello, all").await;
    assert_eq!(witness.messages(1).await, ["hello, all"]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_the_first_500_members_and_the_one_it_is_about() {
    let server = start().await;
    let mut crowd = Vec::new();
    for i in 0..502 {
        crowd.push(Client::enter(server.address, "r", &format!("p{i}")).await);
    }
    let mut last = crowd.pop().unwrap();
    let own = last.event().await;
    assert_eq!(brief(&own), "+p501");
    let names = listed(&own);
    assert_eq!((names.len(), names[0], names[499], names[500]), (501, "p0", "p499", "p501"));
    last.send_message("from the last row").await;
    loop {
        let event = last.event().await;
        if event["type"] == "chat_message" {
            let names = listed(&event);
            assert_eq!((names.len(), names[500]), (501, "p501"));
            break;
        }
    }
    assert_eq!(server.rows("r").await.len(), 502);
    server.stop().await.unwrap();
}
