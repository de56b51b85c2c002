//! The settings of rooms.

use std::sync::Arc;

use chat_access::{ActKind, Action, Actor, Denied, NewRecord, RoomPolicy, check};
use chat_history::{AppendError, Appended, HistoryError, NewRoomChange, PublicRoom, Retention};
use chat_protocol::{RoomName, RoomSettings, Timestamp};

use crate::Engine;
use crate::member::pending_append::PendingAct;

impl Engine {
    /// Returns the settings of a room. The room need not have members.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails.
    pub async fn settings(&self, room: &RoomName) -> Result<Arc<RoomSettings>, HistoryError> {
        Ok(self.shared.context.history.settings(room.clone()).await?.settings)
    }

    /// Returns the policy of a room as it is stored now: its settings, and who has a role, is
    /// banned or muted. The room need not have members.
    ///
    /// # Errors
    /// [`HistoryError`] if a store fails.
    pub async fn policy(&self, room: &RoomName) -> Result<RoomPolicy, HistoryError> {
        self.shared.context.read_policy(room).await
    }

    /// Returns the policy of a room as it is in effect now. It is read from the stores only if
    /// nobody is in the room.
    ///
    /// # Errors
    /// [`HistoryError`] if a store fails.
    pub async fn policy_in_effect(&self, room: &RoomName) -> Result<RoomPolicy, HistoryError> {
        if let Some(open) = self.shared.room(room)
            && open.is_loaded()
        {
            return Ok(open.policy());
        }
        self.policy(room).await
    }

    /// Whether somebody is in a room on this node, has a role in it, or has ever changed or written
    /// anything in it.
    ///
    /// # Errors
    /// [`HistoryError`] if a store fails.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// assert!(!engine.exists(&lobby).await?);
    /// # let (sink, mut events) = Sink::channel(100);
    /// let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// assert!(engine.exists(&lobby).await?);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn exists(&self, room: &RoomName) -> Result<bool, HistoryError> {
        if self.members(room).is_some() {
            return Ok(true);
        }
        let extent = self.shared.context.history.extent(room.clone(), Retention::default()).await?;
        Ok(extent.newest > 0 || self.policy(room).await?.has_roles())
    }

    /// The rooms whose settings say that they are public, in no order; at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails.
    pub async fn public_rooms(&self, limit: usize) -> Result<Vec<PublicRoom>, HistoryError> {
        self.shared.context.history.public_rooms(limit).await
    }

    /// Whether a user may do something in a room, which need not have members, and in which the
    /// user need not be.
    ///
    /// # Errors
    /// [`HistoryError`] if a store fails.
    pub async fn may(
        &self,
        actor: &Actor,
        action: Action,
        room: &RoomName,
    ) -> Result<Result<(), Denied>, HistoryError> {
        Ok(check(actor, action, &self.policy_in_effect(room).await?, Timestamp::now()))
    }

    /// Changes the settings of a room, which need not have members. Everyone in the room receives
    /// [`RoomChanged`](chat_protocol::Event::RoomChanged), except sessions that joined [with
    /// lists](crate::Subscribe::with_lists). Returns `false` if the settings were the same before.
    ///
    /// The settings hold as soon as they are stored: no message is stored after them that they do
    /// not allow. Members whom they do not admit are removed with the reason
    /// [`NotAllowed`](chat_protocol::LeftReason::NotAllowed).
    ///
    /// Not cancel-safe: the settings may be changed although the future is dropped.
    ///
    /// # Errors
    /// [`HistoryError`] if the history store fails. The settings may be changed; it is safe to try
    /// again.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_protocol::{MayPost, RoomSettings};
    /// # use chat_rooms::{Engine, SendError, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let announcements = RoomSettings::default().post(MayPost::Moderators);
    /// assert!(engine.configure(&lobby, announcements).await?);
    /// assert!(matches!(member.send("hello").await, Err(SendError::Denied(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn configure(&self, room: &RoomName, settings: RoomSettings) -> Result<bool, HistoryError> {
        if *self.settings(room).await? == settings {
            return Ok(false);
        }
        // before it is done, so that no change is without a record
        let record = NewRecord::new(room.clone(), None, ActKind::Configure, None);
        self.access().record(record).await.map_err(HistoryError::other)?;
        let change = NewRoomChange::new(room.clone(), settings);
        match PendingAct::append(&self.shared, change.into()).await {
            Ok(appended) => Ok(matches!(appended, Appended::Stored(_))),
            Err(AppendError::Unavailable(error)) => Err(error),
            Err(error) => Err(HistoryError::other(error)),
        }
    }
}
