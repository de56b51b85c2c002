//! One thread with its share of the connections: an event loop that reads what is ready and sends what is due.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::LoadError;
use super::state::{Course, Phase, nanoseconds};
use super::totals::Totals;
use crate::connection::{Connection, Ended};
use crate::frame;
use crate::measure::{Checked, Tally};
use crate::plan::{Pace, Plan, Seat};
use crate::protocol::{Dialect, Heard, Stamp};

/// What one read takes at most.
const BUFFER: usize = 256 << 10;
/// How long the loop sleeps at most, to see what the others are at; and while somebody has to be read seldom.
const NAP: Duration = Duration::from_millis(5);
const SHORT_NAP: Duration = Duration::from_millis(1);
/// How often those are read who are read seldom, and how many of them between two looks at the others.
const SELDOM: Duration = Duration::from_millis(100);
const MOST_SELDOM: usize = 32;
/// A publisher with so much to write waits until the server reads: a bound, and what it does not send in time counts as late.
const MOST_UNSENT: usize = 256 << 10;

pub(super) struct Worker<'a> {
    plan: &'a Plan,
    course: &'a Course,
    poll: Poll,
    members: Vec<Member>,
    /// The members that speak, by their place among `members`.
    publishers: Vec<usize>,
    /// How many members were opened; the others are still to be.
    opened: usize,
    connected: usize,
    asked_to_join: usize,
    joined: usize,
    /// Messages sent in an open loop by all publishers of this thread.
    scheduled: u64,
    /// The members that are read seldom, each in its turn, and the turn of whom it is.
    seldom: Vec<usize>,
    next_seldom: usize,
    /// When the last turn began.
    seldom_from: u64,
    tally: Tally,
}

struct Member {
    seat: Seat,
    /// None before it is opened, and after it has ended.
    connection: Option<Connection>,
    stage: Stage,
    checked: Checked,
    /// Messages that it has sent, and that have not come back to it.
    sent: u32,
    in_flight: usize,
    /// When it asked to be in the room.
    asked: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not connected, or not let in by the server.
    Outside,
    /// Connected; in v2 a session.
    Connected,
    /// In the room.
    Joined,
    Ended,
}

/// What reading a connection has brought about.
#[derive(Default)]
struct News {
    connected: bool,
    joined: Option<u64>,
    came_back: usize,
}

impl<'a> Worker<'a> {
    pub(super) fn new(plan: &'a Plan, course: &'a Course, thread: usize) -> io::Result<Self> {
        let members: Vec<_> = plan
            .seats_of(thread)
            .map(|seat| Member {
                seat,
                connection: None,
                stage: Stage::Outside,
                checked: Checked::default(),
                sent: 0,
                in_flight: 0,
                asked: 0,
            })
            .collect();
        let speaks = |i: &usize| plan.speaks(members[*i].seat);
        let publishers = (0..members.len()).filter(speaks).collect();
        Ok(Self {
            plan,
            course,
            poll: Poll::new()?,
            members,
            publishers,
            opened: 0,
            connected: 0,
            asked_to_join: 0,
            joined: 0,
            scheduled: 0,
            seldom: Vec::new(),
            next_seldom: 0,
            seldom_from: 0,
            tally: Tally::new(),
        })
    }

    /// Runs until all is over. `totals` takes what each publisher has sent, by room and publisher.
    pub(super) fn run(mut self, totals: &Totals) -> Result<Tally, LoadError> {
        let mut events = Events::with_capacity(4_096);
        let mut buffer = vec![0; BUFFER];
        let mut listens_less = false;
        let mut is_told = false;
        let mut is_complete = false;
        loop {
            let phase = self.course.phase();
            match phase {
                Phase::Connect => self.open_more()?,
                Phase::Join => self.join_more(),
                Phase::Settle => {}
                Phase::Speak => {
                    if !std::mem::replace(&mut listens_less, true) {
                        self.listen_less()?;
                    }
                    self.speak();
                }
                Phase::Drain => {
                    if !std::mem::replace(&mut is_told, true) {
                        self.tell_totals(totals);
                    }
                    if !is_complete && totals.are_told() && self.has_all(totals) {
                        is_complete = true;
                        self.course.complete.fetch_add(1, Ordering::Release);
                    }
                }
                Phase::Over => break,
            }
            self.poll_once(&mut events, phase)?;
            self.read_some_seldom(&mut buffer);
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
            let is_judged = member.stage == Stage::Joined && !self.plan.is_deaf(member.seat);
            self.tally.faults += if is_judged {
                member.checked.at_the_end(totals.of(member.seat.room))
            } else {
                member.checked.faults
            };
        }
        Ok(self.tally)
    }

