//! The pumps: tasks that offer a room's events to its members, each to a part of them.

use std::sync::Arc;

use crate::delivery::queue::Work;
use crate::delivery::walk::{Turn, Walked, walk};
use crate::room::Room;

/// Runs one pump of a room until there is nothing left to offer.
pub(crate) async fn run(room: Arc<Room>, pump: usize) {
    let mut members = room.start_pump(pump);
    let mut turn = Turn::new();
    while let Some(Work { arrivals, leavers, batches }) = room.next_work(pump, &mut members) {
        // without the room's lock, however many there are
        arrivals.into_iter().for_each(|subscriber| members.push(subscriber));
        leavers.iter().for_each(|subscriber| members.remove(subscriber));
        drop(leavers);
        if batches.is_empty() {
            turn.yield_if_due(true).await;
            continue;
        }
        let messages: usize = batches.iter().map(|batch| batch.messages()).sum();
        room.meters().deliveries.increment((messages * members.len()) as u64);
        let span = tracing::trace_span!("fan_out", room = %room.name, messages, members = members.len());
        let Walked { closed, ended } = walk(&batches, &mut members, room.encodings(), &mut turn).await;
        room.delivered(pump, &batches, &ended);
        drop(span);
        room.remove_closed(&closed);
    }
}
