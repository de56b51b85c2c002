//! Uniqueness of names when several tasks request one at once and some of them cancel.

use std::sync::Arc;

use chat_presence::PresenceStore;
use chat_rooms::{Engine, JoinError, Subscribe};
use futures::FutureExt;
use futures::future::{Either, select};
use parking_lot::Mutex;
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use crate::client::{Log, guest, room};
use crate::explore::explore;
use crate::store::{Presence, Store, engine};

/// How many tasks hold the name now.
type Holders = Arc<Mutex<usize>>;

async fn hold_name_twice(engine: Engine, holders: Holders) {
    hold_name(&engine, &holders).await;
    hold_name(&engine, &holders).await;
}

/// Requests the name, possibly cancels after some steps, and otherwise holds it for a while.
async fn hold_name(engine: &Engine, holders: &Holders) {
    let (room, ana) = (room(), guest("ana"));
    let admitting = engine.admit(&ana, &room).boxed();
    let patience = if thread_rng().r#gen() { thread_rng().gen_range(0..8) } else { usize::MAX };
    let admission = match select(admitting, steps(patience).boxed()).await {
        Either::Left((Ok(admission), _)) => admission,
        Either::Left((Err(JoinError::NameTaken | JoinError::Store(_)), _)) | Either::Right(_) => {
            return;
        }
        Either::Left((Err(error), _)) => panic!("{error}"),
    };
    hold(holders);
    yield_now().await;
    if thread_rng().gen_bool(0.3) {
        release(holders);
        drop(admission);
    } else {
        let member = admission.join(Subscribe::new(Log::new(usize::MAX).sink())).await.unwrap().0;
        yield_now().await;
        release(holders);
        member.leave();
    }
}

async fn steps(count: usize) {
    for _ in 0..count {
        yield_now().await;
    }
}

fn hold(holders: &Holders) {
    let mut holders = holders.lock();
    *holders += 1;
    assert_eq!(*holders, 1, "a name has one holder at a time");
}

fn release(holders: &Holders) {
    *holders.lock() -= 1;
}

#[test]
fn a_name_has_one_holder_at_a_time_and_is_free_in_the_end() {
    explore(|| {
        block_on(async {
            let presence = Presence::new();
            let engine = engine(&Store::new(0.0), &presence).await;
            let holders = Holders::default();
            let tasks = [0, 1, 2].map(|_| spawn(hold_name_twice(engine.clone(), Arc::clone(&holders))));
            for task in tasks {
                task.await.unwrap();
            }
            // the row of a cancelled request may still be written, and is removed afterwards
            while engine.room_count() > 0 || !presence.members(room()).await.unwrap().is_empty() {
                yield_now().await;
            }
            assert!(engine.members(&room()).is_none());
            assert!(is_free(&engine).await);
        });
    });
}

async fn is_free(engine: &Engine) -> bool {
    loop {
        match engine.admit(&guest("ana"), &room()).await {
            Ok(_) => return true,
            Err(JoinError::Store(_)) => {}
            Err(_) => return false,
        }
    }
}
