//! Who gets a name, when several want it at once and some of them think better of it.

use std::sync::Arc;

use chat_presence::PresenceStore;
use chat_rooms::{Engine, JoinError, Subscribe};
use futures::FutureExt;
use futures::future::{Either, select};
use parking_lot::Mutex;
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use crate::explore::explore;
use crate::stay::{Log, room, user};
use crate::store::{Presence, Store, engine};

/// How many hold the name at this moment.
type Holders = Arc<Mutex<usize>>;

async fn wants_it_twice(engine: Engine, holders: Holders) {
    wants(&engine, &holders).await;
    wants(&engine, &holders).await;
}

/// Asks for the name, gives up after some steps or not, and holds it for a while where it gets it.
async fn wants(engine: &Engine, holders: &Holders) {
    let (room, ana) = (room(), user("ana"));
    let asking = engine.admit(&room, &ana).boxed();
    let patience = if thread_rng().r#gen() { thread_rng().gen_range(0..8) } else { usize::MAX };
    let seat = match select(asking, steps(patience).boxed()).await {
        Either::Left((Ok(seat), _)) => seat,
        Either::Left((Err(JoinError::NameTaken | JoinError::Store(_)), _)) | Either::Right(_) => {
            return;
        }
        Either::Left((Err(error), _)) => panic!("{error}"),
    };
    hold(holders);
    yield_now().await;
    if thread_rng().gen_bool(0.3) {
        release(holders);
        drop(seat);
    } else {
        let member = seat.join(Subscribe::new(Log::new(usize::MAX).outlet())).await.unwrap().0;
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
    assert_eq!(*holders, 1, "a name is held by one at a time");
}

fn release(holders: &Holders) {
    *holders.lock() -= 1;
}

#[test]
fn a_name_is_held_by_one_at_a_time_and_free_in_the_end() {
    explore(|| {
        block_on(async {
            let presence = Presence::new();
            let engine = engine(&Store::new(0.0), &presence).await;
            let holders = Holders::default();
            let asking = [0, 1, 2].map(|_| spawn(wants_it_twice(engine.clone(), Arc::clone(&holders))));
            for asking in asking {
                asking.await.unwrap();
            }
            // who gave up may have a row that is still being written, and then goes
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
        match engine.admit(&room(), &user("ana")).await {
            Ok(_) => return true,
            Err(JoinError::Store(_)) => {}
            Err(_) => return false,
        }
    }
}
