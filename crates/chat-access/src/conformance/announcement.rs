//! The test of the announcement.

use chat_protocol::{AnnouncementId, NoticeLevel};

use super::Access;
use super::helpers::account;
use crate::{ActKind, Announcement, AuditQuery, Named, Scope};

/// There is one announcement at most: a new one takes the place of the one before.
pub async fn the_announcement_stays_until_it_is_withdrawn(access: Access) {
    let store = &*access.store;
    let stored = async || store.announcement().await.unwrap();
    assert_eq!(stored().await, None);
    assert_eq!(store.set_announcement(None, None).await.unwrap(), None, "nothing to withdraw");
    assert_eq!(stored().await, None);

    let made = |n, level, body: &str| Announcement::new(AnnouncementId::from_random(n), level, body);
    let first = made(1, NoticeLevel::Info, "first\n\n*\u{1f980}* '\"\\\0\u{1}");
    store.set_announcement(Some(first.clone()), None).await.unwrap();
    assert_eq!(stored().await, Some(first));
    let second = made(2, NoticeLevel::Warning, &"ä".repeat(2_048));
    store.set_announcement(Some(second.clone()), None).await.unwrap();
    assert_eq!(stored().await, Some(second));
    store.set_announcement(None, None).await.unwrap();
    assert_eq!(stored().await, None);
}

/// Each announcement and each withdrawal has a record of the whole server.
pub async fn announcements_are_recorded(access: Access) {
    let store = &*access.store;
    let made = |n| Announcement::new(AnnouncementId::from_random(n), NoticeLevel::Info, "we move");
    let ana = account("ana");
    let ana = Named::new(ana.id, ana.username);
    assert_eq!(store.set_announcement(None, None).await.unwrap(), None);
    let (first, second) = (made(1), made(2));
    let mut written = Vec::new();
    for (new, by) in
        [(Some(first.clone()), None), (Some(second), Some(ana.clone())), (None, Some(ana.clone()))]
    {
        written.push(store.set_announcement(new, by).await.unwrap().unwrap());
    }
    assert_eq!(store.set_announcement(None, None).await.unwrap(), None, "it is withdrawn");
    let seen: Vec<_> = written.iter().map(|record| (record.number, record.kind, record.by.clone())).collect();
    assert_eq!(
        seen,
        [
            (1, ActKind::Announce, None),
            (2, ActKind::Announce, Some(ana.clone())),
            (3, ActKind::WithdrawAnnouncement, Some(ana)),
        ]
    );
    assert_eq!((written[0].at, &written[0].target), (first.made_at, &None));
    written.reverse();
    assert_eq!(store.audit(AuditQuery::newest(10).of(Scope::Server)).await.unwrap(), written);
}
