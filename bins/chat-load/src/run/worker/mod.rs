//! One thread with its share of the connections: an event loop.
//!
//! `connect` opens the connections and joins the rooms, `publish` sends, `read` receives.

mod connect;
mod member;
mod publish;
mod read;

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll, Token};

use self::connect::Connecting;
use self::member::{Member, Stage};
use self::read::Batch;
use super::LoadError;
use super::state::{Phase, RunState};
use super::totals::Totals;
use crate::connection::ConnectionError;
use crate::measure::Tally;
use crate::plan::{LoopMode, Plan};

/// The maximum length of one read.
const READ_BYTES: usize = 256 << 10;
/// The maximum time between two looks at the phase of the run, and at the members that are read in
/// batches.
const MAX_WAIT: Duration = Duration::from_millis(5);
const MAX_WAIT_BATCHED: Duration = Duration::from_millis(1);

pub(super) struct Worker<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    poll: Poll,
    members: Vec<Member>,
    /// The members that send, as indices into `members`.
    publishers: Vec<usize>,
    connecting: Connecting,
    /// Messages that all publishers of this thread have sent in an open loop.
    scheduled: u64,
    batch: Batch,
    tally: Tally,
}

impl<'a> Worker<'a> {
    pub(super) fn new(plan: &'a Plan, state: &'a RunState, thread: usize) -> io::Result<Self> {
        let members: Vec<_> = plan.participants_of(thread).map(Member::new).collect();
        let is_publisher = |i: &usize| plan.is_publisher(members[*i].participant);
        let publishers = (0..members.len()).filter(is_publisher).collect();
        Ok(Self {
            plan,
            state,
            poll: Poll::new()?,
            members,
            publishers,
            connecting: Connecting::default(),
            scheduled: 0,
            batch: Batch::default(),
            tally: Tally::new(),
        })
    }

    /// Runs until the run is finished.
    pub(super) fn run(mut self, totals: &Totals) -> Result<Tally, LoadError> {
        let mut events = Events::with_capacity(4_096);
        let mut buffer = vec![0; READ_BYTES];
        let mut is_publishing = false;
        let mut has_reported = false;
        let mut is_complete = false;
        loop {
            let phase = self.state.phase();
            match phase {
                Phase::Connect => self.open_connections()?,
                Phase::Join => self.join_rooms(),
                Phase::Settle => {}
                Phase::Publish => {
                    if !std::mem::replace(&mut is_publishing, true) {
                        self.stop_read_events()?;
                    }
                    self.publish_due();
                }
                Phase::Drain => {
                    if !std::mem::replace(&mut has_reported, true) {
                        self.report_totals(totals);
                    }
                    if !is_complete && totals.are_complete() && self.is_complete(totals) {
                        is_complete = true;
                        self.state.complete.fetch_add(1, Ordering::Release);
                    }
                }
                Phase::Finished => break,
            }
            self.wait(&mut events, phase)?;
            self.read_batch(&mut buffer);
            for event in &events {
                let Token(i) = event.token();
                if event.is_writable() {
                    self.write(i);
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    self.read(i, &mut buffer, event.is_read_closed());
                }
            }
        }
        for member in &self.members {
            let reads_all = member.stage == Stage::Joined && !self.plan.is_stalled(member.participant);
            self.tally.faults += if reads_all {
                member.checker.final_faults(totals.sent_in(member.participant.room))
            } else {
                member.checker.faults
            };
        }
        Ok(self.tally)
    }

    /// Waits for events, at most until the next message is due.
    fn wait(&mut self, events: &mut Events, phase: Phase) -> io::Result<()> {
        let wait = match (phase, self.plan.mode) {
            (Phase::Publish, LoopMode::Open(_)) => {
                let wait = self.next_due().saturating_sub(self.state.now());
                // waits are rounded up to a millisecond: the last one is spent polling
                if wait < 1_000_000 {
                    Duration::ZERO
                } else {
                    MAX_WAIT.min(Duration::from_nanos(wait - 1_000_000))
                }
            }
            _ => MAX_WAIT,
        };
        let wait = if self.batch.is_empty() { wait } else { wait.min(MAX_WAIT_BATCHED) };
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn write(&mut self, i: usize) {
        let Some(connection) = &mut self.members[i].connection else { return };
        if let Err(error) = connection.flush() {
            self.end(i, &error.into());
        }
    }

    /// Records the end of a connection, and lets others take its slot among the concurrent ones.
    fn end(&mut self, i: usize, error: &ConnectionError) {
        // every error except `Io` comes after the server has accepted the connection
        self.tally.has_connected |=
            self.members[i].stage != Stage::Disconnected || !matches!(error, ConnectionError::Io(_));
        let member = &mut self.members[i];
        if let Some(mut connection) = member.connection.take() {
            let _ = self.poll.registry().deregister(connection.source());
        }
        match std::mem::replace(&mut member.stage, Stage::Ended) {
            Stage::Ended => return,
            Stage::Disconnected => self.connecting.connected += 1,
            Stage::Connected if self.connecting.join_requests > i => self.connecting.joined += 1,
            Stage::Connected | Stage::Joined => {}
        }
        *self.tally.ended.entry(error.to_string()).or_default() += 1;
        self.state.ended.fetch_add(1, Ordering::Release);
    }

    fn report_totals(&self, totals: &Totals) {
        let publishers = self.publishers.iter().map(|&i| &self.members[i]);
        totals.report(publishers.map(|member| (member.participant, member.sent)));
    }

    /// Whether all members that read have received everything.
    fn is_complete(&self, totals: &Totals) -> bool {
        let reads =
            |member: &&Member| member.stage == Stage::Joined && !self.plan.is_stalled(member.participant);
        self.members
            .iter()
            .filter(reads)
            .all(|member| member.checker.is_complete(totals.sent_in(member.participant.room)))
    }
}
