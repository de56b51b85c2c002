//! Two nodes and a backplane without faults: what one stores or knows, the other one shows at once,
//! and not when it compares itself with the stores, which takes seconds.

use std::sync::Arc;
use std::time::Duration;

use chat_access::{AccessStore, ActKind, Denied, Doer, MemoryAccess, NewAct, Scope};
use chat_backplane::{Hub, NodeName};
use chat_history::MemoryHistory;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity, LeftReason, MayPost, Moderation, RoomName, RoomSettings, Since};
use chat_rooms::{Engine, Events, JoinError, Membership, SendError, Sink, Subscribe};
use tokio::time::timeout;

/// Less than the time until a node compares itself with the stores.
const SOON: Duration = Duration::from_secs(2);

fn room() -> RoomName {
    "r".parse().unwrap()
}

fn user(number: u128, name: &str) -> Identity {
    Identity::one_time_guest(number, name.parse().unwrap())
}

async fn two_nodes() -> [Engine; 2] {
    let (hub, history) = (Hub::new(), Arc::new(MemoryHistory::new()));
    let presence = MemoryPresence::new(NodeId::new("none"));
    let access: Arc<dyn AccessStore> = Arc::new(MemoryAccess::new());
    let start = async |name: &str| {
        let (backplane, receiver) = hub.join();
        Engine::builder(presence.for_node(NodeId::new(name)))
            .history(Arc::clone(&history))
            .access(Arc::clone(&access))
            .node(NodeName::parse(name).unwrap(), backplane, receiver)
            .start()
            .await
            .unwrap()
    };
    [start("one").await, start("two").await]
}

async fn join(engine: &Engine, user: &Identity) -> (Membership, Events) {
    let (sink, events) = Sink::channel(1_000);
    (engine.join(user, &room(), Subscribe::new(sink)).await.unwrap(), events)
}

/// A short text for an event.
fn brief(event: &Event) -> String {
    match event {
        Event::Joined(snapshot) => {
            let names = snapshot.members.iter().map(|member| member.username.as_str());
            format!("joined@{} {}", snapshot.seq, names.collect::<Vec<_>>().join(","))
        }
        Event::PresenceChanged(change) => {
            let joined = change.joined.iter().map(|member| format!("+{}", member.username));
            let left = change.left.iter().map(|username| format!("-{username}"));
            format!("{} of {}", joined.chain(left).collect::<String>(), change.member_count)
        }
        Event::Message { message, from, .. } => {
            let from = from.as_ref().map_or("?", |member| member.username.as_str());
            format!("{from}: {}#{}", message.text().unwrap().body, message.seq)
        }
        Event::Sync(range) => format!("sync {}..{}", range.first_seq, range.seq),
        Event::Ack(ack) => format!("ack {}", ack.seq.unwrap()),
        Event::RoomChanged(change) => format!("settings@{}", change.seq),
        other => format!("{other:?}"),
    }
}

async fn next(events: &mut Events) -> String {
    brief(&timeout(SOON, events.next()).await.expect("an event").unwrap())
}

