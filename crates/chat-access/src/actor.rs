//! A user, as far as a policy asks who it is.

use std::iter;
use std::sync::Arc;

use chat_protocol::{Identity, Role, UserId, UserKind};

use crate::Network;

/// A user, as far as a policy asks who it is. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    id: UserId,
    // few users have any, and there is an actor for each session
    former_ids: Option<Arc<Vec<UserId>>>,
    kind: UserKind,
    role: Role,
    network: Option<Network>,
}

impl Actor {
    /// A user with its earlier ids as a guest, which are the same user: a ban of one of them holds
    /// for all.
    pub fn new(identity: &Identity, former_ids: &[UserId]) -> Self {
        let former_ids = (!former_ids.is_empty()).then(|| Arc::new(former_ids.to_vec()));
        let (id, kind, role) = (identity.id().clone(), identity.kind(), identity.role());
        Self { id, former_ids, kind, role, network: None }
    }

    /// Sets where the user connects from. It only matters for guests.
    #[must_use]
    pub fn at(self, network: Option<Network>) -> Self {
        let is_guest = self.kind == UserKind::Guest;
        Self { network: network.filter(|_| is_guest), ..self }
    }

    /// Where the user connects from, if it is a guest and that is known.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// The id of the user, then its earlier ones.
    pub fn ids(&self) -> impl Iterator<Item = &UserId> + Clone {
        iter::once(&self.id).chain(self.former_ids.iter().flat_map(|ids| ids.iter()))
    }

    /// What kind of user it is.
    pub fn kind(&self) -> UserKind {
        self.kind
    }

    /// What the user may do on the whole server.
    pub fn role(&self) -> Role {
        self.role
    }
}

impl From<&Identity> for Actor {
    fn from(identity: &Identity) -> Self {
        Self::new(identity, &[])
    }
}
