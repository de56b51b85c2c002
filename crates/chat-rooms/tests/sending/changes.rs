//! Edits, and deletions by users.

use std::sync::Arc;
use std::time::Duration;

use chat_history::Page;
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{DeletedBy, Event, Identity, MayPost, Role, RoomSettings, Since, UserId};
use chat_rooms::{
    Delete, Edit, Engine, Events, HistoryQuery, Membership, Resync, SendError, Sink, Subscribe,
};

use crate::support::{next_word, outgoing, room, user};

async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

fn account(name: &str) -> Identity {
    Identity::account(format!("u_{name}").parse().unwrap(), user(name)).unwrap()
}

async fn enter(engine: &Engine, user: &Identity) -> (Membership, Events) {
    let (sink, events) = Sink::channel(1_000);
    (engine.join(user, &room(), Subscribe::new(sink)).await.unwrap(), events)
}

async fn words(events: &mut Events, expected: &[&str]) {
    for word in expected {
        assert_eq!(next_word(events).await, *word);
    }
}

fn edit(target: u64, body: &str) -> Edit {
    let mut edit = Edit::new(target, body);
    edit.reference = Some(body.parse().unwrap());
    edit
}

#[tokio::test]
async fn an_edit_reaches_everyone_after_its_ack() {
    let engine = engine().await;
    let (ana, mut anas) = enter(&engine, &account("ana")).await;
    let (_bob, mut bobs) = enter(&engine, &account("bob")).await;
    let (sink, mut cids) = Sink::channel(1_000);
    let cid = engine.join(&account("cid"), &room(), Subscribe::new(sink).with_lists()).await.unwrap();
    ana.submit(outgoing("helo")).await.unwrap();
    ana.submit_edit(edit(1, "hello")).await.unwrap();
    ana.submit_edit(edit(1, "hello")).await.unwrap();
    ana.submit(outgoing("next")).await.unwrap();
    words(&mut anas, &["joined@0", "ack helo#1", "ana:helo#1", "ack hello#2", "edited #1@2"]).await;
    words(&mut anas, &["ack hello#-", "ack next#3", "ana:next#3"]).await;
    words(&mut bobs, &["joined@0", "ana:helo#1", "edited #1@2", "ana:next#3"]).await;
    // with lists, edits are not sent
    words(&mut cids, &["ana:helo#1", "ana:next#3"]).await;
    drop(cid);
}

#[tokio::test]
async fn only_the_author_edits_and_moderators_delete() {
    let engine = engine().await;
    let (ana, _anas) = enter(&engine, &account("ana")).await;
    let (bob, mut bobs) = enter(&engine, &account("bob")).await;
    let (moderator, _mods) = enter(&engine, &account("mod").with_role(Role::Moderator)).await;
    assert_eq!(ana.send("one").await.unwrap().seq, 1);
    assert!(matches!(bob.edit(edit(1, "two")).await, Err(SendError::NotAuthor)));
    assert!(matches!(bob.delete(Delete::new(1)).await, Err(SendError::NotAuthor)));
    assert!(matches!(moderator.edit(edit(1, "two")).await, Err(SendError::NotAuthor)));
    assert!(matches!(ana.edit(edit(2, "two")).await, Err(SendError::NotFound)));
    words(&mut bobs, &["joined@0", "ana:one#1", "!Forbidden two", "!Forbidden -"]).await;

    let mut late = edit(1, "late");
    late.window = Some(Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(matches!(ana.edit(late).await, Err(SendError::TooLate)));
    // as if the right had come after the deletion was accepted: it is not recorded
    moderator.submit_delete(Delete::new(1)).await.unwrap();
    assert_eq!(moderator.delete(Delete::new(1)).await.unwrap(), Some(2));
    loop {
        let event = bobs.next().await.unwrap();
        if let Event::Deleted(deletion) = &*event {
            assert_eq!((deletion.by, deletion.messages[0].seq), (DeletedBy::Moderator, 1));
            break;
        }
    }
    assert!(matches!(ana.edit(edit(1, "two")).await, Err(SendError::NotFound)));
    assert_eq!(ana.delete(Delete::new(1)).await.unwrap(), None);

    // who may not post does not edit either, but deletes
    assert_eq!(ana.send("three").await.unwrap().seq, 3);
    engine.configure(&room(), RoomSettings::default().post(MayPost::Moderators)).await.unwrap();
    let denied = ana.edit(edit(3, "four")).await;
    assert!(matches!(denied, Err(SendError::Denied(_))), "{denied:?}");
    assert_eq!(ana.delete(Delete::new(3)).await.unwrap(), Some(5));
}

#[tokio::test]
async fn a_user_edits_what_it_wrote_as_a_guest() {
    let engine = engine().await;
    let guest = Identity::one_time_guest(7, user("ana"));
    let (as_guest, events) = enter(&engine, &guest).await;
    assert_eq!(as_guest.send("one").await.unwrap().seq, 1);
    drop((as_guest, events));
    let (ana, _events) = enter(&engine, &account("ana")).await;
    assert!(matches!(ana.edit(edit(1, "two")).await, Err(SendError::NotAuthor)));
    let mut adopted = edit(1, "two");
    adopted.former_ids = vec![guest.id().clone()];
    assert_eq!(ana.edit(adopted).await.unwrap(), Some(2));
    let mut delete = Delete::new(1);
    delete.former_ids = vec![UserId::unknown(), guest.id().clone()];
    assert_eq!(ana.delete(delete).await.unwrap(), Some(3));
}

/// What was missed comes as the state of the message; an old text does not come back from anywhere.
#[tokio::test]
async fn an_old_text_does_not_come_back() {
    let engine = engine().await;
    let (ana, _anas) = enter(&engine, &account("ana")).await;
    let (bob, mut bobs) = enter(&engine, &account("bob")).await;
    for body in ["secret one", "two"] {
        ana.send(body).await.unwrap();
    }
    ana.edit(edit(1, "secret again")).await.unwrap();
    ana.edit(edit(1, "public")).await.unwrap();
    words(&mut bobs, &["joined@0", "ana:secret one#1", "ana:two#2", "edited #1@3", "edited #1@4"]).await;
    // from the tail: resyncs from each position, pages, and a newcomer
    let mut seen: Vec<Arc<Event>> = Vec::new();
    for seq in 0..=4 {
        bob.resync(Resync::new(Since { epoch: engine.epoch(), seq })).await.unwrap();
        seen.push(bobs.next().await.unwrap());
    }
    bob.history(HistoryQuery::new(Page::After { seq: 0, limit: 10 })).await.unwrap();
    seen.push(bobs.next().await.unwrap());
    let (sink, mut cids) = Sink::channel(10);
    let _cid = engine.join(&account("cid"), &room(), Subscribe::new(sink).history(10)).await.unwrap();
    seen.push(cids.next().await.unwrap());
    for (place, event) in seen.iter().enumerate() {
        let (messages, changed) = match &**event {
            Event::Joined(joined) => (&joined.messages, joined.changed.clone().unwrap_or_default()),
            Event::History(page) => (&page.messages, Vec::new()),
            other => panic!("{other:?}"),
        };
        let bodies =
            messages.iter().chain(&changed).map(|message| (message.seq, &*message.text().unwrap().body));
        let bodies: Vec<_> = bodies.collect();
        let expected: &[_] = match place {
            // after the message, and after its first edit
            1 => &[(2, "two"), (1, "public")],
            2 | 3 => &[(1, "public")],
            4 => &[],
            _ => &[(1, "public"), (2, "two")],
        };
        assert_eq!(bodies, expected, "{place}");
    }
}
