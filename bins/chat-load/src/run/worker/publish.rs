//! Sending messages: when they are due, or when earlier ones have arrived.

use std::sync::atomic::Ordering;

use chat_testkit::frame;

use super::Worker;
use super::member::Stage;
use crate::connection::Connection;
use crate::plan::LoopMode;
use crate::protocol::Stamp;

/// A publisher with more bytes in its queue waits until the server reads. Messages that it sends
/// late for that reason count as late.
const MAX_QUEUED_BYTES: usize = 256 << 10;

impl Worker<'_> {
    /// When the next message of an open loop is due.
    pub(super) fn next_due(&self) -> u64 {
        let LoopMode::Open(rate) = self.plan.mode else { return u64::MAX };
        let all = self.plan.rooms * self.plan.publishers;
        if self.publishers.is_empty() || rate <= 0.0 {
            return u64::MAX;
        }
        let own_rate = rate * self.publishers.len() as f64 / all as f64;
        self.state.publish_from() + (self.scheduled as f64 * 1e9 / own_rate) as u64
    }

    /// Sends the messages that are due; in a closed loop, the first ones of each publisher.
    pub(super) fn publish_due(&mut self) {
        let now = self.state.now();
        let until = self.state.measure_until();
        match self.plan.mode {
            LoopMode::Open(_) => loop {
                let due = self.next_due();
                if due > now || due >= until {
                    break;
                }
                let i = self.publishers
                    [usize::try_from(self.scheduled).unwrap_or_default() % self.publishers.len()];
                let queued = self.members[i].connection.as_ref().map_or(0, Connection::queued_bytes);
                if queued > MAX_QUEUED_BYTES {
                    break;
                }
                self.scheduled += 1;
                self.queue_message(i, due, now);
                self.write(i);
            },
            LoopMode::Closed(in_flight) => {
                // later messages are sent when earlier ones arrive
                if now < until {
                    for publisher in 0..self.publishers.len() {
                        let i = self.publishers[publisher];
                        if self.members[i].sent == 0 {
                            self.fill_window(i, in_flight);
                        }
                    }
                }
            }
        }
    }

    /// Closed loop: sends until `in_flight` messages of this publisher are in flight.
    pub(super) fn fill_window(&mut self, i: usize, in_flight: usize) {
        let now = self.state.now();
        if now >= self.state.measure_until() {
            return;
        }
        while self.members[i].in_flight < in_flight {
            self.queue_message(i, now, now);
        }
        self.write(i);
    }

    fn queue_message(&mut self, i: usize, due: u64, now: u64) {
        let member = &mut self.members[i];
        let Some(connection) = member.connection.as_mut().filter(|_| member.stage == Stage::Joined) else {
            // the connection has ended; it counts as in flight so that `fill_window` ends
            member.in_flight += 1;
            return;
        };
        let publisher = u16::try_from(member.participant.member).unwrap_or_default();
        let stamp = Stamp { due, publisher, count: member.sent };
        member.sent += 1;
        member.in_flight += 1;
        let mut text = Vec::with_capacity(self.plan.size + 128);
        self.plan.dialect.write_message(self.plan, member.participant, stamp, &mut text);
        frame::write_masked(connection.write_queue(), frame::TEXT, &text);
        self.state.sent.fetch_add(1, Ordering::Relaxed);
        if self.state.is_measured(now) {
            self.tally.sent += 1;
        }
    }
}
