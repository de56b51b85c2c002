//! Many joins and leaves at once: in the end, the server's memory, the store and the clients agree.

use std::collections::BTreeSet;

use chat_testkit::{Client, brief, http, listed, soon};
use serde_json::Value;

use crate::support::{Running, start};

/// A client that stays in the room: applies every event to its own list and compares it with the
/// event's list.
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

    /// Follows the room until its list of members is this one.
    async fn follow_until(&mut self, expected: &BTreeSet<String>) {
        while self.seen != *expected {
            let event = self.client.event().await;
            let username = event["username"].as_str().unwrap().to_owned();
            match event["type"].as_str().unwrap() {
                "chat_enter_room" => assert!(self.seen.insert(username), "no member joins twice"),
                "chat_leave_room" => assert!(self.seen.remove(&username), "only members leave"),
                "chat_message" => assert!(self.seen.contains(&username), "only members send messages"),
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
async fn memory_store_and_clients_agree_in_the_end() {
    const CLIENTS: usize = 24;
    const ROUNDS: usize = 12;
    let server = start().await;
    let mut witnesses =
        vec![Witness::enter(&server, "r", "w0").await, Witness::enter(&server, "r", "w1").await];
    let visitors: Vec<_> = (0..CLIENTS)
        .map(|i| {
            let address = server.address;
            tokio::spawn(async move {
                // two clients for each name, so that they compete for it
                let name = format!("p{}", i / 2);
                let mut stayed = None;
                for round in 0..ROUNDS {
                    let Ok(mut client) = Client::try_enter(address, "r", &name).await else { continue };
                    client.send_message("here").await;
                    match (i + round) % 4 {
                        0 => client.reset(),
                        1 => drop(client),
                        2 => {
                            client.close(Some(1000)).await;
                            client.closed().await;
                        }
                        _ if round + 3 > ROUNDS => {
                            stayed = Some(client);
                            break;
                        }
                        _ => {
                            client.finish().await;
                            client.closed().await;
                        }
                    }
                }
                stayed
            })
        })
        .collect();
    let mut remaining = Vec::new();
    for visitor in visitors {
        remaining.extend(soon("everyone is done", visitor).await.unwrap());
    }
    assert!(!remaining.is_empty(), "at least one client stays");

    // nothing changes after the last hang-ups are noticed
    let members = || -> BTreeSet<String> {
        let list = server.engine.members(&"r".parse().unwrap()).unwrap();
        list.first().iter().map(|member| member.username.to_string()).collect()
    };
    let expected = remaining.len() + witnesses.len();
    chat_testkit::until("only the remaining clients are members", async || members().len() == expected).await;
    let present = members();
    for witness in &mut witnesses {
        witness.follow_until(&present).await;
    }
    let rows_agree = async || {
        let rows = server.rows("r").await;
        rows.iter().map(|row| row.username.to_string()).collect::<BTreeSet<_>>() == present
            && rows.len() == expected
    };
    chat_testkit::until("the presence rows are the members", rows_agree).await;
    for i in 0..CLIENTS / 2 {
        let name = format!("p{i}");
        assert_eq!(http::look_up(server.address, "r", &name).await, present.contains(&name));
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_join_at_once() {
    let server = start().await;
    let joins: Vec<_> = (0..1_000)
        .map(|i| {
            let address = server.address;
            tokio::spawn(
                async move { Client::enter(address, &format!("r{}", i % 50), &format!("p{i}")).await },
            )
        })
        .collect();
    let mut crowd = Vec::new();
    for join in joins {
        crowd.push(soon("everyone has joined", join).await.unwrap());
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
