//! What a soak is to do, and when.

use std::time::Duration;

use chat_protocol::{RoomName, Username};

/// Of each room's members that speak `chat.v2`, so many publish.
pub(super) const PUBLISHERS: usize = 2;

/// Every so many-th member of `chat.v2` comes by a line that breaks.
pub(super) const ONE_IN_WITH_A_BAD_LINE: usize = 4;

/// The publishers of the classic dialect are numbered from here on.
pub(super) const CLASSIC: u16 = 1_000;

/// Who does what.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) rooms: usize,
    /// Of each room, in `chat.v2`.
    pub(crate) members: usize,
    /// Of each room, in the classic dialect; they all speak.
    pub(crate) classic: usize,
    /// Who stop reading, are put out and come back: in all.
    pub(crate) deaf: usize,
    /// Who come and go: in all.
    pub(crate) guests: usize,
    /// Messages a second of `chat.v2`, in all.
    pub(crate) rate: f64,
    /// Bytes of a message's text.
    pub(crate) size: usize,
    pub(crate) duration: Duration,
}

/// What happens to the server, or is looked at, and which part of the duration has passed by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// SIGTERM, and a new start.
    Restart,
    /// SIGKILL, and a new start.
    Kill,
    /// What it has in memory, before and after the long stretch.
    MeasureFirst,
    MeasureLast,
}

/// The server is made to start again before the first look at its memory and after the last one, so that between them it lives as long as
/// possible. Of half an hour the first look is at five minutes.
pub(super) const STEPS: [(f64, Step); 6] = [
    (1.0 / 30.0, Step::Restart),
    (2.0 / 30.0, Step::Kill),
    (5.0 / 30.0, Step::MeasureFirst),
    (28.0 / 30.0, Step::MeasureLast),
    (28.0 / 30.0, Step::Restart),
    (29.0 / 30.0, Step::Kill),
];

impl Plan {
    /// How much time lies between two messages of one publisher of `chat.v2`.
    pub(super) fn every(&self) -> Duration {
        Duration::from_secs_f64((self.rooms * PUBLISHERS) as f64 / self.rate)
    }

    /// For how long a look at the memory lasts.
    pub(super) fn look(&self) -> Duration {
        self.duration / 60
    }
}

/// A name of ours is one: letters, digits and a hyphen.
pub(super) fn room(number: usize) -> RoomName {
    RoomName::parse(&format!("soak-{number}")).unwrap_or_else(|_| unreachable!("it is a name"))
}

pub(super) fn username(kind: &str, room: usize, number: usize) -> Username {
    Username::parse(&format!("{kind}-{room}-{number}")).unwrap_or_else(|_| unreachable!("it is a name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_within_the_duration() {
        assert!(STEPS.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert!(STEPS.iter().all(|(part, _)| (0.0..1.0).contains(part)));
    }
}
