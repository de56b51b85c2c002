//! The tests of reports.

use chat_protocol::{Reason, Timestamp};

use super::Access;
use super::helpers::{account, room};
use crate::{
    AccessStore, ActError, ActKind, AuditQuery, MAX_REPORTS_OF_USER, Named, NewRecord, NewReport, Refused,
    Scope,
};

fn named(name: &str) -> Named {
    let person = account(name);
    Named::new(person.id, person.username)
}

fn report(room: &str, by: &str, target: u64) -> NewReport {
    NewReport {
        room: room.parse().unwrap(),
        by: named(by),
        target,
        author: named("author"),
        body: Some("buy\nthis".into()),
        reason: Some("spam".parse::<Reason>().unwrap()),
        at: Timestamp::from_millis(5),
    }
}

async fn numbers(store: &dyn AccessStore, room: Option<&str>, before: Option<u64>, limit: usize) -> Vec<u64> {
    let room = room.map(|room| room.parse().unwrap());
    store.reports(room, before, limit).await.unwrap().iter().map(|report| report.number).collect()
}

/// The same report twice is one.
pub async fn a_message_is_reported_once_by_each_user(access: Access) {
    let store = &*access.store;
    for (room, by, target, number) in
        [("a", "ana", 7, 1), ("a", "ana", 7, 1), ("a", "bob", 7, 2), ("a", "ana", 8, 3), ("b", "ana", 7, 4)]
    {
        assert_eq!(store.report(report(room, by, target)).await.unwrap(), number, "{room} {by} {target}");
    }
    let found = store.reports(Some("a".parse().unwrap()), None, 1).await.unwrap();
    assert_eq!((found[0].number, &found[0].report), (3, &report("a", "ana", 8)));
    assert_eq!(numbers(store, Some("a"), Some(3), 10).await, [2, 1]);
    assert_eq!(numbers(store, None, None, 2).await, [4, 3]);
    assert_eq!(numbers(store, Some("c"), None, 10).await, [0; 0]);
}

/// The text of a message may have any characters.
pub async fn a_report_has_the_text_of_the_message(access: Access) {
    let store = &*access.store;
    for (target, body) in (1_u64..).zip(["", "\0", "a\0\u{1}\u{2}b", "\u{1}", "ä\r\n\u{1f980}'\"\\"]) {
        let new = NewReport { body: Some(body.into()), ..report("a", "ana", target) };
        store.report(new.clone()).await.unwrap();
        let found = store.reports(None, None, 1).await.unwrap();
        assert_eq!(found[0].report, new);
    }
    let new = NewReport { body: None, reason: None, ..report("b", "ana", 1) };
    store.report(new.clone()).await.unwrap();
    assert_eq!(store.reports(None, None, 1).await.unwrap()[0].report, new);
}

/// A closed report is not listed, and the audit log says who has closed it.
pub async fn a_report_is_closed_once(access: Access) {
    let store = &*access.store;
    let room = || "a".parse().unwrap();
    let number = store.report(report("a", "ana", 7)).await.unwrap();
    let other = store.close_report("b".parse().unwrap(), number, None).await.unwrap();
    assert_eq!(other, None, "the report is not of that room");
    let record = store.close_report(room(), number, Some(named("mo"))).await.unwrap().unwrap();
    assert_eq!((record.kind, record.by), (ActKind::CloseReport(number), Some(named("mo"))));
    assert_eq!(record.target, Some(named("author")));
    assert_eq!(store.close_report(room(), number, None).await.unwrap(), None);
    assert_eq!(numbers(store, None, None, 10).await, [0; 0]);
    // the same message can be reported again, and the number is a new one
    assert_eq!(store.report(report("a", "ana", 7)).await.unwrap(), number + 1);

    // what is done elsewhere has its place in the log
    let deleted = NewRecord::new(room(), None, ActKind::Delete(7), Some(named("author")));
    assert_eq!(store.record(deleted).await.unwrap().number, record.number + 1);
    let configured = NewRecord::new(room(), Some(named("mo")), ActKind::Configure, None);
    store.record(configured).await.unwrap();
    let log = store.audit(AuditQuery::newest(10)).await.unwrap();
    let acts: Vec<_> = log.iter().map(|record| (record.kind, record.target.clone())).collect();
    let author = Some(named("author"));
    assert_eq!(
        acts,
        [
            (ActKind::Configure, None),
            (ActKind::Delete(7), author.clone()),
            (ActKind::CloseReport(number), author)
        ]
    );
}

