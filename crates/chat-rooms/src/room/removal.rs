//! Members leave a room, or are removed from it.

use std::sync::Arc;

use chat_protocol::{LeftReason, Username};

use crate::delivery::audience::{PresenceStyle, SubscriptionId};
use crate::delivery::subscriber::Subscriber;
use crate::room::core::{Core, LeaveNotice};
use crate::room::state::effects::Effects;
use crate::room::{PIECE, Room};
use crate::sync::steps;

impl Room {
    /// Removes a session, after its messages in flight. Returns `false` if it had left before.
    pub(crate) fn leave(
        &self,
        id: SubscriptionId,
        leave_notice: LeaveNotice,
        visibility: LeaveVisibility,
    ) -> bool {
        self.change(|core, effects| {
            if visibility == LeaveVisibility::Suppressed {
                let left = core.finish_leaving(id, LeaveNotice::Silent, effects);
                effects.suppress();
                return left;
            }
            // the operator's removal has sent it the reason, after its messages, and has removed it
            // already
            if core.removed.remove(&id) {
                return false;
            }
            core.leave(id, leave_notice, effects)
        })
    }

    /// Removes a member by name with all of its sessions, after their messages in flight, and sends
    /// them the reason. Returns `false` if no member has that name.
    pub(crate) fn remove_member(&self, username: &Username, reason: LeftReason) -> bool {
        let removed = self.change(|core, effects| {
            let id = core.state.holder(username)?;
            let sessions = core.state.sessions_of(id).to_vec();
            Some(self.remove_sessions(core, effects, sessions, reason))
        });
        // so that the connections learn of it at once, however much is queued for them
        removed.is_some_and(|subscribers| {
            subscribers.iter().for_each(|subscriber| subscriber.sink.probe());
            true
        })
    }

    /// Removes all members that are in the room now, and returns how many they were.
    ///
    /// The members are removed in pieces. A session that joins meanwhile opens the room again, as
    /// one does that joins afterwards: it stays. If it is a session of a member that is about to be
    /// removed, that member stays with this session alone.
    pub(crate) fn remove_everyone(&self, reason: LeftReason) -> usize {
        self.remove_where(reason, |_, _| true)
    }

    /// Removes the members whom the policy does not admit, in pieces. Whoever joins meanwhile was
    /// checked against the same policy.
    pub(crate) fn remove_denied(&self, reason: LeftReason) {
        self.remove_where(reason, |core, session| {
            let subscriber = core.subscribers.get(&session);
            subscriber.is_some_and(|subscriber| core.policy.check_join(subscriber.recipient.actor).is_err())
        });
    }

    /// Removes the sessions that are in the room now and for which `is_meant` is true, and returns
    /// of how many members they were.
    fn remove_where(&self, reason: LeftReason, is_meant: impl Fn(&Core, SubscriptionId) -> bool) -> usize {
        let Some((last_member, last_session)) = self.lock().state.newest() else { return 0 };
        let (mut after, mut count) = (None, 0);
        loop {
            let (ids, removed) = self.change(|core, effects| {
                let ids = core.state.ids(after, last_member, PIECE);
                steps::count(ids.len());
                let mut removed = Vec::with_capacity(ids.len());
                for id in &ids {
                    let mut sessions = core.state.sessions_of(*id).to_vec();
                    sessions.retain(|session| *session <= last_session && is_meant(core, *session));
                    count += usize::from(!sessions.is_empty());
                    removed.extend(self.remove_sessions(core, effects, sessions, reason));
                }
                (ids, removed)
            });
            removed.iter().for_each(|subscriber| subscriber.sink.probe());
            after = ids.last().copied();
            if ids.len() < PIECE {
                return count;
            }
        }
    }

    /// Removes sessions, and returns their subscribers.
    fn remove_sessions(
        &self,
        core: &mut Core,
        effects: &mut Effects,
        sessions: Vec<SubscriptionId>,
        reason: LeftReason,
    ) -> Vec<Arc<Subscriber>> {
        sessions.into_iter().filter_map(|session| self.remove_one(core, effects, session, reason)).collect()
    }

    fn remove_one(
        &self,
        core: &mut Core,
        effects: &mut Effects,
        id: SubscriptionId,
        reason: LeftReason,
    ) -> Option<Arc<Subscriber>> {
        let subscriber = core.subscribers.get(&id).cloned();
        if core.is_active(id) && core.removed.insert(id) {
            // sessions with lists receive no reasons
            let receives_reason = subscriber
                .as_ref()
                .is_some_and(|subscriber| subscriber.recipient.style == PresenceStyle::Changes);
            let leave_notice = if receives_reason {
                LeaveNotice::Send { reason, reference: None }
            } else {
                LeaveNotice::Silent
            };
            core.leave(id, leave_notice, effects);
        }
        subscriber
    }

    /// Whether an operator removed this session.
    pub(crate) fn has_removed(&self, id: SubscriptionId) -> bool {
        self.lock().removed.contains(&id)
    }

    /// Removes the members whose sinks are closed.
    pub(crate) fn remove_closed(&self, subscribers: &[Arc<Subscriber>]) {
        for subscriber in subscribers {
            self.change(|core, effects| {
                core.release(subscriber);
                // it may have left in the meantime, or have been reattached with another sink
                if core
                    .subscribers
                    .get(&subscriber.recipient.id)
                    .is_some_and(|current| Arc::ptr_eq(current, subscriber))
                {
                    core.leave(subscriber.recipient.id, LeaveNotice::Silent, effects);
                }
            });
        }
    }
}

/// Whether the other members are notified of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaveVisibility {
    Announced,
    Suppressed,
}
