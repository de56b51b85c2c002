//! Merges reactions: in a storm of them, everyone receives a few events a second.

use std::mem;

use chat_protocol::Reacted;

/// How many users may be in the events that wait for the end of the window. It bounds what one
/// window can collect.
const MAX_USERS: usize = 1_000;

/// The reactions since the last ones that were sent.
///
/// The first reaction is sent at once and opens a window. What follows is merged until the window
/// closes, or something else happens in the room, which must not overtake it.
#[derive(Debug, Default)]
pub(crate) struct ReactionWindow {
    is_open: bool,
    /// Consecutive events, each as many of them as one event can have.
    events: Vec<Reacted>,
    /// How many users are in them.
    users: usize,
}

impl ReactionWindow {
    /// Adds the event that follows all others. Returns whether it opens a window: then it is
    /// [due](Self::is_due).
    pub(crate) fn add(&mut self, event: Reacted) -> bool {
        self.users += event.users();
        let rest = match self.events.last_mut() {
            Some(last) => last.merge(event),
            None => Some(event),
        };
        self.events.extend(rest);
        let opens = !mem::replace(&mut self.is_open, true);
        if opens {
            // sent at once
            self.users = self.users.max(MAX_USERS);
        }
        opens
    }

    /// Whether the events have to be sent now.
    pub(crate) fn is_due(&self) -> bool {
        self.users >= MAX_USERS
    }

    /// Takes the events to send them.
    pub(crate) fn take(&mut self) -> Vec<Reacted> {
        self.users = 0;
        mem::take(&mut self.events)
    }

    /// The time of the window is over. Returns the events to send; if there are any, the window
    /// stays open for the same time again.
    pub(crate) fn close(&mut self) -> Vec<Reacted> {
        self.is_open = !self.events.is_empty();
        self.take()
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Emoji, Identity, ReactionChange, Reactor, RoomName, Username};

    use super::*;

    fn event(seq: u64, target: u64) -> Reacted {
        let username = Username::parse(&format!("p{seq}")).unwrap();
        let user = Identity::one_time_guest(seq.into(), username.clone()).id().clone();
        let (emoji, added) = (Emoji::parse("👍").unwrap(), vec![Reactor { username, user }]);
        let change = ReactionChange { emoji, count: seq, added, removed: vec![] };
        Reacted::new(RoomName::parse("r").unwrap(), seq, target, change)
    }

    fn ranges(events: &[Reacted]) -> Vec<(u64, u64, u64)> {
        events.iter().map(|event| (event.first_seq, event.seq, event.target)).collect()
    }

    #[test]
    fn the_first_is_sent_at_once_and_the_others_are_merged() {
        let mut window = ReactionWindow::default();
        assert!(window.add(event(1, 7)) && window.is_due());
        assert_eq!(ranges(&window.take()), [(1, 1, 7)]);
        for (seq, target) in [(2, 7), (3, 7), (4, 8), (5, 7)] {
            assert!(!window.add(event(seq, target)) && !window.is_due());
        }
        assert_eq!(ranges(&window.close()), [(2, 3, 7), (4, 4, 8), (5, 5, 7)]);
        assert!(!window.add(event(6, 7)) && !window.is_due(), "the window is still open");
        // something else happens in the room
        assert_eq!(ranges(&window.take()), [(6, 6, 7)]);
        assert_eq!(ranges(&window.close()), []);
        assert!(window.add(event(8, 7)) && window.is_due());
    }

    #[test]
    fn a_window_collects_a_limited_number_of_users() {
        let mut window = ReactionWindow::default();
        window.add(event(1, 7));
        window.take();
        let due = (2..).find(|seq| {
            window.add(event(*seq, 7));
            window.is_due()
        });
        assert_eq!(due, Some(MAX_USERS as u64 + 1));
        let events = window.take();
        assert_eq!(events.len(), MAX_USERS / Reacted::MAX_USERS);
        assert!(!window.is_due() && window.is_empty());
    }
}
