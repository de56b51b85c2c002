//! Users by their ids.

use chat_access::{Network, Person};
use chat_accounts::StoreError;
use chat_protocol::{Role, UserId, UserKind};

use crate::context::Context;

impl Context {
    /// The user with this id, if it is connected or has an account. The id of a guest who has
    /// registered since is that of the account.
    ///
    /// # Errors
    /// [`StoreError`] if the accounts cannot be read.
    pub(crate) async fn person(&self, id: &UserId) -> Result<Option<Person>, StoreError> {
        if let Some((user, address)) = self.sessions.connected(id) {
            return Ok(Some(Person { network: Network::of_client(address), ..Person::from(&*user) }));
        }
        if let Some(client) = self.classics.find(id) {
            return Ok(Some(Person {
                id: id.clone(),
                username: client.member.username.clone(),
                kind: UserKind::Guest,
                role: Role::User,
                network: Network::of_client(client.address),
            }));
        }
        let Some(accounts) = &self.accounts else { return Ok(None) };
        let store = accounts.store();
        let account = if id.is_guest() { store.by_guest(id.clone()) } else { store.account(id.clone()) };
        let identity = account.await?.map(|account| account.identity()).transpose();
        Ok(identity.map_err(StoreError::other)?.as_ref().map(Person::from))
    }
}
