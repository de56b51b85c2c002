//! What a user may not write, and how often: a filter of words and links, limits for new users, and
//! the same text again and again.

mod counts;
mod filter;

use std::sync::Arc;
use std::time::Duration;

use chat_access::Denied;
use chat_protocol::{Timestamp, UserId, UserKind};

pub use filter::{Filter, FilterError};

use crate::metrics::{self, RefusedText};
use counts::{Counts, text_key};

/// The window in which messages of new users and repeated texts are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Shorter texts are not counted: many users write "hello" at the same time.
const MIN_REPEATED_CHARS: usize = 12;

/// How many times as often all guests together may write the same text.
const GUESTS_TOGETHER: u32 = 4;

/// Limits on what users write. The default limits nothing.
#[derive(Debug, Clone, Default)]
pub struct AbuseLimits {
    /// Words and links that are not allowed.
    pub filter: Option<Arc<Filter>>,
    /// Limits for new users.
    pub new_users: Option<NewUserLimits>,
    /// How often a user may write the same text within a minute, in all rooms together. All guests
    /// together may write it four times as often. `None`: as often as they like.
    pub repeats: Option<u32>,
}

impl AbuseLimits {
    /// Whether nothing is limited.
    pub(crate) fn is_off(&self) -> bool {
        let Self { filter, new_users, repeats } = self;
        filter.is_none() && new_users.is_none() && repeats.is_none()
    }
}

/// Limits for guests, and for users whose account is new: no links, and a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewUserLimits {
    /// For how long an account is new.
    pub age: Duration,
    /// How many messages a new user may send within a minute, in all rooms together.
    pub messages_per_minute: u32,
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer<'u> {
    pub(crate) id: &'u UserId,
    pub(crate) kind: UserKind,
    /// When the account was created; `None` for guests.
    pub(crate) since: Option<Timestamp>,
}

/// What users have written lately.
#[derive(Debug, Default)]
pub(crate) struct Abuse {
    /// The messages of new users.
    messages: Counts<UserId>,
    /// How often a user has written a text.
    repeats: Counts<(UserId, u64)>,
    /// How often guests have written a text.
    of_guests: Counts<u64>,
}

impl Abuse {
    /// Whether a user may write this, as a new message or (`is_edit`) as the text of one. Counts a
    /// new message.
    pub(crate) fn check(
        &self,
        limits: &AbuseLimits,
        writer: Writer<'_>,
        body: &str,
        is_edit: bool,
    ) -> Option<Denied> {
        let (reason, denied) = self.reason(limits, writer, body, is_edit)?;
        metrics::message_refused(reason);
        Some(denied)
    }

    fn reason(
        &self,
        limits: &AbuseLimits,
        writer: Writer<'_>,
        body: &str,
        is_edit: bool,
    ) -> Option<(RefusedText, Denied)> {
        if limits.filter.as_ref().is_some_and(|filter| !filter.allows(body)) {
            return Some((RefusedText::Filter, Denied::Filtered));
        }
        let new = limits.new_users.filter(|limits| writer.is_new(limits.age));
        if new.is_some() && !chat_markdown::targets(body).is_empty() {
            return Some((RefusedText::NewUserLink, Denied::LinkOfNewUser));
        }
        if is_edit {
            return None;
        }
        if let Some(limits) = new
            && let Err(retry_after) = self.messages.count(writer.id.clone(), limits.messages_per_minute)
        {
            return Some((RefusedText::NewUserRate, Denied::TooFast { retry_after }));
        }
        let max = limits.repeats?;
        let text = text_key(body, MIN_REPEATED_CHARS)?;
        let of_user = self.repeats.count((writer.id.clone(), text), max);
        let counted = of_user.and_then(|()| match writer.kind {
            UserKind::Guest => self.of_guests.count(text, max.saturating_mul(GUESTS_TOGETHER)),
            _ => Ok(()),
        });
        let retry_after = counted.err()?;
        Some((RefusedText::Repeated, Denied::TooFast { retry_after }))
    }
}

impl Writer<'_> {
    /// Whether it is a guest, or its account is younger than this. Programs are not new.
    fn is_new(self, age: Duration) -> bool {
        match self.kind {
            UserKind::Guest => true,
            UserKind::Account => self.since.is_some_and(|since| Timestamp::now() < since.saturating_add(age)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    fn guest(id: &UserId) -> Writer<'_> {
        Writer { id, kind: UserKind::Guest, since: None }
    }

    #[test]
    fn new_users_post_no_links_and_few_messages() {
        let new_users = Some(NewUserLimits { age: Duration::from_secs(3_600), messages_per_minute: 2 });
        let limits = AbuseLimits { new_users, ..AbuseLimits::default() };
        let abuse = Abuse::default();
        let (ana, bob, gus) = (user("u_ana"), user("u_bob"), user("g_gus"));
        let now = Timestamp::now();
        let old = Timestamp::from_millis(now.as_millis() - 3_600_000);
        let account = |id, since| Writer { id, kind: UserKind::Account, since: Some(since) };
        let link = "see https://spam.example";
        for writer in [account(&ana, now), guest(&gus)] {
            assert_eq!(abuse.check(&limits, writer, link, false), Some(Denied::LinkOfNewUser));
            assert_eq!(abuse.check(&limits, writer, link, true), Some(Denied::LinkOfNewUser));
            for _ in 0..2 {
                assert_eq!(abuse.check(&limits, writer, "hello", false), None);
            }
            let denied = abuse.check(&limits, writer, "hello", false);
            assert!(matches!(denied, Some(Denied::TooFast { .. })), "{denied:?}");
            assert_eq!(abuse.check(&limits, writer, "hello", true), None, "edits are not counted");
        }
        let service = Writer { id: &bob, kind: UserKind::Service, since: None };
        for _ in 0..5 {
            assert_eq!(abuse.check(&limits, account(&bob, old), link, false), None);
            assert_eq!(abuse.check(&limits, service, link, false), None);
        }
    }

    #[test]
    fn the_same_text_is_written_a_few_times() {
        let limits = AbuseLimits { repeats: Some(2), ..AbuseLimits::default() };
        let abuse = Abuse::default();
        let text = |n: usize| format!("Buy  THIS thing now{}", " ".repeat(n));
        let ana = user("u_ana");
        let account = Writer { id: &ana, kind: UserKind::Account, since: None };
        for n in 0..2 {
            assert_eq!(abuse.check(&limits, account, &text(n), false), None);
        }
        let denied = abuse.check(&limits, account, "buy this thing NOW", false);
        assert!(matches!(denied, Some(Denied::TooFast { .. })), "{denied:?}");
        assert_eq!(abuse.check(&limits, account, "another text", false), None);
        for _ in 0..9 {
            assert_eq!(abuse.check(&limits, account, "hello", false), None, "it is short");
        }
        // guests one after another
        let refused = (0..10).filter(|n| {
            let id = user(&format!("g_{n}"));
            abuse.check(&limits, guest(&id), &text(1), false).is_some()
        });
        assert_eq!(refused.count(), 2);
    }
}
