//! What moderators and owners do.

use std::sync::Arc;

use chat_access::{
    AccessError, AccessErrorKind, AccessStore, ActError, ActKind, Actor, AuditRecord, NewAct, Rank, Refused,
    Scope, Until, banned,
};
use chat_history::{AppendError, Durability, HistoryError, Page, Retention};
use chat_protocol::{LeftReason, Message, Moderation, RoomName, Timestamp, UserId, Username, Visibility};
use tokio::sync::oneshot;

use crate::Engine;
use crate::error::RegisterError;
use crate::member::pending_append::PendingAct;
use crate::registry::Registry;

impl Engine {
    /// The store of roles, bans, mutes, warnings and the audit log.
    pub fn access(&self) -> &Arc<dyn AccessStore> {
        &self.shared.context.access
    }

    /// Carries out an act in a room: a role, a ban, a mute, a kick or a warning. The room need not
    /// have members. Returns the record of the audit log, or `None` if nothing changes.
    ///
    /// A ban, a mute, a kick or a warning may also concern the whole server. Whoever is banned is
    /// removed from all rooms, and joins none; the program asks [`server_ban`](Self::server_ban) to
    /// keep it out altogether.
    ///
    /// The store checks whether the doer may do it, in the transaction that stores the act. When
    /// the future resolves, the act is in effect: whoever is banned or kicked is removed from the
    /// room, and no message of a muted user is stored after it. The sessions of the user whose role
    /// or mute has changed receive [`StandingChanged`](chat_protocol::Event::StandingChanged).
    ///
    /// A warning or an invitation is stored, and nothing else: it is for the program to show it to
    /// the user.
    ///
    /// Cancel-safe: an act that has begun is completed also if the future is dropped.
    ///
    /// # Errors
    /// [`ActError`] if the doer may not do it, if the room is a direct one, or if a store fails.
    /// After a failure the act may be stored and not in effect; it is safe to do it again.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, SendError, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// use chat_access::{ActKind, Doer, NewAct, Scope};
    /// use chat_protocol::Moderation;
    ///
    /// let lobby = "lobby".parse()?;
    /// let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let mute = ActKind::Moderate(Moderation::Mute, None);
    /// let act = NewAct::new(Scope::Room(lobby), Doer::Operator, mute, (&ana).into());
    /// assert!(engine.act(act).await?.is_some());
    /// assert!(matches!(member.send("hello").await, Err(SendError::Denied(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn act(&self, act: NewAct) -> Result<Option<AuditRecord>, ActError> {
        let Scope::Room(room) = act.scope.clone() else { return self.act_on_server(act).await };
        if room.is_address() {
            let policy = self.policy(&room).await.map_err(|error| unavailable(error.into()))?;
            if policy.settings().visibility == Visibility::Direct {
                return Err(Refused::DirectRoom.into());
            }
        }
        let (reply, outcome) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.context.runtime.spawn(async move {
            // if nobody waits any more, the act is done all the same
            let _ = reply.send(carry_out(&shared, &room, act).await);
        });
        outcome.await.unwrap_or_else(|error| Err(AccessError::new(AccessErrorKind::Closed, error).into()))
    }

    /// Whether a user is banned from the whole server now: until when, or `None` if it is not.
    pub fn server_ban(&self, actor: &Actor) -> Option<Until> {
        banned(&self.shared.context.server_rules.get(), actor, Timestamp::now())
    }

    async fn act_on_server(&self, act: NewAct) -> Result<Option<AuditRecord>, ActError> {
        let (reply, outcome) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.context.runtime.spawn(async move {
            // if nobody waits any more, the act is done all the same
            let _ = reply.send(carry_out_on_server(&shared, act).await);
        });
        outcome.await.unwrap_or_else(|error| Err(AccessError::new(AccessErrorKind::Closed, error).into()))
    }

    /// Returns a message of a room, as it is now; `None` if there is none with this number.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails.
    pub async fn message(&self, room: &RoomName, seq: u64) -> Result<Option<Arc<Message>>, HistoryError> {
        let context = &self.shared.context;
        let page = Page::After { seq: seq.saturating_sub(1), limit: 1 };
        let page = context.history.page(room.clone(), page, context.retention.retention()).await?;
        Ok(page.messages.into_iter().find(|message| message.seq == seq))
    }

    /// Whether a user with this id is in a room, on this node, under this name.
    pub fn has_user(&self, room: &RoomName, user: &UserId, username: &Username) -> bool {
        self.shared.room(room).is_some_and(|room| room.has_user(username, user))
    }

    /// Whether what is stored survives a crash.
    pub fn is_durable(&self) -> bool {
        self.shared.context.history.durability() == Durability::Disk
    }

    /// Removes all roles of a user, whose account is about to be deleted. The bans and mutes of the
    /// user stay, and so does what the audit log says about it.
    ///
    /// Not cancel-safe: if the future is dropped, some roles may hold until the room is opened
    /// anew. It is safe to call it again.
    ///
    /// # Errors
    /// [`AccessError`] if a store fails.
    pub async fn forget(&self, user: &UserId, username: &Username) -> Result<(), AccessError> {
        for room in self.access().forget(user.clone()).await? {
            let user = (user.clone(), username.clone());
            let other = |error| AccessError::new(AccessErrorKind::Other, error);
            PendingAct::take_effect(&self.shared, &room, user).await.map_err(other)?;
        }
        Ok(())
    }

    /// Registers a room, which has no owner: the act makes its target the owner. Unless a moderator
    /// of the server or the operator does it, the room has to be new, or its doer is alone in it
    /// and it has no history.
    ///
    /// Cancel-safe, as [`act`](Self::act) is.
    ///
    /// # Errors
    /// [`RegisterError`] if the room is in use, and what [`act`](Self::act) returns.
    pub async fn register(&self, act: NewAct) -> Result<Option<AuditRecord>, RegisterError> {
        if act.by.rank(None) < Rank::ServerModerator
            && let (Scope::Room(room), Some(person)) = (&act.scope, act.by.person())
        {
            let extent = self.shared.context.history.extent(room.clone(), Retention::default()).await;
            let newest = extent.map_err(|error| unavailable(error.into()))?.newest;
            let is_alone = self.members(room).is_none_or(|members| {
                members.total() <= 1 && members.first().iter().all(|member| member.user == person.id)
            });
            if newest > 0 || !is_alone {
                return Err(RegisterError::InUse);
            }
        }
        Ok(self.act(act).await?)
    }
}

