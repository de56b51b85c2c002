//! Presence: snapshots and changes.

use std::collections::BTreeSet;

use chat_server::{Config, Rate};
use chat_testkit::v2::Session;
use chat_testkit::{soon, until};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::names;
use crate::support::{config, start, start_with};

/// A session's view of the members of the room.
struct View {
    session: Session,
    present: BTreeSet<String>,
}

fn set(members: &Value) -> BTreeSet<String> {
    names(members).into_iter().map(str::to_owned).collect()
}

impl View {
    async fn enter(server: std::net::SocketAddr, name: &str) -> Self {
        let (session, joined) = Session::enter(server, "r", name).await;
        let present = set(&joined["members"]);
        assert_eq!(joined["member_count"], present.len());
        assert!(present.contains(name));
        Self { session, present }
    }

    /// Applies the next changes.
    async fn follow(&mut self) {
        let presence = self.session.next("presence").await;
        for gone in presence["left"].as_array().unwrap() {
            assert!(self.present.remove(gone.as_str().unwrap()), "only members leave: {gone}");
        }
        self.present.extend(set(&presence["joined"]));
        assert_eq!(presence["member_count"], self.present.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_and_changes_add_up_while_members_join_and_leave() {
    let server = start().await;
    let mut watching = View::enter(server.address, "w0").await;
    let address = server.address;
    let crowd: Vec<_> = (0..20)
        .map(|i| {
            tokio::spawn(async move {
                let mut session = Session::hello(address, &format!("p{i:02}")).await;
                for _ in 0..10 {
                    session.join("r").await;
                    session.ask(json!({"type": "leave", "room": "r"})).await;
                }
                let mut view = View { present: set(&session.join("r").await["members"]), session };
                while view.present.len() < 21 {
                    view.follow().await;
                }
            })
        })
        .collect();
    let following = async {
        while watching.present.len() < 21 {
            watching.follow().await;
        }
    };
    // the sessions end when they have seen all 21 members, so at least one of them must see them
    // all
    let (_, done) = tokio::join!(soon("all are seen", following), futures::future::join_all(crowd));
    let seen = done.into_iter().filter(Result::is_ok).count();
    assert!(seen >= 1, "at least the last session sees everyone");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_sent_a_few_times_per_second_however_many_join_and_leave() {
    let joins = Rate { per_second: 0, burst: 0 };
    let server = start_with(Config { joins, ..config() }).await;
    let mut watching = View::enter(server.address, "watching").await;
    let began = Instant::now();
    let address = server.address;
    let busy = tokio::spawn(async move {
        let mut restless = Session::hello(address, "restless").await;
        for _ in 0..300 {
            restless.join("r").await;
            restless.ask(json!({"type": "leave", "room": "r"})).await;
        }
        restless.join("r").await;
        restless
    });
    let mut frames = 0;
    let restless = soon("it ends", async {
        let mut busy = std::pin::pin!(busy);
        loop {
            tokio::select! {
                done = &mut busy => return done.unwrap(),
                () = watching.follow() => frames += 1,
            }
        }
    })
    .await;
    let max_frames = began.elapsed().as_millis() / 240 + 2;
    assert!(frames <= max_frames, "{frames} frames in {:?}", began.elapsed());
    drop(restless);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_room_of_more_than_500_members_the_lists_are_a_sample_and_the_count_is_exact() {
    let server = start().await;
    let mut watching = View::enter(server.address, "watching").await;
    let address = server.address;
    let joining =
        (0..600).map(|i| tokio::spawn(async move { Session::enter(address, "r", &format!("p{i}")).await.0 }));
    let crowd = futures::future::join_all(joining.collect::<Vec<_>>()).await;
    let mut last = json!({});
    while last["member_count"] != 601 {
        last = watching.session.next("presence").await;
        if last["partial"] == true {
            assert!(last["joined"].as_array().unwrap().len() <= 50);
            assert!(last["member_count"].as_u64().unwrap() > 500);
        }
    }
    assert_eq!(last["partial"], true);
    let (mut late, joined) = Session::enter(server.address, "r", "late").await;
    assert_eq!((&joined["member_count"], names(&joined["members"]).len()), (&json!(602), 100));
    drop(crowd);
    let only_two_remain = async || server.engine.members(&"r".parse().unwrap()).unwrap().total() == 2;
    until("the others have left", only_two_remain).await;
    let mut count = json!(0);
    while count != 2 {
        let presence = late.next("presence").await;
        assert!(presence["left"].as_array().unwrap().len() <= 600);
        count = presence["member_count"].clone();
    }
    let page = late.ask(json!({"type": "members", "room": "r"})).await;
    assert_eq!(set(&page["members"]), BTreeSet::from(["late".to_owned(), "watching".to_owned()]));
    server.stop().await.unwrap();
}
