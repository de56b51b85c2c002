//! When a connection has to be checked, and what is due then. Never reads the clock: callers pass
//! the time.

use tokio::time::{Duration, Instant};

use crate::config::Timings;
use crate::transport::wire::ReadPause;

/// How often a connection is checked while reading is paused, so that a hang-up does not go
/// unnoticed.
const PAUSE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The deadlines of a connection.
#[derive(Debug)]
pub(super) struct Deadlines {
    next_ping: Instant,
    /// When a sign of life was requested because another client wants the name.
    probed: Option<Instant>,
    /// Set while reading is paused. Boxed because that is rare, and every connection has this
    /// field.
    paused: Option<Box<Paused>>,
    /// When the client was first seen to have hung up while reading was paused.
    hung_up: Option<Instant>,
    /// How much of the backlog the socket had taken, and when that last changed.
    drained: (u64, Instant),
}

/// A period in which nothing is read.
#[derive(Debug)]
struct Paused {
    since: Instant,
    next_check: Instant,
    /// End of the rate limit's delay, if the rate limit paused reading during this period.
    limited_until: Option<Instant>,
    /// Whether that delay was still running at the last check.
    is_limited: bool,
}

impl Paused {
    /// Until when the sender is responsible for the delay, because it exceeded the rate limit.
    /// After that the server is.
    fn sender_late_until(&self) -> Instant {
        self.limited_until.unwrap_or(self.since)
    }
}

