//! What moderators and owners do, and who hears of it.

use chat_access::{
    ActError, ActKind, Actor, AuditRecord, Doer, Link, Named, NewAct, NewRecord, Person, Scope,
};
use chat_history::HistoryError;
use chat_protocol::v2::{Dropped, Invited, ServerFrame};
use chat_protocol::{Identity, InviteCode, Moderation, Role, RoomName, Timestamp, UserId};
use chat_rooms::JoinError;

use crate::context::Context;
use crate::context::inbox::ListError;

impl Context {
    /// Carries out an act in a room, and tells the user whom it concerns.
    ///
    /// # Errors
    /// [`ActError`] from the engine.
    pub(crate) async fn act(&self, act: NewAct) -> Result<Option<AuditRecord>, ActError> {
        let knows = self.knows(&act).await?;
        let record = self.engine.act(act).await?;
        if let Some(record) = &record {
            self.tell(record, knows).await;
        }
        Ok(record)
    }

    /// Whether the target of an act in a room may learn that the room exists. Whoever has neither a
    /// role nor an invitation there learns nothing of a private room, not even by an act.
    async fn knows(&self, act: &NewAct) -> Result<bool, ActError> {
        let (Some(room), ActKind::Moderate(..)) = (act.scope.room(), act.kind) else { return Ok(true) };
        let user = &act.target.id;
        if !room.is_address() {
            return Ok(true);
        }
        let rules = self.engine.access().rules(act.scope.clone()).await?;
        Ok(rules.role([user]).is_some() || self.has_invitation(user, room).await?)
    }

    /// Tells the sessions of the user whom an act concerns.
    async fn tell(&self, record: &AuditRecord, knows: bool) {
        let Some(target) = &record.target else { return };
        if let ActKind::Moderate(Moderation::Warn, _) = record.kind {
            let warned = self.warnings.warned(&self.sessions, &**self.engine.access(), record);
            if let Err(error) = warned.await {
                // the warning is stored: at worst the user is told twice
                tracing::debug!(%error, "a warning could not be acknowledged");
            }
            return;
        }
        let Some(room) = record.scope.room() else {
            if let ActKind::Moderate(Moderation::Ban, _) = record.kind {
                self.end_banned();
            }
            return;
        };
        let told = match record.kind {
            ActKind::Invite(expires_at) => {
                self.tell_invited(target, record.by.clone(), room, expires_at).await
            }
            // a private room that was accepted stays in the list
            kind if kind == ActKind::EndInvitation || (kind == ActKind::Accept && !room.is_address()) => {
                self.drop_invitation(&target.id, room);
                Ok(())
            }
            // they change no list
            ActKind::Moderate(Moderation::Kick | Moderation::Mute | Moderation::Unmute, _) => Ok(()),
            _ if room.is_address() && knows => self.list_room(&target.id, room).await,
            _ => Ok(()),
        };
        if let Err(error) = told {
            // the next list is right
            tracing::debug!(%room, %error, "a user could not be notified of an act");
        }
    }

    async fn tell_invited(
        &self,
        user: &Named,
        by: Option<Named>,
        room: &RoomName,
        expires_at: Timestamp,
    ) -> Result<(), ListError> {
        let list = self.inbox.handle(&user.id);
        if by.as_ref().is_some_and(|by| list.is_some_and(|list| list.has_blocked(&by.id))) {
            return Ok(());
        }
        let title = self.engine.policy_in_effect(room).await?.settings().title.clone();
        let invited = Invited { room: room.clone(), title, by: by.map(|by| by.username), expires_at };
        self.sessions.send_to_user(&user.id, &ServerFrame::Invited(invited));
        Ok(())
    }

    /// Ends the sessions of all users who are banned from the server.
    fn end_banned(&self) {
        self.sessions.end_banned(|actor| self.engine.server_ban(actor).is_some());
    }

    /// An invitation has ended: it is no longer in the list of the user. A room that is in the list
    /// for another reason stays there.
    fn drop_invitation(&self, user: &UserId, room: &RoomName) {
        let is_listed = self.inbox.handle(user).is_some_and(|list| list.has(room));
        if !is_listed {
            let dropped = Dropped { reference: None, room: room.clone() };
            self.sessions.send_to_user(user, &ServerFrame::Dropped(dropped));
        }
    }

