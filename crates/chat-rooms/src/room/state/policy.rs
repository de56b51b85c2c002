//! The policy of a room, and the messages in flight that were checked against an earlier version.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_access::{Action, Actor, Denied, RoomPolicy, Rules, check};
use chat_history::Permission;
use chat_protocol::{RoomSettings, Standing, Timestamp, UserId};

/// The result of a check, and against which version of the policy it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    version: u64,
    denied: Option<Denied>,
    /// Whether the user may delete the messages of others.
    moderates: bool,
}

/// What a member sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// A message, which slow mode delays.
    Message,
    /// A change of a message.
    Change,
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

    /// The permission to delete the messages of others, for the store, if that is recorded.
    pub(crate) fn moderation(self, is_recorded: bool) -> Permission {
        Permission::new(self.version, self.moderates && is_recorded)
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
    /// When users have posted in slow mode.
    posts: HashMap<UserId, Timestamp>,
    /// How many of them are kept before those are removed that do not matter any more.
    max_posts: usize,
}

/// The smallest value of `max_posts`.
const MIN_POSTS: usize = 64;

impl CurrentPolicy {
    pub(crate) fn settings(&self) -> &Arc<RoomSettings> {
        self.policy.settings()
    }

    /// The policy itself.
    pub(crate) fn policy(&self) -> &RoomPolicy {
        &self.policy
    }

    /// Sets the policy of a room that was just read. It may have version 0.
    pub(crate) fn set(&mut self, policy: RoomPolicy) {
        self.policy = policy;
    }

    /// Whether the room does not know the policy before this version: another node has changed it.
    pub(crate) fn misses_before(&self, version: u64) -> bool {
        version > self.policy.version() + 1
    }

    /// Replaces the policy, unless this one is not newer. Returns whether it did.
    pub(crate) fn replace(&mut self, policy: RoomPolicy) -> bool {
        let is_newer = policy.version() > self.policy.version();
        if is_newer {
            self.policy = policy;
            self.outdated = self.in_flight - self.returned;
        }
        is_newer
    }

    /// Who is banned or muted on the whole server has changed, which raises no version.
    pub(crate) fn set_server_rules(&mut self, rules: Arc<Rules>) {
        self.policy = self.policy.clone().server_rules(rules);
    }

    /// Whether messages are in flight.
    pub(crate) fn has_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// What a user is in the room, and whether it may post.
    pub(crate) fn standing(&self, actor: &Actor, now: Timestamp) -> Standing {
        self.policy.standing(actor, now)
    }

    /// Whether a user may do something.
    pub(crate) fn check(&self, actor: &Actor, action: Action, now: Timestamp) -> Result<(), Denied> {
        check(actor, action, &self.policy, now)
    }

    /// Whether messages are accepted now.
    pub(crate) fn is_open(&self) -> bool {
        self.outdated == 0 && self.returned == 0
    }

    /// Checks something that is accepted now.
    pub(crate) fn accept(
        &mut self,
        actor: &Actor,
        (sent, denied): (Sent, Option<Denied>),
        now: Timestamp,
    ) -> Checked {
        self.in_flight += 1;
        let mut checked = self.check_post(actor, now);
        checked.denied = checked.denied.or(denied);
        if sent == Sent::Message && checked.denied.is_none() {
            checked.denied = self.slow_down(actor, now);
        }
        checked
    }

    /// Checks a message against the newest version.
    fn check_post(&self, actor: &Actor, now: Timestamp) -> Checked {
        let denied = self.check(actor, Action::Post, now).err();
        // most users have no such rank, which is all that has to be known of them
        let has_rank = self.policy.rank(actor) >= Action::DeleteOthers.needs(self.settings());
        let moderates = has_rank && self.check(actor, Action::DeleteOthers, now).is_ok();
        Checked { version: self.policy.version(), denied, moderates }
    }

    /// Checks a message again, against the newest version. What does not depend on the policy stays
    /// so: one that came too early, or that the program does not allow.
    pub(crate) fn check_again(&self, before: Checked, actor: &Actor, now: Timestamp) -> Checked {
        let mut checked = self.check_post(actor, now);
        if let Some(
            Denied::SlowMode { .. } | Denied::Filtered | Denied::LinkOfNewUser | Denied::TooFast { .. },
        ) = before.denied
        {
            checked.denied = checked.denied.or(before.denied);
        }
        checked
    }

