//! Reactions and replies.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_history::{
    HistoryError, HistoryStore, MemoryHistory, Mentions, MessageContext, Own, Page, delegate_history,
};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{
    Emoji, Event, Identity, Mention, Message, OwnReactions, Reacted, RoomName, Since, UserId,
};
use chat_rooms::{
    Engine, Events, HistoryQuery, Membership, Outgoing, React, Resync, SendError, Sink, Subscribe,
};
use futures::future::{BoxFuture, FutureExt};
use tokio::sync::Semaphore;

use crate::support::{next_word, outgoing, room, user};

async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

fn account(name: &str) -> Identity {
    Identity::account(format!("u_{name}").parse().unwrap(), user(name)).unwrap()
}

async fn enter(engine: &Engine, user: &Identity) -> (Membership, Events) {
    let (sink, events) = Sink::channel(10_000);
    (engine.join(user, &room(), Subscribe::new(sink)).await.unwrap(), events)
}

async fn words(events: &mut Events, expected: &[&str]) {
    for word in expected {
        assert_eq!(next_word(events).await, *word);
    }
}

fn emoji(text: &str) -> Emoji {
    Emoji::parse(text).unwrap()
}

fn add(target: u64) -> React {
    React::add(target, emoji("👍"))
}

/// The next event that is about reactions.
async fn reacted(events: &mut Events) -> Arc<Reacted> {
    loop {
        if let Event::Reacted(reacted) = &*events.next().await.unwrap() {
            return Arc::clone(reacted);
        }
    }
}

/// The messages and the own reactions of the next list.
async fn list(events: &mut Events) -> (Vec<Arc<Message>>, OwnReactions) {
    loop {
        match &*events.next().await.unwrap() {
            Event::History(page) => return (page.messages.clone(), page.mine.clone()),
            Event::Joined(joined) => {
                let changed = joined.changed.iter().flatten();
                let messages = changed.chain(&joined.messages).map(Arc::clone).collect();
                return (messages, joined.mine.clone());
            }
            _ => {}
        }
    }
}

fn count(message: &Message) -> u64 {
    message.text().unwrap().reactions().first().map_or(0, |reaction| reaction.count)
}

