//! The policy of a room, and the messages in flight that were checked against an earlier version.

use std::sync::Arc;

use chat_access::{Action, Actor, Denied, RoomPolicy, check};
use chat_history::{Permission, StoredSettings};
use chat_protocol::RoomSettings;

/// The result of a check, and against which version of the policy it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    version: u64,
    denied: Option<Denied>,
}

impl Checked {
    /// Why the policy does not allow it; `None` if it does.
    pub(crate) fn denied(self) -> Option<Denied> {
        self.denied
    }

    /// The result, for the store.
    pub(crate) fn permission(self) -> Permission {
        Permission::new(self.version, self.denied.is_none())
    }
}

/// The newest policy that the room knows.
///
/// When it is replaced, messages that were checked before are on their way to the store, which will
/// hand them back. No other message is accepted until all of them have come back and were appended
/// again, in their order: so a sender's messages keep their order, also if the policy changes once
/// more meanwhile.
#[derive(Debug, Default)]
pub(crate) struct CurrentPolicy {
    policy: RoomPolicy,
    /// The messages in flight.
    in_flight: usize,
    /// How many of them were checked against an earlier version, and have not come back.
    outdated: usize,
    /// How many have come back, and are not appended again.
    returned: usize,
}

impl CurrentPolicy {
    pub(crate) fn settings(&self) -> &Arc<RoomSettings> {
        self.policy.settings()
    }

    /// Replaces the policy, unless this one is not newer. Returns whether it did.
    pub(crate) fn replace(&mut self, stored: StoredSettings) -> bool {
        let is_newer = stored.version > self.policy.version();
        if is_newer {
            self.policy = RoomPolicy::new(stored.version, stored.settings);
            self.outdated = self.in_flight - self.returned;
        }
        is_newer
    }

    /// Whether a user may join, or stay.
    pub(crate) fn check_join(&self, actor: Actor) -> Result<(), Denied> {
        check(actor, Action::Join, &self.policy)
    }

    /// Whether messages are accepted now.
    pub(crate) fn is_open(&self) -> bool {
        self.outdated == 0 && self.returned == 0
    }

    /// Checks a message that is accepted now.
    pub(crate) fn accept(&mut self, actor: Actor) -> Checked {
        self.in_flight += 1;
        self.check_post(actor)
    }

    /// Checks a message against the newest version.
    pub(crate) fn check_post(&self, actor: Actor) -> Checked {
        let denied = check(actor, Action::Post, &self.policy).err();
        Checked { version: self.policy.version(), denied }
    }

    /// Whether a check was made against an earlier version.
    pub(crate) fn is_outdated(&self, checked: Checked) -> bool {
        checked.version < self.policy.version()
    }

    /// An outdated message has come back.
    pub(crate) fn take_back(&mut self) {
        self.outdated = self.outdated.saturating_sub(1);
        self.returned += 1;
    }

    /// Whether all outdated messages have come back, so that they can be appended again.
    pub(crate) fn all_are_back(&self) -> bool {
        self.outdated == 0 && self.returned > 0
    }

    /// All messages that had come back are appended again.
    pub(crate) fn appended_again(&mut self) {
        self.returned = 0;
    }

    /// A message is settled.
    pub(crate) fn settle(&mut self, checked: Checked) {
        self.in_flight -= 1;
        if self.is_outdated(checked) {
            self.outdated = self.outdated.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_protocol::{Identity, MayPost};

    use super::*;

    fn guest() -> Actor {
        Actor::from(&Identity::one_time_guest(1, "gus".parse().unwrap()))
    }

    fn stored(version: u64, post: MayPost) -> StoredSettings {
        StoredSettings::new(RoomSettings::default().post(post), version)
    }

    #[test]
    fn messages_are_accepted_once_those_before_were_appended_again() {
        let mut current = CurrentPolicy::default();
        let [first, second, third] = [0; 3].map(|_| current.accept(guest()));
        assert_eq!(first.permission(), Permission::new(0, true));
        assert!(current.is_open());
        assert!(current.replace(stored(1, MayPost::Accounts)));
        assert!(!current.replace(stored(1, MayPost::Everyone)), "not newer");
        assert!(!current.is_open() && current.is_outdated(first));
        // the first one was stored before the change, the others come back
        current.settle(first);
        current.take_back();
        assert!(!current.all_are_back() && !current.is_open());
        // the policy changes once more
        assert!(current.replace(stored(5, MayPost::Moderators)));
        current.take_back();
        assert!(current.all_are_back() && !current.is_open());
        let again = current.check_post(guest());
        assert_eq!(
            (again.permission(), again.denied()),
            (Permission::new(5, false), Some(Denied::ModeratorsOnly))
        );
        current.appended_again();
        assert!(current.is_open() && !current.is_outdated(again) && current.is_outdated(third));
        assert_eq!(current.accept(guest()), again);
        for _ in [second, third, again] {
            current.settle(again);
        }
        assert_eq!(current.in_flight, 0);
    }
}