    /// Notes a message, or returns why it comes too early.
    fn slow_down(&mut self, actor: &Actor, now: Timestamp) -> Option<Denied> {
        let pause = Duration::from_secs(self.settings().slow_mode_s.into());
        if pause.is_zero() || self.check(actor, Action::SkipSlowMode, now).is_ok() {
            return None;
        }
        let last = actor.ids().filter_map(|id| self.posts.get(id)).max().copied();
        let next = last.map(|last| last.saturating_add(pause)).filter(|next| now < *next);
        if let Some(next) = next {
            let millis = u64::try_from(next.as_millis() - now.as_millis()).unwrap_or_default();
            // a clock that was set back does not keep anybody waiting
            return Some(Denied::SlowMode { retry_after: Duration::from_millis(millis).min(pause) });
        }
        if self.posts.len() >= self.max_posts {
            self.posts.retain(|_, last| now < last.saturating_add(pause));
            self.max_posts = (2 * self.posts.len()).max(MIN_POSTS);
        }
        let id = actor.ids().next().cloned();
        self.posts.extend(id.map(|id| (id, now)));
        None
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
    use chat_protocol::{Identity, MayPost, RoomRole};

    use super::*;

    fn guest() -> Actor {
        Actor::from(&Identity::one_time_guest(1, "gus".parse().unwrap()))
    }

    fn policy(version: u64, post: MayPost) -> RoomPolicy {
        RoomPolicy::new(version, RoomSettings::default().post(post))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn messages_are_accepted_once_those_before_were_appended_again() {
        let mut current = CurrentPolicy::default();
        let [first, second, third] = [0; 3].map(|_| current.accept(&guest(), (Sent::Message, None), at(0)));
        assert_eq!(first.permission(), Permission::new(0, true));
        assert!(current.is_open());
        assert!(current.replace(policy(1, MayPost::Accounts)));
        assert!(!current.replace(policy(1, MayPost::Everyone)), "not newer");
        assert!(!current.is_open() && current.is_outdated(first));
        // the first one was stored before the change, the others come back
        current.settle(first);
        current.take_back();
        assert!(!current.all_are_back() && !current.is_open());
        // the policy changes once more
        assert!(current.replace(policy(5, MayPost::Moderators)));
        current.take_back();
        assert!(current.all_are_back() && !current.is_open());
        let again = current.check_again(second, &guest(), at(0));
        assert_eq!(
            (again.permission(), again.denied()),
            (Permission::new(5, false), Some(Denied::ModeratorsOnly))
        );
        current.appended_again();
        assert!(current.is_open() && !current.is_outdated(again) && current.is_outdated(third));
        assert_eq!(current.accept(&guest(), (Sent::Message, None), at(0)), again);
        for _ in [second, third, again] {
            current.settle(again);
        }
        assert_eq!(current.in_flight, 0);
    }

    #[test]
    fn slow_mode_delays_messages_of_users_without_a_role() {
        let mut rules = Rules::default();
        rules.add_role("u_mod".parse().unwrap(), RoomRole::Moderator);
        let mut current = CurrentPolicy::default();
        current.set(RoomPolicy::new(1, RoomSettings::default().slow_mode_s(10)).rules(rules));
        let account =
            |id: &str| Actor::from(&Identity::account(id.parse().unwrap(), "ana".parse().unwrap()).unwrap());
        let mut accept = |actor: &Actor, sent, now| current.accept(actor, sent, at(now)).denied();
        let slow = |millis| Some(Denied::SlowMode { retry_after: Duration::from_millis(millis) });
        assert_eq!(accept(&guest(), (Sent::Message, None), 1_000), None);
        assert_eq!(accept(&guest(), (Sent::Message, None), 1_001), slow(9_999));
        assert_eq!(accept(&guest(), (Sent::Change, None), 1_001), None);
        assert_eq!(accept(&account("u_1"), (Sent::Message, None), 1_001), None, "another user");
        assert_eq!(accept(&guest(), (Sent::Message, None), 10_999), slow(1));
        assert_eq!(accept(&guest(), (Sent::Message, None), 11_000), None, "refused ones do not count");
        assert_eq!(accept(&guest(), (Sent::Message, None), -900_000), slow(10_000), "the clock was set back");
        for now in [1, 2, 3] {
            assert_eq!(accept(&account("u_mod"), (Sent::Message, None), now), None);
        }
    }

    #[test]
    fn what_came_too_early_stays_so_when_it_is_checked_again() {
        let mut current = CurrentPolicy::default();
        current.set(RoomPolicy::new(1, RoomSettings::default().slow_mode_s(10)));
        let [allowed, early] = [0; 2].map(|_| current.accept(&guest(), (Sent::Message, None), at(0)));
        assert!(current.replace(policy(2, MayPost::Everyone)));
        assert_eq!(current.check_again(allowed, &guest(), at(1)).denied(), None);
        assert_eq!(current.check_again(early, &guest(), at(1)).denied(), early.denied());
        assert!(current.replace(policy(3, MayPost::Accounts)));
        let denied = current.check_again(early, &guest(), at(1)).denied();
        assert_eq!(denied, Some(Denied::PostNeedsAccount));
    }

    #[test]
    fn the_times_of_posts_do_not_pile_up() {
        let mut current = CurrentPolicy::default();
        current.set(RoomPolicy::new(1, RoomSettings::default().slow_mode_s(1)));
        for i in 0..10_000_i64 {
            let user = Identity::one_time_guest(u128::try_from(i).unwrap(), "gus".parse().unwrap());
            assert_eq!(
                current.accept(&Actor::from(&user), (Sent::Message, None), at(i * 100)).denied(),
                None
            );
        }
        assert!(current.posts.len() <= MIN_POSTS, "{}", current.posts.len());
    }
}