/// Whether nothing arrives, although a node has compared itself with the stores.
async fn is_quiet(events: &mut Events) -> bool {
    timeout(Duration::from_secs(30), events.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn events_and_members_of_the_other_node_are_shown() {
    let [one, two] = two_nodes().await;
    let (ana, mut anas) = join(&one, &user(1, "ana")).await;
    assert_eq!(next(&mut anas).await, "joined@0 ana");
    let (bob, mut bobs) = join(&two, &user(2, "bob")).await;
    assert_eq!(next(&mut bobs).await, "joined@0 ana,bob");
    assert_eq!(next(&mut anas).await, "+bob of 2");
    ana.send("hello").await.unwrap();
    assert_eq!(next(&mut bobs).await, "ana: hello#1");
    bob.send("hi").await.unwrap();
    for expected in ["ack 1", "ana: hello#1", "bob: hi#2"] {
        assert_eq!(next(&mut anas).await, expected);
    }
    assert_eq!(two.members(&room()).unwrap().total(), 2);
    drop(ana);
    for expected in ["ack 2", "bob: hi#2", "-ana of 1"] {
        assert_eq!(next(&mut bobs).await, expected);
    }
    assert!(is_quiet(&mut bobs).await);
}

#[tokio::test(start_paused = true)]
async fn a_user_on_two_nodes_is_one_member() {
    let [one, two] = two_nodes().await;
    let (_bob, mut bobs) = join(&one, &user(2, "bob")).await;
    assert_eq!(next(&mut bobs).await, "joined@0 bob");
    let (here, mut heres) = join(&one, &user(1, "ana")).await;
    assert_eq!(next(&mut bobs).await, "+ana of 2");
    let (there, mut theres) = join(&two, &user(1, "ana")).await;
    assert_eq!(
        (next(&mut heres).await, next(&mut theres).await),
        ("joined@0 ana,bob".into(), "joined@0 ana,bob".into())
    );
    assert!(is_quiet(&mut bobs).await);
    here.send("from here").await.unwrap();
    assert_eq!(next(&mut theres).await, "ana: from here#1");
    assert_eq!(next(&mut bobs).await, "ana: from here#1");
    // the user moves: the others do not notice
    drop(here);
    assert!(is_quiet(&mut bobs).await && is_quiet(&mut theres).await);
    let (back, mut backs) = join(&one, &user(1, "ana")).await;
    assert_eq!(next(&mut backs).await, "joined@1 ana,bob");
    drop(there);
    assert!(is_quiet(&mut bobs).await);
    drop(back);
    assert_eq!(next(&mut bobs).await, "-ana of 1");
}

#[tokio::test(start_paused = true)]
async fn a_name_belongs_to_one_user_on_all_nodes() {
    let [one, two] = two_nodes().await;
    let (ana, _events) = join(&one, &user(1, "ana")).await;
    let (_bob, mut bobs) = join(&two, &user(2, "bob")).await;
    assert_eq!(next(&mut bobs).await, "joined@0 ana,bob");
    let (sink, _) = Sink::channel(10);
    let taken = two.join(&user(3, "ana"), &room(), Subscribe::new(sink)).await;
    assert!(matches!(taken, Err(JoinError::NameTaken)), "{taken:?}");
    assert!(is_quiet(&mut bobs).await, "the attempt changes nothing");
    assert_eq!(two.members(&room()).unwrap().total(), 2);
    drop(ana);
    assert_eq!(next(&mut bobs).await, "-ana of 1");
    let (_other, mut others) = join(&two, &user(3, "ana")).await;
    assert_eq!(next(&mut others).await, "joined@0 ana,bob");
    assert_eq!(next(&mut bobs).await, "+ana of 2");
}

#[tokio::test(start_paused = true)]
async fn a_room_is_forgotten_although_users_are_on_the_other_node() {
    let [one, two] = two_nodes().await;
    let (ana, _anas) = join(&one, &user(1, "ana")).await;
    let (bob, mut bobs) = join(&two, &user(2, "bob")).await;
    assert_eq!(next(&mut bobs).await, "joined@0 ana,bob");
    drop(bob);
    assert!(two.members(&room()).is_none());
    // and is right when it is opened again
    ana.send("meanwhile").await.unwrap();
    let (_bob, mut bobs) = join(&two, &user(2, "bob")).await;
    assert_eq!(next(&mut bobs).await, "joined@1 ana,bob");
    ana.send("hello").await.unwrap();
    assert_eq!(next(&mut bobs).await, "ana: hello#2");
}

#[tokio::test(start_paused = true)]
async fn settings_hold_on_both_nodes() {
    let [one, two] = two_nodes().await;
    let (ana, mut anas) = join(&one, &user(1, "ana")).await;
    let (bob, mut bobs) = join(&two, &user(2, "bob")).await;
    assert_eq!(
        (next(&mut anas).await, next(&mut bobs).await),
        ("joined@0 ana".into(), "joined@0 ana,bob".into())
    );
    let moderators = RoomSettings::default().post(MayPost::Moderators);
    // not yet heard of there: the store refuses what was checked before
    two.configure(&room(), moderators).await.unwrap();
    let refused = ana.send("too late").await;
    assert!(matches!(refused, Err(SendError::Denied(_))), "{refused:?}");
    while next(&mut anas).await != "settings@1" {}
    one.configure(&room(), RoomSettings::default()).await.unwrap();
    assert_eq!((next(&mut bobs).await, next(&mut bobs).await), ("settings@1".into(), "settings@2".into()));
    bob.send("again").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_mute_and_a_ban_hold_on_the_other_node() {
    let [one, two] = two_nodes().await;
    let ana = Identity::account("u_ana".parse().unwrap(), "ana".parse().unwrap()).unwrap();
    // both nodes have the room
    let (_bob, mut bobs) = join(&one, &user(2, "bob")).await;
    let (member, mut anas) = join(&two, &ana).await;
    assert_eq!(next(&mut anas).await, "joined@0 ana,bob");
    while next(&mut bobs).await != "+ana of 2" {}
    let act = async |moderation| {
        let kind = ActKind::Moderate(moderation, None);
        let act = NewAct::new(Scope::Room(room()), Doer::Operator, kind, (&ana).into());
        one.act(act).await.unwrap().unwrap();
    };
    act(Moderation::Mute).await;
    let told = timeout(SOON, anas.next()).await.expect("an event").unwrap();
    assert!(matches!(&*told, Event::StandingChanged { .. }), "{told:?}");
    let refused = member.send("muted").await;
    assert!(matches!(refused, Err(SendError::Denied(Denied::Muted { .. }))), "{refused:?}");
    act(Moderation::Ban).await;
    let removed = async {
        loop {
            if let Event::LeaveNotice { reason, .. } = &*anas.next().await.unwrap() {
                return *reason;
            }
        }
    };
    assert_eq!(timeout(SOON, removed).await.expect("a notice"), LeftReason::Banned);
    drop(member);
    while next(&mut bobs).await != "-ana of 1" {}
    let (sink, _) = Sink::channel(10);
    let banned = two.join(&ana, &room(), Subscribe::new(sink)).await;
    assert!(matches!(banned, Err(JoinError::Denied(Denied::Banned { .. }))), "{banned:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_moves_misses_nothing() {
    let [one, two] = two_nodes().await;
    let (ana, _anas) = join(&one, &user(1, "ana")).await;
    let (_bob, _bobs) = join(&two, &user(2, "bob")).await;
    for n in 1..=3 {
        ana.send(n.to_string()).await.unwrap();
    }
    drop(ana);
    let (sink, mut events) = Sink::channel(100);
    // the other node may not have heard of the last ones
    let since = Since { epoch: two.epoch(), seq: 3 };
    let _ana = two.join(&user(1, "ana"), &room(), Subscribe::new(sink).since(since)).await.unwrap();
    let Event::Joined(joined) = &*events.next().await.unwrap() else { panic!("a snapshot") };
    assert_eq!((joined.seq, joined.messages.len(), joined.changed.is_some()), (3, 0, true));
    // a cursor that there never was is no reason to wait
    let (sink, mut events) = Sink::channel(100);
    let since = Since { epoch: two.epoch(), seq: 1 << 40 };
    let _cid =
        two.join(&user(3, "cid"), &room(), Subscribe::new(sink).since(since).history(9)).await.unwrap();
    let Event::Joined(joined) = &*events.next().await.unwrap() else { panic!("a snapshot") };
    assert_eq!((joined.seq, joined.messages.len(), joined.changed.is_some()), (3, 3, false));
}