    fn poll_once(&mut self, events: &mut Events, phase: Phase) -> io::Result<()> {
        let nap = match (phase, self.plan.pace) {
            (Phase::Speak, Pace::Rate(_)) => {
                let wait = self.due().saturating_sub(self.course.now());
                // sleeps are rounded up to a millisecond; what is due earlier is waited for awake
                if wait < 1_000_000 {
                    Duration::ZERO
                } else {
                    NAP.min(Duration::from_nanos(wait - 1_000_000))
                }
            }
            _ => NAP,
        };
        let nap = if self.seldom.is_empty() { nap } else { nap.min(SHORT_NAP) };
        match self.poll.poll(events, Some(nap)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Opens connections, a bounded number at once.
    fn open_more(&mut self) -> Result<(), LoadError> {
        while self.opened < self.members.len() && self.opened - self.connected < self.plan.at_once {
            let member = &mut self.members[self.opened];
            let request = self.plan.dialect.handshake(self.plan, member.seat);
            member.asked = self.course.now();
            let opened =
                Connection::open(self.plan.server, self.plan.trust.as_ref(), request, self.plan.compression);
            let mut connection = opened.map_err(LoadError::Socket)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(connection.source(), Token(self.opened), interest)?;
            member.connection = Some(connection);
            self.opened += 1;
        }
        Ok(())
    }

    fn join_more(&mut self) {
        while self.asked_to_join < self.members.len() && self.asked_to_join - self.joined < self.plan.at_once
        {
            let i = self.asked_to_join;
            self.asked_to_join += 1;
            let member = &mut self.members[i];
            if member.stage == Stage::Connected
                && let Some(connection) = &mut member.connection
            {
                member.asked = self.course.now();
                let join = Dialect::join(self.plan, member.seat);
                frame::put_masked(connection.outgoing(), frame::TEXT, join.as_bytes());
                self.write(i);
            } else {
                // it ended, or was in from the beginning
                self.joined += 1;
            }
        }
    }

    /// Those who stop reading, and those who are read seldom, do not say any more when there is something to read.
    fn listen_less(&mut self) -> io::Result<()> {
        for (i, member) in self.members.iter_mut().enumerate() {
            let (is_deaf, is_seldom) = (self.plan.is_deaf(member.seat), self.plan.is_seldom(member.seat));
            if let Some(connection) = member.connection.as_mut().filter(|_| is_deaf || is_seldom) {
                self.poll.registry().deregister(connection.source())?;
                if !is_deaf {
                    self.seldom.push(i);
                }
            }
        }
        Ok(())
    }

    /// Goes on with the turn in which everybody is read who is read seldom: as many as the time that has passed asks for.
    fn read_some_seldom(&mut self, buffer: &mut [u8]) {
        if self.seldom.is_empty() {
            return;
        }
        let now = self.course.now();
        if self.next_seldom == self.seldom.len() {
            if now < self.seldom_from + nanoseconds(SELDOM) {
                return;
            }
            (self.next_seldom, self.seldom_from) = (0, now);
        }
        let passed = now.saturating_sub(self.seldom_from) as f64 / SELDOM.as_nanos() as f64;
        let until = ((passed * self.seldom.len() as f64) as usize + 1).min(self.seldom.len());
        // the others are not kept waiting for long
        for _ in 0..MOST_SELDOM.min(until.saturating_sub(self.next_seldom)) {
            let i = self.seldom[self.next_seldom];
            self.next_seldom += 1;
            self.read(i, buffer, false);
        }
    }

    /// When the next message of an open loop is due.
    fn due(&self) -> u64 {
        let Pace::Rate(rate) = self.plan.pace else { return u64::MAX };
        let all = self.plan.rooms * self.plan.publishers;
        if self.publishers.is_empty() || rate <= 0.0 {
            return u64::MAX;
        }
        let own_rate = rate * self.publishers.len() as f64 / all as f64;
        self.course.speak_from() + (self.scheduled as f64 * 1e9 / own_rate) as u64
    }

    /// Sends what is due.
    fn speak(&mut self) {
        let now = self.course.now();
        let until = self.course.count_until();
        match self.plan.pace {
            Pace::Rate(_) => loop {
                let due = self.due();
                if due > now || due >= until {
                    break;
                }
                let i = self.publishers
                    [usize::try_from(self.scheduled).unwrap_or_default() % self.publishers.len()];
                let unsent = self.members[i].connection.as_ref().map_or(0, Connection::unsent);
                if unsent > MOST_UNSENT {
                    break;
                }
                self.scheduled += 1;
                self.say(i, due, now);
                self.write(i);
            },
            Pace::InFlight(most) => {
                // the others go on by themselves, when something has come back to them
                if now < until {
                    for place in 0..self.publishers.len() {
                        let i = self.publishers[place];
                        if self.members[i].sent == 0 {
                            self.fill(i, most);
                        }
                    }
                }
            }
        }
    }

    /// Closed loop: sends until so many are in flight.
    fn fill(&mut self, i: usize, most: usize) {
        let now = self.course.now();
        if now >= self.course.count_until() {
            return;
        }
        while self.members[i].in_flight < most {
            self.say(i, now, now);
        }
        self.write(i);
    }

    /// Puts a message into what is to be written.
    fn say(&mut self, i: usize, due: u64, now: u64) {
        let member = &mut self.members[i];
        let Some(connection) = member.connection.as_mut().filter(|_| member.stage == Stage::Joined) else {
            // counted, so that the loop ends; it is among those that ended
            member.in_flight += 1;
            return;
        };
        let publisher = u16::try_from(member.seat.member).unwrap_or_default();
        let stamp = Stamp { due, publisher, count: member.sent };
        member.sent += 1;
        member.in_flight += 1;
        let mut text = Vec::with_capacity(self.plan.size + 128);
        self.plan.dialect.say(self.plan, member.seat, stamp, &mut text);
        frame::put_masked(connection.outgoing(), frame::TEXT, &text);
        self.course.sent.fetch_add(1, Ordering::Relaxed);
        if self.course.counts(now) {
            self.tally.sent += 1;
        }
    }

    fn write(&mut self, i: usize) {
        let Some(connection) = &mut self.members[i].connection else { return };
        if let Err(error) = connection.flush() {
            self.end(i, &error.into());
        }
    }

    fn read(&mut self, i: usize, buffer: &mut [u8], to_the_end: bool) {
        loop {
            let mut news = News::default();
            let outcome = self.read_once(i, buffer, &mut news);
            self.take(i, &news);
            match outcome {
                Ok(0) => return,
                Ok(count) => {
                    // a short read has taken everything, says epoll(7); the end of the stream is told once
                    if count < buffer.len() && !to_the_end {
                        return;
                    }
                }
                Err(ended) => return self.end(i, &ended),
            }
        }
    }

    fn read_once(&mut self, i: usize, buffer: &mut [u8], news: &mut News) -> Result<usize, Ended> {
        let Self { plan, course, tally, members, .. } = self;
        let member = &mut members[i];
        let Some(connection) = &mut member.connection else { return Ok(0) };
        let mut now = 0;
        let mut replies = Vec::new();
        let count = connection.read(buffer, |frame| {
            let Some((opcode, payload)) = frame else {
                news.connected = plan.dialect == Dialect::Classic;
                news.joined = news.connected.then_some(0);
                if plan.dialect == Dialect::V2 {
                    replies.push((frame::TEXT, Dialect::hello(plan, member.seat).into_bytes()));
                }
                return;
            };
            match opcode {
                frame::TEXT => {}
                frame::PING => return replies.push((frame::PONG, payload.to_vec())),
                _ => return,
            }
            match plan.dialect.hear(payload) {
                Heard::Message { seq, text } => {
                    let Some(stamp) = Stamp::read(text) else { return };
                    if now == 0 {
                        now = course.now();
                    }
                    if course.counts(now) {
                        tally.deliveries += 1;
                        // one who is read seldom is late by itself
                        if !plan.is_seldom(member.seat) {
                            tally.time(now.saturating_sub(stamp.due), now - course.count_from());
                        }
                    }
                    member.checked.hear(stamp, seq);
                    if usize::from(stamp.publisher) == member.seat.member {
                        news.came_back += 1;
                    }
                    course.delivered.fetch_add(1, Ordering::Relaxed);
                }
                Heard::Welcome { messages_per_second } => {
                    news.connected = true;
                    tally.paced_to = messages_per_second;
                }
                Heard::Joined { seq } => news.joined = Some(seq),
                Heard::Error(error) => *tally.errors.entry(error).or_default() += 1,
                Heard::Bye(reason) => *tally.errors.entry(format!("bye {reason}")).or_default() += 1,
                Heard::Other => {}
            }
        })?;
        if course.phase() == Phase::Speak && course.counts(if now == 0 { course.now() } else { now }) {
            tally.bytes += count as u64;
        }
        for (opcode, payload) in replies {
            frame::put_masked(connection.outgoing(), opcode, &payload);
        }
        if connection.unsent() > 0 {
            connection.flush()?;
        }
        Ok(count)
    }

    /// Goes on where something has changed.
    fn take(&mut self, i: usize, news: &News) {
        let member = &mut self.members[i];
        if news.connected && member.stage == Stage::Outside {
            member.stage = Stage::Connected;
            self.connected += 1;
            self.course.connected.fetch_add(1, Ordering::Release);
        }
        if let Some(seq) = news.joined
            && member.stage == Stage::Connected
        {
            member.stage = Stage::Joined;
            let seq = (self.plan.dialect == Dialect::V2).then_some(seq);
            member.checked = Checked::new(self.plan.publishers, seq);
            self.tally.joins.record(self.course.now().saturating_sub(member.asked));
            self.course.joined.fetch_add(1, Ordering::Release);
            if self.course.phase() == Phase::Join {
                self.joined += 1;
                self.join_more();
            }
        }
        if news.came_back > 0 {
            let member = &mut self.members[i];
            member.in_flight = member.in_flight.saturating_sub(news.came_back);
            if self.course.counts(self.course.now()) {
                self.tally.came_back += news.came_back as u64;
            }
            if let Pace::InFlight(most) = self.plan.pace {
                self.fill(i, most);
            }
        }
    }

    fn end(&mut self, i: usize, why: &Ended) {
        // all other ends are after the server has accepted the connection
        self.tally.has_connected |=
            self.members[i].stage != Stage::Outside || !matches!(why, Ended::Broken(_));
        let member = &mut self.members[i];
        if let Some(mut connection) = member.connection.take() {
            let _ = self.poll.registry().deregister(connection.source());
        }
        match std::mem::replace(&mut member.stage, Stage::Ended) {
            Stage::Ended => return,
            // others wait behind it
            Stage::Outside => self.connected += 1,
            Stage::Connected if self.asked_to_join > i => self.joined += 1,
            Stage::Connected | Stage::Joined => {}
        }
        *self.tally.ended.entry(why.to_string()).or_default() += 1;
        self.course.ended.fetch_add(1, Ordering::Release);
    }

    fn tell_totals(&self, totals: &Totals) {
        totals.tell(self.publishers.iter().map(|&i| (self.members[i].seat, self.members[i].sent)));
    }

    fn has_all(&self, totals: &Totals) -> bool {
        let listens = |member: &&Member| member.stage == Stage::Joined && !self.plan.is_deaf(member.seat);
        self.members.iter().filter(listens).all(|member| member.checked.has_all(totals.of(member.seat.room)))
    }
}
