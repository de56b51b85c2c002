//! Pages of history and of members.

use chat_protocol::Limits;
use chat_server::BacklogLimits;
use chat_server::Config;
use chat_testkit::v2::Session;
use serde_json::json;

use super::{bodies, names, seqs};
use crate::support::{config, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn history_is_paged_in_both_directions() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    for i in 1..=500 {
        ana.send(&json!({"type": "send", "room": "r", "body": format!("m{i}")})).await;
    }
    while ana.next("message").await["seq"] != 500 {}
    let all: Vec<u64> = (1..=500).collect();
    let mut ask = async |fields: serde_json::Value| {
        let mut frame = fields;
        frame["type"] = "history".into();
        frame["room"] = "r".into();
        let page = ana.ask(frame).await;
        assert_eq!(page["type"], "history", "{page}");
        let seqs = seqs(&page["messages"]);
        for (seq, body) in seqs.iter().zip(bodies(&page["messages"])) {
            assert_eq!(body, format!("m{seq}"));
        }
        (seqs, page["more"].as_bool().unwrap())
    };
    assert_eq!(ask(json!({})).await, (all[450..].to_vec(), true), "the newest fifty");
    assert_eq!(ask(json!({"before": 1})).await, (vec![], false));
    for nothing in [json!({"limit": 0}), json!({"limit": 0, "after": 7}), json!({"limit": 0, "after": 499})] {
        assert_eq!(ask(nothing).await, (vec![], true));
    }
    assert_eq!(ask(json!({"limit": 0, "after": 500})).await, (vec![], false));
    assert_eq!(ask(json!({"before": 11, "limit": 10})).await, (all[..10].to_vec(), false));
    assert_eq!(ask(json!({"before": 12, "limit": 10})).await, (all[1..11].to_vec(), true));
    assert_eq!(ask(json!({"after": 0, "limit": 9999})).await, (all[..200].to_vec(), true), "at most 200");
    assert_eq!(ask(json!({"after": 490})).await, (all[490..].to_vec(), false));
    assert_eq!(ask(json!({"after": 500})).await, (vec![], false));
    assert_eq!(ask(json!({"after": u64::MAX})).await, (vec![], false));
    assert_eq!(ask(json!({"after": 3, "before": 1, "limit": 1})).await, (vec![4], true));
    let (mut collected, mut before) = (Vec::new(), 501);
    loop {
        let (page, more) = ask(json!({"before": before, "limit": 33})).await;
        before = page[0];
        collected.splice(0..0, page);
        if !more {
            break;
        }
    }
    assert_eq!(collected, all);

    let mut bob = Session::hello(server.address, "bob").await;
    let joined = bob.ask(json!({"type": "join", "room": "r", "history": 3})).await;
    assert_eq!((seqs(&joined["messages"]), &joined["seq"]), (vec![498, 499, 500], &json!(500)));
    let joined = bob.ask(json!({"type": "leave", "room": "r"})).await;
    assert_eq!(joined["type"], "left");
    let joined = bob.ask(json!({"type": "join", "room": "r", "history": 100_000})).await;
    assert_eq!(seqs(&joined["messages"]), all[300..]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_do_not_count_towards_the_backlog_limit() {
    // a backlog limit for a few small frames, and a page of a megabyte
    let backlog = BacklogLimits { frames: 1_000, bytes: 300_000 };
    let limits = Limits { message_rate: 0, ..Limits::default() };
    let server = start_with(Config { backlog, limits, ..config() }).await;
    let (mut ana, _) = Session::enter(server.address, "r", "ana").await;
    let filler = "x".repeat(20_000);
    for i in 0..60 {
        ana.send_message("r", &format!("{i} {filler}")).await;
    }
    let mut bob = Session::hello(server.address, "bob").await;
    let joined = bob.ask(json!({"type": "join", "room": "r", "history": 100})).await;
    assert!(
        seqs(&joined["messages"]).len() > 45,
        "a page of a mebibyte: {}",
        seqs(&joined["messages"]).len()
    );
    // requested all at once and read much later: each reply waits until the previous one is written
    for _ in 0..10 {
        bob.send(&json!({"type": "history", "room": "r", "after": 0, "limit": 200})).await;
    }
    ana.send_message("r", "meanwhile").await;
    for _ in 0..10 {
        assert!(seqs(&bob.next("history").await["messages"]).len() > 45);
    }
    assert_eq!(bob.send_message("r", "still in").await, 62);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_paged_by_name() {
    let server = start().await;
    let mut crowd = Vec::new();
    for i in 0..130 {
        crowd.push(Session::enter(server.address, "r", &format!("p{i:03}")).await.0);
    }
    let (mut ana, joined) = Session::enter(server.address, "r", "ana").await;
    // the list reflects the last `presence`: members that joined within the last 250 ms are in the
    // next one
    let mut count = joined["member_count"].clone();
    assert_eq!(names(&joined["members"]).len(), count.as_u64().unwrap().min(100) as usize);
    while count != 131 {
        count = ana.next("presence").await["member_count"].clone();
    }
    let (mut all, mut after) = (Vec::new(), json!(""));
    loop {
        let page = ana.ask(json!({"type": "members", "room": "r", "after": after, "limit": 50})).await;
        assert_eq!(page["type"], "members", "{page}");
        all.extend(names(&page["members"]).into_iter().map(str::to_owned));
        after = all.last().unwrap().as_str().into();
        if page["more"] == false {
            break;
        }
    }
    assert!(all.is_sorted() && all.contains(&"ana".to_owned()));
    let page = ana.ask(json!({"type": "members", "room": "r", "prefix": "p00"})).await;
    assert!(names(&page["members"]).iter().all(|name| name.starts_with("p00")));
    assert_eq!(page["more"], false);
    server.stop().await.unwrap();
}
