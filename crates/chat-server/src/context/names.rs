//! Guests whose name belongs to an account.

use std::collections::HashSet;
use std::io;

use chat_accounts::look_alike_keys;
use chat_protocol::{Member, RoomName, UserId, Username};

use crate::accounts::FreeName;
use crate::context::Context;

/// Guests under one name, or names that look like it.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    /// Guests with `chat.v2` sessions.
    users: Vec<UserId>,
    /// The rooms and names of classic clients.
    classics: Vec<(RoomName, Username, UserId)>,
}

impl Guests {
    /// Whether there are guests other than this one.
    pub(crate) fn has_others(&self, guest: Option<&UserId>) -> bool {
        let mut ids = self.users.iter().chain(self.classics.iter().map(|(_, _, user)| user));
        ids.any(|id| Some(id) != guest)
    }
}

impl Context {
    /// The guests who are connected under this name, or one that looks like it.
    ///
    /// # Errors
    /// Any error if the runtime shuts down.
    pub(crate) async fn guests_like(&self, username: &Username) -> io::Result<Guests> {
        let (users, classics) = (self.sessions.guests(), self.classics.list());
        let username = username.clone();
        // there may be many names, and finding out what one looks like takes a microsecond
        let comparing = tokio::task::spawn_blocking(move || {
            let keys: HashSet<_> = look_alike_keys(&username).into_iter().collect();
            let is_like = |name: &Username| look_alike_keys(name).iter().any(|key| keys.contains(key));
            let users = users.into_iter().filter(|(_, name)| is_like(name)).map(|(id, _)| id).collect();
            let classics = classics
                .into_iter()
                .filter(|client| is_like(&client.member.username))
                .map(|client| {
                    let member = &client.member;
                    (member.room.clone(), member.username.clone(), member.user.clone())
                })
                .collect();
            Guests { users, classics }
        });
        comparing.await.map_err(io::Error::other)
    }

    /// Disconnects the guests who are connected under the name of an account, or one that looks
    /// like it. Whoever connects from now on is refused.
    pub(crate) async fn end_guests(&self, username: &Username) {
        let Ok(guests) = self.guests_like(username).await else { return };
        guests.users.iter().for_each(|guest| self.sessions.end_guest(guest));
        for (room, name, _) in &guests.classics {
            self.engine.kick(room, name);
        }
    }

    /// Whether no account was created since a name was free.
    pub(crate) fn still_free(&self, free: FreeName) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.still_holds(free))
    }

    /// Disconnects a classic client if its name was taken by an account while it connected.
    pub(crate) async fn check_classic(&self, member: &Member) {
        let Some(accounts) = &self.accounts else { return };
        if let Ok(Err(_)) = accounts.check_guest(member.username.clone()).await {
            self.engine.kick(&member.room, &member.username);
        }
    }
}
