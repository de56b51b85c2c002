//! `reports`: reads what users have reported, in a room or on the whole server.

use chat_access::Action;
use chat_protocol::v2::{PAGE_BYTES, ReportInfo, Reports, ReportsPage, ServerFrame};
use chat_protocol::{Reference, RoomName};

use crate::context::Context;
use crate::session::Session;
use crate::session::commands::page_size;
use crate::session::list::Lists;
use crate::session::moderation::{Acting, NotDone, moderates_server};

/// How many reports a page has if the client does not say, and at most.
const DEFAULT: usize = 50;
const MAX: usize = 100;

/// How many bytes of reported texts a page has at most. A byte may need six in JSON.
const MAX_BYTES: usize = PAGE_BYTES / 6;

impl Session {
    pub(super) fn reports(&mut self, reports: Reports, reference: Option<Reference>) {
        let Reports { room, before, limit } = reports;
        let limit = page_size(limit, DEFAULT, MAX);
        match room {
            Some(room) => self.act(&room, reference, move |acting| of_room(acting, before, limit)),
            None => self.act_outside(reference, move |lists| of_server(lists, before, limit)),
        }
    }
}

async fn of_room(acting: Acting, before: Option<u64>, limit: usize) -> Result<ServerFrame, NotDone> {
    acting.may(Action::ReadAudit)?;
    page(&acting.context, Some(acting.room().clone()), before, limit).await
}

async fn of_server(lists: Lists, before: Option<u64>, limit: usize) -> Result<ServerFrame, NotDone> {
    moderates_server(&lists.user)?;
    page(&lists.context, None, before, limit).await
}

async fn page(
    context: &Context,
    room: Option<RoomName>,
    before: Option<u64>,
    limit: usize,
) -> Result<ServerFrame, NotDone> {
    // one more shows whether there are more
    let found = context.engine.access().reports(room.clone(), before, limit + 1).await?;
    let count = found.len();
    let mut bytes = 0;
    let fits = |report: &chat_access::Report| {
        let length = report.report.body.as_ref().map_or(0, |body| body.len());
        bytes += length;
        // at least one
        bytes <= MAX_BYTES.max(length)
    };
    let reports: Vec<_> =
        found.into_iter().take(limit).take_while(fits).map(|report| info(report, room.is_none())).collect();
    let more = reports.len() < count;
    Ok(ServerFrame::Reports(ReportsPage { reference: None, room, reports, more }))
}

fn info(chat_access::Report { number, report }: chat_access::Report, with_room: bool) -> ReportInfo {
    ReportInfo {
        number,
        at: report.at,
        room: with_room.then_some(report.room),
        by: report.by.username,
        target: report.target,
        user: report.author.id,
        from: report.author.username,
        body: report.body,
        reason: report.reason,
    }
}
