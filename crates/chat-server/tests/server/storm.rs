//! Joins and leaves of many at once: memory, store and what clients saw say the same in the end.

use std::collections::BTreeSet;

use chat_testkit::{Client, brief, http, listed, soon};
use serde_json::Value;

use crate::support::{Running, start};

/// What a client that stays has been told: applies every event to a list of its own and holds it against the event's.
struct Witness {
    client: Client,
    seen: BTreeSet<String>,
}

impl Witness {
    async fn enter(server: &Running, room: &str, name: &str) -> Self {
        let mut client = Client::enter(server.address, room, name).await;
        let own = client.event().await;
        assert_eq!(brief(&own), format!("+{name}"));
        Self { client, seen: names(&own) }
    }

    /// Follows the room until its list is this one.
    async fn follow_until(&mut self, there: &BTreeSet<String>) {
        while self.seen != *there {
            let event = self.client.event().await;
            let username = event["username"].as_str().unwrap().to_owned();
            match event["type"].as_str().unwrap() {
                "chat_enter_room" => assert!(self.seen.insert(username), "nobody enters twice"),
                "chat_leave_room" => assert!(self.seen.remove(&username), "only who is there leaves"),
                "chat_message" => assert!(self.seen.contains(&username), "only who is there speaks"),
                other => panic!("{other}"),
            }
            assert_eq!(self.seen, names(&event), "events and lists add up");
        }
    }
}

fn names(event: &Value) -> BTreeSet<String> {
    listed(event).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_store_and_clients_agree() {
    const PEOPLE: usize = 24;
    const ROUNDS: usize = 12;
    let server = start().await;
    let mut witnesses =
        vec![Witness::enter(&server, "r", "w0").await, Witness::enter(&server, "r", "w1").await];
    let people: Vec<_> = (0..PEOPLE)
        .map(|i| {
            let address = server.address;
            tokio::spawn(async move {
                // two people for each name, so that they get in each other's way
                let name = format!("p{}", i / 2);
                let mut inside = None;
                for round in 0..ROUNDS {
                    let Ok(mut client) = Client::knock(address, "r", &name).await else { continue };
                    client.say("here").await;
                    match (i + round) % 4 {
                        0 => client.reset(),
                        1 => drop(client),
                        2 => {
                            client.close(Some(1000)).await;
                            client.closed().await;
                        }
                        _ if round + 3 > ROUNDS => {
                            inside = Some(client);
                            break;
                        }
                        _ => {
                            client.finish().await;
                            client.closed().await;
                        }
                    }
                }
                inside
            })
        })
        .collect();
    let mut inside = Vec::new();
    for person in people {
        inside.extend(soon("everyone is done", person).await.unwrap());
    }
    assert!(!inside.is_empty(), "somebody stays");

    // once the last hang-ups are noticed nothing changes any more
    let members = || -> BTreeSet<String> {
        let list = server.engine.members(&"r".parse().unwrap()).unwrap();
        list.first().iter().map(|member| member.username.to_string()).collect()
    };
    let stays = inside.len() + witnesses.len();
    chat_testkit::until("only those are in who stay", async || members().len() == stays).await;
    let there = members();
    for witness in &mut witnesses {
        witness.follow_until(&there).await;
    }
    let rows_agree = async || {
        let rows = server.rows("r").await;
        rows.iter().map(|row| row.username.to_string()).collect::<BTreeSet<_>>() == there
            && rows.len() == stays
    };
    chat_testkit::until("the rows are the members", rows_agree).await;
    for i in 0..PEOPLE / 2 {
        let name = format!("p{i}");
        assert_eq!(http::look_up(server.address, "r", &name).await, there.contains(&name));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_come_at_once() {
    let server = start().await;
    let coming: Vec<_> = (0..1_000)
        .map(|i| {
            let address = server.address;
            tokio::spawn(
                async move { Client::enter(address, &format!("r{}", i % 50), &format!("p{i}")).await },
            )
        })
        .collect();
    let mut crowd = Vec::new();
    for coming in coming {
        crowd.push(soon("everyone is in", coming).await.unwrap());
    }
    for room in 0..50 {
        assert_eq!(server.rows(&format!("r{room}")).await.len(), 20);
    }
    drop(crowd);
    for room in 0..50 {
        server.until_rows(&format!("r{room}"), &[]).await;
    }
    chat_testkit::until("the rooms are gone", async || server.engine.room_count() == 0).await;
    server.stop().await.unwrap();
}
