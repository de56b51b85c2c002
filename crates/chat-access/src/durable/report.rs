//! Reports.

use chat_protocol::{RoomName, UserId, Username};
use diesel::prelude::*;

use super::schema::{ReportRow, reports, signed, unsigned};
use super::{DbConnection, Done, act, overwriting, text};
use crate::audit::{AuditRecord, Named, NewRecord};
use crate::store::{MAX_PAGE, MAX_REPORTS, MAX_REPORTS_OF_USER, NewReport, Report};
use crate::{ActKind, Refused};

pub(super) fn report(connection: &mut DbConnection, report: &NewReport) -> Done<u64> {
    let (room, by, target) = (report.room.as_str(), report.by.id.as_str(), signed(report.target));
    let in_room = reports::table.filter(reports::room.eq(room));
    let of_user = in_room.filter(reports::by_user.eq(by));
    let same = of_user.filter(reports::target.eq(target)).select(reports::number);
    if let Some(number) = same.first::<i64>(connection).optional()? {
        return Ok(unsigned(number));
    }
    let is_full = |count: i64, max| usize::try_from(count).is_ok_and(|count| count >= max);
    if is_full(in_room.count().get_result(connection)?, MAX_REPORTS)
        || is_full(of_user.count().get_result(connection)?, MAX_REPORTS_OF_USER)
    {
        return Err(Refused::LimitReached.into());
    }
    let row = (
        reports::at.eq(report.at.as_millis()),
        reports::room.eq(room),
        reports::by_user.eq(by),
        reports::by_username.eq(report.by.username.as_str()),
        reports::target.eq(target),
        reports::user.eq(report.author.id.as_str()),
        reports::username.eq(report.author.username.as_str()),
        reports::body.eq(report.body.as_deref().map(text::to_stored)),
        reports::reason.eq(report.reason.as_ref().map(chat_protocol::Reason::as_str)),
    );
    let insert = diesel::insert_into(reports::table).values(row).returning(reports::number);
    // most of what is moved to other pages of the file is overwritten where it was
    let number: i64 = overwriting(connection, |connection| insert.get_result(connection))?;
    Ok(unsigned(number))
}

pub(super) fn reports(
    connection: &mut DbConnection,
    room: Option<&RoomName>,
    before: Option<u64>,
    limit: usize,
) -> Done<Vec<Report>> {
    let mut found = reports::table
        .filter(reports::number.lt(before.map_or(i64::MAX, signed)))
        .order(reports::number.desc())
        .limit(i64::try_from(limit.min(MAX_PAGE)).unwrap_or(i64::MAX))
        .select(ReportRow::as_select())
        .into_boxed();
    if let Some(room) = room {
        found = found.filter(reports::room.eq(room.as_str()));
    }
    let rows: Vec<ReportRow> = found.load(connection)?;
    Ok(rows.into_iter().map(ReportRow::report).collect::<Result<_, _>>()?)
}

pub(super) fn close(
    connection: &mut DbConnection,
    room: RoomName,
    number: u64,
    by: Option<Named>,
) -> Done<Option<AuditRecord>> {
    let open = reports::table.filter(reports::number.eq(signed(number)).and(reports::room.eq(room.as_str())));
    let row: Option<ReportRow> = open.select(ReportRow::as_select()).first(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let author = row.report()?.report.author;
    // an erasure later does not find it any more
    overwriting(connection, |connection| diesel::delete(open).execute(connection))?;
    let record = NewRecord::new(room, by, ActKind::CloseReport(number), Some(author));
    act::record(connection, record).map(Some)
}

pub(super) fn erase(
    connection: &mut DbConnection,
    author: &UserId,
    username: Option<&Username>,
    by: Option<&Named>,
) -> Done<Vec<AuditRecord>> {
    let mut with_text = reports::table
        .filter(reports::user.eq(author.as_str()))
        .filter(reports::body.is_not_null())
        .order(reports::number)
        .select(ReportRow::as_select())
        .into_boxed();
    if let Some(username) = username {
        with_text = with_text.filter(reports::username.eq(username.as_str()));
    }
    let rows: Vec<ReportRow> = with_text.load(connection)?;
    let mut records = Vec::new();
    for row in rows {
        let Report { number, report } = row.report()?;
        let kind = ActKind::EraseReport(number);
        let record = NewRecord::new(report.room, by.cloned(), kind, Some(report.author));
        records.push(act::record(connection, record)?);
        let erased =
            diesel::update(reports::table.find(signed(number))).set(reports::body.eq(None::<String>));
        overwriting(connection, |connection| erased.execute(connection))?;
    }
    Ok(records)
}
