//! `audit`: reads what moderators and owners have done, in a room or on the whole server.

use chat_access::{ActParts, Action, AuditQuery, AuditRecord, Scope};
use chat_protocol::v2::{Audit, AuditInfo, AuditPage, ServerFrame};
use chat_protocol::{Reference, RoomName};

use crate::context::Context;
use crate::session::Session;
use crate::session::commands::page_size;
use crate::session::list::Lists;
use crate::session::moderation::{Acting, NotDone, moderates_server};

/// How many records a page has if the client does not say, and at most.
const DEFAULT: usize = 50;
const MAX: usize = 100;

impl Session {
    pub(super) fn audit(&mut self, audit: Audit, reference: Option<Reference>) {
        let Audit { room, before, limit } = audit;
        let limit = page_size(limit, DEFAULT, MAX);
        // one more shows whether there are more
        let query = AuditQuery::newest(limit + 1).before(before);
        match room {
            Some(room) => self.act(&room, reference, move |acting| of_room(acting, query, limit)),
            None => self.act_outside(reference, move |lists| of_server(lists, query, limit)),
        }
    }
}

async fn of_room(acting: Acting, query: AuditQuery, limit: usize) -> Result<ServerFrame, NotDone> {
    acting.may(Action::ReadAudit)?;
    let room = acting.room().clone();
    let query = query.of(Scope::Room(room.clone()));
    page(&acting.context, query, Some(room), limit).await
}

async fn of_server(lists: Lists, query: AuditQuery, limit: usize) -> Result<ServerFrame, NotDone> {
    moderates_server(&lists.user)?;
    page(&lists.context, query, None, limit).await
}

async fn page(
    context: &Context,
    query: AuditQuery,
    room: Option<RoomName>,
    limit: usize,
) -> Result<ServerFrame, NotDone> {
    let mut found = context.engine.access().audit(query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let records = found.into_iter().map(|record| info(record, room.is_none())).collect();
    Ok(ServerFrame::Audit(AuditPage { reference: None, room, records, more }))
}

fn info(record: AuditRecord, with_room: bool) -> AuditInfo {
    let AuditRecord { number, at, scope, by, kind, target, reason, .. } = record;
    let ActParts { role, until, number: message } = kind.parts();
    let room = match scope {
        Scope::Room(room) if with_room => Some(room),
        _ => None,
    };
    AuditInfo {
        number,
        at,
        room,
        by: by.map(|by| by.username),
        act: kind.as_str().to_owned(),
        username: target.as_ref().map(|target| target.username.clone()),
        user: target.map(|target| target.id),
        target: message,
        role,
        until,
        reason,
    }
}
