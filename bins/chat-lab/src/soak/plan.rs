//! The participants of a soak test, and its schedule.

use std::time::Duration;

use chat_protocol::{RoomName, Username};

/// The number of publishers among each room's members in `chat.v2`.
pub(super) const PUBLISHERS: usize = 2;

/// One in this many members in `chat.v2` connects through a relay that breaks connections.
pub(super) const FLAKY_INTERVAL: usize = 4;

/// The number of the first publisher in the classic dialect.
pub(super) const FIRST_CLASSIC_PUBLISHER: u16 = 1_000;

/// The participants, and the duration.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) rooms: usize,
    /// Members of each room in `chat.v2`.
    pub(crate) members: usize,
    /// Members of each room in the classic dialect. All of them send.
    pub(crate) classic: usize,
    /// Clients that stop reading, are disconnected and reconnect, in all rooms together.
    pub(crate) stalled_readers: usize,
    /// Clients that connect, join and leave, in all rooms together.
    pub(crate) guests: usize,
    /// Messages per second in `chat.v2`, in all rooms together.
    pub(crate) rate: f64,
    /// The length of a message's text, in bytes.
    pub(crate) size: usize,
    pub(crate) duration: Duration,
}

/// A step of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// SIGTERM, and a new start.
    Restart,
    /// SIGKILL, and a new start.
    Kill,
    /// The first measurement of the memory.
    MeasureFirst,
    /// The last measurement of the memory.
    MeasureLast,
}

/// The steps, and the share of the duration after which each happens. The server restarts before
/// the first measurement of its memory and after the last one, so that it runs as long as possible
/// between them. Of half an hour, the first measurement is after five minutes.
pub(super) const STEPS: [(f64, Step); 6] = [
    (1.0 / 30.0, Step::Restart),
    (2.0 / 30.0, Step::Kill),
    (5.0 / 30.0, Step::MeasureFirst),
    (28.0 / 30.0, Step::MeasureLast),
    (28.0 / 30.0, Step::Restart),
    (29.0 / 30.0, Step::Kill),
];

impl Plan {
    /// The interval between two messages of one publisher in `chat.v2`.
    pub(super) fn publish_interval(&self) -> Duration {
        Duration::from_secs_f64((self.rooms * PUBLISHERS) as f64 / self.rate)
    }

    /// The duration of a measurement of the memory.
    pub(super) fn measurement(&self) -> Duration {
        self.duration / 60
    }
}

pub(super) fn room(number: usize) -> RoomName {
    // letters, digits and a hyphen are a valid name
    RoomName::parse(&format!("soak-{number}")).unwrap_or_else(|_| unreachable!("the name is valid"))
}

pub(super) fn username(kind: &str, room: usize, number: usize) -> Username {
    Username::parse(&format!("{kind}-{room}-{number}")).unwrap_or_else(|_| unreachable!("the name is valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_in_order_and_within_the_duration() {
        assert!(STEPS.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert!(STEPS.iter().all(|(part, _)| (0.0..1.0).contains(part)));
    }
}
