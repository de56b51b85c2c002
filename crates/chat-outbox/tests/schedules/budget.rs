//! Outboxes that share a budget.

use std::sync::Arc;

use chat_outbox::{BacklogLimits, Outbox, Unsent};
use chat_rooms::BacklogBudget;
use chat_rooms::FrameSink;
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::explore::explore;
use crate::socket::{Socket, drain, frame};

/// Readers that read, that break down and that are disconnected all wait for the same buffers. In
/// the end no memory is held and no outbox is counted.
#[test]
fn the_budget_is_empty_once_all_outboxes_are_dropped() {
    explore(|| {
        let budget = Arc::new(BacklogBudget::new(12));
        let limits = BacklogLimits { frames: 100, bytes: 1_000 };
        let outboxes: Vec<_> = (0..3)
            .map(|_| Arc::new(Outbox::new(Socket::default(), limits).within(Arc::clone(&budget))))
            .collect();
        let mut threads = Vec::new();
        for outbox in &outboxes {
            let draining = Arc::clone(outbox);
            threads.push(thread::spawn(move || {
                let _ = block_on(drain(&draining));
            }));
            let outbox = Arc::clone(outbox);
            threads.push(thread::spawn(move || {
                if thread_rng().gen_bool(0.2) {
                    outbox.transport().break_down();
                } else {
                    outbox.transport().read_at_random();
                }
            }));
        }
        for name in ["a", "b"] {
            let outboxes = outboxes.clone();
            threads.push(thread::spawn(move || {
                let frames = [frame(&format!("{name}-shared")), frame(name)];
                // an outbox that is over its limits accepts nothing
                for outbox in outboxes {
                    let _ = outbox.offer(&frames);
                }
            }));
        }
        for outbox in outboxes.clone() {
            threads.push(thread::spawn(move || outbox.close(frame("end"), Unsent::Keep)));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let waiting = outboxes.iter().filter(|outbox| outbox.backlog().bytes > 0).count();
        assert!(holders(&budget) <= waiting, "an outbox without a backlog is counted");
        drop(outboxes);
        assert_eq!(budget.held(), 0);
        assert_eq!(holders(&budget), 0);
    });
}

/// The number of outboxes that the budget counts, which only its debug output shows.
fn holders(budget: &BacklogBudget) -> usize {
    let debug = format!("{budget:?}");
    let count = debug.split("holders: ").nth(1).unwrap().split(',').next().unwrap();
    count.parse().unwrap()
}
