//! Private and direct rooms, which have addresses instead of names.

use chat_access::{AccessError, AccessErrorKind, ActError, ActKind, Doer, Named, NewAct, Person, Scope};
use chat_history::{NewRoomChange, Permission};
use chat_protocol::{RoomName, RoomSettings, Visibility};

use crate::Engine;
use crate::member::pending_append::PendingAct;

impl Engine {
    /// Creates a private room with these settings, whatever visibility they say. Its owner is this
    /// user, who has an account. Returns its [address](RoomName::is_address), which is random.
    ///
    /// Users without a role in the room get the same answers for its address as for one that does
    /// not exist.
    ///
    /// Not cancel-safe: the room may be created although the future is dropped. It is then empty,
    /// and is the owner's.
    ///
    /// # Errors
    /// [`ActError`] if the user is a guest, or a store fails.
    ///
    /// ```
    /// # use chat_access::Denied;
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, JoinError, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let bob = chat_protocol::Identity::account("u_2".parse()?, "bob".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// let settings = chat_protocol::RoomSettings::default().title(Some("The club".parse()?));
    /// let club = engine.create_private((&ana).into(), settings).await?;
    /// engine.join(&ana, &club, Subscribe::new(sink.clone())).await?;
    /// let refused = engine.join(&bob, &club, Subscribe::new(sink)).await;
    /// assert!(matches!(refused, Err(JoinError::Denied(Denied::NotFound))));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub async fn create_private(&self, owner: Person, settings: RoomSettings) -> Result<RoomName, ActError> {
        let address = RoomName::address_from_random(rand::random());
        let (scope, by) = (Scope::Room(address.clone()), owner.username.clone());
        self.act(NewAct::new(scope, Doer::User(owner.clone()), ActKind::Register, owner)).await?;
        let version = self.policy(&address).await.map_err(failed)?.version();
        let change = NewRoomChange::new(address.clone(), settings.visibility(Visibility::Private))
            .by(by, Permission::new(version, true));
        PendingAct::append(&self.shared, change.into()).await.map_err(failed)?;
        Ok(address)
    }

    /// Returns the direct room of two users with accounts, and makes it if they have none. Nobody
    /// else can join it, and it has no owner.
    ///
    /// Not cancel-safe, but safe to repeat.
    ///
    /// # Errors
    /// [`AccessError`] if a store fails.
    pub async fn direct(&self, users: [Named; 2]) -> Result<RoomName, AccessError> {
        let ids = users.each_ref().map(|user| user.id.clone());
        if let Some(room) = self.access().direct(ids).await? {
            return Ok(room);
        }
        let address = RoomName::address_from_random(rand::random());
        // before anybody has a role in it: a room without a role is not there for anyone
        let settings = RoomSettings::default().visibility(Visibility::Direct);
        let change = NewRoomChange::new(address.clone(), settings);
        PendingAct::append(&self.shared, change.into()).await.map_err(other)?;
        let user = (users[0].id.clone(), users[0].username.clone());
        let room = self.access().make_direct(users, address).await?;
        PendingAct::take_effect(&self.shared, &room, user).await.map_err(other)?;
        Ok(room)
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> AccessError {
    AccessError::new(AccessErrorKind::Other, error)
}

fn failed(error: impl Into<chat_history::AppendError>) -> ActError {
    other(error.into()).into()
}
