//! `audit`: reads what moderators and owners have done in a room.

use chat_access::{ActParts, Action, AuditQuery, AuditRecord, Scope};
use chat_protocol::Reference;
use chat_protocol::v2::{Audit, AuditInfo, AuditPage, ServerFrame};

use crate::session::Session;
use crate::session::commands::page_size;
use crate::session::moderation::{Acting, NotDone};

/// How many records a page has if the client does not say, and at most.
const DEFAULT: usize = 50;
const MAX: usize = 100;

impl Session {
    pub(super) fn audit(&mut self, audit: Audit, reference: Option<Reference>) {
        let Audit { room, before, limit } = audit;
        let limit = page_size(limit, DEFAULT, MAX);
        self.act(&room, reference, move |acting| page(acting, before, limit));
    }
}

async fn page(acting: Acting, before: Option<u64>, limit: usize) -> Result<ServerFrame, NotDone> {
    acting.may(Action::ReadAudit)?;
    let room = acting.room().clone();
    // one more shows whether there are more
    let query = AuditQuery::newest(limit + 1).of(Scope::Room(room.clone())).before(before);
    let mut found = acting.context.engine.access().audit(query).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let records = found.into_iter().map(info).collect();
    Ok(ServerFrame::Audit(AuditPage { reference: None, room, records, more }))
}

fn info(AuditRecord { number, at, by, kind, target, reason, .. }: AuditRecord) -> AuditInfo {
    let ActParts { role, until, number: message } = kind.parts();
    AuditInfo {
        number,
        at,
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
