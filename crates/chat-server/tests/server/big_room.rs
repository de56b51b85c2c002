//! A room of more than a hundred: comings and goings are gathered.

use std::collections::BTreeSet;

use chat_testkit::{Client, brief, listed};

use crate::support::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_in_at_once_and_the_others_hear_of_many_together() {
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
            "up to a hundred everyone is told of everyone"
        );
    }

    let entering: Vec<_> = (100..140)
        .map(|i| {
            let address = server.address;
            tokio::spawn(async move {
                let mut client = Client::enter(address, "r", &format!("p{i:03}")).await;
                let own = client.event().await;
                assert_eq!(brief(&own), format!("+p{i:03}"), "one's own entering comes first, and alone");
                assert!(listed(&own).contains(&format!("p{i:03}").as_str()));
                client
            })
        })
        .collect();
    for entering in entering {
        crowd.push(entering.await.unwrap());
    }
    let mut heard = Vec::new();
    loop {
        let event = witness.event().await;
        assert_eq!(event["type"], "chat_enter_room");
        heard.push(event["message"].as_str().unwrap().to_owned());
        if listed(&event).len() == 140 {
            break;
        }
    }
    assert!(heard.len() < 40, "{heard:?}");
    assert!(heard.iter().any(|message| message.contains(" others entered the room")), "{heard:?}");

    crowd.truncate(105);
    let there: BTreeSet<String> = server
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
    assert!(there.len() >= 106);
    // a message is not gathered
    crowd[0].say("hello, all").await;
    assert_eq!(witness.messages(1).await, ["hello, all"]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_names_the_first_five_hundred_and_whoever_it_is_about() {
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
    last.say("from the last row").await;
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