/// State of the reading side.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadStatus {
    /// When the last byte arrived.
    pub(super) last_byte: Instant,
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
        Self { next_ping: now + timings.ping, probed: None, paused: None, hung_up: None, drained: (0, now) }
    }

    /// When something may be due next.
    pub(super) fn next(&self, status: ReadStatus, timings: &Timings) -> Instant {
        if let Some(paused) = &self.paused {
            // deadlines that depend on received bytes are suspended, except that of a message while
            // its sender is throttled
            let limited_until = paused.limited_until.filter(|_| paused.is_limited);
            let check = limited_until.map_or(paused.next_check, |until| until.min(paused.next_check));
            let message = status.incomplete_since.map(|since| since + timings.message);
            let message = message.filter(|at| paused.is_limited && *at <= paused.sender_late_until());
            return message.into_iter().fold(self.next_ping.min(check), Instant::min);
        }
        let probe = self.probed.map(|since| since + timings.probe);
        let message = status.incomplete_since.map(|since| since + timings.message);
        let silence = status.last_byte + timings.silence;
        [probe, message].into_iter().flatten().fold(self.next_ping.min(silence), Instant::min)
    }

    /// What is due now. Call it again until it returns [`Due::Nothing`].
    pub(super) fn due(&mut self, now: Instant, status: ReadStatus, timings: &Timings) -> Due {
        if self.hung_up.is_some_and(|at| now >= at + timings.hang_up) {
            return Due::HungUp;
        }
        if let Some(paused) = &mut self.paused {
            if now >= paused.next_check {
                paused.next_check = now + PAUSE_CHECK_INTERVAL;
            }
            paused.is_limited = paused.limited_until.is_some_and(|until| now < until);
            // the deadline of a message keeps running while its sender is throttled; otherwise
            // throttling would keep the message alive forever
            let counted_until = now.min(paused.sender_late_until());
            if status.incomplete_since.is_some_and(|since| counted_until >= since + timings.message) {
                return Due::Incomplete;
            }
        } else {
            self.clear_answered_probe(status);
            let unanswered = self.probed.is_some_and(|since| now >= since + timings.probe);
            if unanswered || now >= status.last_byte + timings.silence {
                return Due::Silent;
            }
            if status.incomplete_since.is_some_and(|since| now >= since + timings.message) {
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
    pub(super) fn probe(&mut self, now: Instant, status: ReadStatus) -> bool {
        self.clear_answered_probe(status);
        let is_new = self.probed.is_none();
        self.probed.get_or_insert(now);
        is_new
    }

    /// Any byte answers a probe.
    fn clear_answered_probe(&mut self, status: ReadStatus) {
        self.probed = self.probed.filter(|since| status.last_byte <= *since);
    }

    /// Pauses reading; `until` is set if the rate limit is the reason.
    pub(super) fn pause(&mut self, now: Instant, until: Option<Instant>) {
        let new = || {
            Box::new(Paused {
                since: now,
                next_check: now + PAUSE_CHECK_INTERVAL,
                limited_until: None,
                is_limited: false,
            })
        };
        let paused = self.paused.get_or_insert_with(new);
        if until.is_some() {
            paused.limited_until = until;
            paused.is_limited = true;
        }
    }

    /// Resumes reading. Returns how long it was paused; the deadlines were suspended for that time.
    pub(super) fn resume(&mut self, now: Instant) -> ReadPause {
        let Some(paused) = self.paused.take() else { return ReadPause::default() };
        if let Some(since) = &mut self.probed {
            // a probe that came during the pause counts only from the resumption
            *since += now - paused.since.max(*since);
        }
        let by_server = now.saturating_duration_since(paused.sender_late_until());
        ReadPause { total: now - paused.since, by_server }
    }

    /// Whether the rate limit still forbids reading.
    pub(super) fn is_limited(&self, now: Instant) -> bool {
        let limited_until = self.paused.as_ref().and_then(|paused| paused.limited_until);
        limited_until.is_some_and(|until| now < until)
    }

    /// Whether reading is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.is_some()
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
        queued: usize,
        drained: u64,
        timings: &Timings,
    ) -> bool {
        if queued == 0 || drained != self.drained.0 {
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

    struct Timeline {
        deadlines: Deadlines,
        start: Instant,
        status: ReadStatus,
    }

    impl Timeline {
        fn new() -> Self {
            let start = Instant::now();
            let status = ReadStatus { last_byte: start, incomplete_since: None };
            Self { deadlines: Deadlines::new(&Timings::default(), start), start, status }
        }

        /// Follows the alarms for a while, and returns what was due and when.
        fn run(&mut self, from: u64, to: u64) -> Vec<(u64, Due)> {
            let timings = Timings::default();
            let (mut now, mut seen) = (self.start + seconds(from), Vec::new());
            loop {
                match self.deadlines.due(now, self.status, &timings) {
                    Due::Nothing => {}
                    due => {
                        seen.push(((now - self.start).as_secs(), due));
                        if due != Due::Ping {
                            return seen;
                        }
                        continue;
                    }
                }
                let next = self.deadlines.next(self.status, &timings);
                assert!(next > now, "the next alarm is in the future once nothing is due");
                now = next;
                if now > self.start + seconds(to) {
                    return seen;
                }
            }
        }
    }

    #[test]
    fn pings_are_sent_and_silence_ends_the_connection() {
        let mut timeline = Timeline::new();
        assert_eq!(timeline.run(0, 100), [(20, Due::Ping), (40, Due::Ping), (50, Due::Silent)]);
    }

    #[test]
    fn a_byte_extends_the_silence_timeout() {
        let mut timeline = Timeline::new();
        timeline.status.last_byte = timeline.start + seconds(41);
        assert_eq!(timeline.run(41, 200).last(), Some(&(91, Due::Silent)));
    }

    #[test]
    fn any_byte_answers_a_probe_and_only_one_is_sent_at_a_time() {
        let mut timeline = Timeline::new();
        assert!(timeline.deadlines.probe(timeline.start + seconds(1), timeline.status));
        assert!(!timeline.deadlines.probe(timeline.start + seconds(9), timeline.status));
        assert_eq!(timeline.run(1, 30), [(11, Due::Silent)]);

        let mut timeline = Timeline::new();
        timeline.deadlines.probe(timeline.start + seconds(1), timeline.status);
        timeline.status.last_byte = timeline.start + seconds(2);
        assert!(
            timeline.deadlines.probe(timeline.start + seconds(3), timeline.status),
            "the first one was answered"
        );
        timeline.status.last_byte = timeline.start + seconds(4);
        assert_eq!(timeline.run(4, 30), [(20, Due::Ping)]);
    }

    #[test]
    fn an_incomplete_message_has_a_deadline() {
        let mut timeline = Timeline::new();
        timeline.status.incomplete_since = Some(timeline.start + seconds(5));
        assert_eq!(timeline.run(5, 60), [(20, Due::Ping), (35, Due::Incomplete)]);
    }

    #[test]
    fn throttling_does_not_stop_the_deadline_of_a_message() {
        let mut timeline = Timeline::new();
        timeline.status.incomplete_since = Some(timeline.start + seconds(5));
        // throttled for 20 s again and again, like a client that sends frames endlessly
        timeline.deadlines.pause(timeline.start + seconds(10), Some(timeline.start + seconds(30)));
        assert_eq!(timeline.run(10, 30), [(20, Due::Ping)]);
        let paused = timeline.deadlines.resume(timeline.start + seconds(30));
        assert_eq!(paused, ReadPause { total: seconds(20), by_server: Duration::ZERO });
        timeline.status.last_byte += paused.total;
        timeline.deadlines.pause(timeline.start + seconds(30), Some(timeline.start + seconds(50)));
        assert_eq!(timeline.run(30, 60), [(35, Due::Incomplete)]);
    }

    #[test]
    fn a_message_that_the_server_reads_late_gets_its_full_time() {
        let mut timeline = Timeline::new();
        timeline.status.incomplete_since = Some(timeline.start);
        // throttled for 10 s, and not read for another 90 s because its reader is behind
        timeline.deadlines.pause(timeline.start + seconds(1), Some(timeline.start + seconds(11)));
        assert!(timeline.run(1, 101).iter().all(|(_, due)| *due == Due::Ping));
        let paused = timeline.deadlines.resume(timeline.start + seconds(101));
        assert_eq!(paused, ReadPause { total: seconds(100), by_server: seconds(90) });
        timeline.status.last_byte += paused.total;
        timeline.status.incomplete_since = Some(timeline.start + paused.by_server);
        assert_eq!(timeline.run(101, 200).last(), Some(&(120, Due::Incomplete)));
    }

    #[test]
    fn deadlines_are_suspended_while_reading_is_paused() {
        let mut timeline = Timeline::new();
        timeline.deadlines.probe(timeline.start, timeline.status);
        timeline.deadlines.pause(timeline.start + seconds(1), None);
        assert!(timeline.run(1, 300).iter().all(|(_, due)| *due == Due::Ping));
        let paused = timeline.deadlines.resume(timeline.start + seconds(301));
        assert_eq!(paused, ReadPause { total: seconds(300), by_server: seconds(300) });
        timeline.status.last_byte += paused.total;
        assert_eq!(timeline.run(301, 400), [(310, Due::Silent)]);
    }

    #[test]
    fn a_probe_during_a_pause_counts_from_the_resumption() {
        let mut timeline = Timeline::new();
        timeline.deadlines.pause(timeline.start, None);
        timeline.deadlines.probe(timeline.start + seconds(39), timeline.status);
        timeline.status.last_byte += timeline.deadlines.resume(timeline.start + seconds(40)).total;
        assert_eq!(timeline.run(40, 100).last(), Some(&(50, Due::Silent)));
        let mut timeline = Timeline::new();
        timeline.deadlines.pause(timeline.start, None);
        timeline.deadlines.probe(timeline.start + seconds(39), timeline.status);
        timeline.deadlines.resume(timeline.start + seconds(40));
        timeline.status.last_byte = timeline.start + seconds(41);
        assert_eq!(timeline.run(41, 200).last(), Some(&(91, Due::Silent)), "any later byte answers it");
    }

    #[test]
    fn after_a_hang_up_during_a_pause_the_connection_lasts_a_while() {
        let mut timeline = Timeline::new();
        timeline.deadlines.pause(timeline.start, None);
        timeline.deadlines.note_hang_up(timeline.start + seconds(2));
        timeline.deadlines.note_hang_up(timeline.start + seconds(4));
        assert_eq!(timeline.run(2, 60), [(7, Due::HungUp)]);
    }

    #[test]
    fn a_reader_that_reads_nothing_is_stalled() {
        let (mut timeline, timings) = (Timeline::new(), Timings::default());
        let at = |second| timeline.start + seconds(second);
        assert!(!timeline.deadlines.is_stalled(at(60), 0, 0, &timings));
        assert!(!timeline.deadlines.is_stalled(at(100), 10, 0, &timings));
        assert!(!timeline.deadlines.is_stalled(at(109), 10, 5, &timings));
        assert!(!timeline.deadlines.is_stalled(at(158), 10, 5, &timings));
        assert!(timeline.deadlines.is_stalled(at(159), 10, 5, &timings));
    }
}
