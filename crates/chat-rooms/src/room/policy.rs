//! The policy of a room changes: messages in flight are checked again, and members who may not stay
//! are removed.

use std::fmt;
use std::mem;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chat_access::{Action, Actor, Denied, RoomPolicy, Rules, Scope};
use chat_history::HistoryError;
use chat_protocol::{Event, RoomName, RoomSettings, Timestamp, UserId, Username};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::delivery::audience::{Audience, PresenceStyle, SubscriptionId};
use crate::room::core::Core;
use crate::room::publish::Sender;
use crate::room::publisher::PolicyChange;
use crate::room::state::effects::{Effect, Effects};
use crate::room::{Room, RoomContext};
use crate::sync::sleep;

/// How long to wait before the settings are read again after a failure.
const RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(2);

/// The maximum number of users who are notified of one change of the policy.
const MAX_CONCERNED: usize = 64;

/// What a room has heard of its policy from other nodes.
#[derive(Debug, Default)]
pub(crate) struct PolicyNews {
    /// The newest version.
    version: u64,
    /// Users whom the changes concern.
    concerned: Vec<(UserId, Username)>,
    /// Whether a task reads the policy.
    is_running: bool,
}

/// A message that the store has not stored because the policy has changed since it was checked.
pub(crate) trait Outdated: fmt::Debug + Send {
    /// Who has sent it, with the result of the check; `None` once it is settled.
    fn sender(&mut self) -> Option<&mut Sender>;

    /// Appends it again, with the new result of the check.
    fn append_again(self: Box<Self>);

    /// Settles it: it cannot be checked again.
    fn fail(self: Box<Self>, error: HistoryError);
}

impl RoomContext {
    /// Reads the policy of a room, which need not be open, from the stores.
    pub(crate) async fn read_policy(&self, room: &RoomName) -> Result<RoomPolicy, HistoryError> {
        let settings = self.history.settings(room.clone()).await?;
        // after the version: each act is stored before the version is raised for it
        let rules = self.read_rules(room).await?;
        let (version, settings) = (settings.version, shared(&DEFAULT_SETTINGS, settings.settings));
        let policy = RoomPolicy::new(version, settings).room(room).rules(rules);
        Ok(policy.server_rules(self.server_rules.get()))
    }

    async fn read_rules(&self, room: &RoomName) -> Result<Arc<Rules>, HistoryError> {
        let rules = self.access.rules(Scope::Room(room.clone())).await;
        rules.map(|rules| shared(&NO_RULES, Arc::new(rules))).map_err(HistoryError::other)
    }
}

/// Most rooms have neither settings nor rules of their own: they share these.
static DEFAULT_SETTINGS: LazyLock<Arc<RoomSettings>> = LazyLock::new(Arc::default);
static NO_RULES: LazyLock<Arc<Rules>> = LazyLock::new(Arc::default);

fn shared<T: PartialEq>(common: &Arc<T>, value: Arc<T>) -> Arc<T> {
    if value == *common { Arc::clone(common) } else { value }
}

/// Who is banned or muted on the whole server.
#[derive(Debug)]
pub(crate) struct ServerRules {
    rules: Mutex<Arc<Rules>>,
    /// One permit: for the act that changes them.
    pub(crate) turn: Semaphore,
}

impl ServerRules {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules: Mutex::new(Arc::new(rules)), turn: Semaphore::new(1) }
    }

    pub(crate) fn get(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock())
    }

    pub(crate) fn set(&self, rules: Rules) {
        *self.rules.lock() = Arc::new(rules);
    }
}

/// The rules of a room as they are after an act, and whom the act concerns.
#[derive(Debug)]
pub(crate) struct NewRules {
    pub(crate) rules: Arc<Rules>,
    pub(crate) user: UserId,
    pub(crate) username: Username,
}

impl Room {
    /// Whether a user may do something now.
    pub(crate) fn check(&self, actor: &Actor, action: Action) -> Result<(), Denied> {
        self.lock().policy.check(actor, action, Timestamp::now())
    }

    /// The policy as it is now.
    pub(crate) fn policy(&self) -> RoomPolicy {
        self.lock().policy.policy().clone()
    }

    /// The rules of the server have changed. Returns whether the room has to check again what was
    /// checked before: if messages are in flight, or the user whom the change concerns is there.
    pub(crate) fn take_server_rules(&self, user: &UserId, username: &Username) -> bool {
        let is_there = self.has_user(username, user);
        let mut core = self.lock();
        core.policy.set_server_rules(self.context.server_rules.get());
        is_there || core.policy.has_in_flight()
    }

    /// The user of a session, for the policy; `None` if the session has left.
    pub(crate) fn actor(&self, session: SubscriptionId) -> Option<Actor> {
        Some(self.lock().subscribers.get(&session)?.recipient.actor.clone())
    }

    /// Reads the policy from the stores.
    pub(crate) async fn read_policy(&self) -> Result<RoomPolicy, HistoryError> {
        self.context.read_policy(&self.name).await
    }

    /// Reads who has a role, and who is banned or muted.
    pub(crate) async fn read_rules(&self) -> Result<Arc<Rules>, HistoryError> {
        self.context.read_rules(&self.name).await
    }