    /// Whether others have roles in a room, and the user has none.
    ///
    /// # Errors
    /// [`JoinError`] if a store fails.
    pub(crate) async fn is_stranger(&self, user: &Identity, room: &RoomName) -> Result<bool, JoinError> {
        let policy = self.engine.policy_in_effect(room).await?;
        Ok(policy.has_roles() && policy.role(&Actor::from(user)).is_none())
    }

    /// Makes a user a member of a room, if the user has an invitation or the code of a link.
    /// Returns whether it has.
    ///
    /// # Errors
    /// [`JoinError`] if a store fails.
    pub(crate) async fn let_in(
        &self,
        user: &Identity,
        room: &RoomName,
        code: Option<&InviteCode>,
    ) -> Result<bool, JoinError> {
        let (access, now) = (self.engine.access(), Timestamp::now());
        let hash = code.map(InviteCode::hash);
        let has_link = match hash {
            Some(hash) => access.link(hash, now).await.map_err(failed)?.as_ref() == Some(room),
            None => false,
        };
        let person = Person::from(user);
        let act =
            |kind| NewAct::new(Scope::Room(room.clone()), Doer::User(person.clone()), kind, person.clone());
        let act = match hash {
            Some(hash) if has_link => act(ActKind::UseLink).link(Link { hash, uses: 0 }),
            _ if self.has_invitation(user.id(), room).await.map_err(failed)? => act(ActKind::Accept),
            _ => return Ok(false),
        };
        match self.act(act).await {
            Ok(_) => Ok(true),
            // it has ended a moment ago
            Err(ActError::Refused(_)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn has_invitation(&self, user: &UserId, room: &RoomName) -> Result<bool, chat_access::AccessError> {
        let found = self.engine.access().invitations(vec![user.clone()], Timestamp::now()).await?;
        Ok(found.iter().any(|invitation| invitation.room == *room))
    }

    /// Ends the invitation of a user into a room. Returns whether there was one.
    ///
    /// # Errors
    /// [`ListError`] if a store fails.
    pub(crate) async fn decline(&self, user: &Identity, room: &RoomName) -> Result<bool, ListError> {
        if !self.has_invitation(user.id(), room).await? {
            return Ok(false);
        }
        let person = Person::from(user);
        let (scope, by) = (Scope::Room(room.clone()), Doer::User(person.clone()));
        match self.act(NewAct::new(scope, by, ActKind::EndInvitation, person)).await {
            Ok(record) => Ok(record.is_some()),
            Err(ActError::Refused(_)) => Ok(false),
            Err(ActError::Store(error)) => Err(error.into()),
            Err(error) => Err(HistoryError::other(error).into()),
        }
    }

    /// Records that a moderator of the server enters a private room in which it has no role.
    ///
    /// # Errors
    /// [`JoinError`] if a store fails: then it must not enter.
    pub(crate) async fn note_entry(&self, user: &Identity, room: &RoomName) -> Result<(), JoinError> {
        if user.role() < Role::Moderator || !room.is_address() {
            return Ok(());
        }
        let policy = self.engine.policy_in_effect(room).await?;
        let actor = user.into();
        if policy.role(&actor).is_some() || !policy.is_found_by(&actor) {
            return Ok(());
        }
        let by = Named::new(user.id().clone(), user.username().clone());
        let record = NewRecord::new(room.clone(), Some(by), ActKind::Enter, None);
        let recorded = self.engine.access().record(record).await;
        recorded.map(drop).map_err(failed)
    }

    /// Whether a room exists that a user is about to join, or the user may create it by joining.
    pub(crate) async fn may_open(&self, user: &Identity, room: &RoomName) -> Result<bool, HistoryError> {
        let config = self.config();
        Ok(config.room_creation.admits(user)
            || config.site.default_room() == room.as_str()
            || self.engine.exists(room).await?)
    }

    /// Brings the entry of a private or direct room in the list of a user up to date, and tells the
    /// sessions of the user. The list of a user who is not connected is read when it comes.
    ///
    /// # Errors
    /// [`ListError`] if a store fails.
    pub(crate) async fn list_room(&self, user: &UserId, room: &RoomName) -> Result<(), ListError> {
        let (Some(accounts), Some(list)) = (&self.accounts, self.inbox.handle(user)) else { return Ok(()) };
        if let Some(frame) = list.refresh(room, accounts, &self.engine).await? {
            self.sessions.send_to_user(user, &frame);
        }
        Ok(())
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> JoinError {
    JoinError::History(HistoryError::other(error))
}
