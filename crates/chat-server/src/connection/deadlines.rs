//! When a connection has to be checked, and what is due then. Never reads the clock: callers pass
//! the time.

use tokio::time::{Duration, Instant};

use crate::config::Timings;
use crate::transport::wire::HeldBack;

/// How often a connection is checked while reading is paused, so that a hang-up does not go
/// unnoticed.
const HELD_LOOK: Duration = Duration::from_millis(250);

/// The deadlines of a connection.
#[derive(Debug)]
pub(super) struct Deadlines {
    next_ping: Instant,
    /// When a sign of life was requested because another client wants the name.
    probed: Option<Instant>,
    /// Set while reading is paused. Boxed because that is rare, and every connection has this
    /// field.
    held: Option<Box<Held>>,
    /// When the client was first seen to have hung up while reading was paused.
    hung_up: Option<Instant>,
    /// How much of the backlog the socket had taken, and when that last changed.
    drained: (u64, Instant),
}

/// A period in which nothing is read.
#[derive(Debug)]
struct Held {
    since: Instant,
    next_look: Instant,
    /// End of the rate limit's delay, if the rate limit paused reading during this period.
    limited_until: Option<Instant>,
    /// Whether that delay was still running at the last check.
    is_limited: bool,
}

impl Held {
    /// Until when the sender is responsible for the delay, because it exceeded the rate limit.
    /// After that the server is.
    fn sender_is_late_until(&self) -> Instant {
        self.limited_until.unwrap_or(self.since)
    }
}

/// State of the reading side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// When the last byte arrived.
    pub(super) last: Instant,
    /// When the current incomplete message began, if there is one.
    pub(super) incomplete_since: Option<Instant>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// No sign of life in time.
    Silent,
    /// A message was not complete in time.
    Incomplete,
    /// The time to process what arrived before a hang-up is over.
    HungUp,
}

impl Deadlines {
    pub(super) fn new(timings: &Timings, now: Instant) -> Self {
        Self { next_ping: now + timings.ping, probed: None, held: None, hung_up: None, drained: (0, now) }
    }

    /// When something may be due next.
    pub(super) fn next(&self, heard: Heard, timings: &Timings) -> Instant {
        if let Some(held) = &self.held {
            // deadlines that depend on received bytes are suspended
            let limited_until = held.limited_until.filter(|_| held.is_limited);
            let look = limited_until.map_or(held.next_look, |until| until.min(held.next_look));
            let message = heard.incomplete_since.map(|since| since + timings.message);
            let message = message.filter(|at| held.is_limited && *at <= held.sender_is_late_until());
            return message.into_iter().fold(self.next_ping.min(look), Instant::min);
        }
        let challenge = self.probed.map(|since| since + timings.probe);
        let message = heard.incomplete_since.map(|since| since + timings.message);
        let silence = heard.last + timings.silence;
        [challenge, message].into_iter().flatten().fold(self.next_ping.min(silence), Instant::min)
    }

    /// What is due now. Call it again until it returns [`Due::Nothing`].
    pub(super) fn due(&mut self, now: Instant, heard: Heard, timings: &Timings) -> Due {
        if self.hung_up.is_some_and(|at| now >= at + timings.hang_up) {
            return Due::HungUp;
        }
        if let Some(held) = &mut self.held {
            if now >= held.next_look {
                held.next_look = now + HELD_LOOK;
            }
            held.is_limited = held.limited_until.is_some_and(|until| now < until);
            // the deadline of a message keeps running while its sender is throttled; otherwise
            // throttling would keep the message alive forever
            let counted = now.min(held.sender_is_late_until());
            if heard.incomplete_since.is_some_and(|since| counted >= since + timings.message) {
                return Due::Incomplete;
            }
        } else {
            self.forget_answered(heard);
            let unanswered = self.probed.is_some_and(|since| now >= since + timings.probe);
            if unanswered || now >= heard.last + timings.silence {
                return Due::Silent;
            }
            if heard.incomplete_since.is_some_and(|since| now >= since + timings.message) {
                return Due::Incomplete;
            }
        }
        if now >= self.next_ping {
            self.next_ping = now + timings.ping;
            return Due::Ping;
        }
        Due::Nothing
    }

    /// Records that another client wants the name. Returns `true` if no earlier probe is
    /// unanswered, so that a ping has to be sent.
    pub(super) fn probe(&mut self, now: Instant, heard: Heard) -> bool {
        self.forget_answered(heard);
        let new = self.probed.is_none();
        self.probed.get_or_insert(now);
        new
    }