    /// An act has changed the rules: they hold from now on, with this version of the policy.
    pub(crate) fn apply_rules(&self, core: &mut Core, effects: &mut Effects, version: u64, new: NewRules) {
        let NewRules { rules, user, username } = new;
        if core.policy.misses_before(version) {
            return effects.push(Effect::ReadPolicy(version));
        }
        let policy = core.policy.policy().ruled(version, rules);
        let policy = policy.server_rules(self.context.server_rules.get());
        if core.policy.replace(policy) {
            effects.push(Effect::CheckMembers);
            self.send_standing(core, effects, &user, &username);
        }
    }

    /// Another node has changed the policy, because of an act against a user.
    pub(crate) fn hear_policy(&self, change: PolicyChange) {
        self.read_policy_later(change.version, Some((change.user, change.username)));
    }

    /// Reads the policy, if it is older than this version, and notifies the user whom the change
    /// concerns. One task of the room does that.
    pub(crate) fn read_policy_later(&self, version: u64, concerned: Option<(UserId, Username)>) {
        let mut news = self.policy_news.lock();
        let news = news.get_or_insert_default();
        news.version = news.version.max(version);
        // who is left out finds out when it does something
        let has_space = news.concerned.len() < MAX_CONCERNED;
        news.concerned.extend(concerned.filter(|_| has_space));
        if mem::replace(&mut news.is_running, true) {
            return;
        }
        let room = self.this.clone();
        self.context.runtime.spawn(async move {
            while let Some(room) = room.upgrade() {
                if !room.read_policy_news().await {
                    return;
                }
            }
        });
    }

    /// Returns `false` if there is nothing more to do.
    async fn read_policy_news(&self) -> bool {
        let version = self.policy_news.lock().as_ref().map_or(0, |news| news.version);
        if self.policy().version() < version {
            self.refresh_policy().await;
            // read once: what the store does not have is not waited for
            if let Some(news) = self.policy_news.lock().as_mut().filter(|news| news.version == version) {
                news.version = 0;
            }
            return true;
        }
        let concerned = {
            let mut news = self.policy_news.lock();
            let concerned = news.as_mut().map(|news| mem::take(&mut news.concerned)).unwrap_or_default();
            if concerned.is_empty() {
                // the end of this task
                *news = None;
                return false;
            }
            concerned
        };
        for (user, username) in &concerned {
            self.change(|core, effects| self.send_standing(core, effects, user, username));
        }
        true
    }

    /// Sends a user what it may do now.
    fn send_standing(&self, core: &mut Core, effects: &mut Effects, user: &UserId, username: &Username) {
        let holder = core.state.holder(username);
        for session in holder.map(|member| core.state.sessions_of(member).to_vec()).unwrap_or_default() {
            let Some(subscriber) = core.subscribers.get(&session) else { continue };
            let recipient = &subscriber.recipient;
            if recipient.style == PresenceStyle::Changes && recipient.actor.ids().any(|id| id == user) {
                let standing = core.policy.standing(&recipient.actor, Timestamp::now());
                let event = Event::StandingChanged { room: self.name.clone(), standing };
                effects.push(Effect::Send(event, Audience::Only(session)));
            }
        }
    }

    /// Reads the settings, because the store has a newer version of the policy than the room. Tries
    /// until the store answers: no message can be checked before.
    pub(crate) async fn refresh_policy(&self) {
        let mut delay = RETRY;
        loop {
            match self.read_policy().await {
                Ok(policy) => {
                    let is_newer = {
                        let mut core = self.lock();
                        let policy = policy.server_rules(self.context.server_rules.get());
                        core.policy.replace(policy)
                    };
                    if is_newer {
                        self.remove_denied_later();
                    } else {
                        // a store that answers with an old version is asked again, but not at once
                        sleep(delay).await;
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(room = %self.name, %error, "the policy of a room could not be read");
                    sleep(delay).await;
                    delay = MAX_RETRY.min(delay * 2);
                }
            }
        }
    }

    /// Removes the members whom the policy does not admit any more, in a task of its own.
    pub(crate) fn remove_denied_later(&self) {
        if let Some(room) = self.this.upgrade() {
            self.context.runtime.spawn(async move { room.remove_denied() });
        }
    }

    /// Appends messages again that were checked again, in their order.
    pub(crate) fn append_again(&self, messages: Vec<Box<dyn Outdated>>) {
        if messages.is_empty() {
            return;
        }
        messages.into_iter().for_each(Outdated::append_again);
        let mut core = self.lock();
        core.policy.appended_again();
        let wakers = self.progress(&mut core);
        drop(core);
        self.wake(wakers);
    }
}

impl Core {
    /// Checks again all messages that the store has handed back, once there are no more to come.
    /// Returns them in their order, to be appended again.
    pub(crate) fn check_again(&mut self) -> Vec<Box<dyn Outdated>> {
        if !self.policy.all_are_back() {
            return Vec::new();
        }
        let mut returned = mem::take(&mut self.returned);
        let now = Timestamp::now();
        for sender in returned.iter_mut().filter_map(|message| message.sender()) {
            sender.checked = self.policy.check_again(sender.checked, sender.actor(), now);
        }
        returned
    }
}