/// The text of a report goes with what its author wrote, and the report stays.
pub async fn the_texts_of_reports_are_erased(access: Access) {
    let store = &*access.store;
    let of = |room, by, target, author: Named| NewReport { author, ..report(room, by, target) };
    let renamed = Named::new(account("author").id, account("other").username);
    for new in [
        of("a", "ana", 7, named("author")),
        of("a", "bob", 7, named("author")),
        of("a", "ana", 8, renamed.clone()),
        of("a", "ana", 9, named("cid")),
        of("b", "ana", 7, named("author")),
    ] {
        store.report(new).await.unwrap();
    }
    store.close_report("a".parse().unwrap(), 2, None).await.unwrap().unwrap();
    let erase = async |user: &str, username: Option<&str>, by| {
        let username = username.map(|name| account(name).username);
        let records = store.erase_reports(account(user).id, username, by).await.unwrap();
        records.into_iter().map(|record| (record.kind, record.scope, record.by, record.target)).collect()
    };
    let with_text = async || {
        let open = store.reports(None, None, 10).await.unwrap();
        open.iter().map(|open| (open.number, open.report.body.is_some())).collect::<Vec<_>>()
    };
    let record =
        |number, in_room, by, author| (ActKind::EraseReport(number), room(in_room), by, Some(author));
    let nothing: Vec<(ActKind, Scope, Option<Named>, Option<Named>)> = erase("nobody", None, None).await;
    assert_eq!(nothing, []);
    let under_name = erase("author", Some("other"), None).await;
    assert_eq!(under_name, [record(3, "a", None, renamed)]);
    assert_eq!(with_text().await, [(5, true), (4, true), (3, false), (1, true)]);
    let all = erase("author", None, Some(named("author"))).await;
    let by = Some(named("author"));
    let expected = [record(1, "a", by.clone(), named("author")), record(5, "b", by, named("author"))];
    assert_eq!(all, expected);
    assert_eq!(with_text().await, [(5, false), (4, true), (3, false), (1, false)]);
    assert_eq!(erase("author", None, None).await, nothing, "they are erased already");
    // the rest of a report is as it was
    let erased = NewReport { body: None, ..report("a", "ana", 7) };
    let open = store.reports(Some("a".parse().unwrap()), Some(2), 10).await.unwrap();
    assert_eq!((open[0].number, &open[0].report), (1, &erased));
    let log = store.audit(AuditQuery::newest(3)).await.unwrap();
    let kinds: Vec<_> = log.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [5, 1, 3].map(ActKind::EraseReport));
    assert!(store.close_report("a".parse().unwrap(), 1, None).await.unwrap().is_some());
}

/// One user cannot fill the list.
pub async fn reports_have_a_limit(access: Access) {
    let store = &*access.store;
    for target in 1..=MAX_REPORTS_OF_USER as u64 {
        store.report(report("a", "ana", target)).await.unwrap();
    }
    let refused = store.report(report("a", "ana", 1_000)).await.unwrap_err();
    assert!(matches!(refused, ActError::Refused(Refused::LimitReached)), "{refused:?}");
    assert_eq!(store.report(report("a", "ana", 1)).await.unwrap(), 1, "it is known");
    store.report(report("a", "bob", 1)).await.unwrap();
    store.report(report("b", "ana", 1)).await.unwrap();
}
