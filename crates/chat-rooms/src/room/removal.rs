//! Members leave a room, or are removed from it.

use std::sync::Arc;

use chat_access::{Action, Denied};
use chat_protocol::{LeftReason, Timestamp, UserId, Username};

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

    /// As [`remove_member`](Self::remove_member), if the member that has the name is this user.
    pub(crate) fn remove_user(&self, username: &Username, user: &UserId, reason: LeftReason) -> bool {
        self.has_user(username, user) && self.remove_member(username, reason)
    }

    /// Whether a user with this id is in the room under this name.
    pub(crate) fn has_user(&self, username: &Username, user: &UserId) -> bool {
        let core = self.lock();
        let sessions = core.state.holder(username).map(|id| core.state.sessions_of(id));
        sessions.is_some_and(|sessions| {
            let mut subscribers = sessions.iter().filter_map(|session| core.subscribers.get(session));
            subscribers.any(|subscriber| subscriber.recipient.actor.ids().any(|id| id == user))
        })
    }

    /// Removes all members that are in the room now, and returns how many they were.
    ///
    /// The members are removed in pieces. A session that joins meanwhile opens the room again, as
    /// one does that joins afterwards: it stays. If it is a session of a member that is about to be
    /// removed, that member stays with this session alone.
    pub(crate) fn remove_everyone(&self, reason: LeftReason) -> usize {
        self.remove_where(|_, _| Some(reason))
    }

    /// Removes the members whom the policy does not admit, in pieces. Whoever joins meanwhile was
    /// checked against the same policy.
    pub(crate) fn remove_denied(&self) {
        let now = Timestamp::now();
        self.remove_where(|core, session| {
            let actor = &core.subscribers.get(&session)?.recipient.actor;
            match core.policy.check(actor, Action::Join, now).err()? {
                Denied::Banned { .. } => Some(LeftReason::Banned),
                _ => Some(LeftReason::NotAllowed),
            }
        });
    }

    /// Removes the sessions that are in the room now and for which there is a reason, and returns
    /// of how many members they were.
    fn remove_where(&self, reason: impl Fn(&Core, SubscriptionId) -> Option<LeftReason>) -> usize {
        let Some((last_member, last_session)) = self.lock().state.newest() else { return 0 };
        let (mut after, mut count) = (None, 0);
        loop {
            let (ids, removed) = self.change(|core, effects| {
                let ids = core.state.ids(after, last_member, PIECE);
                steps::count(ids.len());
                let mut removed = Vec::with_capacity(ids.len());
                for id in &ids {
                    let sessions = core.state.sessions_of(*id).iter().filter(|id| **id <= last_session);
                    let meant: Vec<_> = sessions.filter_map(|id| Some((*id, reason(core, *id)?))).collect();
                    count += usize::from(!meant.is_empty());
                    for (session, reason) in meant {
                        removed.extend(self.remove_one(core, effects, session, reason));
                    }
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