#[tokio::test]
async fn a_reaction_reaches_everyone_after_its_ack() {
    let engine = engine().await;
    let (ana, mut anas) = enter(&engine, &account("ana")).await;
    let (bob, mut bobs) = enter(&engine, &account("bob")).await;
    let (sink, mut cids) = Sink::channel(1_000);
    let cid = engine.join(&account("cid"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    ana.submit(outgoing("one")).await.unwrap();
    let mut react = add(1);
    react.reference = Some("up".parse().unwrap());
    bob.submit_react(react.clone()).await.unwrap();
    bob.submit_react(react).await.unwrap();
    ana.submit(outgoing("two")).await.unwrap();
    words(&mut anas, &["joined@0", "ack one#1", "ana:one#1", "#1 👍1+bob@2", "ack two#3", "ana:two#3"]).await;
    words(&mut bobs, &["joined@0", "ana:one#1", "ack up#2", "#1 👍1+bob@2", "ack up#-", "ana:two#3"]).await;
    // with lists, reactions are not sent
    words(&mut cids, &["ana:one#1", "ana:two#3"]).await;
    drop(cid);

    assert!(matches!(bob.react(add(2)).await, Err(SendError::NotFound)), "the reaction is no message");
    assert_eq!(bob.react(React::remove(3, emoji("👍"))).await.unwrap(), None);
    assert_eq!(bob.react(React::remove(1, emoji("👍"))).await.unwrap(), Some(4));
    words(&mut anas, &["#1 👍0-bob@4"]).await;
    let all: Vec<_> =
        ('\u{1f600}'..).take(21).map(|emoji| Emoji::parse(&emoji.to_string()).unwrap()).collect();
    for emoji in &all[..20] {
        bob.react(React::add(1, emoji.clone())).await.unwrap();
    }
    let refused = bob.react(React::add(1, all[20].clone())).await;
    assert!(matches!(refused, Err(SendError::LimitReached)), "{refused:?}");
}

/// In a storm of reactions everyone receives few events, and all of them have the same outcome.
#[tokio::test(flavor = "multi_thread")]
async fn reactions_of_a_storm_are_merged() {
    const USERS: u64 = 200;
    let engine = engine().await;
    let (ana, mut anas) = enter(&engine, &account("ana")).await;
    ana.send("one").await.unwrap();
    let mut members = Vec::new();
    for n in 0..USERS {
        members.push(enter(&engine, &account(&format!("p{n}"))).await);
    }
    for (member, _) in &members {
        member.submit_react(add(1)).await.unwrap();
    }
    let (mut cursor, mut users, mut frames) = (1, BTreeMap::new(), 0);
    while cursor < 1 + USERS {
        let event = reacted(&mut anas).await;
        assert_eq!((event.first_seq, event.target), (cursor + 1, 1));
        assert!(event.users() <= Reacted::MAX_USERS);
        (cursor, frames) = (event.seq, frames + 1);
        for change in &event.changes {
            users.extend(change.added.iter().map(|reactor| (reactor.user.clone(), reactor.username.clone())));
            assert_eq!(change.count, users.len() as u64);
        }
    }
    assert!(frames < USERS / 4, "{frames}");
    // the first is not delayed, and a message does not overtake reactions
    members[0].0.react(React::remove(1, emoji("👍"))).await.unwrap();
    members[1].0.submit_react(React::remove(1, emoji("👍"))).await.unwrap();
    members[2].0.submit_react(React::remove(1, emoji("👍"))).await.unwrap();
    ana.submit(outgoing("two")).await.unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|word: &String| word != "ana:two#205") {
        seen.push(next_word(&mut anas).await);
    }
    let at = |text: &str| seen.iter().position(|word| word.ends_with(text)).unwrap();
    assert!(at("@204") < at("ana:two#205"), "{seen:?}");
    // idle once the last window is closed
    members[3].0.submit_react(React::remove(1, emoji("👍"))).await.unwrap();
    members[4].0.submit_react(React::remove(1, emoji("👍"))).await.unwrap();
    ana.idle().await;
    let mut last = reacted(&mut anas).await;
    while last.seq < 207 {
        last = reacted(&mut anas).await;
    }
    assert_eq!(last.changes[0].count, USERS - 5);
}

/// Whoever joins in the middle has the same state as the others, and knows its own reactions.
#[tokio::test(flavor = "multi_thread")]
async fn lists_have_the_reactions_and_say_which_are_own() {
    let engine = engine().await;
    let (ana, _anas) = enter(&engine, &account("ana")).await;
    let guest = Identity::one_time_guest(7, user("bob"));
    let (bob, events) = enter(&engine, &guest).await;
    for body in ["one", "two", "three"] {
        ana.send(body).await.unwrap();
    }
    for target in [1, 3] {
        bob.react(add(target)).await.unwrap();
    }
    ana.react(add(1)).await.unwrap();
    drop((bob, events));

    let own = |targets: &[u64]| targets.iter().map(|seq| (*seq, vec![emoji("👍")])).collect::<OwnReactions>();
    let account = account("bob");
    for former_ids in [vec![], vec![guest.id().clone()]] {
        let mine = if former_ids.is_empty() { own(&[]) } else { own(&[1, 3]) };
        let (sink, mut bobs) = Sink::channel(1_000);
        let subscribe = Subscribe::new(sink).history(10).former_ids(former_ids.clone());
        let bob = engine.join(&account, &room(), subscribe).await.unwrap();
        let (messages, found) = list(&mut bobs).await;
        assert_eq!(messages.iter().map(|message| count(message)).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(found, mine);
        let since = Since { epoch: engine.epoch(), seq: 4 };
        bob.resync(Resync::new(since).former_ids(former_ids.clone())).await.unwrap();
        let (changed, found) = list(&mut bobs).await;
        assert_eq!(changed.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(found, mine);
        let page = HistoryQuery::new(Page::After { seq: 1, limit: 10 }).former_ids(former_ids);
        bob.history(page).await.unwrap();
        assert_eq!(list(&mut bobs).await.1, mine.into_iter().filter(|(seq, _)| *seq > 1).collect());
    }
    // an own reaction that was removed under another id
    let (bob, mut bobs) = enter(&engine, &account).await;
    let mut remove = React::remove(1, emoji("👍"));
    remove.former_ids = vec![guest.id().clone()];
    bob.react(remove).await.unwrap();
    let page = HistoryQuery::new(Page::After { seq: 0, limit: 10 }).former_ids(vec![guest.id().clone()]);
    list(&mut bobs).await;
    bob.history(page).await.unwrap();
    assert_eq!(list(&mut bobs).await.1, own(&[3]));
}

/// A store whose reads of own reactions arrive late.
#[derive(Debug, Clone)]
struct LateReads {
    inner: Arc<MemoryHistory>,
    /// One permit for each read that may arrive.
    arriving: Arc<Semaphore>,
    /// One permit for each read that was made.
    read: Arc<Semaphore>,
}

impl HistoryStore for LateReads {
    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        async move {
            let own = self.inner.own_reactions(room, targets, users).await;
            self.read.add_permits(1);
            self.arriving.acquire().await.unwrap().forget();
            own
        }
        .boxed()
    }

    delegate_history! {
        inner: epoch durability append extent settings public_rooms page changed mentions_after prune check
    }
}

/// What was read before a reaction, and is sent after it, does not contradict it.
#[tokio::test(flavor = "multi_thread")]
async fn own_reactions_are_not_older_than_their_place_in_the_stream() {
    // few enough for the tail, and too many
    for others in [0, 400] {
        let none = || Arc::new(Semaphore::new(0));
        let store = LateReads { inner: Arc::default(), arriving: none(), read: none() };
        let builder = Engine::builder(MemoryPresence::new(NodeId::new("here")));
        let engine = builder.history(store.clone()).start().await.unwrap();
        let (ana, mut anas) = enter(&engine, &account("ana")).await;
        let (same, _events) = enter(&engine, &account("ana")).await;
        let (bob, _bobs) = enter(&engine, &account("bob")).await;
        for body in ["one", "two", "three"] {
            bob.send(body).await.unwrap();
            bob.react(add(bob.send(body).await.unwrap().seq)).await.unwrap();
        }
        let targets: Vec<u64> = (1..=9).step_by(3).map(|seq| seq + 1).collect();
        ana.react(add(targets[0])).await.unwrap();
        let spoil = async {
            store.read.acquire().await.unwrap().forget();
            same.react(React::remove(targets[0], emoji("👍"))).await.unwrap();
            same.react(add(targets[1])).await.unwrap();
            // its first reaction
            same.react(React::add(1, emoji("🎉"))).await.unwrap();
            for n in 0..others {
                bob.send(n.to_string()).await.unwrap();
            }
            store.arriving.add_permits(100);
        };
        list(&mut anas).await;
        let page = HistoryQuery::new(Page::Before { seq: 10, limit: 10 });
        let (position, ()) = tokio::join!(ana.history(page), spoil);
        position.unwrap();
        let expected = [(1, vec![emoji("🎉")]), (targets[1], vec![emoji("👍")])];
        assert_eq!(list(&mut anas).await.1, OwnReactions::from(expected), "{others}");
    }
}

#[tokio::test]
async fn a_reply_carries_what_it_replies_to() {
    let engine = engine().await;
    let (ana, _anas) = enter(&engine, &account("ana")).await;
    let (bob, mut bobs) = enter(&engine, &account("bob")).await;
    ana.send("one").await.unwrap();
    let reply = |target| {
        let mentions = Mentions::new([Mention::User("u_ana".parse().unwrap())], vec![]);
        Outgoing { context: MessageContext::new(Some(target), mentions), ..outgoing("two") }
    };
    assert!(matches!(bob.send(reply(2)).await, Err(SendError::NotFound)));
    assert_eq!(bob.send(reply(1)).await.unwrap().seq, 2);
    words(&mut bobs, &["joined@0", "ana:one#1", "!NotFound two", "ack two#2"]).await;
    let Event::Message { message, .. } = &*bobs.next().await.unwrap() else { panic!("a message") };
    let text = message.text().unwrap();
    let reply_to = text.reply_to.as_ref().unwrap();
    assert_eq!((reply_to.seq, reply_to.from.as_str(), reply_to.user.as_str()), (1, "ana", "u_ana"));
    assert_eq!(text.mentions(), [Mention::User("u_ana".parse().unwrap())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_found_by_name() {
    let engine = engine().await;
    let (ana, _anas) = enter(&engine, &account("Ana")).await;
    let found = |names: &[&str]| -> Vec<Option<String>> {
        let members = ana.find(names.iter().copied());
        members.into_iter().map(|member| member.map(|member| member.user.to_string())).collect()
    };
    let some = |name: &str| Some(format!("u_{name}"));
    assert_eq!(found(&["ANA", "ana", "an", "bob", ""]), [some("Ana"), some("Ana"), None, None, None]);
    // more than one piece, joined after the first question
    let mut members = Vec::new();
    for n in 0..600 {
        members.push(enter(&engine, &account(&format!("P{n}"))).await);
    }
    assert_eq!(found(&["p0", "p599", "p600"]), [some("P0"), some("P599"), None]);
    let (lower, _events) = enter(&engine, &account("p7")).await;
    assert_eq!(found(&["P7"]), [some("p7")], "the one who joined last");
    drop(lower);
    assert_eq!(found(&["P7"]), [some("P7")]);
    members.truncate(7);
    assert_eq!(found(&["p6", "p7"]), [some("P6"), None]);
}