    /// Any byte answers a probe.
    fn forget_answered(&mut self, heard: Heard) {
        self.probed = self.probed.filter(|since| heard.last <= *since);
    }

    /// Pauses reading; `until` is set if the rate limit is the reason.
    pub(super) fn hold(&mut self, now: Instant, until: Option<Instant>) {
        let begun = || {
            Box::new(Held { since: now, next_look: now + HELD_LOOK, limited_until: None, is_limited: false })
        };
        let held = self.held.get_or_insert_with(begun);
        if until.is_some() {
            held.limited_until = until;
            held.is_limited = true;
        }
    }

    /// Resumes reading. Returns how long it was paused; the deadlines were suspended for that time.
    pub(super) fn release(&mut self, now: Instant) -> HeldBack {
        let Some(held) = self.held.take() else { return HeldBack::default() };
        if let Some(since) = &mut self.probed {
            // a probe that came during the pause counts only from the resumption
            *since += now - held.since.max(*since);
        }
        let by_server = now.saturating_duration_since(held.sender_is_late_until());
        HeldBack { total: now - held.since, by_server }
    }

    /// Whether the rate limit still forbids reading.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        let limited_until = self.held.as_ref().and_then(|held| held.limited_until);
        limited_until.is_some_and(|until| now < until)
    }

    /// Whether reading is paused.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Records that the client has hung up.
    pub(super) fn note_hang_up(&mut self, now: Instant) {
        self.hung_up.get_or_insert(now);
    }

    /// Records how much of the queued data the socket has taken in total. Returns `true` if it has
    /// taken nothing for too long.
    pub(super) fn is_stalled(
        &mut self,
        now: Instant,
        waiting: usize,
        drained: u64,
        timings: &Timings,
    ) -> bool {
        if waiting == 0 || drained != self.drained.0 {
            self.drained = (drained, now);
        }
        now >= self.drained.1 + timings.silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    struct Watched {
        clock: Deadlines,
        start: Instant,
        heard: Heard,
    }

    impl Watched {
        fn new() -> Self {
            let start = Instant::now();
            let heard = Heard { last: start, incomplete_since: None };
            Self { clock: Deadlines::new(&Timings::default(), start), start, heard }
        }

        /// Follows the alarms for a while, and returns what was due and when.
        fn run(&mut self, from: u64, to: u64) -> Vec<(u64, Due)> {
            let timings = Timings::default();
            let (mut now, mut seen) = (self.start + seconds(from), Vec::new());
            loop {
                match self.clock.due(now, self.heard, &timings) {
                    Due::Nothing => {}
                    due => {
                        seen.push(((now - self.start).as_secs(), due));
                        if due != Due::Ping {
                            return seen;
                        }
                        continue;
                    }
                }
                let next = self.clock.next(self.heard, &timings);
                assert!(next > now, "an alarm is in the future once nothing is due");
                now = next;
                if now > self.start + seconds(to) {
                    return seen;
                }
            }
        }
    }

    #[test]
    fn pings_come_and_silence_ends() {
        let mut watched = Watched::new();
        assert_eq!(watched.run(0, 100), [(20, Due::Ping), (40, Due::Ping), (50, Due::Silent)]);
    }

    #[test]
    fn a_byte_moves_the_silence() {
        let mut watched = Watched::new();
        watched.heard.last = watched.start + seconds(41);
        assert_eq!(watched.run(41, 200).last(), Some(&(91, Due::Silent)));
    }

    #[test]
    fn a_challenge_is_answered_by_any_byte_and_only_asked_once() {
        let mut watched = Watched::new();
        assert!(watched.clock.probe(watched.start + seconds(1), watched.heard));
        assert!(!watched.clock.probe(watched.start + seconds(9), watched.heard));
        assert_eq!(watched.run(1, 30), [(11, Due::Silent)]);

        let mut watched = Watched::new();
        watched.clock.probe(watched.start + seconds(1), watched.heard);
        watched.heard.last = watched.start + seconds(2);
        assert!(watched.clock.probe(watched.start + seconds(3), watched.heard), "the first one was answered");
        watched.heard.last = watched.start + seconds(4);
        assert_eq!(watched.run(4, 30), [(20, Due::Ping)]);
    }

    #[test]
    fn an_incomplete_message_has_a_deadline() {
        let mut watched = Watched::new();
        watched.heard.incomplete_since = Some(watched.start + seconds(5));
        assert_eq!(watched.run(5, 60), [(20, Due::Ping), (35, Due::Incomplete)]);
    }

    #[test]
    fn throttling_does_not_stop_the_deadline_of_a_message() {
        let mut watched = Watched::new();
        watched.heard.incomplete_since = Some(watched.start + seconds(5));
        // throttled for 20 s again and again, like a client that sends frames endlessly
        watched.clock.hold(watched.start + seconds(10), Some(watched.start + seconds(30)));
        assert_eq!(watched.run(10, 30), [(20, Due::Ping)]);
        let held = watched.clock.release(watched.start + seconds(30));
        assert_eq!(held, HeldBack { total: seconds(20), by_server: Duration::ZERO });
        watched.heard.last += held.total;
        watched.clock.hold(watched.start + seconds(30), Some(watched.start + seconds(50)));
        assert_eq!(watched.run(30, 60), [(35, Due::Incomplete)]);
    }

    #[test]
    fn a_message_that_the_server_is_late_to_read_has_its_full_time() {
        let mut watched = Watched::new();
        watched.heard.incomplete_since = Some(watched.start);
        // throttled for 10 s, and not read for another 90 s because its reader is behind
        watched.clock.hold(watched.start + seconds(1), Some(watched.start + seconds(11)));
        assert!(watched.run(1, 101).iter().all(|(_, due)| *due == Due::Ping));
        let held = watched.clock.release(watched.start + seconds(101));
        assert_eq!(held, HeldBack { total: seconds(100), by_server: seconds(90) });
        watched.heard.last += held.total;
        watched.heard.incomplete_since = Some(watched.start + held.by_server);
        assert_eq!(watched.run(101, 200).last(), Some(&(120, Due::Incomplete)));
    }

    #[test]
    fn while_reading_is_held_back_the_clocks_stand_still() {
        let mut watched = Watched::new();
        watched.clock.probe(watched.start, watched.heard);
        watched.clock.hold(watched.start + seconds(1), None);
        assert!(watched.run(1, 300).iter().all(|(_, due)| *due == Due::Ping));
        let held = watched.clock.release(watched.start + seconds(301));
        assert_eq!(held, HeldBack { total: seconds(300), by_server: seconds(300) });
        watched.heard.last += held.total;
        assert_eq!(watched.run(301, 400), [(310, Due::Silent)]);
    }

    #[test]
    fn a_challenge_that_comes_while_reading_is_held_back_waits_from_the_release_on() {
        let mut watched = Watched::new();
        watched.clock.hold(watched.start, None);
        watched.clock.probe(watched.start + seconds(39), watched.heard);
        watched.heard.last += watched.clock.release(watched.start + seconds(40)).total;
        assert_eq!(watched.run(40, 100).last(), Some(&(50, Due::Silent)));
        let mut watched = Watched::new();
        watched.clock.hold(watched.start, None);
        watched.clock.probe(watched.start + seconds(39), watched.heard);
        watched.clock.release(watched.start + seconds(40));
        watched.heard.last = watched.start + seconds(41);
        assert_eq!(watched.run(41, 200).last(), Some(&(91, Due::Silent)), "any byte after it is an answer");
    }

    #[test]
    fn a_hang_up_while_held_back_is_patient_for_a_while() {
        let mut watched = Watched::new();
        watched.clock.hold(watched.start, None);
        watched.clock.note_hang_up(watched.start + seconds(2));
        watched.clock.note_hang_up(watched.start + seconds(4));
        assert_eq!(watched.run(2, 60), [(7, Due::HungUp)]);
    }

    #[test]
    fn a_reader_that_takes_nothing_is_stalled() {
        let (mut watched, timings) = (Watched::new(), Timings::default());
        let at = |second| watched.start + seconds(second);
        assert!(!watched.clock.is_stalled(at(60), 0, 0, &timings));
        assert!(!watched.clock.is_stalled(at(100), 10, 0, &timings));
        assert!(!watched.clock.is_stalled(at(109), 10, 5, &timings));
        assert!(!watched.clock.is_stalled(at(158), 10, 5, &timings));
        assert!(watched.clock.is_stalled(at(159), 10, 5, &timings));
    }
}
