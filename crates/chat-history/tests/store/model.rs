//! Whatever is done to a store, it says what a plain list would say.

use chat_history::{AppendError, Retention};
use proptest::prelude::*;

use super::support::{Under, all_after, all_before, append, body, memory, room, say, say_once, sqlite};

#[derive(Debug, Clone)]
enum Step {
    Say { room: usize, user: u8, body: u8 },
    SayOnce { room: usize, user: u8, body: u8, id: u8 },
    KeepNewest { count: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (room, user, body) = (0..ROOMS.len(), 0..2_u8, 0..2_u8);
    prop_oneof![
        2 => (room.clone(), user.clone(), body.clone())
            .prop_map(|(room, user, body)| Step::Say { room, user, body }),
        5 => (room, user, body, 0..4_u8)
            .prop_map(|(room, user, body, id)| Step::SayOnce { room, user, body, id }),
        1 => (0..6_u64).prop_map(|count| Step::KeepNewest { count }),
    ]
}

const ROOMS: [&str; 3] = ["a", "b", "c"];

/// What a room should have.
#[derive(Debug, Default)]
struct Room {
    /// The body, and by whom under which id if it was the sender's own.
    said: Vec<(String, Option<(u8, u8)>)>,
    /// How many of the oldest went.
    gone: usize,
}

impl Room {
    fn first(&self, claim: (u8, u8), ids_outlive_messages: bool) -> Option<usize> {
        let from = if ids_outlive_messages { 0 } else { self.gone };
        (from..self.said.len()).find(|i| self.said[*i].1 == Some(claim))
    }
}

async fn compare(under: Under, steps: Vec<Step>, limit: usize, ids_outlive_messages: bool) {
    let store = &*under.store;
    let mut rooms: [Room; ROOMS.len()] = Default::default();
    for step in steps {
        match step {
            Step::Say { room: i, user, body } => {
                let text = format!("{body}");
                let told = append(store, say(ROOMS[i], &format!("u{user}"), &text)).await.unwrap();
                rooms[i].said.push((text, None));
                assert_eq!((told.message.seq, told.again), (rooms[i].said.len() as u64, false));
            }
            Step::SayOnce { room: i, user, body, id } => {
                let text = format!("{body}");
                let message = say_once(ROOMS[i], &format!("u{user}"), &text, &format!("i{id}"));
                let told = append(store, message).await.map(|told| (told.message.seq, told.again));
                let first = rooms[i].first((user, id), ids_outlive_messages);
                let expected = match first {
                    // what a pruned message said is not known any more
                    Some(first) if first >= rooms[i].gone && rooms[i].said[first].0 != text => {
                        Err(AppendError::IdReused)
                    }
                    Some(first) => Ok((first as u64 + 1, true)),
                    None => {
                        rooms[i].said.push((text, Some((user, id))));
                        Ok((rooms[i].said.len() as u64, false))
                    }
                };
                assert_eq!(told, expected);
            }
            Step::KeepNewest { count } => {
                while store.prune(Retention { max_count: Some(count), max_age: None }).await.unwrap() {}
                for room in &mut rooms {
                    room.gone = room.gone.max(room.said.len().saturating_sub(count as usize));
                }
            }
        }
    }
    for (name, expected) in ROOMS.into_iter().zip(rooms) {
        assert_eq!(store.newest(room(name)).await.unwrap(), expected.said.len() as u64);
        let kept: Vec<_> = (expected.gone..expected.said.len())
            .map(|i| (i as u64 + 1, expected.said[i].0.as_str()))
            .collect();
        let forwards = all_after(store, name, limit).await;
        let backwards = all_before(store, name, limit).await;
        assert_eq!(forwards, backwards);
        let found: Vec<_> =
            forwards.iter().map(|message| (message.seq, body(message).unwrap_or_default())).collect();
        assert_eq!(found, kept);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_memory(steps in prop::collection::vec(step(), 0..60), limit in 1..9_usize) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            compare(memory().await, steps, limit, false).await;
        });
    }

    #[test]
    fn in_sqlite(steps in prop::collection::vec(step(), 0..60), limit in 1..9_usize) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            compare(sqlite().await, steps, limit, true).await;
        });
    }
}
