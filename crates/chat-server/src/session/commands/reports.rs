//! `reports`: reads what users have reported in a room.

use chat_access::Action;
use chat_protocol::Reference;
use chat_protocol::v2::{PAGE_BYTES, ReportInfo, Reports, ReportsPage, ServerFrame};

use crate::session::Session;
use crate::session::commands::page_size;
use crate::session::moderation::{Acting, NotDone};

/// How many reports a page has if the client does not say, and at most.
const DEFAULT: usize = 50;
const MAX: usize = 100;

/// How many bytes of reported texts a page has at most. A byte may need six in JSON.
const MAX_BYTES: usize = PAGE_BYTES / 6;

impl Session {
    pub(super) fn reports(&mut self, reports: Reports, reference: Option<Reference>) {
        let Reports { room, before, limit } = reports;
        let limit = page_size(limit, DEFAULT, MAX);
        self.act(&room, reference, move |acting| page(acting, before, limit));
    }
}

async fn page(acting: Acting, before: Option<u64>, limit: usize) -> Result<ServerFrame, NotDone> {
    acting.may(Action::ReadAudit)?;
    let room = acting.room().clone();
    // one more shows whether there are more
    let found = acting.context.engine.access().reports(Some(room.clone()), before, limit + 1).await?;
    let count = found.len();
    let mut bytes = 0;
    let fits = |report: &chat_access::Report| {
        let length = report.report.body.as_ref().map_or(0, |body| body.len());
        bytes += length;
        // at least one
        bytes <= MAX_BYTES.max(length)
    };
    let reports: Vec<_> = found.into_iter().take(limit).take_while(fits).map(info).collect();
    let more = reports.len() < count;
    Ok(ServerFrame::Reports(ReportsPage { reference: None, room, reports, more }))
}

fn info(chat_access::Report { number, report }: chat_access::Report) -> ReportInfo {
    ReportInfo {
        number,
        at: report.at,
        by: report.by.username,
        target: report.target,
        user: report.author.id,
        from: report.author.username,
        body: report.body,
        reason: report.reason,
    }
}