async fn carry_out(
    shared: &Arc<Registry>,
    room: &RoomName,
    act: NewAct,
) -> Result<Option<AuditRecord>, ActError> {
    let (kind, user, username) = (act.kind, act.target.id.clone(), act.target.username.clone());
    let record = shared.context.access.act(act).await?;
    match kind {
        ActKind::Moderate(Moderation::Kick, _) => {
            if let Some(room) = shared.room(room) {
                room.remove_user(&username, &user, LeftReason::Kicked);
            }
        }
        ActKind::Moderate(Moderation::Warn, _)
        | ActKind::Invite(_)
        | ActKind::EndInvitation
        | ActKind::InviteLink(_)
        | ActKind::EndLinks => {}
        // also if nothing has changed: the attempt before may have failed after it was stored
        _ => PendingAct::take_effect(shared, room, (user, username)).await.map_err(unavailable)?,
    }
    if record.is_some() {
        shared.context.meters.acts.increment(1);
    }
    Ok(record)
}

/// Carries out an act that concerns a user in all rooms.
async fn carry_out_on_server(shared: &Arc<Registry>, act: NewAct) -> Result<Option<AuditRecord>, ActError> {
    let context = &shared.context;
    let (kind, user, username) = (act.kind, act.target.id.clone(), act.target.username.clone());
    // the semaphore is never closed
    let closed = |error| AccessError::new(AccessErrorKind::Closed, error);
    let _turn = context.server_rules.turn.acquire().await.map_err(closed)?;
    let record = context.access.act(act).await?;
    match kind {
        ActKind::Moderate(Moderation::Kick, _) => {
            for room in shared.all_rooms() {
                room.remove_user(&username, &user, LeftReason::Kicked);
            }
        }
        ActKind::Moderate(Moderation::Warn, _) => {}
        _ => {
            // before the rooms are looked for: one that is loaded meanwhile takes the new ones
            context.server_rules.set(context.access.rules(Scope::Server).await?);
            for room in shared.all_rooms() {
                if room.take_server_rules(&user, &username) {
                    let of = (user.clone(), username.clone());
                    PendingAct::take_effect(shared, &room.name, of).await.map_err(unavailable)?;
                }
            }
        }
    }
    if record.is_some() {
        context.meters.acts.increment(1);
    }
    Ok(record)
}

fn unavailable(error: AppendError) -> ActError {
    AccessError::new(AccessErrorKind::Other, error).into()
}
