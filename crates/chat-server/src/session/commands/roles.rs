//! `roles`: reads who has a role in a room.

use chat_protocol::v2::{RoleInfo, Roles, RolesPage, ServerFrame};
use chat_protocol::{Reference, UserId};

use crate::session::Session;
use crate::session::commands::page_size;
use crate::session::moderation::{Acting, NotDone};

/// How many users a page has if the client does not say, and at most.
const DEFAULT: usize = 100;
const MAX: usize = 200;

impl Session {
    pub(super) fn roles(&mut self, Roles { room, after, limit }: Roles, reference: Option<Reference>) {
        let limit = page_size(limit, DEFAULT, MAX);
        self.act(&room, reference, move |acting| page(acting, after, limit));
    }
}

async fn page(acting: Acting, after: Option<UserId>, limit: usize) -> Result<ServerFrame, NotDone> {
    let room = acting.room().clone();
    if !acting.member.is_member() {
        return Err(NotDone::not_in_room(&room));
    }
    // one more shows whether there are more
    let found = acting.context.engine.access().roles(room.clone(), after, limit + 1).await;
    let mut found = found.map_err(|error| NotDone::Failed(error.to_string()))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let info = |entry: chat_access::RoleEntry| RoleInfo {
        username: entry.user.username,
        user: entry.user.id,
        role: entry.role,
    };
    let roles = found.into_iter().map(info).collect();
    Ok(ServerFrame::Roles(RolesPage { reference: None, room, roles, more }))
}
