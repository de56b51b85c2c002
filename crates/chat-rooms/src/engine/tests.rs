//! What is done under the lock of a room, counted in steps: it does not grow with the room, or is
//! done in pieces.

use std::sync::Arc;
use std::time::Duration;

use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{Event, Identity, NoticeLevel, RoomName};

use crate::room::{PIECE, Room};
use crate::{Engine, EventSink, Events, Membership, Sink, SinkClosed, Subscribe};

/// A sink that discards everything.
struct Discard;

impl EventSink for Discard {
    fn offer(&self, _: &Arc<Event>) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// The steps that a piece may take: a few for each member.
const MAX_STEPS_OF_PIECE: usize = 8 * PIECE;

/// The most events of a batch, each of which has the smallest size that counts.
const MAX_STEPS_OF_BATCH: usize = 1_024;

fn name() -> RoomName {
    "r".parse().unwrap()
}

/// A room, and its members.
async fn crowd(members: usize) -> (Engine, Arc<Room>, Vec<Membership>) {
    let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap();
    let mut crowd = Vec::with_capacity(members);
    for i in 0..members {
        let user = Identity::one_time_guest(i as u128, format!("p{i}").parse().unwrap());
        let subscribe = Subscribe::new(Sink::Events(Arc::new(Discard)));
        crowd.push(engine.join(&user, &name(), subscribe).await.unwrap());
    }
    let room = engine.shared.room(&name()).unwrap();
    crowd[0].idle().await;
    room.steps().take();
    (engine, room, crowd)
}

#[tokio::test]
async fn closing_a_room_takes_a_few_steps_for_each_member_and_not_all_at_once() {
    for members in [500, 4_000] {
        let (engine, room, crowd) = crowd(members).await;
        assert_eq!(engine.close_room(&name()), members);
        let (max, total) = room.steps().take();
        assert!(max <= MAX_STEPS_OF_PIECE, "{max} steps under one lock, of {members} members");
        assert!((members..=8 * members).contains(&total), "{total} steps for {members} members");
        // the pumps deliver the reason, and drop the sinks
        crowd[0].idle().await;
        let (max, total) = room.steps().take();
        assert!(max <= MAX_STEPS_OF_BATCH.max(MAX_STEPS_OF_PIECE), "{max} steps of a pump");
        assert!((members..=8 * members).contains(&total), "{total} steps of the pumps");
    }
}

#[tokio::test]
async fn a_leave_takes_the_same_steps_in_a_room_of_any_size() {
    let mut seen = Vec::new();
    for members in [500, 4_000] {
        let (_engine, room, crowd) = crowd(members).await;
        let mut max_of_all = 0;
        for member in crowd {
            drop(member);
            max_of_all = max_of_all.max(room.steps().take().0);
        }
        assert!(max_of_all > 0);
        seen.push(max_of_all);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0] < 10, "{} steps", seen[0]);
}

#[tokio::test]
async fn the_changes_of_a_mass_leave_are_made_in_pieces() {
    const LEAVERS: usize = 4_000;
    let (engine, room, crowd) = crowd(LEAVERS).await;
    let (sink, mut events) = Sink::channel(100);
    let ana = Identity::one_time_guest(u128::MAX, "ana".parse().unwrap());
    let _ana = engine.join(&ana, &name(), Subscribe::new(sink)).await.unwrap();
    until_count(&mut events, LEAVERS + 1).await;
    room.steps().take();
    drop(crowd);
    until_count(&mut events, 1).await;
    let (max, total) = room.steps().take();
    assert!(max <= 2 * PIECE && total >= LEAVERS, "{max} of {total} steps under one lock");
}

/// Waits until the members are notified that there are this many of them.
async fn until_count(events: &mut Events, count: usize) {
    let announced = async {
        while let Some(event) = events.next().await {
            if matches!(&*event, Event::PresenceChanged(change) if change.member_count == count) {
                return;
            }
        }
        panic!("the watcher is removed");
    };
    tokio::time::timeout(Duration::from_secs(20), announced).await.expect("the change is announced");
}

#[tokio::test]
async fn a_notice_to_all_rooms_is_sent_in_pieces() {
    let (engine, room, _crowd) = crowd(2_000).await;
    engine.notice_all(NoticeLevel::Info, "tea");
    let (max, total) = room.steps().take();
    assert!(max <= PIECE && total >= 2_000, "{max} of {total} steps under one lock");
}
