//! Receiving frames, and acting on them.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chat_testkit::frame;

use super::Worker;
use super::member::Stage;
use crate::connection::ConnectionError;
use crate::measure::{StreamChecker, nanoseconds};
use crate::plan::{Dialect, LoopMode};
use crate::protocol::{ServerEvent, Stamp};
use crate::run::state::Phase;

/// How often the members outside the latency sample are read.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// The maximum number of them that are read before the events of the others are handled.
const MAX_BATCH: usize = 32;

/// The members that are read in turn every [`BATCH_INTERVAL`], instead of when something arrives.
#[derive(Default)]
pub(super) struct Batch {
    /// Indices of members.
    members: Vec<usize>,
    /// The index into `members` of the next one.
    next: usize,
    /// When the current turn began.
    started_at: u64,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// What reading a connection has changed.
#[derive(Default)]
struct ReadOutcome {
    connected: bool,
    /// The number of the room's newest message, once the member has joined.
    joined: Option<u64>,
    /// Messages of this member that arrived back at it.
    echoed: usize,
}

impl Worker<'_> {
    /// Stops read events of the members that stall, and of those that are read in batches.
    pub(super) fn stop_read_events(&mut self) -> io::Result<()> {
        for (i, member) in self.members.iter_mut().enumerate() {
            let is_stalled = self.plan.is_stalled(member.participant);
            let is_batched = self.plan.is_batched(member.participant);
            if let Some(connection) = member.connection.as_mut().filter(|_| is_stalled || is_batched) {
                self.poll.registry().deregister(connection.source())?;
                if is_batched {
                    self.batch.members.push(i);
                }
            }
        }
        Ok(())
    }

    /// Continues the current turn: reads as many members as the elapsed time requires, so that the
    /// reads spread over the interval.
    pub(super) fn read_batch(&mut self, buffer: &mut [u8]) {
        if self.batch.is_empty() {
            return;
        }
        let now = self.state.now();
        if self.batch.next == self.batch.members.len() {
            if now < self.batch.started_at + nanoseconds(BATCH_INTERVAL) {
                return;
            }
            (self.batch.next, self.batch.started_at) = (0, now);
        }
        let elapsed = now.saturating_sub(self.batch.started_at) as f64 / BATCH_INTERVAL.as_nanos() as f64;
        let count = self.batch.members.len();
        let until = ((elapsed * count as f64) as usize + 1).min(count);
        for _ in 0..MAX_BATCH.min(until.saturating_sub(self.batch.next)) {
            let i = self.batch.members[self.batch.next];
            self.batch.next += 1;
            self.read(i, buffer, false);
        }
    }

    pub(super) fn read(&mut self, i: usize, buffer: &mut [u8], to_the_end: bool) {
        loop {
            let mut outcome = ReadOutcome::default();
            let read = self.read_once(i, buffer, &mut outcome);
            self.apply(i, &outcome);
            match read {
                Ok(0) => return,
                Ok(count) => {
                    // a short read has emptied the socket, see epoll(7); the end of the stream is
                    // reported only once
                    if count < buffer.len() && !to_the_end {
                        return;
                    }
                }
                Err(error) => return self.end(i, &error),
            }
        }
    }

    fn read_once(
        &mut self,
        i: usize,
        buffer: &mut [u8],
        outcome: &mut ReadOutcome,
    ) -> Result<usize, ConnectionError> {
        let Self { plan, state, tally, members, .. } = self;
        let member = &mut members[i];
        let Some(connection) = &mut member.connection else { return Ok(0) };
        let mut now = 0;
        let mut replies = Vec::new();
        let count = connection.read(buffer, |frame| {
            let Some((opcode, payload)) = frame else {
                outcome.connected = plan.dialect == Dialect::Classic;
                outcome.joined = outcome.connected.then_some(0);
                if plan.dialect == Dialect::V2 {
                    replies.push((frame::TEXT, Dialect::hello(plan, member.participant).into_bytes()));
                }
                return;
            };
            match opcode {
                frame::TEXT => {}
                frame::PING => return replies.push((frame::PONG, payload.to_vec())),
                _ => return,
            }
            match plan.dialect.parse(payload) {
                ServerEvent::Message { seq, text } => {
                    let Some(stamp) = Stamp::read(text) else { return };
                    if now == 0 {
                        now = state.now();
                    }
                    if state.is_measured(now) {
                        tally.deliveries += 1;
                        // reading in batches adds latency of its own
                        if !plan.is_batched(member.participant) {
                            tally.record_latency(now.saturating_sub(stamp.due), now - state.measure_from());
                        }
                    }
                    member.checker.record(stamp, seq);
                    if usize::from(stamp.publisher) == member.participant.member {
                        outcome.echoed += 1;
                    }
                    state.delivered.fetch_add(1, Ordering::Relaxed);
                }
                ServerEvent::Welcome { messages_per_second } => {
                    outcome.connected = true;
                    tally.rate_limit = messages_per_second;
                }
                ServerEvent::Joined { seq } => outcome.joined = Some(seq),
                ServerEvent::Error(error) => *tally.errors.entry(error).or_default() += 1,
                ServerEvent::Bye(reason) => *tally.errors.entry(format!("bye {reason}")).or_default() += 1,
                ServerEvent::Other => {}
            }
        })?;
        if state.phase() == Phase::Publish && state.is_measured(if now == 0 { state.now() } else { now }) {
            tally.bytes += count as u64;
        }
        for (opcode, payload) in replies {
            frame::write_masked(connection.write_queue(), opcode, &payload);
        }
        if connection.queued_bytes() > 0 {
            connection.flush()?;
        }
        Ok(count)
    }

    /// Continues with what a read has made possible.
    fn apply(&mut self, i: usize, outcome: &ReadOutcome) {
        let member = &mut self.members[i];
        if outcome.connected && member.stage == Stage::Disconnected {
            member.stage = Stage::Connected;
            self.connecting.connected += 1;
            self.state.connected.fetch_add(1, Ordering::Release);
        }
        if let Some(seq) = outcome.joined
            && member.stage == Stage::Connected
        {
            member.stage = Stage::Joined;
            let seq = (self.plan.dialect == Dialect::V2).then_some(seq);
            member.checker = StreamChecker::new(self.plan.publishers, seq);
            self.tally.join_latency.record(self.state.now().saturating_sub(member.requested_at));
            self.state.joined.fetch_add(1, Ordering::Release);
            if self.state.phase() == Phase::Join {
                self.connecting.joined += 1;
                self.join_rooms();
            }
        }
        if outcome.echoed > 0 {
            let member = &mut self.members[i];
            member.in_flight = member.in_flight.saturating_sub(outcome.echoed);
            if self.state.is_measured(self.state.now()) {
                self.tally.echoed += outcome.echoed as u64;
            }
            if let LoopMode::Closed(in_flight) = self.plan.mode {
                self.fill_window(i, in_flight);
            }
        }
    }
}
